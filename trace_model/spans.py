"""One OTLP span as received: the grain of everything that is kept. Knows Arrow, not DuckDB.

A batch is a `pyarrow.Table` of `SCHEMA`; the doors make it, `Store.record` keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("trace_id", pa.uuid(), nullable=False),
        pa.field("span_id", pa.uint64(), nullable=False),
        pa.field("parent_span_id", pa.uint64()),
        pa.field("name", pa.string(), nullable=False),
        pa.field("kind", pa.uint8(), nullable=False),
        pa.field("service", pa.string(), nullable=False),
        pa.field("scope", pa.string()),
        pa.field("start_unix_ns", pa.int64(), nullable=False),
        pa.field("end_unix_ns", pa.int64(), nullable=False),
        pa.field("status_code", pa.uint8(), nullable=False),
        pa.field("status_message", pa.string()),
        pa.field("trace_state", pa.string()),
        pa.field("attributes", pa.string(), nullable=False),
        pa.field("resource", pa.string(), nullable=False),
        pa.field("events", pa.string()),
        pa.field("links", pa.string()),
        pa.field("source", pa.string(), nullable=False),
    ]
)
"""One row per span as received. Ids are OTLP's bytes read big-endian; instants are Unix nanoseconds;
`attributes` and `resource` are JSON objects, `events` and `links` JSON arrays or null when empty;
`status_code` is 0 unset, 1 ok, 2 error; `kind` is OTLP's SpanKind; `source` names the door."""


@dataclass(frozen=True)
class Recorded:
    """What became of a batch: every row is either stored or a duplicate of one already kept."""

    stored: int
    duplicate: int


def trace_id_hex(trace_id: object) -> str:
    """A trace id as OpenTelemetry writes it: 32 lower-case hex digits.

    >>> import uuid
    >>> trace_id_hex(uuid.UUID(int=1))
    '00000000000000000000000000000001'
    """
    return str(trace_id).replace("-", "")


def span_id_hex(span_id: int) -> str:
    """A span id as OpenTelemetry writes it: 16 lower-case hex digits.

    >>> span_id_hex(255)
    '00000000000000ff'
    """
    return f"{span_id:016x}"
