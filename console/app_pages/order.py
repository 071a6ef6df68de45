"""One order's timeline: what is it worth, who acts next, what happened, and how we know."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.access import Right
from console.components import downloads, filter_bar, lineage, pausing, replaying, timeline_parts, waterfall, wording
from console.components.blocks import amount, empty, head, link
from console.components.live import live
from console.components.markup import join
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import TIMELINE, badge, known
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import FORECAST, read
from console.finding import timelines_named

AHEAD_MOST = 50
AHEAD_REFRESH_S = 30.0

PARTS = {
    "story": "Story",
    "objects": "Objects and links",
    "lineage": "Payload lineage",
    "traces": "Traces",
    "payloads": "Payloads",
}
MILESTONES_FILE = downloads.columns(
    "milestone label reached_at planned_at object_type object_id system coverage covered_amount covered_quantity amount quantity owner_team"
)
CLOCKS_FILE = downloads.columns(
    "promise label start stop started_at at_risk_at due_at stopped_at state owner_team paused_by target_s calendar variant why"
)
EXCEPTIONS_FILE = downloads.columns(
    "exception_id state kind class category operation system object_type object_id opened_at last_failed_at resolved_at attempt_count"
    " sentence error_code owner_team owner_person"
)
OBJECTS_FILE = downloads.columns(
    "object_type object_id scope system direction depth share amount currency allocated_amount quantity shared_by"
)


def meant(view: View) -> list[dict[str, Any]]:
    """The timelines that the address may mean; more than one where systems or legal entities use the same id."""
    asked = st.query_params
    return timelines_named(view.rows, asked.get("type", "order"), asked.get("id", ""), asked.get("scope"))


def found(view: View) -> dict[str, Any] | None:
    """The timeline of the address, where it means one."""
    rows = meant(view)
    return rows[0] if len(rows) == 1 else None


def choices(view: View, rows: list[dict[str, Any]]) -> None:
    """Two ERPs both have an order 1001: which one is meant is asked, not guessed."""
    columns = [
        Column("Whose id", lambda t: t["scope"] or "everybody's", "fit"),
        Column("Reference", lambda t: t["lead_id"], "fit"),
        Column("System", lambda t: filter_bar.system(t["system"]), "fit"),
        Column("Customer", lambda t: t["customer_name"] or t["customer_id"] or "not given", "line"),
        Column("Amount", lambda t: amount(t["amount"], t["currency"]), "number"),
        Column("State", lambda t: badge(known(TIMELINE, t["state"])), "fit"),
        Column("Since", lambda t: view.at(t["started_at"]), "fit"),
    ]
    body = table(
        columns,
        rows,
        href=view.order,
        caption="By the system or legal entity whose id it is.",
    )
    panel(join([head("Which one?", note="systems use this id for different orders"), body]), key="choices")


def story(view: View) -> None:
    t = found(view)
    if t is None:
        return
    of = {"lead_key": t["lead_key"]}
    view.soon("timeline_exceptions", "timeline_clocks", "timeline_milestones", **of)
    view.soon("standstills", lead_keys=[t["lead_key"]])
    following = view.rows("next_milestone", **of)
    milestones = view.rows("timeline_milestones", **of)
    failures = view.rows("timeline_exceptions", **of)
    still = view.rows("standstills", lead_keys=[t["lead_key"]])
    if still:
        panel(timeline_parts.standstill(view, t, still[0], filter_bar.teams()), key="standstill")
    panel(timeline_parts.summary(view, t, following[0] if following else None, filter_bar.teams()), key="summary")
    panel(timeline_parts.track(view, t, milestones), key="track")

    still_open = [f for f in failures if f["state"] == "open"]
    replayable = [f for f in still_open if f["replayable"]]
    if failures:
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            panel(
                head("Exceptions", note=f"{len(still_open)} open, {len(failures) - len(still_open)} resolved"),
                key="exceptions_head",
            )
            place = st.container(width="content")
        ticked = panel(timeline_parts.exceptions(view, failures), key="exceptions")
        if replayable and view.live and view.who.may(Right.REPLAY):
            chosen = [f for f in replayable if f["exception_id"] in ticked] or replayable
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
                pausing.offer(t, standing)
    if standing:
        panel(timeline_parts.pauses(view, standing), key="pauses")


def ahead(view: View) -> None:
    """Of an order that is under way: the chance that its running promises are broken, and later ones because of them."""
    t = found(view)
    if t is None or t["state"] in timeline_parts.DONE:
        return
    asked = {"lead_key": t["lead_key"], **read(FORECAST, {"with_breached": "true"}).parameters, "limit": AHEAD_MOST}
    running, later = view.rows("forecast_clocks", **asked), view.rows("forecast_later", **asked)
    if running or later:
        panel(timeline_parts.ahead(view, running, later), key="ahead")


def belongings(view: View) -> None:
    t = found(view)
    if t is None:
        return
    of = {"lead_key": t["lead_key"]}
    links = view.rows("timeline_links", **of)
    panel(timeline_parts.objects(view, t, view.rows("timeline_objects", **of), links), key="objects")
    panel(timeline_parts.evidence(view, links, view.rows("timeline_warnings", **of)), key="links")


view = look()
timelines = meant(view)
t = timelines[0] if len(timelines) == 1 else None
if timelines and t is None:
    heading(view, st.query_params.get("id", ""))
    choices(view, timelines)
elif t is None:
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
        live(ahead, every_s=AHEAD_REFRESH_S)
    elif part == "objects":
        live(belongings)
    elif part == "lineage":
        lineage.lineage(view, view.rows("payload_lineage", lead_key=t["lead_key"]))
    else:
        spans = view.rows("timeline_spans", lead_key=t["lead_key"], limit=waterfall.MOST_SPANS)
        st.caption(f"{wording.plural(len(spans), 'span')} as of {view.now_words()}, oldest first.")
        (waterfall.traces if part == "traces" else waterfall.payloads)(view, spans)
    of = {"lead_key": t["lead_key"]}
    downloads.menu(
        downloads.asked("milestones", "Milestones", view, "timeline_milestones", of, MILESTONES_FILE),
        downloads.asked("promises", "Promises", view, "timeline_clocks", of, CLOCKS_FILE),
        downloads.asked("exceptions", "Exceptions", view, "timeline_exceptions", of, EXCEPTIONS_FILE),
        downloads.asked("objects", "Objects", view, "timeline_objects", of, OBJECTS_FILE),
    )
