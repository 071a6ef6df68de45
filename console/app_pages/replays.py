"""Replays: plans and what became of them. A plan shows what is sent, what is not and why, and its outcomes as traces prove them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from console.access import Right
from console.components import dialogs, filter_bar, plan_parts, replaying, wording
from console.components.blocks import Tile, amount, empty, facts, head, link, notice, tiles, two_lines
from console.components.dialogs import Done, Question
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import DECISION, OUTCOME, PLAN, badge, known
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import PAGE_ROWS, REPLAY_ITEMS, REPLAY_PLANS, Asked
from console.replay import patching
from console.resources import current
from trace_model.patches import patched_paths
from trace_model.replays import Plan, PlanItem
from trace_model.store.ledger import item_of

RESULT_DAYS = 30
BY = {"cause": "By cause", "runbook": "By runbook", "engine": "By engine"}
Row = dict[str, Any]


def recent(view: View) -> None:
    ask = filter_bar.asked(REPLAY_PLANS)
    plans = current().store.rows("replay_plans", plan_id=None, as_of=view.as_of, limit=PAGE_ROWS, **ask.parameters)
    if not plans:
        why = [
            "A replay starts from an exception: open ",
            link("Exceptions", view.link("exceptions")),
            ", choose what to send again, and press Replay. You see a plan first.",
        ]
        panel(empty("No replay has been planned.", join(why)), key="plans")
        return
    columns = [
        Column("Plan", lambda p: tag("span", p["plan_id"], class_="mono"), "fit"),
        Column("State", _stands, "fit"),
        Column("Reason", lambda p: p["reason"], "clip"),
        Column("To send", lambda p: wording.count(p["send_count"]), "number"),
        Column("Worth", lambda p: amount(p["worth"], p["currency"], cents=False), "number"),
        Column("Progress", lambda p: plan_parts.progress(p, words=False)),
        Column("Outcomes", _outcomes),
        Column("By", lambda p: p["created_by"], "fit", wide=True),
        Column("Made", lambda p: view.ago(p["created_at"]), "fit", wide=True),
    ]
    shown = table(
        columns,
        plans,
        href=lambda p: view.link("replays", plan=p["plan_id"]),
        caption="Newest first. Outcomes as they are known now.",
    )
    panel(join([filter_bar.pager(view, "replays", ask, len(plans), plans[0]["total_count"]), shown]), key="plans")


def _stands(plan: Row) -> Html:
    """The plan's state; one that waits for a second person says so rather than that it is planned."""
    waits = plan["needs_approval"] and plan["state"] == "planned"
    sign = DECISION["needs_approval"] if waits else known(PLAN, plan["state"])
    return badge(sign, title=plan["approval_reason"] if waits else plan["state_reason"])


def results(view: View) -> None:
    by = st.query_params.get("by", "cause")
    by = by if by in BY else "cause"
    rows = view.rows("replay_results", by=by, days=RESULT_DAYS)
    panel(plan_parts.results(view, by, rows, RESULT_DAYS), key="results")


def one(view: View) -> None:
    ask = filter_bar.asked(REPLAY_ITEMS)
    p = ask.parameters
    found = current().store.rows("replay_plans", plan_id=p["plan_id"], as_of=view.as_of, limit=1, offset=0)
    if not found:
        why = join(
            [
                f"There was no replay plan '{p['plan_id']}' by {view.now_words()}. ",
                link("All plans", view.link("replays")),
            ]
        )
        panel(empty("No such plan.", why), key="plan")
        return
    (plan,) = found
    panel(_about(view, plan), key="plan_about")
    with st.container(horizontal=True, gap="xsmall"):
        _deeds(view, plan)
    _state(view, plan)
    panel(plan_parts.progress(plan), key="plan_progress")
    panel(tiles(_tiles(view, plan, p["outcome"])), key="plan_figures")
    if plan["patch"]:
        panel(_change(view, plan), key="plan_change")
    _items(view, plan, ask)


def _state(view: View, plan: Row) -> None:
    told = plan["state_reason"] or (
        f"needs a second person: {plan['approval_reason']}"
        if plan["needs_approval"] and plan["state"] == "planned"
        else None
    )
    if told:
        sign = {"paused": "pause", "planned": "person"}.get(plan["state"], "clock")
        tone: Literal["yellow", "gray"] = "gray" if sign == "clock" else "yellow"
        panel(notice(tone, sign, f"{told[0].upper()}{told[1:]}."), key="plan_state")


