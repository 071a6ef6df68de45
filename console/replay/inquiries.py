"""Asks the targets of writes that no answer came to whether they have them: an unknown status is settled by looking, not by guessing.

Every answer that says something is kept as a deed on the exception (`probe`, in the audit), so that it holds as of its
instant: `present` where nothing is left to do resolves the exception; `present` where the flow still stands, and `absent`,
make it a failed operation that can be replayed. A later success does the same without any question (docs/exceptions.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from console.access import Principal, Right
from console.deeds import reason_of
from console.replay.engine import Engine, Engines, Probe
from trace_model.errors import Refused, UnknownThing
from trace_model.store import Store
from trace_model.store.actions import Action

LOOK_S = 10.0
QUIET_S = 60.0
"""So long after the last attempt the call may still be under way, and nobody is asked."""
AT_MOST = 20
"""So many targets are asked in one round, most money first."""
AGAIN_S, AGAIN_MOST_S = 60.0, 3600.0
"""A target that cannot say is asked again after so long, then twice as long, up to the most."""
INQUIRY = Principal("status inquiry", "operator")


class Inquiries:
    """`run_once` may be called by one thread only; `ask` by any."""

    def __init__(self, store: Store, engines: Engines, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._engines = engines
        self._clock = clock
        self._waits: dict[str, tuple[datetime, float]] = {}

    def run_once(self) -> None:
        """Every open unknown status whose target may be asked now has been asked after, and what was answered is kept."""
        if not self._engines:
            return
        now = self._clock()
        rows = self._store.rows("unknown_statuses", before=now - timedelta(seconds=QUIET_S), as_of=now)
        open_ids = {row["exception_id"] for row in rows}
        self._waits = {id_: wait for id_, wait in self._waits.items() if id_ in open_ids}
        due = [
            row for row in rows if row["exception_id"] not in self._waits or self._waits[row["exception_id"]][0] <= now
        ]
        for row in due[:AT_MOST]:
            engine = self._engines.for_system(row["system"])
            if engine is None or not engine.can_probe:
                continue
            probe = engine.probe(row["operation"], row["object_type"], row["object_id"])
            if probe.state == "unknown":
                wait_s = min(self._waits.get(row["exception_id"], (now, AGAIN_S / 2))[1] * 2, AGAIN_MOST_S)
                self._waits[row["exception_id"]] = (now + timedelta(seconds=wait_s), wait_s)
                continue
            self._keep(INQUIRY, engine, row, probe, "no answer came to it, so its target was asked")

    def ask(self, principal: Principal, exception_id: str, reason: str) -> Action:
        """The target has been asked now, and its answer kept, also where it cannot say.

        Raises UnknownThing (no such exception) or Refused (no right, no reason, nothing unknown, nobody to ask).
        """
        principal.require(Right.TRIAGE)
        why = reason_of(reason)
        found = self._store.rows("exception", exception_id=exception_id, as_of=self._clock())
        if not found:
            raise UnknownThing(f"there is no exception '{exception_id}'")
        row = found[0]
        if row["kind"] != "unknown_status" or row["state"] != "open":
            raise Refused(
                f"what became of {row['object_id']} is known ({row['kind'].replace('_', ' ')}, {row['state']}); "
                "only an open unknown status is asked after"
            )
        engine = self._engines.for_system(row["system"])
        if engine is None or not engine.can_probe:
            nobody = (
                f"{engine.name} cannot look into {row['system']}" if engine else f"no engine serves {row['system']}"
            )
            raise Refused(f"{nobody}: look there yourself, then resolve the group by hand or replay")
        probe = engine.probe(row["operation"], row["object_type"], row["object_id"])
        return self._keep(principal, engine, row, probe, why)

    def _keep(self, who: Principal, engine: Engine, row: Mapping[str, Any], probe: Probe, reason: str) -> Action:
        return self._store.act(
            actor=who.name,
            deed="probe",
            subject_type="exception",
            subject_id=row["exception_id"],
            reason=reason,
            detail={
                "state": probe.state,
                "evidence": probe.evidence,
                "flow_stands": probe.state == "present" and probe.reconciles,
                "engine": engine.name,
                "operation": row["operation"],
                "object": f"{row['object_type']} {row['object_id']}",
            },
        )
