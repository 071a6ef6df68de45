"""Payloads are compared as a slow, obvious reading compares them, and mismatches begin and end when it says, however the payloads come in."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.oracle_of_payloads import FIELDS, Sent, comparisons, mismatches
from tests.trace_model.store.spans_of import Story, instant
from tests.trace_model.store.test_checks_oracle import batches

SEEDS = (0, 1, 3, 7)
OPERATIONS = {
    "quote": "cpq.validate_quote", "order": "crm.submit_order", "erp_order": "erp.create_order", "invoice": "billing.issue_invoice",
}  # fmt: skip
KEYS = {"amount": "amount", "quantity": "quantity", "currency": "currency", "tax": "tax_id", "terms": "payment_terms"}
USUAL = {"amount": "100.00", "quantity": "10", "currency": "EUR", "tax": "DE1", "terms": "NET30"}
ODD = {
    "amount": ("100.005", "120.00", "50.00"), "quantity": ("12", "5"), "currency": ("eur", "USD"), "tax": ("FR2",), "terms": ("net30", "NET90", "NET60"),
}  # fmt: skip


def sendings(by: random.Random) -> tuple[Story, dict[str, list[Sent]]]:
    """One or two orders of a quote whose payloads are sent along the flow, some again, some wrong, some without a field, some refused."""
    s = Story()
    orders = ["SO-1", "SO-2"][: by.choice((1, 1, 2))]
    payloads: dict[str, list[Sent]] = {order: [] for order in orders}
    clock = iter(sorted(by.sample(range(10, 5000, 7), 40)))
    said: dict[str, str] = dict(USUAL)

    def send(hop: str, of: list[str], object_: str, version: str = "1", **ids: Any) -> None:
        nonlocal said
        at = next(clock)
        # what went wrong is carried on, put right, or goes wrong in another way
        said = by.choice((said, USUAL))
        changed = {name: by.choice(ODD[name]) for name in FIELDS if by.random() < 0.15}
        said = said | changed
        now = {
            name: value
            for name, value in said.items()
            if by.random() < 0.95 and not (name == "tax" and hop in ("quote", "invoice"))
        }
        error = "refused" if by.random() < 0.1 else None
        more = {
            "q2c.payload": json.dumps({KEYS[name]: value for name, value in now.items()}),
            "q2c.order.version": version,
        }
        span = s.does(OPERATIONS[hop], at, error=error, more=more, **ids)
        less = hop == "invoice" or (hop == "order" and len(orders) > 1)
        for order in of if error is None else ():
            payloads[order].append(Sent(span.span, at + 1, hop, object_, version, now, less, len(of) > 1))

    # who belongs to whom does not hang on whether a payload was taken
    for order in orders:
        s.does(None, 0, order=order, order_quote="Q-1")
    if by.random() < 0.85:
        send("quote", orders, "Q-1", quote="Q-1")
    for _ in range(by.randint(2, 5)):
        order, version = by.choice(orders), by.choice(("1", "1", "2"))
        of = by.choice(([order], orders))
        invoice = f"INV-{'-'.join(of)}"
        for hop in ("order", "erp_order", "invoice"):
            if by.random() < 0.2:
                continue
            if hop == "invoice":
                send(hop, of, invoice, invoice=invoice, invoice_order=of)
            else:
                send(hop, [order], order, version, order=order)
    return s, payloads


def compared(rows: Rows) -> set[tuple[Any, ...]]:
    found = rows.ask(
        "select t.lead_id, c.hop, c.sent_at, c.from_hop, c.from_at, list_transform(c.fields, lambda f: f.state) as states "
        "from payload_comparisons c join timelines t using (lead_key) where t.lead_type = 'order'"
    )
    return {(r["lead_id"], r["hop"], r["sent_at"], r["from_hop"], r["from_at"], tuple(r["states"])) for r in found}


def found_mismatches(rows: Rows) -> set[tuple[Any, ...]]:
    found = [(name.partition(":")[2], *rest) for name, *rest in ((c[1], c[0], c[2], c[3]) for c in rows.checks())]
    return {f for f in found if f[1].startswith("check.mismatch")}


@pytest.mark.parametrize("seed", SEEDS)
def test_payloads_are_compared_as_a_slow_reading_compares_them(seed: int) -> None:
    by = random.Random(seed)
    story, payloads = sendings(by)
    expected = {
        (
            order,
            c.sent.hop,
            instant(c.sent.at),
            c.before.hop,
            instant(c.before.at),
            tuple(c.states[name] for name in FIELDS),
        )
        for order, sent in payloads.items()
        for c in comparisons(sent)
    }
    wrong = {
        (order, operation, instant(began), None if ended is None else instant(ended))
        for order, sent in payloads.items()
        for operation, began, ended in mismatches(sent)
    }
    assert expected
    rows = told(*batches(story.spans, by))
    assert compared(rows) == expected
    assert found_mismatches(rows) == wrong
    rows.store.rebuild()
    assert compared(rows) == expected
    assert found_mismatches(rows) == wrong


def test_some_of_the_flows_go_wrong_and_some_are_put_right() -> None:
    flows = [sent for seed in SEEDS for sent in sendings(random.Random(seed))[1].values()]
    found = [m for sent in flows for m in mismatches(sent)]
    assert any(ended is not None for _, _, ended in found)
    assert any(ended is None for _, _, ended in found)
    assert any("corrected" in c.states.values() for sent in flows for c in comparisons(sent))
