"""Forecasts of breaches: fits the curves, keeps them as small derived tables, and measures them on the store's own history.

What is counted is counted in SQL (`reads/forecast_*.sql`); what the counts mean is `trace_model.forecast`. The tables are
derived: dropping them costs one `refresh`.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trace_model import forecast
from trace_model.errors import CashtrailError
from trace_model.forecast import EDGES, Bin, Count, Curves, Later, LaterCount, Numbers, Path, Stage
from trace_model.priorities import Niceness, stand_back
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
LIMITS_HOLD = timedelta(days=1)
"""Limits of silence hold for so long ..."""
GROWN = 1.1
"""... or until they rest on so many times as many orders."""
SHARES = (0.01, *(n / 20 for n in range(1, 20)))
"""The ages at which a backtest asks ..."""
ASKED = tuple(sorted({forecast.bin_of(share) for share in SHARES}))
"""... and their bins."""
WARN_AT = 0.5
"""A chance from which on a clock counts as warned of."""
WARM_UP = timedelta(days=7)
SAMPLE = 20_000
"""About how many orders limits of silence rest on ..."""
TRIED = 4_000
"""... and about how many a backtest looks at: of so many, the Brier score is known to about half a hundredth."""
LEAST_GAPS = 30
"""Fewer gaps than this do not say how long like orders stand still; the next wider segment does."""
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
        stages = _stages(self._store)
        counts = _later_counts(self._store, stages, as_of)
        later = forecast.recalibrate(forecast.push_on(curves, stages), counts, ASKED)
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
        self._refresh_limits(as_of)
        return len(curves)

    def _refresh_limits(self, as_of: datetime) -> None:
        """How long silence may last is known as of `as_of`: a fit holds until history has grown by a tenth, for a day, or until
        the catalogue has standstills count in another calendar.

        Every fit is kept for `FITS_KEPT`, so that what was a standstill by the limits of its hour still is one afterwards.
        """
        limits = self._store.ask(
            "silence_limits", as_of=as_of, since=as_of - LOOK_BACK, per_mille=self._per_mille(), least=LEAST_GAPS
        )
        rests_on = pc.sum(limits.filter(pc.equal(limits["segment"], ""))["like_count"]).as_py() or 0
        with self._writing, self._store.database.reading() as c, transaction(c):
            latest = c.execute(_LATEST_LIMITS, [as_of]).fetchall()
            fitted_as_of, rested_on, is_comparable = latest[0] if latest else (as_of, 0, False)
            if is_comparable and rested_on <= rests_on < rested_on * GROWN and as_of - fitted_as_of < LIMITS_HOLD:
                return
            c.register("limits", limits)
            c.execute(_MAKE_ROOM_LIMITS, {"as_of": as_of, "oldest": as_of - FITS_KEPT})
            c.execute("insert into silence_limits by name select $1 as fitted_as_of, * from limits", [as_of])

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
        stand_back(Niceness.BACKGROUND)
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
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> Backtest:
        """How good the chances of the `days` before `as_of` would have been, each made with what was known by then.

        Walks forward by `step`: curves are fitted at a cut, and judged on what was still running after it and before the next.
        The first `WARM_UP` of the history is only learned from. Of a large history a sample of about `TRIED` orders is taken.
        Nothing to judge is an empty backtest. `on_progress` is told before each step which part of them is done.
        """
        since = as_of - timedelta(days=days)
        per_mille = self._per_mille(TRIED)
        table = self._store.ask("forecast_trials", as_of=as_of, since=since, shares=list(SHARES), per_mille=per_mille)
        if not table.num_rows:
            return Backtest.empty(as_of)
        trials = Trials.of(table)
        ends = {
            (r["lead_key"], r["promise"]): (_seconds(r["start_at"]), _seconds(r["stop_at"]))
            for r in self._store.rows("forecast_ends", since=since, per_mille=per_mille)
        }
        stages = _stages(self._store)
        first = datetime.fromtimestamp(trials.tried_s.min(), UTC) + WARM_UP
        folds = np.floor((trials.tried_s - first.timestamp()) / step.total_seconds()).astype(int)
        judged, pushed = Said(), Said()
        walked = np.unique(folds[folds >= 0])
        for done, fold in enumerate(walked):
            on_progress(done / len(walked))
            cut = first + int(fold) * step
            counts = _counts(self._store, cut, per_mille)
            curves, rates = forecast.fit(counts), _base_rates(counts)
            seen = _later_counts(self._store, stages, cut, per_mille)
            later = _by_age(forecast.recalibrate(forecast.push_on(curves, stages, ASKED), seen, ASKED))
            for i in np.flatnonzero(folds == fold):
                trial = trials.one(int(i))
                curve = forecast.nearest(curves, trial.promise, trial.path)
                judged.add(
                    trial, trial.promise, trial.came,
                    float(curve.chance(np.array(trial.share))) if curve else trial.share, rates.get(trial.promise, 0.5), trial.share,
                )  # fmt: skip
                if curve is None:
                    continue
                for one in later.get((trial.promise, curve.path, forecast.bin_of(trial.share)), ()):
                    planned_s = trial.due_s + one.after_due_s
                    start_s, stop_s = ends.get((trial.lead, one.later), (0.0, 0.0))
                    if planned_s > as_of.timestamp() or start_s <= trial.tried_s or stop_s <= trial.tried_s:
                        continue
                    gone_s = trial.tried_s - trial.started_s
                    pushed.add(
                        trial, one.later, stop_s > planned_s, one.chance, rates.get(one.later, 0.5), gone_s / (planned_s - trial.started_s)
                    )  # fmt: skip
        chance, came = judged.arrays()
        return Backtest(
            as_of, len(came), judged.scores(), pushed.scores(), forecast.reliability(chance["forecast"], came), judged.warnings()
        )  # fmt: skip

    def _per_mille(self, sample: int = SAMPLE) -> int:
        """How many orders in a thousand make about `sample`."""
        held = int(self._store.rows("forecast_size")[0]["timeline_count"])
        return max(1, min(1000, 1000 * sample // max(held, 1)))


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
    """`scores`: of running clocks; `later_scores`: of promises that had not begun; `reliability`: forecasts of running clocks
    against what came, in tenths. `trial_count` 0: no history yet."""

    as_of: datetime
    trial_count: int
    scores: list[Score]
    later_scores: list[Score]
    reliability: list[Bin]
    warnings: list[Warned]

    @classmethod
    def empty(cls, as_of: datetime) -> Backtest:
        return cls(as_of, 0, [], [], [], [])


@dataclass(frozen=True)
class Trial:
    """One clock at one age, and whether it then passed its due. Instants in Unix seconds."""

    lead: int
    promise: str
    path: Path
    within_s: float
    share: float
    started_s: float
    tried_s: float
    due_s: float
    came: bool


@dataclass(frozen=True)
class Trials:
    rows: list[dict[str, Any]]
    tried_s: Numbers

    @classmethod
    def of(cls, table: pa.Table) -> Trials:
        rows = table.to_pylist()
        return cls(rows, np.array([r["tried_at"].timestamp() for r in rows]))

    def one(self, place: int) -> Trial:
        r = self.rows[place]
        started_s, tried_s, due_s = (float(r[name].timestamp()) for name in ("started_at", "tried_at", "due_at"))
        return Trial(
            lead=r["lead_key"],
            promise=r["promise"],
            path=tuple(r["path"]),
            within_s=r["within_s"],
            share=r["share"],
            started_s=started_s,
            tried_s=tried_s,
            due_s=due_s,
            came=r["came"],
        )


RULES = ("forecast", "base rate", "elapsed share")


class Said:
    """What each rule said at each trial, and what came."""

    def __init__(self) -> None:
        self._trials: list[Trial] = []
        self._about: list[str] = []
        self._came: list[bool] = []
        self._said: list[tuple[float, float, float]] = []

    def add(self, trial: Trial, about: str, came: bool, chance: float, base_rate: float, elapsed_share: float) -> None:
        """One trial about the promise `about`; trials of a clock come by ascending age."""
        self._trials.append(trial)
        self._about.append(about)
        self._came.append(came)
        self._said.append((chance, base_rate, elapsed_share))

    def arrays(self) -> tuple[dict[str, Numbers], Numbers]:
        said = np.array(self._said).reshape(-1, len(RULES))
        return {rule: said[:, n] for n, rule in enumerate(RULES)}, np.array(self._came, dtype=float)

    def scores(self) -> list[Score]:
        """All promises together, named "all", then each by name; per rule in the order of `RULES`. Empty of nothing."""
        said, came = self.arrays()
        names = ["all", *sorted(set(self._about))] if self._about else []
        about = np.array(self._about)
        found = []
        for name in names:
            held = np.ones(len(came), dtype=bool) if name == "all" else about == name
            for rule, chance in said.items():
                c, x = chance[held], came[held]
                found.append(
                    Score(name, rule, len(x), float(x.mean()), forecast.brier(c, x), forecast.calibration_error(c, x))
                )
        return found

    def warnings(self) -> list[Warned]:
        said, _ = self.arrays()
        breached = {(t.lead, t.promise): t.came for t in self._trials}
        count = sum(breached.values())
        found = []
        for rule, chance in said.items():
            first: dict[tuple[int, str], float] = {}
            for i in np.flatnonzero(chance >= WARN_AT):
                trial = self._trials[i]
                first.setdefault((trial.lead, trial.promise), (1 - trial.share) * trial.within_s)
            right = [lead_s for clock, lead_s in first.items() if breached[clock]]
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


_preparing = threading.Lock()


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables and macros that forecasts need are there. Part of opening a store; safe to run again."""
    with _preparing:
        connection.execute(sql("forecast.sql"))


