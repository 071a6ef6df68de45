"""Reads about the installation: promises, KPIs, completeness, dependencies, ingest, audit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from console import completeness as totals
from console import periods
from console.api.asking import AsOf, Cursor, Limit, Reading
from console.api.wire import instant, offset_of, page, plain, thing

router = APIRouter(tags=["operations"])
Segment = Literal["all", "region", "product_line", "legal_entity", "tier", "workflow"]
Period = Literal["all", "day", "week", "month"]
Days = Annotated[int, Query(ge=1, le=3660)]


@router.get("/promises")
def promises(r: Reading, at: AsOf, segment: Segment = "all", period: Period = "all", days: Days = 30) -> dict[str, Any]:
    """Attainment, p50, p90 and p95 (seconds) and counts of each promise by segment and period, for clocks of the last `days` days."""
    rows = r.store.rows("promises", as_of=at, segment=segment, period=period, days=days)
    drivers = r.store.rows("promise_drivers", as_of=at, segment="region" if segment == "all" else segment)
    return {"promises": plain(rows), "since_last_week": plain(drivers), "as_of": instant(at)}


Forecast = Literal["running", "later"]


@router.get("/forecasts")
def forecasts(
    r: Reading,
    at: AsOf,
    about: Annotated[Forecast, Query(description="promises that run, or those that have not begun")] = "running",
    promise: str | None = None,
    region: str | None = None,
    product_line: str | None = None,
    legal_entity: str | None = None,
    with_breached: bool = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """The chance (0..1) of promises to be broken, most money at stake first (chance x amount, reporting currency).

    `running`: one row per open clock, without those that are breached already unless asked for. `later`: one row per order and
    promise that has not begun, with the running one that pushes it on, and when it is planned and expected.
    """
    offset = offset_of(cursor)
    rows = r.store.rows(
        "forecast_clocks" if about == "running" else "forecast_later", as_of=at, promise=promise, region=region,
        product_line=product_line, legal_entity=legal_entity, with_breached=with_breached, limit=limit, offset=offset,
    )  # fmt: skip
    first: dict[str, Any] = rows[0] if rows else {}
    return page("forecasts", [_forecast(row) for row in rows], offset, limit, at, first.get("total_count", 0)) | {
        "likely_count": first.get("likely_count", 0),
        "total_at_stake": plain(first.get("total_at_stake", Decimal(0))),
        "fitted_as_of": instant(first.get("fitted_as_of")),
    }


def _forecast(row: dict[str, Any]) -> dict[str, Any]:
    left_out = (
        "lead_key",
        "lead_type",
        "lead_id",
        "lead_scope",
        "total_count",
        "likely_count",
        "total_at_stake",
        "fitted_as_of",
    )
    kept = {name: value for name, value in row.items() if name not in left_out}
    return {"lead": thing(row["lead_type"], row["lead_id"], row["lead_scope"]), **kept}


@router.get("/kpis")
def kpis(
    r: Reading,
    at: AsOf,
    days: Days = 30,
    weeks: Annotated[int, Query(ge=1, le=104)] = 12,
    region: str | None = None,
    product_line: str | None = None,
    legal_entity: str | None = None,
) -> dict[str, Any]:
    """The installation in numbers, with their units in the names: timelines by state, promises, durations, backlog, ageing,
    interfaces (success, duplicates, retries) and exception resolution. Weeks are seven days that end with `as_of`, 0 the latest.
    """
    whole = {"region": region, "product_line": product_line, "legal_entity": legal_entity}
    return {
        "timelines": plain(r.store.rows("timeline_counts", as_of=at, **whole)),
        "promises": plain(r.store.rows("promises", as_of=at, segment="all", period="all", days=days)),
        "invoice_latency": plain(
            r.store.rows("invoice_latency", as_of=at, days=days, start="order_accepted", stop="invoice_issued", **whole)
        ),
        "durations": plain(r.store.rows("kpi_durations", as_of=at, weeks=weeks, **whole)),
        "backlog": plain(r.store.rows("kpi_backlog", as_of=at, days=days, **whole)),
        "unbilled_ageing": plain(r.store.rows("unbilled_ageing", as_of=at, **whole)),
        "unpaid_ageing": plain(r.store.rows("unpaid_ageing", as_of=at, **whole)),
        "interfaces": plain(r.store.rows("kpi_interfaces", as_of=at)),
        "interface_weeks": plain(r.store.rows("kpi_interface_weeks", as_of=at, weeks=weeks)),
        "resolutions": plain(r.store.rows("kpi_resolutions", as_of=at, weeks=weeks)),
        "reporting_currency": r.store.catalogue.reporting_currency,
        "as_of": instant(at),
    }


@router.get("/completeness")
def completeness(
    r: Reading,
    at: AsOf,
    days: Days = 30,
    month: Annotated[
        str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="a calendar month instead of days")
    ] = None,
    period: Literal["day", "week", "month"] = "day",
    legal_entity: str | None = None,
    currency: str | None = None,
) -> dict[str, Any]:
    """Counts and amounts reaching each step, by period, legal entity and currency of the order, with what explains each difference."""
    from_day, until_day = periods.days_of(month or str(days), at)
    asked = {
        "as_of": at,
        "from_day": from_day,
        "until_day": until_day,
        "legal_entity": legal_entity,
        "currency": currency,
    }
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    rows = r.store.rows("completeness", period=period, **asked)
    steps = totals.steps(rows, [m.name for m in r.store.catalogue.milestones])
    for row in rows:
        whole = {name: row.pop(name) for name in ("day", "legal_entity", "currency", "order_count", "order_amount")}
        groups.setdefault(tuple(whole.values()), whole | {"milestones": []})["milestones"].append(row)
    return {
        "completeness": plain(list(groups.values())),
        "steps": plain(steps),
        "reporting_currency": r.store.catalogue.reporting_currency,
        "from_day": from_day.isoformat(),
        "until_day": until_day.isoformat(),
        "as_of": instant(at),
    }


@router.get("/completeness/objects")
def completeness_objects(
    r: Reading,
    at: AsOf,
    days: Days = 30,
    month: Annotated[str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] = None,
    legal_entity: str | None = None,
    currency: str | None = None,
    milestone: str | None = None,
    explanation: Literal["in_transit", "exception", "in_part", "not_seen", "passed_over", "lessened", "more"]
    | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """The differences object by object: what should be there, what is, and why not. Largest first."""
    from_day, until_day = periods.days_of(month or str(days), at)
    offset = offset_of(cursor)
    rows = r.store.rows(
        "completeness_objects", as_of=at, from_day=from_day, until_day=until_day, legal_entity=legal_entity, currency=currency,
        milestone=milestone, explanation=explanation, limit=limit, offset=offset,
    )  # fmt: skip
    shown = [{k: v for k, v in row.items() if k not in ("total_count", "total_difference")} for row in rows]
    return page("objects", shown, offset, limit, at, rows[0]["total_count"] if rows else 0)


@router.get("/dependencies")
def dependencies(r: Reading, at: AsOf) -> dict[str, Any]:
    """One row per system: state, calls of the last hour, open exceptions and the money they hold up; and the week's outages."""
    outages = r.store.rows("outages", as_of=at, system=None, outage_id=None, days=7, limit=50, offset=0)
    return {
        "dependencies": plain(r.store.rows("dependencies", as_of=at)),
        "outages": plain([{k: v for k, v in row.items() if k != "total_count"} for row in outages]),
        "as_of": instant(at),
    }


