"""Small random estates for hypothesis: few objects, so that they meet; every oddity that real ones have, far more often."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from tests.trace_model.store.spans_of import Span

POOL = {
    "q2c.customer.id": ["C-1", "C-2"],
    "q2c.quote.id": ["Q-1", "Q-2"],
    "q2c.order.id": ["SO-1", "SO-2", "SO-3"],
    "q2c.shipment.id": ["SH-1", "SH-2"],
    "q2c.invoice.id": ["INV-1", "INV-2", "INV-3"],
    "q2c.payment.id": ["PAY-1", "PAY-2"],
    "q2c.credit_note.id": ["CN-1"],
    "sap.sales_order.id": ["4500001", "4500002"],
    "salesforce.order.id": ["801A", "801B"],
}
RELATIONS = {
    "q2c.order.quote": ["Q-1", "Q-2"],
    "q2c.order.order": ["SO-1", "SO-2"],
    "q2c.shipment.order": ["SO-1", "SO-2", "SO-3"],
    "q2c.invoice.order": ["SO-1", "SO-2", "SO-3"],
    "q2c.invoice.shipment": ["SH-1", "SH-2"],
    "q2c.payment.invoice": ["INV-1", "INV-2", "INV-3"],
    "q2c.credit_note.invoice": ["INV-1", "INV-2"],
}
OPERATIONS = [
    "crm.accept_quote", "crm.submit_order", "erp.create_order", "logistics.post_shipment", "billing.issue_invoice",
    "psp.apply_payment", "tax.determine", "nobody.declared_this",
]  # fmt: skip
PAUSE_WORDS = ["credit_hold", "credit_released", "waiting_for_customer", "customer_answered", "dispute", "hm"]
MILESTONES = ["order_cancelled", "invoice_credited", "payment_reversed", "payment_applied", "no_such_milestone"]


@st.composite
def attributes(draw: st.DrawFn) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(sorted(POOL)), max_size=2, unique=True)):
        some = draw(st.lists(st.sampled_from(POOL[name]), min_size=1, max_size=2, unique=True))
        said[name] = some if len(some) > 1 or draw(st.booleans()) else some[0]
    for name in draw(st.lists(st.sampled_from(sorted(RELATIONS)), max_size=1)):
        parents = draw(st.lists(st.sampled_from(RELATIONS[name]), min_size=1, max_size=3, unique=True))
        said[f"{name}.id"] = parents if len(parents) > 1 else parents[0]
        child = name.rsplit(".", 1)[0] + ".id"
        if child not in said and draw(st.integers(0, 3)):
            said[child] = draw(st.sampled_from(POOL[child]))
        if draw(st.booleans()):
            said[f"{name}.{draw(st.sampled_from(['amount', 'quantity']))}"] = [
                draw(st.sampled_from(["60.00", "40", "0.01", "33.34"])) for _ in parents
            ]
    if draw(st.booleans()):
        said["q2c.operation"] = draw(st.sampled_from(OPERATIONS))
    if draw(st.integers(0, 4)) == 0:
        said["q2c.milestone"] = draw(st.sampled_from(MILESTONES))
    if draw(st.booleans()):
        said["q2c.amount"] = draw(st.sampled_from(["100.00", "60", 33.34, "0.01", "a lot", "-5"]))
        said["q2c.currency"] = draw(st.sampled_from(["EUR", "USD", "JPY", "XXX"]))
    if draw(st.integers(0, 2)) == 0:
        said["q2c.quantity"] = draw(st.sampled_from([1, 2, 10]))
    if draw(st.booleans()):
        said["correlation_id"] = draw(st.sampled_from(["c-1", "c-2", "c-3"]))
    if draw(st.integers(0, 3)) == 0:
        said["q2c.region"] = draw(st.sampled_from(["EMEA", "AMER"]))
        said["q2c.product_line"] = draw(st.sampled_from(["hardware", "subscription"]))
    if draw(st.integers(0, 3)) == 0:
        said["server.address"] = draw(st.sampled_from(["erp-de", "erp-us", "psp"]))
    if draw(st.booleans()):
        said["q2c.outcome"] = draw(st.sampled_from(["retrying", "gave_up", "dead_lettered"]))
    if draw(st.integers(0, 5)) == 0:
        said["q2c.pause"] = draw(st.sampled_from(PAUSE_WORDS))
    if draw(st.integers(0, 5)) == 0:
        said["q2c.error.code"] = draw(st.sampled_from(["E1", "E2"]))
    return said


USUAL: list[dict[str, Any]] = [
    {"q2c.operation": "crm.submit_order", "q2c.order.id": "SO-1", "q2c.amount": "100.00", "q2c.currency": "EUR"},
    {"q2c.operation": "erp.create_order", "q2c.order.id": "SO-1"},
    {"q2c.operation": "erp.create_order", "q2c.order.id": "SO-1", "q2c.outcome": "retrying"},
    {"q2c.operation": "erp.create_order", "q2c.order.id": "SO-1", "sap.sales_order.id": "4500001"},
    {"q2c.operation": "erp.create_order", "sap.sales_order.id": "4500001"},
    {"q2c.operation": "erp.create_order", "q2c.order.id": "SO-2", "sap.sales_order.id": "4500001"},
    {"q2c.order.id": "SO-2", "correlation_id": "c-1"},
    {"q2c.quote.id": "Q-1", "correlation_id": "c-1"},
    {"q2c.invoice.id": "INV-1", "correlation_id": "c-1"},
    {"q2c.operation": "billing.issue_invoice", "q2c.invoice.id": "INV-1", "q2c.amount": "60", "q2c.currency": "EUR"},
    {"q2c.operation": "psp.apply_payment", "q2c.payment.id": "PAY-1", "q2c.payment.invoice.id": ["INV-1", "INV-2"]},
    {"q2c.milestone": "payment_reversed", "q2c.payment.id": "PAY-1"},
    {"q2c.operation": "credit.check", "q2c.order.id": "SO-1", "q2c.pause": "credit_hold"},
    {"q2c.operation": "credit.check", "q2c.order.id": "SO-1"},
    {"q2c.operation": "tax.determine"},
    {"q2c.operation": "psp.apply_payment"},
    {},
]
"""What spans of an estate usually say; chosen often, so that the same thing is tried, fails and succeeds again."""


@st.composite
def estates(draw: st.DrawFn, most: int = 14) -> list[Span]:
    """Distinct spans of up to three traces; parents may be missing, late, or go round in a circle."""
    spans: list[Span] = []
    for number in range(1, draw(st.integers(3, most)) + 1):
        at = draw(st.integers(0, 12))
        spans.append(
            Span(
                trace=draw(st.integers(1, 3)),
                span=number,
                name=draw(st.sampled_from(["POST", "GET"])),
                at=at,
                until=at + draw(st.integers(0, 3)),
                service=draw(st.sampled_from(["sync-engine", "crm", "erp-de", "erp-us"])),
                kind=draw(st.integers(1, 5)),
                error=draw(st.sampled_from([None, "boom"])),
                attributes=draw(st.one_of(st.sampled_from(USUAL), attributes())),
            )
        )
    return [span.but(parent=draw(parents(span, spans)), links=draw(span_links(span, spans))) for span in spans]


@st.composite
def parents(draw: st.DrawFn, span: Span, spans: list[Span]) -> int | None:
    near = [s.span for s in spans if s.trace == span.trace]
    how = draw(st.integers(0, 9))
    if how < 3:
        return None
    if how == 9:
        return draw(st.sampled_from([*near, 99]))
    # mostly an earlier one, so that traces are trees
    earlier: list[int | None] = [n for n in near if n < span.span]
    return draw(st.sampled_from(earlier or [None]))


@st.composite
def span_links(draw: st.DrawFn, span: Span, spans: list[Span]) -> tuple[tuple[int, int], ...]:
    if draw(st.integers(0, 3)):
        return ()
    pointed = draw(st.lists(st.sampled_from(spans), min_size=1, max_size=2, unique_by=lambda s: s.span))
    return tuple((s.trace, s.span) for s in pointed) + draw(st.sampled_from([(), ((9, 9),)]))


@st.composite
def deliveries(draw: st.DrawFn, spans: list[Span]) -> list[list[Span]]:
    """The same spans in any order and batching, some of them more than once."""
    again = draw(st.lists(st.sampled_from(spans), max_size=3))
    order = draw(st.permutations([*spans, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=3)))
    edges = [0, *cuts, len(order)]
    return [order[a:b] for a, b in pairwise(edges) if a < b]


Deed = tuple[str, str, str, bool, int]
"""Type and id of an object, the pause, whether it opens, and the second after T0."""


@st.composite
def deeds(draw: st.DrawFn) -> list[Deed]:
    """What operators do to clocks, as the service keeps it."""
    about = st.tuples(
        st.sampled_from(["order", "quote"]),
        st.sampled_from(["SO-1", "SO-2", "Q-1"]),
        st.sampled_from(["credit_hold", "waiting_for_customer"]),
        st.booleans(),
        st.integers(0, 15),
    )
    return draw(st.lists(about, max_size=3))
