"""The console's script: Streamlit runs it for every page. Navigation and shell here, the rooms in app_pages/."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from console.components import dialogs, rooms, shell
from console.components.live import guarded
from console.components.panel import going
from console.components.view import look_anew
from console.page_timings import timed

ICON = Path(__file__).parent / "static" / "favicon.svg"

pages = {
    room: st.Page(room.file, title=room.title, url_path=room.path or None, default=not room.path)
    for room in rooms.ROOMS
}
page = st.navigation(list(pages.values()), position="hidden")
room = next(room for room, known in pages.items() if known.url_path == page.url_path)
st.session_state["room"] = room.path
st.set_page_config(page_title=f"{page.title} · Cashtrail", page_icon=ICON, layout="wide", initial_sidebar_state="auto")

if shell.sign_in() and not going():
    with timed(room.path):
        view = look_anew()
        view.answers.ask_ahead(view.page, view.moment)
        shell.sidebar(room)
        body = st.container()
        # stands below what has come so far, from half a second on until all has
        with st.skeleton(height=240), body, guarded(room.title):
            page.run()
        dialogs.show()
