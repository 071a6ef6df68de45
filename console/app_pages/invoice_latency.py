"""Invoice latency: how long from one business point to another, and what is accepted but not billed. Every bar leads to its orders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from console.components import downloads, filter_bar, wording
from console.components.blocks import Tile, amount, empty, head, link, tiles
from console.components.charts import ACCENT, BAD, QUIET, framed, tone
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import TIMELINE, badge, known
from console.components.table import Column, table
from console.components.view import View, coverage_words, look
from console.filters import LATENCY
from console.resources import current

ROWS = 50
DAYS = {"7": "Last 7 days", "30": "Last 30 days", "90": "Last 90 days"}
DOWNLOADED = downloads.columns(
    "lead_id=reference customer_name=customer amount currency "
    "reporting_amount=amount_in_reporting_currency region product_line legal_entity from_at until_at "
    "latency_s due_at"
)
UNBILLED = downloads.columns(
    "lead_id=reference customer_name=customer amount currency "
    "reporting_amount=amount_in_reporting_currency unbilled_amount=unbilled_in_reporting_currency "
    "accepted_at age_s due_at state coverage"
)

DAYS_FILE = downloads.columns(
    "day order_count invoiced_count=done_count open_count late_count p50_s p90_s p95_s open_amount"
)
BANDS_FILE = downloads.columns("band from_s until_s done_count waiting_count late_count amount")
AGEING_FILE = downloads.columns("band from_s until_s order_count unbilled_amount")


def trend(view: View, days: list[dict[str, Any]]) -> None:
    figure = go.Figure()
    dates = [row["day"] for row in days]
    for name, column, colour in (("half within", "p50_s", tone(ACCENT)), ("nine of ten within", "p90_s", tone(QUIET))):
        hours = [row[column] / 3600 if row[column] is not None else None for row in days]
        told = [[wording.span_of(row[column]), row["order_count"], row["open_count"]] for row in days]
        figure.add_scatter(
            x=dates,
            y=hours,
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 6},
            customdata=told,
            hovertemplate="%{x|%-d %b}: "
            + name
            + " %{customdata[0]}<br>%{customdata[1]} orders, %{customdata[2]} waiting<extra></extra>",
        )
    framed(figure, height=240, legend=True).update_yaxes(title_text="hours", rangemode="tozero")
    _clickable(figure, "trend", lambda point: {"day": str(point["x"])[:10], "band": None})


def distribution(bands: list[dict[str, Any]]) -> None:
    figure = go.Figure()
    words = [_band(row) for row in bands]
    for name, values, colour in (
        ("done", [row["done_count"] for row in bands], tone(ACCENT)),
        ("still waiting", [row["waiting_count"] for row in bands], tone(QUIET)),
    ):
        figure.add_bar(
            x=words,
            y=values,
            name=name,
            marker={"color": colour},
            hovertemplate="%{x}: %{y} " + name + "<extra></extra>",
        )
    framed(figure, height=240, legend=True).update_layout(barmode="stack", bargap=0.25)
    figure.update_yaxes(title_text="orders")
    _clickable(figure, "distribution", lambda point: {"day": None, "band": str(point["point_index"])})


def ageing(bands: list[dict[str, Any]], currency: str) -> None:
    colours = [tone(BAD) if row["from_s"] >= 604_800 else tone(QUIET) for row in bands]
    told = [[row["order_count"], wording.money(row["unbilled_amount"], currency, cents=False)] for row in bands]
    figure = go.Figure(
        go.Bar(
            x=[_band(row) for row in bands],
            y=[float(row["unbilled_amount"]) for row in bands],
            marker={"color": colours},
            customdata=told,
            hovertemplate="%{x}: %{customdata[1]}, %{customdata[0]} orders<extra></extra>",
        )
    )
    framed(figure, height=200).update_yaxes(title_text=currency)
    st.plotly_chart(figure, key="ageing", config={"displayModeBar": False})


def _band(row: dict[str, Any]) -> str:
    if row["until_s"] is None:
        return f"over {wording.span_of(row['from_s'])}"
    if row["from_s"] == 0:
        return f"under {wording.span_of(row['until_s'])}"
    low, high = wording.span_of(row["from_s"]).split(), wording.span_of(row["until_s"])
    return f"{low[0]} to {high}" if low[1] == high.split()[1] else f"{' '.join(low)} to {high}"


def _clickable(figure: go.Figure, key: str, address: Callable[[dict[str, Any]], dict[str, str | None]]) -> None:
    """The chart; a click on a point puts what `address` makes of it into the address, and with it the rows on the page."""

    def clicked() -> None:
        points = st.session_state[key].selection.points
        if points:
            filter_bar.put(address(points[0]))

    st.plotly_chart(figure, key=key, on_select=clicked, selection_mode="points", config={"displayModeBar": False})


def behind(view: View, asked: dict[str, Any], bands: list[dict[str, Any]]) -> None:
    """The orders behind the chosen bar, or the slowest where none is chosen."""
    day, band = _chosen(bands)
    limits = {"day": day, "from_s": band["from_s"] if band else None, "until_s": band["until_s"] if band else None}
    found = view.rows("latency_orders", **asked, **limits, limit=ROWS)
    start, stop = (filter_bar.milestones()[asked[side]] for side in ("start", "stop"))
    title = (
        f"{start} on {wording.day(day)} (UTC)"
        if day
        else f"Orders that took {_band(band)}"
        if band
        else "Slowest orders"
    )
    more = (
        link(
            "Show the slowest",
            view.link("invoice-latency", **{k: v for k, v in _address().items() if k not in ("day", "band")}),
        )
        if day or band
        else None
    )
    if not found:
        panel(
            join([head(title, more=more), empty("No orders.", f"None reached '{start}' there in the time chosen.")]),
            key="behind",
        )
        return
    columns = [
        Column("Reference", lambda t: t["lead_id"], "fit"),
        Column("Customer", lambda t: t["customer_name"] or "not given", "line"),
        Column("Amount", lambda t: amount(t["amount"], t["currency"]), "number"),
        Column(start, lambda t: view.at(t["from_at"]), "fit", wide=True),
        Column(stop, lambda t: view.at(t["until_at"]) if t["until_at"] else "not yet", "fit"),
        Column("Took", lambda t: wording.span_of(t["latency_s"]), "number"),
        Column("Due", lambda t: _kept(view, t), "fit"),
    ]
    caption = f"Longest first, {len(found)} of {wording.count(found[0]['total_count'])}."
    shown = table(columns, found, href=view.order, caption=caption)
    panel(join([head(title, note=wording.plural(found[0]["total_count"], "order"), more=more), shown]), key="behind")


def _kept(view: View, t: dict[str, Any]) -> Html:
    """When it is due; of what is done, when it was, and by how much it came late."""
    if t["until_at"] is None:
        return view.due(t["due_at"])
    late_s = (t["until_at"] - t["due_at"]).total_seconds() if t["due_at"] else 0.0
    if late_s <= 0:
        return view.at(t["due_at"])
    return tag(
        "span", f"{wording.span_of(late_s)} late", class_="nowrap red", title=wording.exact(t["due_at"], view.zone)
    )


def unbilled(view: View, segments: dict[str, Any]) -> None:
    found = view.rows("unbilled", **segments, limit=ROWS)
    if not found:
        panel(
            join(
                [
                    head("Accepted, not billed"),
                    empty(
                        "Nothing is unbilled.",
                        f"No order that is accepted as of {view.now_words()}, with these filters, waits for an invoice.",
                    ),
                ]
            ),
            key="unbilled",
        )
        return
    columns = [
        Column("Reference", lambda t: t["lead_id"], "fit"),
        Column("Customer", lambda t: t["customer_name"] or "not given", "line"),
        Column("Unbilled", lambda t: amount(t["unbilled_amount"], view.reporting_currency), "number"),
        Column("Order", lambda t: amount(t["amount"], t["currency"]), "number", wide=True),
        Column("Age", lambda t: wording.span_of(t["age_s"]), "number"),
        Column("Invoice due", lambda t: view.due(t["due_at"]), "fit"),
        Column("State", lambda t: badge(known(TIMELINE, t["state"])), "fit"),
    ]
    caption = (
        f"Largest unbilled amount first, {len(found)} of {wording.count(found[0]['total_count'])}."
        + coverage_words(view)
    )
    note = f"{view.money(found[0]['total_unbilled'])} in {wording.plural(found[0]['total_count'], 'order')}"
    panel(head("Accepted, not billed", note=note), key="unbilled_head")
    ageing(view.rows("unbilled_ageing", **segments), view.reporting_currency)
    panel(
        table(columns, found, href=view.order, caption=caption),
        key="unbilled",
    )


def _chosen(bands: list[dict[str, Any]]) -> tuple[date | None, dict[str, Any] | None]:
    day, band = st.query_params.get("day"), st.query_params.get("band", "")
    try:
        on = date.fromisoformat(day) if day else None
    except ValueError:
        on = None
    return on, bands[int(band)] if band.isdigit() and int(band) < len(bands) else None


def _address() -> dict[str, str]:
    return {name: value for name, value in st.query_params.to_dict().items() if name != "as_of"}


def files(view: View) -> list[downloads.File]:
    """All that the page shows; what is measured from one milestone to another only where there is something to measure."""
    whole = {**asked, "day": None, "from_s": None, "until_s": None}
    measured_files = [
        downloads.asked("latency", "Orders, and how long each took", view, "latency_orders", whole, DOWNLOADED),
        downloads.asked("latency-days", "By day of the start", view, "invoice_latency", asked, DAYS_FILE),
        downloads.asked("latency-bands", "How long it took", view, "latency_bands", asked, BANDS_FILE),
    ]
    return [
        *(measured_files if asked else []),
        downloads.asked("unbilled", "Accepted, not billed", view, "unbilled", segments, UNBILLED),
        downloads.asked(
            "unbilled-ageing", "Accepted, not billed, by age", view, "unbilled_ageing", segments, AGEING_FILE
        ),
    ]


view = look()
ask = filter_bar.asked(LATENCY)
segments = {name: ask.parameters[name] for name in ("region", "product_line", "legal_entity")}
measured = [promise for promise in current().store.catalogue.promises if promise.start != "start"]
wanted = st.query_params.get("promise", "invoice_latency")
promise = next((one for one in measured if one.name == wanted), measured[0] if measured else None)
asked = {"start": promise.start, "stop": promise.stop, "days": ask.parameters["days"], **segments} if promise else {}
with heading(view, "Invoice latency" if promise is None else promise.label):
    downloads.menu(*files(view))
if promise is None:
    panel(empty("Nothing to measure.", "The catalogue has no promise between two milestones."), key="no_promise")
    st.stop()

values = filter_bar.segments(view)
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    filter_bar.choice("promise", promise.label, {one.name: one.label for one in measured}, ask, width=280)
    filter_bar.choice("days", DAYS["30"], DAYS, ask, width=150)
    for name, label in (("region", "Region"), ("product_line", "Product line"), ("legal_entity", "Legal entity")):
        filter_bar.choice(name, label, values.get(name, {}), ask, width=140)
    filter_bar.clear(ask, LATENCY)
filter_bar.problems(ask)

view.soon("latency_bands", **asked)
view.soon("unbilled", **segments, limit=ROWS)
days = view.rows("invoice_latency", **asked)
bands = view.rows("latency_bands", **asked)
if not days:
    panel(
        empty(
            "No orders in this time.",
            f"None reached '{filter_bar.milestones()[promise.start]}' in these days with these filters.",
        ),
        key="none",
    )
else:
    orders, waiting, late = (sum(row[name] for row in days) for name in ("order_count", "open_count", "late_count"))
    shown = [
        Tile("Orders", wording.count(orders), f"in {ask.parameters['days']} days"),
        Tile("Done", wording.count(orders - waiting), wording.share((orders - waiting) / orders)),
        Tile("Still waiting", wording.count(waiting), view.money(sum(row["open_amount"] for row in days))),
        Tile(
            "Late",
            wording.count(late),
            wording.share(late / orders),
            view.link("orders", promise=promise.name, state="breached"),
            tone="red" if late else None,
        ),
    ]
    panel(tiles(shown), key="figures")
    left, right = st.columns(2, gap="medium")
    with left:
        panel(head("By day of the start", note="days in UTC; orders still waiting are not in it"), key="trend_head")
        trend(view, days)
    with right:
        panel(head("How long it took", note="a click on a bar shows its orders"), key="distribution_head")
        distribution(bands)
    behind(view, asked, bands)
unbilled(view, segments)
