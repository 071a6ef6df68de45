"""One order's timeline: what is it worth, who acts next, what happened, and how we know."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.access import Right
from console.components import filter_bar, pausing, replaying, timeline_parts, waterfall, wording
from console.components.blocks import empty, head, link
from console.components.live import live
from console.components.markup import join
from console.components.panel import panel
from console.components.shell import heading
from console.components.view import View, look

PARTS = {"story": "Story", "objects": "Objects and links", "traces": "Traces", "payloads": "Payloads"}


def found(view: View) -> dict[str, Any] | None:
    """The timeline of the address; an object that leads none answers with the one timeline it stands in."""
    type_, id_ = st.query_params.get("type", "order"), st.query_params.get("id", "")
    rows = view.rows("timeline", type=type_, id=id_)
    if rows:
        return rows[0]
    held = [
        m
        for m in view.rows("search", q=id_, limit=20)
        if (m["object_type"], m["object_id"]) == (type_, id_) and m["lead_count"] == 1
    ]
    rows = view.rows("timeline", type=held[0]["lead_type"], id=held[0]["lead_id"]) if held else []
    return rows[0] if rows else None


def story(view: View) -> None:
    t = found(view)
    if t is None:
        return
    of = {"lead_key": t["lead_key"]}
    following = view.rows("next_milestone", **of)
    milestones = view.rows("timeline_milestones", **of)
    failures = view.rows("timeline_exceptions", **of)
    panel(timeline_parts.summary(view, t, following[0] if following else None, filter_bar.teams()), key="summary")
    panel(timeline_parts.track(view, t, milestones), key="track")

    still_open = [f for f in failures if f["state"] == "open"]
    if failures:
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            panel(
                head("Exceptions", note=f"{len(still_open)} open, {len(failures) - len(still_open)} resolved"),
                key="exceptions_head",
            )
            place = st.container(width="content")
        ticked = panel(timeline_parts.exceptions(view, failures), key="exceptions")
        if still_open and view.live and view.who.may(Right.REPLAY):
            chosen = [f for f in still_open if f["exception_id"] in ticked] or still_open
            with place:
                replaying.offer([f["exception_id"] for f in chosen], [f["class"] for f in chosen], key="replay_order")

    panel(
        join([head("Milestones", note="planned against actual"), timeline_parts.milestone_list(view, t, milestones)]),
        key="milestones",
    )
    panel(timeline_parts.clocks(view, view.rows("timeline_clocks", **of)), key="clocks")
    standing = view.rows("timeline_pauses", **of)
    may_pause = view.live and view.who.may(Right.TRIAGE) and t["state"] not in timeline_parts.DONE
    if standing or may_pause:
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            panel(head("Pauses", note=pausing.note(standing)), key="pauses_head")
            if may_pause:
                pausing.offer(t["lead_type"], t["lead_id"], standing)
    if standing:
        panel(timeline_parts.pauses(view, standing), key="pauses")


def belongings(view: View) -> None:
    t = found(view)
    if t is None:
        return
    of = {"lead_key": t["lead_key"]}
    links = view.rows("timeline_links", **of)
    panel(timeline_parts.objects(view, t, view.rows("timeline_objects", **of), links), key="objects")
    panel(timeline_parts.evidence(view, links, view.rows("timeline_warnings", **of)), key="links")


view = look()
t = found(view)
if t is None:
    id_ = st.query_params.get("id", "")
    heading(view, id_ or "Order timeline")
    why = (
        f"No order or quote '{id_}' is known as of {view.now_words()}."
        if id_
        else "The address names no order: it looks like order?type=order&id=SO-1001."
    )
    panel(
        empty(
            "No timeline.",
            join(
                [
                    why,
                    " ",
                    link("Search for it", view.link("search", q=id_))
                    if id_
                    else link("All orders", view.link("orders")),
                ]
            ),
        ),
        key="none",
    )
else:
    heading(view, f"{t['lead_id']}  {t['customer_name'] or t['customer_id'] or ''}")
    part = filter_bar.part("part", "Part", PARTS)
    if part == "story":
        live(story)
    elif part == "objects":
        live(belongings)
    else:
        spans = view.rows("timeline_spans", lead_key=t["lead_key"], limit=waterfall.MOST_SPANS)
        st.caption(f"{wording.plural(len(spans), 'span')} as of {view.now_words()}, oldest first.")
        (waterfall.traces if part == "traces" else waterfall.payloads)(view, spans)
