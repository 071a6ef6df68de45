"""Sends what running plans may send now: recheck, probe, reserve, call, note. Each step survives the death of the process.

The ledger is the only state. A worker that dies before the reservation has sent nothing; one that dies after it leaves an item
that is 'sent' without an answer, which is treated as uncertain and settled by `settlement.py`, never by sending blindly.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import datetime, timedelta

from console.replay import engine as answers
from console.replay.circuits import Circuits
from console.replay.engine import Engine, Engines, ReplayRequest
from console.replay.facts import candidates
from trace_model.errors import CashtrailError
from trace_model.replay_progress import Progress, next_step
from trace_model.replays import PROVEN_BAD, Plan, PlanItem, ReplayLimits, no_longer
from trace_model.store import Store
from trace_model.store.ledger import WORKER, Ledger, item_of

log = logging.getLogger("cashtrail.replay")

WORKERS = 16
BACKOFF_S, BACKOFF_MOST_S = 1.0, 60.0

Hook = Callable[[str], None]
"""Told the name of each step as it is reached; tests kill the worker there."""


class Dispatcher:
    """The sending half of the replay service. `run_once` may be called by one thread only; its calls run on a pool."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        engines: Engines,
        clock: Callable[[], datetime],
        limits: ReplayLimits,
        circuits: Circuits,
        at: Hook = lambda step: None,
        pool: Executor | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._engines = engines
        self._clock = clock
        self._limits = limits
        self._circuits = circuits
        self._at = at
        self._pool = pool or ThreadPoolExecutor(WORKERS, "replay-call")
        self._flying: dict[tuple[str, int], str] = {}
        self._timer = timer
        self._calls_due: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()
        self.changed = threading.Event()
        """Set when a call has ended: there may be more to send."""

    def flying(self) -> list[tuple[str, int]]:
        """The items (plan, item number) that a worker holds at this moment."""
        with self._lock:
            return list(self._flying)

    def run_once(self) -> None:
        """Every running plan has been moved on as far as it may go now. Does not wait for the calls."""
        if not self._ledger.is_running():
            return
        running = self._store.rows("replay_progress")
        outstanding = {
            _target(row["engine"], row["system"]): row["item_count"] for row in self._store.rows("replay_outstanding")
        }
        for row in running:
            self._step(self._ledger.head(row["plan_id"]), Progress.of(row), outstanding)

    def close(self) -> None:
        """Calls under way have ended; nothing new was begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _step(self, plan: Plan, progress: Progress, outstanding: dict[str, int]) -> None:
        """The plan has been moved on; `plan` is its head alone, since a round's cost must not grow with its items."""
        step = next_step(progress, self._limits)
        if step.is_over:
            (row,) = self._store.rows("replay_plans", plan_id=plan.plan_id, as_of=self._clock(), limit=1, offset=0)
            told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(row["totals"]))
            self._ledger.move(
                plan.plan_id, "finished", deed="finish", actor=WORKER, reason=told, state_reason=None,
            )  # fmt: skip
            return
        if step.brake:
            self._ledger.move(
                plan.plan_id, "paused", deed="brake", actor=WORKER, reason=step.brake, state_reason=f"braked: {step.brake}",
            )  # fmt: skip
            return
        held: dict[str, str] = {}
        chosen = [i for i in self._due_items(plan, step.send_most) if self._may_go(plan, i, outstanding, held)]
        for item in self._recheck(plan, chosen):
            self._launch(plan, item)
        waits = "; ".join(held.values()) or (f"waits for {step.waits_for}" if step.waits_for else None)
        self._ledger.explain(plan.plan_id, waits)

    def _due_items(self, plan: Plan, most: int) -> list[PlanItem]:
        if most == 0:
            return []
        return [
            item_of(row) for row in self._store.rows("replay_due", plan_id=plan.plan_id, now=self._clock(), limit=most)
        ]

    def _may_go(self, plan: Plan, item: PlanItem, outstanding: dict[str, int], held: dict[str, str]) -> bool:
        """True if the item's target takes one more now; the count, the call slot and the half open circuit are taken then."""
        target = _target(item.engine, item.system)
        engine = self._engines.by_name(item.engine)
        if target in held or engine is None:
            held.setdefault(target, f"no engine '{item.engine}' is configured")
            return False
        with self._lock:
            if (plan.plan_id, item.item_no) in self._flying:
                return False
            calling = sum(1 for other in self._flying.values() if other == target)
            due, _ = self._due(target)
        if calling >= self._limits.calls_per_target or due < 1:
            return False
        if outstanding.get(target, 0) >= self._limits.outstanding_per_target:
            return False
        if item.system and not self._circuit_lets(plan, item.system, engine, calling, held, target):
            return False
        outstanding[target] = outstanding.get(target, 0) + 1
        with self._lock:
            self._flying[plan.plan_id, item.item_no] = target
            due, now_s = self._due(target)
            self._calls_due[target] = (due - 1, now_s)
        return True

    def _due(self, target: str) -> tuple[float, float]:
        """How many calls the target may be sent now, at most a second's worth; and the timer."""
        now_s = self._timer()
        left, at_s = self._calls_due.get(target, (1.0, now_s))
        return min(left + (now_s - at_s) * self._limits.calls_per_s, max(self._limits.calls_per_s, 1.0)), now_s

    def _circuit_lets(
        self, plan: Plan, system: str, engine: Engine, calling: int, held: dict[str, str], target: str
    ) -> bool:
        state, since = self._circuits.state(engine, system)
        if state == "open":
            held[target] = f"held: {system} is down, or has not been up for {self._limits.quiet_s:g} s"
            return False
        if state == "closed" or since is None:
            return True
        tried = {
            row["outcome"] for row in self._store.rows("replay_tried", plan_id=plan.plan_id, system=system, since=since)
        }
        if "milestone_reached" in tried:
            self._circuits.got_through(engine, system)
            return True
        if tried & PROVEN_BAD:
            self._circuits.failed_again(engine, system)
            return False
        if tried or calling:
            held[target] = f"held: {system} has come back; waits for one replay to reach its milestone"
            return False
        return True

    def _recheck(self, plan: Plan, items: Sequence[PlanItem]) -> list[PlanItem]:
        """The items that the facts still allow; the others are skipped with what has changed since the plan."""
        if not items:
            return []
        try:
            now = {c.exception_id: c for c in candidates(self._store, [i.exception_id for i in items], None)}
            allowed = []
            for item in items:
                why = no_longer(now.get(item.exception_id), item)
                if why:
                    self._ledger.advance(plan.plan_id, item.item_no, "skipped", why)
                    self._landed(plan, item)
                else:
                    allowed.append(item)
            return allowed
        except BaseException:
            for item in items:
                self._landed(plan, item)
            raise

    def _launch(self, plan: Plan, item: PlanItem) -> None:
        self._pool.submit(self._fly, plan, item).add_done_callback(_tell_fault)

    def _fly(self, plan: Plan, item: PlanItem) -> None:
        try:
            self._send(plan, item)
        except CashtrailError:
            # the store could not be written: what was reserved is doubted and settled, what was not is sent later
            log.exception("replay %s of plan %s stopped half-way", item.replay_id, plan.plan_id)
        finally:
            self._landed(plan, item)

    def _landed(self, plan: Plan, item: PlanItem) -> None:
        with self._lock:
            self._flying.pop((plan.plan_id, item.item_no), None)
        self.changed.set()

    def _send(self, plan: Plan, item: PlanItem) -> None:
        engine = self._engines.by_name(item.engine)
        if engine is None:
            return
        self._at("probing")
        if not self._probed(engine, plan, item):
            return
        self._at("reserving")
        if self._ledger.reserve(plan.plan_id, item, self._store.recorded_seq):
            return
        self._at("reserved")
        answer = engine.submit(request_of(plan, item))
        self._at("answered")
        self.note(plan, item, answer)
        self._at("noted")

    def _probed(self, engine: Engine, plan: Plan, item: PlanItem) -> bool:
        """True if the target surely, or as far as this engine can tell, has not got it."""
        if not engine.can_probe:
            # an engine that settles by key looks at every earlier run of the same thing itself, unless told where to begin
            if item.requires_absent and (plan.from_step is not None or not engine.settles_by_key):
                why = f"an earlier replay has shown no evidence, and {engine.name} cannot be asked whether it was done"
                self._ledger.advance(plan.plan_id, item.item_no, "skipped", why)
                return False
            return True
        probe = engine.probe(item.operation, item.object_type, item.object_id)
        if (probe.state == "absent" and not item.reconciles) or (probe.state == "present" and probe.reconciles):
            return True
        if probe.state == "absent":
            why = f"its milestone was seen, and now the target says that it has nothing: {probe.evidence or 'no reason given'}"
            self._ledger.advance(plan.plan_id, item.item_no, "skipped", why)
            return False
        if probe.state == "present":
            why = (
                f"already at the target, nothing was sent: {probe.evidence or 'the probe found it'}. If its flow still stands, "
                f"carry it on in {engine.name}, or resolve the exception by hand"
            )
            self._ledger.advance(plan.plan_id, item.item_no, "skipped", why)
            return False
        told = f"{engine.name} cannot say whether the target has it: {probe.evidence or 'no reason given'}"
        if item.tries + 1 >= self._limits.tries:
            self._ledger.advance(plan.plan_id, item.item_no, "skipped", f"{told}; nothing was sent")
        else:
            self._ledger.postpone(plan.plan_id, item, self._later(item), told)
        return False

    def note(self, plan: Plan, item: PlanItem, answer: answers.Answer) -> None:
        note = self._ledger.advance
        match answer:
            case answers.Accepted(run_id):
                note(plan.plan_id, item.item_no, "accepted", None, run_id=run_id)
            case answers.AlreadyTaken(run_id):
                detail = "the engine had taken this key before; nothing was started twice"
                note(plan.plan_id, item.item_no, "accepted", detail, run_id=run_id)
            case answers.AlreadyThere(detail):
                note(plan.plan_id, item.item_no, "accepted", f"already at the target: {detail}")
            case answers.Refused(reason):
                note(plan.plan_id, item.item_no, "rejected", reason)
            case answers.RetryLater(after_s, detail) if item.tries + 1 < self._limits.tries:
                later = max(self._later(item), self._clock() + timedelta(seconds=after_s))
                self._ledger.release(plan.plan_id, item, later, detail)
            case answers.RetryLater(_, detail):
                note(plan.plan_id, item.item_no, "rejected", f"not taken after {item.tries + 1} tries: {detail}")
            case answers.Uncertain(detail):
                note(plan.plan_id, item.item_no, "uncertain", detail)

    def _later(self, item: PlanItem) -> datetime:
        return self._clock() + timedelta(seconds=min(BACKOFF_S * 2**item.tries, BACKOFF_MOST_S))


def request_of(plan: Plan, item: PlanItem) -> ReplayRequest:
    return ReplayRequest(
        idempotency_key=item.idempotency_key,
        replay_id=item.replay_id,
        operation=item.operation,
        object_type=item.object_type,
        object_id=item.object_id,
        trace_id=item.trace_id,
        span_id=item.span_id,
        from_step=plan.from_step,
        payload_patch=item.patch,
        requested_by=plan.executed_by or plan.created_by,
        reason=plan.reason,
    )


def _tell_fault(call: Future[None]) -> None:
    """A fault of ours in a worker is in the log; its item, if reserved, is doubted and settled like any other."""
    fault = None if call.cancelled() else call.exception()
    if isinstance(fault, Exception):
        log.error("a replay worker failed", exc_info=fault)


def _target(engine: str | None, system: str | None) -> str:
    return f"{engine}/{system}"
