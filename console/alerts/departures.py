"""Why a thing no longer deserves its alert, in one word and in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trace_model.store.alert_ledger import Departure


def departure(row: Mapping[str, Any]) -> Departure:
    """The departure that a row of `reads/alert_ceased.sql` tells."""
    because, detail = reason(row)
    return Departure(row["member_no"], row["alert_id"], because, detail)


def reason(row: Mapping[str, Any]) -> tuple[str, str]:
    """One word and one sentence. 'withdrawn' is said only where a late span shows that the alert should not have been.

    >>> from datetime import UTC
    >>> reason({"kind": "breach", "object_id": "SO-1", "clock_state": "met", "timeline_ended": None,
    ...     "stopped_at": datetime(2026, 3, 2, 10, tzinfo=UTC), "due_at": datetime(2026, 3, 2, 11, tzinfo=UTC)})
    ('withdrawn', 'SO-1 was on time: done 2026-03-02 10:00:00 UTC, due 2026-03-02 11:00:00 UTC; the report of it came late.')
    """
    match row["kind"]:
        case "breach" | "at_risk":
            return _of_clock(row)
        case "stuck":
            name = row["object_id"]
            if row["timeline_ended"]:
                return row["timeline_ended"], f"{name} is {row['timeline_ended']}."
            return "moved_on", f"{name} moves again or has something open against it that has its own alert."
        case "exception":
            return _of_failure(row)
        case "outage":
            return "recovered", f"{row['title']} no longer fails half of its calls."
        case "silent":
            return "heard", f"{row['title']} is heard from again."
        case "collector":
            return "heard", f"{row['object_id']} brings data again."
        case _:
            return "shorter", f"The queue of {row['title']} is within its limit again."


def _of_clock(row: Mapping[str, Any]) -> tuple[str, str]:
    name, state = row["object_id"], row["clock_state"]
    if state == "met" and row["kind"] == "breach":
        if row["timeline_ended"] == "cancelled":
            return (
                "withdrawn",
                f"{name} was cancelled before its deadline, {_at(row['due_at'])}; the report of it came late.",
            )
        times = f"done {_at(row['stopped_at'])}, due {_at(row['due_at'])}"
        return "withdrawn", f"{name} was on time: {times}; the report of it came late."
    if row["timeline_ended"] == "cancelled":
        return "cancelled", f"{name} is cancelled."
    if state == "met":
        return "kept", f"{name} made it: done {_at(row['stopped_at'])}, due {_at(row['due_at'])}."
    if state == "met_late":
        return "kept_late", f"{name} is done, late: {_at(row['stopped_at'])}, due {_at(row['due_at'])}."
    if row["timeline_ended"]:
        return row["timeline_ended"], f"{name} is {row['timeline_ended']}."
    if state == "breached":
        return "breached", f"{name} is past its deadline now."
    if state is None:
        return "withdrawn", f"{name} has no such deadline: later spans or a changed catalogue say so."
    return "withdrawn", f"{name} is not due before {_at(row['due_at'])}: later spans or a changed catalogue say so."


def _of_failure(row: Mapping[str, Any]) -> tuple[str, str]:
    name = row["object_id"]
    if row["failure_state"] == "resolved":
        return "healed", f"{name} has succeeded since, or was resolved by hand."
    if row["failure_state"] == "open":
        return "set_aside", f"{name} is snoozed, or part of an outage that has its own alert."
    return "succeeded_by", f"{name} has succeeded and failed anew, or is known by another id."


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