def _tiles(view: View, plan: Row, chosen: str | None) -> list[Tile]:
    counts, id_ = dict(plan["send_totals"] or {}), plan["plan_id"]
    skipped = plan["item_count"] - plan["send_count"]
    return [
        Tile("All items", wording.count(plan["item_count"]), "", view.link("replays", plan=id_), chosen is None),
        Tile("To send", wording.count(plan["send_count"]), view.money(plan["worth"])),
        *(
            Tile(badge(sign), wording.count(counts.get(name, 0)), "", view.link("replays", plan=id_, outcome=name), chosen == name)
            for name, sign in OUTCOME.items()
            if name != "skipped" and (counts.get(name) or name == "milestone_reached")
        ),
        *(
            [Tile(badge(OUTCOME["skipped"]), wording.count(skipped + counts.get("skipped", 0)), "each with its reason",
                  view.link("replays", plan=id_, outcome="skipped"), chosen == "skipped")]
            if skipped + counts.get("skipped", 0)
            else []
        ),
    ]  # fmt: skip


def _items(view: View, plan: Row, ask: Asked) -> None:
    p = ask.parameters
    rows = current().store.rows(
        "replay_plan_items", plan_id=p["plan_id"], outcome=p["outcome"], limit=PAGE_ROWS, offset=p["offset"]
    )
    total = rows[0]["total_count"] if rows else 0
    if not rows:
        panel(
            empty(
                "No item with this outcome.", link("All items of the plan", view.link("replays", plan=plan["plan_id"]))
            ),
            key="plan_items",
        )
        return
    columns = [
        Column("Object", lambda i: two_lines(i["item"].object_id, i["item"].object_type.replace("_", " ")), "fit"),
        Column("Operation", lambda i: i["item"].operation, "fit"),
        Column("Starts from", lambda i: i["item"].starts_from or i["item"].operation, "fit", wide=True),
        Column("Money", lambda i: amount(i["item"].amount, i["item"].currency, cents=False), "number"),
        Column("Decision", lambda i: badge(known(DECISION, i["item"].decision)), "fit"),
        Column("Why", lambda i: i["item"].why, "clip"),
        Column("Writes", lambda i: ", ".join(i["item"].writes) or "—", wide=True),
        Column("Key", lambda i: _key(i["item"]), "fit", wide=True),
        *([Column("Change", lambda i: _compare(view, plan, i["item"]), "fit")] if plan["patch"] else []),
        Column("Outcome", lambda i: _outcome(view, i["item"])),
    ]
    proof = "An outcome is proven by traces or by the target itself, never by an engine's answer."
    shown = table(
        columns,
        [{"item": item_of(row), **row} for row in rows],
        href=lambda i: view.order(i, "object"),
        caption=f"In the order of sending: most money per hour left first. {proof}",
    )
    panel(join([filter_bar.pager(view, "replays", ask, len(rows), total), shown]), key="plan_items")


def _key(item: PlanItem) -> Html:
    """The beginning of the idempotency key; the whole of it under the pointer."""
    key = item.idempotency_key
    return tag("span", f"{key[:11]}…", class_="mono", title=key)


def _compare(view: View, plan: Row, item: PlanItem) -> Html | None:
    if item.patch is None:
        return None
    return link(
        "Compare",
        view.link("replays", **{**st.query_params.to_dict(), "plan": plan["plan_id"], "item": str(item.item_no)}),
    )


def _change(view: View, plan: Row) -> Html:
    """The original of one item beside what will be sent; the item in the address, or the first that is to be sent."""
    resources = current()
    number = st.query_params.get("item", "")
    rows = (
        resources.store.rows("replay_plan_items", plan_id=plan["plan_id"], outcome=None, limit=10_000, offset=0)
        if number
        else []
    )
    rows = rows or resources.store.rows(
        "replay_plan_items", plan_id=plan["plan_id"], outcome=None, limit=PAGE_ROWS, offset=0
    )
    changed = [item for item in map(item_of, rows) if item.patch is not None]
    item = next((i for i in changed if str(i.item_no) == number), None) or next(iter(changed), None)
    if item is None:
        return empty("Nothing is changed.", "For none of these items a value was found; each says why.")
    planned_at = plan["created_at"]  # what the plan has sent since is no original
    sent = resources.store.rows("replay_payloads", exception_ids=[item.exception_id], own_only=False, as_of=planned_at)
    original = _payload(sent[0]["payload"]) if sent else None
    source = (
        f"as {sent[0]['operation'] or 'a span'} sent it"
        if sent
        else "no span carries its payload, so only the change is shown"
    )

    def may_see(path: str) -> bool:
        return patching.may_see(path, resources.store.catalogue, resources.replays.limits, view.who)

    title = head(
        f"What changes for {item.object_id}",
        note=source,
        more=f"{wording.plural(len(patched_paths(item.patch or {})), 'field')}",
    )
    return join([title, plan_parts.comparison(original, item.patch or {}, may_see)])


