"""One exception: what it holds up, why it happened, what was tried, and what helped before; payload and trace beside it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.access import Right
from console.components import exception_parts, filter_bar, replaying, waterfall
from console.components.blocks import empty, link
from console.components.lineage import may_read
from console.components.live import live
from console.components.markup import join
from console.components.panel import panel
from console.components.shell import heading
from console.components.view import View, look

PARTS = {"story": "What happened", "payload": "Payload", "trace": "For engineers"}


def found(view: View) -> dict[str, Any] | None:
    rows = view.rows("exception", exception_id=st.query_params.get("id", ""))
    return rows[0] if rows else None


def story(view: View) -> None:
    e = found(view)
    if e is None:
        return
    of = {"exception_id": e["exception_id"]}
    elsewhere = {"group_id": e["group_id"], "limit": exception_parts.OTHERS, **of}
    view.soon("exception_fixes", group_id=e["group_id"])
    view.soon("exception_elsewhere", **elsewhere)
    panel(exception_parts.at_stake(view, e), key="at_stake")
    if e["state"] == "open" and e["replayable"] and view.live and view.who.may(Right.REPLAY):
        replaying.offer([e["exception_id"]], [e["class"]], key="replay_exception")
    if e["state"] == "open" and e["kind"] == "unknown_status" and view.live and view.who.may(Right.TRIAGE):
        exception_parts.offer_inquiry(view, e)
    panel(exception_parts.cause(view, e), key="cause")
    if e["kind"] == "stuck_flow":
        stood = view.rows("exception_episodes", lead_key=e["lead_key"], **of)
        panel(exception_parts.standing(view, stood), key="standing")
    else:
        tried = view.rows("exception_attempts", **of)
        panel(exception_parts.attempts(view, tried, view.rows("exception_episodes", **of)), key="attempts")
    panel(exception_parts.fixes(view, view.rows("exception_fixes", group_id=e["group_id"])), key="fixes")
    others = view.rows("exception_elsewhere", **elsewhere)
    panel(exception_parts.elsewhere(view, e, others), key="elsewhere")


view = look()
e = found(view)
if e is None:
    heading(view, "Exception")
    id_ = st.query_params.get("id", "")
    why = (
        f"No exception '{id_}' had opened as of {view.now_words()}. What the engine healed by itself opens none."
        if id_
        else "The address names none: it looks like exception?id=0123456789abcdef."
    )
    panel(
        empty("No such exception.", join([why, " ", link("All exceptions", view.link("exceptions"))])),
        key="none",
    )
else:
    heading(view, f"{e['object_id']}: {e['operation_label']}")
    part = filter_bar.part("part", "Part", PARTS)
    if part == "story":
        live(story)
    elif part == "payload":
        if may_read(view):
            exception_parts.payloads(view.rows("exception_payloads", exception_id=e["exception_id"]))
    elif not e["trace_id"]:
        traces = link("The order's traces", view.order(e, part="traces")) if e["lead_id"] else None
        why = join(["No span failed: this was found by comparing facts. ", traces])
        panel(empty("No trace of its own.", why), key="no_trace")
    else:
        spans = view.rows("trace_spans", trace_id=e["trace_id"], limit=waterfall.MOST_SPANS)
        exception_parts.stack_trace(spans, e["span_id"])
        waterfall.traces(view, spans)
