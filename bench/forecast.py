"""Forecasts on the simulated estate's own history: how good the chances were, against two plain rules, and what they cost.

The estate plays a month in about a minute into a headless server; the database is then opened here and walked through
day by day, each day's chances made with what was known by then.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.served import free_port, start
from trace_model import catalogue
from trace_model.catalogue.loader import load
from trace_model.store.forecasts import Forecasts, Score
from trace_model.store.store import Store

DAYS = 30
SEED = 11
"""Another month than the demonstration's, by which nothing was chosen."""


def run() -> list[dict[str, Any]]:
    """Scores of running clocks and of promises that had not begun, warnings, calibration in tenths, and times."""
    with estate_history(DAYS, SEED) as store:
        now = store.clock()
        forecasts = Forecasts(store)
        fit_s, curve_count = _timed(lambda: forecasts.refresh(now))
        asked: dict[str, Any] = {"promise": None, "region": None, "product_line": None, "legal_entity": None}
        read_s, rows = _timed(
            lambda: store.rows("forecast_clocks", as_of=now, with_breached=False, offset=0, limit=50, **asked)
        )
        backtest_s, result = _timed(lambda: forecasts.backtest(now))
    table = [_score("running clocks", score, 0.05) for score in result.scores]
    table += [_score("promises not begun", score, 0.05) for score in result.later_scores]
    table += [
        {
            "warned_by": w.rule,
            "breaches": w.breach_count,
            "warned_of": round(w.warned_share, 3),
            "median_lead_working_h": round(w.lead_s / 3600, 1) if w.lead_s is not None else None,
            "warnings_that_came": round(w.right_share, 3) if w.right_share is not None else None,
        }
        for w in result.warnings
    ]
    table += [
        {
            "forecast_tenth": f"{b.low:.1f} to {b.high:.1f}",
            "trials": b.count,
            "mean_said": round(b.mean_chance, 3),
            "came": round(b.came_share, 3),
        }
        for b in result.reliability
    ]
    table.append(
        {
            "curves": curve_count,
            "fit_s": round(fit_s, 2),
            "open_clocks": rows[0]["total_count"] if rows else 0,
            "list_of_50_s": round(read_s, 3),
            "backtest_s": round(backtest_s, 1),
        }
    )
    return table


def _score(about: str, score: Score, bar: float) -> dict[str, Any]:
    is_bar = score.promise == "all" and score.rule == "forecast"
    return {
        "about": about,
        "promise": score.promise,
        "rule": score.rule,
        "trials": score.trial_count,
        "breached": round(score.breach_share, 3),
        "brier": round(score.brier, 4),
        "calibration_error": round(score.calibration_error, 4),
        "bar": f"calibration < {bar}; lowest brier" if is_bar else "",
    }


@contextmanager
def estate_history(days: int, seed: int) -> Iterator[Store]:
    """The estate's last `days`, recorded by the real door and derived; gone afterwards. Raises if the estate fails."""
    directory = Path(tempfile.mkdtemp(prefix="cashtrail-forecast-"))
    database = directory / "history.duckdb"
    try:
        served = start(database, free_port(), headless=True)
        try:
            estate = [sys.executable, "-m", "sample_data", "--endpoint", served.url + "/v1/traces", "--no-live"]
            estate += ["--days", str(days), "--seed", str(seed), "--engine-port", "0"]
            subprocess.run(estate, check=True, stdout=subprocess.DEVNULL, timeout=600)
        finally:
            served.process.send_signal(signal.SIGTERM)
            served.process.wait(60)
        until = datetime.now(UTC)
        store = Store(database, load(Path(catalogue.__file__).parent / "quote_to_cash.yaml"), clock=lambda: until)
        try:
            store.project()
            yield store
        finally:
            store.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _timed(work: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    for row in run():
        print(row)
