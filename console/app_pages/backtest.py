"""Backtest: how good the forecasts of breaches would have been on this installation's own history, against two plain rules."""

from __future__ import annotations

from datetime import datetime

import plotly.graph_objects as go
import streamlit as st

from console.backtests import backtests_of
from console.components import downloads, filter_bar, wording
from console.components.blocks import Tile, empty, head, tiles
from console.components.charts import ACCENT, QUIET, framed, tone
from console.components.live import guarded
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.table import Column, Row, table
from console.components.view import View, look
from console.resources import current
from trace_model.store.forecasts import SHARES, WARM_UP, WARN_AT, Backtest, Score

DAYS = {"30": "Last 30 days", "60": "Last 60 days", "120": "Last 120 days"}
RULES = {
    "forecast": "Forecast",
    "base rate": "Base rate of the promise",
    "elapsed share": "Elapsed share of the promise",
}
ABOUT = (
    "Each day's chances are made with what was known by then, and judged by what came. "
    "A Brier score of 0 is perfect, lower is better."
)


@st.fragment(run_every=1.0)
def progress(as_of: datetime, days: int) -> None:
    walk = backtests_of(current().store).walk(as_of, days)
    if walk.result or walk.fault:
        st.rerun(scope="app")
    words = "Walking through the history, a day at a time; you may leave this page, it goes on."
    st.progress(walk.share, text=words)


def summary(result: Backtest) -> None:
    overall = {score.rule: score for score in result.scores if score.promise == "all"}
    ours = overall["forecast"]
    warned = next(w for w in result.warnings if w.rule == "forecast")
    lead = (
        f"half of them {wording.span_of(warned.lead_s)} of working time ahead"
        if warned.lead_s is not None
        else "none came in time"
    )
    shown = [
        Tile("Brier score, forecast", f"{ours.brier:.3f}", f"{wording.count(ours.trial_count)} forecasts judged"),
        *(
            Tile(f"Brier score, {rule}", f"{overall[rule].brier:.3f}", "plain rule")
            for rule in RULES
            if rule != "forecast"
        ),
        Tile("Calibration error", f"{ours.calibration_error:.3f}", "mean distance of said and came"),
        Tile(
            "Breaches warned of", wording.share(warned.warned_share), f"of {wording.count(warned.breach_count)}; {lead}"
        ),
        Tile("Warnings that came", wording.share(warned.right_share), f"from a chance of {wording.share(WARN_AT)} on"),
    ]
    panel(tiles(shown), key="summary")


def calibration(result: Backtest) -> None:
    said = [b.mean_chance for b in result.reliability]
    came = [b.came_share for b in result.reliability]
    counts = [b.count for b in result.reliability]
    most = max(counts)
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="as said", line={"color": tone(QUIET), "dash": "dot", "width": 1}, hoverinfo="skip"
    )  # fmt: skip
    figure.add_scatter(
        x=said, y=came, mode="lines+markers", name="forecast", line={"color": tone(ACCENT), "width": 2},
        marker={"size": [7 + 13 * (n / most) ** 0.5 for n in counts]}, customdata=[wording.count(n) for n in counts],
        hovertemplate="said %{x:.0%}, came %{y:.0%}<br>%{customdata} forecasts<extra></extra>",
    )  # fmt: skip
    framed(figure, height=320, legend=True)
    figure.update_xaxes(title_text="chance that was said", range=[-0.03, 1.03], tickformat=".0%")
    figure.update_yaxes(title_text="part that breached", range=[-0.03, 1.03], tickformat=".0%")
    st.plotly_chart(figure, key="calibration", config={"displayModeBar": False})


