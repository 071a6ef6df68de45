"""Load: 500-span OTLP requests as an estate's exporters send them, encoded and compressed before the clock starts."""

from __future__ import annotations

import gzip
import random
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

OPERATIONS = (
    "crm.submit_order",
    "erp.create_order",
    "logistics.post_shipment",
    "billing.issue_invoice",
    "erp.post_invoice",
)
SPANS = 500


def request(rng: random.Random, first_order: int, *, spans: int = SPANS, now_ns: int | None = None) -> bytes:
    """One gzip-compressed protobuf request of `spans` spans with 12 attributes each, five operations an order."""
    now = now_ns or time.time_ns()
    message = ExportTraceServiceRequest()
    scope_spans = message.resource_spans.add().scope_spans.add()
    message.resource_spans[0].resource.attributes.append(_attribute("service.name", "sync-engine"))
    trace_id = b""
    for index in range(spans):
        order, step = first_order + index // len(OPERATIONS), index % len(OPERATIONS)
        if step == 0:
            trace_id = rng.randbytes(16)
        span: Span = scope_spans.spans.add()
        span.trace_id, span.span_id = trace_id, rng.randbytes(8)
        span.name, span.kind = OPERATIONS[step], 1
        span.start_time_unix_nano = now - 1_000_000_000 + index * 1_000
        span.end_time_unix_nano = span.start_time_unix_nano + rng.randrange(1_000_000, 90_000_000)
        span.status.code = 1
        subject = {2: ("shipment", "SH"), 3: ("invoice", "INV"), 4: ("invoice", "INV")}.get(step)
        values = {
            "messaging.message.conversation_id": f"c-{order}",
            "q2c.operation": OPERATIONS[step],
            "q2c.order.id": f"SO-{order}",
            f"q2c.{subject[0] if subject else 'quote'}.id": f"{subject[1] if subject else 'Q'}-{order}",
            "q2c.amount": f"{100 + order % 9000}.50",
            "q2c.currency": "EUR",
            "q2c.region": ("EMEA", "AMER", "APAC")[order % 3],
            "q2c.product_line": "hardware",
            "q2c.legal_entity": "DE01",
            "peer.service": "erp-de",
            "q2c.endpoint": "/v1/orders",
            "q2c.customer.id": f"C-{order % 500}",
        }
        span.attributes.extend(_attribute(key, value) for key, value in values.items())
    return gzip.compress(message.SerializeToString(), 1)


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
