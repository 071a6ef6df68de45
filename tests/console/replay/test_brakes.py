"""What stops a plan half way, and what lets it go on: the canary, people, and the state of the dependency."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.console.replay.conftest import APPROVER, MANY, OPERATOR, QUICK, House, ended, until
from tests.console.replay.estate import table
from trace_model.errors import Refused
from trace_model.replays import OUTSTANDING


def test_the_canary_brakes_a_plan_that_would_fail_whole(house: House) -> None:
    ids = house.fail(12)
    house.engine.mischief.fails_again = 1.0
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    braked = until(replays, plan, ended)
    assert braked.state == "paused"
    assert house.engine.posts == 1
    assert house.audit(plan.plan_id) == ["plan", "execute", "brake"]

    house.engine.mischief.fails_again = 0.0
    replays.resume(OPERATOR, plan.plan_id, plan.hash, "mapping fixed")
    done = until(replays, plan, lambda p: p.state == "finished")
    assert done.totals() == {"failed_again": 1, "milestone_reached": 11}
    assert sum(done.totals().values()) == len(done.items)


def test_a_new_cause_brakes_at_once(house: House) -> None:
    ids = house.fail(12)
    replays = house.replays(replace(QUICK, wave_size=2))
    house.engine.mischief.other_cause = True
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    until(replays, plan, lambda p: p.totals().get("milestone_reached", 0) >= 3)
    house.engine.mischief.fails_again = 1.0
    braked = until(replays, plan, ended)
    assert braked.state == "paused"
    assert "not seen before" in (braked.state_reason or "")
    assert house.engine.posts < 12


def test_a_paused_plan_sends_nothing_over_a_restart_and_goes_on_when_resumed(house: House) -> None:
    ids = house.fail(10)
    replays = house.replays(replace(QUICK, wave_size=1))
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    until(replays, plan, lambda p: p.totals().get("milestone_reached", 0) >= 2)
    replays.pause(OPERATOR, plan.plan_id, plan.hash, "lunch")
    assert replays.pause(OPERATOR, plan.plan_id, plan.hash, "lunch").state == "paused"
    until(replays, plan, lambda p: not set(p.totals()) & set(OUTSTANDING))
    replays.stop()
    sent = house.engine.posts
    restarted = house.replays()
    with pytest.raises(AssertionError):
        until(restarted, plan, lambda p: house.engine.posts > sent, timeout_s=0.8)
    restarted.resume(OPERATOR, plan.plan_id, plan.hash, "back")
    assert until(restarted, plan, lambda p: p.state == "finished").totals() == {"milestone_reached": 10}
    assert set(house.engine.books.values()) == {1}


def test_a_cancelled_plan_sends_no_more_and_frees_what_it_did_not_send(house: House) -> None:
    ids = house.fail(10)
    replays = house.replays(replace(QUICK, wave_size=1))
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    until(replays, plan, lambda p: p.totals().get("milestone_reached", 0) >= 2)
    replays.cancel(OPERATOR, plan.plan_id, plan.hash, "wrong customer")
    until(replays, plan, lambda p: not set(p.totals()) & set(OUTSTANDING))
    with pytest.raises(Refused, match="cancelled"):
        replays.resume(OPERATOR, plan.plan_id, plan.hash, "no, go on")
    left = [i.exception_id for i in replays.get(plan.plan_id).items if i.outcome == "skipped"]
    again = replays.plan(OPERATOR, exception_ids=left, reason="r")
    assert {i.decision for i in again.items} == {"send"}
    replays.execute(OPERATOR, again.plan_id, again.hash, "go")
    assert until(replays, again, ended).totals() == {"milestone_reached": len(left)}
    assert set(house.engine.books.values()) == {1}


def test_a_dependency_that_goes_down_holds_the_rest_and_is_tried_with_one(house: House) -> None:
    ids = house.fail(10)
    replays = house.replays(replace(QUICK, wave_size=1))
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    until(replays, plan, lambda p: p.totals().get("milestone_reached", 0) >= 1)
    house.engine.mischief.down = {"erp-de"}
    held = until(replays, plan, lambda p: "held: erp-de" in (p.state_reason or ""))
    assert held.state == "running"
    sent = house.engine.posts
    assert sent < 10
    with pytest.raises(AssertionError):
        until(replays, plan, lambda p: house.engine.posts > sent, timeout_s=1.0)
    house.engine.mischief.down = set()
    assert until(replays, plan, ended).totals() == {"milestone_reached": 10}


def test_no_more_calls_are_under_way_at_a_target_than_its_limit(house: House) -> None:
    ids = house.fail(12)
    house.engine.mischief.is_late, house.engine.mischief.late_by_s = 1.0, 0.1
    replays = house.replays(replace(MANY, calls_per_target=2, evidence_timeout_s=20.0))
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    assert until(replays, plan, ended).totals() == {"milestone_reached": 12}
    assert house.engine.most_calling == 2


def test_a_recovered_dependency_s_failures_become_a_plan_once(house: House) -> None:
    house.engine.mischief.down = {"logistics"}
    ids = house.fail(4, **{"peer.service": "logistics"})
    replays = house.replays(replace(QUICK, recovery="propose"))

    def proposals() -> list[Any]:
        return [p for p in replays.recent(20) if {i.exception_id for i in p.items} == set(ids)]

    time.sleep(1.0)
    assert proposals() == []
    house.engine.mischief.down = set()
    end = time.monotonic() + 60
    while not proposals():
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(1.0)
    (plan,) = proposals()
    assert (plan.created_by, plan.state) == ("recovery watch", "planned")
    assert "logistics has been up" in plan.reason
    assert house.engine.posts == 0
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "yes")
    assert until(replays, plan, ended).totals() == {"milestone_reached": 4}


def test_a_recovery_within_the_limits_starts_by_itself_and_above_them_does_not(house: House) -> None:
    ids = house.fail(4, **{"peer.service": "billing"})
    replays = house.replays(replace(QUICK, recovery="start", approval_amount=Decimal(1)))
    end = time.monotonic() + 60
    while not (found := [p for p in replays.recent(20) if {i.exception_id for i in p.items} == set(ids)]):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert (found[0].state, found[0].needs_approval) == ("planned", True)
    assert house.engine.posts == 0
    plan = replays.approve(APPROVER, found[0].plan_id, found[0].hash, "it may")
    with pytest.raises(Refused, match="a second person with the right to replay must send it"):
        replays.execute(APPROVER, plan.plan_id, plan.hash, "alone")
    replays.stop()
    replays.cancel(OPERATOR, found[0].plan_id, found[0].hash, "the limits are being raised")
    house.store.record(table([row for n in range(1, 5) for row in house.rows(n, **{"peer.service": "billing"})]))
    assert house.store.settle(60)
    again = house.replays(replace(QUICK, recovery="start"))
    end = time.monotonic() + 60
    while len(house.engine.books) < 4:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert again.recent(1)[0].executed_by == "recovery watch"
