"""A small real engine over HTTP, whose target keeps its own books, and the spans that they would send.

It can be told to misbehave: answer late, not at all, take a call and drop the answer, say nothing true to a probe. The
books are the judge: an object booked twice is a duplicate, whatever anybody says.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

from trace_model.spans import SCHEMA

Said = Callable[[list[dict[str, Any]]], None]


def span(
    name: str, attributes: dict[str, Any], *, failed: str | None = None, service: str = "sync-engine"
) -> dict[str, Any]:
    """One finished span of now, as the door would record it."""
    now = time.time_ns()
    return {
        "trace_id": uuid.uuid4().bytes, "span_id": random.getrandbits(63), "parent_span_id": None, "name": name, "kind": 1,
        "service": service, "scope": None, "start_unix_ns": now - 10_000_000, "end_unix_ns": now,
        "status_code": 2 if failed else 1, "status_message": failed, "trace_state": None,
        "attributes": json.dumps(attributes), "resource": "{}", "events": None, "links": None, "source": "test",
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> pa.Table:
    columns = []
    for column in SCHEMA:
        values = pa.array(
            [row[column.name] for row in rows], pa.binary(16) if column.name == "trace_id" else column.type
        )
        columns.append(pa.ExtensionArray.from_storage(pa.uuid(), values) if column.name == "trace_id" else values)
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def failed_order(number: int, **more: Any) -> list[dict[str, Any]]:
    """An order that was submitted, and that the ERP did not take."""
    keys = {"q2c.order.id": f"SO-{number}", "correlation_id": f"c-{number}"}
    value = {"q2c.amount": f"{100 + number}.00", "q2c.currency": "EUR"}
    refused = {
        "q2c.operation": "erp.create_order", "q2c.error.code": "503", "http.response.status_code": 503,
        "peer.service": "erp-de", "q2c.outcome": "gave_up",
    }  # fmt: skip
    return [
        span("crm.submit_order", keys | value | {"q2c.operation": "crm.submit_order"}),
        span("erp.create_order", keys | refused | more, failed="503 Service Unavailable"),
    ]


@dataclass
class Mischief:
    """How often (0 to 1) the engine does each of these, and what it says of its dependency."""

    drops_answer: float = 0.0
    answers_503_after_taking: float = 0.0
    is_late: float = 0.0
    late_by_s: float = 0.3
    fails_again: float = 0.0
    stays_silent: float = 0.0
    refuses: float = 0.0
    busy: float = 0.0
    says_twice: float = 0.0
    probe_is_mute: float = 0.0
    down: set[str] = field(default_factory=set)
    other_cause: bool = False
    names_request: bool = False
    reconciles: bool = False


class SmallEngine:
    """Takes replays once a key, books them at its target, and says so in spans through `said`."""

    def __init__(self, said: Said, seed: int = 1) -> None:
        self.mischief = Mischief()
        self.books: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.posts = 0
        self.calling = self.most_calling = 0
        self.kept: list[dict[str, Any]] = []
        self.bodies: list[dict[str, Any]] = []
        self.said = said
        self._runs: dict[str, dict[str, str]] = {}
        self._states: dict[str, str] = {}
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.url = ""

    @contextmanager
    def counted(self) -> Iterator[None]:
        """One more call is under way within the block."""
        with self._lock:
            self.calling += 1
            self.most_calling = max(self.most_calling, self.calling)
        yield
        with self._lock:
            self.calling -= 1

    def chance(self, share: float) -> bool:
        with self._lock:
            return self._random.random() < share

    def post(self, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
        m = self.mischief
        thing = body["object"]["id"]
        with self._lock:
            self.posts += 1
            self.calls[key] += 1
            self.bodies.append(body)
            if key in self._runs:
                return 200, self._runs[key], {}
        if self.chance(m.busy):
            return 503, {"reason": "busy"}, {"retry-after": "0.1"}
        if self.chance(m.refuses):
            return 422, {"reason": f"{thing} has no mapping"}, {}
        with self._lock:
            if key in self._runs:
                return 200, self._runs[key], {}
            if self.books[thing] and m.reconciles:
                self._carry_on(body)
            if self.books[thing]:
                return 409, {"reason": f"the ERP has {thing}"}, {}
            self._runs[key] = {"run_id": f"run-{len(self._runs)}"}
            self._states[body["replay_id"]] = "running"
        threading.Thread(target=self._work, args=(body,), daemon=True).start()
        if self.chance(m.answers_503_after_taking):
            return 502, {"reason": "bad gateway"}, {}
        return 202, self._runs[key], {}

    def _carry_on(self, body: dict[str, Any]) -> None:
        keys = {f"q2c.{body['object']['type']}.id": body["object"]["id"], "q2c.operation": body["operation"]}
        told = {"q2c.replay.id": body["replay_id"], "q2c.outcome": "already_present", "peer.service": "erp-de"}
        self.said([span(body["operation"], keys | told)])

    def _work(self, body: dict[str, Any]) -> None:
        m, thing = self.mischief, body["object"]["id"]
        if self.chance(m.is_late):
            time.sleep(m.late_by_s)
        keys = {
            f"q2c.{body['object']['type']}.id": thing, "q2c.operation": body["operation"], "q2c.replay.id": body["replay_id"],
            "peer.service": "erp-de",
        }  # fmt: skip
        if self.chance(m.fails_again):
            code = "MAPPING_MISSING" if m.other_cause else "503"
            status = {} if m.other_cause else {"http.response.status_code": 503}
            message = "no mapping" if m.other_cause else "503 Service Unavailable"
            message += f", request {uuid.uuid4()}" if m.names_request else ""
            said = [
                span(
                    body["operation"],
                    keys | {"q2c.error.code": code, "q2c.outcome": "gave_up"} | status,
                    failed=message,
                )
            ]
            self._states[body["replay_id"]] = "failed"
        else:
            with self._lock:
                self.books[thing] += 1
            said = [span(body["operation"], keys)]
            self._states[body["replay_id"]] = "succeeded"
        if not self.chance(m.stays_silent):
            with self._lock:
                self.kept += [
                    {"name": s["name"], "attributes": json.loads(s["attributes"]), "failed": s["status_message"]}
                    for s in said
                ]
            self.said(said)
            if self.chance(m.says_twice):
                self.said(said)

    def state_of(self, replay_id: str) -> str:
        return self._states.get(replay_id, "unknown")

    def untold(self) -> list[dict[str, Any]]:
        """All that the engine has said so far, for a listener that may have died: a door takes duplicates lightly."""
        with self._lock:
            return list(self.kept)

    def get(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any], dict[str, str]]:
        if path == "/probe":
            if self.chance(self.mischief.probe_is_mute):
                return 200, {"state": "unknown", "evidence": "the ERP does not answer"}, {}
            state = "present" if self.books[query["id"]] else "absent"
            said = {"state": state, "evidence": f"the ERP's books: {self.books[query['id']]}"}
            return 200, said | {"reconciles": self.mischief.reconciles}, {}
        if path.startswith("/dependencies/"):
            return 200, {"state": "down" if path.rsplit("/", 1)[1] in self.mischief.down else "up"}, {}
        if path == "/spans":
            return 200, {"spans": self.untold()}, {}
        if path.startswith("/replays/"):
            return 200, {"state": self.state_of(path.rsplit("/", 1)[1]), "detail": ""}, {}
        return 404, {}, {}


@contextmanager
def listening(engine: SmallEngine) -> Iterator[SmallEngine]:
    """The engine answers at `engine.url` within the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._answer(*engine.get(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}))

        def do_POST(self) -> None:
            # counted until the answer is about to leave: whoever hears it may call again at once
            with engine.counted():
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                answer = engine.post(self.headers["idempotency-key"], body)
                is_dropped = engine.chance(engine.mischief.drops_answer)
                if not is_dropped and engine.chance(engine.mischief.is_late):
                    time.sleep(engine.mischief.late_by_s)
            if is_dropped:
                self.close_connection = True
                return
            self._answer(*answer)

        def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (
                headers | {"content-length": str(len(raw)), "content-type": "application/json"}
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A caller that went away is part of the story."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    engine.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield engine
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
