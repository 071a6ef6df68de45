"""Real receivers on loopback, and a house of alerts whose clock stands where a test puts it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from console.alerts.channels import open_channels
from console.alerts.deeds import AlertDeeds
from console.alerts.worker import AlertWorker
from tests.console.alerts.stories import Story, instant
from trace_model.catalogue import loader
from trace_model.catalogue.alert_rules import AlertRules
from trace_model.catalogue.failure_rules import Rules, load_rules
from trace_model.catalogue.schema import Catalogue
from trace_model.store import Store
from trace_model.store.alert_ledger import AlertLedger


@dataclass
class Receiver:
    """An HTTP receiver: what it got, and the statuses that it answers next (200 when it runs out of them)."""

    url: str
    got: list[tuple[Mapping[str, str], Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    retry_after: str | None = None

    @property
    def bodies(self) -> list[Any]:
        return [body for _, body in self.got]

    @property
    def events(self) -> list[str]:
        return [body["event"] for body in self.bodies]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            here.got.append((dict(self.headers), body))
            status = here.answers.pop(0) if here.answers else 200
            self.send_response(status)
            if here.retry_after and status != 200:
                self.send_header("Retry-After", here.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield here
    server.shutdown()
    server.server_close()
    thread.join(5)


@cache
def business() -> tuple[Catalogue, Rules]:
    """The shipped catalogue and failure rules, read once."""
    return loader.load(), load_rules(None)


@dataclass
class Alerting:
    """A store, its ledger and a worker, at an instant that the test moves."""

    store: Store
    ledger: AlertLedger
    worker: AlertWorker
    deeds: AlertDeeds
    now: list[datetime]

    def at(self, seconds: float) -> Alerting:
        """Now is `seconds` after T0, and the worker has looked and delivered once."""
        self.now[0] = instant(seconds)
        self.worker.tick()
        return self

    def told(self, story: Story) -> None:
        """The spans of `story` are kept; those already kept are told again, which changes nothing."""
        self.store.record(story.table())

    def alerts(self, **asked: Any) -> list[dict[str, Any]]:
        every = {"state": None, "kind": None, "owner_team": None, "alert_id": None, "offset": 0, "limit": 100}
        return self.store.rows("alert_list", as_of=self.now[0], **{**every, **asked})

    def deliveries(self, **asked: Any) -> list[dict[str, Any]]:
        every = {"state": None, "alert_id": None, "offset": 0, "limit": 100}
        return self.store.rows("alert_deliveries", as_of=self.now[0], **{**every, **asked})

    def events(self, alert_id: str) -> list[str]:
        return [row["event"] for row in self.store.rows("alert_events", alert_id=alert_id, as_of=self.now[0])]


@pytest.fixture
def alerting() -> Iterator[Callable[..., Alerting]]:
    """Makes a house with the shipped catalogue, the rules given and the channels' addresses given."""
    opened: list[Alerting] = []

    def make(
        routes: Sequence[Mapping[str, Any]] = (),
        channels: Sequence[Mapping[str, Any]] = (),
        addresses: Mapping[str, str] | None = None,
        path: Path | None = None,
        pollers: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
        **rules: Any,
    ) -> Alerting:
        now = [instant(0)]
        catalogue, known = business()
        store = Store(path, catalogue, clock=lambda: now[0], rules=known)
        ledger = AlertLedger(store.database, store.clock)
        section = AlertRules.model_validate({"routes": routes, "channels": channels, **rules})
        given = {f"ALERT_CHANNEL_{name.upper()}": address for name, address in (addresses or {}).items()}
        worker = AlertWorker(
            store,
            ledger,
            section,
            open_channels(section.channels, given),
            store.clock,
            "https://cashtrail.test",
            pollers,
        )
        made = Alerting(store, ledger, worker, AlertDeeds(store, ledger), now)
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.worker.stop()
        made.store.close()
