"""The replay service: plan, approve, execute, pause, resume, cancel. Screen, API and command line all come through here.

Every deed checks its right, its reason and the plan's hash, is legal or refused with what would allow it, and is kept with its
audit entry in one transaction. What is sent and how it ended is left to two threads, `dispatcher` and `settlement`.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from console.access import Principal, Right
from console.deeds import reason_of
from console.replay import dependency_watch, inquiries
from console.replay.circuits import Circuits
from console.replay.dependency_watch import DependencyWatch
from console.replay.dispatcher import Dispatcher, Hook
from console.replay.engine import Engines
from console.replay.facts import candidates
from console.replay.inquiries import Inquiries
from console.replay.patching import patched
from console.replay.recovery import LOOK_S, RECOVERY, Recovery
from console.replay.settlement import Settlement
from trace_model.catalogue.check_rules import advice
from trace_model.errors import Refused, UnknownThing
from trace_model.replay_freezing import NONE_EARLIER, Unapproved, above_limits, freeze
from trace_model.replays import Candidate, Intent, Plan, PlanItem, PlanState, ReplayLimits, Target
from trace_model.store import Store
from trace_model.store.ledger import Ledger

__all__ = ["Plan", "PlanItem", "ReplayLimits", "Replays"]

log = logging.getLogger("cashtrail.replay")

ITEMS_MOST = 10_000
PROBES_MOST = 200
"""So many targets are asked while planning; whatever stands at its milestone beyond them is skipped as such."""
TICK_S = 0.2
FAULT_WAIT_S = 2.0
REST = 2.0


class Replays:
    """The service. Threads may share it; `start` and `stop` belong to the composition root."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        engines: Engines,
        clock: Callable[[], datetime],
        limits: ReplayLimits | None = None,
        *,
        at: Hook = lambda step: None,
    ) -> None:
        self.limits = limits or ReplayLimits()
        self._store = store
        self._ledger = ledger
        self._engines = engines
        self._clock = clock
        self._counting = threading.Lock()
        self._circuits = Circuits(clock, self.limits.quiet_s)
        self._dispatcher = Dispatcher(store, ledger, engines, clock, self.limits, self._circuits, at)
        self._settlement = Settlement(store, ledger, engines, clock, self.limits, self._dispatcher, at)
        self._recovery = Recovery(store, engines, clock, self.limits, self)
        self._inquiries = Inquiries(store, engines, clock)
        self._dependency_watch = DependencyWatch(store, engines, clock)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def inquiries(self) -> Inquiries:
        """Asking targets whether they have what no answer came to."""
        return self._inquiries

    # -- deeds ---------------------------------------------------------------------------------------------------

    def plan(
        self,
        principal: Principal,
        *,
        exception_ids: Sequence[str] | None = None,
        group_id: str | None = None,
        reason: str,
        patch: Mapping[str, Any] | None = None,
        from_step: str | None = None,
        data_fixed: bool = False,
        replaces: str | None = None,
        recovered: bool = False,
    ) -> Plan:
        """A frozen plan for these exceptions, or for the open ones of this group. Nothing is sent.

        `data_fixed` is the operator's word that what caused a business exception has been put right. `replaces` names a
        plan that this one is an edit of: it is cancelled, and with it its approval. `recovered` is the recovery watch's word that
        the dependency has been up for long enough since each of them last failed. Raises Refused (no right, no reason, a
        patch that does not fit) or UnknownThing (an id that nothing has).
        """
        principal.require(Right.REPLAY)
        why = reason_of(reason)
        found = self._reconciling(self._named(exception_ids, group_id))
        intent = Intent(patch, from_step, data_fixed, recovered)
        if patch is not None:
            found = patched(self._store, self.limits, principal, found, patch)
        plan = freeze(
            f"plan-{secrets.token_hex(6)}",
            found,
            self._targets({c.system for c in found}),
            intent,
            self.limits,
            created_at=self._clock(),
            created_by=principal.name,
            reason=why,
            replaces=replaces,
            earlier=self._unapproved(principal.name),
        )
        if replaces is not None:
            self._replace(principal, self.get(replaces), plan)
        self._ledger.save(plan)
        return plan

    def _replace(self, principal: Principal, old: Plan, new: Plan) -> None:
        """The old plan is cancelled before the new one is there: never are both to be sent."""
        told = f"replaced by {new.plan_id}"
        moved = self._ledger.move(
            old.plan_id, "cancelled", deed="replace", actor=principal.name, reason=new.reason, expected=("planned", "approved"),
            state_reason=told,
        )  # fmt: skip
        if not moved:
            raise Refused(
                f"{old.plan_id} is {self.get(old.plan_id).state}; only a plan that was not executed can be edited"
            )

    def approve(self, principal: Principal, plan_id: str, hash: str, reason: str) -> Plan:
        """The plan may be executed until the approval expires. Raises Refused for whoever asked for it: two keys."""
        principal.require(Right.APPROVE)
        plan, why = self._asked(plan_id, hash, reason)
        if not plan.needs_approval:
            raise Refused(f"{plan_id} is within the limits and needs no approval; execute it")
        if principal.name == plan.created_by:
            raise Refused(
                f"{principal.name} asked for {plan_id}; a second person with the right to approve must look at it"
            )
        now = self._clock()
        self._refuse_old(plan, now)
        until = now + timedelta(seconds=self.limits.approval_valid_s)
        moved = self._ledger.move(
            plan_id, "approved", deed="approve", actor=principal.name, reason=why, expected=("planned", "approved"),
            approved_by=principal.name, approved_at=now, approved_until=until,
        )  # fmt: skip
        if not moved:
            raise Refused(f"{plan_id} is {self.get(plan_id).state}; only a planned one can be approved")
        return self.get(plan_id)

    def execute(self, principal: Principal, plan_id: str, hash: str, reason: str) -> Plan:
        """The plan runs. Executing it again changes nothing and answers with the plan as it stands."""
        principal.require(Right.REPLAY)
        plan, why = self._asked(plan_id, hash, reason)
        if plan.executed_at is not None:
            return plan
        now = self._clock()
        if plan.state != "cancelled":
            self._refuse_old(plan, now)
            self._refuse_unapproved(plan, now)
            self._refuse_one_key(plan, principal)
        if not plan.sends:
            raise Refused(f"{plan_id} has nothing to send: every item is skipped, each with its reason")
        expected: tuple[PlanState, ...] = ("approved",) if plan.needs_approval else ("planned",)
        with self._counting:  # two plans of one person, executed at once, are counted one after the other
            if plan.state == "planned" and not plan.needs_approval:
                self._refuse_piecemeal(plan, principal)
            moved = self._ledger.move(
                plan_id, "running", deed="execute", actor=principal.name, reason=why, expected=expected,
                executed_by=principal.name, executed_at=now,
            )  # fmt: skip
        plan = self.get(plan_id)
        if not moved and plan.executed_at is None:
            raise Refused(f"{plan_id} is {plan.state}; make a new plan")
        self._dispatcher.changed.set()
        return plan

    def pause(self, principal: Principal, plan_id: str, hash: str, reason: str) -> Plan:
        """Nothing more is sent; what has been sent is still followed to its end."""
        return self._move(
            principal, plan_id, hash, reason, "paused", "pause", state_reason=f"paused by {principal.name}"
        )

    def resume(self, principal: Principal, plan_id: str, hash: str, reason: str) -> Plan:
        """The plan runs on, with a canary first; what ended badly before no longer brakes it."""
        plan, _ = self._asked(plan_id, hash, reason)
        if plan.state == "paused":
            self._refuse_unapproved(plan, self._clock())
        gone = max((i.item_no for i in plan.sends if i.outcome != "planned"), default=0)
        return self._move(
            principal, plan_id, hash, reason, "running", "resume", ("paused",), state_reason=None, canary_from=gone
        )

    def cancel(self, principal: Principal, plan_id: str, hash: str, reason: str) -> Plan:
        """What has not been sent never will be by this plan; what has been is still followed to its end."""
        return self._move(
            principal, plan_id, hash, reason, "cancelled", "cancel", state_reason=f"cancelled by {principal.name}"
        )

    def explain(self, plan_id: str, state_reason: str) -> None:
        """The plan's screen line says why it stands still; no deed, and nothing moves."""
        self._ledger.explain(plan_id, state_reason)

    # -- questions -----------------------------------------------------------------------------------------------

    def get(self, plan_id: str) -> Plan:
        """Raises UnknownThing if there is no such plan."""
        return self._ledger.plan(plan_id)

    def recent(self, limit: int = 50) -> list[Plan]:
        """The newest plans, newest first."""
        return self._ledger.recent(limit)

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Running plans go on where they stood; calls whose answer nobody heard are asked after."""
        self._ledger.doubt_unanswered()
        work_by_name = {
            "replay-dispatcher": self._dispatch,
            "replay-settlement": self._prove,
            "status-inquiry": self._inquire,
            "dependency-watch": self._ask_dependencies,
        }
        if self.limits.recovery != "off":
            work_by_name["replay-recovery"] = self._watch
        for name, work in work_by_name.items():
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Nothing more is sent. Calls under way have ended; plans stay as they are, for the next start."""
        self._stopping.set()
        self._dispatcher.changed.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self._threads.clear()
        self._dispatcher.close()
        self._engines.close()

    def _dispatch(self) -> None:
        while not self._stopping.is_set():
            self._dispatcher.changed.wait(TICK_S)
            self._dispatcher.changed.clear()
            self._resting(self._dispatcher.run_once)

    def _prove(self) -> None:
        while not self._stopping.wait(TICK_S):
            self._resting(self._settlement.run_once)

    def _watch(self) -> None:
        while not self._stopping.wait(min(LOOK_S, self.limits.quiet_s)):
            self._resting(self._recovery.run_once)

    def _inquire(self) -> None:
        while not self._stopping.wait(inquiries.LOOK_S):
            self._resting(self._inquiries.run_once)

    def _ask_dependencies(self) -> None:
        while not self._stopping.wait(dependency_watch.LOOK_S):
            self._resting(self._dependency_watch.run_once)

    def _resting(self, work: Callable[[], None]) -> None:
        """Does the work, then rests REST times the computing it took: many plans at once take a third of a core, not all of it."""
        began_s = time.thread_time()
        self._guarded(work)
        self._stopping.wait((time.thread_time() - began_s) * REST)

    def _guarded(self, work: Callable[[], None]) -> None:
        if self._stopping.is_set():
            return
        try:
            work()
        except Exception:
            # the ledger holds everything, so the next round starts from it; a thread that ended would let every plan stand still
            log.exception("replays stand still; trying again in %g s", FAULT_WAIT_S)
            self._stopping.wait(FAULT_WAIT_S)

    # -- below ---------------------------------------------------------------------------------------------------

    def _named(self, exception_ids: Sequence[str] | None, group_id: str | None) -> list[Candidate]:
        if (exception_ids is None) == (group_id is None):
            raise Refused("name either exception_ids or a group_id")
        ids = list(dict.fromkeys(exception_ids)) if exception_ids is not None else None
        if ids is not None and not ids:
            raise Refused("exception_ids is empty; name at least one exception")
        if ids is not None and len(ids) > ITEMS_MOST:
            raise Refused(f"{len(ids):,} exceptions; a plan holds at most {ITEMS_MOST:,}")
        found = candidates(self._store, ids, group_id)
        if ids is not None and len(found) < len(ids):
            missing = sorted(set(ids) - {c.exception_id for c in found})
            self._refuse_stuck(missing[0])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            named = ", ".join(f"'{id_}'" for id_ in missing[:5])
            raise UnknownThing(f"there is no exception {named}{more}")
        if group_id is not None and not found:
            if self._store.rows("group_now", group_ids=[group_id], as_of=self._clock()):
                raise Refused(f"exception group '{group_id}' has no open failure; there is nothing to replay")
            raise UnknownThing(f"there is no exception group '{group_id}'")
        if len(found) > ITEMS_MOST:
            raise Refused(f"the group has {len(found):,} open exceptions; name at most {ITEMS_MOST:,} of them by id")
        return found

    def _refuse_stuck(self, exception_id: str) -> None:
        """Raises Refused where it is a stuck flow: an exception, though no run failed with it."""
        for row in self._store.rows("exception", exception_id=exception_id, as_of=self._clock()):
            what = advice(row["kind"], None) or "there is nothing to replay"
            raise Refused(f"'{exception_id}' cannot be replayed: {row['sentence']} {what}")

    def _targets(self, systems: set[str | None]) -> dict[str | None, Target]:
        targets = {}
        for system in systems:
            engine = self._engines.for_system(system)
            state = engine.dependency(system) if engine and system else "unknown"
            targets[system] = Target(engine.name if engine else None, state)
        return targets

    def _reconciling(self, found: Sequence[Candidate]) -> list[Candidate]:
        """Those whose milestone has been seen while their flow still stands, marked where the engine says that it would carry it on."""
        at_milestone = [c for c in found if c.milestone_at is not None and c.state == "open"][:PROBES_MOST]

        def asked(c: Candidate) -> bool:
            engine = self._engines.for_system(c.system)
            if engine is None or not engine.can_probe:
                return False
            probe = engine.probe(c.operation, c.object_type, c.object_id)
            return probe.state == "present" and probe.reconciles

        if not at_milestone:
            return list(found)
        with ThreadPoolExecutor(8, "replay-probe") as pool:
            marked = {
                c.exception_id for c, does in zip(at_milestone, pool.map(asked, at_milestone), strict=True) if does
            }
        return [replace(c, reconciles=True) if c.exception_id in marked else c for c in found]

    def _asked(self, plan_id: str, hash: str, reason: str) -> tuple[Plan, str]:
        why = reason_of(reason)
        plan = self.get(plan_id)
        if not hmac.compare_digest(plan.hash.encode(), str(hash).encode()):
            raise Refused(
                f"the hash is not that of {plan_id} ({plan.hash[:12]}...); look at the plan again before you act on it"
            )
        return plan, why

    def _refuse_old(self, plan: Plan, now: datetime) -> None:
        if (now - plan.created_at).total_seconds() > self.limits.plan_valid_s:
            raise Refused(
                f"{plan.plan_id} was made at {plan.created_at:%Y-%m-%d %H:%M} UTC and is too old to send; plan again"
            )

    def _refuse_unapproved(self, plan: Plan, now: datetime) -> None:
        if not plan.needs_approval:
            return
        if plan.approved_until is None:
            raise Refused(
                f"{plan.plan_id} needs a second person's approval, of anyone with the right to approve but {plan.created_by}: "
                f"{plan.approval_reason}"
            )
        if plan.approved_until <= now:
            raise Refused(
                f"the approval of {plan.plan_id} by {plan.approved_by} expired at {plan.approved_until:%Y-%m-%d %H:%M} UTC; "
                "make a new plan and have it approved"
            )

    def _refuse_one_key(self, plan: Plan, principal: Principal) -> None:
        """Raises Refused where approver and sender are one person, and no other has asked: the watch that did is none."""
        if plan.needs_approval and plan.created_by == RECOVERY.name and principal.name == plan.approved_by:
            raise Refused(
                f"{plan.plan_id} was proposed by the {RECOVERY.name} and approved by {principal.name}; "
                "a second person with the right to replay must send it"
            )

    def _unapproved(self, actor: str, plan_id: str | None = None) -> Unapproved:
        """What this person's plans but `plan_id` send without approval, as of the window that the limits name."""
        if not self.limits.approval_window_s:
            return NONE_EARLIER
        since = self._clock() - timedelta(seconds=self.limits.approval_window_s)
        (row,) = self._store.rows("replay_unapproved", actor=actor, since=since, except_plan=plan_id)
        return Unapproved(actor, row["item_count"], row["amount"])

    def _refuse_piecemeal(self, plan: Plan, principal: Principal) -> None:
        """Raises Refused where whoever asked for it, or executes it, has meanwhile sent too much for it to go unapproved."""
        amount = sum((item.amount or Decimal(0) for item in plan.sends), Decimal(0))
        for actor in dict.fromkeys((plan.created_by, principal.name)):
            why = above_limits(len(plan.sends), amount, self.limits, self._unapproved(actor, plan.plan_id))
            if why:
                raise Refused(
                    f"{plan.plan_id} was within the limits when it was made, and is not any more: {'; '.join(why)}. "
                    "Plan again, and have the new plan approved"
                )

    def _move(
        self,
        principal: Principal,
        plan_id: str,
        hash: str,
        reason: str,
        state: PlanState,
        deed: str,
        expected: tuple[PlanState, ...] | None = None,
        **columns: Any,
    ) -> Plan:
        principal.require(Right.REPLAY)
        plan, why = self._asked(plan_id, hash, reason)
        moved = plan.state != state and self._ledger.move(
            plan_id, state, deed=deed, actor=principal.name, reason=why, expected=expected, **columns
        )
        now = self.get(plan_id)
        if not moved and now.state != state:
            raise Refused(f"{plan_id} is {now.state}; it cannot {deed} from there")
        self._dispatcher.changed.set()
        return now
