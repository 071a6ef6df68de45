"""Asks the engine whether a dependency in an outage is up again, so that its end is known though nobody happens to call it.

What runs say needs traffic: after an outage at night the first answered call may be hours away. An engine that has said `up`
twice, a while apart, is believed; that is kept as a deed on the dependency (`probe`, in the audit) and ends the outage at
the first of the two, unless a later call fails (docs/outages.md).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from console.access import Principal
from console.replay.engine import Engines
from trace_model.store import Store

LOOK_S = 10.0
SURE_S = 20.0
"""So long an engine must have said `up` before it is believed: its own circuit may close a moment late."""
WATCH = Principal("dependency watch", "operator")


class DependencyWatch:
    """`run_once` may be called by one thread only."""

    def __init__(self, store: Store, engines: Engines, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._engines = engines
        self._clock = clock
        self._up_since: dict[str, datetime] = {}

    def run_once(self) -> None:
        """Every downtime that has not ended has been asked after, and those whose dependency is surely up have ended."""
        now = self._clock()
        lasting = self._store.rows("outages_lasting", as_of=now)
        self._up_since = {o["outage_id"]: at for o in lasting if (at := self._up_since.get(o["outage_id"]))}
        for outage in lasting:
            engine = self._engines.for_system(outage["system"])
            if engine is None or engine.dependency(outage["system"]) != "up":
                self._up_since.pop(outage["outage_id"], None)
                continue
            since = self._up_since.setdefault(outage["outage_id"], now)
            if since <= outage["last_failed_at"]:
                self._up_since[outage["outage_id"]] = now
            elif (now - since).total_seconds() >= SURE_S:
                self._keep(outage, since, engine.name)

    def _keep(self, outage: dict[str, Any], since: datetime, engine: str) -> None:
        self._store.act(
            actor=WATCH.name,
            deed="probe",
            subject_type="dependency",
            subject_id=outage["system"],
            reason=f"{engine} has said that it is up since {since:%Y-%m-%d %H:%M:%S} UTC",
            detail={"state": "up", "outage_id": outage["outage_id"], "up_at": since.isoformat(), "engine": engine},
        )
