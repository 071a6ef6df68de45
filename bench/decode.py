"""How many spans a second the doors decode on one core, against the ways not taken.

One row a way: protobuf in columns (the door's way for large requests), protobuf walked span by span (small requests and
requests with a fault), JSON, redaction, and as peers `MessageToDict`, the plain walk over protobuf messages with the
standard library's JSON, and what parsing alone costs.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import time
import zlib
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from ptars import HandlerPool

from collectors.batch import Gathering, Limits
from collectors.otlp import Encoding, decode_traces
from collectors.otlp_schema import LaxTraces
from collectors.otlp_walk import walk_lax
from collectors.redaction import Redaction

SPANS = 500
ATTRIBUTES = 12
SECONDS_EACH = 1.0


def request(seed: int = 1, spans: int = SPANS) -> ExportTraceServiceRequest:
    """`spans` spans of four systems with 12 attributes each, one in ten failed with an exception event."""
    chance = random.Random(seed)
    now = time.time_ns() - 10**9
    message = ExportTraceServiceRequest()
    for system in ("crm", "erp", "billing", "psp"):
        resource = message.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = system
        resource.resource.attributes.add(key="deployment.environment.name").value.string_value = "production"
        scope = resource.scope_spans.add()
        scope.scope.name, scope.scope.version = "sync", "1.0"
        for number in range(spans // 4):
            span = scope.spans.add(
                trace_id=chance.randbytes(16),
                span_id=chance.randbytes(8),
                name=f"operation {number % 20}",
                kind=1 + number % 5,
                start_time_unix_nano=now + number,
                end_time_unix_nano=now + number + 5_000_000,
            )
            for position in range(ATTRIBUTES):
                value = span.attributes.add(key=f"q2c.attribute{position}.id").value
                if position == 6:
                    value.double_value = round(chance.random() * 1000, 2)
                elif position % 6 == 4:
                    value.int_value = chance.randrange(10**6)
                elif position % 6 == 5:
                    value.bool_value = chance.random() < 0.5
                else:
                    value.string_value = f"SO-{chance.randrange(10**6)}-value"
            if number % 10 == 0:
                span.status.code, span.status.message = Status.STATUS_CODE_ERROR, "declined"
                event = span.events.add(name="exception", time_unix_nano=now)
                event.attributes.add(key="exception.message").value.string_value = 'said "no"\nat line 5'
    return message


def otlp_json(message: ExportTraceServiceRequest) -> bytes:
    """The request as OTLP/JSON."""
    document = MessageToDict(message, use_integers_for_enums=True)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span["traceId"] = base64.b64decode(span["traceId"]).hex()
                span["spanId"] = base64.b64decode(span["spanId"]).hex()
    return orjson.dumps(document)


def _walked(body: bytes, limits: Limits, latest_ns: int) -> Any:
    gathering = Gathering("bench")
    walk_lax(LaxTraces.FromString(body), gathering, limits, latest_ns)
    return gathering.decoded(len(body))


def _plain_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def _plain(body: bytes) -> list[tuple[Any, ...]]:
    """The peer: messages walked in Python, attributes written by the standard library."""
    return [
        (span.trace_id, span.span_id, span.name, json.dumps({a.key: _plain_value(a.value) for a in span.attributes}))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _rate(work: Callable[[], object]) -> float:
    """Spans a second: the best of the rounds that fit, since a machine is only ever slowed down by others."""
    work()
    best, until = float("inf"), time.perf_counter() + SECONDS_EACH
    while (started := time.perf_counter()) < until:
        work()
        best = min(best, time.perf_counter() - started)
    return SPANS / best


def run() -> list[dict[str, Any]]:
    """One row a way: `case`, `spans_per_s`, and the size of the request in bytes."""
    message = request()
    body, text = message.SerializeToString(), otlp_json(message)
    packed = gzip.compress(body, 1)
    limits, now = Limits(), time.time_ns()
    latest_ns = limits.latest_ns(now)
    spans = decode_traces(body, Encoding.PROTOBUF, source="bench", received_ns=now).spans
    redaction = Redaction()
    descriptor = ExportTraceServiceRequest.DESCRIPTOR
    handler = HandlerPool([descriptor.file]).get_for_message(descriptor)

    def decoded(content: bytes, encoding: Encoding) -> object:
        return decode_traces(content, encoding, source="bench", received_ns=now, limits=limits)

    ways: list[tuple[str, int, Callable[[], object]]] = [
        ("door: gzip protobuf", len(packed), lambda: decoded(zlib.decompress(packed, 31), Encoding.PROTOBUF)),
        ("door: protobuf", len(body), lambda: decoded(body, Encoding.PROTOBUF)),
        ("door: protobuf with a fault", len(body), lambda: _walked(body, limits, latest_ns)),
        ("door: JSON", len(text), lambda: decoded(text, Encoding.JSON)),
        ("redaction of a clean batch", spans.nbytes, lambda: redaction.redact(spans)),
        ("peer: protobuf walked, json.dumps", len(body), lambda: _plain(body)),
        ("peer: MessageToDict", len(body), lambda: MessageToDict(ExportTraceServiceRequest.FromString(body))),
        ("parsing alone: upb", len(body), lambda: ExportTraceServiceRequest.FromString(body)),
        ("parsing alone: ptars, every field", len(body), lambda: handler.list_to_record_batch([body])),
        ("parsing alone: orjson", len(text), lambda: orjson.loads(text)),
    ]
    return [{"case": case, "spans_per_s": round(_rate(work)), "request_bytes": size} for case, size, work in ways]


if __name__ == "__main__":
    for row in run():
        print(f"{row['case']:36} {row['spans_per_s']:>10,} spans/s  {row['request_bytes']:>9,} bytes a request")
