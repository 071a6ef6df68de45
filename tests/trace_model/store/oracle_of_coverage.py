"""What is covered too much, worked out slowly in plain loops over documents. Shares no code with the SQL; docs/checks.md states the rules.

Documents are of one currency and no order recurs; shares that come out in cents only, so that no rounding has to be spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

TOLERANCE = Fraction(5, 1000)
COVERS = {"shipment": "shipment_posted", "invoice": "invoice_issued", "payment": "payment_applied"}
Finding = tuple[str, str, float, float | None]
"""Operation, order, from when, until when."""


@dataclass(frozen=True)
class Document:
    """A shipment (its `worth` in pieces), invoice, payment or credit note (in money), by which orders it is for, `shares` of each."""

    id: str
    kind: Literal["shipment", "invoice", "payment", "credit_note"]
    at: float
    worth: int
    shares: dict[str, Fraction] = field(default_factory=dict)
    taken_back_at: float | None = None


def too_much(orders: dict[str, tuple[int, int]], documents: Sequence[Document]) -> set[Finding]:
    """`orders`: what each is worth, and its pieces."""
    found = set()
    for order, (amount, pieces) in orders.items():
        mine = [d for d in documents if d.shares.get(order)]
        for kind, milestone in COVERS.items():
            whole = pieces if kind == "shipment" else amount
            instants = sorted(
                {d.at for d in mine if d.kind in (kind, "credit_note")}
                | {d.taken_back_at for d in mine if d.kind == kind and d.taken_back_at is not None}
            )
            began: float | None = None
            for at in instants:
                is_over = _part(mine, kind, order, whole, at) > 1 + TOLERANCE
                if is_over and began is None:
                    began = at
                elif not is_over and began is not None:
                    found.add((_operation(mine, kind, milestone, order, began), order, began, at))
                    began = None
            if began is not None:
                found.add((_operation(mine, kind, milestone, order, began), order, began, None))
    return found


def _part(mine: Sequence[Document], kind: str, order: str, whole: int, at: float) -> Fraction:
    """How much of the order documents of a kind cover at an instant. That a credit leaves less to pay makes nothing too much."""
    covered = Fraction(0)
    for d in mine:
        share = d.worth * d.shares[order]
        if d.kind == kind and d.at <= at:
            covered += share
        if d.kind == kind and d.taken_back_at is not None and d.taken_back_at <= at:
            covered -= share
        if d.kind == "credit_note" and kind == "invoice" and d.at <= at:
            covered -= share
    return covered / whole


def _operation(mine: Sequence[Document], kind: str, milestone: str, order: str, at: float) -> str:
    """A document that repeats an earlier one of the same amount is a duplicate; else it is too much."""
    made_it = next((d for d in mine if d.kind == kind and d.at == at), None)
    if made_it and any(
        d.kind == kind and d.at < at and d.worth * d.shares[order] == made_it.worth * made_it.shares[order]
        for d in mine
    ):
        return f"check.duplicate_{kind}"
    return f"check.over_{milestone}"
