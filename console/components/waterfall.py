"""The traces behind a timeline, for engineers: spans as bars by system, one span's attributes and events, payloads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from console.components import wording
from console.components.blocks import empty, facts, head, notice
from console.components.charts import BAD, HUES, framed, tone
from console.components.lineage import may_read
from console.components.markup import join, tag
from console.components.panel import panel
from console.components.table import Column, table
from console.components.view import View

Row = dict[str, Any]
MOST_SPANS = 2000
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
PAYLOAD = "q2c.payload"


def traces(view: View, spans: Sequence[Row]) -> None:
    """A bar a span of the chosen trace; a click on one shows what it said."""
    if not spans:
        panel(empty("No spans.", "The traces of this order lie after the instant shown."), key="no_spans")
        return
    by_trace: dict[str, list[Row]] = {}
    for span in spans:
        by_trace.setdefault(span["trace_id"], []).append(span)
    names = {trace: _title(view, found) for trace, found in by_trace.items()}
    failed = [trace for trace, found in by_trace.items() if any(span["is_error"] for span in found)]
    start = list(by_trace).index(failed[-1]) if failed else len(by_trace) - 1
    chosen = st.selectbox("Trace", list(by_trace), index=start, format_func=names.__getitem__, key="trace", width=640)
    shown = by_descent(by_trace[chosen])
    if len(spans) >= MOST_SPANS:
        panel(
            notice("yellow", "clock", f"Only the first {MOST_SPANS:,} spans of this order are shown, oldest first."),
            key="cut",
        )
    event = st.plotly_chart(
        _bars(shown),
        key=f"waterfall_{chosen}",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
    )
    points = event.selection.points if event else []
    picked = shown[int(points[0]["customdata"][0])] if points else next((s for s in shown if s["is_error"]), shown[0])
    _span(view, picked)


def by_descent(spans: Sequence[Row]) -> list[Row]:
    """Each span below its parent, children in the order of their starts; a span whose parent is not there stands as a root."""
    known_ids = {span["span_id"] for span in spans}
    below: dict[str | None, list[Row]] = {}
    for span in spans:
        below.setdefault(span["parent_span_id"] if span["parent_span_id"] in known_ids else None, []).append(span)
    told: dict[str, Row] = {}
    waiting = list(reversed(below.get(None, [])))
    while waiting:
        span = waiting.pop()
        if span["span_id"] not in told:
            told[span["span_id"]] = span
            waiting += reversed(below.get(span["span_id"], []))
    # spans that name each other as parents stand in a ring, below no root
    return [*told.values(), *(span for span in spans if span["span_id"] not in told)]


def _title(view: View, spans: Sequence[Row]) -> str:
    root = next((span for span in spans if span["parent_span_id"] is None), spans[0])
    errors = sum(span["is_error"] for span in spans)
    begun = wording.instant(spans[0]["started_at"], view.zone, view.as_of)
    return f"{begun}  {root['name']}, {wording.plural(len(spans), 'span')}" + (
        f", {wording.plural(errors, 'error')}" if errors else ""
    )


def _bars(spans: Sequence[Row]) -> go.Figure:
    begun = min(span["started_at"] for span in spans)
    systems = list(dict.fromkeys(span["system"] for span in spans))
    figure = go.Figure()
    for number, system in enumerate(systems):
        mine = [(position, span) for position, span in enumerate(spans) if span["system"] == system]
        figure.add_bar(
            orientation="h",
            name=system,
            y=[position for position, _ in mine],
            base=[(s["started_at"] - begun).total_seconds() * 1000 for _, s in mine],
            x=[max(float(s["duration_ms"]), 0.5) for _, s in mine],
            customdata=[[position, s["name"], s["system"], wording.latency(s["duration_ms"])] for position, s in mine],
            width=0.64,
            marker={"line": {"width": 0}, "color": HUES[number % len(HUES)]},
            hovertemplate="%{customdata[2]}: %{customdata[1]}<br>%{customdata[3]}<extra></extra>",
            legendrank=number,
        )
    wrong = [(position, span) for position, span in enumerate(spans) if span["is_error"]]
    if wrong:
        figure.add_scatter(
            x=[(s["started_at"] - begun).total_seconds() * 1000 + max(float(s["duration_ms"]), 0.5) for _, s in wrong],
            y=[position for position, _ in wrong],
            mode="markers+text",
            marker={"symbol": "x", "size": 9, "color": tone(BAD)},
            text=["  error"] * len(wrong),
            textposition="middle right",
            name="error",
            customdata=[[position, s["name"], s["system"], s["status_message"] or "error"] for position, s in wrong],
            hovertemplate="%{customdata[2]}: %{customdata[1]}<br>%{customdata[3]}<extra></extra>",
        )
    labels = [f"{span['system']}  {span['name']}"[:46] for span in spans]
    framed(figure, height=90 + 22 * len(spans), legend=True)
    figure.update_layout(
        barmode="overlay",
        yaxis={"tickvals": list(range(len(spans))), "ticktext": labels, "autorange": "reversed"},
    )
    figure.update_xaxes(title_text="ms since the trace began")
    return figure


def _span(view: View, span: Row) -> None:
    attributes = {name: value for name, value in json.loads(span["attributes"] or "{}").items() if name != PAYLOAD}
    body = facts(
        [
            ("Span", span["name"]),
            ("System", span["system"]),
            ("Kind", KINDS[span["kind"]] if span["kind"] < len(KINDS) else str(span["kind"])),
            ("Started", view.at(span["started_at"])),
            ("Took", wording.latency(span["duration_ms"])),
            (
                "Status",
                tag("span", f"Error: {span['status_message'] or 'no message'}", class_="red")
                if span["is_error"]
                else "Ok or unset",
            ),
            ("Trace", tag("span", span["trace_id"], class_="mono")),
            ("Span id", tag("span", span["span_id"], class_="mono")),
        ]
    )
    panel(body, key="span_facts")
    left, right = st.columns(2)
    with left:
        columns = [
            Column("Attribute", lambda a: tag("span", a["name"], class_="mono"), "fit"),
            Column("Value", lambda a: tag("span", a["value"], class_="mono"), "clip"),
        ]
        panel(
            table(columns, [{"name": name, "value": _said(value)} for name, value in sorted(attributes.items())]),
            key="span_attributes",
        )
    with right:
        _events(json.loads(span["events"]) if span["events"] else [])


def _events(events: Sequence[Row]) -> None:
    """The span's events; an exception's stack trace as it was written."""
    if not events:
        panel(empty("No events.", "This span reported none."), key="span_events")
    for number, event in enumerate(events):
        said = dict(event.get("attributes") or {})
        trace = said.pop("exception.stacktrace", None)
        pairs = [(name, tag("span", _said(value), class_="mono")) for name, value in sorted(said.items())]
        panel(join([head(str(event.get("name", "event"))), facts(pairs)]), key=f"span_event_{number}")
        if trace:
            st.code(str(trace), language=None, wrap_lines=True)


def payloads(view: View, spans: Sequence[Row]) -> None:
    """What was sent, hop by hop, as redacted at the door; only for those who may read payloads."""
    if not may_read(view):
        return
    carried = [
        (span, json.loads(span["attributes"]).get(PAYLOAD))
        for span in spans
        if span["attributes"] and PAYLOAD in span["attributes"]
    ]
    if not carried:
        panel(empty("No payloads.", f"No span of this order carries {PAYLOAD}."), key="no_payloads")
        return
    for span, payload in carried:
        begun = wording.instant(span["started_at"], view.zone, view.as_of)
        with st.expander(
            f"{begun}  {span['system']}  {span['name']}", icon=":material/error:" if span["is_error"] else None
        ):
            try:
                st.json(json.loads(payload) if isinstance(payload, str) else payload)
            except ValueError:
                st.code(str(payload), language=None)


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
