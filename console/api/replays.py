"""Replay plans by API: the same service, guards and rights as the screen."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from console.access import Right
from console.api.asking import SETTLE_S, Asker, Limit
from console.api.wire import plain
from console.resources import current

router = APIRouter(tags=["replays"])


class PlanRequest(BaseModel):
    """What to replay: exceptions by id, or a whole group; dry run until executed."""

    model_config = ConfigDict(extra="forbid")
    exception_ids: list[str] | None = Field(default=None, max_length=10_000)
    group_id: str | None = None
    reason: str = ""
    patch: dict[str, Any] | None = None
    from_step: str | None = None
    data_fixed: bool = False


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
    shape: dict[str, Any] = plain(plan.as_dict())
    return shape


@router.get("/replay-plans")
def recent(who: Asker, limit: Limit = 50) -> dict[str, Any]:
    who.require(Right.READ)
    return {"plans": [plain(plan.as_dict()) for plan in current().replays.recent(limit)]}


@router.get("/replay-plans/{plan_id}")
def read(who: Asker, plan_id: str) -> dict[str, Any]:
    who.require(Right.READ)
    current().store.settle(SETTLE_S)
    shape: dict[str, Any] = plain(current().replays.get(plan_id).as_dict())
    return shape


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
    shape: dict[str, Any] = plain(move(who, plan_id, body.hash, body.reason).as_dict())
    return shape
