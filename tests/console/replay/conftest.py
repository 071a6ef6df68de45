"""A store with failed orders, a small real engine, and the replay service between them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from console.access import Principal
from console.replay.engine import Engines
from console.replay.http_contract import HttpContract
from console.replay.replays import ReplayLimits, Replays
from tests.console.replay.estate import SmallEngine, failed_order, listening, table
from trace_model.catalogue.loader import load
from trace_model.replays import Plan
from trace_model.store import Store
from trace_model.store.ledger import Ledger
from trace_model.store.store import utc_now

OPERATOR = Principal("ana", "operator")
APPROVER = Principal("ben", "approver")
QUICK = ReplayLimits(
    evidence_timeout_s=2.0,
    uncertain_for_s=0.3,
    ask_again_s=0.2,
    calls_per_s=200.0,
    quiet_s=0.3,
    recovery="off",
    approval_window_s=0,
)


_first = itertools.count(1000, 1000)


class House:
    """What a story works with. The store is shared by all stories; each has a thousand order numbers of its own."""

    def __init__(self, engine: SmallEngine, store: Store) -> None:
        self.engine = engine
        self._base = next(_first)
        self.store = store
        self.ledger = Ledger(store.database, store.clock)
        self.opened: list[Replays] = []

    def order(self, number: int) -> str:
        """The id of this story's order of that number, from 1."""
        return f"SO-{self._base + number}"

    def rows(self, number: int, **more: Any) -> list[dict[str, Any]]:
        """The spans of this story's order of that number: submitted, and not taken by the ERP."""
        return failed_order(self._base + number, **more)

    def fail(self, count: int, **more: Any) -> list[str]:
        """This story's orders 1 to `count` have failed at the ERP; their exceptions' ids."""
        rows = [row for number in range(1, count + 1) for row in self.rows(number, **more)]
        self.store.record(table(rows))
        assert self.store.settle(60)
        ids = [row["exception_id"] for row in self.exceptions()]
        assert len(ids) == count
        return ids

    def exceptions(self, state: str | None = "open") -> list[dict[str, Any]]:
        rows = self.store.rows(
            "exceptions", state=state, category=None, owner_team=None, group_id=None, system=None, outage_id=None, offset=0, limit=20_000,
            as_of=self.store.clock(), **{"class": None},
        )  # fmt: skip
        own = {self.order(number) for number in range(1, 1000)}
        return [row for row in rows if row["object_id"] in own]

    def replays(self, limits: ReplayLimits = QUICK, *, running: bool = True, **more: Any) -> Replays:
        timeout = httpx.Timeout(0.2 if self.engine.mischief.is_late else 5.0)
        engines = Engines([(HttpContract("sync-engine", self.engine.url, submit_timeout=timeout), [])])
        service = Replays(
            self.store, Ledger(self.store.database, self.store.clock), engines, self.store.clock, limits, **more
        )
        self.opened.append(service)
        if running:
            service.start()
        return service

    def audit(self, plan_id: str) -> list[str]:
        rows = self.store.rows(
            "audit",
            subject_type="replay_plan",
            subject_id=plan_id,
            actor=None,
            deed=None,
            offset=0,
            limit=100,
            as_of=self.store.clock(),
        )
        return [row["deed"] for row in reversed(rows)]


def until(service: Replays, plan: Plan, holds: Callable[[Plan], bool], timeout_s: float = 60.0) -> Plan:
    """The plan, once `holds` of it."""
    end = time.monotonic() + timeout_s
    while True:
        now = service.get(plan.plan_id)
        if holds(now):
            return now
        assert time.monotonic() < end, (
            f"still {now.state} ({now.state_reason}): {now.totals()}, {[i.detail for i in now.items][:5]}"
        )
        time.sleep(0.05)


def ended(plan: Plan) -> bool:
    return plan.state in ("finished", "paused", "cancelled")


@pytest.fixture(scope="package")
def shared_store() -> Iterator[Store]:
    store = Store(None, load(), clock=utc_now, threads=2)
    store.start()
    yield store
    store.close()


@pytest.fixture
def house(shared_store: Store) -> Iterator[House]:
    def said(rows: list[dict[str, Any]]) -> None:
        shared_store.record(table(rows))

    with listening(SmallEngine(said)) as engine:
        house = House(engine, shared_store)
        yield house
        for service in house.opened:
            service.stop()
        for plan in house.ledger.in_state("running", "paused", "planned", "approved"):
            house.ledger.move(plan.plan_id, "cancelled", deed="cancel", actor="test", reason="the story is over")
        assert house.store.settle(60)


MANY = ReplayLimits(
    evidence_timeout_s=2.0,
    uncertain_for_s=0.3,
    ask_again_s=0.2,
    calls_per_s=500.0,
    canary_above=10**6,
    brake_share=1.0,
    approval_amount=Decimal(10**9),
    approval_window_s=0,
)
"""No canary and no brake: for stories about the sending itself. All stories share a store and ana, so each plan counts alone."""
