"""Saved views of the exception queue: choose one, save what is shown, drop one's own. The address stays the state."""

from __future__ import annotations

from urllib.parse import parse_qsl

import streamlit as st

from console.components import filter_bar
from console.components.view import look
from console.filters import Asked
from console.resources import current
from console.saved_views import NAME_MOST, NAMES, ROOM, SavedViews
from trace_model.errors import CashtrailError


def offer(ask: Asked) -> None:
    """A popover with the viewer's own and shared views, and a form that saves the filters that are set."""
    view = look()
    saved = view.rows("saved_views", room=ROOM, actor=view.who.name)
    service = SavedViews(current().store)
    with st.popover("Views", icon=":material/bookmark:", key="views"):
        for one in saved:
            with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
                st.button(
                    one["name"], key=f"view_{one['view_id']}", type="tertiary", on_click=_show, args=(one["query"],)
                )
                if not one["is_mine"]:
                    st.caption(f"shared by {one['actor']}")
                elif st.button(
                    "", key=f"drop_{one['view_id']}", type="tertiary", icon=":material/delete:", help="Drop this view"
                ):
                    service.drop(view.who, one["view_id"])
                    st.rerun()
        if not saved:
            st.caption("No view is saved yet: set filters, name them, and find them here again.")
        with st.form("save_view", border=False):
            name = st.text_input("Save these filters as", max_chars=NAME_MOST, key="view_name")
            shared = st.checkbox("For everybody", key="view_shared")
            if st.form_submit_button("Save"):
                query = "&".join(f"{key}={value}" for key, value in ask.given.items() if key in NAMES)
                try:
                    service.save(view.who, name, query, shared=shared)
                except CashtrailError as fault:
                    st.error(str(fault))
                else:
                    st.rerun()


def _show(query: str) -> None:
    filter_bar.put(dict.fromkeys(NAMES) | dict(parse_qsl(query)))
