"""Dependencies: which systems answer, fail or are merely silent, what that holds up, and which outages there were."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from console.components import downloads, wording
from console.components.blocks import Tile, amount, bar, empty, head, link, tiles, two_lines
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import EXCEPTION, OUTAGE, SYSTEM, badge, known
from console.components.table import Column, table
from console.components.view import View, look

Row = dict[str, Any]
HOURS = 24
DAYS, EVER, SHOWN, MEMBERS = 30, 36_600, 10, 200
OUTAGE_KIND = {"downtime": "Down", "throttling": "Throttled"}
CELL = timedelta(minutes=30)
STATES = ("down", "degraded", "silent", "up")


SYSTEMS_FILE = downloads.columns(
    "system label state call_count failed_count failure_share p50_ms p95_ms day_call_count day_failed_count day_retry_count last_seen_at"
    " last_failed_at last_error open_exception_count open_order_count blocked_amount"
)
OUTAGES_FILE = downloads.columns(
    "outage_id system label owner_team kind state started_at first_failed_at found_at last_failed_at ended_at duration_s failed_run_count"
    " failed_call_count exception_count open_count order_count customer_count blocked_amount"
)


def health(view: View) -> None:
    systems = view.rows("dependencies")
    if not systems:
        panel(
            empty(
                "No system has been heard from.",
                "Point the exporters of your systems at this console's OTLP door; each shows here with its first span.",
            ),
            key="systems",
        )
        return
    shown = [
        Tile(badge(SYSTEM[state]), wording.count(sum(s["state"] == state for s in systems)), SYSTEM[state].about)
        for state in STATES
    ]
    panel(tiles(shown), key="states")
    history = _cells(view)
    columns = [
        Column("System", lambda s: two_lines(s["label"], s["system"]), "fit"),
        Column(
            "State, last heard",
            lambda s: two_lines(
                badge(known(SYSTEM, s["state"])),
                _heard(s),
            ),
        ),
        Column("Failed, last hour", _failed, "fit"),
        Column(
            "Half, 95 % in",
            lambda s: two_lines(wording.latency(s["p50_ms"]), wording.latency(s["p95_ms"])),
            "number",
            wide=True,
        ),
        Column(f"Last {HOURS} h", lambda s: _strip(view, history[s["system"]])),
        Column("Retried", lambda s: wording.count(s["day_retry_count"]), "number", wide=True),
        Column("Open exceptions", lambda s: _exceptions(view, s), "number"),
        Column("Money held", lambda s: amount(s["blocked_amount"], view.reporting_currency, cents=False), "number"),
        Column("Last error", lambda s: _last_error(view, s), "clip", wide=True),
    ]
    cell = f"A cell is {wording.span_of(CELL.total_seconds())}: empty where nothing was called."
    caption = f"Down first, then degraded, silent, up. Calls are operation runs. {cell}"
    caption += " Retried: what the engine tried again by itself in a day, within a run or as a run of its own."
    panel(table(columns, systems, caption=caption), key="systems")


def _heard(s: Row) -> Html:
    if s["state"] == "silent":
        return tag("span", f"no data for {wording.span_of(s['silent_s'])}; its failures, if any, are unknown")
    return tag("span", f"{wording.span_of(s['silent_s'])} ago" if s["last_seen_at"] else "no span yet", class_="nowrap")


def _failed(s: Row) -> Html:
    if not s["call_count"]:
        return tag("span", "no calls", class_="quiet")
    return two_lines(
        bar(s["failure_share"], tone="red" if s["failed_count"] else "gray"),
        f"{s['failed_count']:,} of {wording.plural(s['call_count'], 'call')}",
    )


def _exceptions(view: View, s: Row) -> Html:
    if not s["open_exception_count"]:
        return tag("span", "0", class_="quiet")
    return two_lines(
        link(wording.count(s["open_exception_count"]), view.link("exceptions", system=s["system"])),
        wording.plural(s["open_order_count"], "order"),
    )


def _last_error(view: View, s: Row) -> Html:
    return (
        two_lines(s["last_error"] or "it gave none", view.ago(s["last_failed_at"]))
        if s["last_failed_at"]
        else tag("span", "none in a day", class_="quiet")
    )


def _cells(view: View) -> dict[str, dict[int, tuple[int, int]]]:
    """For each system calls and failures by cell, counted back from now."""
    cells: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for row in view.rows("dependency_history", hours=HOURS):
        position = int((view.as_of - row["bucket_at"]) / CELL)
        calls, failed = cells[row["system"]].get(position, (0, 0))
        cells[row["system"]][position] = (calls + row["call_count"], failed + row["failed_count"])
    return cells


def _strip(view: View, cells: dict[int, tuple[int, int]]) -> Html:
    count = int(timedelta(hours=HOURS) / CELL)
    drawn = []
    for position in reversed(range(count)):
        calls, failed = cells.get(position, (0, 0))
        kind = None if not calls else "fine" if not failed else "most" if failed * 2 >= calls else "some"
        drawn.append(tag("i", class_=kind, title=_told(view, view.as_of - CELL * (position + 1), calls, failed)))
    calls, failed = (sum(pair[index] for pair in cells.values()) for index in (0, 1))
    return join(
        [
            tag("div", drawn, class_="strip", role="img", aria_label=f"{failed} of {calls} calls failed"),
            tag("small", f"{failed:,} of {calls:,} failed"),
        ]
    )


def _told(view: View, begun: datetime, calls: int, failed: int) -> str:
    at = wording.instant(begun, view.zone, view.as_of)
    return f"from {at}: {failed} of {wording.plural(calls, 'call')} failed" if calls else f"from {at}: no calls"


def outages(view: View) -> None:
    rows = view.rows("outages", system=None, outage_id=None, days=DAYS, offset=0, limit=SHOWN)
    opened = st.query_params.get("outage")
    title = head("Outages", note=f"found in the last {DAYS} days")
    if not rows:
        panel(
            join(
                [
                    title,
                    empty(
                        "No outage was found.",
                        "One begins when calls about different things stay unanswered or are throttled, and ends with the first answer.",
                    ),
                ]
            ),
            key="outages",
        )
        return
    columns = [
        Column("System", lambda o: two_lines(o["label"] or o["system"], OUTAGE_KIND[o["kind"]]), "fit"),
        Column("State", lambda o: badge(known(OUTAGE, o["state"])), "fit"),
        Column("Since", lambda o: two_lines(view.at(o["started_at"]), _lasted(o)), "fit"),
        Column("Failed runs", lambda o: two_lines(wording.count(o["failed_run_count"]), f"{o['failed_call_count']:,} calls"), "number"),
        Column("Exceptions", lambda o: two_lines(wording.count(o["exception_count"]), f"{o['open_count']:,} open"), "number"),
        Column("Orders", lambda o: wording.count(o["order_count"]), "number"),
        Column("Customers", lambda o: wording.count(o["customer_count"]), "number", wide=True),
        Column("Money met", lambda o: amount(o["blocked_amount"], view.reporting_currency, cents=False), "number"),
        Column("Found", lambda o: _found(o), "fit", wide=True),
    ]  # fmt: skip
    shown = table(
        columns,
        rows,
        href=lambda o: view.link("dependencies", outage=o["outage_id"]),
        chosen=lambda o: o["outage_id"] == opened,
        caption=f"Ongoing first, then the latest, {len(rows)} of {wording.count(rows[0]['total_count'])}. Choose one to see whom it hit.",
    )
    panel(join([title, shown]), key="outages")


def members(view: View) -> None:
    outage_id = st.query_params.get("outage")
    found = view.rows("outages", system=None, outage_id=outage_id, days=EVER, offset=0, limit=1)
    close = link("Close", view.link("dependencies"))
    if not found:
        panel(
            empty("No such outage.", join([f"None was found with this id as of {view.now_words()}. ", close])),
            key="members",
        )
        return
    o = found[0]
    rows = view.rows("outage_members", outage_id=outage_id, offset=0, limit=MEMBERS)
    columns = [
        Column("Order", lambda e: two_lines(e["lead_id"] or e["object_id"], e["customer_name"]), "fit"),
        Column("What failed", lambda e: two_lines(e["operation_label"] or e["operation"], wording.named(e["object_type"], e["object_id"]))),
        Column("Money held", lambda e: amount(e["blocked_amount"], view.reporting_currency, cents=False), "number"),
        Column("First failed", lambda e: view.at(e["first_failed_at"]), "fit"),
        Column("Runs", lambda e: wording.count(e["failed_run_count"]), "number"),
        Column("State", lambda e: badge(known(EXCEPTION, e["state"])), "fit"),
    ]  # fmt: skip
    shown = table(
        columns,
        rows,
        href=lambda e: view.order(e) if e["lead_id"] else None,
        caption=f"Open first, then most money, {len(rows)} of {wording.count(rows[0]['total_count'] if rows else 0)}. "
        "A refusal during the outage is none of its exceptions.",
    )
    more = join([link("In the exception queue", view.link("exceptions", outage=outage_id)), " · ", close])
    label = o["label"] or o["system"]
    title = head(
        f"{label}: {OUTAGE_KIND[o['kind']].lower()} {_lasted(o)}",
        note=wording.plural(o["order_count"], "order"),
        more=more,
    )
    panel(join([title, shown]), key="members")


def _lasted(o: Row) -> str:
    how = "for" if o["ended_at"] else "so far"
    span = wording.span_of(o["duration_s"])
    return f"{how} {span}" if o["ended_at"] else f"{span} {how}"


def _found(o: Row) -> Html:
    after = (o["found_at"] - o["first_failed_at"]).total_seconds()
    return two_lines(
        "at once" if after < 1 else f"after {wording.span_of(after)}",
        wording.plural(o["failed_runs_until_found"], "failed run"),
    )


view = look()
heading(view, "Dependencies")
if "outage" in st.query_params:
    live(members)
live(outages)
live(health)
downloads.menu(
    downloads.asked("systems", "Systems", view, "dependencies", {}, SYSTEMS_FILE),
    downloads.asked(
        "outages",
        f"Outages of {DAYS} days",
        view,
        "outages",
        {"system": None, "outage_id": None, "days": DAYS},
        OUTAGES_FILE,
    ),
)
