"""Benchmarks: `python -m bench` runs them all and prints machine, data, command and result."""
