"""Small OTLP requests for the stories of this folder."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_numbers = count(1)


def traces(count: int = 1, first: int | None = None, **attributes: Any) -> ExportTraceServiceRequest:
    """`count` spans that started a second ago, ids counted from `first` (default: never used before)."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "erp"
    scope = resource.scope_spans.add()
    started = time.time_ns() - 10**9
    for offset in range(count):
        number = next(_numbers) if first is None else first + offset
        span = scope.spans.add(
            trace_id=(number + 2**100).to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            name="post invoice",
            kind=3,
            start_time_unix_nano=started,
            end_time_unix_nano=started + 5,
        )
        for key, value in attributes.items():
            span.attributes.add(key=key).value.string_value = value
    return message
