"""Exceptions: the queue by class, most money first, and one group with its evidence, its members and what can be done."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from console.access import Right
from console.components import downloads, filter_bar, replaying, triage, wording
from console.components.blocks import Tile, amount, empty, facts, head, link, tiles, two_lines
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import CLASS, EXCEPTION, badge, known
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import EXCEPTION_GROUPS, PAGE_ROWS

MEMBERS = 100
DOWNLOADED = downloads.columns(
    "class category sentence=what_happened system operation error_code open_count=open "
    "order_count=orders customer_count=customers blocked_amount=money_held "
    "reporting_currency=currency oldest_failed_at last_failed_at owner_team assigned_person=person "
    "confidence rule group_id"
)


def classes(view: View) -> None:
    ask = filter_bar.asked(EXCEPTION_GROUPS)
    p = ask.parameters
    found = {
        row["class"]: row
        for row in view.rows(
            "exception_classes", owner_team=p["owner_team"], system=p["system"], include_snoozed=p["include_snoozed"]
        )
    }
    kept = {name: value for name, value in ask.given.items() if name not in ("page", "class")}
    total = sum(row["group_count"] for row in found.values())
    shown = [
        Tile(
            "All classes",
            wording.count(total),
            wording.plural(sum(row["open_count"] for row in found.values()), "exception"),
            view.link("exceptions", **kept),
            p["class"] is None,
        )
    ]
    for name, sign in CLASS.items():
        row = found.get(name)
        note = view.money(row["blocked_amount"] if row else 0)
        shown.append(
            Tile(
                badge(sign),
                wording.count(row["group_count"] if row else 0),
                note,
                view.link("exceptions", **kept, **{"class": name}),
                p["class"] == name,
            )
        )
    panel(tiles(shown), key="classes")


def queue(view: View) -> None:
    ask = filter_bar.asked(EXCEPTION_GROUPS)
    groups = view.rows("exception_groups", **ask.parameters, limit=PAGE_ROWS)
    open_group = st.query_params.get("group")
    if not groups:
        why = (
            "None with these filters; take one off to see more."
            if ask.given
            else f"Every operation that failed has since succeeded, as of {view.now_words()}."
        )
        panel(empty("No open exceptions.", why), key="queue")
        return
    total = groups[0]["total_count"]
    narrow = open_group is not None
    columns = [
        Column("What happened", lambda g: two_lines(g["sentence"], _marks(view, g)), "clip"),
        *(
            []
            if narrow
            else [
                Column("System", lambda g: g["system"], "fit", wide=True),
                Column("Customers", lambda g: wording.count(g["customer_count"]), "number", wide=True),
            ]
        ),
        Column("Orders", lambda g: wording.count(g["order_count"]), "number"),
        Column("Money held", lambda g: amount(g["blocked_amount"], g["reporting_currency"], cents=False), "number"),
        Column("Oldest", lambda g: wording.span_of(g["age_s"]), "fit"),
        *(
            []
            if narrow
            else [
                Column("Owner", _owner, "fit"),
                Column("Confidence", lambda g: wording.share(g["confidence"]), "number", wide=True),
            ]
        ),
    ]
    shown = table(
        columns,
        groups,
        href=lambda g: view.link("exceptions", **ask.given, group=g["group_id"]),
        chosen=lambda g: g["group_id"] == open_group,
        caption="Groups of exceptions with the same cause. Most money first, then oldest.",
    )
    panel(join([filter_bar.pager(view, "exceptions", ask, len(groups), total), shown]), key="queue")


def detail(view: View) -> None:
    ask = filter_bar.asked(EXCEPTION_GROUPS)
    found = view.rows("exception_group", group_id=st.query_params.get("group"))
    close = link("Close", view.link("exceptions", **ask.given))
    if not found:
        panel(
            empty("No such group.", join([f"Nothing failed like this as of {view.now_words()}. ", close])), key="group"
        )
        return
    g = found[0]
    members = view.rows(
        "exceptions",
        state="open",
        **{"class": None},
        category=None,
        owner_team=None,
        group_id=g["group_id"],
        system=None,
        offset=0,
        limit=MEMBERS,
    )
    panel(
        join(
            [
                head(known(CLASS, g["class"]).word, note=g["category"].replace("_", " "), more=close),
                tag("p", g["sentence"], class_="strong"),
            ]
        ),
        key="group",
    )
    actions = st.container(horizontal=True, gap="xsmall")
    panel(_about(view, g), key="group_facts")
    panel(
        join(
            [
                head(
                    "Why we think so", note=f"confidence {wording.share(g['confidence'])}, rule {g['rule'] or 'none'}"
                ),
                _evidence(g),
            ]
        ),
        key="group_evidence",
    )
    ticked = panel(
        join([head("Open exceptions", note=wording.plural(g["open_count"], "exception")), _members(view, g, members)]),
        key="group_members",
    )
    panel(_history(view, g), key="group_history")
    if not view.live:
        return
    with actions:
        if g["open_count"] and g["replayable"] and view.who.may(Right.REPLAY):
            if ticked:
                replaying.offer(ticked, [g["class"]], key="replay_ticked")
            else:
                replaying.offer_group(g["group_id"], g["open_count"], g["class"], key="replay_group")
        if view.who.may(Right.TRIAGE):
            triage.offer(g)


def _about(view: View, g: dict[str, Any]) -> Html:
    seen = join([g["acknowledged_by"], ", ", view.ago(g["acknowledged_at"])]) if g["acknowledged_by"] else None
    snoozed = view.at(g["snoozed_until"]) if g["snoozed_until"] and g["snoozed_until"] > view.as_of else None
    return facts(
        [
            ("Money held", view.money(g["blocked_amount"])),
            ("Orders, customers", f"{g['order_count']:,}, {g['customer_count']:,}"),
            ("Operation", g["operation_label"] or g["operation"]),
            ("System", g["system"]),
            ("Oldest, latest", join([view.ago(g["oldest_failed_at"]), ", ", view.ago(g["last_failed_at"])])),
            ("Heals by itself", "it may" if g["transient"] else "no"),
            ("Owner", _owner(g)),
            ("Acknowledged", seen),
            ("Snoozed until", snoozed),
            ("Error code", tag("span", g["error_code"] or "none", class_="mono")),
        ]
    )


def _evidence(g: dict[str, Any]) -> Html:
    told = [tag("li", fact) for fact in json.loads(g["facts"] or "[]")]
    said = tag("p", "The system said: ", tag("span", g["message"], class_="mono")) if g["message"] else None
    return join(
        [
            said,
            tag("ul", told)
            if told
            else tag("p", "No rule knows this failure. Reclassify it, or add a rule to the catalogue.", class_="quiet"),
        ]
    )


def _members(view: View, g: dict[str, Any], members: list[dict[str, Any]]) -> Html:
    if not members:
        return empty(
            "None is open.",
            f"All {g['resolved_count']} were resolved, the last failure was {wording.ago(g['last_failed_at'], view.as_of)}.",
        )
    columns = [
        Column("Order", lambda e: two_lines(e["lead_id"] or e["object_id"], e["customer_name"]), "fit"),
        Column("On", lambda e: f"{e['object_type']} {e['object_id']}".replace("_", " "), wide=True),
        Column("Money held", lambda e: amount(e["blocked_amount"], view.reporting_currency, cents=False), "number"),
        Column("Since", lambda e: view.ago(e["opened_at"]), "fit"),
        Column("Attempts", lambda e: wording.count(e["attempt_count"]), "number"),
        Column("State", lambda e: badge(known(EXCEPTION, e["state"])), "fit", wide=True),
    ]
    caption = f"Most money first, {len(members)} of {wording.count(g['open_count'])}. Tick some to replay only those."
    return table(
        columns,
        members,
        href=lambda e: view.link("exception", id=e["exception_id"]),
        tick=lambda e: e["exception_id"],
        caption=caption,
    )


def _history(view: View, g: dict[str, Any]) -> Html:
    deeds = view.rows("audit", subject_type="exception_group", subject_id=g["group_id"], actor=None, offset=0, limit=20)
    if not deeds:
        return join([])
    columns = [
        Column("Deed", lambda a: a["deed"].capitalize(), "fit"),
        Column("Reason", lambda a: a["reason"], "clip"),
        Column("By", lambda a: a["actor"], "fit"),
        Column("When", lambda a: view.ago(a["acted_at"]), "fit"),
    ]
    return join([head("What was done"), table(columns, deeds, caption="Latest first, at most 20.")])


def _marks(view: View, g: dict[str, Any]) -> Html:
    marks = [badge(known(CLASS, g["class"])), f" · {g['category'].replace('_', ' ')}"]
    if g["acknowledged_by"]:
        marks.append(f", acknowledged by {g['acknowledged_by']}")
    if g["snoozed_until"] and g["snoozed_until"] > view.as_of:
        marks.append(f", snoozed until {wording.instant(g['snoozed_until'], view.zone, view.as_of)}")
    return join(marks)


def _owner(g: dict[str, Any]) -> Html:
    return two_lines(filter_bar.team(g["owner_team"]), g["assigned_person"])


view = look()
ask = filter_bar.asked(EXCEPTION_GROUPS)
with heading(view, "Exceptions"):
    downloads.offer(
        "exceptions",
        view,
        "exception_groups",
        ask.parameters,
        DOWNLOADED,
    )
live(classes)
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    filter_bar.choice("owner_team", "Owner", filter_bar.teams(), ask)
    filter_bar.choice("system", "System", filter_bar.system_labels(), ask)
    filter_bar.choice("snoozed", "Snoozed ones", {"true": "Snoozed ones too"}, ask)
    filter_bar.clear(ask, EXCEPTION_GROUPS)
filter_bar.problems(ask)
if "group" in st.query_params:
    left, right = st.columns([5, 6], gap="medium")
    with left:
        live(queue)
    with right:
        live(detail)
else:
    live(queue)
