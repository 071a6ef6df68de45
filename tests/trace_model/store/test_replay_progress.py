"""A running plan is moved on by counts and by the few items that are due; both must say what its items say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trace_model.test_replays import LIMITS, NOW, candidate, counted, frozen
from trace_model.catalogue.loader import load
from trace_model.replay_progress import OTHER_CAUSE, SAME_CAUSE, Progress
from trace_model.replays import LEGAL_OUTCOMES, OUTSTANDING, Plan
from trace_model.store import Store
from trace_model.store.ledger import Ledger, item_of

numbers = itertools.count(1)
items = st.tuples(
    st.sampled_from(sorted(LEGAL_OUTCOMES)), st.sampled_from([None, SAME_CAUSE, OTHER_CAUSE]), st.booleans()
)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with_data = Store(None, load(), clock=lambda: NOW, threads=1)
    yield with_data
    with_data.close()


def kept(store: Store, outcomes: list[tuple[str, str | None, bool]], canary_from: int) -> Plan:
    """A running plan whose items are so far; what is not replayable is skipped by the plan itself."""
    plan = frozen(
        [candidate(n, replayable=sends) for n, (_, _, sends) in enumerate(outcomes, start=1)],
        plan_id=f"p{next(numbers)}",
    )
    given = {f"e{n}": one for n, one in enumerate(outcomes, start=1)}
    stands = tuple(
        replace(i, outcome=given[i.exception_id][0], detail=given[i.exception_id][1]) if i.will_send else i
        for i in plan.items
    )
    plan = replace(plan, state="running", items=stands, canary_from=canary_from)
    Ledger(store.database, lambda: NOW).save(plan)
    return plan


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(items, min_size=1, max_size=12), st.integers(0, 12))
def test_the_counts_of_a_running_plan_are_those_of_its_items(
    store: Store, outcomes: list[tuple[str, str | None, bool]], canary_from: int
) -> None:
    plan = kept(store, outcomes, canary_from)
    found = [Progress.of(row) for row in store.rows("replay_progress") if row["plan_id"] == plan.plan_id]
    assert found == ([counted(plan)] if plan.sends else [])
    open_count = sum(row["item_count"] for row in store.rows("replay_outstanding"))
    Ledger(store.database, lambda: NOW).move(plan.plan_id, "cancelled", deed="cancel", actor="t", reason="r")
    mine = sum(i.outcome in OUTSTANDING for i in plan.sends)
    assert open_count >= mine


def test_only_the_items_whose_time_has_come_are_due_and_no_more_than_asked(store: Store) -> None:
    plan = kept(store, [("planned", None, True)] * 5 + [("planned", None, False)], 0)
    ledger = Ledger(store.database, lambda: NOW)
    ledger.postpone(plan.plan_id, plan.items[0], NOW + timedelta(seconds=1), "busy")

    def due(at_s: float, limit: int) -> list[int]:
        rows = store.rows("replay_due", plan_id=plan.plan_id, now=NOW + timedelta(seconds=at_s), limit=limit)
        return [item_of(row).item_no for row in rows]

    assert due(0, LIMITS.wave_size) == [2, 3, 4, 5]
    assert due(1, 2) == [1, 2]
