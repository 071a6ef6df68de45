"""Reads about objects and their timelines: search, one timeline, lists."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Query
from pydantic import BaseModel, ConfigDict

from console import standstills
from console.access import Right
from console.api.asking import Asker, AsOf, Cursor, Limit, Reading
from console.api.wire import amount, instant, offset_of, page, plain, thing
from console.finding import objects_named, timelines_named
from console.resources import Resources, current
from trace_model.catalogue.check_rules import advice
from trace_model.errors import AmbiguousThing, UnknownThing
from trace_model.payload_diff import differences

router = APIRouter(tags=["timelines"])
Scope = Annotated[
    str | None, Query(max_length=200, description="whose id it is, where systems or legal entities use the same id")
]

CLOCK_FIELDS = (
    "promise", "started_at", "at_risk_at", "due_at", "stopped_at", "state", "paused_by", "target_s", "calendar", "withdrawn_at",
)  # fmt: skip
STATES = ("on_track", "at_risk", "breached", "stuck", "completed", "cancelled")


@router.get("/search")
def search(r: Reading, at: AsOf, q: Annotated[str, Query(max_length=200)], limit: Limit = 20) -> dict[str, Any]:
    """Objects whose id, id in another system or customer matches `q`, each with a lead object of its timeline."""
    rows = r.store.rows("search", q=q, limit=limit, as_of=at)
    return {
        "matches": [
            {
                "type": row["object_type"],
                "id": row["object_id"],
                **({"scope": row["scope"]} if row["scope"] else {}),
                "matched": row["matched"],
                "lead": thing(row["lead_type"], row["lead_id"], row["lead_scope"]),
                "lead_count": row["lead_count"],
            }
            for row in rows
        ],
        "as_of": instant(at),
    }


@router.get("/payloads/{type}/{id:path}")
def payloads(r: Reading, who: Asker, at: AsOf, type: str, id: str, scope: Scope = None) -> dict[str, Any]:
    """The payloads of a timeline, by its lead object: what was sent at each hop, and what changed since the hop before."""
    who.require(Right.READ_PAYLOADS)
    t = _the_timeline(r, at, type, id, scope)
    hops = r.store.rows("payload_lineage", lead_key=t["lead_key"], as_of=at)
    sent = {(h["trace_id"], h["span_id"]): h for h in hops}
    return {
        "lead": thing(t["lead_type"], t["lead_id"], t["scope"]),
        "hops": [_hop(h, sent.get((h["from_trace_id"], h["from_span_id"]))) for h in hops],
        "as_of": instant(at),
    }


def _hop(h: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    compared = json.loads(h["compared"]) if h["compared"] else []
    return {
        "hop": h["hop"],
        "object": thing(h["object_type"], h["object_id"]),
        "system": h["system"],
        "operation": h["operation"],
        "sent_at": instant(h["sent_at"]),
        "refused": h["is_error"],
        "trace_id": h["trace_id"],
        "span_id": h["span_id"],
        "payload": h["payload"],
        "compared_with": h["from_hop"],
        "fields": compared,
        "mismatch": h["is_different"],
        "differences": [vars(d) for d in differences(before["payload"], h["payload"])] if before else [],
    }


@router.get("/timelines/{type}/{id:path}")
def timeline(
    r: Reading,
    at: AsOf,
    type: str,
    id: str,
    scope: Scope = None,
) -> dict[str, Any]:
    """One timeline, by its lead object; an object that stands in exactly one timeline answers with that.

    300 with `choices` where the id is that of several objects: ask again with one's `scope`.
    """
    return timeline_as_dict(r, _the_timeline(r, at, type, id, scope), at)


def _the_timeline(r: Resources, at: datetime, type: str, id: str, scope: str | None) -> dict[str, Any]:
    """The one timeline that is meant. Raises AmbiguousThing with the choices, or UnknownThing with what is known instead."""
    rows = partial(r.store.rows, as_of=at)
    found = timelines_named(rows, type, id, scope)
    if len(found) > 1:
        choices = [{"type": t["lead_type"], "id": t["lead_id"], "scope": t["scope"]} for t in found]
        told = ", ".join(f"scope={t['scope']}" for t in found)
        raise AmbiguousThing(f"{type} '{id}' may mean {len(found)} timelines; ask for one: {told}", choices)
    if not found:
        held = objects_named(rows, type, id, scope)
        if held:
            raise UnknownThing(
                f"{type} '{id}' leads no timeline; it stands in {held[0]['lead_count']}, "
                f"one of them {held[0]['lead_type']} '{held[0]['lead_id']}'"
            )
        raise UnknownThing(f"no {type} '{id}' is known as of {instant(at)}")
    return found[0]


def timeline_as_dict(r: Resources, t: dict[str, Any], at: datetime) -> dict[str, Any]:
    """A row of `timeline` with everything that belongs to it, in the contract's shape."""

    def ask(question: str) -> list[dict[str, Any]]:
        return r.store.rows(question, lead_key=t["lead_key"], as_of=at)

    following = ask("next_milestone")
    still = r.store.rows("standstills", lead_keys=[t["lead_key"]], as_of=at)
    return {
        "lead": thing(t["lead_type"], t["lead_id"], t["scope"]),
        "state": t["state"],
        "amount": amount(t["amount"]),
        "currency": t["currency"],
        "reporting_amount": amount(t["reporting_amount"]),
        "reporting_currency": t["reporting_currency"],
        "quantity": amount(t["quantity"]),
        "customer": t["customer_name"] or t["customer_id"],
        "segments": {key: t[key] for key in ("region", "product_line", "legal_entity", "tier", "workflow")},
        "objects": [
            {
                "type": o["object_type"],
                "id": o["object_id"],
                "system": o["system"],
                "share": round(o["share"], 6),
                "amount": amount(o["amount"]),
                "currency": o["currency"],
                "shared_by": o["shared_by"],
            }
            for o in ask("timeline_objects")
        ],
        "links": [
            {
                "from": thing(k["from_type"], k["from_id"], k["from_scope"]),
                "to": thing(k["to_type"], k["to_id"], k["to_scope"]),
                "kind": k["kind"],
                "source": k["source"],
                "confidence": float(k["confidence"]),
                "amount": amount(k["amount"]),
                "quantity": amount(k["quantity"]),
                "first_seen_at": instant(k["seen_at"]),
            }
            for k in ask("timeline_links")
        ],
        "milestones": [
            {
                "name": m["milestone"],
                "reached_at": instant(m["reached_at"]),
                "object": thing(m["object_type"], m["object_id"]),
                "system": m["system"],
                "coverage": {
                    "state": m["coverage"],
                    "quantity": amount(m["covered_quantity"]),
                    "amount": amount(m["covered_amount"]),
                },
                "undone_at": instant(m["undone_at"]),
            }
            for m in ask("timeline_milestones")
            if m["reached_at"] is not None
        ],
        "clocks": [
            plain({k: c[k] for k in CLOCK_FIELDS}) | {"variant": variant_as_dict(c)} for c in ask("timeline_clocks")
        ],
        "pauses": plain(ask("timeline_pauses")),
        "exceptions": [exception_as_dict(e) for e in ask("timeline_exceptions")],
        "next": {
            "milestone": following[0]["milestone"],
            "due_at": instant(following[0]["due_at"]),
            "owner_team": following[0]["owner_team"],
            "system": following[0]["system"],
            **standstill_as_dict(still[0] if still else None, t["state"], at),
        }
        if following
        else None,
        "warnings": plain(ask("timeline_warnings")),
        "as_of": instant(at),
    }


