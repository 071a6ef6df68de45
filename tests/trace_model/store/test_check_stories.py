"""Faults that no system reports, and what must not be taken for one: one story a test."""

from __future__ import annotations

import pytest

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.spans_of import Story, instant

DAY = 86_400


def both_ways(s: Story) -> Rows:
    """What is derived, checked to be the same span by span, backwards, and by a rebuild."""
    rows, backwards = told(s.spans), told(*([span] for span in s.spans[::-1]))
    assert rows.checks() == backwards.checks()
    backwards.store.rebuild()
    assert rows.every_table()["failures"] == backwards.every_table()["failures"]
    return rows


def ordered(amount: str = "100.00", **more: str) -> Story:
    s = Story()
    s.does("crm.submit_order", 0, order="SO-1", amount=amount, quantity=10, **more)
    return s


def bills(s: Story, at: float, invoice: str, amount: str, **more: object) -> None:
    s.does("billing.issue_invoice", at, invoice=invoice, invoice_order="SO-1", amount=amount, **more)  # type: ignore[arg-type]


def pays(s: Story, at: float, payment: str, invoice: str, amount: str) -> None:
    s.does("psp.apply_payment", at, payment=payment, payment_invoice=invoice, amount=amount)


def test_the_same_amount_billed_twice_is_a_duplicate_invoice_until_it_is_credited() -> None:
    s = ordered()
    bills(s, 10, "INV-1", "100.00")
    bills(s, 20, "INV-2", "100.00")
    rows = both_ways(s)
    assert rows.checks() == [("check.duplicate_invoice", "order:SO-1", instant(21), None)]
    [shown] = rows.store.rows("exceptions", **EVERY, as_of=instant(60))
    assert shown["sentence"] == "INV-2 repeats INV-1: invoice issued for 200.00 of 100.00 EUR."
    assert (shown["class"], shown["category"], shown["state"], shown["replayable"]) == (
        "business",
        "duplicate",
        "open",
        False,
    )
    s.does(None, 30, credit_note="CN-1", credit_note_invoice="INV-2", milestone="invoice_credited", amount="100.00")
    assert both_ways(s).checks() == [("check.duplicate_invoice", "order:SO-1", instant(21), instant(31))]


def test_billing_more_than_the_order_is_over_even_when_no_two_amounts_are_alike() -> None:
    s = ordered()
    bills(s, 10, "INV-1", "60.00")
    bills(s, 20, "INV-2", "55.00")
    assert both_ways(s).checks() == [("check.over_invoice_issued", "order:SO-1", instant(21), None)]


def test_two_halves_that_are_billed_alike_are_no_duplicate() -> None:
    s = ordered()
    bills(s, 10, "INV-1", "50.00")
    bills(s, 20, "INV-2", "50.00")
    assert both_ways(s).checks() == []


def test_paying_too_much_is_over_until_the_money_goes_back() -> None:
    s = ordered()
    bills(s, 10, "INV-1", "100.00")
    pays(s, 20, "PAY-1", "INV-1", "150.00")
    assert both_ways(s).checks() == [("check.over_payment_applied", "order:SO-1", instant(21), None)]
    s.does(None, 30, payment="PAY-1", milestone="payment_reversed", amount="150.00")
    assert both_ways(s).checks() == [("check.over_payment_applied", "order:SO-1", instant(21), instant(31))]


def test_a_payment_that_was_reversed_before_the_next_is_no_duplicate() -> None:
    s = ordered()
    bills(s, 10, "INV-1", "100.00")
    pays(s, 20, "PAY-1", "INV-1", "100.00")
    s.does(None, 30, payment="PAY-1", milestone="payment_reversed", amount="100.00")
    pays(s, 40, "PAY-2", "INV-1", "100.00")
    assert both_ways(s).checks() == []


def test_cents_of_rounding_and_other_currencies_are_not_too_much() -> None:
    s = ordered()
    bills(s, 10, "INV-1", "100.30")
    pays(s, 20, "PAY-1", "INV-1", "112.00")
    assert [c[0] for c in both_ways(s).checks()] == ["check.over_payment_applied"]
    t = ordered()
    bills(t, 10, "INV-1", "112.00", currency="USD")
    assert both_ways(t).checks() == []


def test_an_amended_order_is_judged_by_what_it_is_now() -> None:
    s = ordered()
    s.does("erp.change_order", 10, order="SO-1", amount="200.00", quantity=20, more={"q2c.order.version": 2})
    bills(s, 20, "INV-1", "100.00")
    bills(s, 30, "INV-2", "100.00")
    assert both_ways(s).checks() == []


def test_a_subscription_that_bills_for_years_repeats_nothing() -> None:
    s = ordered(amount="120.00", more={"q2c.product_line": "subscription"})  # type: ignore[arg-type]
    s.does("billing.activate_subscription", 5, subscription="SUB-1", subscription_order="SO-1")
    for month in range(1, 40):
        bills(s, month * 30 * DAY, f"INV-{month:02}", "120.00")
        pays(s, month * 30 * DAY + DAY, f"PAY-{month:02}", f"INV-{month:02}", "120.00")
    assert told(s.spans).checks() == []


