"""Dependencies: which systems answer, which fail, which are merely silent, and how much money each holds up."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from console.components import wording
from console.components.blocks import Tile, amount, bar, empty, link, tiles, two_lines
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import SYSTEM, badge, known
from console.components.table import Column, table
from console.components.view import View, look

Row = dict[str, Any]
HOURS = 24
CELL = timedelta(minutes=30)
STATES = ("down", "degraded", "silent", "up")


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
        Column("State", lambda s: two_lines(badge(known(SYSTEM, s["state"])), _heard(s))),
        Column("Failed, last hour", _failed, "fit"),
        Column(
            "Half, 95 % within",
            lambda s: f"{wording.latency(s['p50_ms'])}, {wording.latency(s['p95_ms'])}",
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


def _heard(s: Row) -> str:
    if s["state"] == "silent":
        return f"no data for {wording.span_of(s['silent_s'])}; its failures, if any, are unknown"
    return f"heard {wording.span_of(s['silent_s'])} ago" if s["last_seen_at"] else "no span yet"


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


view = look()
heading(view, "Dependencies")
live(health)
