"""The process map as a drawing: milestones in their declared order from left to right, and the steps orders really took.

The next step of the declared path runs straight; what passes over milestones bends above, what goes back bends below. Width says how
many orders; a point on each step can be clicked. Red is a step on which many failed, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from console.components import wording
from console.components.charts import ACCENT, BAD, PAPER, QUIET, framed, tone

Row = dict[str, Any]
FAILING = 0.1
"""A step is drawn as failing from this share of its orders on."""
MOST_STEPS = 40
CURVE = 24


def drawing(steps: Sequence[Row], labels: Mapping[str, str], chosen: tuple[str, str] | None) -> go.Figure:
    """The figure; `labels` holds every milestone in declared order. A clicked point's `customdata` is (from, to)."""
    moved = [s for s in steps if s["to_milestone"]][:MOST_STEPS]
    seen = {s["from_milestone"] for s in steps} | {s["to_milestone"] for s in moved}
    names = [name for name in labels if name in seen]
    place = {name: position for position, name in enumerate(names)}
    most = max((s["order_count"] for s in moved), default=1)
    figure = go.Figure()
    points: dict[str, list[Any]] = {"x": [], "y": [], "text": [], "data": [], "colour": [], "size": []}
    for step in sorted(moved, key=lambda s: s["order_count"]):
        a, b = place[step["from_milestone"]], place[step["to_milestone"]]
        height = 0.0 if b == a + 1 and step["kind"] != "back" else (0.32 * abs(b - a) ** 0.8) * (1 if b > a else -1)
        failed = step["failed_count"] / step["order_count"]
        picked = chosen == (step["from_milestone"], step["to_milestone"])
        colour = (
            tone(BAD) if failed >= FAILING else tone(ACCENT) if picked or step["kind"] == "declared" else tone(QUIET)
        )
        xs = [a + (b - a) * t / CURVE for t in range(CURVE + 1)]
        ys = [4 * height * (t / CURVE) * (1 - t / CURVE) for t in range(CURVE + 1)]
        line = {
            "color": colour,
            "width": 1.5 + 12 * step["order_count"] / most,
            "dash": "solid" if step["kind"] in ("declared", "side") else "dot",
        }
        figure.add_scatter(x=xs, y=ys, mode="lines", hoverinfo="skip", opacity=1.0 if picked else 0.75, line=line)
        points["x"].append((a + b) / 2)
        points["y"].append(height)
        points["text"].append(_told(step, labels, failed))
        points["data"].append([step["from_milestone"], step["to_milestone"]])
        points["colour"].append(colour)
        points["size"].append(15 if picked else 10)
    figure.add_scatter(
        x=points["x"], y=points["y"], mode="markers", customdata=points["data"], hovertext=points["text"], hoverinfo="text",
        marker={"color": points["colour"], "size": points["size"], "line": {"color": "white", "width": 1.5}},
    )  # fmt: skip
    standing = {s["from_milestone"]: s["order_count"] for s in steps if not s["to_milestone"]}
    figure.add_scatter(
        x=list(place.values()), y=[0.0] * len(names), mode="markers", hoverinfo="text",
        hovertext=[f"{labels[n]}: {wording.plural(standing.get(n, 0), 'order')} stand here" for n in names],
        marker={"color": tone(QUIET), "size": 12, "symbol": "square", "line": {"color": "white", "width": 1}},
    )  # fmt: skip
    for name, position in place.items():
        figure.add_annotation(
            x=position,
            y=0,
            yshift=-14,
            text=_wrapped(labels[name]),
            showarrow=False,
            yanchor="top",
            font={"size": 10},
            bgcolor=tone(PAPER),
            borderpad=1,
        )
    framed(figure, height=380)
    figure.update_xaxes(visible=False, range=[-0.6, len(names) - 0.4])
    figure.update_yaxes(visible=False)
    figure.update_layout(clickmode="event+select")
    return figure


def _told(step: Row, labels: Mapping[str, str], failed: float) -> str:
    way = f"<b>{labels[step['from_milestone']]} → {labels[step['to_milestone']]}</b>"
    took = f"half within {wording.span_of(step['median_s'])}"
    return f"{way}<br>{wording.plural(step['order_count'], 'order')}, {took}<br>{wording.share(failed)} with an exception on the way"


def _wrapped(label: str) -> str:
    """A label on several short lines.

    >>> _wrapped("Subscription activated today")
    'Subscription<br>activated<br>today'
    """
    lines: list[str] = []
    for word in label.split():
        if lines and len(lines[-1]) + len(word) < 11:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "<br>".join(lines)