def test_a_subscription_billed_twice_within_a_day_repeats_an_invoice_and_paid_beyond_its_bills_is_over() -> None:
    s = ordered(amount="120.00")
    s.does("billing.activate_subscription", 5, subscription="SUB-1", subscription_order="SO-1")
    bills(s, 10, "INV-1", "120.00")
    bills(s, 60, "INV-2", "120.00")
    assert both_ways(s).checks() == [("check.duplicate_invoice", "order:SO-1", instant(61), None)]
    pays(s, 70, "PAY-1", "INV-1", "250.00")
    assert [c[0] for c in both_ways(s).checks()] == ["check.duplicate_invoice", "check.over_payment_applied"]


def test_shipping_more_than_was_ordered_is_over() -> None:
    s = ordered()
    s.does("logistics.post_shipment", 10, shipment="SH-1", shipment_order="SO-1", quantity=7)
    s.does("logistics.post_shipment", 20, shipment="SH-2", shipment_order="SO-1", quantity=7)
    assert both_ways(s).checks() == [("check.duplicate_shipment", "order:SO-1", instant(21), None)]


def quoted(amount: str | None = "100.00") -> Story:
    s = Story()
    s.does("crm.accept_quote", 0, quote="Q-1", amount=amount)
    return s


def takes(s: Story, at: float, order: str, amount: str = "100.00", **more: object) -> None:
    s.does("crm.submit_order", at, order=order, order_quote="Q-1", amount=amount, quantity=10, **more)  # type: ignore[arg-type]


def test_two_orders_of_one_quote_for_the_whole_of_it_are_a_duplicate_until_one_is_cancelled() -> None:
    s = quoted()
    takes(s, 10, "SO-1")
    takes(s, 20, "SO-2")
    assert both_ways(s).checks() == [("check.duplicate_order", "order:SO-2", instant(20), None)]
    s.does(None, 30, order="SO-1", milestone="order_cancelled")
    assert both_ways(s).checks() == [("check.duplicate_order", "order:SO-2", instant(20), instant(31))]


@pytest.mark.parametrize("amount", ["200.00", "100.00"])
def test_two_orders_that_share_a_quote_are_no_duplicate(amount: str) -> None:
    s = quoted(amount)
    each = "100.00" if amount == "200.00" else "50.00"
    takes(s, 10, "SO-1", each)
    takes(s, 20, "SO-2", each)
    assert both_ways(s).checks() == []


def test_an_order_that_was_cancelled_and_ordered_again_or_amended_repeats_nothing() -> None:
    s = quoted()
    takes(s, 10, "SO-1")
    s.does(None, 15, order="SO-1", milestone="order_cancelled")
    takes(s, 20, "SO-2")
    assert both_ways(s).checks() == []
    t = quoted()
    takes(t, 10, "SO-1")
    takes(t, 20, "SO-2", order_order="SO-1")
    assert both_ways(t).checks() == []


def test_without_a_quoted_amount_only_what_comes_within_a_day_is_a_duplicate() -> None:
    s = quoted(None)
    takes(s, 10, "SO-1")
    takes(s, 20, "SO-2")
    takes(s, 3 * DAY, "SO-3")
    assert [c[:2] for c in both_ways(s).checks()] == [("check.duplicate_order", "order:SO-2")]


def test_one_order_under_two_numbers_of_one_erp_was_booked_twice() -> None:
    s = ordered()
    s.does(None, 10, service="erp-de", order="SO-1", more={"sap.sales_order.id": "4500001"})
    s.does(None, 20, service="erp-de", order="SO-1", more={"sap.sales_order.id": "4500002"})
    rows = both_ways(s)
    assert rows.checks() == [("check.booked_twice", "order:SO-1", instant(21), None)]
    [shown] = rows.store.rows("exceptions", **EVERY, as_of=instant(60))
    assert shown["sentence"] == "SO-1 stands in erp-de as 4500001 and as 4500002."


def test_two_erps_an_amended_version_and_a_longer_form_of_a_number_are_no_second_booking() -> None:
    s = ordered()
    s.does(None, 10, service="erp-de", order="SO-1", more={"sap.sales_order.id": "4500001"})
    s.does(None, 20, service="erp-us", order="SO-1", more={"sap.sales_order.id": "4500009"})
    s.does(None, 30, service="erp-de", order="SO-1", more={"sap.sales_order.id": "4500003", "q2c.order.version": 2})
    s.does(None, 40, service="crm", order="SO-1", more={"salesforce.order.id": "801A00000000001"})
    s.does(None, 50, service="crm", order="SO-1", more={"salesforce.order.id": "801A00000000001AAB"})
    assert both_ways(s).checks() == []


EVERY = dict.fromkeys(("state", "class", "category", "owner_team", "group_id", "system")) | {"offset": 0, "limit": 50}
