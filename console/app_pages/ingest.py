"""Ingest health: what came in, what was refused and why, how much is tied to an order, and whether screens keep up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from console.components import downloads, filter_bar, wording
from console.components.blocks import Tile, bar, empty, head, notice, tiles, two_lines
from console.components.charts import ACCENT, framed, tone
from console.components.live import live
from console.components.markup import join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import POLLER, badge, known
from console.components.table import Column, table
from console.components.view import View, look
from console.resources import current

MINUTES = 60
BEHIND_S = 5
DOORS = {"otlp_http": "OTLP/HTTP", "otlp_grpc": "OTLP/gRPC", "otlp_logs": "OTLP logs", "cloudevents": "CloudEvents"}
TIES = (
    ("by_id", "An id on the span itself"),
    ("by_alias", "Another system's id"),
    ("by_parent", "Its parent span"),
    ("by_correlation", "Correlation ID alone"),
    ("unstitched_count", "Nothing: not tied to any object"),
)
SOURCES_FILE = downloads.columns("source system span_count last_received_at lag_s")


def totals(view: View) -> None:
    store, counters = current().store, current().ingest_counters()
    lag = store.lag()
    if lag.fault:
        panel(
            notice(
                "red",
                "alert",
                [
                    "Screens are behind: deriving failed and is tried again. Spans are safe. ",
                    tag("span", lag.fault, class_="mono"),
                ],
            ),
            key="fault",
        )
    kept = view.rows("ingest_totals")[0]
    tied = sum(kept[name] for name, _ in TIES)
    behind = wording.span_of(lag.oldest_unprojected_s) if lag.spans else "up to date"
    shown = [
        Tile(
            "Spans kept",
            wording.count(kept["spans_stored"]),
            f"last {wording.ago(kept['last_received_at'], store.clock())}" if kept["last_received_at"] else "none yet",
        ),
        Tile("Duplicates", wording.count(counters.get("spans_duplicate")), "since the start, kept once"),
        Tile(
            "Refused",
            wording.count(counters.get("spans_refused")),
            "since the start",
            tone="red" if counters.get("spans_refused") else None,
        ),
        Tile("Values redacted", wording.count(counters.get("values_redacted")), "since the start"),
        Tile(
            "Not tied to an object",
            wording.share(kept["unstitched_count"] / tied if tied else None),
            wording.plural(kept["unstitched_count"], "span"),
        ),
        Tile(
            "Screens behind",
            behind,
            wording.plural(lag.spans, "span"),
            tone="yellow" if lag.oldest_unprojected_s > BEHIND_S else None,
        ),
    ]
    panel(tiles(shown), key="totals")
    left, right = st.columns(2, gap="medium")
    with left:
        panel(join([head("What ties spans to objects"), _ties(kept, tied)]), key="ties")
    with right:
        panel(
            join(
                [
                    head("Refused, by reason", note="since the start of this process"),
                    _refused(counters.get("refused_by_reason", {})),
                ]
            ),
            key="refused",
        )


def _ties(kept: dict[str, Any], tied: int) -> Any:
    columns = [
        Column("Evidence", lambda t: t["label"]),
        Column("Spans", lambda t: wording.count(t["count"]), "number"),
        Column("Share", lambda t: bar(t["count"] / tied if tied else None, tone="blue"), "number"),
    ]
    return table(
        columns,
        [{"label": label, "count": kept[name]} for name, label in TIES],
        caption="From the surest evidence to none.",
    )


def _refused(reasons: dict[str, int]) -> Any:
    if not reasons:
        return empty("Nothing was refused.", "Every span that came in was well formed and is kept.")
    columns = [
        Column("Reason", lambda r: r["reason"].replace("_", " ")),
        Column("Spans", lambda r: wording.count(r["count"]), "number"),
    ]
    rows = [
        {"reason": reason, "count": count}
        for reason, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return table(columns, rows, caption="Most first. The sender was told the same in its answer.")


def rate(view: View) -> None:
    rows = view.rows("span_rate", minutes=MINUTES)
    panel(head("Spans received a minute", note=f"last {MINUTES} minutes, {view.zone.key}"), key="rate_head")
    if not rows:
        panel(
            empty("Nothing received.", f"No span came in during the last {MINUTES} minutes before {view.now_words()}."),
            key="rate",
        )
        return
    times = [row["minute_at"].astimezone(view.zone).replace(tzinfo=None) for row in rows]
    figure = go.Figure(
        go.Bar(
            x=times,
            y=[row["span_count"] for row in rows],
            marker={"color": tone(ACCENT)},
            width=50_000,
            hovertemplate="%{x|%H:%M}: %{y} spans<extra></extra>",
        )
    )
    framed(figure, height=160).update_xaxes(
        range=[times[-1] - timedelta(minutes=MINUTES), times[-1] + timedelta(minutes=1)]
    )
    st.plotly_chart(figure, key="rate_chart", config={"displayModeBar": False, "staticPlot": False})


def sources(view: View) -> None:
    rows = view.rows("ingest_sources")
    if not rows:
        panel(
            join([head("Sources"), empty("No source in the last 24 hours.", "Nothing has come through any door.")]),
            key="sources",
        )
        return
    columns = [
        Column("Door", lambda s: _door(s["source"]), "fit"),
        Column("System", lambda s: two_lines(filter_bar.system(s["system"]), s["system"])),
        Column("Spans, 24 h", lambda s: wording.count(s["span_count"]), "number"),
        Column("Last received", lambda s: view.ago(s["last_received_at"]), "fit"),
        Column("Received after it ended", lambda s: wording.span_of(s["lag_s"]), "number"),
    ]
    panel(
        join(
            [
                head("Sources", note="last 24 hours"),
                table(columns, rows, caption="Most recently heard first. The delay is the median over 24 hours."),
            ]
        ),
        key="sources",
    )


def _door(source: str) -> str:
    """How a span came in, as people call it, with who sent it or from which file where that is known.

    >>> _door("otlp_http"), _door("poller:orders"), _door("file:march.jsonl"), _door("otlp_grpc:erp")
    ('OTLP/HTTP', 'Poller, orders', 'File, march.jsonl', 'OTLP/gRPC, erp')
    """
    door, _, sender = source.partition(":")
    return DOORS.get(door, door.replace("_", " ").capitalize()) + (f", {sender}" if sender else "")


def pollers(view: View) -> None:
    """Interfaces that are asked, the failing ones first, with why; nothing where none is declared."""
    rows = sorted(current().ingest_counters().get("pollers", []), key=lambda p: (p["state"] != "failing", p["name"]))
    if not rows:
        return
    columns = [
        Column("Poller", lambda p: two_lines(p["label"], p["host"])),
        Column("State", lambda p: badge(known(POLLER, p["state"])), "fit"),
        Column("Last read", lambda p: view.ago(p["succeeded_at"]), "fit"),
        Column("Next", lambda p: view.ago(p["next_at"]), "fit"),
        Column("Items", lambda p: wording.count(p["item_count"]), "number"),
        Column("Refused", lambda p: wording.count(p["refused_count"]), "number"),
        Column("Read up to", lambda p: p["watermark"] or "no watermark", "fit", wide=True),
        Column("Why", lambda p: p["fault"] or "", "clip"),
    ]
    shown = table(columns, rows, caption="Failing first. Counts since the start of this process.")
    panel(join([head("Pollers", note="interfaces that are asked"), shown]), key="pollers")


view = look()
heading(view, "Ingest health")
live(totals, every_s=10)
live(rate, every_s=10)
live(pollers, every_s=10)
live(sources, every_s=10)
downloads.offer("sources", view, "ingest_sources", {}, SOURCES_FILE)
