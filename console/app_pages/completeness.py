"""Completeness: what should be at each step of the path and what is, day by day; every difference has its reason and its orders."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from console import completeness, periods
from console.components import downloads, filter_bar, wording
from console.components.blocks import Tile, amount, empty, head, link, tiles, two_lines
from console.components.markup import Child, Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.table import Column, table
from console.components.view import View, coverage_words, look, wire
from console.filters import COMPLETENESS, PAGE_ROWS, Asked

REASONS: dict[str, tuple[str, str, str]] = {
    "in_transit": ("In transit", "gray", "within its promise, or without one and not yet standing still"),
    "exception": ("Exception", "orange", "an open exception stands in the way"),
    "in_part": (
        "In part",
        "orange",
        "a part was seen, or it was taken back (returned, reversed), and nothing promises the rest",
    ),
    "not_seen": ("Not seen", "red", "past its promise, or standing still, and nothing was seen of it"),
    "passed_over": (
        "Passed over",
        "yellow",
        "never seen, though a later step of the order's path was: skipped on the Process map",
    ),
    "lessened": ("Credited", "gray", "complete with less: a credit note, or rounding"),
    "more": ("More", "yellow", "covers more than the step before"),
}
UNEXPLAINED = ("exception", "in_part", "not_seen", "passed_over")  # by time alone
ROWS_BY = {"day": "By day", "week": "By week", "month": "By month"}
GROUPS = 40
FILE = downloads.columns(
    "day legal_entity currency order_count order_amount milestone count amount due_count due_amount in_transit_count "
    "in_transit_amount exception_count exception_amount in_part_count in_part_amount not_seen_count not_seen_amount passed_over_count "
    "passed_over_amount lessened_count lessened_amount more_count more_amount"
)
OBJECTS_FILE = downloads.columns(
    "lead_type=type lead_id=reference customer_name=customer day legal_entity currency order_amount milestone due_amount "
    "amount difference reporting_difference=difference_in_reporting_currency explanation due_at exception_id sentence "
    "owner_team system"
)


def figures(view: View, steps: list[dict[str, Any]]) -> None:
    """What is started, and of the differences at all steps how much has which reason."""

    def of(reason: str) -> tuple[int, Any]:
        return sum(s[f"{reason}_count"] for s in steps), sum(s[f"{reason}_amount"] for s in steps)

    first, last = steps[0], steps[-1]
    shown = [
        Tile("Started", wording.count(first["due_count"]), view.money(first["due_amount"])),
        Tile(last["label"], wording.count(last["count"]), view.money(last["amount"])),
    ]
    for reason in ("in_transit", "exception", "in_part", "not_seen", "passed_over"):
        number, money = of(reason)
        word, tone, _ = REASONS[reason]
        here = view.link("completeness", **(_kept() | {"explanation": reason}))
        chosen = st.query_params.get("explanation") == reason
        shade: Any = tone if number and tone != "gray" else None
        shown.append(Tile(word, wording.count(number), view.money(money), here, chosen=chosen, tone=shade))
    panel(tiles(shown), key="figures")


def flow(view: View, steps: list[dict[str, Any]]) -> None:
    """One row a step: what should be there by the step before, what is, and what explains the rest."""

    def cell(reason: str, row: dict[str, Any]) -> Child:
        if not row[f"{reason}_count"]:
            return tag("span", "—", class_="quiet")
        here = view.link("completeness", **(_kept() | {"milestone": row["milestone"], "explanation": reason}))
        return two_lines(
            link(wording.count(row[f"{reason}_count"]), here), wording.money(row[f"{reason}_amount"], None, cents=False)
        )

    columns = [
        Column("Step", lambda s: two_lines(s["label"], filter_bar.team(s["owner_team"]))),
        Column("Expected", lambda s: two_lines(wording.count(s["due_count"]), wording.money(s["due_amount"], None, cents=False)), "number"),
        Column("There", lambda s: two_lines(wording.count(s["count"]), wording.money(s["amount"], None, cents=False)), "number"),
        Column("Difference", lambda s: amount(s["due_amount"] - s["amount"], None, cents=False), "number"),
        *(Column(word, partial(cell, reason), "number") for reason, (word, _, _) in REASONS.items()),
    ]  # fmt: skip
    caption = (
        f"In path order, amounts in {view.reporting_currency}. Expected is what the step before has; the reasons add up to the difference. "
        + " ".join(f"{word}: {about}." for word, _, about in REASONS.values())
        + coverage_words(view)
    )
    panel(
        join([head("From step to step", note="a click on a count shows its orders"), table(columns, steps, caption=caption)]),
        key="flow",
    )  # fmt: skip


def matrix(view: View, rows: list[dict[str, Any]], period: str) -> None:
    """One row a period, entity and currency; a step that is short says by how much."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    labels: dict[str, str] = {}
    for row in rows:
        key = (row["day"], row["legal_entity"], row["currency"])
        group = groups.setdefault(
            key, {**{n: row[n] for n in ("day", "legal_entity", "currency", "order_count", "order_amount")}, "at": {}}
        )
        group["at"][row["milestone"]] = row
    for name, label in filter_bar.milestones().items():
        if any(name in group["at"] for group in groups.values()):
            labels[name] = label

    def cell(milestone: str, group: dict[str, Any]) -> Child:
        at = group["at"].get(milestone)
        if at is None:
            return tag("span", "—", class_="quiet")
        bad = sum(at[f"{reason}_count"] for reason in UNEXPLAINED)
        told = [f"{at[f'{r}_count']} {REASONS[r][0].lower()}" for r in UNEXPLAINED if at[f"{r}_count"]]
        figure = tag("span", wording.money(at["amount"], None, cents=False), class_="orange" if bad else None)
        return tag("span", two_lines(figure, f"{at['count']} of {at['due_count']}"), title=", ".join(told) or None)

    shown = list(groups.values())
    first = "Day, entity" if period == "day" else f"{period.capitalize()} from, entity"
    columns = [
        Column(first, lambda g: two_lines(wording.day(g["day"]), g["legal_entity"]), "fit"),
        Column("Orders", lambda g: two_lines(amount(g["order_amount"], g["currency"], cents=False), g["order_count"]), "number"),
        *(Column(label, partial(cell, name), "number") for name, label in labels.items()),
    ]  # fmt: skip
    caption = (
        f"Latest first, then entity and currency; {min(len(shown), GROUPS)} of {wording.count(len(shown))}. Amounts in the order's own "
        "currency, below them how many of those expected. Days in UTC, of the order's first sign. Coloured: not explained by time alone."
    )
    panel(
        join(
            [
                head(ROWS_BY[period], note="per legal entity and currency"),
                table(columns, shown[:GROUPS], caption=caption),
            ]
        ),
        key="matrix",
    )


