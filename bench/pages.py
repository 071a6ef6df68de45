"""Every page's script against 100,000 orders: at rest, and while 5,000 spans a second come in.

A real Chromium opens each room of a real server again and again; the server's own histogram tells how long each script ran.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.ingest import paced
from bench.load import SPANS, request
from bench.projection import EVERY_NS, Estate
from bench.served import running
from console.components.rooms import ROOMS
from trace_model.catalogue.loader import load
from trace_model.store import Store
from trace_model.store.store import utc_now

PLACES = {"order": "order?type=order&id=SO-77777", "search": "search?q=INV-77777"}
"""What a room that shows one thing is asked for; the exception is the first of the queue."""
RATE = 5_000
VISITS = {0: 4, RATE: 3}
"""How often each room is opened, by the load in spans a second."""
LOAD_S = 240
"""How long the load lasts: about as long as the visits."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


def run(orders: int = 100_000) -> list[dict[str, Any]]:
    """One row per room and load: runs, share within 0.5 s and 1 s, and the bucket that holds the 95th percentile."""
    directory = Path(tempfile.mkdtemp(prefix="cashtrail-bench-"))
    database = directory / "pages.duckdb"
    try:
        store = Store(database, load(), clock=utc_now, threads=2)
        # a history that ends now: an old one would be stuck as a whole
        began_ns = time.time_ns() - orders * EVERY_NS
        for table in Estate(orders, began_ns).history(orders):
            store.record(table)
        store.rebuild()
        store.close()
        with running(database) as served:
            places = _places(served.url)
            _visit(served.url, places, 1)  # the first run of a page imports it
            before = _histogram(served.url)
            _visit(served.url, places, VISITS[0])
            quiet = _histogram(served.url)
            rows = _rows(before, quiet, 0)
            rng = random.Random(5)
            bodies = [request(rng, 10_000_000 + i * SPANS // 5) for i in range(RATE * LOAD_S // SPANS)]
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                sending = pool.apply_async(paced, (served.url, bodies, RATE))
                time.sleep(2)
                _visit(served.url, places, VISITS[RATE])
                loaded = _histogram(served.url)
                seconds, _ = sending.get()
            rows += _rows(quiet, loaded, round(len(bodies) * SPANS / seconds))
        return rows
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _places(url: str) -> list[str]:
    """The address of every room, below the server's."""
    found = httpx.get(url + "/api/v1/exceptions", params={"limit": 1}, timeout=60).json()["exceptions"]
    shown = PLACES | {"exception": f"exception?id={found[0]['exception_id']}"}
    return [shown.get(room.path, room.path) for room in ROOMS]


def _visit(url: str, places: list[str], times: int) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page()
        for _ in range(times):
            for place in places:
                page.goto(f"{url}/{place}")
                page.locator("h1").first.wait_for(timeout=60_000)
                page.wait_for_timeout(700)
        browser.close()


def _histogram(url: str) -> Counter[tuple[str, float]]:
    """Runs by page and upper bound in seconds, cumulative as Prometheus has them."""
    counts: Counter[tuple[str, float]] = Counter()
    for family in text_string_to_metric_families(httpx.get(url + "/metrics", timeout=30).text):
        for sample in family.samples:
            if sample.name == "cashtrail_page_seconds_bucket":
                counts[sample.labels["page"], float(sample.labels["le"])] = int(sample.value)
    return counts


def _rows(before: Counter[tuple[str, float]], after: Counter[tuple[str, float]], rate: int) -> list[dict[str, Any]]:
    rows = []
    for page in sorted({page for page, _ in after}):
        bounds = sorted(bound for name, bound in after if name == page)
        runs = {bound: after[page, bound] - before[page, bound] for bound in bounds}
        total = runs[bounds[-1]]
        if total:
            rows.append(
                {
                    "page": page,
                    "load_spans_per_s": rate,
                    "runs": total,
                    "within_0.5_s": round(runs[0.5] / total, 3),
                    "within_1_s": round(runs[1.0] / total, 3),
                    "p50_at_most_s": next(b for b in bounds if runs[b] >= total * 0.5),
                    "p95_at_most_s": next(b for b in bounds if runs[b] >= total * 0.95),
                    "bar_s": 1.0 if rate else 0.5,
                }
            )
    return rows


if __name__ == "__main__":
    for row in run():
        print(row)
