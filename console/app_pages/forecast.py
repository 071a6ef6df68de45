"""Forecast: which promises will be broken, and which later ones because of what runs now, by chance times amount."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from console.components import downloads, filter_bar, wording
from console.components.blocks import Tile, amount, bar, empty, link, tiles, two_lines
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import CLOCK, badge, known
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import FORECAST, PAGE_ROWS, Asked

PARTS = {"now": "Running promises", "later": "Promises to come"}
QUESTIONS = {"now": "forecast_clocks", "later": "forecast_later"}
REFRESH_S = 30.0
_ORDER_FILE = (
    "lead_type=type lead_id=reference lead_scope=scope customer_name=customer reporting_amount=amount_in_reporting_currency "
    "promise label owner_team chance at_stake=at_stake_in_reporting_currency fitted_as_of "
)
FILES = {
    "now": downloads.columns(_ORDER_FILE + "state started_at due_at segment=like_orders like_count"),
    "later": downloads.columns(_ORDER_FILE + "because because_state planned_at expected_at late_at"),
}
Row = dict[str, Any]


def rows(view: View) -> None:
    part, ask = _part(), filter_bar.asked(FORECAST)
    found = view.rows(QUESTIONS[part], **ask.parameters, limit=PAGE_ROWS)
    if not found:
        panel(_none(view, part), key="rows")
        return
    first = found[0]
    shown = [
        Tile("At stake", view.money(first["total_at_stake"]), "chance times amount, added up"),
        Tile("More likely late than not", wording.count(first["likely_count"]), f"of {wording.count(first['total_count'])}"),
        Tile("Learned", _learned(view, first), "from like orders, also those still open"),
    ]  # fmt: skip
    panel(tiles(shown), key="figures")
    pages = filter_bar.pager(view, "forecast", _with_part(ask, part), len(found), first["total_count"])
    body = table(
        (_running if part == "now" else _to_come)(view),
        found,
        href=view.order,
        caption=f"Most money at stake first: the chance to be late times the amount of the order, in {view.reporting_currency}.",
    )
    panel(join([pages, body, pages if len(found) == PAGE_ROWS else None]), key="rows")


def _running(view: View) -> list[Column]:
    return [
        *_order(view),
        Column("Promise", lambda c: two_lines(c["label"], badge(known(CLOCK, c["state"]))), "clip"),
        Column("Due", lambda c: view.due(c["due_at"]), "fit"),
        Column("Owner", lambda c: filter_bar.team(c["owner_team"]), "fit"),
        Column("Known from", _known_from, wide=True),
    ]


def _to_come(view: View) -> list[Column]:
    return [
        *_order(view),
        Column("Promise", lambda c: two_lines(c["label"], _because(c)), "clip"),
        Column("Planned", lambda c: view.at(c["planned_at"]), "fit"),
        Column(
            "Expected", lambda c: two_lines(view.at(c["expected_at"]), join(["or by ", view.at(c["late_at"])])), "fit"
        ),
        Column("Whose move", lambda c: filter_bar.team(c["owner_team"]), "fit"),
    ]


def _order(view: View) -> list[Column]:
    def at_stake(row: Row) -> Html:
        of = f"of {wording.money(row['reporting_amount'], None, cents=False)}"
        return two_lines(amount(row["at_stake"], view.reporting_currency, cents=False), of)

    return [
        Column("Reference", lambda c: c["lead_id"], "fit"),
        Column("Chance", lambda c: bar(c["chance"], tone="red" if c["chance"] >= 0.5 else "gray"), "number"),
        Column("At stake", at_stake, "number"),
        Column("Customer", lambda c: c["customer_name"] or "not given", "line", wide=True),
    ]


def _because(row: Row) -> str:
    """What runs now and pushes the promise on."""
    state = {"breached": "is late", "at_risk": "is at risk", "running": "runs"}[row["because_state"]]
    return f"because of: {row['because_label']}, which {state}"


def _known_from(row: Row) -> Html:
    if not row["like_count"]:
        return tag("span", "elapsed share", class_="quiet", title="No like order has been seen at this age yet.")
    return two_lines(wording.plural(row["like_count"], "like order"), row["segment"] or "all of the promise")


def _learned(view: View, row: Row) -> str:
    return wording.ago(row["fitted_as_of"], view.as_of) if row["fitted_as_of"] else "nothing yet"


def _none(view: View, part: str) -> Html:
    if part == "now":
        return empty(
            "No promise runs.", f"With these filters no clock runs towards its due instant as of {view.now_words()}."
        )
    return empty(
        "Nothing to push on.",
        "With these filters no running promise leads to a later one, or too little history has been learned from yet.",
    )


def _with_part(ask: Asked, part: str) -> Asked:
    return ask if part == "now" else replace(ask, given={**ask.given, "part": part})


def _part() -> str:
    given = st.query_params.get("part", "now")
    return given if given in PARTS else "now"


view = look()
ask = filter_bar.asked(FORECAST)
about = join(
    [
        tag("span", "How good these chances have been stands on the page "),
        link("Backtest", view.link("backtest")),
        tag("span", "."),
    ]
)
with heading(view, "Forecast", about):
    part = _part()
    downloads.offer(f"forecast-{part}", view, QUESTIONS[part], ask.parameters, FILES[part])
values = filter_bar.segments(view)
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    filter_bar.part("part", "Part", PARTS)
    filter_bar.choice("promise", "Promise", filter_bar.promises(), ask, width=220)
    for name, label in (("region", "Region"), ("product_line", "Product line"), ("legal_entity", "Legal entity")):
        filter_bar.choice(name, label, values.get(name, {}), ask, width=130)
    if part == "now":
        filter_bar.choice("with_breached", "Not yet late", {"true": "Late ones too"}, ask, width=140)
    filter_bar.clear(ask, FORECAST)
filter_bar.problems(ask)
live(rows, every_s=REFRESH_S)