def _payload(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _about(view: View, plan: Row) -> Html:
    approved = "needed, not given" if plan["needs_approval"] else None
    if plan["approved_by"]:
        until = wording.instant(plan["approved_until"], view.zone, view.as_of)
        approved = f"{plan['approved_by']}, {wording.ago(plan['approved_at'], view.as_of)}, until {until}"
    executed = f"{plan['executed_by']}, {wording.ago(plan['executed_at'], view.as_of)}" if plan["executed_by"] else None
    patched = ", ".join(patched_paths(json.loads(plan["patch"]))) if plan["patch"] else None
    replaces = plan["replaces"]
    return facts(
        [
            ("State", _stands(plan)),
            ("Made", join([plan["created_by"], ", ", view.ago(plan["created_at"])])),
            ("Reason", plan["reason"]),
            ("Approval", approved),
            ("Executed", executed),
            ("Changes", tag("span", patched, class_="mono") if patched else None),
            ("Replaces", link(replaces, view.link("replays", plan=replaces)) if replaces else None),
            ("Plan, hash", tag("span", f"{plan['plan_id']}, {plan['hash'][:12]}", class_="mono", title=plan["hash"])),
        ]
    )


def _outcome(view: View, item: PlanItem) -> Html:
    told = item.detail if item.detail != item.why else None
    told = told or (f"settled {wording.ago(item.settled_at, view.as_of)}" if item.settled_at else None)
    return two_lines(badge(known(OUTCOME, item.outcome)), told)


def _outcomes(plan: Row) -> Html:
    counts = dict(plan["send_totals"] or {})
    return join(
        [
            [tag("span", badge(OUTCOME[name]), f" {counts[name]}", class_="nowrap"), "  "]
            for name in OUTCOME
            if counts.get(name)
        ]
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


def _deeds(view: View, plan: Row) -> None:
    """The moves that are legal now and that the viewer may make; the service checks both again."""
    waits = plan["needs_approval"] and plan["state"] == "planned"
    for move in MOVES:
        if plan["state"] not in move.states or not view.who.may(move.right) or not view.live:
            continue
        if (move.deed == "approve" and not waits) or (move.deed == "execute" and (waits or not plan["send_count"])):
            continue
        label = move.label.format(count=plan["send_count"])
        kind: Literal["primary", "secondary"] = (
            "primary" if move.deed in ("approve", "execute", "resume") else "secondary"
        )
        if st.button(f"{label} …", key=f"plan_{move.deed}", type=kind):
            dialogs.ask(_question(view, current().replays.get(plan["plan_id"]), move, label))
    if plan["state"] in ("planned", "approved") and view.who.may(Right.REPLAY) and view.live:
        replaying.offer_edit(plan)


def _question(view: View, plan: Plan, move: Move, label: str) -> Question:
    def do(reason: str, particulars: Mapping[str, Any]) -> Done:
        getattr(current().replays, move.deed)(view.who, plan.plan_id, plan.hash, reason)
        return Done(move.told)

    worth = view.money(sum((item.amount or 0) for item in plan.sends))
    consequence = move.consequence.format(number=wording.plural(len(plan.sends), "item"), worth=worth)
    writes = sorted({one for item in plan.sends for one in item.writes})
    if move.deed == "execute" and writes:
        consequence += f" It writes: {', '.join(writes)}, and what follows in the flow."
    if move.deed == "approve":
        consequence += f" It needs you because {plan.approval_reason}."
    return Question(f"{label}: {plan.plan_id}", consequence, label, do)


view = look()
if "plan" in st.query_params:
    heading(view, "Replay plan", join([link("All plans", view.link("replays"))]))
    live(one, every_s=2)
else:
    heading(view, "Replays")
    live(recent)
    filter_bar.part("by", "How replays ended", BY)
    live(results)