@router.get("/ingest")
def ingest(r: Reading, at: AsOf) -> dict[str, Any]:
    """What is kept, what was refused since the start, what is tied to nothing, and how each source keeps up."""
    totals = r.store.rows("ingest_totals", as_of=at)[0]
    counters = r.ingest_counters()
    lag = r.store.lag()
    stored = totals["spans_stored"]
    sources = r.store.rows("ingest_sources", as_of=at)
    return {
        "spans_stored": stored,
        "spans_duplicate": counters.get("spans_duplicate", 0),
        "spans_refused": counters.get("spans_refused", 0),
        "refused_by_reason": counters.get("refused_by_reason", {}),
        "unstitched_share": round(totals["unstitched_count"] / stored, 6) if stored else 0.0,
        "stitched": {key: totals[key] for key in ("by_id", "by_alias", "by_parent", "by_correlation")},
        "projection": {"spans_behind": lag.spans, "behind_s": round(lag.oldest_unprojected_s, 3), "fault": lag.fault},
        "sources": plain(sources),
        "pollers": plain(counters.get("pollers", [])),
        "as_of": instant(at),
    }


@router.get("/audit/verification")
def audit_verification(r: Reading, at: AsOf) -> dict[str, Any]:
    """Whether every deed's hash covers the one before: `first_broken` is the number of the first that does not fit, or null."""
    broken = r.store.first_broken_action()
    count = r.store.rows("last_action")[0]["action_no"]
    return {"is_whole": broken is None, "first_broken": broken, "action_count": count, "as_of": instant(at)}


@router.get("/audit")
def audit(
    r: Reading,
    at: AsOf,
    subject_type: str | None = None,
    subject_id: str | None = None,
    actor: str | None = None,
    deed: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """What people did, latest first, hash-chained."""
    offset = offset_of(cursor)
    rows = r.store.rows(
        "audit",
        as_of=at,
        subject_type=subject_type,
        subject_id=subject_id,
        actor=actor,
        deed=deed,
        limit=limit,
        offset=offset,
    )
    shown = [{k: v for k, v in row.items() if k != "total_count"} for row in rows]
    return page("actions", shown, offset, limit, at, rows[0]["total_count"] if rows else 0)
