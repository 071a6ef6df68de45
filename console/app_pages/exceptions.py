"""Exceptions: the queue by class, most money first, and one group with its evidence, its members and what can be done."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from console.access import Right
from console.components import downloads, exception_parts, filter_bar, replaying, triage, views, wording
from console.components.blocks import Tile, empty, facts, head, link, notice, spark, tiles, two_lines
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import CLASS, EXCEPTION, GROUP, KIND, badge, category, known
from console.components.table import Column, table
from console.components.view import View, look
from console.deeds import GROUPS_MOST
from console.filters import EXCEPTION_GROUPS, GROUP_STATES, PAGE_ROWS, Asked
from trace_model.catalogue.check_rules import advice

MEMBERS = 100
SORTS = {"money": "Most money", "time": "Least time", "oldest": "Oldest", "latest": "Latest failure"}
DOWNLOADED = downloads.columns(
    "class kind category sentence=what_happened system operation error_code open_count=open "
    "order_count=orders customer_count=customers blocked_amount=money_held touched_count=open_orders_touched touched_amount=worth_of_these "
    "reporting_currency=currency state due_at oldest_failed_at last_failed_at owner_team owner_person=person ticket "
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


def ongoing(view: View) -> None:
    """What is one outage wearing many masks, said before the masks."""
    if not view.rows("outages_ongoing"):
        return
    lines = [
        notice(
            "red",
            "plug",
            join(
                [
                    tag("strong", f"{o['label'] or o['system']} {'is throttling' if o['kind'] == 'throttling' else 'does not answer'}"),
                    f" since {wording.instant(o['started_at'], view.zone, view.as_of)}: {wording.plural(o['order_count'], 'order')}, "
                    f"{view.money(o['blocked_amount'])}. ",
                    link("Its exceptions", view.link("exceptions", outage=o["outage_id"])),
                    " · ",
                    link("The outage", view.link("dependencies", outage=o["outage_id"])),
                ]
            ),
        )
        for o in view.rows("outages", system=None, outage_id=None, days=2, offset=0, limit=5)
        if o["state"] == "ongoing"
    ]  # fmt: skip
    panel(join(lines), key="ongoing")


def queue(view: View) -> None:
    ask = filter_bar.asked(EXCEPTION_GROUPS)
    bar = st.container(horizontal=True, gap="xsmall", vertical_alignment="center")
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
        Column("Money held", exception_parts.held, "number"),
        *(
            []
            if narrow
            else [
                Column("State", lambda g: badge(known(GROUP, g["state"])), "fit"),
                Column("14 days", _trend, "fit", wide=True),
                Column("Customers", lambda g: wording.count(g["customer_count"]), "number", wide=True),
            ]
        ),
        Column("Orders", lambda g: wording.count(g["order_count"]), "number"),
        *(
            []
            if narrow
            else [
                Column(
                    "Promise",
                    lambda g: view.due(g["due_at"]) if g["due_at"] else tag("span", "none runs", class_="quiet"),
                    "fit",
                ),
                Column("Oldest", lambda g: wording.span_of(g["age_s"]), "fit"),
                Column("Owner", _owner, "fit"),
            ]
        ),
    ]
    shown = table(
        columns,
        groups,
        href=lambda g: view.link("exceptions", **ask.given, group=g["group_id"]),
        chosen=lambda g: g["group_id"] == open_group,
        tick=(lambda g: g["group_id"]) if view.who.may(Right.TRIAGE) and view.live else None,
        caption=f"Groups of exceptions with the same cause. {SORTS[ask.parameters['sort']]} first. Keys: j and k move, x ticks, o opens.",
    )
    ticked = panel(join([filter_bar.pager(view, "exceptions", ask, len(groups), total), shown]), key="queue", keys=True)
    if ticked and view.live:
        with bar:
            _bulk(view, ask, [g for g in groups if g["group_id"] in ticked], total)


def _bulk(view: View, ask: Asked, chosen: list[dict[str, Any]], total: int) -> None:
    """The deeds on what is ticked, or on everything that matches."""
    most = min(total, GROUPS_MOST)
    everything = most > len(chosen) and st.toggle(f"all {most:,} that match", key="bulk_all")
    if everything:
        chosen = view.rows("exception_groups", **ask.parameters | {"offset": 0}, limit=GROUPS_MOST)
    st.markdown(f"**{wording.plural(len(chosen), 'group')}** ticked")
    triage.offer(chosen, key="bulk")


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
        outage_id=None,
        offset=0,
        limit=MEMBERS,
    )
    panel(
        join(
            [
                head(known(CLASS, g["class"]).word, note=category(g["category"]), more=close),
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
            triage.offer([g])


def _trend(g: dict[str, Any]) -> Html:
    days = [int(number) for number in g["opened_by_day"] or []]
    return spark(days, f"opened on each of the last 14 days, today last: {', '.join(map(str, days))}")


def _about(view: View, g: dict[str, Any]) -> Html:
    seen = join([g["acknowledged_by"], ", ", view.ago(g["acknowledged_at"])]) if g["acknowledged_by"] else None
    snoozed = _ends(view, g) if g["state"] == "snoozed" else None
    return facts(
        [
            ("Money held", view.money(g["blocked_amount"])),
            ("Open orders touched", exception_parts.touched(view, g)),
            ("Orders, customers", f"{g['order_count']:,}, {g['customer_count']:,}"),
            ("Kind", badge(known(KIND, g["kind"]))),
            ("Operation", g["operation_label"] or g["operation"]),
            ("System", filter_bar.system(g["system"])),
            ("Oldest, latest", join([view.ago(g["oldest_failed_at"]), ", ", view.ago(g["last_failed_at"])])),
            ("Heals by itself", "it may" if g["transient"] else "no"),
            ("Owner", _owner(g)),
            ("Escalates", _escalation(view, g)),
            ("Acknowledged", seen),
            ("Snoozed until", snoozed),
            ("Promise at stake", join([view.due(g["due_at"]), ", ", g["promised_label"]]) if g["due_at"] else None),
            ("First seen", view.ago(g["first_seen_at"])),
            ("Runbook", advice(g["kind"], g["runbook"])),
            ("Ticket", _ticket(g["ticket"])),
            ("Tags", ", ".join(g["tags"] or []) or None),
            (
                "Outage",
                link("one of its masks", view.link("dependencies", outage=g["outage_id"])) if g["outage_id"] else None,
            ),
            ("Error code", tag("span", g["error_code"], class_="mono") if g["error_code"] else None),
        ]
    )


def _evidence(g: dict[str, Any]) -> Html:
    told = [tag("li", fact) for fact in json.loads(g["facts"] or "[]")]
    is_told = g["message"] and g["kind"] in ("failed_operation", "unknown_status")
    said = tag("p", "The system said: ", tag("span", g["message"], class_="mono")) if is_told else None
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
        Column("On", lambda e: wording.named(e["object_type"], e["object_id"]), wide=True),
        Column(
            "Money held", lambda e: exception_parts.held(e | {"reporting_currency": view.reporting_currency}), "number"
        ),
        Column("Since", lambda e: view.ago(e["opened_at"]), "fit"),
        Column("Attempts", lambda e: wording.count(e["attempt_count"]), "number"),
        Column("State", lambda e: badge(known(EXCEPTION, e["state"])), "fit", wide=True),
    ]
    caption = f"Most money first, {len(members)} of {wording.count(g['open_count'])}."
    if g["replayable"]:
        caption += " Tick some to replay only those."
    return table(
        columns,
        members,
        href=lambda e: view.link("exception", id=e["exception_id"]),
        tick=(lambda e: e["exception_id"]) if g["replayable"] else None,
        caption=caption,
    )


def _history(view: View, g: dict[str, Any]) -> Html:
    deeds = view.rows(
        "audit", subject_type="exception_group", subject_id=g["group_id"], actor=None, deed=None, offset=0, limit=20
    )
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
    marks = [badge(known(CLASS, g["class"])), f" · {category(g['category'])}"]
    if g["kind"] != "failed_operation":
        marks += [" · ", badge(known(KIND, g["kind"]))]
    if g["acknowledged_by"]:
        marks.append(f", acknowledged by {g['acknowledged_by']}")
    if g["is_escalated"]:
        marks.append(", escalated")
    if g["outage_id"]:
        marks.append(", in an outage")
    if g["ticket"]:
        marks.append(f", {g['ticket'].rsplit('/', 1)[-1]}")
    if g["tags"]:
        marks.append(f" · {', '.join(g['tags'])}")
    return join(marks)


def _owner(g: dict[str, Any]) -> Html:
    return two_lines(filter_bar.team(g["owner_team"]), g["owner_person"])


def _ends(view: View, g: dict[str, Any]) -> Html:
    """What ends the snooze, in words."""
    ends = json.loads(g["snooze"])
    said = [
        view.at(g["snoozed_until"]) if ends.get("until") else None,
        f"{ends['count']} are open" if ends.get("count") else None,
        f"{view.money(float(ends['amount']))} is held" if ends.get("amount") else None,
        "the system answers" if ends.get("healthy") else None,
    ]
    parts = [part for part in said if part is not None]
    return join([piece for n, part in enumerate(parts) for piece in ((" or " if n else ""), part)])


def _escalation(view: View, g: dict[str, Any]) -> Html | None:
    if not g["escalates_at"]:
        return None
    return tag("span", "since " if g["is_escalated"] else "unless answered, ", view.at(g["escalates_at"]))


def _ticket(ticket: str | None) -> Html | None:
    if not ticket:
        return None
    if ticket.startswith(("http://", "https://")):
        return tag("a", ticket.rsplit("/", 1)[-1], href=ticket, target="_blank", rel="noopener noreferrer")
    return tag("span", ticket)


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
live(ongoing)
live(classes)
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    filter_bar.choice("owner_team", "Owner", filter_bar.teams(), ask)
    filter_bar.choice("system", "System", filter_bar.system_labels(), ask)
    filter_bar.choice("kind", "Kind", {name: sign.word for name, sign in KIND.items()}, ask, width=150)
    filter_bar.choice("state", "State", {name: GROUP[name].word for name in GROUP_STATES}, ask, width=130)
    filter_bar.choice(
        "sort", "Most money first", {name: f"{word.rstrip(',')} first" for name, word in SORTS.items()}, ask, width=190
    )
    filter_bar.choice("snoozed", "Snoozed ones", {"true": "Snoozed ones too"}, ask)
    filter_bar.clear(ask, EXCEPTION_GROUPS)
    views.offer(ask)
filter_bar.problems(ask)
if "group" in st.query_params:
    left, right = st.container(key="beside").columns([5, 6], gap="medium")
    with left:
        live(queue)
    with right:
        live(detail)
else:
    live(queue)
