"""The trial of a catalogue as text for a terminal and as CSV files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from console.components.downloads import as_csv
from console.components.wording import count, money, span_of
from trace_model.errors import CashtrailError
from trace_model.store.trial import Trial

ROWS = 20
FILES = ("order_changes", "clock_changes", "exception_changes", "alert_changes", "state_moves", "alert_totals")


def report(trial: Trial, out: Console) -> None:
    """What would change, a table a question; at most ROWS rows each, the rest is counted."""
    before, after = trial.published, trial.proposed
    out.print(
        f"{before.catalogue} v{before.version} ({before.fingerprint}) against v{after.version} ({after.fingerprint}), "
        f"{count(trial.spans)} spans, as of {trial.as_of:%Y-%m-%d %H:%M:%S} UTC, {span_of(trial.seconds)}.", highlight=False,
    )  # fmt: skip
    if not trial.changes_anything:
        out.print("Nothing would change: no order, clock, exception or alert.", highlight=False)
        return
    moves = [row for row in trial.state_moves.to_pylist() if row["before_state"] != row["after_state"]]
    _table(
        out,
        "Orders that change state",
        ("published", "new", "orders", "amount"),
        [(r["before_state"], r["after_state"], count(r["order_count"]), money(r["reporting_amount"], None)) for r in moves],
        len(moves),
    )  # fmt: skip
    orders = trial.order_changes.slice(0, ROWS).to_pylist()
    _table(
        out,
        "Orders that differ",
        ("order", "change", "published", "new", "what differs"),
        [
            (r["lead_id"], r["change"], r["before_state"], r["after_state"], "; ".join(filter(None, (r["clocks"], r["exceptions"]))))
            for r in orders
        ],
        trial.order_changes.num_rows,
    )  # fmt: skip
    faults = trial.exception_changes.slice(0, ROWS).to_pylist()
    _table(
        out,
        "Exceptions that differ",
        ("object", "operation", "change", "published", "new"),
        [(r["object_id"], r["operation"], r["change"], _judged(r, "before"), _judged(r, "after")) for r in faults],
        trial.exception_changes.num_rows,
    )
    totals = trial.alert_totals.to_pylist()
    _table(
        out,
        f"Alerts begun in {trial.days} days",
        ("kind", "told", "published", "new", "things"),
        [
            (r["kind"], r["channels"], count(r["before_count"]), count(r["after_count"]), f"{r['before_things']} to {r['after_things']}")
            for r in totals
        ],
        len(totals),
    )  # fmt: skip
    told = trial.alert_changes.slice(0, ROWS).to_pylist()
    _table(
        out,
        "Alerts that differ",
        ("kind", "about", "change", "published", "new"),
        [(r["kind"], r["object_id"], r["change"], _raised(r, "before"), _raised(r, "after")) for r in told],
        trial.alert_changes.num_rows,
    )


def write(trial: Trial, folder: Path) -> Iterator[Path]:
    """One CSV file for each table of the trial; yields each path once it is written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            file = folder / f"{name}.csv"
            file.write_bytes(as_csv(getattr(trial, name)))
            yield file
    except OSError as fault:
        raise CashtrailError(f"{folder}: cannot be written: {fault.strerror}") from None


def _table(out: Console, title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]], total: int) -> None:
    if not rows:
        return
    shown = Table(*columns, title=f"{title} ({count(total)})", title_justify="left", title_style="bold")
    for row in rows[:ROWS]:
        shown.add_row(*(Text(str(cell) if cell is not None else "-") for cell in row))
    out.print(shown)
    if total > ROWS:
        out.print(f"and {count(total - ROWS)} more; --output writes all.", highlight=False)


def _judged(row: dict[str, Any], side: str) -> str | None:
    parts = (row[f"{side}_{name}"] for name in ("state", "class", "category", "owner_team"))
    return ", ".join(part for part in parts if part) or None


def _raised(row: dict[str, Any], side: str) -> str | None:
    at = row[f"{side}_at"]
    return (
        f"{at:%Y-%m-%d %H:%M} UTC, {row[f'{side}_owner_team'] or 'nobody'}, {row[f'{side}_channels']}" if at else None
    )
