"""`make shots`: the pictures of the README and the docs, from a real Chromium on a console that a month of orders has filled."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from bench.served import free_port, running
from tests.conftest import CHROMIUM_FLAGS, chromium_path

SHOTS = Path(__file__).parents[2] / "docs" / "shots"
DAYS, SEED = 21, 7
SETTLE_MS = 3500
WIDTH, HEIGHT = 1440, 960
LOWER = {"trace": 750}
"""Pictures that end earlier: what stands below holds paths of the machine that ran the estate."""


def main() -> int:
    """Fills a console, takes the pictures into docs/shots/; 1 with a word where there is no browser."""
    path = chromium_path()
    if path is None:
        print("no Chromium on the PATH; `apt-get install chromium`, then run again", file=sys.stderr)
        return 1
    engine_port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        environment = {"CASHTRAIL_ENGINE_URLS": f"sync-engine=http://127.0.0.1:{engine_port}"}
        with running(Path(directory) / "shots.duckdb", environment=environment) as served:
            estate = [sys.executable, "-m", "sample_data", "--endpoint", f"{served.url}/v1/traces", "--days", str(DAYS)]
            estate += ["--seed", str(SEED), "--engine-port", str(engine_port), "--no-live"]
            subprocess.run([*estate, "--truth", f"{directory}/truth.jsonl"], check=True)
            _take(served.url, path)
    return 0


def _take(url: str, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    api = httpx.Client(base_url=f"{url}/api/v1", timeout=30)
    failing = api.get("/exceptions", params={"class": "business"}).json()["exceptions"][0]
    order, group = failing["lead"]["id"], failing["group_id"]
    rooms = {
        "today": "",
        "orders": "orders?state=breached,stuck,at_risk",
        "order": f"order?type=order&id={order}",
        "trace": f"order?type=order&id={order}&part=traces",
        "forecast": "forecast",
        "exceptions": "exceptions",
        "exception": f"exceptions?group={group}",
        "invoice-latency": "invoice-latency",
        "completeness": "completeness",
        "process-map": "process-map",
        "dependencies": "dependencies",
        "ingest": "ingest",
    }
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        for scheme, names in (("light", list(rooms)), ("dark", ["today", "order"])):
            context: Any = browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, timezone_id="Europe/Berlin"
            )
            page = context.new_page()
            for name in names:
                page.goto(f"{url}/{rooms[name]}")
                page.locator("h1").first.wait_for(timeout=30_000)
                page.wait_for_timeout(SETTLE_MS)
                target = SHOTS / (f"{name}.png" if scheme == "light" else f"{name}-dark.png")
                page.screenshot(path=target, clip={"x": 0, "y": 0, "width": WIDTH, "height": LOWER.get(name, HEIGHT)})
                print(target.name)
            context.close()
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
