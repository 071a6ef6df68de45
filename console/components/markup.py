"""HTML with escaping as the default: what systems put on their spans is text, never markup."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias


class Html(str):
    """Text that is markup already; only `tag` and `join` make it."""

    __slots__ = ()


Child: TypeAlias = "Html | str | int | Iterable[Child] | None"
VOID = frozenset({"input", "br", "col"})


def tag(name: str, *children: Child, **attributes: str | int | bool | None) -> Html:
    """An element. Plain text is escaped, None is left out; `class_` and `data_href` are written `class` and `data-href`.

    >>> tag("a", "<b>", href="order?id=1&x", class_="row", title=None)
    '<a href="order?id=1&amp;x" class="row">&lt;b&gt;</a>'
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Child) -> Html:
    """The children as markup, one after the other.

    >>> join(["a<b", None, tag("i", 3)])
    'a&lt;b<i>3</i>'
    """
    match children:
        case None:
            return Html("")
        case Html():
            return children
        case str() | int():
            return Html(html.escape(str(children)))
        case _:
            return Html("".join(join(child) for child in children))
