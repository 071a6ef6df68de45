"""Finds out how sent replays ended: by the traces, and where a call's fate is unknown, by asking engine and target.

Traces make an outcome good or bad. Where none has come in time, a target that had nothing before and has it now proves the
milestone too; what the engine says never does. Engine and probe decide whether an uncertain call was taken, or is surely not
there and may go out once more under its own key.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from console.replay import engine as answers
from console.replay.dispatcher import Dispatcher, Hook, request_of
from console.replay.engine import Engine, Engines, Uncertain
from trace_model.replay_progress import BY_PROBE, Evidence, judge
from trace_model.replays import Outcome, PlanItem, ReplayLimits
from trace_model.store import Store
from trace_model.store.ledger import Ledger

log = logging.getLogger("cashtrail.replay")

LATE_EVIDENCE = timedelta(hours=24)
"""So long after the sending, evidence still corrects 'no evidence'."""
STAYS_OPEN = "the exception stays open until one does or somebody resolves it"
RUNNING_FACTOR = 5
"""An engine that says that it still works is given so many times the evidence timeout."""


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
        self._started_at = clock()
        self._ask_at: dict[str, datetime] = {}
        self._recorded: deque[tuple[datetime, int]] = deque()

    def run_once(self) -> None:
        """Every item has the outcome that is provable now; uncertain ones have been asked after."""
        self._ledger.doubt_unanswered(self._dispatcher.flying())
        shown_at = self._shown_at()
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
            self._settle(plan_id, item, evidence.get((plan_id, item.item_no), Evidence()), shown_at)

    def _shown_at(self) -> datetime:
        """The instant up to which the derived rows show what was recorded: silence after it may be ours, not the engine's."""
        self._recorded.append((self._clock(), self._store.recorded_seq))
        shown = self._store.projected_seq
        while len(self._recorded) > 1 and self._recorded[1][1] <= shown:
            self._recorded.popleft()
        return self._recorded[0][0] if self._recorded[0][1] <= shown else datetime.min.replace(tzinfo=UTC)

    def _settle(self, plan_id: str, item: PlanItem, evidence: Evidence, shown_at: datetime) -> None:
        # while this process was down nobody could hear the engine: silence counts from the start at the earliest
        heard = replace(item, sent_at=max(item.sent_at or self._started_at, self._started_at))
        verdict = judge(heard, evidence, self._limits.evidence_timeout_s, shown_at)
        if (
            item.outcome == "uncertain"
            and (verdict is None or verdict[0] == "no_evidence")
            and self._ask(plan_id, item)
        ):
            return
        if verdict is not None and verdict[0] == "no_evidence":
            verdict = self._of_silence(plan_id, heard, verdict[1])
        if verdict is not None:
            self._at("settling")
        if verdict is not None and self._ledger.advance(plan_id, item.item_no, *verdict):
            self._dispatcher.changed.set()

    def _of_silence(self, plan_id: str, item: PlanItem, detail: str) -> tuple[Outcome, str] | None:
        """What is left to ask once no span came: the target, which had nothing before. None while the engine still works."""
        engine = self._engines.by_name(item.engine)
        if engine is None or item.sent_at is None:
            return "no_evidence", detail
        if item.outcome == "uncertain":  # it and the target have just been asked after
            return "no_evidence", detail
        if not self._is_due(item):
            return None
        if engine.can_probe and not item.reconciles:
            probe = engine.probe(item.operation, item.object_type, item.object_id)
            if probe.state == "present":
                return (
                    "milestone_reached",
                    f"{BY_PROBE}: {probe.evidence or 'its probe found it'}; {detail}, so {STAYS_OPEN}",
                )
            words = (
                "has nothing of it"
                if probe.state == "absent"
                else f"cannot say ({probe.evidence or 'no reason given'})"
            )
            detail = f"{detail}; the target {words}"
        said = engine.state(request_of(self._ledger.head(plan_id), item), item.run_id)
        silent_s = (self._clock() - item.sent_at).total_seconds()
        if said.state in ("accepted", "running") and silent_s < RUNNING_FACTOR * self._limits.evidence_timeout_s:
            return None
        return "no_evidence", f"{detail}; {engine.name} says: {said.state} {said.detail}".rstrip()

    def _ask(self, plan_id: str, item: PlanItem) -> bool:
        """Whether an uncertain call was taken, by engine and target. False if that cannot be found out, or not acted on."""
        engine = self._engines.by_name(item.engine)
        if engine is None:
            return False
        if not self._is_due(item):
            return True
        said = engine.state(request_of(self._ledger.head(plan_id), item), item.run_id)
        if said.state != "unknown":
            told = f"{engine.name} has it: {said.state} {said.detail}".rstrip()
            return self._ledger.advance(plan_id, item.item_no, "accepted", told)
        if not said.is_answer:
            return False
        if engine.can_probe:
            probe = engine.probe(item.operation, item.object_type, item.object_id)
            if probe.state == "present":
                return self._ledger.advance(plan_id, item.item_no, "accepted", f"{BY_PROBE}: {probe.evidence}")
            if probe.state == "unknown":
                return False
        elif not engine.settles_by_key:
            return False
        if not engine.keeps_keys or item.tries >= self._limits.tries:
            return False
        return self._send_again(engine, plan_id, item)

    def _send_again(self, engine: Engine, plan_id: str, item: PlanItem) -> bool:
        """The same call under the same key: engine and target, or the engine's own record, know nothing of the first.

        Waits while the first may still be under way or the plan is paused; False if the plan is over.
        """
        plan = self._ledger.head(plan_id)
        if plan.state not in ("running", "paused"):
            return False
        if plan.state == "paused" or not self._is_old_enough(item) or not self._ledger.reserve_again(plan_id, item):
            return True
        self._at("reserved again")
        answer = engine.submit(request_of(plan, item))
        self._at("answered again")
        # a refusal of the second call says nothing of the first, which may be what it is refused for
        unsure = Uncertain(answer.reason) if isinstance(answer, answers.Refused) else answer
        self._dispatcher.note(plan, replace(item, tries=item.tries + 1), unsure)
        return True

    def _is_old_enough(self, item: PlanItem) -> bool:
        sent_at = item.sent_at or self._clock()
        return (self._clock() - sent_at).total_seconds() >= self._limits.uncertain_for_s

    def _is_due(self, item: PlanItem) -> bool:
        now = self._clock()
        if self._ask_at.get(item.replay_id, now) > now:
            return False
        self._ask_at[item.replay_id] = now + timedelta(seconds=self._limits.ask_again_s)
        return True
