"""How soon a server that was killed in mid-ingest is ready again on the same database."""

from __future__ import annotations

import random
import shutil
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.load import SPANS, request
from bench.served import free_port, start

KILLS = 5
REQUESTS = 60


def run() -> list[dict[str, Any]]:
    """One row: seconds from starting the process to its `/readyz`, after each of the kills."""
    directory = Path(tempfile.mkdtemp(prefix="cashtrail-bench-"))
    rng = random.Random(9)
    taken: list[float] = []
    first = 1
    try:
        served = start(directory / "restart.duckdb", free_port())
        for _ in range(KILLS):
            with httpx.Client(timeout=30) as client:
                for number in range(REQUESTS):
                    body = request(rng, first)
                    first += SPANS // 5
                    if number == REQUESTS - 1:
                        served.process.send_signal(signal.SIGKILL)
                        break
                    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
                    client.post(f"{served.url}/v1/traces", content=body, headers=headers).raise_for_status()
            served.process.wait()
            began = time.perf_counter()
            served = start(directory / "restart.duckdb", free_port())
            taken.append(time.perf_counter() - began)
        served.process.kill()
        served.process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return [
        {
            "kills": KILLS,
            "spans_kept_before_the_last": KILLS * (REQUESTS - 1) * SPANS,
            "ready_again_median_s": round(statistics.median(taken), 2),
            "worst_s": round(max(taken), 2),
            "bar_s": 5.0,
        }
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
