"""A small, real OTLP/HTTP receiver to point the estate at."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass
class SeenSpan:
    """One span as received, its attributes as plain Python."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    links: list[str]


@dataclass
class Receiver:
    """What came in. The first `refusals_left` requests are answered 503, as by a door that is starting."""

    url: str = ""
    spans: list[SeenSpan] = field(default_factory=list)
    encodings: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)
    refusals_left: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def operations(self, name: str) -> list[SeenSpan]:
        return [span for span in self.spans if span.attributes.get("q2c.operation") == name]

    def milestones(self) -> list[tuple[str, int, SeenSpan]]:
        return [
            (span.attributes["q2c.milestone"], span.end_ns, span)
            for span in self.spans
            if "q2c.milestone" in span.attributes
        ]


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _plain(pair.value) for pair in pairs}


def _seen(request: ExportTraceServiceRequest) -> Iterator[SeenSpan]:
    for resource_spans in request.resource_spans:
        service = _attributes(resource_spans.resource.attributes)["service.name"]
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield SeenSpan(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.kind,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code,
                    _attributes(span.attributes),
                    [(event.name, _attributes(event.attributes)) for event in span.events],
                    [link.span_id.hex() for link in span.links],
                )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    seen = Receiver()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with seen.lock:
                seen.headers.append({name.lower(): value for name, value in self.headers.items()})
                seen.encodings.add(self.headers.get("content-encoding", "identity"))
                if seen.refusals_left:
                    seen.refusals_left -= 1
                    self.answer(503, b"")
                    return
                request = ExportTraceServiceRequest.FromString(gzip.decompress(body))
                seen.spans.extend(_seen(request))
            self.answer(200, ExportTraceServiceResponse().SerializeToString())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    seen.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield seen
    server.shutdown()
    server.server_close()
    thread.join(5)
