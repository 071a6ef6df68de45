"""Exceptions, their groups, and the deeds on groups."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict

from console import owner_rules
from console.access import Right
from console.api.asking import Asker, AsOf, Cursor, Limit, Reading
from console.api.timelines import exception_as_dict
from console.api.wire import instant, offset_of, page, plain
from console.resources import current
from console.saved_views import ROOM, SavedViews
from trace_model.catalogue.check_rules import ExceptionKind, advice
from trace_model.errors import UnknownThing
from trace_model.store.actions import Action

router = APIRouter(tags=["exceptions"])
Kind = Annotated[ExceptionKind | None, Query(description="failed operations, or what a check found")]
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
    outage_id: str | None = None,
    kind: Kind = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """One row per exception, most money first, then oldest."""
    offset = offset_of(cursor)
    rows = r.store.rows(
        "exceptions", as_of=at, state=None if state == "all" else state, category=category, owner_team=owner_team, group_id=group_id,
        system=system, outage_id=outage_id, kind=kind, limit=limit, offset=offset, **{"class": class_},
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
    stands = e["lead_key"] if e["kind"] == "stuck_flow" else None

    def ask(question: str) -> list[dict[str, Any]]:
        return r.store.rows(
            question, exception_id=exception_id, group_id=e["group_id"], lead_key=stands, limit=50, as_of=at
        )

    stake = (
        "milestone",
        "promise_label",
        "promise_state",
        "due_at",
        "lead_amount",
        "lead_currency",
        "runbook",
        "target_state",
        "target_evidence",
    )
    return {
        **exception_as_dict(e),
        **plain({key: e[key] for key in stake}),
        "is_uncertain": e["kind"] == "unknown_status",
        "customer": e["customer_name"] or e["customer_id"],
        "attempts": plain(ask("exception_attempts")),
        "episodes": plain(ask("exception_episodes")),
        "elsewhere": plain(ask("exception_elsewhere")),
        "fixes": plain(ask("exception_fixes")),
        "payloads": plain(ask("exception_payloads")) if who.may(Right.READ_PAYLOADS) else None,
        "as_of": instant(at),
    }


class Inquiry(BaseModel):
    """Why the target is asked."""

    model_config = ConfigDict(extra="forbid")
    reason: str = ""


@router.post("/exceptions/{exception_id}/probe")
def probe(who: Asker, exception_id: str, body: Annotated[Inquiry, Body()]) -> dict[str, Any]:
    """Asks the target whether it has what no answer came to; answers its word and the audit entry."""
    action = current().replays.inquiries.ask(who, exception_id, body.reason)
    told = json.loads(action.detail)
    return {
        "action_no": action.action_no,
        "exception_id": exception_id,
        "actor": action.actor,
        "acted_at": instant(action.acted_at),
        **{name: told[name] for name in ("state", "evidence", "flow_stands", "engine")},
    }


@router.get("/exception-groups")
def exception_groups(
    r: Reading,
    at: AsOf,
    class_: Annotated[FailureClass | None, Query(alias="class")] = None,
    category: str | None = None,
    owner_team: str | None = None,
    system: str | None = None,
    owner_person: str | None = None,
    state: Literal["new", "ongoing", "escalating", "regressed", "snoozed"] | None = None,
    outage_id: str | None = None,
    tag: str | None = None,
    kind: Kind = None,
    min_amount: Decimal | None = None,
    include_snoozed: bool = False,
    sort: Literal["money", "time", "oldest", "latest"] = "money",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """The exception queue: one row per group with an open exception; by default most money first, then least time, then oldest."""
    offset = offset_of(cursor)
    rows = r.store.rows(
        "exception_groups", as_of=at, category=category, owner_team=owner_team, system=system, owner_person=owner_person, group_state=state,
        outage_id=outage_id, tag=tag, kind=kind, min_amount=min_amount,
        include_snoozed=include_snoozed, sort=sort, limit=limit, offset=offset,
        **{"class": class_},
    )  # fmt: skip
    total = rows[0]["total_count"] if rows else 0
    return page("groups", [_group(row) for row in rows], offset, limit, at, total)


@router.get("/outages")
def outages(
    r: Reading,
    at: AsOf,
    system: str | None = None,
    days: Annotated[int, Query(ge=1, le=3660)] = 30,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Outages found, ongoing ones first, then the latest: since when, until when, and what they hold up."""
    offset = offset_of(cursor)
    rows = r.store.rows("outages", as_of=at, system=system, outage_id=None, days=days, limit=limit, offset=offset)
    total = rows[0]["total_count"] if rows else 0
    return page("outages", [_without_total(row) for row in rows], offset, limit, at, total)


