"""One component that draws markup in the page's own style and reports which boxes are ticked.

Streamlit's own tables are canvases: no icons with words, no real links, no keyboard. Links here are real ones
(`rooms.link`), and following one keeps the session, selection and sign-in.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from console.components.markup import Html

_HERE = Path(__file__).parent
_GO = "go_to"
_STEP = "go_step"
_draw = st.components.v2.component(
    "cashtrail.panel",
    html='<div class="panel"></div>',
    css=(_HERE / "panel.css").read_text("utf-8"),
    js=(_HERE / "panel.js").read_text("utf-8"),
)


def panel(body: Html, key: str, *, keys: bool = False) -> list[str]:
    """`body` is on the page; returns the ids of its ticked boxes (`data-tick`), which survive a refresh.

    With `keys`, j and k move along its rows, x ticks one, o or Enter opens it.
    """
    shown = _draw(key=key, data={"html": body, "keys": keys}, default={"ticked": []}, on_ticked_change=lambda: None)
    return list(shown.get("ticked") or [])


def go_to(href: str) -> None:
    """The next run goes to `href`, an address that `rooms.link` made."""
    st.session_state[_GO] = href


def going() -> bool:
    """True if this run only goes elsewhere, because `go_to` was called. Asked first by the script."""
    href = st.session_state.pop(_GO, None)
    if href is None:
        return False
    step = st.session_state[_STEP] = st.session_state.get(_STEP, 0) + 1
    _draw(key="going", data={"html": "", "go": href, "step": step})
    return True
