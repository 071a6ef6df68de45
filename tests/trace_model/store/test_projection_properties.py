"""What must hold of any estate: the order, batching and repetition of spans never show, and nothing is lost in dividing."""

from __future__ import annotations

import os
from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trace_model.store.derived_rows import Rows, impatient, opened, told
from tests.trace_model.store.random_estates import deeds, deliveries, estates
from tests.trace_model.store.spans_of import Span, Story
from trace_model.store import projector

TIES = [
    ("invoice:INV-1", "order:SO-1"),
    ("invoice:INV-3", "shipment:SH-2"),
    ("payment:PAY-1", "invoice:INV-2"),
    ("shipment:SH-1", "order:SO-3"),
    ("order:SO-2", "quote:Q-2"),
]
"""What a person may tie; the objects may be there, come later, be another object's number, or never come."""

quick = settings(
    max_examples=int(os.environ.get("CASHTRAIL_EXAMPLES", "12")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@quick
@given(st.data())
def test_the_same_spans_give_the_same_rows_in_any_order_batching_and_repetition(data: st.DataObject) -> None:
    spans = data.draw(estates())
    batches = data.draw(deliveries(spans))
    done = data.draw(deeds())
    at_once, by_and_by = told(spans, by=impatient()), Rows(opened(impatient()))
    for deed in done:
        at_once.do(deed)
    early = data.draw(st.integers(0, len(done)))
    for number, batch in enumerate(batches):
        by_and_by.hear(batch)
        for deed in done[:early] if number == 0 else []:
            by_and_by.do(deed)
    for deed in done[early:] if batches else done:
        by_and_by.do(deed)
    assert_same(at_once, by_and_by)
    by_and_by.store.rebuild()
    assert_same(at_once, by_and_by)


@quick
@given(estates())
def test_a_rebuild_of_few_leads_at_a_time_gives_the_rows_of_one_of_all(spans: list[Span]) -> None:
    rows = told(spans, by=impatient())
    at_once = rows.every_table()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(projector, "LEADS_AT_ONCE", 1)
        rows.store.rebuild()
    assert rows.every_table() == at_once


@quick
@given(st.data())
def test_a_link_by_hand_holds_whenever_it_is_made_and_leaves_nothing_when_it_is_taken_back(data: st.DataObject) -> None:
    spans = data.draw(estates())
    batches = data.draw(deliveries(spans))
    child, parent = data.draw(st.sampled_from(TIES))
    after, early, taken_back = told(spans, by=impatient()), told(by=impatient()), data.draw(st.booleans())
    untouched = after.every_table()
    after.tie(child, parent)
    early.tie(child, parent)
    for batch in batches:
        early.hear(batch)
    assert_same(after, early)
    early.store.rebuild()
    assert_same(after, early)
    if taken_back:
        after.tie(child, parent, "unlink")
        assert after.every_table() == untouched
        assert after.store.first_broken_action() is None


@quick
@given(estates())
def test_the_shares_of_a_child_over_its_parents_of_one_type_add_up_to_one(spans: list[Span]) -> None:
    whole: dict[tuple[object, ...], float] = defaultdict(float)
    for link in told(spans).links_of_all_kinds():
        whole[link["child_key"], link["parent_type"], link["kind"]] += link["share"]
    assert all(abs(share - 1) < 1e-9 for share in whole.values())


@quick
@given(
    st.sampled_from([("EUR", 2), ("JPY", 0), ("KWD", 3)]),
    st.decimals(0, 10_000_000, places=3),
    st.lists(st.decimals("0.01", 1000, places=2), min_size=1, max_size=7),
    st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True), min_size=1, max_size=3),
)
def test_a_payment_divided_over_invoices_and_orders_adds_up_to_the_last_minor_unit(
    money: tuple[str, int], amount: Decimal, weights: list[Decimal], invoices: list[list[int]]
) -> None:
    """Two levels down: the payment over its invoices by amount, each invoice over its orders by amount."""
    currency, digits = money
    amount = round(amount, digits)
    story = Story()
    for number, orders in enumerate(invoices):
        parts = [weights[o % len(weights)] for o in orders]
        story.does(
            "billing.issue_invoice", number, invoice=f"INV-{number}", amount="1.00",
            invoice_order=[f"SO-{o}" for o in orders], more={"q2c.invoice.order.amount": [str(p) for p in parts]},
        )  # fmt: skip
    story.does(
        "psp.apply_payment", 9, payment="PAY-1", payment_invoice=[f"INV-{n}" for n in range(len(invoices))],
        amount=str(amount), currency=currency,
        more={"q2c.payment.invoice.amount": [str(weights[n % len(weights)]) for n in range(len(invoices))]},
    )  # fmt: skip
    rows = told(story.spans)
    parts_of_leads = [rows.members(lead)["payment:PAY-1"] for lead in rows.leads()]
    assert sum(p["amount"] for p in parts_of_leads) == amount
    for part in parts_of_leads:
        assert round(part["amount"], digits) == part["amount"]
        assert abs(float(part["amount"]) - float(amount) * part["share"]) < len(invoices) * 10**-digits + 1e-6
    assert abs(sum(p["share"] for p in parts_of_leads) - 1) < 1e-9


def assert_same(one: Rows, other: Rows) -> None:
    left, right = one.every_table(), other.every_table()
    for name in left:
        assert left[name] == right[name], name