@router.get("/outages/{outage_id}")
def outage(r: Reading, at: AsOf, outage_id: str, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """One outage with a page of the exceptions that failed in it, open ones first, then most money."""
    found = r.store.rows("outages", as_of=at, system=None, outage_id=outage_id, days=36_600, limit=1, offset=0)
    if not found:
        raise UnknownThing(f"no outage '{outage_id}' is known as of {instant(at)}")
    offset = offset_of(cursor)
    rows = r.store.rows("outage_members", as_of=at, outage_id=outage_id, limit=limit, offset=offset)
    total = rows[0]["total_count"] if rows else 0
    members = page("members", [_without_total(row) for row in rows], offset, limit, at, total)
    return {**plain(_without_total(found[0])), **members}


def _group(row: dict[str, Any]) -> dict[str, Any]:
    return _without_total(row) | {"advice": advice(row["kind"], row["runbook"])}


def _without_total(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "total_count"}


Deed = Literal["acknowledge", "assign", "snooze", "wake", "resolve", "reclassify", "tag", "link", "note"]


class GroupDeed(BaseModel):
    """A deed's reason and particulars: `team`, `person` for assign; `until`, `count`, `amount`, `healthy` for snooze; `class`,
    `category` for reclassify; `tags` for tag; `ticket` for link."""

    model_config = ConfigDict(extra="allow")
    reason: str = ""


class BulkDeed(GroupDeed):
    """The same deed on up to a thousand groups: on all of them, or on none."""

    group_ids: list[str]


@router.post("/exception-groups/{deed}")
def act_on_all(who: Asker, deed: Deed, body: Annotated[BulkDeed, Body()]) -> dict[str, Any]:
    """Does one deed on many groups; answers the audit entries."""
    done = current().deeds.on_groups(who, deed, body.group_ids, body.reason, body.model_extra)
    return {"actions": [_entry(action) for action in done]}


@router.post("/exception-groups/{group_id}/{deed}")
def act(who: Asker, group_id: str, deed: Deed, body: Annotated[GroupDeed, Body()]) -> dict[str, Any]:
    """Does one deed on a group; answers the audit entry. Naming an unknown (reclassify with a category) answers a rule proposal too."""
    return _entry(current().deeds.on_group(who, deed, group_id, body.reason, body.model_extra))


def _entry(action: Action) -> dict[str, Any]:
    shape: dict[str, Any] = plain(
        {
            "action_no": action.action_no,
            "deed": action.deed,
            "group_id": action.subject_id,
            "actor": action.actor,
            "acted_at": instant(action.acted_at),
            "hash": action.hash,
            "proposal": json.loads(action.detail).get("proposal"),
        }
    )
    return shape


@router.get("/classes")
def classes(r: Reading, at: AsOf, days: Annotated[int, Query(ge=1, le=3660)] = 30) -> dict[str, Any]:
    """How verdicts stood up to people's corrections, by class, system and rule; and the rules proposed from what people named."""
    return {
        "confusion": plain(r.store.rows("class_confusion", as_of=at, days=days)),
        "systems": plain(r.store.rows("class_systems", as_of=at, days=days)),
        "rules": plain(r.store.rows("class_rules", as_of=at, days=days)),
        "proposals": plain(r.store.rows("rule_proposals", as_of=at)),
        "as_of": instant(at),
    }


class OwnerTrial(BaseModel):
    """Owner rules as under `owners` in the catalogue, as JSON."""

    rules: list[dict[str, Any]]


@router.post("/owner-rules/trial")
def owner_trial(
    r: Reading, at: AsOf, body: OwnerTrial, days: Annotated[int, Query(ge=1, le=366)] = 30
) -> dict[str, Any]:
    """Who would have got the failures of the last days under these rules; nothing is changed."""
    rows = owner_rules.trial(r.store, owner_rules.checked(body.rules, r.store.catalogue), as_of=at, days=days)
    return {"owners": plain(rows), "as_of": instant(at)}


class View(BaseModel):
    """A name for the queue's filters, as its address writes them: `class=business&sort=time`."""

    name: str
    query: str
    shared: bool = False


@router.get("/saved-views")
def saved_views(r: Reading, who: Asker, at: AsOf) -> dict[str, Any]:
    """The views of the queue that the asker saved, and shared ones, by name."""
    return {"views": plain(r.store.rows("saved_views", as_of=at, room=ROOM, actor=who.name)), "as_of": instant(at)}


@router.post("/saved-views")
def save_view(who: Asker, body: View) -> dict[str, Any]:
    """Keeps the view; one's own of the same name is replaced."""
    done = SavedViews(current().store).save(who, body.name, body.query, shared=body.shared)
    return {"view_id": done.subject_id}


@router.delete("/saved-views/{view_id}")
def drop_view(who: Asker, view_id: str) -> dict[str, Any]:
    """Drops a view that the asker saved."""
    return {"view_id": SavedViews(current().store).drop(who, view_id).subject_id}
