"""The ledger alone: a key is reserved once, outcomes only move forward, and every move is compared before it is set."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

from tests.console.replay.conftest import OPERATOR, House
from trace_model.replays import LEGAL_OUTCOMES, Plan


def running(house: House, ids: list[str], **more: Any) -> Plan:
    replays = house.replays(running=False)
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r", **more)
    return replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")


def test_an_item_is_reserved_once_however_many_ask(house: House) -> None:
    plan = running(house, house.fail(1))
    answers: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: answers.append(house.ledger.reserve(plan.plan_id, plan.items[0], 0)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert answers.count(None) == 1


def test_the_same_thing_in_another_plan_is_skipped_by_its_key(house: House) -> None:
    ids = house.fail(1)
    one, two = running(house, ids), running(house, ids)
    assert one.items[0].idempotency_key == two.items[0].idempotency_key
    assert house.ledger.reserve(one.plan_id, one.items[0], 0) is None
    assert house.ledger.advance(one.plan_id, 1, "rejected", "no")  # no longer outstanding: the key alone must hold
    assert house.ledger.reserve(two.plan_id, two.items[0], 0) == f"already sent by plan {one.plan_id}"
    assert house.ledger.plan(two.plan_id).items[0].outcome == "skipped"


def test_the_same_object_under_another_key_waits_for_the_outstanding_one(house: House) -> None:
    ids = house.fail(1)
    one, two = running(house, ids), running(house, ids, patch={"po": "7"})
    assert one.items[0].idempotency_key != two.items[0].idempotency_key
    assert house.ledger.reserve(one.plan_id, one.items[0], 0) is None
    assert house.ledger.reserve(two.plan_id, two.items[0], 0) == f"already sent by plan {one.plan_id}"


def test_a_plan_that_does_not_run_reserves_nothing(house: House) -> None:
    replays = house.replays(running=False)
    plan = replays.plan(OPERATOR, exception_ids=house.fail(1), reason="r")
    assert house.ledger.reserve(plan.plan_id, plan.items[0], 0) == "the plan does not run"


def test_a_released_item_is_planned_again_and_its_key_free(house: House) -> None:
    plan = running(house, house.fail(1))
    assert house.ledger.reserve(plan.plan_id, plan.items[0], 0) is None
    assert house.ledger.release(plan.plan_id, plan.items[0], house.store.clock() + timedelta(seconds=9), "busy")
    item = house.ledger.plan(plan.plan_id).items[0]
    assert (item.outcome, item.sent_at, item.tries) == ("planned", None, 1)
    assert house.ledger.reserve(plan.plan_id, item, 0) is None


def test_outcomes_only_move_where_the_table_of_moves_says(house: House) -> None:
    plan = running(house, house.fail(1))
    assert not house.ledger.advance(plan.plan_id, 1, "accepted", None)
    assert house.ledger.reserve(plan.plan_id, plan.items[0], 0) is None
    assert house.ledger.advance(plan.plan_id, 1, "milestone_reached", None)
    for outcome in LEGAL_OUTCOMES:
        assert not house.ledger.advance(plan.plan_id, 1, outcome, None)
    house.ledger.doubt_unanswered()
    assert house.ledger.plan(plan.plan_id).items[0].outcome == "milestone_reached"


def test_only_unheld_calls_are_doubted(house: House) -> None:
    plan = running(house, house.fail(2))
    for item in plan.items:
        assert house.ledger.reserve(plan.plan_id, item, 0) is None
    house.ledger.doubt_unanswered([(plan.plan_id, 1)])
    assert [i.outcome for i in house.ledger.plan(plan.plan_id).items] == ["sent", "uncertain"]