def standstill_as_dict(row: dict[str, Any] | None, state: str, at: datetime) -> dict[str, Any]:
    """Silence of the system waited for; of a stuck timeline also the reason guessed, whose move it is, and which."""
    words = standstills.explain(row, at) if row and state == "stuck" else None
    return {
        "no_data": standstills.silence(row, at) if row else None,
        "reason": words.reason if words else None,
        "action": words.action if words else None,
    } | ({"owner_team": words.owner_team} if words else {})


def variant_as_dict(c: dict[str, Any]) -> dict[str, Any]:
    """Which variant of the promise counts, and why: what it names, and the less specific ones that hold too."""
    return {"name": c["variant"], "because": c["why"], "outranks": c["outranked"]}


class ClockDeed(BaseModel):
    """Why, which pause, and from when (RFC 3339; default: now)."""

    model_config = ConfigDict(extra="forbid")
    reason: str = ""
    pause: str
    at: str | None = None


@router.post("/timelines/{type}/{id:path}/{deed}")
def act(
    who: Asker,
    type: str,
    id: str,
    deed: Literal["pause", "resume"],
    body: Annotated[ClockDeed, Body()],
    scope: Scope = None,
) -> dict[str, Any]:
    """Opens or closes a pause of the timeline's clocks; answers the audit entry."""
    action = current().deeds.on_timeline(
        who, deed, type, id, body.reason, {"pause": body.pause, "at": body.at}, scope=scope
    )
    return {
        "action_no": action.action_no,
        "deed": action.deed,
        "timeline": thing(type, id, scope),
        "actor": action.actor,
        "acted_at": instant(action.acted_at),
        "hash": action.hash,
    }


