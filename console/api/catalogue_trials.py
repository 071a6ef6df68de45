"""Backtest of a catalogue by API: what would change on history before it is published. Nothing is changed by asking."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from console.api.asking import SETTLE_S, Asker, AsOf, Reading
from console.api.wire import instant, plain
from console.catalogue_trials import Run, trials_of
from console.resources import current
from trace_model.store.trial import DAYS_MOST

router = APIRouter(tags=["catalogue"])
TABLES = ("order_changes", "clock_changes", "exception_changes", "alert_changes")


class TrialRequest(BaseModel):
    """A catalogue as YAML text, and how many days of alerts to look at."""

    model_config = ConfigDict(extra="forbid")
    catalogue: str
    days: int = Field(default=30, ge=1, le=DAYS_MOST)


@router.post("/catalogue-trials", status_code=202)
def start(who: Asker, at: AsOf, body: TrialRequest, response: Response) -> dict[str, Any]:
    """The trial runs in the background; 422 lists every problem of the catalogue with its line."""
    store = current().store
    store.settle(SETTLE_S)
    run = trials_of(store).start(who, body.catalogue, days=body.days, as_of=at)
    response.headers["Location"] = f"/api/v1/catalogue-trials/{run.trial_id}"
    return _told(run)


@router.get("/catalogue-trials/{trial_id}")
def show(r: Reading, trial_id: str, limit: Annotated[int, Query(ge=0, le=10_000)] = 1000) -> dict[str, Any]:
    """How far the trial is; once done, what would differ: at most `limit` rows of each kind, and how many there are."""
    run = trials_of(r.store).run(trial_id)
    if run.trial is None:
        return _told(run)
    found = run.trial
    changes = {name: plain(getattr(found, name).slice(0, limit).to_pylist()) for name in TABLES}
    return _told(run) | {
        "published": vars(found.published),
        "proposed": vars(found.proposed),
        "spans": found.spans,
        "seconds": round(found.seconds, 2),
        "changes_anything": found.changes_anything,
        "state_moves": plain(found.state_moves.to_pylist()),
        "alert_totals": plain(found.alert_totals.to_pylist()),
        "totals": {name: getattr(found, name).num_rows for name in TABLES},
        **changes,
    }


def _told(run: Run) -> dict[str, Any]:
    return {
        "trial_id": run.trial_id,
        "state": run.state,
        "step": run.step,
        "share_done": 1.0 if run.trial else round(run.share, 3),
        "fault": run.fault,
        "days": run.days,
        "as_of": instant(run.as_of),
    }
