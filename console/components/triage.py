"""The deeds on an exception group as questions with their consequence in words; rights and rules are the service's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import streamlit as st

from console.components import dialogs, filter_bar, wording
from console.components.dialogs import Done, Question
from console.components.signs import CLASS
from console.components.view import look, wire
from console.resources import current

Row = dict[str, Any]
_HOURS = {1: "1 hour", 4: "4 hours", 24: "1 day", 72: "3 days", 168: "1 week"}


@dataclass(frozen=True)
class Deed:
    """A deed of the service, its verb, what is true afterwards ({number}: the open exceptions), and what to tell then."""

    name: str
    verb: str
    consequence: str
    told: str
    particulars: Callable[[], dict[str, Any]] | None = None


def offer(group: Row) -> None:
    """A button a deed; each asks for a reason before anything is done."""
    for deed in DEEDS[:SHOWN]:
        if st.button(f"{deed.verb} …", key=f"deed_{deed.name}"):
            dialogs.ask(_question(group, deed))
    picked = st.menu_button("More", DEEDS[SHOWN:], format_func=lambda deed: f"{deed.verb} …", key="deed_more")
    if picked:
        dialogs.ask(_question(group, picked))


def _question(group: Row, deed: Deed) -> Question:
    who = look().who

    def do(reason: str, given: Mapping[str, Any]) -> Done:
        current().deeds.on_group(who, deed.name, group["group_id"], reason, given)
        return Done(deed.told)

    number = wording.plural(group["open_count"], "open exception")
    consequence = f"{group['sentence']}\n\n{deed.consequence.format(number=number)}"
    return Question(deed.verb, consequence, deed.verb, do, deed.particulars)


def _owner() -> dict[str, Any]:
    teams = filter_bar.teams()
    team = st.selectbox(
        "Team", list(teams), index=None, format_func=teams.__getitem__, placeholder="As the rules say", key="deed_team"
    )
    person = st.text_input("Person", key="deed_person", max_chars=100, placeholder="Nobody in particular")
    return {"team": team, "person": person.strip() or None}


def _until() -> dict[str, Any]:
    hours = st.selectbox("For", list(_HOURS), format_func=_HOURS.__getitem__, key="deed_hours")
    return {"until": wire(current().store.clock() + timedelta(hours=hours))}


def _class() -> dict[str, Any]:
    chosen = st.selectbox("Class", list(CLASS), format_func=lambda name: CLASS[name].word, key="deed_class")
    return {"class": chosen}


SHOWN = 3
DEEDS = (
    Deed(
        "acknowledge",
        "Acknowledge",
        "Says that you have seen this group and are on it. It stays in the queue.",
        "Acknowledged.",
    ),
    Deed(
        "assign",
        "Assign",
        "Every exception of this group, open or to come, is owned by whom you choose.",
        "Assigned.",
        _owner,
    ),
    Deed("note", "Note", "Keeps a note with this group. Nothing else changes.", "Noted."),
    Deed(
        "snooze",
        "Snooze",
        "Takes the group out of the queue until then. It comes back by itself, failing or not.",
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
        "From now on this group shows in the class you choose. The rule that judged it stays as it is.",
        "Reclassified.",
        _class,
    ),
)
