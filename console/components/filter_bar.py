"""Widgets for the filters of a list. The address is the state; a widget shows it and changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console.components import wording
from console.components.blocks import link, notice
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.view import View
from console.filters import PAGE_ROWS, Asked, Filter, changed, read
from console.resources import current


def asked(filters: Sequence[Filter]) -> Asked:
    """What the page's address asks for."""
    return read(filters, st.query_params.to_dict())


def choice(one: str, label: str, options: Mapping[str, str], ask: Asked, *, width: int = 170) -> None:
    """A select box for filter `one`: `options` maps values to words; empty means all."""
    key = f"filter_{one}"
    values = list(options)
    given = ask.given.get(one)
    if given is not None and given not in values:
        values.append(given)
    st.session_state[key] = given

    st.selectbox(
        label,
        values,
        key=key,
        index=None,
        placeholder=label,
        label_visibility="collapsed",
        width=width,
        on_change=_set,
        args=(one, key),
        format_func=lambda value: options.get(value, value),
    )


def typed(one: str, label: str, ask: Asked, *, width: int = 170, icon: str | None = None) -> None:
    """A text box for filter `one`."""
    key = f"filter_{one}"
    st.session_state[key] = ask.given.get(one, "")
    st.text_input(
        label,
        key=key,
        placeholder=label,
        label_visibility="collapsed",
        width=width,
        icon=icon,
        on_change=_set,
        args=(one, key),
    )


def part(one: str, label: str, options: Mapping[str, str]) -> str:
    """Which part of a page is open, as the address says; the first where it says nothing that is known."""
    key = f"filter_{one}"
    values = list(options)
    given = st.query_params.get(one, values[0])
    chosen = st.session_state[key] = given if given in options else values[0]
    st.segmented_control(
        label,
        values,
        key=key,
        format_func=options.__getitem__,
        required=True,
        label_visibility="collapsed",
        on_change=_set,
        args=(one, key),
    )
    return chosen


def _set(one: str, key: str) -> None:
    value = st.session_state[key]
    put({one: str(value) if value not in (None, "") else None})


def put(changes: Mapping[str, str | None]) -> None:
    """The address after `changes`, on the first page."""
    after = changed(st.query_params.to_dict(), **dict(changes))
    st.query_params.from_dict(after)


def clear(ask: Asked, filters: Sequence[Filter]) -> None:
    """A button that takes every filter off, where there is one."""
    if any(name != "page" for name in ask.given):
        names: dict[str, str | None] = {one.name: None for one in filters}
        st.button("Clear", type="tertiary", icon=":material/filter_alt_off:", on_click=put, args=(names,))


def segments(view: View) -> dict[str, dict[str, str]]:
    """For each segment the values that there are, for select boxes."""
    found: dict[str, dict[str, str]] = {}
    for row in view.rows("segments"):
        found.setdefault(row["segment"], {})[row["value"]] = (
            row["value"].replace("_", " ").capitalize() if row["value"].islower() else row["value"]
        )
    return found


def promises() -> dict[str, str]:
    return {promise.name: promise.label for promise in current().store.catalogue.promises}


def milestones() -> dict[str, str]:
    return {milestone.name: milestone.label for milestone in current().store.catalogue.milestones}


def teams() -> dict[str, str]:
    return {team.name: team.label for team in current().store.catalogue.teams}


def team(name: str | None) -> str:
    """A team as people call it; 'nobody' where there is none."""
    return teams().get(name, name) if name else "nobody"


def channels(names: Sequence[str]) -> str:
    """Alert channels as people call them, in order; 'nobody' where there is none."""
    label = {channel.name: channel.label for channel in current().store.catalogue.alerts.channels}
    return ", ".join(label.get(name) or name for name in names) or "nobody"


def system_labels() -> dict[str, str]:
    return {system.name: system.label for system in current().store.catalogue.systems}


def system(name: str | None) -> str:
    """A system as people call it; a dash where there is none."""
    return system_labels().get(name, name) if name else "—"


def problems(ask: Asked) -> None:
    """What of the address could not be read, and so was left out."""
    if ask.problems:
        panel(
            notice(
                "yellow", "question", "Left out of the filter. " + " ".join(f"{problem}." for problem in ask.problems)
            ),
            key="filter_problems",
        )


def pager(view: View, path: str, ask: Asked, shown: int, total: int) -> Html:
    """Which rows these are of how many, with links to the pages before and after."""
    offset = int(ask.parameters["offset"])
    page = offset // PAGE_ROWS + 1
    parts: list[Any] = [
        tag(
            "span",
            f"{wording.count(offset + 1 if shown else 0)} to {wording.count(offset + shown)} of {wording.count(total)}",
            class_="quiet",
        )
    ]
    kept = {name: value for name, value in ask.given.items() if name != "page"}
    if page > 1:
        parts.append(link("Previous", view.link(path, **kept, page=page - 1 if page > 2 else None)))
    if offset + shown < total:
        parts.append(link("Next", view.link(path, **kept, page=page + 1)))
    return tag("div", [join([part, "   "]) for part in parts], class_="small pager")
