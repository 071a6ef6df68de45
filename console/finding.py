"""Which timeline is meant by a type and an id: one, or several where systems or legal entities use the same id. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
"""A question's answer as of the moment that is looked at: `View.rows`, or the store's with its `as_of` bound."""


def timelines_named(rows: Rows, type_: str, id_: str, scope: str | None = None) -> list[Row]:
    """The timelines that the words may mean, as rows of `timeline`: those the object leads, else the only one it stands in.

    Empty: no such object, or it stands in several timelines. More than one: `scope` tells them apart.
    """
    led = rows("timeline", type=type_, id=id_, scope=scope)
    if led:
        return led
    found: dict[int, Row] = {}
    for held in objects_named(rows, type_, id_, scope):
        if held["lead_count"] == 1:
            for t in rows("timeline", type=held["lead_type"], id=held["lead_id"], scope=held["lead_scope"]):
                found[t["lead_key"]] = t
    return list(found.values())


def objects_named(rows: Rows, type_: str, id_: str, scope: str | None = None) -> list[Row]:
    """The objects of a type under exactly this id that stand in a timeline, as rows of `search`."""
    return [
        m
        for m in rows("search", q=id_, limit=50)
        if (m["object_type"], m["object_id"]) == (type_, id_) and m["lead_id"] and scope in (None, m["scope"])
    ]
