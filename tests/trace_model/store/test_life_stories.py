"""Orders that live long or end otherwise than planned, as drawn in docs/timelines.md: one story a test."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.spans_of import Story, instant

MONTH_S = 30 * 86_400


def rebuilt(rows: Rows) -> Rows:
    """The same rows, having checked that deriving everything again changes nothing."""
    before = rows.every_table()
    rows.store.rebuild()
    assert rows.every_table() == before
    return rows


def test_a_subscription_invoices_for_three_years_in_one_timeline_and_its_renewal_has_its_own() -> None:
    s = Story()
    for number, first in ((1, 0), (2, 36)):
        renewed: dict[str, Any] = {"order_order": "SO-1"} if number == 2 else {}
        s.does("crm.submit_order", first * MONTH_S, order=f"SO-{number}", amount="3600.00", **renewed)
        s.does(
            "billing.activate_subscription",
            first * MONTH_S + 60,
            subscription=f"SUB-{number}",
            subscription_order=f"SO-{number}",
        )
    for month in range(48):
        of = 1 if month < 36 else 2
        s.does(
            "billing.issue_invoice",
            month * MONTH_S + 100,
            invoice=f"INV-{month:02}",
            invoice_subscription=f"SUB-{of}",
            amount="100.00",
        )
    rows = rebuilt(told(s.spans[:30], s.spans[30:]))
    assert rows.leads() == ["order:SO-1", "order:SO-2"]
    invoices = {lead: sum(name.startswith("invoice:") for name in rows.members(lead)) for lead in rows.leads()}
    assert invoices == {"order:SO-1": 36, "order:SO-2": 12}
    first, renewal = (rows.milestones(lead)["invoice_issued"] for lead in rows.leads())
    assert (first["coverage"], first["covered_amount"], first["complete_at"]) == (
        "complete",
        Decimal("3600.0000"),
        instant(35 * MONTH_S + 101),
    )
    assert (renewal["coverage"], renewal["covered_amount"]) == ("partial", Decimal("1200.0000"))


def test_a_chain_of_amendments_is_shown_and_never_becomes_one_timeline() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    s.does("crm.submit_order", 10, order="SO-2", order_order="SO-1", amount="20.00")
    s.does("crm.submit_order", 20, order="SO-3", order_order="SO-2", amount="30.00")
    s.does("billing.issue_invoice", 30, invoice="INV-1", invoice_order="SO-3", amount="30.00")
    rows = rebuilt(told(s.spans))
    assert {pair: k["kind"] for pair, k in rows.links().items() if pair[0].startswith("order:")} == {
        ("order:SO-2", "order:SO-1"): "amends",
        ("order:SO-3", "order:SO-2"): "amends",
    }
    assert {lead: set(rows.members(lead)) for lead in rows.leads()} == {
        "order:SO-1": {"order:SO-1"},
        "order:SO-2": {"order:SO-2"},
        "order:SO-3": {"order:SO-3", "invoice:INV-1"},
    }


def test_a_cancelled_order_ends_and_the_reorder_goes_on_under_the_same_quote() -> None:
    s = Story()
    s.does("crm.accept_quote", 0, quote="Q-1", amount="100.00")
    s.does("crm.submit_order", 10, order="SO-1", order_quote="Q-1", amount="100.00")
    s.does("billing.issue_invoice", 20, invoice="INV-1", invoice_order="SO-1", amount="100.00")
    s.does(None, 30, name="cancel", order="SO-1", milestone="order_cancelled")
    s.does("crm.submit_order", 40, order="SO-2", order_quote="Q-1", amount="90.00")
    s.does("billing.issue_invoice", 50, invoice="INV-2", invoice_order="SO-2", amount="90.00")
    rows = rebuilt(told(s.spans))
    assert (rows.timeline("order:SO-1")["cancelled_at"], rows.timeline("order:SO-2")["cancelled_at"]) == (
        instant(31),
        None,
    )
    assert set(rows.members("order:SO-1")) == {"order:SO-1", "quote:Q-1", "invoice:INV-1"}
    assert set(rows.members("order:SO-2")) == {"order:SO-2", "quote:Q-1", "invoice:INV-2"}
    assert all(clock["stopped_at"] for clock in rows.clocks("order:SO-1").values())


@pytest.mark.parametrize(("credited", "paid"), [("15.00", "85.00"), ("100.00", None)])
def test_what_is_credited_need_not_be_paid_and_both_facts_stand(credited: str, paid: str | None) -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    s.does("billing.issue_invoice", 10, invoice="INV-1", invoice_order="SO-1", amount="100.00")
    s.does(
        None,
        20,
        name="credit",
        credit_note="CN-1",
        credit_note_invoice="INV-1",
        milestone="invoice_credited",
        amount=credited,
    )
    if paid:
        s.does("psp.apply_payment", 30, payment="PAY-1", payment_invoice="INV-1", amount=paid)
    milestones = rebuilt(told(s.spans)).milestones("order:SO-1")
    assert milestones["payment_applied"]["coverage"] == "complete"
    invoiced = milestones["invoice_issued"]
    assert (invoiced["reached_at"], invoiced["undone_at"]) == (instant(11), instant(21))
    assert invoiced["covered_amount"] == Decimal("100.0000") - Decimal(credited)
    assert milestones["invoice_credited"]["reached_at"] == instant(21)


def test_a_late_span_joins_an_orphan_to_its_order_whatever_the_order_of_arrival() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    s.does("psp.apply_payment", 30, payment="PAY-1", payment_invoice="INV-1", amount="100.00")
    s.does("billing.issue_invoice", 10, invoice="INV-1", invoice_order="SO-1", amount="100.00")
    ends: list[dict[str, list[str]]] = []
    for arrival in permutations(s.spans):
        rows = told(*([span] for span in arrival))
        assert set(rows.members("order:SO-1")) == {"order:SO-1", "invoice:INV-1", "payment:PAY-1"}
        ends.append(rebuilt(rows).every_table())
    assert all(end == ends[0] for end in ends)


def test_a_number_that_turns_out_to_be_that_of_two_orders_splits_what_it_had_joined() -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", more={"sap.sales_order.id": "4500001"}, service="erp-de")
    s.does("logistics.post_shipment", 5, shipment="SH-1", more={"sap.sales_order.id": "4500001"}, service="erp-de")
    s.does("erp.create_order", 9, order="SO-2", more={"sap.sales_order.id": "4500001"}, service="erp-de")
    rows = told(s.spans[:2])
    assert "shipment:SH-1" in rows.members("order:SO-1")
    rows.hear(s.spans[2:])
    assert all("shipment:SH-1" not in rows.members(f"order:SO-{n}") for n in (1, 2)), (
        "it may be either's: nothing is guessed"
    )
    assert ("order:4500001", "ambiguous_alias") in [(str(name), kind) for name, kind in rows.warnings()]
    rebuilt(rows)


def test_a_child_outside_its_parent_stays_as_it_came_and_the_timeline_says_so() -> None:
    s = Story()
    run = s.does("erp.create_order", 100, order="SO-1", until=110)
    s.does(None, 40, name="POST /orders", under=run, until=45, service="erp-de", kind=2)
    rows = told(s.spans)
    lead = rows.timeline("order:SO-1")["lead_key"]
    said = rows.store.rows("timeline_warnings", lead_key=lead)
    assert [w["kind"] for w in said] == ["clock_skew"]
    assert "against" in said[0]["detail"]
    kept = rows.ask("select make_timestamptz(start_unix_ns // 1000) as at from spans order by start_unix_ns limit 1")
    assert kept[0]["at"] == instant(40), "nothing is moved"
    rebuilt(rows)
