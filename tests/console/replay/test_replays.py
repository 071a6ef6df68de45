"""Stories of the replay service: planned, sent, and proven by the spans that come back."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from console.access import Principal
from console.replay.engine import Engines
from console.replay.replays import Replays
from tests.console.replay.conftest import APPROVER, MANY, OPERATOR, QUICK, House, ended, until
from tests.console.replay.estate import span, table
from trace_model.errors import PermanentError, Refused, UnknownThing
from trace_model.replays import OUTSTANDING, Plan


def test_a_plan_sends_nothing_and_an_executed_one_is_proven_by_its_spans(house: House) -> None:
    (exception_id,) = house.fail(1)
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=[exception_id], reason="the ERP is up again")
    assert [i.decision for i in plan.items] == ["send"]
    assert plan.items[0].writes == ("ERP sales order",)
    assert house.engine.posts == 0

    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = until(replays, plan, ended)

    assert done.state == "finished"
    assert done.totals() == {"milestone_reached": 1}
    assert house.engine.books == {house.order(1): 1}
    assert house.exceptions() == []
    assert house.audit(plan.plan_id) == ["plan", "execute", "finish"]


def test_the_engine_is_told_what_the_contract_says(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="why", patch={"po": "7"}, from_step="tax.determine")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    until(replays, plan, ended)
    item, failed = plan.items[0], house.exceptions(None)[0]
    assert house.engine.bodies == [
        {
            "replay_id": item.replay_id, "operation": "erp.create_order", "object": {"type": "order", "id": house.order(1)},
            "trace_id": failed["trace_id"], "span_id": failed["span_id"], "from_step": "tax.determine",
            "payload_patch": {"po": "7"}, "requested_by": "ana", "reason": "why", "dry_run": False,
        }
    ]  # fmt: skip
    assert list(house.engine.calls) == [item.idempotency_key]


def test_fifty_clicks_at_once_are_one_send(house: House) -> None:
    ids = house.fail(3)
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    together = threading.Barrier(50)
    faults: list[Exception] = []

    def click() -> None:
        together.wait()
        try:
            replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
        except Exception as fault:  # noqa: BLE001 any fault fails the story
            faults.append(fault)

    threads = [threading.Thread(target=click) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = until(replays, plan, ended)
    assert faults == []
    assert done.totals() == {"milestone_reached": 3}
    assert house.engine.posts == 3
    assert house.audit(plan.plan_id) == ["plan", "execute", "finish"]


def test_two_plans_and_two_services_for_the_same_exceptions_send_once(house: House) -> None:
    ids = house.fail(8)
    one, two = house.replays(MANY), house.replays(MANY)
    plans = [service.plan(OPERATOR, exception_ids=ids, reason="r") for service in (one, two)]
    for service, plan in zip((one, two), plans, strict=True):
        service.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = [until(one, plan, ended) for plan in plans]
    assert set(house.engine.books.values()) == {1}
    assert len(house.engine.books) == 8
    told = [(i.object_id, i.outcome, i.detail) for d in done for i in d.items]
    assert sum(d.totals().get("milestone_reached", 0) for d in done) == 8, told
    assert all(set(d.totals()) <= {"milestone_reached", "skipped"} for d in done)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 2001])
def test_without_a_reason_nothing_happens(house: House, reason: str) -> None:
    ids = house.fail(1)
    replays = house.replays(running=False)
    with pytest.raises(Refused, match="reason"):
        replays.plan(OPERATOR, exception_ids=ids, reason=reason)
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    with pytest.raises(Refused, match="reason"):
        replays.execute(OPERATOR, plan.plan_id, plan.hash, reason)


def test_the_hash_of_another_plan_sends_nothing(house: House) -> None:
    ids = house.fail(2)
    replays = house.replays(running=False)
    mine = replays.plan(OPERATOR, exception_ids=ids[:1], reason="r")
    other = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    for deed in (replays.execute, replays.cancel, replays.pause, replays.resume):
        with pytest.raises(Refused, match="look at the plan again"):
            deed(OPERATOR, mine.plan_id, other.hash, "go")
    assert replays.get(mine.plan_id).state == "planned"


def test_unknown_ids_are_named(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays(running=False)
    with pytest.raises(UnknownThing, match="no exception 'nope'"):
        replays.plan(OPERATOR, exception_ids=[*ids, "nope"], reason="r")
    with pytest.raises(UnknownThing, match="group 'nope'"):
        replays.plan(OPERATOR, group_id="nope", reason="r")
    with pytest.raises(UnknownThing, match="plan 'nope'"):
        replays.get("nope")
    for wrong in ({}, {"exception_ids": ids, "group_id": "g"}, {"exception_ids": []}):
        with pytest.raises(Refused):
            replays.plan(OPERATOR, reason="r", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_may_not_replay_cannot(house: House, role: str) -> None:
    ids = house.fail(1)
    replays = house.replays(running=False)
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    nobody = Principal("eve", role)
    with pytest.raises(Refused, match="may not replay"):
        replays.plan(nobody, exception_ids=ids, reason="r")
    for deed in (replays.execute, replays.pause, replays.resume, replays.cancel):
        with pytest.raises(Refused, match="may not replay"):
            deed(nobody, plan.plan_id, plan.hash, "go")
    with pytest.raises(Refused, match="may not approve"):
        replays.approve(OPERATOR, plan.plan_id, plan.hash, "go")


def test_a_group_is_planned_whole_and_in_the_contract_s_shape(house: House) -> None:
    house.fail(3, **{"peer.service": "tax"})
    replays = house.replays(running=False)
    plan = replays.plan(OPERATOR, group_id=house.exceptions()[0]["group_id"], reason="r")
    shape = plan.as_dict()
    assert {"plan_id", "hash", "items", "needs_approval"} <= set(shape)
    wanted = {"exception_id", "object", "operation", "decision", "why", "idempotency_key", "writes", "outcome"}
    assert all(wanted <= set(item) for item in shape["items"])
    assert len(shape["items"]) == 3
    assert replays.recent(5)[0].plan_id == plan.plan_id


def test_a_failure_of_the_replay_is_proven_and_not_repeated_blindly(house: House) -> None:
    ids = house.fail(1)
    house.engine.mischief.fails_again = 1.0
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = until(replays, plan, ended)
    assert done.totals() == {"failed_again": 1}
    assert "503" in (done.items[0].detail or "")

    again = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    assert again.items[0].decision == "skip"
    assert "blind repeat" in again.items[0].why
    with pytest.raises(Refused, match="nothing to send"):
        replays.execute(OPERATOR, again.plan_id, again.hash, "go")

    house.engine.mischief.fails_again = 0.0
    fixed = replays.plan(OPERATOR, exception_ids=ids, reason="r", data_fixed=True)
    assert fixed.items[0].idempotency_key != plan.items[0].idempotency_key
    replays.execute(OPERATOR, fixed.plan_id, fixed.hash, "go")
    assert until(replays, fixed, ended).totals() == {"milestone_reached": 1}
    assert house.engine.books == {house.order(1): 1}


def test_a_cause_is_the_same_whatever_ids_its_message_carries(house: House) -> None:
    rows = house.rows(1)
    rows[1]["status_message"] = f"503 Service Unavailable, request {uuid.uuid4()}"
    house.store.record(table(rows))
    assert house.store.settle(60)
    [failed] = house.exceptions()
    house.engine.mischief.fails_again, house.engine.mischief.names_request = 1.0, True
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=[failed["exception_id"]], reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = until(replays, plan, ended)
    assert (done.items[0].outcome, (done.items[0].detail or "")[:10]) == ("failed_again", "same cause")
    again = replays.plan(OPERATOR, exception_ids=[failed["exception_id"]], reason="r")
    assert "blind repeat" in again.items[0].why


def test_silence_is_no_evidence_and_late_spans_correct_it(house: House) -> None:
    ids = house.fail(1)
    house.engine.mischief.stays_silent = 1.0
    replays = house.replays(replace(QUICK, evidence_timeout_s=0.5), at=muting(house))
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    item = until(replays, plan, lambda p: p.items[0].outcome == "no_evidence").items[0]
    assert "the target cannot say (the ERP does not answer)" in (item.detail or "")
    keys = {"q2c.order.id": house.order(1), "q2c.operation": "erp.create_order", "q2c.replay.id": item.replay_id}
    house.store.record(table([span("erp.create_order", keys)]))
    until(replays, plan, lambda p: p.items[0].outcome == "milestone_reached")


def muting(house: House) -> Callable[[str], None]:
    """A hook by which the target cannot be asked any more once the engine has answered."""

    def at(step: str) -> None:
        if step == "answered":
            house.engine.mischief.probe_is_mute = 1.0

    return at


def test_after_silence_the_target_itself_tells_that_it_has_it(house: House) -> None:
    (one,) = house.fail(1)
    house.engine.mischief.stays_silent = 1.0
    replays = house.replays(replace(QUICK, evidence_timeout_s=0.5))
    plan = replays.plan(OPERATOR, exception_ids=[one], reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    item = until(replays, plan, ended).items[0]
    assert item.outcome == "milestone_reached"
    assert (item.detail or "").startswith("the target has it: ")
    assert "no span of this replay within 0.5 s, so the exception stays open until one does" in (item.detail or "")
    assert [row["exception_id"] for row in house.exceptions()] == [one]


def test_after_silence_nothing_is_sent_to_a_target_that_has_it(house: House) -> None:
    ids = house.fail(1)
    house.engine.mischief.stays_silent = 1.0
    replays = house.replays(replace(QUICK, evidence_timeout_s=0.5), at=muting(house))
    first = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, first.plan_id, first.hash, "go")
    until(replays, first, lambda p: p.items[0].outcome == "no_evidence")
    house.engine.mischief.probe_is_mute = 0.0
    second = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    assert "no evidence" in second.items[0].why
    replays.execute(OPERATOR, second.plan_id, second.hash, "go")
    done = until(replays, second, ended)
    assert done.totals() == {"skipped": 1}
    assert "already at the target" in (done.items[0].detail or "")
    assert house.engine.books == {house.order(1): 1}


def test_what_the_target_already_has_is_not_sent(house: House) -> None:
    ids = house.fail(1)
    house.engine.books[house.order(1)] = 1
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    assert until(replays, plan, ended).totals() == {"skipped": 1}
    assert house.engine.posts == 0


def test_a_target_that_cannot_be_asked_is_not_sent_to(house: House) -> None:
    ids = house.fail(1)
    house.engine.mischief.probe_is_mute = 1.0
    replays = house.replays(replace(QUICK, tries=2))
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = until(replays, plan, ended)
    assert done.totals() == {"skipped": 1}
    assert "cannot say" in (done.items[0].detail or "")
    assert house.engine.posts == 0


def test_a_refusal_is_shown_in_the_engine_s_words(house: House) -> None:
    ids = house.fail(1)
    house.engine.mischief.refuses = 1.0
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = until(replays, plan, ended)
    assert done.totals() == {"rejected": 1}
    assert f"{house.order(1)} has no mapping" in (done.items[0].detail or "")


def test_a_busy_engine_is_asked_again_and_the_key_is_free_in_between(house: House) -> None:
    ids = house.fail(1)
    house.engine.mischief.busy = 1.0
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    until(replays, plan, lambda p: p.items[0].not_before is not None)
    house.engine.mischief.busy = 0.0
    assert until(replays, plan, ended).totals() == {"milestone_reached": 1}
    assert set(house.engine.calls) == {plan.items[0].idempotency_key}


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


def test_what_changed_since_the_plan_is_not_sent(house: House) -> None:
    ids = house.fail(2)
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    healed = {"q2c.order.id": house.order(1), "q2c.operation": "erp.create_order"}
    house.store.record(table([span("erp.create_order", healed)]))
    assert house.store.settle(10)
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = until(replays, plan, ended)
    assert done.totals() == {"skipped": 1, "milestone_reached": 1}
    assert house.engine.books == {house.order(2): 1}


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


def test_while_a_dependency_is_down_nothing_is_planned_to_be_sent(house: House) -> None:
    ids = house.fail(1)
    house.engine.mischief.down = {"erp-de"}
    plan = house.replays(running=False).plan(OPERATOR, exception_ids=ids, reason="r")
    assert plan.items[0].decision == "skip"
    assert "down" in plan.items[0].why


def test_without_an_engine_the_plan_says_what_to_set(house: House) -> None:
    ids = house.fail(1)
    replays = Replays(house.store, house.ledger, Engines.of(house.store.catalogue, {}), house.store.clock)
    house.opened.append(replays)
    assert "CASHTRAIL_ENGINE_URLS" in replays.plan(OPERATOR, exception_ids=ids, reason="r").items[0].why
    for urls, told in (({"nope": "http://x"}, "does not declare"), ({"sync-engine": "gopher://x"}, "Known schemes")):
        with pytest.raises(PermanentError, match=told):
            Engines.of(house.store.catalogue, urls)


def test_a_patch_is_kept_with_the_plan_and_a_locked_field_refused(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays(running=False)
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r", patch={"customer": {"vat": "DE1"}})
    assert replays.get(plan.plan_id).patch == {"customer": {"vat": "DE1"}}
    with pytest.raises(Refused, match="locks 'order'"):
        replays.plan(OPERATOR, exception_ids=ids, reason="r", patch={"order": "SO-2"})


def test_every_deed_is_one_link_of_an_unbroken_chain(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    until(replays, plan, ended)
    assert house.store.first_broken_action() is None


def rows_of(house: House, plan_id: str) -> list[dict[str, Any]]:
    return [i.as_dict() for i in house.ledger.plan(plan_id).items]


def test_a_plan_reads_back_as_it_was_frozen(house: House) -> None:
    ids = house.fail(4)
    plan = house.replays(running=False).plan(OPERATOR, exception_ids=ids, reason="r", patch={"po": "7"})
    assert rows_of(house, plan.plan_id) == [i.as_dict() for i in plan.items]
    assert house.ledger.plan(plan.plan_id).hash == plan.hash


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