def objects(view: View, asked: dict[str, Any], ask: Asked) -> None:
    """The differences order by order, of the chosen step and reason."""
    found = view.rows("completeness_objects", **asked)
    step = filter_bar.milestones().get(asked["milestone"] or "", "any step")
    reason = REASONS[asked["explanation"]][0].lower() if asked["explanation"] else "any reason"
    total = found[0]["total_count"] if found else 0
    note = f"{wording.plural(total, 'difference')}, {view.money(found[0]['total_difference'] if found else 0)}, at {step}, {reason}"
    chosen = asked["milestone"] or asked["explanation"]
    all_of_them = link("Show all", view.link("completeness", **_kept("milestone", "explanation"))) if chosen else None
    title = head("Order by order", note=note, more=all_of_them)
    if not found:
        panel(
            join([title, empty("No difference.", "Whatever should be there is there, with these filters.")]),
            key="objects",
        )
        return
    columns = [
        Column("Reference", lambda o: o["lead_id"], "fit"),
        Column("Customer", lambda o: o["customer_name"] or "not given", "line", wide=True),
        Column("Day", lambda o: wording.day(o["day"], year=False), "fit"),
        Column("Entity", lambda o: o["legal_entity"], "fit", wide=True),
        Column("Missing at", lambda o: o["label"], "fit"),
        Column("Expected", lambda o: amount(o["due_amount"], o["currency"]), "number"),
        Column("There", lambda o: amount(o["amount"], None), "number"),
        Column("Difference", lambda o: amount(o["difference"], o["currency"]), "number"),
        Column("Why", lambda o: _why(view, o), "clip"),
    ]
    pages = filter_bar.pager(view, "completeness", ask, len(found), total)
    shown = table(
        columns,
        found,
        href=view.order,
        caption=f"Largest difference in {view.reporting_currency} first.",
    )
    panel(join([title, shown, pages]), key="objects")


