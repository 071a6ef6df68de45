"""Orders: every timeline that matches, most urgent first. The address holds what is asked for."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console import standstills
from console.components import downloads, filter_bar, wording
from console.components.blocks import Tile, amount, empty, tiles, two_lines
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import TIMELINE, badge, known
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import ORDERS, PAGE_ROWS, STATES, read

DOWNLOADED = downloads.columns(
    "lead_type=type lead_id=reference customer_name=customer amount currency "
    "reporting_amount=amount_in_reporting_currency state milestone_label=latest_milestone "
    "promise_label=waiting_for due_at exception_sentence=exception region product_line legal_entity "
    "tier started_at last_progress_at"
)
SEGMENTS = ("region", "product_line", "legal_entity")


def strip(view: View) -> None:
    """The states with count and money; each is a filter, and taken off by a second click."""
    ask = filter_bar.asked(ORDERS)
    standing = {row["state"]: row for row in view.rows("standing", **{name: ask.parameters[name] for name in SEGMENTS})}
    chosen = ask.parameters["states"] or []
    kept = {name: value for name, value in ask.given.items() if name not in ("page", "state")}
    shown = []
    for state in STATES:
        after = [one for one in chosen if one != state] if state in chosen else [*chosen, state]
        row = standing.get(state)
        shown.append(
            Tile(
                badge(TIMELINE[state]),
                wording.count(row["timeline_count"] if row else 0),
                view.money(row["amount"] if row else 0),
                view.link("orders", **kept, state=after),
                state in chosen,
            )
        )
    panel(tiles(shown), key="strip")


def rows(view: View) -> None:
    ask = filter_bar.asked(ORDERS)
    found = view.rows("timelines", **ask.parameters, limit=PAGE_ROWS)
    if not found:
        panel(empty("No order matches.", _why(view, bool(ask.given))), key="rows")
        return
    milestones = filter_bar.milestones()
    stuck = [t["lead_key"] for t in found if t["state"] == "stuck"]
    still = {row["lead_key"]: row for row in view.rows("standstills", lead_keys=stuck)} if stuck else {}
    total, worth = found[0]["total_count"], found[0]["total_amount"]
    columns = [
        Column("Reference", lambda t: t["lead_id"], "fit"),
        Column(
            "Customer",
            lambda t: t["customer_name"] or t["customer_id"] or tag("span", "not given", class_="quiet"),
            "line",
        ),
        Column("Segment", _segment, "fit", wide=True),
        Column("Amount", lambda t: amount(t["amount"], t["currency"]), "number"),
        Column("State", lambda t: badge(known(TIMELINE, t["state"])), "fit"),
        Column(
            "Latest milestone",
            lambda t: t["milestone_label"] or tag("span", "none yet", class_="quiet"),
            wide=True,
        ),
        Column(
            "Waiting for",
            lambda t: two_lines(
                milestones.get(t["promise_stop"]) or tag("span", "—", class_="quiet"),
                _held_by(t, _reason(view, still.get(t["lead_key"]))),
            ),
            "clip",
        ),
        Column("Due", lambda t: view.due(t["due_at"], done=t["state"] in ("completed", "cancelled")), "fit"),
    ]
    pages = filter_bar.pager(view, "orders", ask, len(found), total)
    order = "Most urgent first: breached, stuck, at risk, on track; then earliest due, then largest."
    caption = f"{order} All that match: {view.money(worth)}."
    shown = table(columns, found, href=view.order, caption=caption)
    panel(join([pages, shown, pages if len(found) == PAGE_ROWS else None]), key="rows")


def _reason(view: View, row: dict[str, Any] | None) -> str | None:
    """Of a stuck order: why it may stand, and whose move it is."""
    words = standstills.explain(row, view.as_of) if row else None
    return (
        f"{words.reason} {filter_bar.teams().get(words.owner_team, words.owner_team)}: {words.action}"
        if words
        else None
    )


def _held_by(timeline: dict[str, Any], reason: str | None) -> Html | None:
    sentence = timeline["exception_sentence"] or reason
    return tag("span", sentence, class_="lines", title=sentence) if sentence else None


def _segment(timeline: dict[str, Any]) -> Html:
    first, second = (
        " · ".join(str(timeline[name]).replace("_", " ") for name in names if timeline[name])
        for names in (SEGMENTS[:2], SEGMENTS[2:])
    )
    return two_lines(tag("span", first, class_="small"), second)


def _why(view: View, filtered: bool) -> str:
    held = view.rows("timelines", **read(ORDERS, {}).parameters, limit=1)
    if not held:
        how = "Point an exporter at this console's OTLP door, or load a file with cashtrail load."
        return f"No quote or order has been seen as of {view.now_words()}. {how}"
    most = wording.plural(held[0]["total_count"], "order")
    return (
        f"{most} known as of {view.now_words()}, none with these filters. Take one off to see more."
        if filtered
        else f"{most} known."
    )


view = look()
ask = filter_bar.asked(ORDERS)
with heading(view, "Orders"):
    downloads.offer(
        "orders",
        view,
        "timelines",
        ask.parameters,
        DOWNLOADED,
    )
live(strip)
values = filter_bar.segments(view)
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    filter_bar.typed("q", "Reference or customer", ask, width=190, icon=":material/search:")
    for name, label in zip(SEGMENTS, ("Region", "Product line", "Legal entity"), strict=True):
        filter_bar.choice(name, label, values.get(name, {}), ask, width=130)
    filter_bar.choice("promise", "Promise", filter_bar.promises(), ask, width=150)
    filter_bar.choice("milestone", "Latest milestone", filter_bar.milestones(), ask, width=150)
    filter_bar.typed("min_amount", f"Min. {view.reporting_currency}", ask, width=95)
    filter_bar.choice("with_exception", "Exceptions", {"true": "With an exception", "false": "Without"}, ask, width=125)
    filter_bar.clear(ask, ORDERS)
filter_bar.problems(ask)
live(rows)
