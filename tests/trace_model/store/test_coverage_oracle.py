"""What is shipped, billed or paid too much is what a slow, obvious reading of the same documents finds, however they come in."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.oracle_of_coverage import Document, Finding, too_much
from tests.trace_model.store.spans_of import Story, instant
from tests.trace_model.store.test_checks_oracle import batches


def commerce(by: random.Random) -> tuple[Story, dict[str, tuple[int, int]], list[Document]]:
    """Three orders with shipments, invoices for one or two of them, payments for one or two invoices, and what is taken back or credited."""
    s = Story()
    orders = {f"SO-{n}": (by.choice((100, 200)), 10) for n in range(3)}
    for order, (amount, pieces) in orders.items():
        s.does("crm.submit_order", 0, order=order, amount=amount, quantity=pieces)
    clock = iter(by.sample(range(10, 2000, 5), 60))
    documents: list[Document] = []
    for n in range(by.randint(3, 5)):
        order, pieces, at = by.choice(list(orders)), by.choice((5, 7, 10)), next(clock)
        back = next(clock) if by.random() < 0.3 else None
        s.does("logistics.post_shipment", at, shipment=f"SH-{n}", shipment_order=order, quantity=pieces)
        if back is not None:
            s.does(None, back, shipment=f"SH-{n}", milestone="shipment_returned", quantity=pieces)
        documents.append(Document(f"SH-{n}", "shipment", at + 1, pieces, {order: Fraction(1)}, back and back + 1))
    invoices: list[Document] = []
    for n in range(by.randint(4, 6)):
        amount, at = by.choice((50, 100, 100, 200)), next(clock)
        parts = by.sample(list(orders), by.choice((1, 1, 2)))
        weights = by.choice(((1, 1), (1, 4), (3, 2)))[: len(parts)]
        shares = {order: Fraction(w, sum(weights)) for order, w in zip(parts, weights, strict=True)}
        said = {"q2c.invoice.order.amount": [float(amount * share) for share in shares.values()]}
        s.does("billing.issue_invoice", at, invoice=f"INV-{n}", invoice_order=parts, amount=amount, more=said)
        invoices.append(Document(f"INV-{n}", "invoice", at + 1, amount, shares))
    documents += invoices
    for n in range(by.randint(3, 6)):
        of, amount, at = by.sample(invoices, by.choice((1, 1, 2))), by.choice((50, 100, 200)), next(clock)
        shares = {}
        for invoice in of:
            for order, share in invoice.shares.items():
                part = Fraction(invoice.worth, sum(i.worth for i in of))
                shares[order] = shares.get(order, Fraction(0)) + share * part
        back = next(clock) if by.random() < 0.3 else None
        s.does("psp.apply_payment", at, payment=f"PAY-{n}", payment_invoice=[i.id for i in of], amount=amount)
        if back is not None:
            s.does(None, back, payment=f"PAY-{n}", milestone="payment_reversed", amount=amount)
        documents.append(Document(f"PAY-{n}", "payment", at + 1, amount, shares, back and back + 1))
    for n in range(by.randint(0, 2)):
        of_one, at = by.choice(invoices), next(clock)
        amount = by.choice((of_one.worth, 50))
        s.does(
            None, at, credit_note=f"CN-{n}", credit_note_invoice=of_one.id, milestone="invoice_credited", amount=amount
        )
        documents.append(Document(f"CN-{n}", "credit_note", at + 1, amount, of_one.shares))
    return s, orders, documents


def derived(rows: Rows) -> set[tuple[Any, ...]]:
    return {(operation, name.partition(":")[2], began, ended) for operation, name, began, ended in rows.checks()}


def shown(found: set[Finding]) -> set[tuple[Any, ...]]:
    return {
        (what, order, instant(began), None if ended is None else instant(ended)) for what, order, began, ended in found
    }


@pytest.mark.parametrize("seed", range(4))
def test_what_is_too_much_is_what_a_slow_reading_finds(seed: int) -> None:
    by = random.Random(seed)
    story, orders, documents = commerce(by)
    expected = shown(too_much(orders, documents))
    assert expected
    rows = told(*batches(story.spans, by))
    assert derived(rows) == expected
    rows.store.rebuild()
    assert derived(rows) == expected


@pytest.mark.parametrize("seed", range(4))
def test_how_far_a_step_is_covered_is_said_by_what_had_happened_then(seed: int) -> None:
    """Once all has happened as it is derived; before, as it would be without what came later."""
    story, orders, documents = commerce(random.Random(seed))
    rows = told(story.spans)
    leads = {t["lead_id"]: t["lead_key"] for t in rows.ask("from timelines")}
    said = ("milestone", "coverage", "covered_amount", "covered_quantity", "undone_at")

    def read(order: str, as_of: Any) -> dict[str, tuple[Any, ...]]:
        found = rows.store.rows("timeline_milestones", lead_key=leads[order], as_of=as_of)
        return {m["milestone"]: tuple(m[name] for name in said) for m in found if m["reached_at"] is not None}

    for order in orders:
        stored = rows.ask("from timeline_milestones where lead_key = ? and reached_at is not null", [leads[order]])
        assert read(order, instant(100_000)) == {m["milestone"]: tuple(m[name] for name in said) for m in stored}
    for shipment in (d for d in documents if d.kind == "shipment" and d.taken_back_at is not None):
        (order,) = shipment.shares
        there = sum(
            d.worth
            for d in documents
            if d.kind == "shipment" and order in d.shares and d.at < shipment.taken_back_at
            and not (d.taken_back_at is not None and d.taken_back_at < shipment.taken_back_at)
        )  # fmt: skip
        _, coverage, _, pieces, undone_at = read(order, instant(shipment.taken_back_at - 0.5))["shipment_posted"]
        assert pieces == there
        assert coverage == ("over" if there > 10 else "complete" if there == 10 else "partial")
        assert undone_at is None or undone_at < instant(shipment.taken_back_at)
