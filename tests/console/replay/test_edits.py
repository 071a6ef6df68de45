"""Edit and replay: fields by schema and role, values looked up for each item, a second key for money and tax, an edit that voids."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.console.replay.conftest import APPROVER, MANY, OPERATOR, QUICK, House, ended, until
from tests.console.replay.estate import span, table
from trace_model.errors import Forbidden, Refused
from trace_model.patches import differences

TAX_REFUSED = {"q2c.error.code": "INVALID_TAX_ID", "http.response.status_code": 422, "peer.service": "tax"}
REFUSAL = "The tax number is not valid"
TAX_OF_CUSTOMER = {"tax_id": {"$from": {"object": "customer", "field": "tax_id"}}}


def customers_of(house: House, count: int, **more: Any) -> list[str]:
    """This story's orders have failed, each of a customer of its own; their exceptions' ids in the order of the orders."""
    said: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        rows = house.rows(
            number, **{"q2c.payload": json.dumps({"order": house.order(number), "tax_id": "OLD1"})} | more
        )
        rows[1]["status_message"] = REFUSAL if more else rows[1]["status_message"]
        keys = {"q2c.customer.id": customer(house, number)}
        rows[1]["attributes"] = json.dumps(json.loads(rows[1]["attributes"]) | keys)
        said += rows
    house.store.record(table(said))
    assert house.store.settle(60)
    by_order = {row["object_id"]: row["exception_id"] for row in house.exceptions()}
    return [by_order[house.order(number)] for number in range(1, count + 1)]


def customer(house: House, number: int) -> str:
    return f"C-{house.order(number)}"


def told(house: House, tax_ids: dict[int, Any], *, failed: str | None = None) -> None:
    """Other orders of those orders' customers went through with these tax ids, or failed with them."""
    said = []
    for number, tax_id in tax_ids.items():
        keys = {"q2c.order.id": f"{house.order(number)}-other", "q2c.customer.id": customer(house, number)}
        payload = {"q2c.operation": "erp.create_order", "q2c.payload": json.dumps({"tax_id": tax_id})}
        said.append(span("erp.create_order", keys | payload, failed=failed))
    house.store.record(table(said))
    assert house.store.settle(60)


def test_forty_orders_get_the_tax_id_that_their_own_customer_last_went_through_with(house: House) -> None:
    ids = customers_of(house, 40)
    told(house, {number: f"DE{number:09}" for number in range(1, 40)})
    told(house, {40: "WRONG"}, failed="not registered")
    replays = house.replays(MANY)
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r", patch=TAX_OF_CUSTOMER)
    assert plan.needs_approval
    assert plan.approval_reason == "it changes money or tax: tax_id"
    skipped = [i for i in plan.items if i.decision == "skip"]
    assert [i.object_id for i in skipped] == [house.order(40)]
    assert f"no success has told 'tax_id' of customer {customer(house, 40)}" in skipped[0].why
    replays.approve(APPROVER, plan.plan_id, plan.hash, "as in the master")
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    until(replays, plan, ended)
    sent = {body["object"]["id"]: body["payload_patch"] for body in house.engine.bodies}
    assert sent == {house.order(n): {"tax_id": f"DE{n:09}"} for n in range(1, 40)}
    assert set(house.engine.books.values()) == {1}


def test_a_patch_that_sets_only_what_was_sent_is_no_change(house: House) -> None:
    ids = customers_of(house, 2, **TAX_REFUSED)
    told(house, {1: "OLD1", 2: "DE1234"})
    plan = house.replays(running=False).plan(OPERATOR, exception_ids=ids, reason="r", patch=TAX_OF_CUSTOMER)
    whys = {i.object_id: (i.decision, i.why) for i in plan.items}
    assert whys[house.order(1)][0] == "skip"
    assert "the patch sets only what was sent" in whys[house.order(1)][1]
    assert whys[house.order(2)] == ("needs_approval", "sent with the patch")


def test_a_list_by_customer_sets_what_it_has_and_names_what_it_has_not(house: House) -> None:
    ids = customers_of(house, 2)
    patch = {"tax_id": {"$from": {"object": "customer", "values": {customer(house, 1): "DE1234"}}}}
    plan = house.replays(running=False).plan(OPERATOR, exception_ids=ids, reason="r", patch=patch)
    by_order = {i.object_id: i for i in plan.items}
    assert by_order[house.order(1)].patch == {"tax_id": "DE1234"}
    assert "the list has no value for customer" in by_order[house.order(2)].why
    assert plan.patch == patch


def test_a_looked_up_value_must_fit_the_schema_too(house: House) -> None:
    ids = customers_of(house, 2)
    told(house, {1: 4711, 2: "[redacted]"})
    plan = house.replays(running=False).plan(OPERATOR, exception_ids=ids, reason="r", patch=TAX_OF_CUSTOMER)
    whys = {i.object_id: i.why for i in plan.items}
    assert "4711 is not of type 'string'" in whys[house.order(1)]
    assert "was redacted at the door" in whys[house.order(2)]
    assert plan.sends == ()


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"quantity": "many"}, "quantity: 'many' is not"),
        ({"quote": "Q-2"}, "locks 'quote'"),
        ({"quote": {"$from": {"object": "customer", "field": "x"}}}, "locks 'quote'"),
        ({"a": {"$from": {"object": "customer"}}}, "'a': write"),
        ({"a": {"$from": {"object": "star", "field": "x"}}}, "'star', which is no object type"),
        ({"a": {"$from": {"object": "customer", "field": 'x"'}}}, "the field is a name"),
        ({"a": {"$from": {"object": "customer", "values": {}}}}, "1 to 10,000 ids"),
        ({"a": {"$from": "customer", "b": 1}}, "'a': write"),
    ],
)
def test_a_patch_that_cannot_be_is_refused_by_its_path(house: House, patch: dict[str, Any], said: str) -> None:
    ids = house.fail(1)
    before = len(house.replays(running=False).recent(1000))
    with pytest.raises(Refused, match=said):
        house.replays(running=False).plan(APPROVER, exception_ids=ids, reason="r", patch=patch)
    assert len(house.ledger.recent(1000)) == before


