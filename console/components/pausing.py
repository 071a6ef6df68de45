"""Opening and closing a pause of a timeline's clocks, as questions with their consequence in words; the rules are the service's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console.components import dialogs, wording
from console.components.dialogs import Done, Question
from console.components.view import look
from console.resources import current

Row = dict[str, Any]


def note(pauses: Sequence[Row]) -> str:
    """How many pauses there were, and how many stand."""
    stand = sum(1 for p in pauses if p["until_at"] is None)
    return f"{stand} of {wording.plural(len(pauses), 'pause')} stands" if pauses else "none so far"


def offer(timeline: Row, pauses: Sequence[Row]) -> None:
    """A button for each deed on `timeline` (a row of `reads/timeline.sql`) that is possible now; each asks for a reason first."""
    declared = {p.name: p.label for p in current().store.catalogue.pauses}
    stand = {p["pause"]: p["label"] for p in pauses if p["until_at"] is None}
    can_open = {name: label for name, label in declared.items() if name not in stand}
    with st.container(horizontal=True, width="content"):
        if can_open and st.button("Pause …", key="deed_pause"):
            dialogs.ask(_question("pause", "Pause the clocks", timeline, can_open, _PAUSED))
        if stand and st.button("Resume …", key="deed_resume"):
            dialogs.ask(_question("resume", "Resume the clocks", timeline, stand, _RESUMED))


_PAUSED = "No working time is counted from now on for the promises that this pause holds up. Due instants move by as long as it lasts."
_RESUMED = "The clocks run again from now on; due instants are later by the working time that the pause took."


def _question(deed: str, title: str, of: Row, choices: Mapping[str, str], consequence: str) -> Question:
    who = look().who

    def particulars() -> dict[str, Any]:
        return {"pause": st.selectbox("Why", list(choices), format_func=choices.__getitem__, key="deed_why")}

    def do(reason: str, given: Mapping[str, Any]) -> Done:
        current().deeds.on_timeline(who, deed, of["lead_type"], of["lead_id"], reason, given, scope=of["scope"])
        return Done(
            f"{choices[given['pause']]}: {'the clocks stand still' if deed == 'pause' else 'the clocks run again'}."
        )

    return Question(title, consequence, title.split()[0], do, particulars)
