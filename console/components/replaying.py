"""Offering a replay: first a plan, which sends nothing; what to send is decided on the plan's own page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console.components import dialogs, rooms, wording
from console.components.dialogs import Done, Question
from console.components.view import look
from console.resources import current
from trace_model.errors import Refused


def offer(exception_ids: Sequence[str], classes: Sequence[str], *, key: str) -> None:
    """A button that plans a replay of these exceptions."""
    words = "Replay" if len(exception_ids) == 1 else f"Replay {len(exception_ids)}"
    if st.button(f"{words} …", icon=":material/replay:", type="primary", key=key):
        dialogs.ask(_plan_of({"exception_ids": list(exception_ids)}, len(exception_ids), "business" in classes))


def offer_group(group_id: str, open_count: int, failure_class: str, *, key: str) -> None:
    """A button that plans a replay of every open exception of a group."""
    if st.button(
        f"Replay all {open_count} …" if open_count > 1 else "Replay …",
        icon=":material/replay:",
        type="primary",
        key=key,
    ):
        dialogs.ask(_plan_of({"group_id": group_id}, open_count, failure_class == "business"))


def _plan_of(subject: dict[str, Any], number: int, is_business: bool) -> Question:
    who = look().who

    def particulars() -> dict[str, Any]:
        fixed = st.checkbox("The data has been fixed", key="plan_fixed", value=False) if is_business else False
        with st.expander("Patch the payload", key="plan_patch_open"):
            st.caption(
                "A JSON merge patch (RFC 7396) for what is sent; the original is kept. Leave empty to send it as it was."
            )
            patch = st.text_area(
                "Patch", key="plan_patch", label_visibility="collapsed", placeholder='{"tax_id": "DE123456789"}'
            )
        return {"data_fixed": fixed, "patch": patch}

    def do(reason: str, given: Mapping[str, Any]) -> Done:
        plan = current().replays.plan(
            who, **subject, reason=reason, data_fixed=bool(given["data_fixed"]), patch=_patch(given["patch"])
        )
        return Done("Planned. Nothing has been sent.", rooms.link("replays", plan=plan.plan_id))

    subject_words = wording.plural(number, "exception")
    consequence = f"Makes a plan for {subject_words}. **Nothing is sent**: you see what would be, and what not and why."
    if is_business:
        consequence += "\n\nA business exception is sent only once the data has been fixed, or with a patch."
    return Question("Plan a replay", consequence, "Make the plan", do, particulars)


def _patch(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        patch = json.loads(text)
    except ValueError as fault:
        raise Refused(f"the patch is no JSON: {fault}") from None
    if not isinstance(patch, dict):
        raise Refused('the patch must be a JSON object, like {"tax_id": "DE123456789"}')
    return patch
