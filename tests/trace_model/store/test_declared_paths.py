"""The process map and completeness agree on which steps an order passed over, and neither says it of what was seen in part or taken back."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from console.process import halves
from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.spans_of import Story, instant

HOUR = 3600
EVERYTHING: dict[str, Any] = {"days": 30, "region": None, "product_line": None, "legal_entity": None}


def wandering(by: random.Random) -> Story:
    """Thirty orders, each of whose steps may be missing, early, in part, refused or taken back."""
    s = Story()
    for number in range(30):
        order = f"SO-{number}"
        line = by.choice(("hardware", "services", "subscription"))
        said = {"amount": "100.00", "quantity": 10, "more": {"q2c.product_line": line}}
        hours = sorted(by.randrange(200) for _ in range(8))
        if by.random() < 0.3:
            by.shuffle(hours)

        def step(operation: str, hour: int, often: float = 0.8, **ids: Any) -> None:
            if by.random() < often:
                refused = "422" if by.random() < 0.1 else None
                s.does(operation, hour * HOUR, error=refused, **ids)

        step("crm.accept_quote", hours[0], quote=f"Q-{number}", **said)
        s.does("crm.submit_order", hours[1] * HOUR, order=order, order_quote=f"Q-{number}", **said)
        step("erp.create_order", hours[2], order=order)
        part = {"amount": "50.00", "quantity": 5} if by.random() < 0.3 else {"amount": "100.00", "quantity": 10}
        step("logistics.post_shipment", hours[3], shipment=f"SH-{number}", shipment_order=order, **part)
        step("billing.issue_invoice", hours[4], invoice=f"INV-{number}", invoice_order=order, **part)
        step("erp.post_invoice", hours[5], invoice=f"INV-{number}", **part)
        step("psp.apply_payment", hours[6], payment=f"PAY-{number}", payment_invoice=f"INV-{number}", **part)
        if by.random() < 0.2:
            s.does(None, hours[7] * HOUR, milestone="shipment_returned", shipment=f"SH-{number}", **part)
        if by.random() < 0.2:
            s.does(None, hours[7] * HOUR, milestone="invoice_credited", credit_note=f"CN-{number}", credit_note_invoice=f"INV-{number}", **part)  # fmt: skip
        if by.random() < 0.1:
            s.does(None, hours[7] * HOUR, milestone="order_cancelled", order=order)
    return s


def passed_over(rows: Rows, as_of: Any) -> set[tuple[str, str]]:
    """(order, milestone), by looking at each order's milestones one after the other."""
    found = set()
    milestones = rows.ask("from timeline_milestones")
    for t in rows.ask("from timelines"):
        mine = [m for m in milestones if m["lead_key"] == t["lead_key"]]
        reached = {m["milestone"] for m in mine if m["reached_at"] and m["reached_at"] <= as_of}
        nothing_left = {m["milestone"] for m in mine if m["complete_at"] and m["complete_at"] <= as_of}
        path = [
            m.name
            for m in rows.store.catalogue.milestones
            if m.expected == "always" and (not m.when.product_line or t["product_line"] in m.when.product_line)
        ]
        for place, name in enumerate(path):
            if name not in reached | nothing_left and any(later in reached for later in path[place + 1 :]):
                found.add((t["lead_id"], name))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_one_rule_says_what_was_passed_over(seed: int) -> None:
    rows = told(wandering(random.Random(seed)).spans)
    for hour in (120, 260):
        as_of = instant(hour * HOUR)
        expected = passed_over(rows, as_of)
        skipped = {
            (d["lead_id"], d["milestone"])
            for d in rows.ask(
                "select t.lead_id, d.milestone from order_deviations(?, 30, null, null, null) d join timelines t using (lead_key) where d.kind = 'skipped'",
                [as_of],
            )
        }
        assert skipped == expected
        differences = {(d["lead_id"], d["milestone"]): d["explanation"] for d in completeness(rows, as_of)}
        said = {key for key, why in differences.items() if why == "passed_over"}
        cancelled = {
            t["lead_id"] for t in rows.ask("from timelines") if t["cancelled_at"] and t["cancelled_at"] <= as_of
        }
        assert said <= expected
        others = {key: differences[key] for key in expected - said if key[0] not in cancelled}
        assert set(others.values()) <= {"exception", "in_transit"}, "what explains a step better comes first"
    assert expected
    assert said