_MAKE_ROOM_CURVES = """
    delete from forecast_curves
    where fitted_as_of >= $day and fitted_as_of < $next_day or fitted_as_of < $oldest or catalogue_hash <> $hash
"""
_MAKE_ROOM_LIMITS = """
    delete from silence_limits where fitted_as_of = $as_of or fitted_as_of < $oldest
"""
_LATEST_LIMITS = """
    select fitted_as_of, sum(case when segment = '' then like_count end), bool_and(l.counted_in = m.counted_in)
    from silence_limits l left join cat_milestones m using (milestone)
    where fitted_as_of <= $1 group by fitted_as_of order by fitted_as_of desc limit 1
"""
_MAKE_ROOM_LATER = "delete from forecast_later where fitted_as_of not in (select fitted_as_of from forecast_curves)"


def _counts(store: Store, as_of: datetime, per_mille: int = 1000) -> list[Count]:
    since = as_of - LOOK_BACK
    rows = store.rows("forecast_counts", as_of=as_of, since=since, edges=EDGES.tolist(), per_mille=per_mille)
    return [Count(r["promise"], tuple(r["path"]), r["bin"], r["ended_count"], r["running_count"]) for r in rows]


def _later_counts(store: Store, stages: Sequence[Stage], as_of: datetime, per_mille: int = 1000) -> list[LaterCount]:
    chains = list(forecast.chains(stages))
    if not chains:
        return []
    promises, laters, after_due_s = (list(column) for column in zip(*chains, strict=True))
    rows = store.rows(
        "forecast_later_counts", as_of=as_of, since=as_of - LOOK_BACK, edges=EDGES.tolist(), per_mille=per_mille,
        promises=promises, laters=laters, after_due_s=after_due_s,
    )  # fmt: skip
    return [
        LaterCount(
            r["promise"], tuple(r["path"]), r["later"], r["after_due_s"], r["bin"], r["decided_count"], r["late_count"]
        )
        for r in rows
    ]


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


def _by_age(later: Iterable[Later]) -> dict[tuple[str, Path, int], list[Later]]:
    found: dict[tuple[str, Path, int], list[Later]] = {}
    for one in later:
        found.setdefault((one.promise, one.path, one.bin), []).append(one)
    return found


def _seconds(instant: datetime | None) -> float:
    """Unix seconds; what has not come is infinitely late."""
    return instant.timestamp() if instant else math.inf


def _joined(arrays: Sequence[Numbers]) -> Numbers:
    return np.concatenate(arrays) if arrays else np.zeros(0)
