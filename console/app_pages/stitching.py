"""Stitching: what ties spans to orders, what is tied to nothing, and the nearest candidates, for a person to tie by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from console.access import Right
from console.components import dialogs, downloads, filter_bar, wording
from console.components.blocks import Tile, amount, bar, empty, head, link, tiles, two_lines
from console.components.charts import HUES, QUIET, framed, tone
from console.components.dialogs import Done, Question
from console.components.live import live
from console.components.markup import Child, Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import PAGE_ROWS, STITCHING
from console.linking import LinkDeed, Named
from console.resources import current

Row = dict[str, Any]
EVIDENCE = {
    "id": "Its own id",
    "alias": "Another system's id",
    "parent": "Its parent span",
    "correlation": "Correlation ID alone",
    "none": "Nothing",
}
SOURCES = {
    "explicit": "The span names the parent",
    "operator": "A person tied them",
    "same_span": "Both ids on one span",
    "trace_parent": "The id on the span above",
    "span_link": "An OpenTelemetry span link",
    "correlation": "Correlation ID alone",
}
CANDIDATES_MOST = 3


SHARES_FILE = downloads.columns("day_at system evidence span_count")
ORPHANS_FILE = downloads.columns(
    "object_type object_id scope system customer amount currency reporting_amount first_seen_at doubt"
)
LINKS_FILE = downloads.columns("source confidence link_count")


def shares(view: View) -> None:
    ask = filter_bar.asked(STITCHING)
    rows = view.rows("stitching", days=ask.parameters["days"])
    if not rows:
        why = f"No span started in the {ask.parameters['days']} days before {view.now_words()}."
        panel(empty("Nothing to stitch.", why), key="shares")
        return
    whole = sum(row["span_count"] for row in rows)
    by_evidence: dict[str, int] = defaultdict(int)
    for row in rows:
        by_evidence[row["evidence"]] += row["span_count"]
    panel(
        tiles(
            [
                Tile(
                    label,
                    wording.share(by_evidence[name] / whole),
                    wording.plural(by_evidence[name], "span"),
                    tone="yellow" if name == "none" and by_evidence[name] > 0.05 * whole else None,
                )
                for name, label in EVIDENCE.items()
            ]
        ),
        key="shares",
    )
    with st.container(key="halves"):  # one below the other where there is little room
        left, right = st.columns([3, 2], gap="medium")
    with left:
        panel(
            head("Spans by what ties them to an object", note=f"share of each day, {ask.parameters['days']} days, UTC"),
            key="over_time",
        )
        st.plotly_chart(_over_time(rows), key="stitching_chart", config={"displayModeBar": False})
    with right:
        panel(join([head("By system"), _by_system(rows)]), key="systems")


def _over_time(rows: Sequence[Row]) -> go.Figure:
    days: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        days[row["day_at"].date()][row["evidence"]] += row["span_count"]
    figure = go.Figure()
    for hue, (name, label) in zip((*HUES[:3], *HUES[4:]), EVIDENCE.items(), strict=False):
        parts = [100 * day[name] / sum(day.values()) for day in days.values()]
        figure.add_bar(
            x=list(days),
            y=parts,
            name=label,
            marker={"color": tone(QUIET) if name == "none" else hue},
            hovertemplate="%{x|%-d %b}: %{y:.1f} %<extra>" + label + "</extra>",
        )
    framed(figure, height=250, legend=True).update_layout(barmode="stack", bargap=0.15)
    figure.update_xaxes(type="date", tickformat="%-d %b")
    figure.update_yaxes(range=[0, 100], ticksuffix=" %")
    return figure


def _by_system(rows: Sequence[Row]) -> Html:
    systems: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        systems[row["system"]][row["evidence"]] += row["span_count"]
    labels = filter_bar.system_labels()
    told: list[Row] = [
        {"system": labels.get(name, name), "whole": sum(found.values()), **{k: found[k] for k in EVIDENCE}}
        for name, found in systems.items()
    ]
    columns = [
        Column("System", lambda s: s["system"]),
        Column("Spans", lambda s: wording.count(s["whole"]), "number"),
        Column("By id", lambda s: wording.share((s["id"] + s["alias"]) / s["whole"]), "number"),
        Column("By parent", lambda s: wording.share(s["parent"] / s["whole"]), "number", wide=True),
        Column("Nothing", lambda s: bar(s["none"] / s["whole"], tone="gray"), "number"),
    ]
    ordered = sorted(told, key=lambda s: (-s["none"] / s["whole"], s["system"]))
    return table(columns, ordered[:12], caption="Most untied first; at most 12.")


def links(view: View) -> None:
    rows = view.rows("stitching_links")
    whole = sum(row["link_count"] for row in rows)
    columns = [
        Column("Evidence", lambda k: SOURCES.get(k["source"], k["source"].replace("_", " "))),
        Column("Confidence", lambda k: wording.share(float(k["confidence"])), "number"),
        Column("Links", lambda k: wording.count(k["link_count"]), "number"),
        Column("Share", lambda k: bar(k["link_count"] / whole, tone="blue"), "number"),
    ]
    body = (
        table(columns, rows, caption="The surest first. Of a child's evidence for one type of parent only the surest counts.")
        if rows
        else empty("No links.", "No two objects have been seen to belong together.")
    )  # fmt: skip
    panel(join([head("What ties objects to each other"), body]), key="links")


def orphans(view: View) -> None:
    ask = filter_bar.asked(STITCHING)
    found = view.rows("stitching_orphans", **ask.parameters, limit=PAGE_ROWS)
    total = found[0]["total_count"] if found else 0
    worth = view.money(found[0]["total_amount"]) if found and found[0]["total_amount"] else None
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        note = wording.plural(total, "object") + (f" worth {worth}" if worth else "")
        panel(head("Tied to no order", note=note), key="orphans_head")
        place = st.container(width="content")
    if not found:
        filtered = any(name in ask.given for name in ("system", "type"))
        why = (
            "None with this filter."
            if filtered
            else f"Every shipment, invoice and payment seen by {view.now_words()} belongs to something."
        )
        panel(empty("No orphans.", why), key="orphans")
        return
    near: dict[int, list[Row]] = defaultdict(list)
    for c in view.rows("stitching_candidates", orphans=[o["object_key"] for o in found], most=CANDIDATES_MOST):
        near[c["orphan_key"]].append(c)
    lines = [
        {"orphan": o, "candidate": candidate, "first": position == 0}
        for o in found
        for position, candidate in enumerate(near[o["object_key"]] or [None])
    ]
    pages = filter_bar.pager(view, "stitching", ask, len(found), total)
    caption = f"Most money first, then oldest; at most {CANDIDATES_MOST} candidates each, the likeliest first. Tick what belongs together."
    shown = table(_orphan_columns(view), lines, tick=_tick if _may_act(view) else None, caption=caption)
    ticked = panel(join([pages, shown]), key="orphans")
    chosen = [line for line in lines if _tick(line) in ticked]
    if _may_act(view):
        with place:
            if st.button("Link …", key="link", disabled=not chosen, help="Tick a candidate first."):
                dialogs.ask(_link_question(view, chosen))


def _orphan_columns(view: View) -> list[Column]:
    def once(cell: Any) -> Any:
        return lambda line: cell(line["orphan"]) if line["first"] else ""

    def of_candidate(cell: Any) -> Any:
        return lambda line: cell(line["candidate"]) if line["candidate"] else ""

    return [
        Column("Object", once(lambda o: two_lines(_called(o), o["object_type"].replace("_", " "))), "fit"),
        Column("System", once(lambda o: filter_bar.system(o["system"])), "fit", wide=True),
        Column("Customer", once(lambda o: o["customer"] or tag("span", "not given", class_="quiet")), "line"),
        Column("Amount", once(lambda o: amount(o["amount"], o["currency"])), "number"),
        Column("First seen", once(lambda o: two_lines(view.at(o["first_seen_at"]), o["doubt"])), "text"),
        Column("May belong to", lambda line: _candidate(view, line["candidate"]), "fit"),
        Column("What speaks for it", of_candidate(lambda c: ", ".join(_reasons(c))), "text"),
        Column("Score", of_candidate(lambda c: bar(c["score"], tone="blue")), "number"),
    ]


def _candidate(view: View, c: Row | None) -> Child:
    if c is None:
        return tag("span", "nothing near", class_="quiet")
    label = wording.named(c["object_type"], _called(c))
    if not c["lead_id"]:
        return label
    return link(label, view.order(c))


def _reasons(c: Row) -> list[str]:
    return [*c["reasons"], f"{wording.span_of(c['seconds_apart'])} apart"]


def _called(o: Row) -> str:
    return f"{o['object_id']} ({o['scope']})" if o["scope"] else str(o["object_id"])


def _tick(line: Row) -> str:
    candidate = line["candidate"]
    return f"{line['orphan']['object_key']}-{candidate['object_key'] if candidate else 'none'}"


def _may_act(view: View) -> bool:
    return view.live and view.who.may(Right.TRIAGE)


def _link_question(view: View, chosen: Sequence[Row]) -> Question:
    types = sorted(
        {r.parent for r in current().store.catalogue.relations if r.kind == "part_of"}
        & {
            r.parent
            for line in chosen
            for r in current().store.catalogue.relations
            if r.child == line["orphan"]["object_type"]
        }
    )
    unknown = any(line["candidate"] is None for line in chosen)

    def particulars() -> dict[str, Any]:
        if not unknown:
            return {}
        type_ = st.selectbox("Belongs to", types, format_func=lambda t: t.replace("_", " "), key="link_type")
        return {"type": type_, "id": st.text_input("Its id", key="link_id", max_chars=200).strip()}

    def do(reason: str, given: Mapping[str, Any]) -> Done:
        for line in chosen:
            c = line["candidate"]
            parent = Named(c["object_type"], c["object_id"], c["scope"]) if c else Named(given["type"], given["id"])
            _act(view, "link", _named(line["orphan"]), parent, reason)
        return Done(f"Linked {wording.plural(len(chosen), 'object')}.")

    told = "\n".join(
        f"- {line['orphan']['object_type'].replace('_', ' ')} **{_called(line['orphan'])}** becomes part of "
        + (
            f"{line['candidate']['object_type'].replace('_', ' ')} **{_called(line['candidate'])}**"
            if line["candidate"]
            else "what you name"
        )
        for line in chosen
    )
    consequence = f"{told}\n\nTimelines, coverage and promises follow at once. It can be taken back below."
    return Question("Link by hand", consequence, "Link", do, particulars if unknown else None)


def _named(o: Row) -> Named:
    return Named(o["object_type"], o["object_id"], o["scope"])


def _act(view: View, deed: LinkDeed, child: Named, parent: Named, reason: str) -> None:
    current().linking.do(view.who, deed, child, parent, reason)


def by_hand(view: View) -> None:
    rows = view.rows("stitching_by_hand")
    if not rows:
        panel(
            join([head("Tied by hand"), empty("No link by hand.", "Nobody has tied anything, or it was taken back.")]),
            key="by_hand",
        )
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        panel(head("Tied by hand", note=wording.plural(len(rows), "link")), key="by_hand_head")
        place = st.container(width="content")
    columns = [
        Column("Object", lambda k: wording.named(k["child_type"], k["child_id"]), "fit"),
        Column("Part of", lambda k: wording.named(k["parent_type"], k["parent_id"]), "fit"),
        Column("By", lambda k: k["actor"], "fit"),
        Column("When", lambda k: view.at(k["acted_at"]), "fit"),
        Column("Reason", lambda k: k["reason"], "clip"),
    ]
    numbered = [row | {"position": str(position)} for position, row in enumerate(rows)]
    ticked = panel(
        table(
            columns, numbered, tick=(lambda k: f"hand-{k['position']}") if _may_act(view) else None, caption="Latest first."
        ),
        key="by_hand",
    )  # fmt: skip
    chosen = [row for row in numbered if f"hand-{row['position']}" in ticked]
    if _may_act(view):
        with place:
            if st.button("Take back …", key="unlink", disabled=not chosen, help="Tick a link first."):
                dialogs.ask(_unlink_question(view, chosen))


def _unlink_question(view: View, chosen: Sequence[Row]) -> Question:
    def do(reason: str, _given: Mapping[str, Any]) -> Done:
        for k in chosen:
            child = Named(k["child_type"], k["child_id"], k["child_scope"])
            _act(view, "unlink", child, Named(k["parent_type"], k["parent_id"], k["parent_scope"]), reason)
        return Done("Taken back.")

    told = "\n".join(
        f"- {k['child_type']} **{k['child_id']}** from {k['parent_type']} **{k['parent_id']}**" for k in chosen
    )
    consequence = (
        f"{told}\n\nWhat systems say holds again, as if nobody had tied them. Both deeds stay in the audit trail."
    )
    return Question("Take back a link by hand", consequence, "Take back", do)


view = look()
ask = filter_bar.asked(STITCHING)
heading(view, "Stitching")
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    types = {t.name: t.label for t in current().store.catalogue.object_types if t.traversed}
    filter_bar.choice("days", "30 days", {"7": "7 days", "30": "30 days", "90": "90 days"}, ask, width=110)
    filter_bar.choice("system", "Orphans of system", filter_bar.system_labels(), ask)
    filter_bar.choice("type", "Orphans of type", types, ask)
    filter_bar.clear(ask, STITCHING)
filter_bar.problems(ask)
shares(view)
live(orphans)
live(by_hand)
links(view)
downloads.menu(
    downloads.asked(
        "stitching",
        "Spans by day, system and evidence",
        view,
        "stitching",
        {"days": ask.parameters["days"]},
        SHARES_FILE,
    ),
    downloads.asked("orphans", "Orphans", view, "stitching_orphans", ask.parameters, ORPHANS_FILE),
    downloads.asked("links", "Links by evidence", view, "stitching_links", {}, LINKS_FILE),
)
