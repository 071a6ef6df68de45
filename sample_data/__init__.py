"""The stories and the oracle: a simulated quote-to-cash estate and its sync engine."""
