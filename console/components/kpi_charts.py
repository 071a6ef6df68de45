"""The charts of the KPIs page: weeks side by side, a backlog over days, money by age. A click puts what it means into the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from console.components import filter_bar, wording
from console.components.charts import ACCENT, BAD, QUIET, framed, tone

Row = dict[str, Any]
LATE_S = 2_592_000
"""Unpaid for longer than thirty days is drawn as bad."""


def clickable(figure: go.Figure, key: str, address: Callable[[Row], dict[str, str | None]]) -> None:
    """The chart; a click on a point puts what `address` makes of it into the address, and with it the rows on the page."""

    def clicked() -> None:
        points = st.session_state[key].selection.points
        if points:
            filter_bar.put(address(points[0]))

    st.plotly_chart(figure, key=key, on_select=clicked, selection_mode="points", config={"displayModeBar": False})


def weeks_of(
    rows: Sequence[Row], key: str, lines: Sequence[tuple[str, str]], kpi: str, *, until: datetime, weeks: int
) -> None:
    """Durations by the week that ends on a day: `lines` are names and columns in seconds; a click chooses the week."""
    ordered = sorted(rows, key=lambda row: -row["week"])
    unit, seconds = _unit(max((row[column] or 0 for row in rows for _, column in lines), default=0))
    figure = go.Figure()
    for (name, column), colour in zip(lines, (tone(ACCENT), tone(QUIET)), strict=False):
        figure.add_scatter(
            x=[row["until_at"] for row in ordered],
            y=[row[column] / seconds if row[column] is not None else None for row in ordered],
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 6},
            customdata=[[row["week"], wording.span_of(row[column]), row["order_count"]] for row in ordered],
            hovertemplate="week to %{x|%-d %b}: " + name + " %{customdata[1]}, %{customdata[2]} orders<extra></extra>",
        )
    framed(figure, height=170, legend=True).update_yaxes(title_text=unit, rangemode="tozero")
    _whole_weeks(figure, until, weeks)
    clickable(figure, key, lambda point: {"kpi": kpi, "week": str(point["customdata"][0])})


def shares_of(rows: Sequence[Row], key: str, column: str, name: str, *, until: datetime, weeks: int) -> None:
    """A share by the week that ends on a day."""
    ordered = sorted(rows, key=lambda row: -row["week"])
    figure = go.Figure(
        go.Scatter(
            x=[row["until_at"] for row in ordered],
            y=[row[column] * 100 if row[column] is not None else None for row in ordered],
            mode="lines+markers",
            line={"color": tone(ACCENT), "width": 2},
            customdata=[[wording.share(row[column]), wording.count(row["run_count"])] for row in ordered],
            hovertemplate="week to %{x|%-d %b}: " + name + " %{customdata[0]} of %{customdata[1]} runs<extra></extra>",
        )
    )
    framed(figure, height=170).update_yaxes(title_text="per cent")
    _whole_weeks(figure, until, weeks)
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})


def _unit(most_s: float) -> tuple[str, int]:
    """The unit in which a chart shows durations up to `most_s` seconds.

    >>> _unit(90), _unit(7000), _unit(50_000), _unit(900_000)
    (('seconds', 1), ('minutes', 60), ('hours', 3600), ('days', 86400))
    """
    return next(
        ((name, size) for name, size, below in (("seconds", 1, 120), ("minutes", 60, 7200), ("hours", 3600, 259_200)) if most_s < below),
        ("days", 86_400),
    )  # fmt: skip


def _whole_weeks(figure: go.Figure, until: datetime, weeks: int) -> None:
    """The axis shows all the weeks asked for, whichever of them have a point."""
    figure.update_xaxes(range=[until - timedelta(weeks=weeks), until + timedelta(days=3)])


def backlog(rows: Sequence[Row], currency: str) -> None:
    """Open orders and open exceptions day by day; a click shows the orders as of that instant."""
    figure = go.Figure()
    told = [
        [f"{row['at_instant']:%Y-%m-%dT%H:%M:%SZ}", wording.money(row["amount"], currency, cents=False)] for row in rows
    ]
    for name, column, colour, axis in (
        ("open orders", "order_count", tone(ACCENT), "y"),
        ("open exceptions (right)", "exception_count", tone(BAD), "y2"),
    ):
        figure.add_scatter(
            x=[row["at_instant"] for row in rows],
            y=[row[column] for row in rows],
            name=name,
            mode="lines+markers",
            marker={"size": 4},
            line={"color": colour, "width": 2},
            yaxis=axis,
            customdata=told,
            hovertemplate="%{x|%-d %b}: %{y} "
            + name.partition(" (")[0]
            + ", %{customdata[1]} in orders<extra></extra>",
        )
    framed(figure, height=210, legend=True).update_layout(
        yaxis={"rangemode": "tozero", "title": {"text": "orders"}},
        yaxis2={"overlaying": "y", "side": "right", "rangemode": "tozero", "showgrid": False, "tickformat": ",d"},
    )
    clickable(figure, "backlog", lambda point: {"at": point["customdata"][0]})


def ageing(rows: Sequence[Row], key: str, column: str, currency: str) -> None:
    """Money by the age of what is open; a click chooses the band."""
    figure = go.Figure(
        go.Bar(
            x=[band(row) for row in rows],
            y=[float(row[column]) for row in rows],
            marker={"color": [tone(BAD) if row["from_s"] >= LATE_S else tone(QUIET) for row in rows]},
            customdata=[[row["order_count"], wording.money(row[column], currency, cents=False)] for row in rows],
            hovertemplate="%{x}: %{customdata[1]}, %{customdata[0]} orders<extra></extra>",
        )
    )
    framed(figure, height=210).update_yaxes(title_text=currency)
    clickable(figure, key, lambda point: {"band": f"{key}-{point['point_index']}"})


def band(row: Row) -> str:
    """An ageing band in words.

    >>> band({"from_s": 0, "until_s": 604800}), band({"from_s": 7776000, "until_s": None})
    ('under 7 d', 'over 90 d')
    """
    if row["until_s"] is None:
        return f"over {wording.span_of(row['from_s'])}"
    if row["from_s"] == 0:
        return f"under {wording.span_of(row['until_s'])}"
    return f"{wording.span_of(row['from_s'])} to {wording.span_of(row['until_s'])}"
