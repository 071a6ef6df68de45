"""Finds out how sent replays ended: by the traces, and where a call's fate is unknown, by asking engine and target.

Only traces make an outcome good or bad. Engine and probe decide one thing: whether an uncertain call was taken, or is
surely not there and may go out once more under its own key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from console.replay.dispatcher import Dispatcher, Hook, request_of
from console.replay.engine import Engine, Engines
from trace_model.replays import OUTSTANDING, Evidence, Outcome, PlanItem, ReplayLimits, judge
from trace_model.store import Store
from trace_model.store.ledger import Ledger

log = logging.getLogger("cashtrail.replay")

LATE_EVIDENCE = timedelta(hours=24)
"""So long after the sending, evidence still corrects 'no evidence'."""
RUNNING_FACTOR = 5
"""An engine that says that it still works is given so many times the evidence timeout."""
BEHIND_S = 5.0
ASK_AGAIN_S = 2.0


class Settlement:
    """The proving half of the replay service. `run_once` may be called by one thread only."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        engines: Engines,
        clock: Callable[[], datetime],
        limits: ReplayLimits,
        dispatcher: Dispatcher,
        at: Hook = lambda step: None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._engines = engines
        self._clock = clock
        self._limits = limits
        self._dispatcher = dispatcher
        self._at = at
        self._ask_at: dict[str, datetime] = {}

    def run_once(self) -> None:
        """Every item has the outcome that is provable now; uncertain ones have been asked after."""
        self._ledger.doubt_unanswered(self._dispatcher.flying())
        since = self._clock() - LATE_EVIDENCE
        ends = self._ledger.open_ends(since)
        if not ends:
            self._ask_at.clear()
            return
        evidence = {
            (row["plan_id"], row["item_no"]): Evidence(
                row["run_ok"], row["run_failed"], row["milestone_at"], row["signature"], row["message"]
            )
            for row in self._store.rows("replay_evidence", late_since=since)
        }
        for plan_id, item in ends:
            self._settle(plan_id, item, evidence.get((plan_id, item.item_no), Evidence()))

    def _settle(self, plan_id: str, item: PlanItem, evidence: Evidence) -> None:
        verdict = judge(item, evidence, self._limits.evidence_timeout_s, self._clock())
        if verdict is not None and verdict[0] == "no_evidence":
            verdict = self._of_silence(item, verdict[1])
        if verdict is not None:
            outcome, detail = verdict
            if self._ledger.advance(plan_id, item.item_no, outcome, detail) and outcome not in OUTSTANDING:
                self._dispatcher.changed.set()
        elif item.outcome == "uncertain":
            self._ask(plan_id, item)

    def _of_silence(self, item: PlanItem, detail: str) -> tuple[Outcome, str] | None:
        """None while the silence may be ours (spans not derived yet) or the engine says that it still works."""
        if self._store.lag().oldest_unprojected_s > BEHIND_S:
            return None
        engine = self._engines.by_name(item.engine)
        if engine is None or item.sent_at is None:
            return "no_evidence", detail
        if not self._is_due(item):
            return None
        said = engine.state(item.replay_id, item.run_id)
        silent_s = (self._clock() - item.sent_at).total_seconds()
        if said.state in ("accepted", "running") and silent_s < RUNNING_FACTOR * self._limits.evidence_timeout_s:
            return None
        return "no_evidence", f"{detail}; {engine.name} says: {said.state} {said.detail}".rstrip()

    def _ask(self, plan_id: str, item: PlanItem) -> None:
        engine = self._engines.by_name(item.engine)
        if engine is None or not self._is_due(item):
            return
        said = engine.state(item.replay_id, item.run_id)
        if said.state != "unknown":
            self._ledger.advance(
                plan_id, item.item_no, "accepted", f"{engine.name} has it: {said.state} {said.detail}".rstrip()
            )
            return
        if not (said.is_answer and engine.can_probe and self._is_old_enough(item)):
            return
        probe = engine.probe(item.operation, item.object_type, item.object_id)
        if probe.state == "present":
            self._ledger.advance(plan_id, item.item_no, "accepted", f"the target has it: {probe.evidence}")
        elif probe.state == "absent" and engine.keeps_keys and item.tries < self._limits.tries:
            self._send_again(engine, plan_id, item)

    def _send_again(self, engine: Engine, plan_id: str, item: PlanItem) -> None:
        """The same call under the same key: engine and target have both said that they know nothing of the first."""
        plan = self._ledger.plan(plan_id)
        if plan.state != "running" or not self._ledger.reserve_again(plan_id, item):
            return
        self._at("reserved again")
        answer = engine.submit(request_of(plan, item))
        self._at("answered again")
        self._dispatcher.note(plan, item, answer)

    def _is_old_enough(self, item: PlanItem) -> bool:
        sent_at = item.sent_at or self._clock()
        return (self._clock() - sent_at).total_seconds() >= self._limits.uncertain_for_s

    def _is_due(self, item: PlanItem) -> bool:
        now = self._clock()
        if self._ask_at.get(item.replay_id, now) > now:
            return False
        self._ask_at[item.replay_id] = now + timedelta(seconds=ASK_AGAIN_S)
        return True
