"""OTLP/HTTP ingest: gzip protobuf, 500 spans of 12 attributes a request, answered only when durable.

The load comes from a process of its own on the same machine, so the two cores carry sender, doors, store and projection.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import statistics
import time
from typing import Any

import httpx

from bench.load import SPANS, request
from bench.served import server

CONNECTIONS = 8
BODIES = 240


def paced(url: str, bodies: list[bytes], rate: float | None) -> tuple[float, list[float]]:
    """Sends every body, `rate` at most; returns the seconds it took and each request's own, in seconds. `rate`: spans a second at most."""

    async def run() -> tuple[float, list[float]]:
        taken: list[float] = []
        todo = iter(bodies)
        began = time.perf_counter()
        sent = 0
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=CONNECTIONS)) as client:

            async def worker() -> None:
                nonlocal sent
                for body in todo:
                    if rate:
                        await asyncio.sleep(max(0.0, began + sent * SPANS / rate - time.perf_counter()))
                    sent += 1
                    at = time.perf_counter()
                    answer = await client.post(
                        url + "/v1/traces",
                        content=body,
                        headers={"content-type": "application/x-protobuf", "content-encoding": "gzip"},
                    )
                    answer.raise_for_status()
                    taken.append(time.perf_counter() - at)

            await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
        return time.perf_counter() - began, taken

    return asyncio.run(run())


def send(url: str, bodies: list[bytes], rate: float | None = None) -> tuple[float, list[float]]:
    """As `paced`, from a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(paced, (url, bodies, rate))


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Spans a second acknowledged, request latency, server memory round by round, and how far the screens were behind."""
    rng = random.Random(7)
    rows: list[dict[str, Any]] = []
    with server() as served:
        first = 1
        for number in range(rounds):
            bodies = [request(rng, first + i * SPANS // 5) for i in range(BODIES)]
            first += BODIES * SPANS // 5
            cpu = served.cpu_s()
            seconds, taken = send(served.url, bodies)
            behind = httpx.get(served.url + "/readyz").json()["spans_behind"]
            at = time.perf_counter()
            while httpx.get(served.url + "/readyz").json()["spans_behind"]:
                time.sleep(0.05)
            rows.append(
                {
                    "round": number + 1,
                    "spans": BODIES * SPANS,
                    "spans_per_s": round(BODIES * SPANS / seconds),
                    "bar_spans_per_s": 20_000,
                    "request_p50_ms": round(statistics.median(taken) * 1000),
                    "request_p95_ms": round(statistics.quantiles(taken, n=20)[18] * 1000),
                    "spans_behind_at_end": behind,
                    "caught_up_after_s": round(time.perf_counter() - at, 2),
                    "server_cpu_s": round(served.cpu_s() - cpu, 1),
                    "server_memory_mb": round(served.memory_mb()),
                }
            )
    return rows


if __name__ == "__main__":
    for row in run():
        print(row)
