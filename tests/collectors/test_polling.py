"""Pollers against a real HTTP server: pages, watermarks, waits and faults; what they read is in the store once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from collectors.ingest import Ingest
from collectors.polling import Poll
from trace_model.catalogue import loader
from trace_model.catalogue.poller_schema import Poller
from trace_model.errors import CatalogueError
from trace_model.store import Store
from trace_model.store.watermarks import Watermarks

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHIPPED = loader.text_of(None)[1]
EVENT = {
    "source": "crm", "type": "order.changed", "id": ["id", "updated_at"], "time": "updated_at",
    "attributes": {"q2c.order.id": "number", "q2c.amount": "total", "q2c.currency": "currency", "channel": "channel"},
    "constants": {"q2c.operation": "crm.submit_order"},
}  # fmt: skip


@dataclass
class Interface:
    """An interface of orders; `answer` decides, by the query, on status, headers and body."""

    url: str
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[dict[str, str]], tuple[int, dict[str, str], Any]] = lambda query: (200, {}, [])


@pytest.fixture
def interface() -> Iterator[Interface]:
    here = Interface("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            here.asked.append(query)
            here.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, headers, body = here.answer(query)
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    here.url = f"http://127.0.0.1:{server.server_address[1]}/orders"
    yield here
    server.shutdown()
    server.server_close()
    thread.join(5)


@dataclass
class Kept:
    store: Store
    ingest: Ingest
    watermarks: Watermarks

    def poll(self, interface: Interface, environment: dict[str, str] | None = None, **more: Any) -> Poll:
        declared = Poller.model_validate(
            {"name": "crm_orders", "url": interface.url, "event": EVENT, "every_s": 10} | more
        )
        return Poll(declared, self.ingest, self.watermarks, environment or {}, lambda: NOW, threading.Event())


@pytest.fixture
def kept() -> Iterator[Kept]:
    store = Store(None, loader.load(), clock=lambda: NOW)
    ingest = Ingest(store)
    yield Kept(store, ingest, Watermarks(store.database, store.clock))
    ingest.close()
    store.close()


def order(number: int, minute: int) -> dict[str, Any]:
    return {
        "id": number,
        "number": f"SO-{number}",
        "total": "10.50",
        "currency": "EUR",
        "channel": "web",
        "updated_at": f"2026-03-02T09:{minute:02}:00Z",
    }


MARK = {"path": "updated_at", "parameter": "since", "start": "2026-01-01T00:00:00Z"}


def test_items_become_spans_of_the_system_and_its_orders(kept: Kept, interface: Interface) -> None:
    interface.answer = lambda query: (200, {}, {"data": {"orders": [order(1, 0), order(2, 5)]}})
    poll = kept.poll(interface, items="data.orders")
    assert poll.round() == 10
    assert (poll.status.state, poll.status.item_count, poll.status.refused_count) == ("ok", 2, 0)
    kept.store.project()
    found = kept.store.rows("search", q="SO-2", limit=5, as_of=NOW)
    assert found[0]["lead_id"] == "SO-2"
    [source] = kept.store.rows("ingest_sources", as_of=NOW)
    assert (source["source"], source["system"], source["span_count"]) == ("poller:crm_orders", "crm", 2)


def test_the_watermark_is_what_is_asked_next_also_by_another_process(kept: Kept, interface: Interface) -> None:
    interface.answer = lambda query: (200, {}, [order(1, 30), order(2, 5)])
    kept.poll(interface, watermark=MARK).round()
    kept.poll(interface, watermark=MARK).round()
    kept.poll(interface, watermark=MARK | {"overlap_s": 300}).round()
    assert [asked["since"] for asked in interface.asked] == [
        "2026-01-01T00:00:00Z",
        "2026-03-02T09:30:00Z",
        "2026-03-02T09:25:00Z",
    ]
    assert kept.store.recorded_seq == 2, "what is read again is counted once"


def test_a_changed_item_is_another_event(kept: Kept, interface: Interface) -> None:
    interface.answer = lambda query: (200, {}, [order(1, len(interface.asked))])
    poll = kept.poll(interface)
    poll.round()
    poll.round()
    assert kept.store.recorded_seq == 2


@pytest.mark.parametrize("kind", ["cursor", "page", "link", "link header"])
def test_every_page_is_read(kept: Kept, interface: Interface, kind: str) -> None:
    def answer(query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        page = int(query.get("p", "1"))
        items = [order(page * 10 + n, n) for n in range(2)] if page <= 3 else []
        more = f"/orders?p={page + 1}" if page < 3 else None
        told = {"items": items, "next": (str(page + 1) if page < 3 else None) if kind == "cursor" else more}
        return 200, ({"Link": f'<{more}>; rel="next"'} if kind == "link header" and more else {}), told

    interface.answer = answer
    paging = {
        "cursor": {"kind": "cursor", "parameter": "p", "next": "next"},
        "page": {"kind": "page", "parameter": "p"},
        "link": {"kind": "link", "next": "next"},
        "link header": {"kind": "link"},
    }[kind]
    poll = kept.poll(interface, items="items", paging=paging)
    poll.round()
    assert (poll.status.fault, poll.status.item_count) == (None, 6)


@pytest.mark.parametrize("status", [429, 503])
def test_it_comes_back_when_it_is_asked_to_and_the_watermark_stays(
    kept: Kept, interface: Interface, status: int
) -> None:
    interface.answer = lambda query: (
        (200, {}, {"items": [order(1, 1)], "next": "2"}) if "c" not in query else (status, {"Retry-After": "77"}, {})
    )
    poll = kept.poll(
        interface, items="items", watermark=MARK, paging={"kind": "cursor", "parameter": "c", "next": "next"}
    )
    assert poll.round() == 77
    assert poll.status.state == "failing"
    assert poll.status.fault == f"it answered HTTP {status}; it asks us to wait 77 s"
    assert kept.store.recorded_seq == 1, "the first page is durable"
    assert kept.watermarks.of("crm_orders") is None, "and is read again"
    interface.answer = lambda query: (200, {}, {"items": [order(1, 1)], "next": None})
    assert poll.round() == 10
    assert (poll.status.state, poll.status.fault, poll.status.watermark) == ("ok", None, "2026-03-02T09:01:00Z")


def test_failures_wait_longer_each_time(kept: Kept, interface: Interface) -> None:
    interface.answer = lambda query: (500, {}, {})
    poll = kept.poll(interface)
    assert [poll.round() for _ in range(3)] == [10, 20, 40]
    assert poll.status.failed_in_a_row == 3


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, {}, "HTTP 401; look at `auth`"),
        (302, {}, "redirects are not followed"),
        (200, b"<html>", "not JSON"),
        (200, {"items": {"a": 1}}, "at 'items' is a dict, not a list"),
        (200, {}, "at 'items' is nothing, not a list"),
        (200, {"items": [], "next": "http://elsewhere.example/orders"}, "on another host"),
    ],
)
def test_what_cannot_be_read_is_said(kept: Kept, interface: Interface, status: int, body: Any, told: str) -> None:
    interface.answer = lambda query: (status, {"Location": "/other"}, body)
    poll = kept.poll(interface, items="items", paging={"kind": "link", "next": "next"})
    poll.round()
    assert told in (poll.status.fault or "")


def test_items_without_an_id_are_refused_and_the_others_kept(kept: Kept, interface: Interface) -> None:
    interface.answer = lambda query: (200, {}, [{"number": "SO-1"}, order(2, 1), "text"])
    poll = kept.poll(interface)
    poll.round()
    assert (poll.status.state, poll.status.item_count, poll.status.refused_count) == ("ok", 1, 2)


def test_the_secret_comes_from_the_environment_and_is_never_told(kept: Kept, interface: Interface) -> None:
    auth = {"value_from": "CRM_TOKEN"}
    without = kept.poll(interface, auth=auth)
    without.round()
    assert without.status.fault == "set CRM_TOKEN: it holds the Authorization header"
    assert interface.asked == []
    poll = kept.poll(interface, {"CRM_TOKEN": "s3cret"}, auth=auth)
    poll.round()
    assert interface.headers[0]["authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(poll.status)


def test_a_house_polls_and_says_how_it_goes(
    interface: Interface, listening: Callable[..., Any], tmp_path: Path
) -> None:
    interface.answer = lambda query: (200, {}, [order(7, 1)]) if not interface.asked[5:] else (500, {}, {})
    section = {"name": "crm_orders", "label": "CRM orders", "url": interface.url, "every_s": 0.05, "event": EVENT}
    file = tmp_path / "mine.yaml"
    file.write_text(f"{SHIPPED}\npollers: [{json.dumps(section)}]\n", "utf-8")
    here = listening(catalogue=str(file))
    here.until(lambda: here.get("/search", q="SO-7")["matches"])
    fault = here.until(
        lambda: next((p["fault"] for p in here.get("/ingest")["pollers"] if p["state"] == "failing"), None)
    )
    assert fault == "it answered HTTP 500"
    ready = httpx.get(f"{here.url}/readyz", timeout=10)
    assert (ready.status_code, ready.json()["pollers"]) == (200, {"crm_orders": fault})
    assert 'cashtrail_poller_failing{poller="crm_orders"} 1.0' in httpx.get(f"{here.url}/metrics", timeout=10).text


def test_a_wrong_section_is_told_with_its_line(tmp_path: Path) -> None:
    wrong = (
        SHIPPED
        + "\npollers:\n  - {name: a, url: ftp://x, event: {source: crm, type: t, id: [id], attributes: {q2c.order.id: n}}}\n"
    )
    with pytest.raises(CatalogueError, match=r"line \d+: pollers\.0\.url"):
        loader.read("mine.yaml", wrong)
