"""Who is told: alerts raised by the clock, routed, throttled, silenced, escalated and delivered. Start at `worker.py`."""