def by_promise(view: View, scores: list[Score], labels: dict[str, str]) -> Html:
    """One row per promise: its trials, the three Brier scores (the best one bold), the calibration error."""
    found: dict[str, dict[str, Score]] = {}
    for score in scores:
        found.setdefault(score.promise, {})[score.rule] = score
    order = sorted(found, key=lambda name: (name != "all", -found[name]["forecast"].trial_count))

    def brier(rule: str) -> Column:
        def cell(row: Row) -> Html:
            value = found[row["promise"]][rule].brier
            best = min(score.brier for score in found[row["promise"]].values())
            return tag("strong" if value <= best else "span", f"{value:.3f}")

        return Column(f"Brier, {rule}", cell, "number")

    columns = [
        Column(
            "Promise",
            lambda r: "All promises" if r["promise"] == "all" else labels.get(r["promise"], r["promise"]),
            "line",
        ),
        Column("Forecasts", lambda r: wording.count(found[r["promise"]]["forecast"].trial_count), "number"),
        Column("Breached", lambda r: wording.share(found[r["promise"]]["forecast"].breach_share), "number"),
        *(brier(rule) for rule in RULES),
        Column("Calibration error", lambda r: f"{found[r['promise']]['forecast'].calibration_error:.3f}", "number"),
    ]
    return table(
        columns,
        [{"promise": name} for name in order],
        href=lambda r: None if r["promise"] == "all" else view.link("orders", promise=r["promise"]),
        caption="Most forecasts first; the best score of a row is bold. A row leads to the orders that run against the promise now.",
    )


def warnings(result: Backtest) -> Html:
    columns = [
        Column("Warned by", lambda r: RULES[r["w"].rule]),
        Column("Breaches warned of", lambda r: wording.share(r["w"].warned_share), "number"),
        Column(
            "Median lead, working time",
            lambda r: "—" if r["w"].lead_s is None else wording.span_of(r["w"].lead_s),
            "number",
        ),
        Column(
            "Warnings that came",
            lambda r: "—" if r["w"].right_share is None else wording.share(r["w"].right_share),
            "number",
        ),
    ]
    caption = f"Warned: a chance of {wording.share(WARN_AT)} or more while there was still time."
    return table(columns, [{"w": w} for w in result.warnings], caption=caption)


def files(result: Backtest) -> tuple[downloads.File, ...]:
    return (
        downloads.of_rows("backtest-running", "Scores, running clocks", result.scores),
        downloads.of_rows("backtest-later", "Scores, promises not begun", result.later_scores),
        downloads.of_rows("calibration", "Calibration", result.reliability),
        downloads.of_rows("warnings", "Warnings", result.warnings),
    )


view = look()
offers = heading(view, "Backtest", ABOUT)
days = int(filter_bar.part("days", "History", DAYS))

with guarded("backtest"):
    as_of = view.as_of.replace(minute=0, second=0, microsecond=0) if view.live else view.as_of
    walk = backtests_of(current().store).walk(as_of, days)
    if walk.fault:
        st.error(walk.fault, icon=":material/error:")
        st.button("Try again", on_click=backtests_of(current().store).forget, args=(walk,))
        st.stop()
    if walk.result is None:
        progress(as_of, days)
        st.stop()
    result = walk.result
    labels = {promise.name: promise.label for promise in current().store.catalogue.promises}
    if not result.trial_count:
        why = (
            f"A forecast is judged once its clock has fallen due, and the first {WARM_UP.days} days are only learned from. "
            f"Nothing of the {days} days before {view.now_words()} is that far."
        )
        panel(empty("No history to judge yet.", why), key="empty")
        st.stop()
    with offers:
        downloads.menu(*files(result))
    summary(result)
    left, right = st.columns(2, gap="medium")
    with left:
        panel(head("Calibration", note="does a chance of 30 % come three times in ten?"), key="calibration_head")
        calibration(result)
    with right:
        panel(join([head("Warnings"), warnings(result)]), key="warnings")
    note = f"asked at {len(SHARES)} ages, from 1 % to 95 % of the promise"
    panel(join([head("Running clocks", note=note), by_promise(view, result.scores, labels)]), key="running")
    if result.later_scores:
        note = "will it be late because of what runs now?"
        panel(join([head("Promises not begun", note=note), by_promise(view, result.later_scores, labels)]), key="later")
