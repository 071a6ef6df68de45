"""Which objects stand in whose timeline, and with what part: one story a test (docs/timelines.md)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.trace_model.store.derived_rows import Rows, opened, told
from tests.trace_model.store.spans_of import Story, instant


def quote_to_cash() -> Story:
    """One hardware order of 100 EUR in two shipments and two invoices, paid by one payment."""
    s = Story()
    s.does("crm.accept_quote", 0, quote="Q-1", amount="100.00", quantity=10)
    s.does(
        "crm.submit_order", 60, order="SO-1", order_quote="Q-1", amount="100.00", quantity=10,
        more={"q2c.region": "EMEA", "q2c.product_line": "hardware", "q2c.customer.id": "C-1"},
    )  # fmt: skip
    s.does("erp.create_order", 120, order="SO-1")
    s.does("logistics.post_shipment", 300, shipment="SH-1", shipment_order="SO-1", quantity=4)
    s.does("logistics.post_shipment", 400, shipment="SH-2", shipment_order="SO-1", quantity=6)
    s.does("billing.issue_invoice", 500, invoice="INV-1", invoice_order="SO-1", amount="40.00")
    s.does("billing.issue_invoice", 600, invoice="INV-2", invoice_order="SO-1", amount="60.00")
    s.does("erp.post_invoice", 700, invoice="INV-1")
    s.does("erp.post_invoice", 710, invoice="INV-2")
    s.does("psp.apply_payment", 800, payment="PAY-1", payment_invoice=["INV-1", "INV-2"], amount="100.00")
    s.does("erp.post_revenue", 900, invoice="INV-1")
    s.does("erp.post_revenue", 910, invoice="INV-2")
    return s


def test_an_order_gathers_everything_from_its_quote_to_its_payment() -> None:
    rows = told(quote_to_cash().spans)
    assert rows.leads() == ["order:SO-1"]
    members = rows.members("order:SO-1")
    assert {name: m["direction"] for name, m in members.items()} == {
        "order:SO-1": "self",
        "quote:Q-1": "up",
        "shipment:SH-1": "down",
        "shipment:SH-2": "down",
        "invoice:INV-1": "down",
        "invoice:INV-2": "down",
        "payment:PAY-1": "down",
    }
    assert all(m["share"] == 1 for m in members.values())
    assert members["payment:PAY-1"]["amount"] == Decimal("100.0000")
    milestones = rows.milestones("order:SO-1")
    assert {n: (m["coverage"], m["reached_at"], m["complete_at"]) for n, m in milestones.items()} == {
        "quote_accepted": ("complete", instant(1), instant(1)),
        "order_submitted": ("complete", instant(61), instant(61)),
        "order_accepted": ("complete", instant(121), instant(121)),
        "shipment_posted": ("complete", instant(301), instant(401)),
        "invoice_issued": ("complete", instant(501), instant(601)),
        "invoice_posted": ("complete", instant(701), instant(711)),
        "payment_applied": ("complete", instant(801), instant(801)),
        "revenue_posted": ("complete", instant(901), instant(911)),
    }
    timeline = rows.timeline("order:SO-1")
    assert (timeline["started_at"], timeline["completed_at"]) == (instant(0), instant(911))
    assert (timeline["amount"], timeline["region"], timeline["customer_id"]) == (Decimal("100.0000"), "EMEA", "C-1")


def test_half_way_the_coverage_is_partial_and_nothing_is_complete() -> None:
    milestones = told(quote_to_cash().spans[:6]).milestones("order:SO-1")
    assert (milestones["shipment_posted"]["coverage"], milestones["invoice_issued"]["coverage"]) == (
        "complete",
        "partial",
    )
    assert milestones["invoice_issued"]["complete_at"] is None
    assert milestones["invoice_issued"]["covered_amount"] == Decimal("40.0000")


def test_a_quote_leads_until_an_order_comes_from_it() -> None:
    story = quote_to_cash()
    rows = told(story.spans[:1])
    assert rows.leads() == ["quote:Q-1"]
    rows.hear(story.spans[1:2])
    assert rows.leads() == ["order:SO-1"]


def test_one_quote_of_two_orders_stands_whole_in_both_and_does_not_join_them() -> None:
    s = Story()
    s.does("crm.accept_quote", 0, quote="Q-1", amount="100.00")
    for number in (1, 2):
        s.does("crm.submit_order", number, order=f"SO-{number}", order_quote="Q-1", amount="50.00")
        s.does("billing.issue_invoice", 9, invoice=f"INV-{number}", invoice_order=f"SO-{number}", amount="50.00")
    rows = told(s.spans)
    assert rows.leads() == ["order:SO-1", "order:SO-2"]
    for number in (1, 2):
        members = rows.members(f"order:SO-{number}")
        assert set(members) == {f"order:SO-{number}", "quote:Q-1", f"invoice:INV-{number}"}
        assert (members["quote:Q-1"]["share"], members["quote:Q-1"]["direction"]) == (1, "up")
        assert rows.milestones(f"order:SO-{number}")["quote_accepted"]["coverage"] == "complete"


def test_what_is_reached_over_two_kinds_of_parent_is_counted_once() -> None:
    """The invoice names its order and its shipment; the shipment names the order, too."""
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    s.does("logistics.post_shipment", 1, shipment="SH-1", shipment_order="SO-1")
    s.does("billing.issue_invoice", 2, invoice="INV-1", invoice_order="SO-1", invoice_shipment="SH-1", amount="100.00")
    rows = told(s.spans)
    member = rows.members("order:SO-1")["invoice:INV-1"]
    assert (member["share"], member["depth"]) == (1, 1)
    assert rows.milestones("order:SO-1")["invoice_issued"]["coverage"] == "complete"


def test_an_invoice_that_names_only_a_shipment_reaches_the_order_through_it() -> None:
    s = Story()
    s.does("billing.issue_invoice", 0, invoice="INV-1", invoice_shipment=["SH-1", "SH-2"], amount="100.00")
    s.does("logistics.post_shipment", 1, shipment="SH-1", shipment_order="SO-1")
    s.does("logistics.post_shipment", 2, shipment="SH-2", shipment_order="SO-2")
    rows = told(*([span] for span in s.spans))
    assert rows.shares()["invoice:INV-1"] == {"order:SO-1": 0.5, "order:SO-2": 0.5}


@pytest.mark.parametrize("alias_first", [True, False])
def test_an_erp_span_that_knows_only_its_own_number_joins_the_order_whenever_the_tie_comes(alias_first: bool) -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    tie = s.does("erp.create_order", 5, service="erp-de", order="SO-1", more={"sap.sales_order.id": "4500001"})
    alone = s.does(None, 9, name="erp.change_order", service="erp-de", more={"sap.sales_order.id": "4500001"})
    middle, last = ([alone], [tie]) if alias_first else ([tie], [alone])
    rows = told(s.spans[:1], middle, last)
    assert set(rows.objects()) == {"order:SO-1"}
    assert rows.objects()["order:SO-1"]["last_seen_at"] == instant(10)
    assert rows.leads() == ["order:SO-1"]


def test_two_erps_may_use_one_number_for_two_orders() -> None:
    s = Story()
    for order, erp in (("SO-1", "erp-de"), ("SO-2", "erp-us")):
        s.does("erp.create_order", 1, service=erp, order=order, more={"sap.sales_order.id": "4500001"})
        s.does("tax.determine", 2, service=erp, more={"sap.sales_order.id": "4500001", "q2c.region": erp})
    rows = told(s.spans)
    assert {name: o["region"] for name, o in rows.objects().items()} == {"order:SO-1": "erp-de", "order:SO-2": "erp-us"}


def test_an_alias_of_two_orders_stands_for_neither_and_is_a_warning() -> None:
    s = Story()
    s.does(None, 0, order="SO-1", more={"sap.sales_order.id": "4500001"}, service="erp-de")
    s.does(None, 1, order="SO-2", more={"sap.sales_order.id": "4500001"}, service="erp-de")
    s.does(None, 2, more={"sap.sales_order.id": "4500001"}, service="erp-de", name="erp.change_order")
    rows = told(*([span] for span in s.spans))
    assert set(rows.objects()) == {"order:SO-1", "order:SO-2", "order:4500001@erp-de"}
    assert ("order:4500001", "ambiguous_alias") in rows.warnings()


def test_an_own_id_beside_its_alias_is_one_object_with_its_amount() -> None:
    s = Story()
    s.does(
        "erp.create_order", 0, order="SO-1", amount="100.00", error="503", more={"sap.sales_order.id": "1"}, service="erp-de"
    )  # fmt: skip
    rows = told(s.spans)
    assert rows.objects()["order:SO-1"]["amount"] == Decimal("100.0000")
    assert [f["attempt_count"] for f in rows.failures()] == [1]


def test_an_amendment_replaces_the_amount_and_reopens_what_was_complete() -> None:
    story = quote_to_cash()
    rows = told(story.spans)
    amended = Story()
    amended.does("crm.submit_order", 2000, order="SO-1", amount="150.00", quantity=15, more={"q2c.order.version": "2"})
    rows.hear([span.but(trace=99) for span in amended.spans])
    assert rows.objects()["order:SO-1"]["amount"] == Decimal("150.0000")
    assert rows.objects()["order:SO-1"]["object_version"] == "2"
    assert rows.milestones("order:SO-1")["invoice_issued"]["coverage"] == "partial"
    assert rows.timeline("order:SO-1")["completed_at"] is None


def test_an_order_that_amends_another_is_linked_but_keeps_its_own_timeline() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    s.does("crm.submit_order", 9, order="SO-2", order_order="SO-1", amount="20.00")
    rows = told(s.spans)
    assert rows.links()["order:SO-2", "order:SO-1"]["kind"] == "amends"
    assert rows.leads() == ["order:SO-1", "order:SO-2"]
    assert set(rows.members("order:SO-1")) == {"order:SO-1"}


def test_a_cancelled_order_stops_its_clocks() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    s.does(None, 50, name="cancel", order="SO-1", milestone="order_cancelled")
    rows = told(s.spans)
    assert rows.timeline("order:SO-1")["cancelled_at"] == instant(51)
    assert rows.clocks("order:SO-1")["order_acceptance"]["stopped_at"] == instant(51)


def test_a_payment_reversal_takes_the_payment_back_and_a_second_payment_completes_it_again() -> None:
    story = quote_to_cash()
    rows = told(story.spans)
    story.does(None, 1000, name="psp.reverse", payment="PAY-1", milestone="payment_reversed")
    rows.hear(story.spans[-1:])
    paid = rows.milestones("order:SO-1")["payment_applied"]
    assert (paid["coverage"], paid["undone_at"], paid["complete_at"]) == ("none", instant(1001), None)
    assert rows.timeline("order:SO-1")["completed_at"] is None
    story.does("psp.apply_payment", 1100, payment="PAY-2", payment_invoice=["INV-1", "INV-2"], amount="100.00")
    rows.hear(story.spans[-1:])
    paid = rows.milestones("order:SO-1")["payment_applied"]
    assert (paid["coverage"], paid["complete_at"]) == ("complete", instant(1101))


def test_a_return_takes_back_its_own_quantity_only() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00", quantity=10)
    s.does("logistics.post_shipment", 5, shipment="SH-1", shipment_order="SO-1", quantity=10)
    s.does(None, 9, name="return", shipment="SH-1", milestone="shipment_returned", quantity=2)
    shipped = told(s.spans).milestones("order:SO-1")["shipment_posted"]
    assert (shipped["coverage"], shipped["covered_quantity"]) == ("partial", Decimal("8.0000"))


def test_an_invoice_in_yen_covers_an_order_in_euro_by_the_rate() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="61.00")
    s.does("billing.issue_invoice", 5, invoice="INV-1", invoice_order="SO-1", amount="10000", currency="JPY")
    issued = told(s.spans).milestones("order:SO-1")["invoice_issued"]
    assert (issued["coverage"], issued["covered_amount"]) == ("complete", Decimal("61.0000"))


@pytest.mark.parametrize("batches", ["together", "one_by_one", "backwards"])
def test_an_invoice_tied_by_a_span_link_joins_its_order_whichever_trace_comes_first(batches: str) -> None:
    s = Story()
    order = s.does("erp.create_order", 0, order="SO-1", amount="100.00")
    sent = s.does(None, 1, name="publish", under=order, kind=4)
    got = s.does(None, 60, name="process", kind=5, links=[sent])
    s.does("billing.issue_invoice", 61, under=got, invoice="INV-1", amount="100.00")
    spans = {
        "together": [s.spans],
        "one_by_one": [[span] for span in s.spans],
        "backwards": [[span] for span in reversed(s.spans)],
    }[batches]
    rows = told(*spans)
    link = rows.links()["invoice:INV-1", "order:SO-1"]
    assert (link["source"], float(link["confidence"])) == ("span_link", 0.8)
    assert "invoice:INV-1" in rows.members("order:SO-1")
    assert len(rows.ask("from span_links")) == 1


def test_span_links_of_a_batch_over_many_objects_tie_nothing() -> None:
    s = Story()
    orders = [s.does("erp.create_order", 0, order=f"SO-{n}") for n in (1, 2)]
    s.does("billing.issue_invoice", 9, links=orders, invoice=["INV-1", "INV-2"])
    assert told(s.spans).links() == {}


def test_clocks_run_only_for_the_segment_they_are_promised_to() -> None:
    s = Story()
    for order, line, region in (
        ("SO-1", "hardware", "EMEA"),
        ("SO-2", "hardware", "AMER"),
        ("SO-3", "subscription", "EMEA"),
    ):
        s.does(
            "erp.create_order", 0, order=order, more={"q2c.product_line": line, "q2c.region": region}
        )  # fmt: skip
    rows = told(s.spans)
    assert {lead: sorted(rows.clocks(lead)) for lead in rows.leads()} == {
        "order:SO-1": ["invoice_latency", "shipment"],
        "order:SO-2": ["invoice_latency", "shipment"],
        "order:SO-3": ["invoice_latency", "subscription_activation"],
    }


def test_a_clock_in_working_time_is_due_when_the_office_has_been_open_long_enough() -> None:
    """Accepted Monday 10:00 in Berlin: forty office hours of ten a day end Friday 10:00; three quarters of them Thursday 10:00."""
    s = Story()
    s.does("erp.create_order", -1, order="SO-1", more={"q2c.product_line": "hardware", "q2c.region": "EMEA"})
    s.does("logistics.post_shipment", 7200, shipment="SH-1", shipment_order="SO-1")
    clock = told(s.spans).clocks("order:SO-1")["shipment"]
    day = 24 * 3600
    assert (clock["started_at"], clock["at_risk_at"], clock["due_at"], clock["stopped_at"]) == (
        instant(0),
        instant(3 * day),
        instant(4 * day),
        instant(7201),
    )


def test_a_correlation_id_of_one_order_ties_what_nothing_else_ties() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", correlation="c-1")
    s.does("billing.issue_invoice", 9, invoice="INV-1", correlation="c-1")
    rows = told(*([span] for span in s.spans))
    assert rows.links()["invoice:INV-1", "order:SO-1"]["source"] == "correlation"
    assert rows.warnings() == []


def test_a_correlation_id_of_two_orders_ties_nothing_and_is_a_warning() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", correlation="c-1")
    s.does("billing.issue_invoice", 5, invoice="INV-1", correlation="c-1")
    s.does("crm.submit_order", 9, order="SO-2", correlation="c-1")
    rows = told(*([span] for span in s.spans))
    assert rows.links() == {}
    assert rows.warnings() == [("invoice:INV-1", "ambiguous_correlation")]


def test_a_correlation_id_that_grows_into_a_batch_lets_go_of_what_it_tied() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", correlation="nightly")
    for number in range(210):
        s.does(None, 9, invoice=f"INV-{number}", correlation="nightly", name="book")
    rows = told(s.spans[:150])
    assert len(rows.links()) == 149
    rows.hear(s.spans[150:])
    assert rows.links() == {}
    together = told(s.spans)
    assert rows.every_table() == together.every_table()


def test_a_child_on_two_correlation_ids_keeps_both_ties() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", correlation="c-1")
    s.does("crm.submit_order", 1, order="SO-2", correlation="c-2")
    s.does(None, 2, invoice="INV-1", correlation="c-1", name="book")
    s.does(None, 3, invoice="INV-1", correlation="c-2", name="book")
    s.does(None, 4, shipment="SH-1", correlation="c-1", name="pack")
    rows = told(*([span] for span in s.spans))
    assert set(rows.shares()["invoice:INV-1"]) == {"order:SO-1", "order:SO-2"}


def test_two_ids_on_one_span_tie_where_one_side_is_single() -> None:
    s = Story()
    s.does(None, 0, invoice=["INV-1", "INV-2"], order="SO-1", name="book")
    s.does(None, 1, invoice=["INV-8", "INV-9"], order=["SO-8", "SO-9"], name="book")
    rows = told(s.spans)
    assert {pair: float(k["confidence"]) for pair, k in rows.links().items()} == {
        ("invoice:INV-1", "order:SO-1"): 0.9,
        ("invoice:INV-2", "order:SO-1"): 0.9,
    }


def test_the_parents_named_outweigh_the_order_whose_span_it_was_called_from() -> None:
    s = Story()
    run = s.does("crm.submit_order", 0, order="SO-1")
    s.does("billing.issue_invoice", 1, under=run, invoice="INV-1", invoice_order="SO-2")
    assert {pair: k["source"] for pair, k in told(s.spans).links().items()} == {
        ("invoice:INV-1", "order:SO-2"): "explicit"
    }


def test_an_invoice_under_an_order_s_span_belongs_to_it_even_when_the_parent_comes_late() -> None:
    s = Story()
    run = s.does("erp.create_order", 0, order="SO-1")
    s.does("billing.issue_invoice", 1, under=run, invoice="INV-1")
    rows = Rows(opened())
    rows.hear(s.spans[1:])
    assert rows.links() == {}
    assert rows.warnings() == [("invoice:INV-1", "missing_parent")]
    rows.hear(s.spans[:1])
    assert rows.links()["invoice:INV-1", "order:SO-1"]["source"] == "trace_parent"
    assert rows.warnings() == []


def test_a_parent_circle_ends() -> None:
    s = Story()
    a = s.does("erp.create_order", 0, order="SO-1", error="boom")
    b = s.does("tax.determine", 0, under=a)
    rows = told([a.but(parent=b.span), b, a.but(span=9, parent=9)])
    assert rows.leads() == ["order:SO-1"]
    assert {f["operation"] for f in rows.failures()} == {"erp.create_order"}
