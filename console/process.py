"""The two halves of what `reads/process_map.sql` says: the steps that orders took, and the ways in which they deviate. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]
_STEP = ("from_milestone", "to_milestone", "kind", "order_count", "amount", "median_s", "failed_count", "passing_count")
_DEVIATION = ("kind", "milestone", "other", "order_count", "amount", "deviating_count")


def halves(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Steps and deviations, each with its own columns.

    >>> row = dict.fromkeys(_STEP + _DEVIATION)
    >>> steps, deviations = halves([row | {"from_milestone": "a"}, row | {"milestone": "b"}])
    >>> steps[0]["from_milestone"], deviations[0]["milestone"], "other" in steps[0]
    ('a', 'b', False)
    """
    steps, deviations = [], []
    for row in rows:
        if row["milestone"] is None:
            steps.append({name: row[name] for name in _STEP})
        else:
            deviations.append({name: row[name] for name in _DEVIATION})
    return steps, deviations
