"""Stories of the replay service: planned, sent, and proven by the spans that come back."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from console.access import Principal
from console.replay.engine import Engines
from console.replay.replays import Replays
from tests.console.replay.conftest import MANY, OPERATOR, QUICK, House, ended, until
from tests.console.replay.estate import span, table
from trace_model.errors import PermanentError, Refused, UnknownThing


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
