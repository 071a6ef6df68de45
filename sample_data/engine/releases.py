"""Releases of the sync engine, and what each does to the payloads that it sends: a field goes, or is of another type.

Nothing fails by it: whoever reads that field finds out, or does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FIRST = "1.0.0"


@dataclass(frozen=True)
class Change:
    """What a release does to the payloads of an operation. `now`: the type of the field at `path` from then on; None: it is gone."""

    operation: str
    path: str
    now: str | None
    made: Callable[[dict[str, Any]], dict[str, Any]]

    def as_json(self) -> dict[str, str | None]:
        return {"operation": self.operation, "path": self.path, "now": self.now}


def _without_terms(invoice: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in invoice.items() if name != "payment_terms"}


def _prices_as_numbers(order: dict[str, Any]) -> dict[str, Any]:
    return order | {"lines": [line | {"unit_price": float(line["unit_price"])} for line in order["lines"]]}


CHANGES: dict[str, tuple[Change, ...]] = {
    FIRST: (),
    "1.1.0": (
        Change("billing.issue_invoice", "payment_terms", None, _without_terms),
        Change("crm.submit_order", "lines[].unit_price", "number", _prices_as_numbers),
    ),
}
