"""Replays: plans and what became of them. A plan shows what is sent, what is not and why, and its outcomes as traces prove them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from console.access import Right
from console.components import dialogs, wording
from console.components.blocks import Tile, amount, empty, facts, link, notice, tiles, two_lines
from console.components.dialogs import Done, Question
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import DECISION, OUTCOME, PLAN, badge, known
from console.components.table import Column, table
from console.components.view import View, look
from console.resources import current
from trace_model.errors import UnknownThing
from trace_model.replays import Plan, PlanItem

RECENT = 50
SHOWN_ITEMS = 500


def recent(view: View) -> None:
    plans = current().replays.recent(RECENT)
    if not plans:
        why = [
            "A replay starts from an exception: open ",
            link("Exceptions", view.link("exceptions")),
            ", choose what to send again, and press Replay. You see a plan first.",
        ]
        panel(empty("No replay has been planned.", join(why)), key="plans")
        return
    columns = [
        Column("Plan", lambda p: tag("span", p["plan"].plan_id, class_="mono"), "fit"),
        Column("State", lambda p: badge(known(PLAN, p["plan"].state), title=p["plan"].state_reason), "fit"),
        Column("Reason", lambda p: p["plan"].reason, "clip"),
        Column("Items", lambda p: wording.count(len(p["plan"].items)), "number"),
        Column("To send", lambda p: wording.count(len(p["plan"].sends)), "number"),
        Column("Outcomes", lambda p: _outcomes(p["plan"])),
        Column("By", lambda p: p["plan"].created_by, "fit"),
        Column("Made", lambda p: view.ago(p["plan"].created_at), "fit"),
    ]
    shown = table(
        columns,
        [{"plan": plan} for plan in plans],
        href=lambda p: view.link("replays", plan=p["plan"].plan_id),
        caption=f"Newest first, at most {RECENT}.",
    )
    panel(shown, key="plans")


def one(view: View) -> None:
    try:
        plan = current().replays.get(st.query_params["plan"])
    except UnknownThing as fault:
        panel(empty("No such plan.", join([f"{fault}. ", link("All plans", view.link("replays"))])), key="plan")
        return
    counts = Counter[str](item.outcome for item in plan.sends)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        panel(_about(view, plan), key="plan_about")
        with st.container(horizontal=True, width="content"):
            _deeds(view, plan)
    if plan.state_reason:
        panel(
            notice("yellow" if plan.state == "paused" else "gray", "pause", f"{plan.state_reason.capitalize()}."),
            key="plan_state",
        )
    worth = sum((item.amount or 0) for item in plan.sends)
    shown = [
        Tile("To send", wording.count(len(plan.sends)), view.money(worth)),
        Tile("Skipped", wording.count(len(plan.items) - len(plan.sends)), "each with its reason"),
        *(
            Tile(badge(OUTCOME[name]), wording.count(counts[name]))
            for name in OUTCOME
            if counts[name] or name == "milestone_reached"
        ),
    ]
    panel(tiles(shown), key="plan_figures")
    columns = [
        Column("Object", lambda i: two_lines(i["item"].object_id, i["item"].object_type.replace("_", " ")), "fit"),
        Column("Operation", lambda i: i["item"].operation, "fit"),
        Column("Money", lambda i: amount(i["item"].amount, i["item"].currency, cents=False), "number"),
        Column("Decision", lambda i: badge(known(DECISION, i["item"].decision)), "fit"),
        Column("Why", lambda i: i["item"].why, "clip"),
        Column("Writes", lambda i: ", ".join(i["item"].writes) or "—", wide=True),
        Column("Outcome", lambda i: _outcome(view, i["item"])),
    ]
    rows = [{"item": item} for item in plan.items[:SHOWN_ITEMS]]
    proof = "An outcome is proven by traces, never by an engine's answer."
    caption = f"In the order of sending: {wording.count(len(rows))} of {wording.count(len(plan.items))}. {proof}"
    panel(
        table(
            columns,
            rows,
            href=lambda i: view.link("order", type=i["item"].object_type, id=i["item"].object_id),
            caption=caption,
        ),
        key="plan_items",
    )


def _about(view: View, plan: Plan) -> Html:
    approved = (
        f"{plan.approved_by}, {wording.ago(plan.approved_at, view.as_of)}"
        if plan.approved_by
        else "needed, not given"
        if plan.needs_approval
        else None
    )
    executed = f"{plan.executed_by}, {wording.ago(plan.executed_at, view.as_of)}" if plan.executed_by else None
    return facts(
        [
            ("State", badge(known(PLAN, plan.state))),
            ("Made", join([plan.created_by, ", ", view.ago(plan.created_at)])),
            ("Reason", plan.reason),
            ("Approval", approved),
            ("Executed", executed),
            ("Patch", tag("span", str(dict(plan.patch)), class_="mono") if plan.patch else None),
            ("Hash", tag("span", plan.hash[:12], class_="mono", title=plan.hash)),
        ]
    )


def _outcome(view: View, item: PlanItem) -> Html:
    told = item.detail or (f"settled {wording.ago(item.settled_at, view.as_of)}" if item.settled_at else None)
    return two_lines(badge(known(OUTCOME, item.outcome)), told)


def _outcomes(plan: Plan) -> Html:
    counts = Counter(item.outcome for item in plan.sends)
    return join(
        [[tag("span", badge(OUTCOME[name]), f" {count}", class_="nowrap"), "  "] for name, count in counts.items()]
    )


@dataclass(frozen=True)
class Move:
    """What can be done to a plan in some states; `consequence` may name {number} and {worth} of what it would send."""

    deed: str
    label: str
    consequence: str
    told: str
    right: Right
    states: tuple[str, ...]


MOVES = (
    Move(
        "approve",
        "Approve",
        "Allows {number} to be sent, worth {worth}.",
        "Approved.",
        Right.APPROVE,
        ("planned",),
    ),
    Move(
        "execute",
        "Send {count}",
        "Sends {number}, worth {worth}, to the sync engine: a canary first, each at most once.",
        "Sending. Outcomes follow as traces come in.",
        Right.REPLAY,
        ("planned", "approved"),
    ),
    Move(
        "pause",
        "Pause",
        "Nothing more is sent; what has been sent is followed to its end.",
        "Paused.",
        Right.REPLAY,
        ("running",),
    ),
    Move("resume", "Resume", "Sending goes on, with a canary first.", "Sending again.", Right.REPLAY, ("paused",)),
    Move(
        "cancel",
        "Cancel plan",
        "What has not been sent never will be by this plan.",
        "Cancelled.",
        Right.REPLAY,
        ("planned", "approved", "running", "paused"),
    ),
)


def _deeds(view: View, plan: Plan) -> None:
    """The moves that are legal now and that the viewer may make; the service checks both again."""
    waits = plan.needs_approval and plan.state == "planned"
    for move in MOVES:
        if plan.state not in move.states or not view.who.may(move.right) or not view.live:
            continue
        if (move.deed == "approve" and not waits) or (move.deed == "execute" and (waits or not plan.sends)):
            continue
        label = move.label.format(count=len(plan.sends))
        kind: Literal["primary", "secondary"] = (
            "primary" if move.deed in ("approve", "execute", "resume") else "secondary"
        )
        if st.button(f"{label} …", key=f"plan_{move.deed}", type=kind):
            dialogs.ask(_question(view, plan, move, label))


def _question(view: View, plan: Plan, move: Move, label: str) -> Question:
    def do(reason: str, particulars: Mapping[str, Any]) -> Done:
        getattr(current().replays, move.deed)(view.who, plan.plan_id, plan.hash, reason)
        return Done(move.told)

    worth = view.money(sum((item.amount or 0) for item in plan.sends))
    consequence = move.consequence.format(number=wording.plural(len(plan.sends), "item"), worth=worth)
    writes = sorted({one for item in plan.sends for one in item.writes})
    if move.deed == "execute" and writes:
        consequence += f" It writes: {', '.join(writes)}."
    return Question(f"{label}: {plan.plan_id}", consequence, label, do)


view = look()
if "plan" in st.query_params:
    heading(view, "Replay plan", join([link("All plans", view.link("replays"))]))
    live(one, every_s=2)
else:
    heading(view, "Replays")
    live(recent)
