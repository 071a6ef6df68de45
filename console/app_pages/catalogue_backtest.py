"""Catalogue backtest: what a changed catalogue would do to the orders and alerts of this installation, before it is published."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import streamlit as st

from console.catalogue_trials import Run, trials_of
from console.components import downloads, filter_bar, wording
from console.components.blocks import Tile, amount, empty, head, notice, tiles, two_lines
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import CLASS, TIMELINE, badge, category, known
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import PAGE_ROWS, Filter, one_of, page
from console.resources import current
from trace_model.catalogue import loader
from trace_model.errors import CashtrailError, CatalogueError
from trace_model.store.trial import Trial

ABOUT = (
    "Nothing here is published and no live row is touched: the kept spans are derived once more, aside, and compared."
)
DAYS = {"7": "Alerts of 7 days", "30": "Alerts of 30 days", "90": "Alerts of 90 days"}
PARTS = {"orders": "Orders", "exceptions": "Exceptions", "alerts": "Alerts"}
ORDER_CHANGES = {
    "appears": "New timeline",
    "goes": "No timeline any more",
    "state": "State",
    "clocks": "Promise judged otherwise",
    "exceptions": "Exception",
    "instants": "Due at another time",
}
EXCEPTION_CHANGES = {
    "appears": "New", "goes": "Gone", "state": "State", "class": "Class", "owner": "Owner", "group": "Group",
}  # fmt: skip
ALERT_CHANGES = {
    "raised": "Would be raised", "not_raised": "Would not be raised", "moved": "At another time", "told_to_others": "Told to others",
}  # fmt: skip
FILTERS = (
    Filter("change", "change", "Change", one_of(*ORDER_CHANGES, *EXCEPTION_CHANGES, *ALERT_CHANGES)),
    Filter("page", "offset", "Page", page, 0),
)
NAMES = {
    "orders": "order_changes", "exceptions": "exception_changes", "alerts": "alert_changes", "clocks": "clock_changes",
}  # fmt: skip


def ask(view: View) -> None:
    """The catalogue to try, as a file or as text, and a button that starts the trial."""
    left, right = st.columns([3, 1], gap="medium")
    with left:
        published = loader.text_of(current().settings.catalogue)[1]
        text = st.text_area("The published catalogue, to change here", published, key="catalogue_text", height=560)
    with right:
        file = st.file_uploader(
            "Or a catalogue file, which then counts", type=["yaml", "yml"], key="catalogue_file", max_upload_size=2
        )
        st.session_state.setdefault("trial_days", "30")
        st.selectbox("How many days of alerts", list(DAYS), key="trial_days", format_func=DAYS.__getitem__)
        begin = st.button("Compare with history", type="primary", icon=":material/play_arrow:")
    if not begin:
        return
    try:
        given = file.getvalue().decode("utf-8") if file else text
    except UnicodeDecodeError as fault:
        panel(
            notice("red", "alert", f"{file.name if file else 'The file'}, byte {fault.start}: not UTF-8 text."),
            key="not_text",
        )
        return
    try:
        run = trials_of(current().store).start(
            view.who, given, days=int(st.session_state["trial_days"]), as_of=view.as_of
        )
    except CatalogueError as fault:
        problems(fault, given)
        return
    except CashtrailError as fault:
        panel(notice("red", "alert", str(fault)), key="refused")
        return
    st.query_params["trial"] = run.trial_id
    st.rerun()


def problems(fault: CatalogueError, text: str) -> None:
    """Every problem with its line as it stands in the text."""
    lines = text.splitlines()
    rows = []
    for told in fault.problems:
        _, _, rest = told.partition(", line ")
        number, _, what = rest.partition(": ")
        place = int(number) if number.isdigit() else None
        written = lines[place - 1].strip() if place and place <= len(lines) else ""
        rows.append({"line": place, "what": what or told, "text": written})
    columns = [
        Column("Line", lambda p: str(p["line"] or ""), "number"),
        Column("Problem", lambda p: p["what"]),
        Column("As written", lambda p: tag("span", p["text"], class_="mono"), "clip"),
    ]
    title = head("Nothing was compared", note=wording.plural(len(rows), "problem"))
    panel(join([title, table(columns, rows, caption="In the order of the checks.")]), key="problems")


@st.fragment(run_every=1.0)
def progress(trial_id: str) -> None:
    run = trials_of(current().store).run(trial_id)
    if run.state != "running":
        st.rerun()
    st.progress(min(run.share, 1.0), text=f"Deriving aside: {run.step}")


def summary(view: View, run: Run, trial: Trial) -> None:
    states = trial.state_moves.to_pylist()
    moved = [row for row in states if row["before_state"] != row["after_state"]]
    totals = trial.alert_totals.to_pylist()
    before, after = (sum(row[side] for row in totals) for side in ("before_count", "after_count"))
    told = [row for row in totals if row["channels"] != "nobody"]
    said = " to ".join(wording.count(sum(row[side] for row in told)) for side in ("before_count", "after_count"))
    shown = [
        Tile(
            "Orders in another state",
            wording.count(sum(row["order_count"] for row in moved)),
            view.money(sum(row["reporting_amount"] for row in moved)) if moved else "no order moves",
        ),
        Tile("Orders that differ at all", wording.count(trial.order_changes.num_rows), f"of {wording.count(_all(states))}"),
        Tile("Clocks that differ", wording.count(trial.clock_changes.num_rows), "started, judged or due otherwise"),
        Tile("Exceptions that differ", wording.count(trial.exception_changes.num_rows), "class, owner, group or state"),
        Tile(f"Alerts in {run.days} days", f"{wording.count(before)} → {wording.count(after)}", f"that tell someone: {said}"),
    ]  # fmt: skip
    panel(join([tiles(shown), tag("div", told_of(view, run, trial), class_="quiet small")]), key="summary")
    columns = [
        Column("Published", lambda r: _state(r["before_state"])),
        Column("New", lambda r: _state(r["after_state"])),
        Column("Orders", lambda r: wording.count(r["order_count"]), "number"),
        Column("Amount", lambda r: amount(r["reporting_amount"], view.reporting_currency, cents=False), "number"),
    ]
    left, right = st.columns(2, gap="medium")
    with left:
        body = (
            table(columns, moved, caption="Most orders first; those that stay are left out.")
            if moved
            else empty("No order changes its state.", f"All {wording.count(_all(states))} stay where they are.")
        )
        panel(join([head("Orders that change state"), body]), key="states")
    with right:
        panel(
            join([head("Alerts", note=f"begun in {run.days} days before the instant"), _alerts(totals)]), key="totals"
        )


def told_of(view: View, run: Run, trial: Trial) -> str:
    """What was compared with what, at which instant, and what it took."""
    old, new = trial.published, trial.proposed
    return (
        f"Published {old.catalogue} v{old.version} ({old.fingerprint}) against {new.catalogue} v{new.version} "
        f"({new.fingerprint}), as of {wording.exact(run.as_of, view.zone)}. "
        f"{wording.plural(trial.spans, 'span')} derived aside in {wording.span_of(trial.seconds)}, asked by {run.started_by}."
    )


def _alerts(totals: list[dict[str, Any]]) -> Html:
    if not totals:
        return empty("No alert, before or after.", "Nothing deserved one in these days by either catalogue.")
    columns = [
        Column("Kind", lambda r: _words(r["kind"]), "fit"),
        Column("Told", lambda r: _told(r["channels"])),
        Column("Published", lambda r: wording.count(r["before_count"]), "number"),
        Column("New", lambda r: wording.count(r["after_count"]), "number"),
        Column("Things", lambda r: f"{wording.count(r['before_things'])} → {wording.count(r['after_things'])}", "number"),
    ]  # fmt: skip
    return table(columns, totals, caption="Things of one cause at one time are one alert.")


def orders(view: View, rows: list[dict[str, Any]]) -> Html:
    columns = [
        Column("Reference", lambda r: r["lead_id"], "fit"),
        Column("Customer", lambda r: r["customer_name"] or "not given", "line", wide=True),
        Column("Amount", lambda r: amount(r["amount"], r["currency"]), "number"),
        Column("Change", lambda r: ORDER_CHANGES[r["change"]], "fit"),
        Column("Published", lambda r: _state(r["before_state"]), "fit"),
        Column("New", lambda r: _state(r["after_state"]), "fit"),
        Column("What differs", lambda r: two_lines(r["clocks"] or "", r["exceptions"] or ""), "clip"),
    ]
    caption = "States first, then promises judged otherwise, exceptions, and other due times; most money first."
    return table(columns, rows, href=view.order, caption=caption)


def exceptions(view: View, rows: list[dict[str, Any]]) -> Html:
    def judged(row: dict[str, Any], side: str) -> Html | str:
        if row[f"{side}_state"] is None:
            return "—"
        said = f"{category(row[f'{side}_category'])}, {filter_bar.team(row[f'{side}_owner_team'])}"
        return two_lines(badge(known(CLASS, row[f"{side}_class"])), f"{said}, {row[f'{side}_state']}")

    columns = [
        Column("Object", lambda r: r["object_id"], "fit"),
        Column("Operation", lambda r: r["operation"], "fit"),
        Column("Change", lambda r: EXCEPTION_CHANGES[r["change"]], "fit"),
        Column("Published", lambda r: judged(r, "before")),
        Column("New", lambda r: judged(r, "after")),
        Column("Blocked", lambda r: amount(r["reporting_amount"], view.reporting_currency, cents=False), "number"),
        Column("Said", lambda r: r["sentence"] or "", "clip", wide=True),
    ]
    caption = "Most blocked money first."
    return table(columns, rows, href=lambda r: view.order(r, "object"), caption=caption)


def alerts(view: View, rows: list[dict[str, Any]]) -> Html:
    def told(row: dict[str, Any], side: str) -> Html | str:
        if row[f"{side}_at"] is None:
            return "—"
        return two_lines(
            view.at(row[f"{side}_at"]),
            f"{filter_bar.team(row[f'{side}_owner_team'])}: {_told(row[f'{side}_channels'])}",
        )

    columns = [
        Column("About", lambda r: r["object_id"] or "", "fit"),
        Column("Kind", lambda r: _words(r["kind"]), "fit"),
        Column("What", lambda r: r["title"] or "", "clip"),
        Column("Change", lambda r: ALERT_CHANGES[r["change"]], "fit"),
        Column("Published", lambda r: told(r, "before")),
        Column("New", lambda r: told(r, "after")),
    ]
    return table(
        columns,
        rows,
        href=lambda r: view.order(r, "object") if r["object_type"] else None,
        caption="By kind, then by instant.",
    )


def listed(view: View, trial: Trial) -> None:
    """One part of what differs, a page at a time, with its file."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        part = filter_bar.part("part", "Part", PARTS)
        words = {"orders": ORDER_CHANGES, "exceptions": EXCEPTION_CHANGES, "alerts": ALERT_CHANGES}[part]
        asked = filter_bar.asked(FILTERS)
        filter_bar.choice("change", "Change", words, asked, width=210)
        filter_bar.clear(asked, FILTERS)
    filter_bar.problems(asked)
    found = getattr(trial, NAMES[part])
    wanted, offset = asked.parameters["change"], asked.parameters["offset"]
    if wanted:
        found = found.filter([change == wanted for change in found.column("change").to_pylist()])
    rows = found.slice(offset, PAGE_ROWS).to_pylist()
    title = head(f"{PARTS[part]} that differ", note=wording.plural(found.num_rows, "row"))
    if not rows:
        why = "Both catalogues say the same of them." if not wanted else "None differs in this way."
        panel(join([title, empty(f"No {PARTS[part].lower()}.", why)]), key="listed")
        return
    body = {"orders": orders, "exceptions": exceptions, "alerts": alerts}[part](view, rows)
    pages = filter_bar.pager(view, "catalogue-backtest", _with_trial(asked, part), len(rows), found.num_rows)
    panel(join([title, body, pages]), key="listed")


