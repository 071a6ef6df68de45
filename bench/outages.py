"""Outages found in months of the simulated estate, against what truly happened: `python -m bench outages`; other months by `python -m
bench.outages SEED ...`.

An outage can be known from the first call that it meets, and over from the first that is answered again: delays count
from there; how long nobody called after the true end is beside it. The months are of seeds that no rule was written by.
Members are orders: those that truly met the outage against those that the console names. No engine is asked: the past has none.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench.served import running
from trace_model.catalogue.loader import load
from trace_model.store import Store
from trace_model.store.store import utc_now

DAYS, SEEDS = 30, (31, 47)
PAGE = 1000
Row = dict[str, Any]


def judge(
    seed: int, truth: list[Row], found: list[Row], members: dict[str, set[str]], answered: dict[str, list[str]]
) -> list[Row]:
    """One row per kind of outage: how many truly met an order, were found, were invented; members; delays in seconds.

    `found` are outages and `members` the orders of each, as the API gives them; `answered`: when each system answered, in order.
    """
    rows = []
    for kind in ("downtime", "throttling"):
        true = [o for o in truth if o["cause"] == kind and o["orders"]]
        mine = [o for o in found if o["kind"] == kind]
        matched = {id(t): [f for f in mine if _same(t, f)] for t in true}
        told = [(t, fs) for t, fs in ((t, matched[id(t)]) for t in true) if fs]
        right = sum(len(set(t["orders"]) & _union(fs, members)) for t, fs in told)
        named = sum(len(members[f["outage_id"]]) for f in mine)
        late = [_seconds(fs[-1]["found_at"], fs[-1]["first_failed_at"]) for _, fs in told]
        over = [(t, _last_end(fs)) for t, fs in told if _last_end(fs) and t["ended_at"]]
        ends = sorted(_seconds(end, t["ended_at"]) for t, end in over)
        silent = sorted(
            _seconds(_first_after(answered[t["dependency"]], t["ended_at"]), t["ended_at"]) for t, _ in over
        )
        after_answer = [
            _seconds(end, _first_after(answered[t["dependency"]], t["ended_at"]))
            for t, end in over
            if end >= t["ended_at"]
        ]
        rows.append(
            {
                "seed": seed,
                "kind": kind,
                "true": len(true),
                "found": len(told),
                "invented": len([f for f in mine if not any(f in fs for _, fs in told)]),
                "split": sum(len(fs) > 1 for _, fs in told),
                "members_precision": round(right / named, 3) if named else None,
                "members_recall": round(right / sum(len(t["orders"]) for t in true), 3) if true else None,
                "found_after_s_worst": max(late, default=None),
                "failed_runs_until_found_worst": max((f["failed_runs_until_found"] for f in mine), default=None),
                "ended_before_true_end": sum(e < -60 for e in ends),
                "end_after_first_answer_s_worst": max(after_answer, default=None),
                "end_after_true_end_s_median": ends[len(ends) // 2] if ends else None,
                "nobody_called_for_s_median": silent[len(silent) // 2] if silent else None,
            }
        )
    return rows


def run(seeds: Sequence[int] = SEEDS) -> list[Row]:
    """For each seed a month of the estate through a real door, then the outages by the API."""
    return [row for seed in seeds for row in _month(seed)]


def _month(seed: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="cashtrail-bench-") as directory:
        truth_file, database = Path(directory) / "truth.jsonl", Path(directory) / "bench.duckdb"
        with running(database, headless=True) as served:
            estate = [sys.executable, "-m", "sample_data", "--endpoint", f"{served.url}/v1/traces", "--days", str(DAYS)]
            estate += ["--seed", str(seed), "--engine-port", "0", "--no-live", "--truth", str(truth_file)]
            subprocess.run(estate, check=True, stdout=subprocess.DEVNULL)
            with httpx.Client(base_url=f"{served.url}/api/v1", timeout=60) as api:
                found = (
                    api.get("/outages", params={"days": DAYS + 5, "limit": PAGE}).raise_for_status().json()["outages"]
                )
                members = {o["outage_id"]: _orders(api, o["outage_id"]) for o in found}
        lines = [json.loads(line) for line in truth_file.read_text("utf-8").splitlines()]
        store = Store(database, load(), clock=utc_now, rebuilds="never")
        try:
            answered = _answers(store)
        finally:
            store.close()
    return judge(seed, [line for line in lines if line["kind"] == "outage"], found, members, answered)


def _answers(store: Store) -> dict[str, list[str]]:
    """When each system answered a call, in order, by all runs that succeeded."""
    with store.database.reading() as c:
        rows = c.execute(
            "select system, list(distinct ended_at order by ended_at) from operation_runs where not is_error group by system"
        ).fetchall()
    return {system: [at.astimezone(UTC).isoformat() for at in instants] for system, instants in rows}


def _first_after(instants: Sequence[str], at: str) -> str:
    """The first of `instants` from `at` on; `at` itself where there is none."""
    return next((one for one in instants if datetime.fromisoformat(one) >= datetime.fromisoformat(at)), at)


def _last_end(found: list[Row]) -> str:
    """When the last of the outages found for one true outage ended; empty where it has not."""
    return "" if any(f["ended_at"] is None for f in found) else max(str(f["ended_at"]) for f in found)


def _orders(api: httpx.Client, outage_id: str) -> set[str]:
    told = api.get(f"/outages/{outage_id}", params={"limit": PAGE}).raise_for_status().json()
    return {order for member in told["members"] for order in member["order_ids"]}


def _same(true: Row, found: Row) -> bool:
    until = true["ended_at"] or found["last_failed_at"]
    return (
        true["dependency"] == found["system"]
        and found["started_at"] <= until
        and found["last_failed_at"] >= true["started_at"]
    )


def _union(found: list[Row], members: dict[str, set[str]]) -> set[str]:
    return {order for one in found for order in members[one["outage_id"]]}


def _seconds(later: str, earlier: str) -> float:
    return round((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds(), 1)


if __name__ == "__main__":
    for row in run([int(seed) for seed in sys.argv[1:]] or SEEDS):
        print(row)
