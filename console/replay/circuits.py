"""One circuit a target: open while the dependency is down, half open after it has been quiet, closed once a replay got through.

Keeps nothing on disk: after a restart a circuit is closed until its dependency says that it is down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from console.replay.engine import DependencyState, Engine

ASK_EVERY_S = 2.0

CircuitState = Literal["closed", "open", "half_open"]


@dataclass
class Circuit:
    """What is known of one target. `since` is when it came into this state or, while open, when it last was down."""

    state: CircuitState = "closed"
    since: datetime | None = None
    asked_at: datetime | None = None
    said: DependencyState = "unknown"


class Circuits:
    """The circuits of every target, asked at most every ASK_EVERY_S seconds. Threads may share it."""

    def __init__(self, clock: Callable[[], datetime], quiet_s: float) -> None:
        self._clock = clock
        self._quiet = timedelta(seconds=quiet_s)
        self._circuits: dict[tuple[str, str], Circuit] = {}
        self._lock = threading.Lock()

    def state(self, engine: Engine, system: str) -> tuple[CircuitState, datetime | None]:
        """The target's state and since when, as of now. Asks the engine where the last answer is too old."""
        now = self._clock()
        with self._lock:
            circuit = self._circuits.setdefault((engine.name, system), Circuit())
            is_fresh = circuit.asked_at is not None and (now - circuit.asked_at).total_seconds() < ASK_EVERY_S
            if not is_fresh:
                circuit.asked_at = now
        said = circuit.said if is_fresh else engine.dependency(system)
        with self._lock:
            circuit.said = said
            if said == "down":
                circuit.state, circuit.since = "open", now
            elif circuit.state == "open" and circuit.since is not None and now - circuit.since >= self._quiet:
                circuit.state, circuit.since = "half_open", now
            return circuit.state, circuit.since

    def got_through(self, engine: Engine, system: str) -> None:
        """A replay sent through the half open circuit reached its milestone: it is closed."""
        with self._lock:
            circuit = self._circuits.setdefault((engine.name, system), Circuit())
            circuit.state, circuit.since = "closed", self._clock()

    def failed_again(self, engine: Engine, system: str) -> None:
        """A replay sent through the half open circuit failed: it is open again for a quiet period."""
        with self._lock:
            circuit = self._circuits.setdefault((engine.name, system), Circuit())
            circuit.state, circuit.since = "open", self._clock()
