"""How long adapters wait for an engine, and how soon one that did not take a call is asked again: one place for them all.

What a deployment may set stands in the catalogue (`replay_limits.py`); these follow from how networks and engines behave.
"""

from __future__ import annotations

import httpx

CONNECT_TIMEOUT_S = 3.0
STATEMENT_TIMEOUT_S = 10
"""One statement in an engine's database; also how long a silent connection to it is trusted."""

SUBMIT_TIMEOUT = httpx.Timeout(20.0, connect=CONNECT_TIMEOUT_S)
"""Asking for a replay: some engines answer only when the run has begun, or has ended."""
ASKING_TIMEOUT = httpx.Timeout(6.0, connect=2.0)
"""Every question that changes nothing."""
CONTRACT_SUBMIT_TIMEOUT = httpx.Timeout(10.0, connect=CONNECT_TIMEOUT_S)
CONTRACT_ASKING_TIMEOUT = httpx.Timeout(4.0, connect=2.0)
"""An engine that speaks the contract answers before it works, so sooner."""

RETRY_AFTER_S, RETRY_AFTER_MOST_S = 2.0, 300.0
"""An engine that is busy or gone, and says nothing of when; and the longest that its own word is taken for."""
UNREACHABLE_RETRY_S = 5.0
"""A database or broker that cannot be reached."""
BUSY_RETRY_S = 30.0
"""An engine that itself still works on the run."""
