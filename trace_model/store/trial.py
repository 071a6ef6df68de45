"""What another catalogue would make of the kept record, beside the published one's rows and without touching them.

The whole derivation runs on a scratch database of its own, attached to the same engine: kept tables are views there, so
nothing is copied, memory is what the engine may hold, and the scratch file goes when the answer is there. Both sides are
read in one transaction, as of one instant, from the same spans.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import duckdb
import pyarrow as pa

from trace_model.catalogue.alert_rules import AlertRules
from trace_model.catalogue.schema import Catalogue
from trace_model.errors import RetryableError
from trace_model.store import catalogue_tables
from trace_model.store.database import sql, transaction
from trace_model.store.projector import DERIVED, FACTS, Progress, Projector
from trace_model.store.store import Store, parameters_of, rules_of, sql_text

SIDES = ("orders", "clocks", "exceptions", "alerts")
NOBODY = "nobody"
DAYS_MOST = 366


class TrialRunning(RetryableError):
    """Another trial of this store is under way; one at a time, since each derives everything."""


@dataclass(frozen=True)
class Side:
    """One of the two catalogues that were compared."""

    catalogue: str
    version: int
    fingerprint: str

    @classmethod
    def of(cls, catalogue: Catalogue) -> Side:
        return cls(catalogue.catalogue, catalogue.version, catalogue_tables.fingerprint(catalogue))


@dataclass(frozen=True)
class Trial:
    """What would differ at `as_of`, and of the alerts of the `days` before. Tables as `trial/<name>.sql` says in its head."""

    published: Side
    proposed: Side
    as_of: datetime
    days: int
    spans: int
    seconds: float
    state_moves: pa.Table
    order_changes: pa.Table
    clock_changes: pa.Table
    exception_changes: pa.Table
    alert_changes: pa.Table
    alert_totals: pa.Table

    @property
    def changes_anything(self) -> bool:
        """True if any order, clock, exception or alert would differ."""
        tables = (self.order_changes, self.clock_changes, self.exception_changes, self.alert_changes)
        return any(table.num_rows for table in tables)


def compare(
    store: Store, catalogue: Catalogue, *, as_of: datetime, days: int = 30, on_progress: Progress | None = None
) -> Trial:
    """What publishing `catalogue` would change. Costs one rebuild, from the spans only where it reads these otherwise than the published
    catalogue; readers, writers and the live rows do not notice.

    Raises TrialRunning (try again later) and StoreUnavailable (the scratch file cannot be written: a full disk).
    """
    told = on_progress or (lambda _step, _share: None)
    lock = _lock_of(store)
    if not lock.acquire(blocking=False):
        raise TrialRunning("another catalogue is being tried on this store; try again when it is done", 10)
    began = time.monotonic()
    try:
        facts_stand = store.facts_stand_for(catalogue)
        with _scratch(store, facts_stand=facts_stand) as c, transaction(c):
            return _compared(c, store, catalogue, as_of, days, told, began, facts_stand=facts_stand)
    finally:
        lock.release()


def _compared(
    c: duckdb.DuckDBPyConnection,
    store: Store,
    catalogue: Catalogue,
    as_of: datetime,
    days: int,
    told: Progress,
    began: float,
    *,
    facts_stand: bool,
) -> Trial:
    told("published catalogue", 0.0)
    _keep(c, "before", store.catalogue.alerts, as_of, days)
    c.execute("use trial")
    catalogue_tables.load(c, catalogue)
    Projector(c, catalogue, rules_of(catalogue)).rebuild(
        lambda step, share: told(step, 0.05 + 0.8 * share), facts_stand=facts_stand
    )
    for macros in ("forecast.sql", "failures_now.sql", "reads/macros.sql"):
        c.execute(sql(macros))
    told("comparing", 0.88)
    _keep(c, "after", catalogue.alerts, as_of, days)
    _route(c, store.catalogue.alerts, catalogue.alerts)
    changes = {}
    for name in ("clock_changes", "exception_changes", "order_changes"):
        told("comparing", 0.92)
        c.execute(f"create table {name} as {sql_text(f'trial/{name}.sql')}")
        changes[name] = c.sql(f"from {name}").to_arrow_table()
    told("comparing", 0.97)
    for name in ("state_moves", "alert_changes", "alert_totals"):
        changes[name] = c.sql(sql_text(f"trial/{name}.sql")).to_arrow_table()
    spans = c.execute("select count(*) from spans").fetchone()
    return Trial(
        Side.of(store.catalogue), Side.of(catalogue), as_of, days, int(spans[0]) if spans else 0, time.monotonic() - began, **changes
    )  # fmt: skip


@contextmanager
def _scratch(store: Store, *, facts_stand: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor with the scratch database `trial` attached, where kept tables are views, and facts that stand; both go afterwards."""
    derived = [table for table in DERIVED if not (facts_stand and table in FACTS)]
    beside, prefix = None, "cashtrail-trial-"
    if store.database.path != ":memory:":
        beside, prefix = Path(store.database.path).parent, f".{Path(store.database.path).stem}-trial-"
        for left in beside.glob(f"{prefix}*"):  # of a process that was killed: this one owns the database now
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=beside) as directory, store.database.reading() as c:
        live = str((c.execute("select current_database()").fetchone() or ("memory",))[0])
        c.execute(f"attach '{_quoted(Path(directory) / 'trial.duckdb')}' as trial")
        try:
            tables = c.execute(
                sql("trial/kept_tables.sql"), {"database": live, "derived": [*derived, "signatures"]}
            ).fetchall()
            home = '"' + live.replace('"', '""') + '".main'
            for (table,) in tables:
                c.execute(f'create view trial."{table}" as from {home}."{table}"')
            # as far as the published rows have come: spans that came in since would differ for no fault of the catalogue
            shown = f"(select projected_seq from {home}.projection_state)"  # noqa: S608 - our own table's name
            c.execute(f"create view trial.spans as from {home}.spans where seq <= {shown}")
            c.execute(
                "create view trial.traces as select trace_id, first_seq, least(last_seq, s.projected_seq) as last_seq "  # noqa: S608
                f"from {home}.traces, {home}.projection_state s where first_seq <= s.projected_seq"
            )
            yield c
        finally:
            c.execute(f"use {home}")
            c.execute("detach trial")