def completeness(rows: Rows, as_of: Any, milestone: str | None = None) -> list[dict[str, Any]]:
    return rows.store.rows(
        "completeness_objects", as_of=as_of, from_day=instant(0).date(), until_day=as_of.date(), legal_entity=None, currency=None,
        milestone=milestone, explanation=None, offset=0, limit=1000,
    )  # fmt: skip


def shipped_and_billed(*, part: bool = False, line: str = "hardware", shipped: bool = True) -> Story:
    s = Story()
    more = {"q2c.product_line": line}
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00", quantity=10, more=more)
    s.does("erp.create_order", 60, order="SO-1")
    s.does("crm.acknowledge_order", 120, order="SO-1")
    amount, quantity = ("50.00", 5) if part else ("100.00", 10)
    if shipped:
        s.does(
            "logistics.post_shipment",
            2 * HOUR,
            shipment="SH-1",
            shipment_order="SO-1",
            amount=amount,
            quantity=quantity,
        )
    s.does("billing.issue_invoice", 3 * HOUR, invoice="INV-1", invoice_order="SO-1", amount=amount, quantity=quantity)
    return s


def why(story: Story, days: float) -> str | None:
    rows = told(story.spans)
    return next(
        (d["explanation"] for d in completeness(rows, instant(0) + timedelta(days=days), "shipment_posted")), None
    )


def test_what_was_shipped_in_part_is_not_passed_over_by_its_own_invoice() -> None:
    assert why(shipped_and_billed(), 30) is None
    assert why(shipped_and_billed(part=True), 1) == "in_transit", "the rest may still come"
    assert why(shipped_and_billed(part=True), 30) == "in_part"
    assert why(shipped_and_billed(shipped=False), 30) == "passed_over"


def test_what_was_taken_back_is_not_passed_over() -> None:
    s = shipped_and_billed()
    s.does(None, 5 * HOUR, milestone="shipment_returned", shipment="SH-1", amount="100.00", quantity=10)
    assert why(s, 1) == "in_part"


def test_a_path_that_begins_at_the_catalogue_s_first_milestone_is_a_way_of_its_own() -> None:
    s = Story()
    s.does("cpq.validate_quote", 0, quote="Q-1")
    for number, amount in ((1, "10.00"), (2, "1.00"), (3, "1.00")):
        s.does(
            "crm.submit_order",
            HOUR,
            order=f"SO-{number}",
            order_quote=f"Q-{number}" if number == 1 else None,
            amount=amount,
        )
    rows = told(s.spans)
    assert rows.store.catalogue.milestones[0].name == "quote_validated"
    taken, _ = halves(rows.store.rows("process_map", as_of=instant(0) + timedelta(days=1), **EVERYTHING))
    assert {(t["from_milestone"], t["to_milestone"]): (t["order_count"], t["amount"]) for t in taken} == {
        ("quote_validated", "order_submitted"): (1, 10),
        ("order_submitted", None): (3, 12),
    }


@pytest.mark.parametrize(("line", "passing"), [("hardware", 1), ("services", 0)])
def test_a_step_by_way_of_a_side_milestone_still_passes_over_what_the_segment_expects(line: str, passing: int) -> None:
    """Order acknowledged, which is only seen at times, stands between the acceptance and the invoice."""
    rows = told(shipped_and_billed(line=line, shipped=False).spans)
    asked = {"as_of": instant(0) + timedelta(days=1), **EVERYTHING}
    taken, found = halves(rows.store.rows("process_map", **asked))
    steps = {(s["from_milestone"], s["to_milestone"]): s for s in taken}
    billed = steps["order_acknowledged", "invoice_issued"]
    assert (billed["passing_count"], billed["kind"]) == (passing, "skip" if passing else "side")
    named = [(d["kind"], d["milestone"], d["deviating_count"]) for d in found if d["milestone"] == "shipment_posted"]
    assert named == [("skipped", "shipment_posted", 1)] * passing
