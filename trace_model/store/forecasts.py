"""Forecasts of breaches: fits the curves, keeps them as small derived tables, and measures them on the store's own history.

What is counted is counted in SQL (`reads/forecast_*.sql`); what the counts mean is `trace_model.forecast`. The tables are
derived: dropping them costs one `refresh`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from trace_model import forecast
from trace_model.errors import CashtrailError
from trace_model.forecast import EDGES, Bin, Count, Curves, Numbers, Path, Stage
from trace_model.store import catalogue_tables
from trace_model.store.database import sql, transaction
from trace_model.store.store import Store

log = logging.getLogger("cashtrail.forecasts")

LOOK_BACK = timedelta(days=180)
"""Clocks that started longer ago say nothing of those of today."""
REFRESH_S = 300.0
"""A fit at least this often while spans come in ..."""
REFRESH_SPANS = 50_000
"""... and as soon as so many have come."""
FITS_KEPT = timedelta(days=60)
SHARES = (0.01, *(n / 20 for n in range(1, 20)))
"""The ages at which a backtest asks."""
WARN_AT = 0.5
"""A chance from which on a clock counts as warned of."""
WARM_UP = timedelta(days=7)
SEPARATOR = " / "
"""Joins the names of a segment, as `segment_name` does in SQL."""


class Forecasts:
    """The curves of one store. Threads may share it; only `refresh` writes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        with store.database.reading() as c:
            prepare(c)

    def fit(self, as_of: datetime) -> Curves:
        """The curves that could be known at `as_of` (aware UTC): of later facts nothing is used."""
        return forecast.fit(_counts(self._store, as_of))

    def refresh(self, as_of: datetime) -> int:
        """The kept curves are those known at `as_of`; returns how many. Earlier fits of the same UTC day make room.

        Raises StoreUnavailable if nothing could be written: trying again may help.
        """
        curves = self.fit(as_of)
        later = list(forecast.push_on(curves, _stages(self._store)))
        ends = np.append(EDGES[1:], 2 * forecast.TOP)
        catalogue_hash = catalogue_tables.fingerprint(self._store.catalogue)
        rows = pa.table(
            {
                "fitted_as_of": pa.array([as_of] * len(curves) * len(EDGES), pa.timestamp("us", "UTC")),
                "catalogue_hash": [catalogue_hash] * len(curves) * len(EDGES),
                "promise": [c.promise for c in curves.values() for _ in EDGES],
                "segment": [SEPARATOR.join(c.path) for c in curves.values() for _ in EDGES],
                "from_share": np.tile(EDGES, len(curves)),
                "to_share": np.tile(ends, len(curves)),
                "like_count": _joined([c.like for c in curves.values()]).astype(np.int64),
                "hazard_before": _joined([c.before for c in curves.values()]),
                "hazard": _joined([c.within for c in curves.values()]),
            }
        )
        pushed = pa.table(
            {
                "fitted_as_of": pa.array([as_of] * len(later), pa.timestamp("us", "UTC")),
                "promise": pa.array([x.promise for x in later], pa.string()),
                "segment": pa.array([SEPARATOR.join(x.path) for x in later], pa.string()),
                "from_share": pa.array([float(EDGES[x.bin]) for x in later], pa.float64()),
                "later": pa.array([x.later for x in later], pa.string()),
                "chance": pa.array([x.chance for x in later], pa.float64()),
                "after_due_s": pa.array([x.after_due_s for x in later], pa.float64()),
                "p50_s": pa.array([x.p50_s for x in later], pa.float64()),
                "p90_s": pa.array([x.p90_s for x in later], pa.float64()),
            }
        )
        day = as_of.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        bound = {"day": day, "next_day": day + timedelta(days=1), "oldest": as_of - FITS_KEPT, "hash": catalogue_hash}
        with self._writing, self._store.database.reading() as c, transaction(c):
            c.register("fitted", rows)
            c.register("pushed", pushed)
            c.execute(_MAKE_ROOM_CURVES, bound)
            c.execute(_MAKE_ROOM_LATER)
            c.execute("insert into forecast_curves select * from fitted")
            c.execute("insert into forecast_later select * from pushed")
        return len(curves)

    def start(self) -> None:
        """Curves follow the history from now on, by a thread of their own."""
        self._thread = threading.Thread(target=self._follow, name="forecasts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; call it before the store is closed."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout=30)

    def _follow(self) -> None:
        fitted_seq, waited_s, pause_s = -1, REFRESH_S, 5.0
        while not self._stopping.is_set():
            seq = self._store.projected_seq
            if seq - fitted_seq >= REFRESH_SPANS or (waited_s >= REFRESH_S and seq != fitted_seq):
                try:
                    self.refresh(self._store.clock())
                except (duckdb.Error, CashtrailError):
                    log.exception("forecasts could not be fitted; trying again in %d s", REFRESH_S)
                fitted_seq, waited_s = seq, 0.0
            self._stopping.wait(pause_s)
            waited_s += pause_s

    # -- measured ------------------------------------------------------------------------------------------------------

    def backtest(
        self,
        as_of: datetime,
        *,
        days: int = 60,
        step: timedelta = timedelta(days=1),
        per_mille: int = 1000,
        promise: str | None = None,
    ) -> Backtest:
        """How good the chances of the `days` before `as_of` would have been, each made with what was known by then.

        Walks forward by `step`: curves are fitted at a cut and judged on what was still running after it, before the next cut.
        The first `WARM_UP` of the history is only learned from. Nothing judged is an empty backtest.
        """
        since = as_of - timedelta(days=days)
        table = self._store.ask("forecast_trials", as_of=as_of, since=since, shares=list(SHARES), per_mille=per_mille)
        if promise is not None:
            table = table.filter(pa.compute.equal(table["promise"], promise))
        if not table.num_rows:
            return Backtest(as_of, 0, [], [], [])
        first = min(table["tried_at"].to_pylist()) + WARM_UP
        trials = Trials.of(table)
        seconds = step.total_seconds()
        folds = np.floor((trials.tried_s - first.timestamp()) / seconds).astype(int)
        chance = np.full(len(folds), np.nan)
        base = np.full(len(folds), np.nan)
        for fold in np.unique(folds[folds >= 0]):
            cut = first + int(fold) * step
            counts = _counts(self._store, cut)
            curves, rates = forecast.fit(counts), _base_rates(counts)
            held = np.flatnonzero(folds == fold)
            for promise_name, path in {(trials.promise[i], trials.path[i]) for i in held}:
                these = held[[trials.promise[i] == promise_name and trials.path[i] == path for i in held]]
                curve = forecast.nearest(curves, promise_name, path)
                chance[these] = curve.chance(trials.share[these]) if curve else trials.share[these]
                base[these] = rates.get(promise_name, 0.5)
        judged = np.flatnonzero(folds >= 0)
        said = {"forecast": chance[judged], "base rate": base[judged], "elapsed share": trials.share[judged]}
        kept = trials.taken(judged)
        names = ["all", *sorted(set(kept.promise))]
        scores = [
            score
            for name in names
            for score in _scores(name, kept, said, np.array([name in ("all", p) for p in kept.promise], dtype=bool))
        ]
        return Backtest(
            as_of, len(judged), scores, forecast.reliability(said["forecast"], kept.came), _warnings(kept, said)
        )