def exception_as_dict(e: dict[str, Any]) -> dict[str, Any]:
    """A row of `exceptions`, `exception` or `timeline_exceptions` in the contract's shape."""
    shape: dict[str, Any] = {
        "exception_id": e["exception_id"],
        "group_id": e["group_id"],
        "kind": e["kind"],
        "class": e["class"],
        "category": e["category"],
        "transient": e["transient"],
        "confidence": e["confidence"],
        "rule": e["rule"],
        "facts": json.loads(e["facts"]),
        "sentence": e["sentence"],
        "advice": advice(e["kind"], e["runbook"]),
        "operation": e["operation"],
        "system": e["system"],
        "object": thing(e["object_type"], e["object_id"], e.get("object_scope")),
        "error_code": e["error_code"],
        "http_status": e["http_status"],
        "message": e["message"],
        "first_failed_at": instant(e["first_failed_at"]),
        "opened_at": instant(e["opened_at"]),
        "last_failed_at": instant(e["last_failed_at"]),
        "resolved_at": instant(e.get("resolved_at_then") or e.get("resolved_at")),
        "resolved_by": e.get("ended_with"),
        "attempt_count": e["attempt_count"],
        "episode": e["episode"],
        "state": e["state"],
        "owner_team": e["owner_team"],
        "owner_person": e["owner_person"],
        "outage_id": e["outage_id"],
        "trace_id": e["trace_id"],
        "span_id": e["span_id"],
    }
    if "lead_id" in e:
        shape |= {
            "lead": thing(e["lead_type"], e["lead_id"], e["lead_scope"]),
            "blocked_amount": amount(e["blocked_amount"]),
        }
    if e.get("touched_count"):
        shape |= {"touched_order_count": e["touched_count"], "touched_amount": amount(e["touched_amount"])}
    return shape


@router.get("/timelines")
def timelines(
    r: Reading,
    at: AsOf,
    state: Annotated[str | None, Query(description="one or several, comma-separated")] = None,
    promise: str | None = None,
    region: str | None = None,
    product_line: str | None = None,
    legal_entity: str | None = None,
    milestone: str | None = None,
    min_amount: Annotated[Decimal | None, Query(ge=0)] = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Timelines that match, most urgent first. `min_amount` is in reporting currency."""
    states = [s.strip() for s in state.split(",") if s.strip()] if state else None
    for s in states or []:
        if s not in STATES:
            raise HTTPException(422, f"state: '{s}' is none of {', '.join(STATES)}")
    offset = offset_of(cursor)
    rows = r.store.rows(
        "timelines", as_of=at, states=states, promise=promise, region=region, product_line=product_line,
        legal_entity=legal_entity, milestone=milestone, min_amount=min_amount, q=q, with_exception=None, limit=limit, offset=offset,
    )  # fmt: skip
    shown = [
        {
            "lead": thing(t["lead_type"], t["lead_id"], t["lead_scope"]),
            "state": t["state"],
            "amount": t["amount"],
            "currency": t["currency"],
            "reporting_amount": t["reporting_amount"],
            "customer": t["customer_name"] or t["customer_id"],
            "segments": {key: t[key] for key in ("region", "product_line", "legal_entity", "tier", "workflow")},
            "milestone": t["milestone"],
            "promise": t["promise"],
            "due_at": t["due_at"],
            "started_at": t["started_at"],
            "last_progress_at": t["last_progress_at"],
            "open_exception_count": t["open_exception_count"],
        }
        for t in rows
    ]
    return page("timelines", shown, offset, limit, at, rows[0]["total_count"] if rows else 0)
