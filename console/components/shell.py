"""What surrounds every page: navigation, the search box, as of when, how fresh, whose clock, who is signed in."""

from __future__ import annotations

from contextlib import nullcontext

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from console.components import rooms, wording
from console.components.blocks import notice
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import go_to, panel
from console.components.signs import icon
from console.components.view import View, fixed_instant, look, signed_in, wire
from console.resources import current

_STYLE = """<style>
[data-testid="stSidebar"] { min-width: 228px; max-width: 228px; }
[data-testid="stSidebarContent"] { padding: 0 4px; }
[data-testid="stSidebarUserContent"] { padding: 0 10px 12px; }
[data-testid="stSidebar"] .st-key-state { padding: 0 8px; }
[data-testid="stSidebarHeader"] { height: 12px; margin: 0; padding: 6px 10px 0; }
[data-testid="stSidebar"] [data-testid="stVerticalBlock"] { gap: 2px; }
[data-testid="stSidebar"] [data-testid="stPageLink-NavLink"] { padding: 4px 8px; border-radius: 6px; }
[data-testid="stSidebar"] [data-testid="stPageLink-NavLink"]:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
.st-key-within [data-testid="stPageLink-NavLink"] { background: rgba(128, 128, 128, .16); font-weight: 600; }
[data-testid="stSidebar"] .stTextInput { margin: 2px 0 8px; }
[data-testid="stSidebar"] .stTextInput input { font-size: 12px; padding-left: 0; padding-right: 4px; }
[data-testid="stMainBlockContainer"] { padding: 18px 28px 48px; max-width: 1560px; }
[data-testid="stMain"] [data-testid="stVerticalBlock"] { gap: 14px; }
[data-testid="stHeader"] { background: transparent; height: 0; min-height: 0; }
.stApp:has([data-testid="stSidebar"][data-collapsed="true"]) [data-testid="stHeader"] { height: 40px; min-height: 40px; }
.stApp:has([data-testid="stSidebar"][data-collapsed="true"]) [data-testid="stMainBlockContainer"] { padding-top: 42px; }
[data-testid="stToolbar"] { top: 6px; }
[data-testid="stToastContainer"] { top: auto; bottom: 16px; }
h1 { padding: 0 0 2px !important; letter-spacing: -0.01em; }
[data-stale="true"] { opacity: 1 !important; transition: none !important; }
.stButton button, .stDownloadButton button, .stPopover button { min-height: 30px; padding: 2px 12px; }
.stTextInput input, .stSelectbox div[data-baseweb="select"] > div { font-variant-numeric: tabular-nums; }
.st-key-paths { overflow-x: auto; }
.st-key-paths > * { min-width: 1080px; }
.st-key-catalogue_text textarea { font-family: var(--st-code-font, monospace); font-size: 12px; line-height: 1.5; }
@media (max-width: 640px) { .st-key-beside [data-testid="stColumn"]:last-child { order: -1; } }
@media (max-width: 1150px) {
    .st-key-halves [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
    .st-key-halves [data-testid="stColumn"] { flex: 1 1 100%; min-width: 100%; }
}
@media (max-width: 1000px) { [data-testid="stMainBlockContainer"] { padding: 18px 16px 40px; } }
</style>"""

_BRAND = '<div style="padding:0 8px 8px;font-weight:600;letter-spacing:-.01em">Cashtrail</div>'


def sidebar(room: rooms.Room) -> None:
    """Navigation and the state of the house; `room` is the page that is open."""
    st.html(_STYLE)
    view = look()
    with st.sidebar:
        st.html(_BRAND)
        _search(view)
        section = None
        for one in rooms.ROOMS:
            if one.section is None:
                continue
            if one.section != section:
                section = one.section
                st.html(f'<div style="font-size:11px;opacity:.6;padding:10px 8px 2px;font-weight:500">{section}</div>')
            with st.container(key="within") if one.path == room.within else nullcontext():
                st.page_link(one.file, label=one.title, icon=one.icon, width="stretch", query_params=_kept(view))
        st.space(16)
        with st.container(key="state"):
            live(_freshness, stands=False)
        if not current().access.is_open:
            st.html('<a href="/sign-out" target="_self" style="padding:0 8px;font-size:12px;opacity:.7">Sign out</a>')


