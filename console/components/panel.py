"""One component that draws markup in the page's own style and reports clicks on its links and ticked boxes.

Streamlit's own tables are canvases: no icons with words, no real links, no keyboard. Links here are real ones
(`rooms.link`), and following one keeps the session, selection and sign-in.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import streamlit as st

from console.components import rooms
from console.components.markup import Html

_HERE = Path(__file__).parent
_FOLLOWED = "followed_link"
_draw = st.components.v2.component(
    "cashtrail.panel",
    html='<div class="panel"></div>',
    css=(_HERE / "panel.css").read_text("utf-8"),
    js=(_HERE / "panel.js").read_text("utf-8"),
)


def panel(body: Html, key: str) -> list[str]:
    """`body` is on the page; returns the ids of its ticked boxes (`data-tick`), which survive a refresh."""

    def note() -> None:
        followed = st.session_state[key].get("followed")
        if followed:
            st.session_state[_FOLLOWED] = followed

    shown = _draw(
        key=key, data={"html": body}, default={"ticked": []}, on_followed_change=note, on_ticked_change=lambda: None
    )
    return list(shown.get("ticked") or [])


def go_to(href: str) -> None:
    """The next run shows the page at `href`, an address that `rooms.link` made."""
    st.session_state[_FOLLOWED] = href


def follow_links() -> None:
    """Goes where the last followed link points. Called first by the script and by every live part, before any question."""
    href = st.session_state.pop(_FOLLOWED, None)
    if href:
        parts = urlsplit(href)
        st.switch_page(rooms.of_path(parts.path).file, query_params=parse_qs(parts.query))
