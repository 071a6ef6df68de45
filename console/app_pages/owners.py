"""Owners: the teams, the rules that pick them, and a trial that shows who would have got the last 30 days under other rules."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.components import filter_bar, wording
from console.components.blocks import amount, empty, head, link, notice, two_lines
from console.components.live import guarded
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import EXCEPTION_GROUPS, read
from console.owner_rules import as_text, of_text, on_trial
from console.resources import current
from trace_model.catalogue.schema import OwnerRule
from trace_model.errors import Refused

DAYS = 30
Row = dict[str, Any]


def teams(view: View) -> None:
    groups = view.rows("exception_groups", **read(EXCEPTION_GROUPS, {}).parameters, limit=10_000)
    rows = []
    for team in current().store.catalogue.teams:
        mine = [g for g in groups if g["owner_team"] == team.name]
        rows.append(
            {
                "team": team,
                "groups": len(mine),
                "open": sum(g["open_count"] for g in mine),
                "held": sum(g["blocked_amount"] for g in mine),
                "escalated": sum(g["is_escalated"] for g in mine),
            }
        )
    columns = [
        Column("Team", lambda r: two_lines(r["team"].label, r["team"].name), "fit"),
        Column("Open groups", lambda r: wording.count(r["groups"]), "number"),
        Column("Exceptions", lambda r: wording.count(r["open"]), "number"),
        Column("Money held", lambda r: amount(r["held"], view.reporting_currency, cents=False), "number"),
        Column("Escalated to it", lambda r: wording.count(r["escalated"]), "number"),
        Column("Runbook", lambda r: r["team"].runbook, "clip"),
    ]
    shown = table(
        columns,
        rows,
        href=lambda r: view.link("exceptions", owner_team=r["team"].name),
        caption="As the catalogue lists them.",
    )
    panel(join([head("Teams"), shown]), key="teams")


def rules_now() -> None:
    rules = [{"number": n, "rule": rule} for n, rule in enumerate(current().store.catalogue.owners, 1)]
    columns = [
        Column("", lambda r: str(r["number"]), "fit"),
        Column("Fits", lambda r: _condition(r["rule"])),
        Column("Owner", lambda r: two_lines(filter_bar.team(r["rule"].team), r["rule"].person), "fit"),
        Column("Escalates", lambda r: _escalation(r["rule"])),
    ]
    caption = (
        "The first that fits gives the owner; what a person assigned goes before all of them. They stand under owners."
    )
    panel(join([head("Rules in force"), table(columns, rules, caption=caption)]), key="rules")


def trial(view: View, text: str) -> None:
    try:
        rules = of_text(text, current().store.catalogue)
    except Refused as fault:
        panel(notice("red", "alert", str(fault)), key="trial")
        return
    rows = view.rows("owner_trial", rules=on_trial(rules), days=DAYS)
    moved = [row for row in rows if row["is_moved"]]
    total = sum(row["exception_count"] for row in rows)
    if not rows:
        panel(
            empty("Nothing failed.", f"There is no exception of the last {DAYS} days to try the rules on."), key="trial"
        )
        return
    count = sum(row["exception_count"] for row in moved)
    title = head(
        "Who would have got what",
        note=f"{count:,} of {wording.plural(total, 'exception')} of the last {DAYS} days move",
    )
    if not moved:
        panel(
            join(
                [
                    title,
                    empty(
                        "Nobody would have got anything else.", "The rules give every exception the owner that it has."
                    ),
                ]
            ),
            key="trial",
        )
        return
    columns = [
        Column("From", lambda r: _owner(r["team"], r["person"]), "fit"),
        Column("To", lambda r: _owner(r["trial_team"], r["trial_person"]), "fit"),
        Column("By rule", lambda r: str(r["trial_rule"] or "none"), "number"),
        Column(
            "Exceptions",
            lambda r: two_lines(wording.count(r["exception_count"]), f"{r['open_count']:,} open"),
            "number",
        ),
        Column("Groups", lambda r: wording.count(r["group_count"]), "number"),
        Column("Money held", lambda r: amount(r["blocked_amount"], view.reporting_currency, cents=False), "number"),
        Column("Such as", lambda r: two_lines(r["sentence"], ", ".join(r["examples"])), "clip"),
    ]
    panel(
        join(
            [
                title,
                table(
                    columns,
                    moved,
                    caption="Most money first. Assignments by people are left out: no rule changes them.",
                ),
            ]
        ),
        key="trial",
    )


def _condition(rule: OwnerRule) -> str:
    named = [
        (word, values)
        for word, values in (
            ("class", rule.classes),
            ("category", rule.categories),
            ("system", rule.systems),
            ("legal entity", rule.legal_entities),
            ("region", rule.regions),
            ("customer", rule.customers),
        )
        if values
    ]
    said = [f"{word} {' or '.join(values)}".replace("_", " ") for word, values in named]
    if rule.min_amount is not None:
        said.append(f"from {wording.money(rule.min_amount, current().store.catalogue.reporting_currency, cents=False)}")
    return ", ".join(said) or "everything else"


def _escalation(rule: OwnerRule) -> Html:
    if rule.escalate is None:
        return tag("span", "never", class_="quiet")
    e = rule.escalate
    to = e.person if e.person and e.team == rule.team else ", ".join(filter(None, (filter_bar.team(e.team), e.person)))
    return two_lines(to, f"after {wording.span_of(e.after_s)} unanswered, {e.calendar.replace('_', ' ')}")


def _owner(team: str | None, person: str | None) -> Html:
    return two_lines(filter_bar.team(team), person)


view = look()
heading(view, "Owners")
teams(view)
rules_now()
panel(
    join([head("Try other rules", note="nothing is changed here", more=link("Exceptions", view.link("exceptions")))]),
    key="try",
)
st.text_area(
    "Rules, as under owners in the catalogue",
    value=as_text(current().store.catalogue.owners),
    height=260,
    key="trial_rules",
    label_visibility="collapsed",
)
with guarded("owner trial"):
    trial(view, st.session_state["trial_rules"])
