"""The stories and the oracle: a simulated quote-to-cash estate and its sync engine.

Imports nothing of what it judges. `run_scenario` plays one story for a test; `python -m sample_data` runs the estate.
"""

from sample_data.rehearsal import Rehearsal, run_scenario
from sample_data.scenarios import SCENARIOS
from sample_data.truth import Truth

__all__ = ["SCENARIOS", "Rehearsal", "Truth", "run_scenario"]
