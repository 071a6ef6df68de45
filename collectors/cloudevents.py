"""The CloudEvents door: POST /v1/events, events of CloudEvents 1.0 as spans of no length.

Structured, batched and binary content modes (CloudEvents 1.0.2, HTTP protocol binding). An event's span id is a digest
of its `source` and `id`, which the specification makes unique, so that sending it again is a duplicate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.responses import Response

from collectors.access import source_name
from collectors.answers import UnsupportedMedia
from collectors.batch import Decoded, Gathering, Limits, MalformedRequest, Unkeepable
from collectors.http_door import Door
from collectors.ingest import Receipt
from collectors.otlp_logs import CORRELATION_KEYS, digest, trace_id_of
from collectors.otlp_values import json_text
from collectors.otlp_walk import check_span

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
_KNOWN = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)\Z")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?\Z")


@dataclass(frozen=True)
class Form:
    """A content mode: `content_type` without its parameters, and the event's attributes where they are headers."""

    content_type: str
    attributes: Mapping[str, str]


class EventsDoor(Door[Form]):
    """POST /v1/events. A request of which nothing can be kept is 400: senders of events do not read partial answers."""

    source = "cloudevents"

    def form_of(self, headers: Mapping[str, str]) -> Form:
        """The content mode of the request. Raises UnsupportedMedia where it is none."""
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        attributes = {name[3:].lower(): unquote(value) for name, value in headers.items() if name[:3].lower() == "ce-"}
        if content_type in (STRUCTURED, BATCHED) or "specversion" in attributes:
            return Form(content_type, attributes)
        raise UnsupportedMedia(
            f"content-type '{content_type}' without ce- headers is no CloudEvent. Read: {STRUCTURED}, {BATCHED}, and "
            "any type with ce-specversion, ce-id, ce-source and ce-type headers"
        )

    def decode(self, body: bytes, form: Form, sender: str | None) -> Decoded:
        """The events as spans. Raises MalformedRequest, also where none of the events can be kept."""
        source = source_name(self.source, sender)
        decoded = decode_events(body, form, source=source, received_ns=self.ingest.clock_ns(), limits=self.limits)
        if decoded.refused_count and not decoded.spans.num_rows:
            raise MalformedRequest(decoded.explanation())
        return decoded

    def respond(self, receipt: Receipt, form: Form) -> Response:
        """204, or 200 with what was refused."""
        if not receipt.refused_count:
            return Response(status_code=204)
        partial = {"rejectedEvents": receipt.refused_count, "errorMessage": receipt.explanation}
        return Response(orjson.dumps({"partialSuccess": partial}), media_type="application/json")


def decode_events(body: bytes, form: Form, *, source: str, received_ns: int, limits: Limits | None = None) -> Decoded:
    """One span of no length for each event, and the refusals of the rest. Raises MalformedRequest."""
    gathering = Gathering(source)
    limits = limits or Limits()
    for event in _events(body, form):
        try:
            gathering.rows.append(_row(event, received_ns, limits))
        except Unkeepable as why:
            gathering.refuse(why.reason, str(why))
    return gathering.decoded(len(body))


def _events(body: bytes, form: Form) -> list[Any]:
    if form.content_type not in (STRUCTURED, BATCHED):
        event: dict[str, Any] = dict(form.attributes)
        if form.content_type == "application/json" or form.content_type.endswith("+json"):
            event["data"] = _read(body) if body else None
        return [event]
    document = _read(body)
    if form.content_type == STRUCTURED:
        return [document]
    if not isinstance(document, list):
        raise MalformedRequest(f"CloudEvents batch: an array of events is expected, not {type(document).__name__}")
    return document


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"not JSON: {error}") from None


def _row(event: Any, received_ns: int, limits: Limits) -> tuple[Any, ...]:
    if not isinstance(event, dict):
        raise Unkeepable("malformed_event", f"an event is {type(event).__name__}, not an object")
    if event.get("specversion") != "1.0":
        raise Unkeepable("malformed_event", f"specversion is {event.get('specversion')!r}; 1.0 is read here")
    name, source, event_id = (_required(event, each) for each in ("type", "source", "id"))
    data = event.get("data")
    fields = data if isinstance(data, dict) else {}
    attributes: dict[str, Any] = {key: each for key, each in fields.items() if key.startswith("q2c.") and _scalar(each)}
    attributes |= {key: each for key, each in event.items() if key not in _KNOWN | {"data_base64"} and _scalar(each)}
    attributes |= {
        f"cloudevents.event_{key}": event[key] for key in ("id", "source", "type", "subject") if event.get(key)
    }
    if len(attributes) > limits.attribute_count:
        raise Unkeepable("too_many_attributes", f"event '{event_id}' has {len(attributes)} attributes")
    if any(len(json_text(each)) > limits.value_bytes for each in attributes.values()):
        raise Unkeepable("value_too_large", f"event '{event_id}' has a value longer than {limits.value_bytes} bytes")
    correlation_id = attributes.get("correlationid")
    if correlation_id is not None:
        attributes.setdefault(CORRELATION_KEYS[0], str(correlation_id))
    context = _TRACEPARENT.match(str(attributes.get("traceparent", "")))
    if context:
        trace_id, parent = bytes.fromhex(context[1]), bytes.fromhex(context[2])
    else:
        trace_id, parent = trace_id_of(str(correlation_id or f"{source} {event_id}")), b""
    span_id = digest(8, source, event_id)
    at_ns = received_ns if event.get("time") is None else _instant(event["time"])
    check_span(trace_id, span_id, parent, name, at_ns, at_ns, limits, limits.latest_ns(received_ns))
    return (
        trace_id,
        int.from_bytes(span_id, "big"),
        int.from_bytes(parent, "big") or None,
        name,
        0,
        source,
        None,
        at_ns,
        at_ns,
        0,
        None,
        None,
        json_text(attributes),
        json_text({"service.name": source}),
        None,
        None,
    )


def _required(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise Unkeepable("malformed_event", f"'{name}' is {value!r}; CloudEvents 1.0 requires a non-empty string")
    return value


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _instant(value: Any) -> int:
    """An RFC 3339 instant as Unix nanoseconds.

    >>> _instant("2026-03-06T16:00:00.000000001+01:00")
    1772809200000000001
    """
    found = _INSTANT.match(value) if isinstance(value, str) else None
    try:
        if found is None:
            raise ValueError
        whole = datetime.fromisoformat(found[1].upper() + found[3].upper())
    except ValueError:
        raise Unkeepable("malformed_event", f"'time' is {value!r}; an RFC 3339 instant is expected") from None
    return (whole - _EPOCH) // timedelta(seconds=1) * 10**9 + int((found[2] or "").ljust(9, "0"))
