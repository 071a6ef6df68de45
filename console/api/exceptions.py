"""Exceptions, their groups, and the deeds on groups."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict

from console.access import Right
from console.api.asking import Asker, AsOf, Cursor, Limit, Reading
from console.api.timelines import exception_as_dict
from console.api.wire import instant, offset_of, page, plain
from console.resources import current
from trace_model.errors import UnknownThing

router = APIRouter(tags=["exceptions"])
FailureClass = Literal["business", "technical", "dependency", "unknown"]


@router.get("/exceptions")
def exceptions(
    r: Reading,
    at: AsOf,
    state: Literal["open", "resolved", "all"] = "open",
    class_: Annotated[FailureClass | None, Query(alias="class")] = None,
    category: str | None = None,
    owner_team: str | None = None,
    group_id: str | None = None,
    system: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """One row per exception, most money first, then oldest."""
    offset = offset_of(cursor)
    rows = r.store.rows(
        "exceptions", as_of=at, state=None if state == "all" else state, category=category, owner_team=owner_team, group_id=group_id,
        system=system, limit=limit, offset=offset, **{"class": class_},
    )  # fmt: skip
    return page(
        "exceptions", [exception_as_dict(e) for e in rows], offset, limit, at, rows[0]["total_count"] if rows else 0
    )


@router.get("/exceptions/{exception_id}")
def exception(r: Reading, who: Asker, at: AsOf, exception_id: str) -> dict[str, Any]:
    """One exception with what it holds up, its attempts and episodes, the same elsewhere, and what fixed it before.

    The payload that failed and the last good one are there for those who may read payloads.
    """
    rows = r.store.rows("exception", exception_id=exception_id, as_of=at)
    if not rows:
        raise UnknownThing(f"no exception '{exception_id}' had opened as of {instant(at)}")
    e = rows[0]

    def ask(question: str) -> list[dict[str, Any]]:
        return r.store.rows(question, exception_id=exception_id, group_id=e["group_id"], limit=50, as_of=at)

    stake = (
        "milestone",
        "promise_label",
        "promise_state",
        "due_at",
        "lead_amount",
        "lead_currency",
        "runbook",
        "is_uncertain",
    )
    return {
        **exception_as_dict(e),
        **plain({key: e[key] for key in stake}),
        "customer": e["customer_name"] or e["customer_id"],
        "attempts": plain(ask("exception_attempts")),
        "episodes": plain(ask("exception_episodes")),
        "elsewhere": plain(ask("exception_elsewhere")),
        "fixes": plain(ask("exception_fixes")),
        "payloads": plain(ask("exception_payloads")) if who.may(Right.READ_PAYLOADS) else None,
        "as_of": instant(at),
    }


@router.get("/exception-groups")
def exception_groups(
    r: Reading,
    at: AsOf,
    class_: Annotated[FailureClass | None, Query(alias="class")] = None,
    category: str | None = None,
    owner_team: str | None = None,
    system: str | None = None,
    include_snoozed: bool = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """The exception queue: one row per group with an open exception, most money first, then oldest."""
    offset = offset_of(cursor)
    rows = r.store.rows(
        "exception_groups", as_of=at, category=category, owner_team=owner_team, system=system, include_snoozed=include_snoozed,
        limit=limit, offset=offset, **{"class": class_},
    )  # fmt: skip
    total = rows[0]["total_count"] if rows else 0
    return page(
        "groups", [{k: v for k, v in row.items() if k != "total_count"} for row in rows], offset, limit, at, total
    )


class GroupDeed(BaseModel):
    """A deed's reason and particulars: `team` and `person` for assign, `until` for snooze, `class` and `category` for reclassify."""

    model_config = ConfigDict(extra="allow")
    reason: str = ""


@router.post("/exception-groups/{group_id}/{deed}")
def act(
    who: Asker,
    group_id: str,
    deed: Literal["acknowledge", "assign", "snooze", "resolve", "reclassify", "note"],
    body: Annotated[GroupDeed, Body()],
) -> dict[str, Any]:
    """Does one deed on a group; answers the audit entry."""
    action = current().deeds.on_group(who, deed, group_id, body.reason, body.model_extra)
    shape: dict[str, Any] = plain(
        {
            "action_no": action.action_no,
            "deed": action.deed,
            "group_id": group_id,
            "actor": action.actor,
            "acted_at": instant(action.acted_at),
            "hash": action.hash,
        }
    )
    return shape
