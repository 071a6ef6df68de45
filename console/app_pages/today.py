"""Today: what must be done now, and what it is worth. Everything on it leads to rows."""

from __future__ import annotations

import streamlit as st

from console.components import exception_parts, filter_bar, wording
from console.components.blocks import TOP, Tile, amount, empty, head, link, tiles, two_lines
from console.components.live import live
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import CLASS, SYSTEM, TIMELINE, badge, known
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import EXCEPTION_GROUPS, read
from console.resources import current


def worth(view: View) -> None:
    states = {row["state"]: row for row in view.rows("standing", region=None, product_line=None, legal_entity=None)}
    open_states = [row for name, row in states.items() if name not in ("completed", "cancelled")]
    blocked_count = sum(row["blocked_count"] for row in open_states)
    blocked = sum(row["blocked_amount"] for row in open_states)
    shown = [
        Tile(
            "Blocked by exceptions",
            view.money(blocked),
            wording.plural(blocked_count, "order"),
            view.link("orders", with_exception="true"),
        ),
        *(
            Tile(
                badge(TIMELINE[state]),
                view.money(states[state]["amount"] if state in states else 0),
                wording.plural(states[state]["timeline_count"] if state in states else 0, "order"),
                view.link("orders", state=state),
            )
            for state in ("breached", "stuck", "at_risk", "on_track")
        ),
    ]
    panel(tiles(shown), key="worth")


def queue(view: View) -> None:
    groups = view.rows("exception_groups", **read(EXCEPTION_GROUPS, {}).parameters, limit=TOP + 2)
    total = groups[0]["total_count"] if groups else 0
    title = head(
        "Exceptions to deal with",
        note=wording.plural(total, "group"),
        more=link("All exceptions", view.link("exceptions")),
    )
    if not groups:
        panel(
            join(
                [
                    title,
                    empty(
                        "No open exceptions.",
                        f"Every operation that failed has since succeeded, as of {view.now_words()}.",
                    ),
                ]
            ),
            key="queue",
        )
        return
    columns = [
        Column("What happened", lambda g: two_lines(g["sentence"], _kind(g)), "clip"),
        Column("Orders", lambda g: wording.count(g["order_count"]), "number"),
        Column("Money held", exception_parts.held, "number"),
        Column("Oldest", lambda g: view.ago(g["oldest_failed_at"]), "fit"),
        Column("Owner", lambda g: g["owner_person"] or filter_bar.team(g["owner_team"])),
    ]
    shown = table(
        columns,
        groups,
        href=lambda g: view.link("exceptions", group=g["group_id"]),
        caption=f"First {len(groups)} of {wording.count(total)}, most money first.",
    )
    panel(join([title, shown]), key="queue")


def promises(view: View) -> None:
    rows = view.rows("breaches")
    title = head(
        "Promises",
        note="breached or at risk now",
        more=join(
            [
                link("Forecast", view.link("forecast")),
                " · ",
                link("Orders", view.link("orders", state=["breached", "at_risk"])),
            ]
        ),
    )
    if not rows:
        panel(
            join(
                [
                    title,
                    empty(
                        "Every promise is kept.",
                        f"No running clock is past or close to its due instant as of {view.now_words()}.",
                    ),
                ]
            ),
            key="promises",
        )
        return
    columns = [
        Column("Promise", lambda p: p["label"]),
        Column("Breached", lambda p: _counted(p["breached_count"], "red"), "number"),
        Column("At risk", lambda p: _counted(p["at_risk_count"], "yellow"), "number"),
        Column(
            "Breached, worth", lambda p: amount(p["breached_amount"], view.reporting_currency, cents=False), "number"
        ),
    ]
    panel(
        join(
            [
                title,
                table(
                    columns,
                    rows,
                    href=lambda p: view.link("orders", promise=p["promise"], state=["breached", "at_risk"]),
                ),
            ]
        ),
        key="promises",
    )


