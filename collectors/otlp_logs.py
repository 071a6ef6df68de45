"""OTLP log records as spans of no length: for systems that say in logs what others say in traces. Pure.

A record needs trace context or a correlation ID, or there is nothing to hang it on and it is refused. Its span id is a
digest of the record, so that sending it again is a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from collectors.batch import Decoded, Gathering, Limits, Unkeepable
from collectors.otlp import Encoding, parse_json, parse_lax
from collectors.otlp_schema import LaxLogs
from collectors.otlp_values import (
    attributes_from_json,
    attributes_from_lax,
    from_json,
    from_lax,
    json_text,
    text,
    whole,
)
from collectors.otlp_walk import check_id, check_span, member, members, scope_of, service_of, unhex

CORRELATION_KEYS = (
    "messaging.message.conversation_id",
    "correlation.id",
    "correlation_id",
    "x-correlation-id",
)
SEVERITY_ERROR = 17
BODY_KEY = "log.body"


def decode_logs(
    body: bytes,
    encoding: Encoding,
    *,
    received_ns: int,
    source: str = "otlp_logs",
    limits: Limits | None = None,
    correlation_keys: Sequence[str] = CORRELATION_KEYS,
) -> Decoded:
    """One span of no length for each record of an ExportLogsServiceRequest, and the refusals of the rest.

    Raises MalformedRequest if the bytes are not an OTLP request at all.
    """
    gathering = Gathering(source)
    reading = _Reading(gathering, limits or Limits(), received_ns, tuple(correlation_keys))
    if encoding is Encoding.PROTOBUF:
        reading.lax(parse_lax(LaxLogs, body, "ExportLogsServiceRequest"))
    else:
        reading.json(parse_json(body, "resourceLogs", "resource_logs"))
    return gathering.decoded(len(body))


@dataclass(frozen=True)
class _Record:
    """One log record, read: `time_ns` is its own instant, or when it was observed if it has none."""

    trace_id: bytes
    span_id: bytes
    time_ns: int
    severity: int
    event_name: str
    attributes: dict[str, Any]
    body: Any


@dataclass(frozen=True)
class _Reading:
    into: Gathering
    limits: Limits
    received_ns: int
    correlation_keys: tuple[str, ...]

    def lax(self, request: Any) -> None:
        for resource_logs in request.resource_logs:
            for scoped in resource_logs.scope_logs:
                for record in scoped.log_records:
                    try:
                        resource = attributes_from_lax(resource_logs.resource.attributes, self.limits)
                        scope = scope_of(text(scoped.scope.name, "scope.name"), text(scoped.scope.version, "version"))
                        self._keep(self._of_lax(record), resource, scope)
                    except Unkeepable as why:
                        self.into.refuse(why.reason, f"log record: {why}")

    def json(self, document: dict[str, Any]) -> None:
        for resource_logs in members(document, "resourceLogs"):
            resource_member = member(resource_logs, "resource")
            for scoped in members(resource_logs, "scopeLogs"):
                scope_member = member(scoped, "scope")
                for record in members(scoped, "logRecords"):
                    try:
                        resource = attributes_from_json(resource_member.get("attributes"), self.limits)
                        name, version = scope_member.get("name"), scope_member.get("version")
                        scope = scope_of(text(name, "scope.name"), text(version, "scope.version"))
                        self._keep(self._of_json(record), resource, scope)
                    except Unkeepable as why:
                        self.into.refuse(why.reason, f"log record: {why}")

    def _of_lax(self, record: Any) -> _Record:
        return _Record(
            record.trace_id,
            record.span_id,
            record.time_unix_nano or record.observed_time_unix_nano,
            record.severity_number,
            text(record.event_name, "event_name"),
            attributes_from_lax(record.attributes, self.limits),
            from_lax(record.body, self.limits, "body"),
        )

    def _of_json(self, record: Mapping[str, Any]) -> _Record:
        time_ns = whole(record.get("timeUnixNano"), "timeUnixNano")
        return _Record(
            unhex(record.get("traceId"), "traceId"),
            unhex(record.get("spanId"), "spanId"),
            time_ns or whole(record.get("observedTimeUnixNano"), "observedTimeUnixNano"),
            whole(record.get("severityNumber"), "severityNumber"),
            text(record.get("eventName"), "eventName"),
            attributes_from_json(record.get("attributes"), self.limits),
            from_json(record.get("body"), self.limits, "body"),
        )

    def _keep(self, record: _Record, resource: dict[str, Any], scope: str | None) -> None:
        attributes = dict(record.attributes)
        named = attributes.get("event.name")
        name = record.event_name or (named if isinstance(named, str) else "") or "log"
        if record.body is not None:
            if len(json_text(record.body)) > self.limits.value_bytes + 2:
                raise Unkeepable("value_too_large", f"the body is longer than {self.limits.value_bytes} bytes")
            attributes[BODY_KEY] = record.body
        trace_id = record.trace_id if any(record.trace_id) else self._derived_trace_id(attributes)
        parent = record.span_id if any(record.span_id) else b""
        span_id = digest(8, resource, scope, record.time_ns, record.severity, name, attributes, trace_id, parent)
        check_span(
            trace_id, span_id, parent, name, record.time_ns, record.time_ns,
            self.limits, self.limits.latest_ns(self.received_ns),
        )  # fmt: skip
        failed = record.severity >= SEVERITY_ERROR
        said = record.body if isinstance(record.body, str) and record.body else None
        self.into.rows.append(
            (
                trace_id,
                int.from_bytes(span_id, "big"),
                int.from_bytes(parent, "big") or None,
                name,
                0,
                service_of(resource),
                scope,
                record.time_ns,
                record.time_ns,
                2 if failed else 0,
                said if failed else None,
                None,
                json_text(attributes),
                json_text(resource),
                None,
                None,
            )
        )

    def _derived_trace_id(self, attributes: Mapping[str, Any]) -> bytes:
        for key in self.correlation_keys:
            value = attributes.get(key)
            if isinstance(value, str | int) and value != "":
                return trace_id_of(str(value))
        raise Unkeepable(
            "no_correlation", f"neither trace context nor a correlation ID ({', '.join(self.correlation_keys)})"
        )


def trace_id_of(correlation_id: str) -> bytes:
    """The trace in which everything of one correlation ID stands that has no trace of its own.

    >>> trace_id_of("c-1") == trace_id_of("c-1"), len(trace_id_of("c-1"))
    (True, 16)
    """
    return digest(16, correlation_id)


def digest(size: int, *parts: Any) -> bytes:
    """`size` bytes that are the same for the same parts (JSON values and bytes), in whatever order their keys came.

    >>> digest(8, {"a": 1, "b": 2}) == digest(8, {"b": 2, "a": 1})
    True
    """
    plain = [part.hex() if isinstance(part, bytes) else part for part in parts]
    found = blake2b(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS), digest_size=size).digest()
    check_id(found, size, "span_id")
    return found
