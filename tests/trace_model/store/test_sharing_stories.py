"""How a document that belongs to several others is divided among them: one story a test (docs/timelines.md)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.trace_model.store.derived_rows import told
from tests.trace_model.store.spans_of import Span, Story


def consolidated() -> Story:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="60.00")
    s.does("crm.submit_order", 1, order="SO-2", amount="40.00")
    s.does(
        "billing.issue_invoice", 9, invoice="INV-1", invoice_order=["SO-1", "SO-2"], amount="100.00",
        more={"q2c.invoice.order.amount": ["60.00", "40.00"]},
    )  # fmt: skip
    return s


def test_a_consolidated_invoice_covers_each_order_by_the_amounts_it_names() -> None:
    rows = told(consolidated().spans)
    assert rows.shares() == {"invoice:INV-1": {"order:SO-1": 0.6, "order:SO-2": 0.4}}
    for lead, amount in (("order:SO-1", "60.0000"), ("order:SO-2", "40.0000")):
        issued = rows.milestones(lead)["invoice_issued"]
        assert (issued["coverage"], issued["covered_amount"]) == ("complete", Decimal(amount))


def test_a_payment_over_invoices_of_different_orders_never_melts_them_into_one() -> None:
    s = Story()
    for number, amount in ((1, "70.00"), (2, "30.00")):
        s.does("crm.submit_order", number, order=f"SO-{number}", amount=amount)
        s.does("billing.issue_invoice", 9, invoice=f"INV-{number}", invoice_order=f"SO-{number}", amount=amount)
    s.does(
        "psp.apply_payment", 20, payment="PAY-1", payment_invoice=["INV-1", "INV-2"], amount="100.00",
        more={"q2c.payment.invoice.amount": ["70.00", "30.00"]},
    )  # fmt: skip
    rows = told(s.spans)
    assert set(rows.members("order:SO-1")) == {"order:SO-1", "invoice:INV-1", "payment:PAY-1"}
    assert rows.shares()["payment:PAY-1"] == {"order:SO-1": 0.7, "order:SO-2": 0.3}
    assert rows.milestones("order:SO-2")["payment_applied"]["covered_amount"] == Decimal("30.0000")


def test_a_third_is_given_to_the_cent_and_nothing_is_lost() -> None:
    s = Story()
    for number in (1, 2, 3):
        s.does("crm.submit_order", number, order=f"SO-{number}", amount="33.34")
    s.does("billing.issue_invoice", 9, invoice="INV-1", invoice_order=["SO-1", "SO-2", "SO-3"], amount="100.00")
    rows = told(s.spans)
    given = sorted(rows.members(lead)["invoice:INV-1"]["amount"] for lead in rows.leads())
    assert given == [Decimal("33.3300"), Decimal("33.3300"), Decimal("33.3400")]
    covered = [rows.milestones(lead)["invoice_issued"]["covered_amount"] for lead in rows.leads()]
    assert sorted(covered) == given


def paid_together(*invoices: str | None, currencies: tuple[str, ...] = ("EUR", "EUR")) -> Story:
    """Orders of 90 and 10, one invoice each of these amounts, and one payment of 100 that says not how much each gets."""
    s = Story()
    for number, (amount, currency) in enumerate(zip(("90.00", "10.00"), currencies, strict=True), 1):
        s.does("crm.submit_order", number, order=f"SO-{number}", amount=amount, currency=currency)
    for number, (worth, currency) in enumerate(zip(invoices, currencies, strict=True), 1):
        s.does(
            "billing.issue_invoice", 9, invoice=f"INV-{number}", invoice_order=f"SO-{number}", amount=worth, currency=currency
        )  # fmt: skip
    s.does("psp.apply_payment", 20, payment="PAY-1", payment_invoice=["INV-1", "INV-2"], amount="100.00")
    return s


def in_order(spans: list[Span], order: str) -> list[list[Span]]:
    """The batches: all at once, or one span each."""
    return {
        "together": [spans],
        "one by one": [[span] for span in spans],
        "backwards": [[span] for span in reversed(spans)],
    }[order]


@pytest.mark.parametrize("order", ["together", "one by one", "backwards"])
def test_a_payment_that_names_no_amounts_is_divided_by_what_its_invoices_are_worth(order: str) -> None:
    rows = told(*in_order(paid_together("90.00", "10.00").spans, order))
    assert rows.shares()["payment:PAY-1"] == {"order:SO-1": 0.9, "order:SO-2": 0.1}
    for lead, amount in (("order:SO-1", "90.0000"), ("order:SO-2", "10.0000")):
        paid = rows.milestones(lead)["payment_applied"]
        assert (paid["coverage"], paid["covered_amount"]) == ("complete", Decimal(amount))
    assert rows.checks() == []


def test_an_invoice_that_is_corrected_later_divides_its_payment_anew() -> None:
    s = paid_together("50.00", "50.00")
    rows = told(s.spans)
    assert rows.shares()["payment:PAY-1"] == {"order:SO-1": 0.5, "order:SO-2": 0.5}
    before = len(s.spans)
    s.does("billing.issue_invoice", 30, invoice="INV-1", amount="150.00")
    rows.hear(s.spans[before:])
    assert rows.shares()["payment:PAY-1"] == {"order:SO-1": 0.75, "order:SO-2": 0.25}


@pytest.mark.parametrize("unknown", [("90.00", None), (None, None), ("0", "100.00")])
def test_where_an_invoice_s_worth_is_not_known_each_gets_the_same(unknown: tuple[str | None, str | None]) -> None:
    rows = told(paid_together(*unknown).spans)
    assert rows.shares()["payment:PAY-1"] == {"order:SO-1": 0.5, "order:SO-2": 0.5}


def test_amounts_of_two_currencies_weigh_by_the_rates_of_the_catalogue() -> None:
    """9,000 yen are 54.90 euro."""
    rows = told(paid_together("9000", "10.00", currencies=("JPY", "EUR")).spans)
    assert rows.shares()["payment:PAY-1"] == {
        "order:SO-1": pytest.approx(54.9 / 64.9),
        "order:SO-2": pytest.approx(10 / 64.9),
    }


def test_amounts_of_a_currency_without_a_rate_weigh_nothing_against_others() -> None:
    rows = told(paid_together("9000", "10.00", currencies=("XXX", "EUR")).spans)
    assert rows.shares()["payment:PAY-1"] == {"order:SO-1": 0.5, "order:SO-2": 0.5}


@pytest.mark.parametrize("order", ["together", "one by one", "backwards"])
def test_an_invoice_for_orders_in_two_currencies_bills_each_and_neither_too_much(order: str) -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="100.00", currency="EUR")
    s.does("crm.submit_order", 1, order="SO-2", amount="200.00", currency="USD")
    s.does("billing.issue_invoice", 9, invoice="INV-1", invoice_order=["SO-1", "SO-2"], amount="284.00", currency="EUR")
    rows = told(*in_order(s.spans, order))
    for lead, amount in (("order:SO-1", "100.0000"), ("order:SO-2", "200.0000")):
        billed = rows.milestones(lead)["invoice_issued"]
        assert (billed["coverage"], billed["covered_amount"]) == ("complete", Decimal(amount))
    assert rows.checks() == []


def test_a_shipment_for_two_orders_is_divided_by_their_pieces() -> None:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="10.00", quantity=8)
    s.does("crm.submit_order", 1, order="SO-2", amount="90.00", quantity=2)
    s.does("logistics.post_shipment", 9, shipment="SH-1", shipment_order=["SO-1", "SO-2"], quantity=10)
    rows = told(s.spans)
    assert rows.shares()["shipment:SH-1"] == {"order:SO-1": 0.8, "order:SO-2": 0.2}
    assert rows.milestones("order:SO-2")["shipment_posted"]["coverage"] == "complete"
