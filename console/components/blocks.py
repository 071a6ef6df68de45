"""Small parts that pages are made of: tiles, headings, facts, notices, and empty states that say why they are empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from console.components import wording
from console.components.markup import Child, Html, join, tag
from console.components.signs import Tone, icon

TOP = 6


@dataclass(frozen=True)
class Tile:
    label: Child
    figure: str
    note: str = ""
    href: str | None = None
    chosen: bool = False
    tone: Tone | None = None


def tiles(shown: Sequence[Tile]) -> Html:
    """A strip of figures, each a link to the rows behind it."""
    return tag("div", [_tile(tile) for tile in shown], class_="tiles")


def _tile(tile: Tile) -> Html:
    parts = (
        tag("span", tile.label, class_="label"),
        tag("span", tile.figure, class_=f"figure {tile.tone}" if tile.tone else "figure", title=tile.figure),
        tag("span", tile.note, class_="note", title=tile.note) if tile.note else None,
    )
    chosen = "tile chosen" if tile.chosen else "tile"
    return tag("a", *parts, class_=chosen, href=tile.href) if tile.href else tag("div", *parts, class_=chosen)


def head(title: str, *, note: Child = None, more: Child = None) -> Html:
    """A heading with what it holds beside it, and a link on the right."""
    return tag(
        "div",
        tag("h2", title),
        tag("span", note, class_="small") if note else None,
        tag("span", more, class_="more") if more else None,
        class_="head",
    )


def link(label: Child, href: str) -> Html:
    return tag("a", label, href=href, class_="link")


def empty(what: str, why: Child) -> Html:
    """An empty state: what there is none of, and why."""
    return tag("div", tag("strong", what), join(why), class_="empty")


def notice(tone: Tone, icon_name: str, text: Child) -> Html:
    return tag("div", tag("span", icon(icon_name), class_=tone), tag("span", text), class_=f"notice {tone}")


def facts(pairs: Sequence[tuple[str, Child]]) -> Html:
    """Labels and values; a value that is None is left out."""
    return tag(
        "dl",
        [tag("div", tag("dt", label), tag("dd", value)) for label, value in pairs if value is not None],
        class_="facts",
    )


def amount(value: Decimal | float | None, currency: str | None, *, cents: bool = True) -> Html:
    """Money for a column of figures: the currency stands back."""
    if value is None:
        return tag("span", "—", class_="quiet")
    return join(
        [tag("span", currency, class_="currency") if currency else None, wording.money(value, None, cents=cents)]
    )


def two_lines(first: Child, second: Child) -> Html:
    return join([tag("div", first, class_="lines"), tag("small", second) if second else None])


def bar(part: float | None, *, tone: str = "gray") -> Html:
    """A share as a short bar before its figure."""
    width = min(max(part or 0.0, 0.0), 1.0) * 100
    return join(
        [
            tag(
                "span",
                tag("i", style=f"width:{width:.0f}%;background:var(--st-{tone}-color)"),
                class_="bar",
                aria_hidden="true",
            ),
            tag("span", wording.share(part), class_="shared"),
        ]
    )


def spark(counts: Sequence[int], about: str) -> Html:
    """Counts as small bars, the highest of full height; `about` says in words what they show."""
    most = max(counts, default=0) or 1
    drawn = [tag("i", style=f"height:{round(100 * number / most)}%") for number in counts]
    return tag("div", drawn, class_="spark", role="img", aria_label=about, title=about)
