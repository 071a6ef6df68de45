"""KPIs: how fast orders move, how well interfaces run, which promises are kept, what is owed. Every figure leads to its rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from console.components import downloads, filter_bar, kpi_charts, wording
from console.components.blocks import Tile, amount, bar, empty, head, link, tiles, two_lines
from console.components.markup import join
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import CLASS, badge, known
from console.components.table import Column, table
from console.components.view import View, coverage_words, look
from console.filters import KPIS

PARTS = {"flow": "Flow", "interfaces": "Interfaces", "promises": "Promises", "ageing": "Ageing"}
DURATIONS = {
    "order_acceptance": ("Order acceptance", "submitted to accepted"),
    "invoice_latency": ("Invoice latency", "accepted to first invoice"),
    "cycle_time": ("Order cycle time", "first sign to the last final milestone"),
    "cash_conversion": ("Cash conversion", "accepted to fully paid"),
}
SEGMENT_WORDS = {
    "region": "By region",
    "product_line": "By product line",
    "legal_entity": "By legal entity",
    "tier": "By tier",
    "workflow": "By workflow",
}
LINES = (("half within", "p50_s"), ("nine of ten within", "p90_s"))
WEEKS = 12
DAYS = 30
ROWS = 50
ORDERS_FILE = downloads.columns(
    "lead_id=reference customer_name=customer amount currency reporting_amount=amount_in_reporting_currency region "
    "product_line legal_entity from_at until_at duration_s week"
)
DURATIONS_FILE = downloads.columns("kpi week from_at until_at order_count p50_s p90_s p95_s weighted_s amount")
INTERFACES_FILE = downloads.columns(
    "operation system label run_count failed_count success_rate retry_count repeat_count p95_ms before_run_count "
    "before_success_rate before_retry_count before_repeat_count"
)
RUNS_FILE = downloads.columns("ended_at operation system object_type object_id is_error is_repeat retries message")
PROMISES_FILE = downloads.columns(
    "promise segment value period_start met_count met_late_count breached_count running_count attainment p50_s p90_s p95_s"
)
DRIVERS_FILE = downloads.columns(
    "promise segment value decided_count missed_count missed_share before_decided_count before_missed_count "
    "before_missed_share contribution total_change"
)
BACKLOG_FILE = downloads.columns("at_instant order_count amount=amount_in_reporting_currency exception_count")
WEEKS_FILE = downloads.columns("week from_at until_at run_count success_rate repeat_count duplicate_rate retry_count")
RESOLUTIONS_FILE = downloads.columns("class week from_at until_at resolved_count p50_s p90_s p95_s")
AGEING_FILE = downloads.columns(
    "band from_s until_s order_count unbilled_amount=unbilled_in_reporting_currency unpaid_amount=unpaid_in_reporting_currency"
)
UNPAID_FILE = downloads.columns(
    "lead_id=reference customer_name=customer amount currency unpaid_amount=unpaid_in_reporting_currency invoiced_at age_s "
    "due_at state coverage"
)


def flow(view: View, asked: dict[str, Any]) -> None:
    """Durations by week, the backlog by day, and the orders behind the point that was chosen."""
    view.soon("kpi_backlog", **asked, days=DAYS)
    found = view.rows("kpi_durations", **asked, weeks=WEEKS)
    by_kpi = {kpi: [row for row in found if row["kpi"] == kpi] for kpi in DURATIONS}
    shown = []
    for kpi, (label, about) in DURATIONS.items():
        week = {row["week"]: row for row in by_kpi[kpi]}
        now, before = week.get(0), week.get(1)
        here = view.link("kpis", **(_kept() | {"kpi": kpi, "week": "0"}))
        figure = wording.span_of(now["p50_s"]) if now else "—"
        shown.append(Tile(label, figure, _change(now, before, "p50_s") or about, here, chosen=asked_kpi == kpi))
    panel(tiles(shown), key="durations")
    if not found:
        panel(empty("No order went all the way.", f"None completed a stage in the {WEEKS} weeks shown."), key="none")
    else:
        columns = st.columns(2, gap="medium")
        for place, (kpi, (label, about)) in enumerate(DURATIONS.items()):
            with columns[place % 2]:
                panel(head(label, note=f"{about}; by week of its end"), key=f"{kpi}_head")
                kpi_charts.weeks_of(by_kpi[kpi], f"weeks_{kpi}", LINES, kpi, until=view.as_of, weeks=WEEKS)
    panel(head("Backlog and queue depth", note="at 00:00 UTC; a click shows the orders as of then"), key="backlog_head")
    kpi_charts.backlog(view.rows("kpi_backlog", **asked, days=DAYS), view.reporting_currency)
    then = st.query_params.get("at")
    if then:
        words = link(f"Orders as of {then}", view.link("orders").partition("?")[0] + f"?as_of={then}")
        panel(join([words, "  ", link("Exceptions then", f"./exceptions?as_of={then}")]), key="then")
    orders(view, asked)


def orders(view: View, asked: dict[str, Any]) -> None:
    week = st.query_params.get("week", "")
    chosen = {"kpi": asked_kpi, "week": int(week) if week.isdigit() else None, "weeks": WEEKS, "offset": 0}
    found = view.rows("kpi_duration_orders", **asked, **chosen, limit=ROWS)
    label, about = DURATIONS[asked_kpi]
    when = f"in the week that ended {week} weeks ago" if week not in ("", "0") else "in the last seven days"
    title = head(label, note=f"{about}, ended {when if week else f'in {WEEKS} weeks'}")
    if not found:
        panel(join([title, empty("No orders.", "None ended there.")]), key="orders")
        return
    columns = [
        Column("Reference", lambda o: o["lead_id"], "fit"),
        Column("Customer", lambda o: o["customer_name"] or "not given", "line"),
        Column("Amount", lambda o: amount(o["amount"], o["currency"]), "number"),
        Column("Region", lambda o: o["region"] or "not given", "fit", wide=True),
        Column("From", lambda o: view.at(o["from_at"]), "fit"),
        Column("Until", lambda o: view.at(o["until_at"]), "fit"),
        Column("Took", lambda o: wording.span_of(o["duration_s"]), "number"),
    ]
    caption = f"Longest first, {len(found)} of {wording.count(found[0]['total_count'])}."
    shown = table(columns, found, href=view.order, caption=caption)
    panel(join([title, shown]), key="orders")
    downloads.offer("orders", view, "kpi_duration_orders", {**asked, **chosen}, ORDERS_FILE)


def interfaces(view: View) -> None:
    """Success, duplicates and retries of all interfaces by week, then each interface, then the runs behind the chosen one."""
    weeks = view.rows("kpi_interface_weeks", weeks=WEEKS)
    if not weeks:
        panel(empty("No interface ran.", f"No declared operation was seen in {WEEKS} weeks."), key="none")
        return
    week = {row["week"]: row for row in weeks}
    now, before = week.get(0), week.get(1)
    shown = [
        Tile("Runs", wording.count(now["run_count"] if now else 0), _counted(now, before, "run_count")),
        Tile("Success rate", wording.share(now["success_rate"] if now else None), _points(now, before, "success_rate")),
        Tile("Duplicate rate", wording.share(now["duplicate_rate"] if now else None), _points(now, before, "duplicate_rate")),
        Tile("Retries", wording.count(now["retry_count"] if now else 0), _counted(now, before, "retry_count")),
    ]  # fmt: skip
    panel(tiles(shown), key="interface_tiles")
    left, right = st.columns(2, gap="medium")
    with left:
        panel(head("Success rate", note="all interfaces, by week"), key="success_head")
        kpi_charts.shares_of(weeks, "success", "success_rate", "succeeded", until=view.as_of, weeks=WEEKS)
    with right:
        panel(head("Exception resolution time", note="from opening to success or a deed"), key="resolution_head")
        resolutions(view)
    operation, system = st.query_params.get("operation"), st.query_params.get("system")
    columns = [
        Column("Interface", lambda i: two_lines(i["label"], i["operation"])),
        Column("System", lambda i: labels.get(i["system"] or "", i["system"] or "not given"), "fit"),
        Column("Runs", lambda i: wording.count(i["run_count"]), "number"),
        Column("Success", lambda i: bar(i["success_rate"], tone="blue"), "number"),
        Column("Week before", lambda i: wording.share(i["before_success_rate"]), "number"),
        Column("Failed", lambda i: wording.count(i["failed_count"]), "number"),
        Column("Retries", lambda i: f"{wording.count(i['retry_count'])} ({_signed(i['retry_count'] - i['before_retry_count'])})", "number"),
        Column("Repeated", lambda i: wording.count(i["repeat_count"]), "number"),
        Column("p95", lambda i: wording.latency(i["p95_ms"]), "number"),
    ]  # fmt: skip
    labels = filter_bar.system_labels()
    found = view.rows("kpi_interfaces")
    shown_table = table(
        columns,
        found,
        href=lambda i: view.link("kpis", part="interfaces", operation=i["operation"], system=i["system"]),
        chosen=lambda i: i["operation"] == operation and i["system"] == system,
        caption="Lowest success rate first. Last seven days; in brackets the change from the seven before. "
        "Repeated: succeeded again on the same object.",
    )
    panel(join([head("By interface", note="a click shows the runs"), shown_table]), key="interfaces")
    runs(view, {"operation": operation, "system": system, "offset": 0})


def runs(view: View, asked: dict[str, Any]) -> None:
    found = view.rows("kpi_interface_runs", **asked, limit=ROWS)
    title = head(
        "Runs that failed, were retried or succeeded again", note=asked["operation"] or "all interfaces, seven days"
    )
    if not found:
        panel(join([title, empty("None.", "Every run of the last seven days succeeded at once.")]), key="runs")
        return

    def what(run: dict[str, Any]) -> str:
        said = [("failed", run["is_error"]), ("succeeded again", run["is_repeat"])]
        tried = [wording.plural(run["retries"], "retry", "retries")] if run["retries"] else []
        return ", ".join([*(word for word, holds in said if holds), *tried])

    columns = [
        Column("Object", lambda r: r["object_id"] or "not tied", "fit"),
        Column("Interface", lambda r: r["label"], "fit"),
        Column("Ended", lambda r: view.at(r["ended_at"]), "fit"),
        Column("What", what, "fit"),
        Column("Said", lambda r: r["message"] or "", "clip"),
    ]
    caption = f"Latest first, {len(found)} of {wording.count(found[0]['total_count'])}."
    shown = table(
        columns,
        found,
        href=lambda r: view.order(r, "object") if r["object_id"] else None,
        caption=caption,
    )
    panel(join([title, shown]), key="runs")
    downloads.offer("runs", view, "kpi_interface_runs", asked, RUNS_FILE)


def resolutions(view: View) -> None:
    latest = {row["class"]: row for row in view.rows("kpi_resolutions", weeks=2) if row["week"] == 0}
    if not latest:
        panel(empty("Nothing was resolved.", "No exception ended in the last seven days."), key="resolutions")
        return
    columns = [
        Column("Class", lambda c: badge(known(CLASS, c["class"]))),
        Column("Resolved", lambda c: wording.count(c["resolved_count"]), "number"),
        Column("Half within", lambda c: wording.span_of(c["p50_s"]), "number"),
        Column("Nine of ten", lambda c: wording.span_of(c["p90_s"]), "number"),
        Column("19 of 20", lambda c: wording.span_of(c["p95_s"]), "number"),
    ]
    shown = table(
        columns,
        list(latest.values()),
        href=lambda c: view.link("exceptions", **{"class": c["class"]}),
        caption="Resolved in the last seven days.",
    )
    panel(shown, key="resolutions")


def promises(view: View, segment: str, period: str) -> None:
    """Attainment and percentiles per promise, segment and period; what changed since last week and which value drives it."""
    drivers = view.rows("promise_drivers", segment=segment if segment != "all" else "region")
    moved = [row for row in drivers if abs(row["contribution"]) >= 0.0005][:10]
    columns = [
        Column("Promise", lambda d: d["label"]),
        Column("Value", lambda d: d["value"], "fit"),
        Column("Missed", lambda d: _of(d["missed_count"], d["decided_count"]), "number"),
        Column("Week before", lambda d: _of(d["before_missed_count"], d["before_decided_count"]), "number"),
        Column("Drives", lambda d: _drives(d["contribution"]), "number"),
        Column("Of a change of", lambda d: _drives(d["total_change"]), "number"),
    ]  # fmt: skip
    title = head("What changed since last week, and who drives it", note="points of the share of clocks not kept")
    body = (
        table(
            columns,
            moved,
            href=lambda d: view.link(
                "orders", promise=d["promise"], state="breached", **_value(d["segment"], d["value"])
            ),
            caption="Largest contribution first. Contributions of one promise add up to its change.",
        )
        if moved
        else empty("Nothing changed.", "As many clocks were missed in the last seven days as in the seven before.")
    )
    panel(join([title, body]), key="drivers")
    asked = {"segment": segment, "period": period, "days": DAYS}
    found = view.rows("promises", **asked)
    if not found:
        panel(empty("No clock ran.", f"No promise began in the last {DAYS} days."), key="promises")
        return
    columns = [
        Column("Promise", lambda p: p["label"]),
        Column("Value", lambda p: "all" if p["value"] == "all" else p["value"], "fit"),
        Column("Period", lambda p: wording.day(p["period_start"]) if p["period_start"] else f"{DAYS} days", "fit"),
        Column("Kept", lambda p: bar(p["attainment"], tone="green"), "number"),
        Column("In time", lambda p: wording.count(p["met_count"]), "number"),
        Column("Late", lambda p: wording.count(p["met_late_count"]), "number"),
        Column("Breached", lambda p: wording.count(p["breached_count"]), "number"),
        Column("Running", lambda p: wording.count(p["running_count"]), "number", wide=True),
        Column("Half within", lambda p: wording.span_of(p["p50_s"]), "number"),
        Column("Nine of ten", lambda p: wording.span_of(p["p90_s"]), "number"),
        Column("19 of 20", lambda p: wording.span_of(p["p95_s"]), "number"),
    ]
    shown = table(
        columns,
        found[:200],
        href=lambda p: view.link("orders", promise=p["promise"], state="breached", **_value(segment, p["value"])),
        caption=f"In the catalogue's order, {min(len(found), 200)} of {wording.count(len(found))}. "
        f"Clocks begun in {DAYS} days; times by the clock on the wall.",
    )  # fmt: skip
    panel(join([head("Attainment", note="a click shows what is breached"), shown]), key="promises")


def ageing(view: View, asked: dict[str, Any]) -> None:
    """What is accepted and not billed, billed and not paid, by age and amount, and the orders behind a band."""
    unbilled, unpaid = view.rows("unbilled_ageing", **asked), view.rows("unpaid_ageing", **asked)
    left, right = st.columns(2, gap="medium")
    with left:
        total = sum(row["unbilled_amount"] for row in unbilled)
        more = link("Its orders", view.link("invoice-latency", **{k: v for k, v in asked.items() if v}))
        panel(head("Accepted, not billed", note=view.money(total), more=more), key="unbilled_head")
        kpi_charts.ageing(unbilled, "unbilled", "unbilled_amount", view.reporting_currency)
    with right:
        total = sum(row["unpaid_amount"] for row in unpaid)
        panel(head("Billed, not paid", note=view.money(total)), key="unpaid_head")
        kpi_charts.ageing(unpaid, "unpaid", "unpaid_amount", view.reporting_currency)
    kind, _, place = st.query_params.get("band", "").partition("-")
    chosen = unpaid[int(place)] if kind == "unpaid" and place.isdigit() and int(place) < len(unpaid) else None
    limits = {"from_s": chosen["from_s"] if chosen else None, "until_s": chosen["until_s"] if chosen else None}
    found = view.rows("unpaid", **asked, **limits, limit=ROWS)
    title = head("Billed, not paid", note=kpi_charts.band(chosen) if chosen else "any age")
    if not found:
        panel(join([title, empty("Nothing is unpaid.", "Every invoice there is paid in full.")]), key="unpaid_orders")
        return
    columns = [
        Column("Reference", lambda o: o["lead_id"], "fit"),
        Column("Customer", lambda o: o["customer_name"] or "not given", "line"),
        Column("Unpaid", lambda o: amount(o["unpaid_amount"], view.reporting_currency), "number"),
        Column("Order", lambda o: amount(o["amount"], o["currency"]), "number"),
        Column("Invoiced", lambda o: view.at(o["invoiced_at"]), "fit"),
        Column("Age", lambda o: wording.span_of(o["age_s"]), "number"),
        Column("Payment due", lambda o: view.due(o["due_at"]), "fit"),
    ]
    caption = (
        f"Largest unpaid amount first, {len(found)} of {wording.count(found[0]['total_count'])}." + coverage_words(view)
    )
    shown = table(columns, found, href=view.order, caption=caption)
    panel(join([title, shown]), key="unpaid_orders")
    downloads.offer("unpaid", view, "unpaid", {**asked, **limits}, UNPAID_FILE)


def files(view: View, part: str, asked: dict[str, Any]) -> list[downloads.File]:
    """What the charts and tables of a part show, but for the lists of orders and runs, whose files stand below them."""
    file = partial(downloads.asked, view=view)
    match part:
        case "flow":
            return [
                file(
                    "durations",
                    "Durations by week",
                    question="kpi_durations",
                    parameters={**asked, "weeks": WEEKS},
                    columns=DURATIONS_FILE,
                ),
                file(
                    "backlog",
                    "Backlog by day",
                    question="kpi_backlog",
                    parameters={**asked, "days": DAYS},
                    columns=BACKLOG_FILE,
                ),
            ]
        case "interfaces":
            weeks = {"weeks": WEEKS}
            return [
                file("interfaces", "By interface", question="kpi_interfaces", parameters={}, columns=INTERFACES_FILE),
                file(
                    "interface-weeks",
                    "All interfaces by week",
                    question="kpi_interface_weeks",
                    parameters=weeks,
                    columns=WEEKS_FILE,
                ),
                file(
                    "resolutions",
                    "Exception resolution by class and week",
                    question="kpi_resolutions",
                    parameters=weeks,
                    columns=RESOLUTIONS_FILE,
                ),
            ]
        case "promises":
            segment = ask.parameters["segment"]
            by = {"segment": segment, "period": ask.parameters["period"], "days": DAYS}
            driven = {"segment": segment if segment != "all" else "region"}
            return [
                file("promises", "Attainment", question="promises", parameters=by, columns=PROMISES_FILE),
                file(
                    "drivers",
                    "What changed, and who drives it",
                    question="promise_drivers",
                    parameters=driven,
                    columns=DRIVERS_FILE,
                ),
            ]
        case _:
            return [
                file(f"{kind}-ageing", label, question=f"{kind}_ageing", parameters=asked, columns=AGEING_FILE)
                for kind, label in (
                    ("unbilled", "Accepted, not billed, by age"),
                    ("unpaid", "Billed, not paid, by age"),
                )
            ]


def _change(now: dict[str, Any] | None, before: dict[str, Any] | None, column: str) -> str:
    if now is None:
        return "none in seven days"
    if before is None or before[column] is None or now[column] is None:
        return f"{wording.plural(now['order_count'], 'order')}; none the week before"
    more = now[column] - before[column]
    if abs(more) < 1:
        return "as in the week before"
    return f"{wording.span_of(more)} {'more' if more > 0 else 'less'} than the week before"


def _counted(now: dict[str, Any] | None, before: dict[str, Any] | None, column: str) -> str:
    return f"{_signed((now or {}).get(column, 0) - (before or {}).get(column, 0))} on the week before"


def _points(now: dict[str, Any] | None, before: dict[str, Any] | None, column: str) -> str:
    if not now or not before or now[column] is None or before[column] is None:
        return "nothing to compare with the week before"
    return f"{_drives(now[column] - before[column])} on the week before"


def _of(part: int, whole: int) -> str:
    return f"{wording.count(part)} of {wording.count(whole)}"


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "no change"


def _drives(points: float) -> str:
    return f"{points * 100:+.1f} points"


def _value(segment: str, value: str) -> dict[str, str]:
    return {segment: value} if segment in ("region", "product_line", "legal_entity") and value != "not given" else {}


def _kept() -> dict[str, str]:
    return {name: value for name, value in st.query_params.to_dict().items() if name != "as_of"}


view = look()
ask = filter_bar.asked(KPIS)
asked_kpi = st.query_params.get("kpi", "cycle_time")
asked_kpi = asked_kpi if asked_kpi in DURATIONS else "cycle_time"
asked = {name: ask.parameters[name] for name in ("region", "product_line", "legal_entity")}
offers = heading(view, "KPIs")
with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
    part = filter_bar.part("part", "Part", PARTS)
    if part in ("flow", "ageing"):
        values = filter_bar.segments(view)
        for name, label in (("region", "Region"), ("product_line", "Product line"), ("legal_entity", "Legal entity")):
            filter_bar.choice(name, label, values.get(name, {}), ask, width=140)
    if part == "promises":
        filter_bar.choice("segment", "All orders", SEGMENT_WORDS, ask, width=170)
        filter_bar.choice(
            "period", "30 days", {"day": "By day", "week": "By week", "month": "By month"}, ask, width=130
        )
    filter_bar.clear(ask, KPIS)
filter_bar.problems(ask)
with offers:
    downloads.menu(*files(view, part, asked))
match part:
    case "flow":
        flow(view, asked)
    case "interfaces":
        interfaces(view)
    case "promises":
        promises(view, ask.parameters["segment"], ask.parameters["period"])
    case _:
        ageing(view, asked)
