"""What an order that does not move waits for, in words: the reason guessed from what was last seen, whose move it is, and which. Pure.

The reason is decided in `reads/standstills.sql`; the API and the screen say it by these words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Standstill:
    """`reason` is a guess and says from what; `action` is the next move of `owner_team`."""

    reason: str
    action: str
    owner_team: str


def explain(row: Mapping[str, Any], as_of: datetime) -> Standstill | None:
    """The words for a row of `standstills`; None where nothing is expected next.

    >>> from datetime import UTC
    >>> row = {"reason": "no_data", "system_label": "ERP", "system_seen_at": datetime(2026, 3, 2, 9, 20, tzinfo=UTC),
    ...     "system_owner": "platform", "label": "Order accepted"}
    >>> explain(row, datetime(2026, 3, 2, 10, tzinfo=UTC)).reason
    "No data from ERP for 40 min: 'Order accepted' may have happened unseen."
    """
    label, system, owner = row.get("label"), row.get("system_label"), row.get("owner_team") or ""
    match row["reason"]:
        case None:
            return None
        case "no_data":
            return Standstill(
                f"No data from {system} for {_length(row['system_seen_at'], as_of)}: '{label}' may have happened unseen.",
                f"Check how {system} sends its traces before asking anybody about the order.",
                row["system_owner"],
            )
        case "partly_done":
            return Standstill(
                f"'{label}' is done in part; nothing of the rest has been seen.",
                f"Ask {system} for the rest, or correct the order if none is to come.",
                owner,
            )
        case "not_resumed":
            return Standstill(
                f"It stopped after '{row['repaired_operation']}' succeeded again: the flow was not resumed behind it.",
                f"Resume the flow, or replay the step that leads to '{label}'.",
                owner,
            )
        case "dropped":
            passed = f"; {row['passed_count']:,} in the last 24 h" if row["passed_count"] else ""
            return Standstill(
                f"Other orders have reached '{label}' since{passed}: this one was lost on the way to {system}.",
                f"Look for it in {system}; where it is not there, replay the step that leads to '{label}'.",
                owner,
            )
        case _:
            since = f"since {row['passed_at']:%Y-%m-%d %H:%M} UTC" if row["passed_at"] else "yet"
            return Standstill(
                f"No order has reached '{label}' {since}: the way to {system} may stand.",
                f"Look at the interface to {system}, not at the order.",
                owner,
            )


def silence(row: Mapping[str, Any], as_of: datetime) -> str | None:
    """`No data from ERP for 40 min` where the system that is waited for is not heard of: not the same as no progress."""
    if not row["is_silent"]:
        return None
    return f"No data from {row['system_label']} for {_length(row['system_seen_at'], as_of)}"


def _length(seen_at: datetime, as_of: datetime) -> str:
    minutes = int((as_of - seen_at).total_seconds()) // 60
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
