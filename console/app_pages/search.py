"""Search: every object whose id, id in another system, or customer matches, each with a timeline that holds it."""

from __future__ import annotations

import streamlit as st

from console.components import wording
from console.components.blocks import empty, two_lines
from console.components.markup import tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.table import Column, table
from console.components.view import look

MOST = 100

view = look()
wanted = st.query_params.get("q", "").strip()[:200]
heading(view, f"Search: {wanted}" if wanted else "Search")
found = view.rows("search", q=wanted, limit=MOST) if wanted else []
if not found:
    why = (
        f"No id, id in another system or customer contains '{wanted}' as of {view.now_words()}."
        if wanted
        else "Type an order, invoice, payment, ERP number or part of a customer's name into the box on the left."
    )
    panel(empty("Nothing found." if wanted else "Nothing to look for yet.", why), key="none")
else:
    columns = [
        Column("Object", lambda m: two_lines(m["object_id"], m["scope"] and f"id of {m['scope']}"), "fit"),
        Column("Type", lambda m: m["object_type"].replace("_", " "), "fit"),
        Column("Matched", lambda m: m["matched"]),
        Column("Timeline", lambda m: m["lead_id"] or tag("span", "none", class_="quiet"), "fit"),
        Column("Stands in", lambda m: wording.plural(m["lead_count"], "timeline"), "number"),
    ]
    caption = f"Exact matches first, then the beginning of an id, then any part; at most {MOST}."
    body = table(
        columns,
        found,
        href=lambda m: (
            view.link("order", type=m["lead_type"], id=m["lead_id"], scope=m["lead_scope"]) if m["lead_id"] else None
        ),
        caption=caption,
    )
    panel(body, key="found")
