"""Alerts, and the deeds on them: acknowledge, silence, lift a silence, send again; the same as on the screen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from pydantic import AwareDatetime, BaseModel, ConfigDict

from console.alerts.deeds import AlertDeeds
from console.api.asking import Asker, AsOf, Cursor, Limit, Reading
from console.api.wire import instant, offset_of, page, plain
from console.resources import current
from trace_model.catalogue.alert_rules import Kind
from trace_model.store.actions import Action

router = APIRouter(tags=["alerts"])


@router.get("/alerts")
def alerts(
    r: Reading,
    at: AsOf,
    state: Literal["open", "ended"] | None = None,
    kind: Kind | None = None,
    owner_team: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """What was raised, for whom, whether anyone answered, and how many messages got through. Open first, then the latest."""
    offset = offset_of(cursor)
    asked = {"as_of": at, "alert_id": None, "state": state, "kind": kind, "owner_team": owner_team}
    rows = r.store.rows("alert_list", **asked, limit=limit, offset=offset)
    shown = [{k: v for k, v in row.items() if k not in ("total_count", "lead_key")} for row in rows]
    return page("alerts", shown, offset, limit, at, rows[0]["total_count"] if rows else 0)


@router.get("/alert-silences")
def silences(r: Reading, at: AsOf) -> dict[str, Any]:
    """The silences that hold: of what, until when, by whom and why."""
    return {"silences": plain(r.store.rows("alert_silences", as_of=at)), "as_of": instant(at)}


class AlertDeed(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: str = ""


class Silence(AlertDeed):
    """Of what, by at least one of its fields; until when; and why."""

    until: AwareDatetime
    kind: Kind | None = None
    owner_team: str | None = None
    system: str | None = None
    promise: str | None = None
    group_id: str | None = None
    cause_key: str | None = None


@router.post("/alerts/{alert_id}/acknowledge")
def acknowledge(who: Asker, alert_id: str, body: Annotated[AlertDeed, Body()]) -> dict[str, Any]:
    """Somebody answers for it, so that it is not escalated any more; answers the audit entry."""
    return _entry(AlertDeeds.of(current().store).acknowledge(who, alert_id, body.reason))


@router.post("/alert-silences")
def silence(who: Asker, body: Annotated[Silence, Body()]) -> dict[str, Any]:
    """Nobody is told of what matches until then; what still holds is told at its end. Answers the audit entry, whose
    `action_no` is the silence's id."""
    matching = body.model_dump(exclude={"until", "reason"}, exclude_none=True)
    return _entry(AlertDeeds.of(current().store).silence(who, matching, body.until, body.reason))


@router.post("/alert-silences/{silence_id}/lift")
def lift(who: Asker, silence_id: str, body: Annotated[AlertDeed, Body()]) -> dict[str, Any]:
    """The silence ends now; answers the audit entry."""
    return _entry(AlertDeeds.of(current().store).lift(who, silence_id, body.reason))


@router.post("/alert-deliveries/{delivery_id}/send-again")
def send_again(who: Asker, delivery_id: str, body: Annotated[AlertDeed, Body()]) -> dict[str, Any]:
    """A message that was given up is tried again; answers the audit entry."""
    return _entry(AlertDeeds.of(current().store).send_again(who, delivery_id, body.reason))


def _entry(action: Action) -> dict[str, Any]:
    return {
        "action_no": action.action_no,
        "deed": action.deed,
        "subject": {"type": action.subject_type, "id": action.subject_id},
        "actor": action.actor,
        "acted_at": instant(action.acted_at),
        "hash": action.hash,
    }
