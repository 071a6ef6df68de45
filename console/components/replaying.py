"""Offering a replay: first a plan, which sends nothing; what to send is decided on the plan's own page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console.components import dialogs, patch_editor, rooms, wording
from console.components.dialogs import Done, Question
from console.components.view import look
from console.resources import current


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


def offer_edit(plan: Mapping[str, Any]) -> None:
    """A button that makes another plan of the same exceptions, changed; this one is cancelled by it, and its approval void."""
    if st.button("Edit …", icon=":material/edit:", key="plan_edit"):
        rows = current().store.rows("replay_plan_items", plan_id=plan["plan_id"], outcome=None, limit=10_000, offset=0)
        subject = {"exception_ids": [row["exception_id"] for row in rows], "replaces": plan["plan_id"]}
        patch = json.loads(plan["patch"]) if plan["patch"] else None
        dialogs.ask(_plan_of(subject, len(rows), True, patch=patch, data_fixed=plan["data_fixed"]))


def _plan_of(
    subject: dict[str, Any],
    number: int,
    is_business: bool,
    *,
    patch: Mapping[str, Any] | None = None,
    data_fixed: bool = False,
) -> Question:
    who = look().who
    is_edit = "replaces" in subject

    def particulars() -> dict[str, Any]:
        fixed = st.checkbox("The data has been fixed", key="plan_fixed", value=data_fixed) if is_business else False
        ids = subject.get("exception_ids") or _of_group(subject["group_id"])
        return {"data_fixed": fixed, "patch": patch_editor.editor(ids, patch)}

    def do(reason: str, given: Mapping[str, Any]) -> Done:
        plan = current().replays.plan(
            who,
            **subject,
            reason=reason,
            data_fixed=bool(given["data_fixed"]),
            patch=patch_editor.patch_of(given["patch"]),
        )
        return Done("Planned. Nothing has been sent.", rooms.link("replays", plan=plan.plan_id))

    subject_words = wording.plural(number, "exception")
    consequence = f"Makes a plan for {subject_words}. **Nothing is sent**: you see what would be, and what not and why."
    if is_edit:
        consequence += f"\n\n{subject['replaces']} is cancelled by it, and an approval that it had is void."
    elif is_business:
        consequence += (
            "\n\nA business exception is sent only once the data has been fixed, or with a change to what is sent."
        )
    return Question(
        "Edit the plan" if is_edit else "Plan a replay", consequence, "Make the plan", do, particulars, "medium"
    )


def _of_group(group_id: str) -> list[str]:
    """The exception whose payload the editor shows: any of the group's."""
    store = current().store
    rows = store.rows(
        "exceptions", state="open", category=None, owner_team=None, group_id=group_id, system=None, offset=0, limit=1,
        as_of=store.clock(), **{"class": None},
    )  # fmt: skip
    return [row["exception_id"] for row in rows]
