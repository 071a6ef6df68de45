"""How soon a span that was accepted shows in an answer, at rest and while 5,000 spans a second come in."""

from __future__ import annotations

import multiprocessing
import random
import statistics
import time
from typing import Any

import httpx

from bench.ingest import paced
from bench.load import SPANS, request
from bench.served import server

RATE = 5_000
SECONDS = 20
PROBES = 40


def run() -> list[dict[str, Any]]:
    """Seconds from a door's answer to the first API answer that shows the span: median, p95, worst."""
    rng = random.Random(3)
    rows = []
    with server() as served:
        rows.append({"load_spans_per_s": 0} | _probed(served.url, rng, 900_000))
        bodies = [request(rng, 1 + i * SPANS // 5) for i in range(RATE * SECONDS // SPANS)]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            sending = pool.apply_async(paced, (served.url, bodies, RATE))
            time.sleep(2)
            figures = _probed(served.url, rng, 950_000)
            seconds, _ = sending.get()
        rows.append({"load_spans_per_s": round(len(bodies) * SPANS / seconds)} | figures)
    return rows


def _probed(url: str, rng: random.Random, first: int) -> dict[str, Any]:
    taken = []
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    with httpx.Client(base_url=url, timeout=30) as client:
        for number in range(first, first + PROBES):
            client.post("/v1/traces", content=request(rng, number, spans=1), headers=headers).raise_for_status()
            accepted = time.perf_counter()
            while client.get(f"/api/v1/timelines/order/SO-{number}").status_code != 200:
                time.sleep(0.02)
            taken.append(time.perf_counter() - accepted)
            time.sleep(0.25)
    return {
        "probes": PROBES,
        "shown_after_p50_s": round(statistics.median(taken), 3),
        "shown_after_p95_s": round(statistics.quantiles(taken, n=20)[18], 3),
        "worst_s": round(max(taken), 3),
        "bar_p95_s": 2.0,
    }


if __name__ == "__main__":
    for row in run():
        print(row)
