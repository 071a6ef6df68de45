"""The journey of a RevOps analyst in a real Chromium, through a real server, against a real sync engine.

Open Today, search an order by its invoice number, open its timeline, see the failure, replay it, watch it resolve.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.served import Served, free_port, running
from sample_data.rehearsal import Rehearsal, run_scenario

pytestmark = pytest.mark.browser
WAIT_MS = 30_000


@dataclass
class Stage:
    """A served console and an estate whose one order could not report its invoice to the CRM: the record was locked."""

    served: Served
    estate: Rehearsal
    order: str
    invoice: str


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    engine_port = free_port()
    engine = f"sync-engine=http://127.0.0.1:{engine_port}"
    with (
        running(tmp_path / "cashtrail.duckdb", environment={"CASHTRAIL_ENGINE_URLS": engine}) as served,
        run_scenario("record_lock", seed=11, endpoint=f"{served.url}/v1/traces", engine_port=engine_port) as estate,
    ):
        truth = next(line for line in estate.truth.lines() if line["kind"] == "order")
        assert [f["open"] for f in truth["failures"]] == [True], "the story is not set up: nothing stands still"
        invoice = next(o["id"] for o in truth["objects"] if o["type"] == "invoice")
        over = threading.Event()

        def deliver() -> None:
            # the rehearsal hands its spans over when asked; live, its exporter would do so every moment
            while not over.wait(0.3):
                estate.flush()

        courier = threading.Thread(target=deliver, daemon=True)
        courier.start()
        shown_by = time.monotonic() + 60
        while not httpx.get(f"{served.url}/api/v1/search", params={"q": invoice}, timeout=30).json()["matches"]:
            assert time.monotonic() < shown_by, f"invoice {invoice} was sent and is not shown"
            time.sleep(0.2)
        yield Stage(served, estate, truth["order"], invoice)
        over.set()
        courier.join(10)


def test_an_analyst_finds_a_stuck_order_by_its_invoice_and_moves_it_on(stage: Stage, browser: Any) -> None:
    from playwright.sync_api import expect

    page = browser.new_page(viewport={"width": 1440, "height": 1000}, timezone_id="Europe/Berlin")
    page.set_default_timeout(WAIT_MS)
    errors: list[str] = []
    page.on("pageerror", lambda fault: errors.append(str(fault)))

    page.goto(stage.served.url)
    expect(page.get_by_role("heading", name="Today", exact=True)).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text("Exceptions to deal with")).to_be_visible(timeout=WAIT_MS)

    search = page.get_by_placeholder("Order, invoice, customer")
    search.fill(stage.invoice)
    search.press("Enter")
    expect(page.get_by_role("heading", name=stage.order)).to_be_visible(timeout=WAIT_MS)
    assert f"id={stage.order}" in page.url, "the timeline's address is not one that can be shared"
    expect(page.get_by_text("1 open, 0 resolved")).to_be_visible(timeout=WAIT_MS)

    assert stage.estate.repair(stage.order), "there was no lock to let go of"
    page.get_by_role("button", name="Replay").click()
    page.get_by_label("Reason").fill("the lock on the CRM record has gone")
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Send").click()
    page.get_by_label("Reason").fill("the plan is what I want sent")
    # a double click on the last word sends once
    page.get_by_role("dialog").get_by_role("button", name="Send").dblclick()
    expect(page.get_by_text("Milestone reached").first).to_be_visible(timeout=WAIT_MS)

    page.goto(f"{stage.served.url}/order?type=order&id={stage.order}")
    expect(page.get_by_text("0 open, 1 resolved")).to_be_visible(timeout=WAIT_MS)
    assert not errors, errors
    assert len(stage.estate.books.bookings("crm.update_invoice_status", stage.invoice)) == 1


@pytest.mark.parametrize(
    "path",
    ["", "orders", "exceptions", "replays", "invoice-latency", "dependencies", "ingest", "order?type=order&id={order}"],
)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 900)])
def test_every_room_opens_without_an_error(stage: Stage, browser: Any, path: str, scheme: str, width: int) -> None:
    from playwright.sync_api import expect

    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{stage.served.url}/{path.format(order=stage.order)}")
    expect(page.locator("h1").first).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1500)
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.get_by_text("Page not found").count() == 0
    context.close()


def test_an_order_that_comes_in_later_appears_in_the_search_by_itself(stage: Stage, browser: Any) -> None:
    from playwright.sync_api import expect

    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{stage.served.url}/search?q=LATE-1")
    expect(page.get_by_text("Nothing found.")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("link", name="Exceptions")).not_to_be_in_viewport()
    order = {"key": "q2c.order.id", "value": {"stringValue": "LATE-1"}}
    start = time.time_ns()
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "submit",
        "attributes": [order],
    }
    span |= {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 10**6)}
    system = {"key": "service.name", "value": {"stringValue": "crm"}}
    body = {"resourceSpans": [{"resource": {"attributes": [system]}, "scopeSpans": [{"spans": [span]}]}]}
    httpx.post(f"{stage.served.url}/v1/traces", json=body, timeout=30).raise_for_status()
    expect(page.get_by_role("link", name="LATE-1")).to_be_visible(timeout=WAIT_MS)
    page.close()


def test_no_watcher_unloads_the_console_when_its_files_change(stage: Stage, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{stage.served.url}/orders")
    page.locator("h1").first.wait_for(timeout=WAIT_MS)
    held = [os.readlink(fd) for fd in Path(f"/proc/{stage.served.process.pid}/fd").iterdir() if fd.is_symlink()]
    assert any("socket" in what for what in held), "not the server's process"
    assert not [what for what in held if "inotify" in what]
    page.close()
