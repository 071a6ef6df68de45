"""Outages found in a month of the simulated estate, against what truly happened: `python -m bench outages`.

An outage can be known from the first call that it meets, and over from the first that is answered again: delays count
from there. Members are orders: those that truly met the outage against those that the console names.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from bench.served import running

DAYS, SEED = 30, 7
PAGE = 1000
Row = dict[str, Any]


def judge(truth: list[Row], found: list[Row], members: dict[str, set[str]]) -> list[Row]:
    """One row per kind of outage: how many truly met an order, were found, were invented; members; delays in seconds.

    `found` are outages and `members` the orders of each, as the API gives them.
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
        ends = [_seconds(fs[0]["ended_at"], t["ended_at"]) for t, fs in told if fs[0]["ended_at"] and t["ended_at"]]
        rows.append(
            {
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
                "end_after_true_end_s_median": sorted(ends)[len(ends) // 2] if ends else None,
            }
        )
    return rows


def run() -> list[Row]:
    """A month of the estate through a real door, then the outages by the API."""
    with tempfile.TemporaryDirectory(prefix="cashtrail-bench-") as directory:
        truth_file = Path(directory) / "truth.jsonl"
        with running(Path(directory) / "bench.duckdb", headless=True) as served:
            estate = [sys.executable, "-m", "sample_data", "--endpoint", f"{served.url}/v1/traces", "--days", str(DAYS)]
            estate += ["--seed", str(SEED), "--engine-port", "0", "--no-live", "--truth", str(truth_file)]
            subprocess.run(estate, check=True, stdout=subprocess.DEVNULL)
            with httpx.Client(base_url=f"{served.url}/api/v1", timeout=60) as api:
                found = (
                    api.get("/outages", params={"days": DAYS + 5, "limit": PAGE}).raise_for_status().json()["outages"]
                )
                members = {o["outage_id"]: _orders(api, o["outage_id"]) for o in found}
        lines = [json.loads(line) for line in truth_file.read_text("utf-8").splitlines()]
    return judge([line for line in lines if line["kind"] == "outage"], found, members)


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
    for row in run():
        print(row)