def _with_trial(asked: Any, part: str) -> Any:
    kept = {"trial": st.query_params["trial"], "part": part, **asked.given}
    return type(asked)(asked.parameters, kept, asked.problems)


def _told(channels: str | None) -> str:
    """Who is told, as the comparison names them: `nobody`, or channels joined by commas."""
    return filter_bar.channels([name for name in (channels or "").split(", ") if name and name != "nobody"])


def _file(part: str, name: str, found: pa.Table) -> downloads.File:
    columns = downloads.columns(" ".join(column for column in found.column_names if column != "lead_key"))
    return downloads.held(name, f"{part.capitalize()} that differ", found, columns)


def _state(state: str | None) -> Html | str:
    return badge(known(TIMELINE, state)) if state else "—"


def _all(states: list[dict[str, Any]]) -> int:
    return sum(row["order_count"] for row in states)


def _words(name: str | None) -> str:
    return (name or "none").replace("_", " ").capitalize()


def _again() -> None:
    for name in ("trial", "part", "change", "page"):
        st.query_params.pop(name, None)


view = look()
offers = heading(view, "Catalogue backtest", ABOUT)
trial_id = st.query_params.get("trial")
if not trial_id:
    ask(view)
    st.stop()
try:
    run = trials_of(current().store).run(trial_id)
except CashtrailError as fault:
    panel(notice("yellow", "question", f"{str(fault).capitalize()}. Compare it again."), key="unknown")
    _again()
    ask(view)
    st.stop()
with offers:
    st.button("Try another catalogue", icon=":material/edit:", on_click=_again)
if run.state == "running":
    progress(trial_id)
elif run.trial is None:
    panel(notice("red", "alert", run.fault or "The trial ended without an answer."), key="failed")
else:
    with offers:
        downloads.menu(*(_file(part, name, getattr(run.trial, name)) for part, name in NAMES.items()))
    summary(view, run, run.trial)
    listed(view, run.trial)