def test_a_sensitive_field_is_changed_only_by_the_roles_that_may(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays(running=False)
    with pytest.raises(Forbidden, match=r"sensitive field 'payer.iban' of erp.create_order"):
        replays.plan(OPERATOR, exception_ids=ids, reason="r", patch={"payer": {"iban": "DE02120300000000202051"}})
    plan = replays.plan(APPROVER, exception_ids=ids, reason="r", patch={"payer": {"iban": "DE02120300000000202051"}})
    assert plan.items[0].decision == "send"


@pytest.mark.parametrize(("patch", "needs"), [({"po_number": "PO-1"}, False), ({"amount": "1.00"}, True)])
def test_a_change_of_money_needs_two_keys_and_another_does_not(
    house: House, patch: dict[str, Any], needs: bool
) -> None:
    plan = house.replays(running=False).plan(OPERATOR, exception_ids=house.fail(1), reason="r", patch=patch)
    assert plan.needs_approval is needs


def test_an_edit_voids_the_approval_of_what_it_replaces(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays(running=False)
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r", patch={"amount": "10.00"})
    replays.approve(APPROVER, plan.plan_id, plan.hash, "fine")
    edited = replays.plan(OPERATOR, exception_ids=ids, reason="r", patch={"amount": "99.00"}, replaces=plan.plan_id)
    old = replays.get(plan.plan_id)
    assert (old.state, old.state_reason) == ("cancelled", f"replaced by {edited.plan_id}")
    for one in (plan, edited):
        with pytest.raises(Refused):
            replays.execute(OPERATOR, one.plan_id, one.hash, "go")
    with pytest.raises(Refused, match="only a plan that was not executed"):
        replays.plan(OPERATOR, exception_ids=ids, reason="r", replaces=plan.plan_id)
    assert house.audit(plan.plan_id) == ["plan", "approve", "replace"]
    assert house.engine.posts == 0


def test_the_original_stands_beside_what_will_be_sent_and_is_not_changed(house: House) -> None:
    (exception_id,) = customers_of(house, 1)
    plan = house.replays(running=False).plan(
        OPERATOR, exception_ids=[exception_id], reason="r", patch={"tax_id": "DE1234", "po_number": "7"}
    )
    (row,) = house.store.rows(
        "replay_payloads", exception_ids=[exception_id], own_only=False, as_of=house.store.clock()
    )
    original = json.loads(row["payload"])
    assert (row["operation"], original) == ("erp.create_order", {"order": house.order(1), "tax_id": "OLD1"})
    assert differences(original, plan.items[0].patch or {}) == [("tax_id", "OLD1", "DE1234"), ("po_number", None, "7")]


def test_a_failure_is_replayed_a_bounded_number_of_times_without_a_change(house: House) -> None:
    ids = house.fail(1)
    house.engine.mischief.fails_again = 1.0
    replays = house.replays(replace(QUICK, item_tries=2))
    for _ in range(2):
        plan = replays.plan(OPERATOR, exception_ids=ids, reason="r", data_fixed=True)
        replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
        assert until(replays, plan, ended).totals() == {"failed_again": 1}
    again = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    assert "replayed 2 times since it failed" in again.items[0].why


def test_what_the_target_has_and_the_engine_carries_on_is_told_and_proven_by_its_run(house: House) -> None:
    rows = house.rows(1)
    keys = {"q2c.order.id": house.order(1), "q2c.milestone": "order_accepted"}
    booked = span("order booked", keys, service="erp-de") | {"trace_id": rows[1]["trace_id"]}
    house.store.record(table([*rows, booked]))
    assert house.store.settle(60)
    ids = [row["exception_id"] for row in house.exceptions()]
    house.engine.books[house.order(1)] = 1
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    assert "already at the milestone" in plan.items[0].why
    house.engine.mischief.reconciles = True
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    assert (plan.items[0].decision, plan.items[0].reconciles) == ("send", True)
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    assert until(replays, plan, ended).totals() == {"milestone_reached": 1}
    assert house.engine.books == {house.order(1): 1}
    assert house.exceptions() == []


def test_a_new_cause_since_the_plan_is_not_sent(house: House) -> None:
    ids = house.fail(1)
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=ids, reason="r")
    keys = {"q2c.order.id": house.order(1), "q2c.operation": "erp.create_order", "q2c.error.code": "MAPPING"}
    house.store.record(table([span("erp.create_order", keys, failed="no mapping for plant")]))
    assert house.store.settle(60)
    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = until(replays, plan, ended)
    assert "another cause since the plan" in (done.items[0].detail or "")
    assert house.engine.posts == 0
