"""Charts in the console's look: no frame, no tools, quiet grids; the theme's colours follow the browser."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

BAD = {"light": "#d13b3b", "dark": "#ef6b6b"}
GOOD = {"light": "#1f9254", "dark": "#4cb980"}
ACCENT = {"light": "#5158c9", "dark": "#7b82ec"}
QUIET = {"light": "#a3a6b0", "dark": "#6d717c"}
HUES = ("#6b73d6", "#4aa3b5", "#b07cc6", "#8a8f9c", "#7f9a5a", "#b5895a", "#5a86b5", "#a8657f")
"""For kinds of things: no red, no green, no amber, which mean states."""
PAPER = {"light": "rgba(255,255,255,0.85)", "dark": "rgba(15,16,20,0.85)"}
"""Behind words that lines may cross."""
GRID = {"light": "rgba(0,0,0,0.07)", "dark": "rgba(255,255,255,0.09)"}


def tone(colours: dict[str, str]) -> str:
    """The colour for the viewer's theme."""
    return colours["dark" if st.context.theme.type == "dark" else "light"]


def framed(figure: go.Figure, *, height: int, legend: bool = False) -> go.Figure:
    """`figure` in the console's look; changes and returns it."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 12},
        dragmode=False,
        hoverlabel={"font": {"size": 12}},
    )
    figure.update_xaxes(gridcolor=tone(GRID), zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=tone(GRID), zeroline=False, automargin=True)
    return figure
