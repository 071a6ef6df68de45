"""Replay plans by API: the same service, guards and rights as the screen."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from console.access import Principal
from console.api.asking import SETTLE_S, Asker, AsOf, Cursor, Limit, Reading
from console.api.wire import PAGE_MOST, offset_of, page, plain
from console.replay.patching import masked
from console.resources import current
from trace_model.errors import UnknownThing
from trace_model.replays import Outcome
from trace_model.store.ledger import item_of

router = APIRouter(tags=["replays"])


class PlanRequest(BaseModel):
    """What to replay: exceptions by id, or a whole group; dry run until executed. `replaces` is the plan that this one edits."""

    model_config = ConfigDict(extra="forbid")
    exception_ids: list[str] | None = Field(default=None, max_length=10_000)
    group_id: str | None = None
    reason: str = ""
    patch: dict[str, Any] | None = None
    from_step: str | None = None
    data_fixed: bool = False
    replaces: str | None = None


class PlanDeed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    hash: str
    reason: str = ""


@router.post("/replay-plans", status_code=201)
def create(who: Asker, body: PlanRequest, response: Response) -> dict[str, Any]:
    """A frozen, hashed plan: what would be sent, what would be skipped and why. Nothing is sent."""
    current().store.settle(SETTLE_S)
    plan = current().replays.plan(who, **body.model_dump())
    response.headers["Location"] = f"/api/v1/replay-plans/{plan.plan_id}"
    return _seen_by(who, plan.as_dict())


@router.get("/replay-plans")
def recent(who: Asker, r: Reading, at: AsOf, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """The plans made until then, newest first, each with its totals but without its items."""
    offset = offset_of(cursor)
    rows = r.store.rows("replay_plans", plan_id=None, as_of=at, limit=limit, offset=offset)
    return page(
        "plans",
        [_seen_by(who, _summary(row)) for row in rows],
        offset,
        limit,
        at,
        rows[0]["total_count"] if rows else 0,
    )


@router.get("/replay-results")
def results(
    r: Reading,
    at: AsOf,
    by: Literal["cause", "runbook", "engine"] = "cause",
    days: Annotated[int, Query(ge=1, le=3650)] = 30,
) -> dict[str, Any]:
    """What became of the replays sent in the days before then, by cause, runbook or engine; most sent first."""
    rows = r.store.rows("replay_results", by=by, days=days, as_of=at)
    return {"by": by, "days": days, "results": plain(rows), "as_of": plain(at)}


@router.get("/replay-plans/{plan_id}")
def read(
    who: Asker,
    r: Reading,
    plan_id: str,
    outcome: Outcome | None = None,
    limit: Annotated[int | None, Query(ge=0, le=PAGE_MOST, description="items on this page; default all")] = None,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """The plan with its items in the order of sending, as they are known now; `limit=0` for its totals alone."""
    if limit is None and cursor is None and outcome is None:
        return _seen_by(who, current().replays.get(plan_id).as_dict())
    offset, most = offset_of(cursor), PAGE_MOST if limit is None else limit
    now = r.store.clock()
    found = r.store.rows("replay_plans", plan_id=plan_id, as_of=now, limit=1, offset=0)
    if not found:
        raise UnknownThing(f"there is no replay plan '{plan_id}'")
    rows = r.store.rows("replay_plan_items", plan_id=plan_id, outcome=outcome, limit=most, offset=offset)
    items = [item_of(row).as_dict() for row in rows]
    whole = _seen_by(who, _summary(found[0]) | {"items": items})
    return whole | page("items", whole["items"], offset, most, now, rows[0]["total_count"] if rows else 0)


def _seen_by(who: Principal, shape: dict[str, Any]) -> dict[str, Any]:
    """The plan on the wire, without what `who` may not read of its patches."""
    store, limits = current().store, current().replays.limits

    def hidden(patch: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if patch is None else masked(patch, store.catalogue, limits, who)

    seen = shape | {"patch": hidden(shape["patch"])}
    if "items" in shape:
        seen["items"] = [item | {"patch": hidden(item["patch"])} for item in shape["items"]]
    wire: dict[str, Any] = plain(seen)
    return wire


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name != "total_count"}
    return kept | {
        "patch": json.loads(row["patch"]) if row["patch"] else None,
        "totals": dict(row["totals"] or {}),
        "send_totals": dict(row["send_totals"] or {}),
    }


@router.post("/replay-plans/{plan_id}/{deed}")
def act(
    who: Asker, plan_id: str, deed: Literal["approve", "execute", "pause", "resume", "cancel"], body: PlanDeed
) -> dict[str, Any]:
    """Moves a plan; `hash` must be the plan's, so that only what was looked at is sent."""
    service = current().replays
    move = {
        "approve": service.approve,
        "execute": service.execute,
        "pause": service.pause,
        "resume": service.resume,
        "cancel": service.cancel,
    }[deed]
    return _seen_by(who, move(who, plan_id, body.hash, body.reason).as_dict())
