"""Process map: the paths that orders really take beside the declared one, with the orders behind each step and deviation."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console import process
from console.components import downloads, filter_bar, path_chart, wording
from console.components.blocks import Tile, amount, empty, head, tiles
from console.components.markup import join, tag
from console.components.panel import go_to, panel
from console.components.shell import heading
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import PAGE_ROWS, PROCESS

Row = dict[str, Any]
KINDS = {
    "declared": "as declared",
    "skip": "passes over",
    "back": "goes back",
    "side": "side step",
    "end": "stand here",
}
RULE = (
    "Skipped: never seen, though a later milestone that the order's segment expects was. What was seen in part or taken back is not "
    "skipped; Completeness says why the rest is not there."
)
ASKED = ("days", "region", "product_line", "legal_entity")
DOWNLOADED = downloads.columns(
    "from_milestone=from to_milestone=to milestone=deviating_milestone other kind order_count=orders passing_count=passing_over "
    "amount=amount_in_reporting_currency median_s failed_count=with_exception"
)


def segment() -> dict[str, Any]:
    asked = filter_bar.asked(PROCESS).parameters
    return {name: asked[name] for name in ASKED}


def chart(view: View) -> None:
    ask = filter_bar.asked(PROCESS)
    steps, found = process.halves(view.rows("process_map", **segment()))
    if not steps:
        told = f"No order started in the {ask.parameters['days']} days before {view.now_words()}"
        panel(empty("No path to draw.", f"{told}{', with these filters' if len(ask.given) > 1 else ''}."), key="strip")
        return
    labels = filter_bar.milestones()
    moved = [s for s in steps if s["kind"] != "end"]
    taken = sum(s["order_count"] for s in moved)
    failed = sum(s["failed_count"] for s in moved)
    orders = sum(s["order_count"] for s in steps if s["kind"] == "end")
    off = found[0]["deviating_count"] if found else 0
    panel(
        tiles(
            [
                Tile("Orders", wording.count(orders), f"started in {ask.parameters['days']} days"),
                Tile("Steps taken", wording.count(taken), "from one milestone to the next"),
                Tile(
                    "As declared",
                    wording.share(1 - off / orders),
                    f"of all orders; {wording.count(off)} deviate",
                ),
                Tile("With an exception", wording.share(failed / taken if taken else None), "of all steps"),
            ]
        ),
        key="strip",
    )
    note = "width: orders; dotted above passes over, below goes back; red: 10 % or more failed; click a point for its orders"
    panel(head("Paths taken", note=note), key="chart_head")
    from_, to = ask.parameters["from"], ask.parameters["to"]
    with st.container(key="paths"):
        picked = st.plotly_chart(
            path_chart.drawing(steps, labels, (from_, to) if from_ and to else None),
            key=f"map_{from_}_{to}",
            on_select="rerun",
            selection_mode="points",
            config={"displayModeBar": False},
        )
    clicked = next((p["customdata"] for p in picked.selection.points if p.get("customdata")), None)
    if clicked and tuple(clicked) != (from_, to):
        go_to(view.link("process-map", **_kept(), **{"from": clicked[0], "to": clicked[1]}))
        st.rerun()


def _kept() -> dict[str, str]:
    given = filter_bar.asked(PROCESS).given
    return {name: given[name] for name in ASKED if name in given}


def lists(view: View) -> None:
    left, right = st.columns([3, 2], gap="medium")
    labels = filter_bar.milestones()
    ask = filter_bar.asked(PROCESS)
    steps, found = process.halves(view.rows("process_map", **segment()))
    with left:
        columns = [
            Column("From", lambda s: labels[s["from_milestone"]]),
            Column("To", lambda s: labels.get(s["to_milestone"]) or tag("span", "stand here", class_="quiet")),
            Column("Kind", _kind, "fit", wide=True),
            Column("Orders", lambda s: wording.count(s["order_count"]), "number"),
            Column("Half within", lambda s: wording.span_of(s["median_s"]), "number"),
            Column("Failed", lambda s: wording.share(s["failed_count"] / s["order_count"]), "number"),
        ]
        body = table(
            columns,
            steps[:30],
            href=lambda s: view.link(
                "process-map",
                **_kept(),
                **{"from": s["from_milestone"], "to": s["to_milestone"], "stand": "true" if not s["to_milestone"] else None},
            ),
            chosen=lambda s: (s["from_milestone"], s["to_milestone"]) == (ask.parameters["from"], ask.parameters["to"]),
            caption="Most taken first; at most 30.",
        )  # fmt: skip
        panel(
            join([head("Steps"), body if steps else empty("No steps.", "No order started in this time.")]), key="steps"
        )
    with right:
        columns = [
            Column("Deviation", lambda d: _said(d, labels)),
            Column("Orders", lambda d: wording.count(d["order_count"]), "number"),
            Column("Worth", lambda d: view.money(d["amount"]), "number"),
        ]
        told = (
            table(
                columns,
                found[:20],
                href=lambda d: view.link(
                    "process-map", **_kept(), deviation=d["kind"], milestone=d["milestone"], other=d["other"]
                ),
                caption=f"Most orders first; at most 20. {RULE}",
            )
            if found
            else empty("No deviation.", f"Every order took the declared path as far as it has come. {RULE}")
        )
        panel(join([head("Deviations", note="from the declared path"), told]), key="deviations")


def _kind(step: Row) -> str:
    """What a step is, and how many of its orders passed over a milestone with it where most did not."""
    passing = step["passing_count"] if step["kind"] != "skip" else 0
    return KINDS[step["kind"]] + (f"; {wording.count(passing)} pass over" if passing else "")


def _said(d: Row, labels: dict[str, str]) -> str:
    if d["kind"] == "skipped":
        return f"{labels[d['milestone']]} skipped"
    return f"{labels[d['milestone']]} before {labels[d['other']]}"


def orders(view: View) -> None:
    ask = filter_bar.asked(PROCESS)
    asked = ask.parameters
    labels = filter_bar.milestones()
    if asked["from"] and (asked["to"] or asked["stand"]):
        from_ = labels.get(asked["from"], asked["from"])
        title = f"{from_} to {labels.get(asked['to'], asked['to'])}" if asked["to"] else f"Stand at {from_}"
    elif asked["deviation"] and asked["milestone"]:
        title = _said(
            {"kind": asked["deviation"], "milestone": asked["milestone"], "other": asked["other"]},
            labels | {name: name for name in (asked["milestone"], asked["other"] or "") if name not in labels},
        )
    else:
        return
    found = view.rows("process_orders", **asked, limit=PAGE_ROWS)
    total = found[0]["total_count"] if found else 0
    if not found:
        panel(
            join([head(title), empty("No order.", f"None as of {view.now_words()}, with these filters.")]), key="orders"
        )
        return
    columns = [
        Column("Reference", lambda o: o["lead_id"], "fit"),
        Column("Customer", lambda o: o["customer"] or tag("span", "not given", class_="quiet"), "line"),
        Column("Amount", lambda o: amount(o["amount"], o["currency"]), "number"),
        Column("From", lambda o: view.at(o["from_at"]), "fit"),
        Column("To", lambda o: view.at(o["to_at"]), "fit"),
        Column("Took", lambda o: wording.span_of(o["took_s"]), "number"),
    ]
    pages = filter_bar.pager(view, "process-map", ask, len(found), total)
    note = f"{wording.plural(total, 'order')} worth {view.money(found[0]['total_amount'])}"
    shown = table(
        columns,
        found,
        href=view.order,
        caption="Slowest first, then largest.",
    )
    panel(join([head(title, note=note), pages, shown]), key="orders")


view = look()
ask = filter_bar.asked(PROCESS)
with heading(view, "Process map"):
    downloads.offer("process-map", view, "process_map", segment(), DOWNLOADED)
values = filter_bar.segments(view)
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    spans = {"7": "7 days", "30": "30 days", "90": "90 days", "3660": "All time"}
    filter_bar.choice("days", "90 days", spans, ask, width=110)
    for name, label in (("region", "Region"), ("product_line", "Product line"), ("legal_entity", "Legal entity")):
        filter_bar.choice(name, label, values.get(name, {}), ask, width=140)
    filter_bar.clear(ask, PROCESS)
filter_bar.problems(ask)
chart(view)
orders(view)
lists(view)
