"""Dense tables: one declared list of columns, real links, an order and a limit that are said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from console.components.markup import Child, Html, join, tag

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """`kind`: text; line (one line, cut off with dots); number (right, tabular); fit (as narrow as its words); clip (long text,
    two lines). `wide`: left out where the table is narrow."""

    label: str
    cell: Callable[[Row], Child]
    kind: str = "text"
    wide: bool = False


def table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    caption: str | None = None,
    href: Callable[[Row], str | None] | None = None,
    tick: Callable[[Row], str | None] | None = None,
    chosen: Callable[[Row], bool] | None = None,
) -> Html:
    """A table; with `href` the first cell is a link and a click anywhere on the row follows it; rows that
    `tick` gives an id can be ticked."""
    ticks = (
        tag("th", tag("input", type="checkbox", data_tick_all=True, aria_label="Select all"), class_="fit")
        if tick
        else None
    )
    head = tag("tr", ticks, *(tag("th", column.label, class_=_class(column), scope="col") for column in columns))
    body = [
        _row(columns, row, href(row) if href else None, [tick(row)] if tick else [], bool(chosen and chosen(row)))
        for row in rows
    ]
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", body), tag("caption", tag("span", caption)) if caption else None),
        class_="scroll",
    )


def _row(columns: Sequence[Column], row: Row, href: str | None, ticks: Sequence[str | None], chosen: bool) -> Html:
    cells: list[Child] = [tag("td", _box(id_) if id_ else None, class_="fit") for id_ in ticks]
    for position, column in enumerate(columns):
        inner = join(column.cell(row))
        if position == 0 and href:
            inner = tag("a", inner, href=href)
        if column.kind == "clip":
            inner = tag("div", inner)
        cells.append(tag("td", inner, class_=_class(column)))
    return tag("tr", cells, data_href=href, class_="chosen" if chosen else None)


def _box(id_: str) -> Html:
    return tag("input", type="checkbox", data_tick=id_, id=f"tick-{id_}", aria_label=f"Select {id_}")


def _class(column: Column) -> str | None:
    return f"{column.kind} wide" if column.wide else column.kind
