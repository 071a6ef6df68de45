"""Search: every object whose id, id in another system, or customer matches, each with a timeline that holds it. Live."""

from __future__ import annotations

import streamlit as st

from console.components import wording
from console.components.blocks import empty, two_lines
from console.components.live import live
from console.components.markup import Html, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.table import Column, table
from console.components.view import View, look

MOST = 100


def found(view: View) -> None:
    """What matches now: an order that has only just been told of appears by itself."""
    wanted = _wanted()
    rows = view.rows("search", q=wanted, limit=MOST) if wanted else []
    if not rows:
        panel(_nothing(view, wanted), key="found")
        return
    columns = [
        Column("Object", lambda m: two_lines(m["object_id"], m["scope"] and f"id of {m['scope']}"), "fit"),
        Column("Type", lambda m: m["object_type"].replace("_", " "), "fit"),
        Column("Matched", lambda m: m["matched"]),
        Column("Timeline", lambda m: m["lead_id"] or tag("span", "none", class_="quiet"), "fit"),
        Column("Stands in", lambda m: wording.plural(m["lead_count"], "timeline"), "number"),
    ]
    how_many = f"First {MOST}" if len(rows) == MOST else wording.plural(len(rows), "match", "matches")
    body = table(
        columns,
        rows,
        href=lambda m: view.order(m) if m["lead_id"] else None,
        caption=f"{how_many}: exact ones first, then the beginning of an id, then any part.",
    )
    panel(body, key="found")


def _nothing(view: View, wanted: str) -> Html:
    if not wanted:
        return empty(
            "Nothing to look for yet.",
            "Type an order, invoice, payment, ERP number or part of a customer's name into the search box.",
        )
    why = f"No id, id in another system or customer contains '{wanted}' as of {view.now_words()}."
    return empty("Nothing found.", f"{why} What comes in later appears here by itself." if view.live else why)


def _wanted() -> str:
    return st.query_params.get("q", "").strip()[:200]


view = look()
heading(view, f"Search: {_wanted()}" if _wanted() else "Search")
live(found)
