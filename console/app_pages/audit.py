"""Audit: every deed of people and workers, who, when, why, before and after; and whether the chain is whole."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from console.components import downloads, filter_bar, wording
from console.components.blocks import empty, facts, head, link, notice
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import AUDIT, PAGE_ROWS
from console.resources import current

Row = dict[str, Any]
SUBJECTS = {
    "exception_group": "Exception group",
    "replay_plan": "Replay plan",
    "alert": "Alert",
    "alert_silence": "Silence",
    "alert_delivery": "Delivery",
    "exception": "Exception",
    "dependency": "Dependency",
    "saved_view": "Saved view",
}


def chain(view: View) -> None:
    """Whether every deed's hash covers the one before: read anew from the first deed on."""
    broken = current().store.first_broken_action()
    count = view.rows("last_action")[0]["action_no"]
    if broken is None:
        said = f"The chain is whole: {wording.plural(count, 'deed')}, each covering the one before. Checked as this page was opened."
        panel(notice("green", "check", said), key="chain")
    else:
        said = (
            f"The chain is broken at deed {broken:,}: it, or the one before, was changed or removed after it was kept."
        )
        panel(notice("red", "alert", said), key="chain")


def deeds(view: View) -> None:
    ask = filter_bar.asked(AUDIT)
    rows = view.rows("audit", **ask.parameters, limit=PAGE_ROWS)
    if not rows:
        why = (
            "None with these filters; take one off to see more."
            if ask.given
            else f"Nobody has done anything as of {view.now_words()}."
        )
        panel(empty("No deeds.", why), key="deeds")
        return
    columns = [
        Column("Deed", lambda a: a["deed"].replace("_", " ").capitalize(), "fit"),
        Column("On", lambda a: _subject(view, a), "fit"),
        Column("Reason", lambda a: a["reason"], "clip"),
        Column("Before and after", _changed, "clip", wide=True),
        Column("By", lambda a: a["actor"], "fit"),
        Column("When", lambda a: view.at(a["acted_at"]), "fit"),
        Column("No.", lambda a: tag("span", f"{a['action_no']:,}", title=f"hash {a['hash']}, covers {a['previous_hash']}"), "number"),
    ]  # fmt: skip
    shown = table(columns, rows, caption="Latest first. The number's title is the deed's hash and the one it covers.")
    panel(
        join([head("Deeds"), filter_bar.pager(view, "audit", ask, len(rows), rows[0]["total_count"]), shown]),
        key="deeds",
    )


def _subject(view: View, a: Row) -> Html:
    kind = SUBJECTS.get(a["subject_type"], a["subject_type"].replace("_", " "))
    href = {
        "exception_group": view.link("exceptions", group=a["subject_id"]),
        "exception": view.link("exception", id=a["subject_id"]),
        "replay_plan": view.link("replays", plan=a["subject_id"]),
    }.get(a["subject_type"])
    return link(kind, href) if href else tag("span", kind)


def _changed(a: Row) -> Html:
    """What is different afterwards, old to new."""
    detail = json.loads(a["detail"])
    before, after = detail.get("before"), detail.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return tag(
            "span",
            ", ".join(
                f"{name.replace('_', ' ')} {_word(part)}" if name != "after" else _word(part)
                for name, part in detail.items()
                if part not in _UNSAID and name != "hash"
            )[:400],
            class_="quiet",
        )
    pairs = [
        (name, f"{_word(before.get(name))} → {_word(new)}") for name, new in after.items() if new != before.get(name)
    ]
    return (
        facts([(name.replace("_", " "), said) for name, said in pairs])
        if pairs
        else tag("span", "only this entry", class_="quiet")
    )


_UNSAID: tuple[object, ...] = (None, "", [], {})


def _word(value: object) -> str:
    if value in _UNSAID:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value.startswith('{"'):
        value = _read(value)
    if isinstance(value, dict):
        said = {name: part for name, part in value.items() if name not in ("before", "after") and part not in _UNSAID}
        return ", ".join(f"{name.replace('_', ' ')} {_word(part)}" for name, part in said.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _read(text: str) -> object:
    """A particular that is kept as JSON, such as what ends a snooze; any other text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


view = look()
ask = filter_bar.asked(AUDIT)
with heading(view, "Audit"):
    downloads.offer(
        "audit", view, "audit", ask.parameters,
        downloads.columns("action_no acted_at actor deed subject_type subject_id reason detail previous_hash hash"),
    )  # fmt: skip
chain(view)
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    filter_bar.typed("actor", "By", ask, width=150)
    filter_bar.typed("deed", "Deed", ask, width=150)
    filter_bar.choice("subject_type", "On", SUBJECTS, ask)
    filter_bar.clear(ask, AUDIT)
filter_bar.problems(ask)
live(deeds)
