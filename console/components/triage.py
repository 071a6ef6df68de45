"""The deeds on an exception group as questions with their consequence in words; rights and rules are the service's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import streamlit as st

from console.components import dialogs, filter_bar, wording
from console.components.dialogs import Done, Question
from console.components.signs import CLASS, category
from console.components.view import look, wire
from console.resources import current
from trace_model.catalogue.failure_rules import CATEGORIES

Row = dict[str, Any]
NAMED = 5
_ENDS = {
    "time": "some time has passed",
    "count": "more are open",
    "amount": "more money is held",
    "healthy": "the system answers again",
}
_HOURS = {1: "1 hour", 4: "4 hours", 24: "1 day", 72: "3 days", 168: "1 week"}


@dataclass(frozen=True)
class Deed:
    """A deed of the service, its verb, what is true afterwards ({number}: the open exceptions), and what to tell then."""

    name: str
    verb: str
    consequence: str
    told: str
    particulars: Callable[[], dict[str, Any]] | None = None
    shortcut: str | None = None


def offer(groups: Sequence[Row], *, key: str = "deed") -> None:
    """A button a deed on all of `groups`; each says what will be true afterwards and asks for a reason before anything is done."""
    keyed = (
        key == "deed" or "group" not in st.query_params
    )  # one button a key: an open group's go before what is ticked
    for deed in DEEDS[:SHOWN]:
        if st.button(f"{deed.verb} …", key=f"{key}_{deed.name}", shortcut=deed.shortcut if keyed else None):
            dialogs.ask(_question(groups, deed))
    picked = st.menu_button("More", DEEDS[SHOWN:], format_func=lambda deed: f"{deed.verb} …", key=f"{key}_more")
    if picked:
        dialogs.ask(_question(groups, picked))


def _question(groups: Sequence[Row], deed: Deed) -> Question:
    who = look().who

    def do(reason: str, given: Mapping[str, Any]) -> Done:
        done = current().deeds.on_groups(who, deed.name, [g["group_id"] for g in groups], reason, given)
        return Done(deed.told if len(done) == 1 else f"{deed.told} {wording.plural(len(done), 'group')}.")

    number = wording.plural(sum(g["open_count"] for g in groups), "open exception")
    consequence = f"{_what(groups, number)}\n\n{deed.consequence.format(number=number)}"
    return Question(deed.verb, consequence, deed.verb, do, deed.particulars)


def _what(groups: Sequence[Row], number: str) -> str:
    if len(groups) == 1:
        return str(groups[0]["sentence"])
    held = wording.money(
        sum(g["blocked_amount"] for g in groups), current().store.catalogue.reporting_currency, cents=False
    )
    names = "\n".join(f"- {g['sentence']}" for g in groups[:NAMED])
    more = f"\n- and {len(groups) - NAMED:,} more" if len(groups) > NAMED else ""
    return f"**{wording.plural(len(groups), 'group')}** with {number}, {held} held:\n\n{names}{more}\n\nDone for all of them, or for none."


def _owner() -> dict[str, Any]:
    teams = filter_bar.teams()
    team = st.selectbox(
        "Team", list(teams), index=None, format_func=teams.__getitem__, placeholder="As the rules say", key="deed_team"
    )
    person = st.text_input("Person", key="deed_person", max_chars=100, placeholder="Nobody in particular")
    return {"team": team, "person": person.strip() or None}


def _until() -> dict[str, Any]:
    how = st.radio("Until", list(_ENDS), format_func=_ENDS.__getitem__, key="deed_ends", horizontal=True)
    if how == "count":
        return {"count": st.number_input("Open exceptions in a group", min_value=1, value=50, step=1, key="deed_count")}
    if how == "amount":
        currency = current().store.catalogue.reporting_currency
        return {
            "amount": st.number_input(
                f"Money held by a group, {currency}", min_value=1, value=10_000, step=1000, key="deed_amount"
            )
        }
    if how == "healthy":
        return {"healthy": True}
    hours = st.selectbox("For", list(_HOURS), format_func=_HOURS.__getitem__, key="deed_hours")
    return {"until": wire(current().store.clock() + timedelta(hours=hours))}


def _class() -> dict[str, Any]:
    chosen = st.selectbox("Class", list(CLASS), format_func=lambda name: CLASS[name].word, key="deed_class")
    fitting = [name for name, facts in CATEGORIES.items() if facts.class_ == chosen] or list(CATEGORIES)
    chosen_category = st.selectbox(
        "Category",
        [*fitting, *(name for name in CATEGORIES if name not in fitting)],
        index=None,
        format_func=category,
        placeholder="As it is",
        key="deed_category",
    )
    return {"class": chosen, "category": chosen_category}


def _tags() -> dict[str, Any]:
    return {"tags": st.text_input("Tags, with commas between", key="deed_tags", placeholder="Empty takes all off")}


def _ticket() -> dict[str, Any]:
    return {"ticket": st.text_input("Ticket", key="deed_ticket", placeholder="OPS-123 or its https address")}


SHOWN = 3
DEEDS = (
    Deed(
        "acknowledge",
        "Acknowledge",
        "Says that you have seen it and are on it. It stays in the queue, and is not escalated.",
        "Acknowledged.",
        shortcut="a",
    ),
    Deed(
        "assign",
        "Assign",
        "Its exceptions, open or to come, are owned by whom you choose; no rule and no escalation changes that.",
        "Assigned.",
        _owner,
        "s",
    ),
    Deed("note", "Note", "Keeps a note with this group. Nothing else changes.", "Noted.", shortcut="n"),
    Deed(
        "snooze",
        "Snooze",
        "Takes it out of the queue until then. It comes back by itself, failing or not.",
        "Snoozed.",
        _until,
    ),
    Deed(
        "resolve",
        "Resolve by hand",
        "Closes the {number}, though no success has been seen. A new failure opens them again. Nothing is sent: to send "
        "again, replay.",
        "Resolved by hand.",
    ),
    Deed(
        "reclassify",
        "Reclassify",
        "From now on it shows in the class you choose. The rule that judged it stays as it is; with a category, the rule that would have "
        "said so is proposed on the Classes page.",
        "Reclassified.",
        _class,
    ),
    Deed("tag", "Tag", "It has exactly these tags afterwards.", "Tagged.", _tags),
    Deed("link", "Link to ticket", "The ticket shows with it, in place of one linked before.", "Linked.", _ticket),
    Deed("wake", "Wake", "It is back in the queue now, whatever it was snoozed for.", "Back in the queue."),
)
