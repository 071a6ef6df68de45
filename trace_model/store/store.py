"""The store: records spans, keeps the projection up with them, and answers the questions in `reads/`.

Recording and deriving are two transactions. `record` returns when the spans are durable; a projecting thread brings the
derived rows up within a fraction of a second, and remembers in the same transaction how far it came, so that nothing
is lost or counted twice over a crash (docs/decisions/001-record-then-derive.md).
"""

from __future__ import annotations

import logging
import re
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from trace_model.catalogue.failure_rules import Rules, load_rules
from trace_model.catalogue.schema import Catalogue
from trace_model.errors import PermanentError, StoreUnavailable
from trace_model.priorities import Niceness, stand_back
from trace_model.spans import SCHEMA, Recorded
from trace_model.store import actions, catalogue_tables
from trace_model.store.actions import Action
from trace_model.store.database import Database, sql, transaction
from trace_model.store.projector import Progress, Projector, facts_hash, projection_hash

log = logging.getLogger("cashtrail.store")
# DuckDB warns of a copy that `ask` makes knowingly
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)

BATCH_SPANS = 20_000
"""The most spans one projection transaction takes; more are taken in the next."""
CATCH_UP_SPANS = 400_000
"""Further behind than this, deriving everything again is cheaper than batch by batch."""
REST_SHARE, REST_LEAST_S = 0.5, 0.25
"""After a batch the projecting thread rests for this share of the time it took, and at least so long, unless somebody waits for it
or it is a whole batch behind: so people who look at screens have the processor first, and spans that arrive meanwhile share a
batch's fixed cost."""


@dataclass(frozen=True)
class Lag:
    """How far the derived rows are behind the kept spans."""

    spans: int
    oldest_unprojected_s: float
    fault: str | None