def systems(view: View) -> None:
    rows = view.rows("dependencies")
    troubled = [row for row in rows if row["state"] in ("down", "degraded", "silent")]
    title = head(
        "Systems",
        note=f"{len(rows) - len(troubled)} of {len(rows)} up",
        more=link("Dependencies", view.link("dependencies")),
    )
    if not troubled:
        why = (
            "Each has been heard from lately and few calls fail."
            if rows
            else "No span has come in yet. Point an exporter at this console's OTLP door."
        )
        panel(join([title, empty("No system is down or silent." if rows else "No systems seen.", why)]), key="systems")
        return
    columns = [
        Column("System", lambda s: s["label"]),
        Column("State", lambda s: badge(known(SYSTEM, s["state"])), "fit"),
        Column("Since", lambda s: _since(view, s)),
        Column("Money held", lambda s: amount(s["blocked_amount"], view.reporting_currency, cents=False), "number"),
    ]
    panel(
        join([title, table(columns, troubled, href=lambda s: view.link("exceptions", system=s["system"]))]),
        key="systems",
    )


def arrived(view: View) -> None:
    now = view.rows("arrivals")[0]
    figures = [
        Tile("Orders, last hour", wording.count(now["hour_order_count"]), view.money(now["hour_order_amount"])),
        Tile("Orders, last 24 h", wording.count(now["day_order_count"]), view.money(now["day_order_amount"])),
        Tile(
            "Completed, 24 h",
            wording.count(now["day_completed_count"]),
            view.money(now["day_completed_amount"]),
            view.link("orders", state="completed"),
        ),
        Tile(
            "New exceptions, 24 h",
            wording.count(now["day_exception_count"]),
            "opened, healed ones too",
            view.link("exceptions"),
        ),
    ]
    panel(join([head("Arrived"), tiles(figures)]), key="arrived")


def _kind(group: dict[str, object]) -> Html:
    sign = known(CLASS, str(group["class"]))
    return join([badge(sign), tag("span", f" · {group['operation_label'] or group['operation']}", class_="quiet")])


def _counted(number: int, tone: str) -> Html:
    return tag("span", wording.count(number), class_=tone if number else "quiet")


def _since(view: View, system: dict[str, object]) -> Html:
    if system["state"] == "silent":
        return tag("span", f"no data for {wording.span_of(float(str(system['silent_s'])))}")
    return tag("span", f"{system['failed_count']} of {system['call_count']} calls failed in the last hour")


def beginning(view: View) -> None:
    """What to do where nothing has come in: no figure can be told yet, and nothing is called fine. Gives way to the first span."""
    if _anything(view):
        st.rerun(scope="app")
    url, store = current().settings.url, current().settings.database
    load = f"cashtrail load FILE --database {store}"
    steps = (
        (
            "Send traces",
            ["Point an OpenTelemetry exporter or Collector at ", _code(f"{url}/v1/traces"), " (OTLP/HTTP)."],
        ),
        ("Load a file", ["Stop the console, then ", _code(load), ": OTLP JSON lines, OCEL 2.0, XES, CSV."]),
        ("Look around first", [_code("make demo"), " plays a month of a simulated estate in, and goes on live."]),
    )
    told = [[tag("strong", what), tag("p", how)] for what, how in steps]
    why = tag("p", f"No span has come in as of {view.now_words()}, so there is nothing to be late, stuck or paid.")
    panel(empty("Nothing has been received yet.", [why, *map(join, told)]), key="beginning")


def _anything(view: View) -> bool:
    return view.rows("last_received")[0]["last_received_at"] is not None


def _code(text: str) -> Html:
    return tag("span", text, class_="mono")


view = look()
heading(view, "Today")
if not _anything(view):
    live(beginning)
    st.stop()
live(worth)
with st.container(key="halves"):  # one below the other where there is little room
    left, right = st.columns([3, 2], gap="medium")
with left:
    live(queue)
with right:
    live(promises)
    live(systems)
live(arrived)