def _why(view: View, row: dict[str, Any]) -> Html:
    word, tone, about = REASONS[row["explanation"]]
    sign = tag("span", word, class_=f"sign {tone}", title=about)
    if row["explanation"] == "exception":
        return two_lines(
            sign, link(row["sentence"] or "open exception", view.link("exceptions", group=row["group_id"]))
        )
    if row["due_at"] is not None:
        return two_lines(sign, view.due(row["due_at"]))
    owner = filter_bar.team(row["owner_team"])
    return two_lines(
        sign, f"no promise covers it; {owner}" if row["explanation"] in ("in_transit", "not_seen") else about
    )


def _kept(*without: str) -> dict[str, str]:
    left_out = {"as_of", "page", *without}
    return {name: value for name, value in st.query_params.to_dict().items() if name not in left_out}


def _month_end(view: View, until: date) -> Html | None:
    """A link to the same page as of the month's end, where that has passed and is not what is shown."""
    end = datetime.combine(until + timedelta(days=1), time(), ZoneInfo("UTC"))
    if end > view.as_of:
        return None
    here = view.link("completeness", **_kept()).partition("as_of=")[0].rstrip("?&")
    return link("As of the month's end", f"{here}{'&' if '?' in here else '?'}as_of={wire(end)}")


view = look()
ask = filter_bar.asked(COMPLETENESS)
from_day, until_day = periods.days_of(ask.parameters["over"], view.as_of)
asked = {k: v for k, v in ask.parameters.items() if k not in ("over", "period")} | {
    "from_day": from_day,
    "until_day": until_day,
}
by_period = {k: v for k, v in asked.items() if k in ("from_day", "until_day", "legal_entity", "currency")}
by_period["period"] = ask.parameters["period"]
listed = asked | {"limit": PAGE_ROWS}
view.soon("completeness", **by_period)
view.soon("completeness_objects", **listed)
with heading(view, "Completeness"):
    downloads.menu(
        downloads.asked("completeness", "Totals by period, entity and currency", view, "completeness", by_period, FILE),
        downloads.asked(
            "differences", "Differences, order by order", view, "completeness_objects", asked, OBJECTS_FILE
        ),
    )
values = filter_bar.segments(view)
currencies = {row["currency"]: row["currency"] for row in view.rows("order_currencies")}
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    filter_bar.choice("over", "Last 30 days", periods.LAST_DAYS | periods.months(view.as_of), ask, width=170)
    filter_bar.choice("period", "By day", ROWS_BY, ask, width=130)
    filter_bar.choice("legal_entity", "Legal entity", values.get("legal_entity", {}), ask, width=150)
    filter_bar.choice("currency", "Currency", currencies, ask, width=130)
    filter_bar.choice("milestone", "Step", filter_bar.milestones(), ask, width=180)
    filter_bar.choice("explanation", "Reason", {name: word for name, (word, _, _) in REASONS.items()}, ask, width=150)
    filter_bar.clear(ask, COMPLETENESS)
filter_bar.problems(ask)
by_group = view.rows("completeness", **by_period)
steps = completeness.steps(by_group, filter_bar.milestones())
span = f"{wording.day(from_day)} to {wording.day(until_day)} (UTC)"
if not steps:
    panel(empty("No orders in this time.", f"None with these filters had its first sign from {span}."), key="none")
    st.stop()
month_end = _month_end(view, until_day) if not ask.parameters["over"].isdigit() else None
panel(join([tag("span", f"Orders with their first sign from {span}. ", class_="quiet"), month_end]), key="span")
figures(view, steps)
flow(view, steps)
objects(view, listed, ask)
matrix(view, by_group, ask.parameters["period"])
