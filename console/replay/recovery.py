"""Replay on recovery: once a dependency has been up for a quiet period, the failures it left behind become a plan.

The plan is an ordinary one, made by the actor RECOVERY, with a canary first: proposed for a person to execute, or executed
within the limits where `ReplayLimits.recovery` says so. Whatever needs a second person is only ever proposed. Needs no memory:
what has been planned since it failed is not planned again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from console.access import Principal
from console.replay.engine import Engines
from trace_model.replays import Plan, ReplayLimits
from trace_model.store import Store

LOOK_S = 10.0
RECOVERY = Principal("recovery watch", "operator")


class Planner(Protocol):
    """The deeds that the watch does, as the replay service has them."""

    def plan(self, principal: Principal, *, exception_ids: list[str], reason: str) -> Plan: ...
    def execute(self, principal: Principal, plan_id: str, hash: str, reason: str) -> Plan: ...
    def recent(self, limit: int) -> list[Plan]: ...


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
        """A plan stands for each dependency that has been up for the quiet period and left enough failures behind."""
        for system, exception_ids in self._left_behind().items():
            if self._is_quiet(system) and not self._is_proposed(system):
                self._propose(system, exception_ids)

    def _left_behind(self) -> dict[str, list[str]]:
        rows = self._store.rows("replay_recoverable", watch=RECOVERY.name, as_of=self._clock())
        enough = {
            row["system"]: row["exception_ids"]
            for row in rows
            if len(row["exception_ids"]) >= self._limits.recovery_at_least
        }
        self._up_since = {system: at for system, at in self._up_since.items() if system in enough}
        return enough

    def _is_quiet(self, system: str) -> bool:
        engine = self._engines.for_system(system)
        if engine is None or engine.dependency(system) != "up":
            self._up_since.pop(system, None)
            return False
        now = self._clock()
        return (now - self._up_since.setdefault(system, now)).total_seconds() >= self._limits.quiet_s

    def _is_proposed(self, system: str) -> bool:
        """True while a plan of this watch for the system waits for someone, or runs."""
        return any(
            plan.created_by == RECOVERY.name
            and plan.state in ("planned", "approved", "running", "paused")
            and (self._clock() - plan.created_at).total_seconds() < self._limits.plan_valid_s
            and any(item.system == system for item in plan.sends)
            for plan in self._planner.recent(50)
        )

    def _propose(self, system: str, exception_ids: list[str]) -> None:
        up_for_s = (self._clock() - self._up_since[system]).total_seconds()
        reason = (
            f"{system} has been up for {up_for_s:.0f} s; {len(exception_ids)} failures of its outage are still open"
        )
        most = self._limits.recovery_at_most if self._limits.recovery == "start" else 10_000
        plan = self._planner.plan(RECOVERY, exception_ids=exception_ids[:most], reason=reason)
        if self._limits.recovery == "start" and plan.sends and not plan.needs_approval:
            self._planner.execute(RECOVERY, plan.plan_id, plan.hash, reason)
