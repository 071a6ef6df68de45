"""OTLP bytes to a batch of spans. Pure: no network, no clock, no store.

Rules: OTLP 1.x (opentelemetry.io/docs/specs/otlp). Protobuf and JSON carry the same; JSON has hex ids, lowerCamelCase
names and 64-bit integers as text, and unknown fields are ignored in both.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from collectors.batch import Decoded, Gathering, Limits, MalformedRequest
from collectors.otlp_arrow import ordinary
from collectors.otlp_schema import LaxTraces
from collectors.otlp_walk import walk_json, walk_lax

COLUMNS_PAY_FROM_BYTES = 32 * 2**10
"""From about this size on, decoding in columns beats walking span by span (`python -m bench.decode`)."""


class Encoding(Enum):
    """How a request is written, and so how it is answered."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def decode_traces(
    body: bytes, encoding: Encoding, *, source: str, received_ns: int, limits: Limits | None = None
) -> Decoded:
    """The spans of one ExportTraceServiceRequest, and the refusals of those that cannot be kept.

    `body` is decompressed; `received_ns` is when it came in, Unix nanoseconds. An empty request decodes to no spans.
    Raises MalformedRequest if the bytes are not an OTLP request at all: sending them again will not help.

    >>> decode_traces(b"", Encoding.PROTOBUF, source="otlp_http", received_ns=0).spans.num_rows
    0
    """
    limits = limits or Limits()
    latest_ns = limits.latest_ns(received_ns)
    gathering = Gathering(source)
    if encoding is Encoding.JSON:
        walk_json(parse_json(body, "resourceSpans", "resource_spans"), gathering, limits, latest_ns)
        return gathering.decoded(len(body))
    # Parsed even where columns are read: it takes a twentieth of the time, and is stricter about what is malformed.
    request = parse_lax(LaxTraces, body, "ExportTraceServiceRequest")
    if len(body) >= COLUMNS_PAY_FROM_BYTES:
        table = ordinary(body, source, limits, latest_ns)
        if table is not None:
            return Decoded(table, source, body_bytes=len(body))
    walk_lax(request, gathering, limits, latest_ns)
    return gathering.decoded(len(body))


def parse_lax(message: Any, body: bytes, name: str) -> Any:
    """The body as a lax message of `otlp_schema`. Raises MalformedRequest."""
    try:
        return message.FromString(body)
    except DecodeError:
        raise MalformedRequest(
            f"{len(body)} bytes that are not a protobuf {name}: truncated, corrupt, or another message"
        ) from None


def parse_json(body: bytes, member: str, wrong_member: str) -> dict[str, Any]:
    """The body as a JSON object. Raises MalformedRequest, saying where the JSON ends to be JSON."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise MalformedRequest(f"OTLP/JSON: an object with '{member}' is expected, not {type(document).__name__}")
    if member not in document and wrong_member in document:
        raise MalformedRequest(
            f"OTLP/JSON: found '{wrong_member}', expected '{member}': names are lowerCamelCase in OTLP/JSON"
        )
    return document
