"""Replay on recovery: once a dependency has been up for a quiet period, the failures it left behind become a plan.

The plan is an ordinary one, made by the actor RECOVERY, with a canary first: proposed for a person to execute, or executed
within the limits where `ReplayLimits.recovery` says so. Whatever needs a second person is only ever proposed. A started plan that
brakes goes on after a quiet period that doubles each time, and after `recovery_resumes` times waits for a person; what failed
again is planned anew after such a wait too, until it has had its tries. Needs no memory: what has been planned since it
failed is not planned again, and how often a plan has braked stands in the audit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from console.access import Principal
from console.replay.engine import Engines
from trace_model.replays import Plan, ReplayLimits
from trace_model.store import Store

LOOK_S = 10.0
RECOVERY = Principal("recovery watch", "operator")
_TOLD = "; recovery "

Row = dict[str, Any]


class Planner(Protocol):
    """The deeds that the watch does, as the replay service has them."""

    def plan(self, principal: Principal, *, exception_ids: list[str], reason: str, recovered: bool) -> Plan: ...
    def execute(self, principal: Principal, plan_id: str, hash: str, reason: str) -> Plan: ...
    def resume(self, principal: Principal, plan_id: str, hash: str, reason: str) -> Plan: ...
    def explain(self, plan_id: str, state_reason: str) -> None: ...


class Recovery:
    """Watches the dependencies that have open failures. `run_once` may be called by one thread only."""

    def __init__(
        self, store: Store, engines: Engines, clock: Callable[[], datetime], limits: ReplayLimits, planner: Planner
    ) -> None:
        self._store = store
        self._engines = engines
        self._clock = clock
        self._limits = limits
        self._planner = planner
        self._up_since: dict[str, datetime] = {}

    def run_once(self) -> None:
        """Each dependency that has been quiet has its braked plan going on, or else a plan of the failures it left behind."""
        if not self._engines:
            return
        since = self._clock() - timedelta(seconds=self._limits.plan_valid_s)
        standing = self._store.rows("replay_recoveries", watch=RECOVERY.name, since=since)
        left = self._left_behind()
        watched = sorted({row["system"] for row in standing if row["is_braked"]} | set(left))
        quiet = {system for system in watched if self._is_quiet(system)}
        self._up_since = {system: at for system, at in self._up_since.items() if system in watched}
        for row in standing:
            if row["is_braked"]:
                self._go_on(row, row["system"] in quiet)
        for system in sorted(set(left) & quiet - {row["system"] for row in standing}):
            self._propose(system, left[system])

    def _left_behind(self) -> dict[str, list[str]]:
        """By system: what it left behind and is due, where that is enough to speak of an outage, or recovery has begun on it."""
        now, due = self._clock(), dict[str, list[Row]]()
        for row in self._store.rows("replay_recoverable", watch=RECOVERY.name, as_of=now):
            waited = row["tried_at"] is None or (
                now - row["tried_at"] >= timedelta(seconds=self._limits.recovery_wait_s(row["tries"]))
            )
            if waited:
                due.setdefault(row["system"], []).append(row)
        return {
            system: [row["exception_id"] for row in rows]
            for system, rows in due.items()
            if len(rows) >= self._limits.recovery_at_least or any(row["tries"] for row in rows)
        }

    def _is_quiet(self, system: str) -> bool:
        engine = self._engines.for_system(system)
        if engine is None or engine.dependency(system) != "up":
            self._up_since.pop(system, None)
            return False
        now = self._clock()
        return (now - self._up_since.setdefault(system, now)).total_seconds() >= self._limits.quiet_s

    def _go_on(self, row: Row, is_quiet: bool) -> None:
        """A braked plan runs on with a canary once it has waited long enough, or says until when, or for whom, it waits."""
        tries, most = row["brake_count"], self._limits.recovery_resumes
        due_at = row["braked_at"] + timedelta(seconds=self._limits.recovery_wait_s(tries))
        if tries > most:
            self._tell(row, f"has gone on {most} times and now waits for a person: resume or cancel the plan")
        elif not is_quiet or self._clock() < due_at:
            until = f"from {due_at:%Y-%m-%d %H:%M:%S} UTC on, once {row['system']} has been up for {self._limits.quiet_s:g} s"
            self._tell(row, f"goes on by itself {until} ({tries} of {most})")
        else:
            waited = (self._clock() - row["braked_at"]).total_seconds()
            reason = (
                f"{row['system']} is up, {waited:.0f} s after the brake; going on with a canary ({tries} of {most})"
            )
            self._planner.resume(RECOVERY, row["plan_id"], row["hash"], reason)

    def _tell(self, row: Row, words: str) -> None:
        why = (row["state_reason"] or "").partition(_TOLD)[0]
        told = f"{why}{_TOLD}{words}"
        if told != row["state_reason"]:
            self._planner.explain(row["plan_id"], told)

    def _propose(self, system: str, exception_ids: list[str]) -> None:
        up_for_s = (self._clock() - self._up_since[system]).total_seconds()
        reason = (
            f"{system} has been up for {up_for_s:.0f} s; {len(exception_ids)} failures of its outage are still open"
        )
        most = self._limits.recovery_at_most if self._limits.recovery == "start" else 10_000
        plan = self._planner.plan(RECOVERY, exception_ids=exception_ids[:most], reason=reason, recovered=True)
        if self._limits.recovery == "start" and plan.sends and not plan.needs_approval:
            self._planner.execute(RECOVERY, plan.plan_id, plan.hash, reason)