def _keep(c: duckdb.DuckDBPyConnection, side: str, rules: AlertRules, as_of: datetime, days: int) -> None:
    """trial.<side>_orders, _clocks, _exceptions and _alerts hold what the catalogue of this side says."""
    known: dict[str, Any] = {
        "as_of": as_of,
        "days": days,
        "kinds": list(rules.kinds),
        "transient_grace_s": float(rules.grace.transient_s),
        "grace_s": float(rules.grace.other_s),
        "queue_depth": rules.queue_depth.more_than,
        "queue_teams": list(rules.queue_depth.teams),
        "queue_depths": list(rules.queue_depth.teams.values()),
    }
    for name in SIDES:
        text = sql_text(f"trial/{name}.sql")
        used = {key: known[key] for key in parameters_of(text)}
        c.execute(f"create table trial.{side}_{name} as {text}", used)


def _route(c: duckdb.DuckDBPyConnection, before: AlertRules, after: AlertRules) -> None:
    """`routed` says for each alert of either side which channels its catalogue would tell."""
    rows: dict[str, list[Any]] = {"side": [], "cause_key": [], "alert_no": [], "channels": []}
    for side, rules in (("before", before), ("after", after)):
        c.execute(f"create or replace temp view alerts as from {side}_alerts")
        for head in c.sql(sql_text("trial/alert_heads.sql")).to_arrow_table().to_pylist():
            route = rules.route(head)
            rows["side"].append(side)
            rows["cause_key"].append(head["cause_key"])
            rows["alert_no"].append(head["alert_no"])
            rows["channels"].append(", ".join(route.channels) if route and route.channels else NOBODY)
    c.execute("drop view temp.alerts")
    types = {"side": pa.string(), "cause_key": pa.string(), "alert_no": pa.int64(), "channels": pa.string()}
    c.register("routes", pa.table(rows, schema=pa.schema(list(types.items()))))
    c.execute("create table routed as select * from routes")
    c.unregister("routes")


_locks: WeakKeyDictionary[Store, threading.Lock] = WeakKeyDictionary()
_making = threading.Lock()


def _lock_of(store: Store) -> threading.Lock:
    with _making:
        return _locks.setdefault(store, threading.Lock())


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
