"""What ties spans and objects together, what is tied to nothing, and the deed of tying it by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict

from console.api.asking import Asker, AsOf, Cursor, Limit, Reading
from console.api.wire import instant, offset_of, page, plain, thing
from console.linking import Named
from console.resources import current

router = APIRouter(tags=["stitching"])
CANDIDATES_MOST = 3


@router.get("/stitching")
def stitching(r: Reading, at: AsOf, days: Annotated[int, Query(ge=1, le=3660)] = 30) -> dict[str, Any]:
    """Spans by day, system and the evidence that ties them to an object; links by their evidence; links made by hand."""
    return {
        "spans": plain(r.store.rows("stitching", as_of=at, days=days)),
        "links": plain(r.store.rows("stitching_links", as_of=at)),
        "by_hand": [
            {
                "child": _named(row, "child"),
                "parent": _named(row, "parent"),
                "actor": row["actor"],
                "acted_at": instant(row["acted_at"]),
                "reason": row["reason"],
            }
            for row in r.store.rows("stitching_by_hand", as_of=at)
        ],
        "as_of": instant(at),
    }


@router.get("/stitching/orphans")
def orphans(
    r: Reading,
    at: AsOf,
    system: str | None = None,
    type: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Objects tied to nothing above them, most money first, each with its nearest candidates and what speaks for them."""
    offset = offset_of(cursor)
    found = r.store.rows("stitching_orphans", as_of=at, system=system, object_type=type, limit=limit, offset=offset)
    near: dict[int, list[dict[str, Any]]] = {}
    for c in r.store.rows(
        "stitching_candidates", as_of=at, orphans=[o["object_key"] for o in found], most=CANDIDATES_MOST
    ):
        near.setdefault(c["orphan_key"], []).append(
            {
                "object": _named(c, "object"),
                "lead": thing(c["lead_type"], c["lead_id"], c["lead_scope"]),
                "score": c["score"],
                "reasons": c["reasons"],
                "seconds_apart": c["seconds_apart"],
                "amount": c["amount"],
                "currency": c["currency"],
            }
        )
    shown = [
        {
            "object": _named(o, "object"),
            "system": o["system"],
            "customer": o["customer"],
            "amount": o["amount"],
            "currency": o["currency"],
            "reporting_amount": o["reporting_amount"],
            "first_seen_at": o["first_seen_at"],
            "doubt": o["doubt"],
            "candidates": near.get(o["object_key"], []),
        }
        for o in found
    ]
    return page("orphans", shown, offset, limit, at, found[0]["total_count"] if found else 0)


class ObjectName(BaseModel):
    """An object; `scope` where a system or legal entity tells two of one id apart."""

    model_config = ConfigDict(extra="forbid")
    type: str
    id: str
    scope: str | None = None


class Tie(BaseModel):
    """The child that is part of the parent, and why."""

    model_config = ConfigDict(extra="forbid")
    child: ObjectName
    parent: ObjectName
    reason: str = ""


@router.post("/links/{deed}")
def act(who: Asker, deed: Literal["link", "unlink"], body: Annotated[Tie, Body()]) -> dict[str, Any]:
    """Ties two objects by hand, or takes that back; answers the audit entry. Timelines show it at once."""
    child, parent = (Named(o.type, o.id, o.scope) for o in (body.child, body.parent))
    action = current().linking.do(who, deed, child, parent, body.reason)
    shape: dict[str, Any] = plain(
        {
            "action_no": action.action_no,
            "deed": action.deed,
            "subject": action.subject_id,
            "actor": action.actor,
            "acted_at": action.acted_at,
            "hash": action.hash,
        }
    )
    return shape


def _named(row: dict[str, Any], prefix: str) -> dict[str, str]:
    named = {"type": row[f"{prefix}_type"], "id": row[f"{prefix}_id"]}
    scope = row.get("scope") if prefix == "object" else row[f"{prefix}_scope"]
    return named | ({"scope": scope} if scope else {})
