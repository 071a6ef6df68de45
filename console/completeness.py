"""The steps of the path over all periods, entities and currencies: what `reads/completeness.sql` says, added up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

REASONS = ("in_transit", "exception", "in_part", "not_seen", "passed_over", "lessened", "more")
_COUNTS = ("count", "due_count", *(f"{reason}_count" for reason in REASONS))


def steps(rows: Iterable[dict[str, Any]], path: Iterable[str]) -> list[dict[str, Any]]:
    """One row for each step of `path` that any of `rows` has, in its order; amounts in reporting currency.

    >>> row = {"milestone": "a", "label": "A", "owner_team": "t", "amount_reporting": 7, "due_reporting": 9}
    >>> row |= {name: 1 for name in _COUNTS} | {f"{reason}_reporting": 0 for reason in REASONS}
    >>> [(step["milestone"], step["count"], step["due_amount"]) for step in steps([row, row], ["b", "a"])]
    [('a', 2, 18)]
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        step = found.setdefault(
            row["milestone"], {"milestone": row["milestone"], "label": row["label"], "owner_team": row["owner_team"]}
        )
        for name in _COUNTS:
            step[name] = step.get(name, 0) + row[name]
        step["amount"] = step.get("amount", 0) + row["amount_reporting"]
        step["due_amount"] = step.get("due_amount", 0) + row["due_reporting"]
        for reason in REASONS:
            step[f"{reason}_amount"] = step.get(f"{reason}_amount", 0) + row[f"{reason}_reporting"]
    return [found[name] for name in path if name in found]