class Store:
    """One database with one catalogue. Threads may share it.

    `clock` gives now as aware UTC; it stamps `received_at` and nothing else. Opening brings derived rows that belong to
    another catalogue or projection up to date by a rebuild (seconds per hundred thousand orders; half where the facts of spans
    stand), or all rows always; where it never rebuilds, stale rows are refused with PermanentError.
    """

    def __init__(
        self,
        path: Path | str | None,
        catalogue: Catalogue,
        *,
        clock: Callable[[], datetime],
        rules: Rules | None = None,
        threads: int | None = None,
        memory_limit: str | None = None,
        on_progress: Progress | None = None,
        rebuilds: Literal["when stale", "always", "never"] = "when stale",
    ) -> None:
        self.catalogue = catalogue
        self.clock = clock
        self.database = Database(path, threads=threads, memory_limit=memory_limit)
        self._writer = self.database.cursor()
        self._deriver = self.database.cursor()
        self._projector = Projector(self._deriver, catalogue, rules or rules_of(catalogue))
        self._recorded = threading.Condition()
        self._recorded_seq = self._one("select coalesce(max(seq), 0) from spans")
        self._projected_seq = self._one("select projected_seq from projection_state")
        self._acted_no = self._one("select coalesce(max(action_no), 0) from operator_actions")
        self._projected_action_no = self._one("select projected_action_no from projection_state")
        self._behind_since: float | None = None
        self._fault: str | None = None
        self._awaited = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        if rebuilds == "always":
            self.rebuild(on_progress)
        elif rebuilds == "when stale":
            self._bring_up_to_date(on_progress)
        else:
            self._refuse_stale()
        with self.database.reading() as c:
            c.execute(sql("forecast.sql"))
            c.execute(sql("failures_now.sql"))
            c.execute(sql("reads/macros.sql"))

    # -- keeping -------------------------------------------------------------------------------------------------

    def record(self, spans: pa.Table) -> Recorded:
        """The spans are durable; those already kept, by (trace_id, span_id), are counted as duplicates.

        `spans` has `trace_model.spans.SCHEMA`. Raises StoreUnavailable if nothing could be kept: trying again may help,
        and is safe.
        """
        if spans.num_rows == 0:
            return Recorded(0, 0)
        table = spans.select(SCHEMA.names)
        with self.database.recording:
            if self._stopping.is_set():
                raise StoreUnavailable("the store is closing", 2)
            base = self._recorded_seq
            c = self._writer
            c.register("incoming", table)
            try:
                with transaction(c):
                    seen = c.execute(
                        sql_text("record/touch_traces.sql"), {"base": base, "top": base + table.num_rows}
                    ).fetchall()
                    known = [(trace_id, first) for trace_id, first in seen if first <= base]
                    parameters: dict[str, Any] = {"base": base, "received_at": self.clock()}
                    if known:
                        c.register("known", pa.table({"trace_id": pa.array([k[0] for k in known], pa.string())}))
                        parameters["min_seq"] = min(k[1] for k in known)
                        row = c.execute(sql_text("record/insert_unseen.sql"), parameters).fetchone()
                        c.unregister("known")
                    else:
                        row = c.execute(sql_text("record/insert_new.sql"), parameters).fetchone()
            finally:
                c.unregister("incoming")
            stored = int(row[0]) if row else 0
            self._recorded_seq = base + stored
        if stored:
            with self._recorded:
                if self._behind_since is None:
                    self._behind_since = time.monotonic()
                self._recorded.notify_all()
        return Recorded(stored, table.num_rows - stored)

    def act(
        self,
        *,
        actor: str,
        deed: str,
        subject_type: str,
        subject_id: str,
        reason: str,
        detail: Mapping[str, Any] | None = None,
    ) -> Action:
        """The deed is kept, durable and chained to the one before; rights are the caller's to check."""
        with self.database.recording:
            with transaction(self._writer) as c:
                action = actions.append(
                    c,
                    acted_at=self.clock(),
                    actor=actor,
                    deed=deed,
                    subject_type=subject_type,
                    subject_id=subject_id,
                    reason=reason,
                    detail=detail or {},
                )
            if subject_type == "timeline":
                self._acted_no = action.action_no
        with self._recorded:
            self._recorded.notify_all()
        return action

    def tie(
        self, child_key: int, *, actor: str, deed: str, subject_id: str, reason: str, detail: Mapping[str, Any]
    ) -> Action:
        """A deed on a link upward of an object is kept, and the derived rows follow it, in one transaction.

        `detail` names the facts: `child` and `parent`, each with type, id, scope and key. Rights are the caller's to check.
        """
        with self.database.deriving, self.database.recording, transaction(self._deriver) as c:
            action = actions.append(
                c,
                acted_at=self.clock(),
                actor=actor,
                deed=deed,
                subject_type="link",
                subject_id=subject_id,
                reason=reason,
                detail=detail,
            )
            self._projector.relink(child_key)
            return action

    def act_on_all(
        self, *, actor: str, deed: str, subject_type: str, reason: str, details: Mapping[str, Mapping[str, Any]]
    ) -> list[Action]:
        """One deed on many things (id -> particulars), each a link of the chain of its own: all are kept, or none."""
        at = self.clock()
        with self.database.recording, transaction(self._writer) as c:
            return [
                actions.append(
                    c, acted_at=at, actor=actor, deed=deed, subject_type=subject_type, subject_id=subject_id, reason=reason, detail=detail
                )
                for subject_id, detail in details.items()
            ]  # fmt: skip

    def first_broken_action(self) -> int | None:
        """The number of the first deed that does not fit the chain, or None if the chain is whole."""
        with self.database.reading() as c:
            return actions.first_broken(c)

    # -- deriving ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Derived rows follow the kept spans from now on, by a thread of the store's own."""
        self._thread = threading.Thread(target=self._follow, name="projector", daemon=True)
        self._thread.start()

    def project(self) -> int:
        """Everything recorded until now shows in the derived rows; returns how many spans that took."""
        taken = 0
        with self.database.deriving:
            while self._projected_seq < self._recorded_seq:
                taken += self._project_batch()
            self._project_deeds()
        return taken

    def _project_batch(self) -> int:
        """The next recorded spans, at most BATCH_SPANS, show in the derived rows; returns how many."""
        with self.database.deriving:
            after, until = self._projected_seq, min(self._recorded_seq, self._projected_seq + BATCH_SPANS)
            with transaction(self._deriver) as c:
                self._projector.project(after, until)
                c.execute("update projection_state set projected_seq = ?", [until])
            with self._recorded:
                self._projected_seq = until
                self._behind_since = time.monotonic() if until < self._recorded_seq else None
                self._recorded.notify_all()
        return until - after

    def _project_deeds(self) -> None:
        """What people did to clocks shows in them."""
        with self.database.deriving:
            after, until = self._projected_action_no, self._acted_no
            if after == until:
                return
            with transaction(self._deriver) as c:
                self._projector.project_deeds(after, until)
                c.execute("update projection_state set projected_action_no = ?", [until])
            with self._recorded:
                self._projected_action_no = until
                self._recorded.notify_all()

    def settle(self, timeout_s: float) -> bool:
        """True once the derived rows show what was recorded and done when this was called; False after `timeout_s` seconds.

        Without a projecting thread the caller's own thread derives.
        """
        target, deed = self._recorded_seq, self._acted_no
        if self._projected_seq >= target and self._projected_action_no >= deed:
            return True
        if self._thread is None:
            self.project()
            return True
        with self._recorded:
            self._awaited += 1
            self._recorded.notify_all()
            try:
                return self._recorded.wait_for(
                    lambda: self._projected_seq >= target and self._projected_action_no >= deed, timeout_s
                )
            finally:
                self._awaited -= 1

    def rebuild(self, on_progress: Progress | None = None) -> int:
        """Every derived row is made anew from the kept spans; readers see the old rows until all are there. Returns the spans read."""
        return self._derive_anew(on_progress, facts_stand=False)

    def _derive_anew(self, on_progress: Progress | None, *, facts_stand: bool) -> int:
        """As `rebuild`; where the `facts_stand`, no span is read, and the rows show those projected before. Returns how many they show."""
        with self.database.deriving:
            until, deed = self._projected_seq if facts_stand else self._recorded_seq, self._acted_no
            with transaction(self._deriver) as c:
                catalogue_tables.load(c, self.catalogue)
                self._projector.rebuild(on_progress, facts_stand=facts_stand)
                c.execute(
                    "update projection_state set projected_seq = $1, projected_action_no = $2,"
                    " catalogue_hash = $3, projection_hash = $4, facts_hash = $5",
                    [until, deed, *_derived_by(self.catalogue), facts_hash(self.catalogue)],
                )
            with self._recorded:
                self._projected_seq, self._projected_action_no = until, deed
                self._behind_since = time.monotonic() if until < self._recorded_seq else None
                self._recorded.notify_all()
        return until

    def lag(self) -> Lag:
        with self._recorded:
            since = self._behind_since
            spans = self._recorded_seq - self._projected_seq
        return Lag(spans, time.monotonic() - since if since is not None and spans else 0.0, self._fault)

    @property
    def recorded_seq(self) -> int:
        """How many distinct spans are kept."""
        return self._recorded_seq

    @property
    def projected_seq(self) -> int:
        """How many of the kept spans the derived rows show: changes whenever an answer may."""
        return self._projected_seq

    # -- reading -------------------------------------------------------------------------------------------------

    def ask(self, question: str, **parameters: Any) -> pa.Table:
        """The answer of `reads/<question>.sql`; its head says grain, parameters, columns and order.

        Only the parameters that the file uses are bound, so that one filter serves many questions.
        """
        text = sql_text(f"reads/{question}.sql")
        optional = _optional_parameters_of(text)
        used = {name: parameters.get(name) if name in optional else parameters[name] for name in parameters_of(text)}
        with self.database.reading() as c:
            # `execute` binds and plans once, `sql` twice: of a long question that is half the work, a copy of its few rows is nothing
            table: pa.Table = c.execute(text, used).to_arrow_table()
            return table

    def rows(self, question: str, **parameters: Any) -> list[dict[str, Any]]:
        """As `ask`, as plain rows: instants aware UTC, amounts Decimal."""
        return list(self.ask(question, **parameters).to_pylist())

    # -- life ----------------------------------------------------------------------------------------------------

    def writable(self) -> bool:
        """True if the store can keep spans now."""
        return not self._stopping.is_set()

    def close(self) -> None:
        """What was recorded is durable already; this ends the projecting thread and lets go of the file."""
        self._stopping.set()
        with self._recorded:
            self._recorded.notify_all()
        if self._thread:
            self._thread.join(timeout=30)
        self.database.close()

    def _follow(self) -> None:
        stand_back(Niceness.FOLLOWS)
        while not self._stopping.is_set():
            with self._recorded:
                self._recorded.wait_for(
                    lambda: (
                        self._stopping.is_set()
                        or self._projected_seq < self._recorded_seq
                        or self._projected_action_no < self._acted_no
                    ),
                    1.0,
                )
                is_behind = self._projected_seq < self._recorded_seq
            if self._stopping.is_set():
                return
            try:
                self._project_deeds()
                if not is_behind:
                    continue
                began = time.monotonic()
                self._project_batch()
                self._fault = None
                self._rest(max(REST_LEAST_S, REST_SHARE * (time.monotonic() - began)))
            except (duckdb.Error, StoreUnavailable) as fault:
                # kept spans are safe; the screens say that they are behind, and it is tried again
                self._fault = str(fault)
                log.exception("projection failed; trying again in 2 s")
                self._stopping.wait(2.0)

    def _rest(self, seconds: float) -> None:
        """Returns after `seconds`, or as soon as somebody waits, a whole batch has come in, or the store closes."""
        with self._recorded:
            self._recorded.wait_for(
                lambda: (
                    self._awaited > 0
                    or self._recorded_seq - self._projected_seq >= BATCH_SPANS
                    or self._stopping.is_set()
                ),
                seconds,
            )

    def _bring_up_to_date(self, on_progress: Progress | None) -> None:
        """Rows of another catalogue or projection, or far behind, are made anew: from the spans, or from their facts where these stand."""
        if self._recorded_seq - self._projected_seq > CATCH_UP_SPANS:
            self.rebuild(on_progress)
        elif self._state() != _derived_by(self.catalogue):
            self._derive_anew(on_progress, facts_stand=self.facts_stand_for(self.catalogue))

    def facts_stand_for(self, catalogue: Catalogue) -> bool:
        """True if the facts that were read from the spans are those that `catalogue` would read: all else can be made anew from them."""
        with self.database.reading() as c:
            return c.execute("select facts_hash from projection_state").fetchone() == (facts_hash(catalogue),)

    def _refuse_stale(self) -> None:
        state = self._state()
        if state != _derived_by(self.catalogue):
            self.database.close()
            other = "another catalogue" if state and state[0] != catalogue_tables.fingerprint(self.catalogue) else None
            raise PermanentError(
                f"{self.database.path} was derived by {other or 'another version of Cashtrail'}, and may not be derived again "
                "here. " + ("Name the catalogue it was derived by." if other else "Run `cashtrail rebuild` first.")
            )

    def _state(self) -> tuple[Any, ...] | None:
        with self.database.reading() as c:
            return c.execute("select catalogue_hash, projection_hash from projection_state").fetchone()

    def _one(self, text: str) -> int:
        with self.database.reading() as c:
            row = c.execute(text).fetchone()
        return int(row[0]) if row else 0


def _derived_by(catalogue: Catalogue) -> tuple[str, str]:
    """What derived rows depend on beside what is kept: rows of another are stale."""
    return catalogue_tables.fingerprint(catalogue), projection_hash()


@cache
def sql_text(name: str) -> str:
    return sql(name)


@cache
def parameters_of(text: str) -> frozenset[str]:
    """The names of the parameters that a statement binds."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return frozenset(re.findall(r"\$([a-z_]+)", code))


@cache
def _optional_parameters_of(text: str) -> frozenset[str]:
    """The parameters that the head of a read calls optional: null where a question does not give them."""
    return frozenset(
        name
        for line in text.splitlines()
        if line.startswith("-- optional: ")
        for name in re.findall(r"\$([a-z_]+)", line)
    )


def rules_of(catalogue: Catalogue) -> Rules:
    """The failure rules that the catalogue names, packs and its own."""
    packs = catalogue.failure_rules.packs
    return load_rules(None if packs == "shipped" else [Path(p) for p in packs], catalogue.failure_rules.rules)


def utc_now() -> datetime:
    """The one place that reads the clock."""
    return datetime.now(UTC)
