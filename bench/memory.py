"""The server's memory over a long ingest: the store may hold a gigabyte, and what comes in is many times that.

Each round sends as much as the one before and lets the derived rows catch up; the file grows, the memory must not.
"""

from __future__ import annotations

import random
import time
from typing import Any

import httpx

from bench.ingest import send
from bench.load import SPANS, request
from bench.served import server

LIMIT = "1GB"
BODIES = 240


def run(rounds: int = 12) -> list[dict[str, Any]]:
    """Resident memory after each round, and its growth over the second half for each million spans."""
    rng = random.Random(11)
    rows: list[dict[str, Any]] = []
    with server(environment={"CASHTRAIL_MEMORY_LIMIT": LIMIT}) as served:
        first = 1
        for number in range(rounds):
            bodies = [request(rng, first + i * SPANS // 5) for i in range(BODIES)]
            first += BODIES * SPANS // 5
            seconds, _ = send(served.url, bodies)
            while httpx.get(served.url + "/readyz", timeout=60).json()["spans_behind"]:
                time.sleep(0.2)
            rows.append(
                {
                    "spans_so_far": (number + 1) * BODIES * SPANS,
                    "spans_per_s": round(BODIES * SPANS / seconds),
                    "store_limit": LIMIT,
                    "server_memory_mb": round(served.memory_mb()),
                    "database_mb": round(sum(f.stat().st_size for f in served.database.parent.iterdir()) / 2**20),
                }
            )
            print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    run()