@dataclass(frozen=True)
class Score:
    """How one rule did on one promise, or on all. `brier` and `calibration_error`: 0 is perfect."""

    promise: str
    rule: str
    trial_count: int
    breach_share: float
    brier: float
    calibration_error: float


@dataclass(frozen=True)
class Warned:
    """What warnings at `WARN_AT` were worth: the part of breaches warned of, how long before, and the part of warnings that came.

    `lead_s` is the median over the clocks that were warned of and breached, in working seconds; None where there are none.
    """

    rule: str
    breach_count: int
    warned_share: float
    lead_s: float | None
    right_share: float | None


@dataclass(frozen=True)
class Backtest:
    """`reliability`: forecasts against what came, in tenths. Everything as of `as_of`; `trial_count` 0: no history yet."""

    as_of: datetime
    trial_count: int
    scores: list[Score]
    reliability: list[Bin]
    warnings: list[Warned]


@dataclass(frozen=True)
class Trials:
    lead: list[int]
    promise: list[str]
    path: list[Path]
    within_s: Numbers
    share: Numbers
    tried_s: Numbers
    came: Numbers

    @classmethod
    def of(cls, table: pa.Table) -> Trials:
        return cls(
            table["lead_key"].to_pylist(),
            table["promise"].to_pylist(),
            [tuple(p) for p in table["path"].to_pylist()],
            table["within_s"].to_numpy(),
            table["share"].to_numpy(),
            np.array([t.timestamp() for t in table["tried_at"].to_pylist()]),
            table["came"].to_numpy().astype(float),
        )

    def taken(self, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Trials:
        return Trials(
            [self.lead[i] for i in places],
            [self.promise[i] for i in places],
            [self.path[i] for i in places],
            self.within_s[places],
            self.share[places],
            self.tried_s[places],
            self.came[places],
        )


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables and macros that forecasts need are there. Part of opening a store; safe to run again."""
    connection.execute(sql("forecast.sql"))


_MAKE_ROOM_CURVES = """
    delete from forecast_curves
    where fitted_as_of >= $day and fitted_as_of < $next_day or fitted_as_of < $oldest or catalogue_hash <> $hash
"""
_MAKE_ROOM_LATER = "delete from forecast_later where fitted_as_of not in (select fitted_as_of from forecast_curves)"


def _counts(store: Store, as_of: datetime) -> list[Count]:
    rows = store.rows("forecast_counts", as_of=as_of, since=as_of - LOOK_BACK, edges=EDGES.tolist())
    return [Count(r["promise"], tuple(r["path"]), r["bin"], r["ended_count"], r["running_count"]) for r in rows]


def _base_rates(counts: Sequence[Count]) -> dict[str, float]:
    """Of each promise's clocks that are decided, the part that passed its due."""
    decided: dict[str, float] = {}
    passed: dict[str, float] = {}
    for c in counts:
        late = c.ended + c.running if c.bin >= forecast.DUE else 0.0
        passed[c.promise] = passed.get(c.promise, 0.0) + late
        decided[c.promise] = decided.get(c.promise, 0.0) + (late or c.ended)
    return {name: passed[name] / decided[name] for name in decided if decided[name]}


def _stages(store: Store) -> list[Stage]:
    return [
        Stage(r["promise"], r["start"], r["stop"], r["within_s"], r["elapsed_per_s"])
        for r in store.rows("forecast_stages")
    ]


def _joined(arrays: Sequence[Numbers]) -> Numbers:
    return np.concatenate(arrays) if arrays else np.zeros(0)


def _scores(
    name: str, trials: Trials, said: dict[str, Numbers], held: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> list[Score]:
    came = trials.came[held]
    return [
        Score(
            name,
            rule,
            len(came),
            float(came.mean()),
            forecast.brier(c[held], came),
            forecast.calibration_error(c[held], came),
        )
        for rule, c in said.items()
    ]


def _warnings(trials: Trials, said: dict[str, Numbers]) -> list[Warned]:
    breached: dict[tuple[int, str], bool] = {}
    for lead, promise, came in zip(trials.lead, trials.promise, trials.came, strict=True):
        breached[lead, promise] = bool(came)
    found = []
    for rule, chance in said.items():
        first: dict[tuple[int, str], float] = {}
        for i in np.flatnonzero(chance >= WARN_AT):  # shares ascend within a clock, so the first is the earliest
            first.setdefault((trials.lead[i], trials.promise[i]), (1 - trials.share[i]) * trials.within_s[i])
        right = [lead_s for clock, lead_s in first.items() if breached[clock]]
        count = sum(breached.values())
        found.append(
            Warned(
                rule,
                count,
                len(right) / count if count else 0.0,
                float(np.median(right)) if right else None,
                len(right) / len(first) if first else None,
            )
        )
    return found