def heading(view: View, title: str, about: str | Html | None = None) -> DeltaGenerator:
    """The page's title, and a notice where it does not show now. Returns the place on its right, for what the page offers.

    Where the page stands, it says as of when its figures are, and offers those of now.
    """
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(title, anchor=False, width="content")
        offers = st.container(horizontal=True, horizontal_alignment="right", width="content")
    if view.stands:
        told = (
            f"The figures are as of {wording.exact(view.as_of, view.zone)} and stand still. A click shows those of now."
        )
        offers.button(
            f"As of {view.now_words()}", key="look_again", type="tertiary", icon=":material/refresh:", help=told,
            on_click=view.answers.standing.renew, args=(view.page,),
        )  # fmt: skip
    if about:
        panel(tag("span", about, class_="quiet"), key="about")
    problem = fixed_instant()[1]
    if problem:
        panel(notice("yellow", "question", f"as_of: {problem}. Showing live."), key="as_of_problem")
    if not view.live:
        live_again = tag("a", "Back to live", href=rooms.link(room_now().path, **_address()), class_="link")
        words = [
            "Everything on this page is as of ",
            tag("strong", wording.exact(view.as_of, view.zone)),
            ", not now. ",
            live_again,
        ]
        panel(notice("yellow", "clock", words), key="as_of")
    return offers


def sign_in() -> bool:
    """True for whoever is signed in; else the page says that the session is over, and nothing more."""
    if signed_in() is not None:
        return True
    st.html(_STYLE)
    link = tag("a", "Sign in again", href="/sign-in", target="_self", class_="link")
    panel(notice("yellow", "clock", ["Your session is over. ", link]), key="signed_out")
    return False


def room_now() -> rooms.Room:
    """The room that is open, by what `app.py` noted."""
    return rooms.of_path(st.session_state.get("room", ""))


def _address() -> dict[str, str]:
    return {name: value for name, value in st.query_params.to_dict().items() if name != "as_of"}


def _kept(view: View) -> dict[str, str]:
    return {} if view.live else {"as_of": wire(view.as_of)}


def _search(view: View) -> None:
    def jump() -> None:
        wanted = st.session_state["search_box"].strip()
        st.session_state["search_box"] = ""
        if not wanted:
            return
        found = current().store.rows("search", q=wanted, limit=2, as_of=view.as_of)
        exact = [row for row in found if row["distance"] == 0 and row["lead_count"] == 1]
        if len(exact) == 1:
            hit = exact[0]
            go_to(view.order(hit))
        else:
            go_to(view.link("search", q=wanted))

    st.text_input(
        "Search",
        key="search_box",
        on_change=jump,
        placeholder="Order, invoice, customer",
        icon=":material/search:",
        type="search",
        label_visibility="collapsed",
        help="Any id of any system, or part of a customer's name. Enter jumps to the timeline.",
    )


def _freshness(view: View) -> None:
    store = current().store
    lag = store.lag()
    last = view.following().rows("last_received")[0]["last_received_at"]
    if lag.fault:
        state = tag(
            "span",
            icon("alert"),
            f"Screens are behind: {wording.plural(lag.spans, 'span')}",
            class_="sign red",
            title=lag.fault,
        )
    elif lag.oldest_unprojected_s > 5:
        state = tag("span", icon("clock"), f"{wording.span_of(lag.oldest_unprojected_s)} behind", class_="sign yellow")
    elif view.stands:
        told = (
            "The figures of this page are as of the instant below. A click on it, above the page, shows those of now."
        )
        state = tag("span", icon("clock"), "Stands still", class_="sign gray", title=told)
    elif view.live:
        state = tag("span", icon("check"), "Live", class_="sign green", title="Everything received is shown.")
    else:
        state = tag("span", icon("clock"), "Fixed instant", class_="sign yellow")
    lines = [
        tag("div", state),
        tag("div", f"As of {view.now_words()}, {view.zone.key}", title=wording.exact(view.as_of, view.zone)),
        tag("div", "Last span ", wording.ago(last, store.clock())) if last else tag("div", "No span received yet"),
        tag("div", f"{view.who.name}, {view.who.role}"),
    ]
    panel(tag("div", join(lines), class_="small stack"), key="freshness")
