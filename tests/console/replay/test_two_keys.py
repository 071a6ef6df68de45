"""What needs a second person, and for how long the word of one holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from console.access import Principal
from console.replay.engine import Engines
from console.replay.replays import Replays
from tests.console.replay.conftest import APPROVER, OPERATOR, QUICK, House, ended, until
from trace_model.errors import Refused
from trace_model.replays import Plan


def test_two_keys_open_what_is_above_the_limits(house: House) -> None:
    ids = house.fail(3)
    replays = house.replays(replace(QUICK, approval_count=2))
    plan = replays.plan(APPROVER, exception_ids=ids, reason="r")
    assert plan.needs_approval
    assert {i.decision for i in plan.items} == {"needs_approval"}
    with pytest.raises(Refused, match="second person"):
        replays.execute(APPROVER, plan.plan_id, plan.hash, "go")
    with pytest.raises(Refused, match="second person"):
        replays.approve(APPROVER, plan.plan_id, plan.hash, "mine")
    with pytest.raises(Refused, match="look at the plan again"):
        replays.approve(Principal("cleo", "approver"), plan.plan_id, "0" * 64, "fine")
    assert house.engine.posts == 0
    replays.approve(Principal("cleo", "approver"), plan.plan_id, plan.hash, "fine")
    replays.execute(APPROVER, plan.plan_id, plan.hash, "go")
    assert until(replays, plan, ended).totals() == {"milestone_reached": 3}
    assert house.audit(plan.plan_id) == ["plan", "approve", "execute", "finish"]


def test_a_plan_cut_into_pieces_needs_the_second_person_that_the_whole_would(house: House) -> None:
    dora, limits = (
        Principal(f"dora {house.order(1)}", "operator"),
        replace(QUICK, approval_count=4, approval_window_s=3600),
    )
    ids = house.fail(6)
    replays = house.replays(limits)
    first, second = (replays.plan(dora, exception_ids=part, reason="piece") for part in (ids[:2], ids[2:4]))
    late = replays.plan(dora, exception_ids=ids[4:5], reason="made before anything was sent")
    for plan in (first, second):
        assert not plan.needs_approval
        replays.execute(dora, plan.plan_id, plan.hash, "go")
        assert until(replays, plan, ended).totals() == {"milestone_reached": 2}

    third = replays.plan(dora, exception_ids=ids[5:], reason="piece")
    assert (third.needs_approval, third.items[0].decision) == (True, "needs_approval")
    assert third.approval_reason is not None
    assert (
        f"the 4 items that {dora.name} sent without approval in the last 1 h it comes to 5 items, more than 4"
        in third.approval_reason
    )
    with pytest.raises(Refused, match=r"not any more: with the 4 items .* comes to 5 items, more than 4.* Plan again"):
        replays.execute(dora, late.plan_id, late.hash, "go")
    with pytest.raises(Refused, match="not any more"):  # another's hand does not help: who asked for it counts too
        replays.execute(Principal("emil", "operator"), late.plan_id, late.hash, "go")
    assert not replays.plan(Principal("emil", "operator"), exception_ids=ids[5:], reason="of his own").needs_approval

    replays.approve(APPROVER, third.plan_id, third.hash, "fine")
    replays.execute(dora, third.plan_id, third.hash, "go")
    assert until(replays, third, ended).totals() == {"milestone_reached": 1}
    assert house.engine.posts == 5


def test_money_sent_in_pieces_counts_too_and_a_window_that_is_over_does_not(house: House) -> None:
    ids, finn = house.fail(2), Principal(f"finn {house.order(1)}", "operator")
    worth = house.replays(running=False).plan(finn, exception_ids=ids[:1], reason="r").items[0].amount
    assert worth
    limits = replace(QUICK, approval_amount=worth + worth / 2, approval_window_s=3600)
    replays = house.replays(limits)
    first = replays.plan(finn, exception_ids=ids[:1], reason="r")
    replays.execute(finn, first.plan_id, first.hash, "go")
    until(replays, first, ended)
    second = replays.plan(finn, exception_ids=ids[1:], reason="r")
    assert "in reporting currency" in (second.approval_reason or "")
    replays.stop()
    assert (
        not house.replays(replace(limits, approval_window_s=0.001), running=False)
        .plan(finn, exception_ids=ids[1:], reason="r")
        .needs_approval
    )


def test_pieces_executed_at_the_same_instant_are_counted_one_after_the_other(house: House) -> None:
    gina = Principal(f"gina {house.order(1)}", "operator")
    ids = house.fail(4)
    replays = house.replays(replace(QUICK, approval_count=2, approval_window_s=3600), running=False)
    plans = [replays.plan(gina, exception_ids=[one], reason="r") for one in ids]

    def go(plan: Plan) -> bool:
        try:
            return replays.execute(gina, plan.plan_id, plan.hash, "go").executed_at is not None
        except Refused:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(go, plans)) == 2


def test_an_approval_expires_and_an_edited_plan_has_none(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays(replace(QUICK, approval_amount=Decimal(1), approval_valid_s=0.0), running=False)
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.approve(APPROVER, plan.plan_id, plan.hash, "fine")
    with pytest.raises(Refused, match="expired"):
        replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    edited = replays.plan(OPERATOR, exception_ids=ids, reason="r", patch={"po": "7"})
    assert edited.hash != plan.hash
    with pytest.raises(Refused, match="second person"):
        replays.execute(OPERATOR, edited.plan_id, edited.hash, "go")


def test_an_old_plan_is_not_sent(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays(running=False)
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    later = Replays(
        house.store, house.ledger, Engines(), lambda: house.store.clock() + timedelta(days=2), QUICK
    )  # fmt: skip
    house.opened.append(later)
    with pytest.raises(Refused, match="too old"):
        later.execute(OPERATOR, plan.plan_id, plan.hash, "go")
