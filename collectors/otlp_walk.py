"""OTLP spans read one by one: the reading that takes anything, and refuses span by span.

`otlp_arrow` is quicker for requests in which nothing is out of the ordinary; both give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from collectors.batch import Gathering, Limits, MalformedRequest, Unkeepable
from collectors.otlp_values import attributes_from_json, attributes_from_lax, json_text, text, whole

UNKNOWN_SERVICE = "unknown_service"
KIND_NAMES = {
    name: number
    for number, name in enumerate(
        ("unspecified", "internal", "server", "client", "producer", "consumer"),
    )
}
STATUS_NAMES = {"unset": 0, "ok": 1, "error": 2}


def service_of(resource: dict[str, Any]) -> str:
    """The system that a resource names, as OpenTelemetry would have it when it names none.

    >>> service_of({"service.name": "erp"}), service_of({})
    ('erp', 'unknown_service')
    """
    name = resource.get("service.name")
    return name if isinstance(name, str) and name else UNKNOWN_SERVICE


def scope_of(name: str, version: str) -> str | None:
    """
    >>> scope_of("http", "1.2"), scope_of("http", ""), scope_of("", "1")
    ('http@1.2', 'http', None)
    """
    if not name:
        return None
    return f"{name}@{version}" if version else name


def walk_lax(request: Any, into: Gathering, limits: Limits, latest_ns: int) -> None:
    """Every span of a lax ExportTraceServiceRequest is a row or a refusal of `into`."""
    for resource_spans in request.resource_spans:
        try:
            resource = attributes_from_lax(resource_spans.resource.attributes, limits)
            service, resource_text = service_of(resource), json_text(resource)
        except Unkeepable as why:
            count = sum(len(scoped.spans) for scoped in resource_spans.scope_spans)
            into.refuse(why.reason, f"the resource of {count} spans: {why}", count)
            continue
        for scoped in resource_spans.scope_spans:
            try:
                scope = scope_of(text(scoped.scope.name, "scope.name"), text(scoped.scope.version, "scope.version"))
            except Unkeepable as why:
                into.refuse(why.reason, f"the scope of {len(scoped.spans)} spans: {why}", len(scoped.spans))
                continue
            for span in scoped.spans:
                try:
                    into.rows.append(_row_of_lax(span, service, scope, resource_text, limits, latest_ns))
                except Unkeepable as why:
                    into.refuse(why.reason, f"span {_shown(span.name)}: {why}")


def _row_of_lax(
    span: Any, service: str, scope: str | None, resource: bytes, limits: Limits, latest_ns: int
) -> tuple[Any, ...]:
    name = text(span.name, "name")
    check_span(
        span.trace_id, span.span_id, span.parent_span_id, name,
        span.start_time_unix_nano, span.end_time_unix_nano, limits, latest_ns,
    )  # fmt: skip
    events = [
        event(item.name, item.time_unix_nano, attributes_from_lax(item.attributes, limits), limits)
        for item in bounded(span.events, "events", limits)
    ]
    links = [
        link(item.trace_id, item.span_id, attributes_from_lax(item.attributes, limits))
        for item in bounded(span.links, "links", limits)
    ]
    status = span.status
    return (
        span.trace_id,
        int.from_bytes(span.span_id, "big"),
        int.from_bytes(span.parent_span_id, "big") or None,
        name,
        known(span.kind, 5),
        service,
        scope,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        known(status.code, 2),
        bounded_text(status.message, "status.message", limits),
        bounded_text(span.trace_state, "trace_state", limits),
        json_text(attributes_from_lax(span.attributes, limits)),
        resource,
        json_text(events) if events else None,
        json_text(links) if links else None,
    )


def walk_json(document: Any, into: Gathering, limits: Limits, latest_ns: int) -> None:
    """Every span of an OTLP/JSON trace document is a row or a refusal of `into`.

    Raises MalformedRequest where the document is not shaped as one: nothing of it can be told apart then.
    """
    for resource_spans in members(document, "resourceSpans"):
        resource: Unkeepable | tuple[str, bytes]
        try:
            found = attributes_from_json(member(resource_spans, "resource").get("attributes"), limits)
            resource = service_of(found), json_text(found)
        except Unkeepable as why:
            resource = why
        for scoped in members(resource_spans, "scopeSpans"):
            scope = member(scoped, "scope")
            for span in members(scoped, "spans"):
                try:
                    if isinstance(resource, Unkeepable):
                        raise resource
                    into.rows.append(_row_of_json(span, resource, scope, limits, latest_ns))
                except Unkeepable as why:
                    into.refuse(why.reason, f"span {_shown(span.get('name'))}: {why}")


def _row_of_json(
    span: dict[str, Any], resource: tuple[str, bytes], scope: dict[str, Any], limits: Limits, latest_ns: int
) -> tuple[Any, ...]:
    name = text(span.get("name"), "name")
    trace_id = unhex(span.get("traceId"), "traceId")
    span_id = unhex(span.get("spanId"), "spanId")
    parent_span_id = unhex(span.get("parentSpanId"), "parentSpanId")
    start = whole(span.get("startTimeUnixNano"), "startTimeUnixNano")
    end = whole(span.get("endTimeUnixNano"), "endTimeUnixNano")
    check_span(trace_id, span_id, parent_span_id, name, start, end, limits, latest_ns)
    events = [
        event(
            text(item.get("name"), "an event's name"),
            whole(item.get("timeUnixNano"), "an event's timeUnixNano"),
            attributes_from_json(item.get("attributes"), limits),
            limits,
        )
        for item in bounded(_objects(span, "events"), "events", limits)
    ]
    links = [
        link(
            unhex(item.get("traceId"), "a link's traceId"),
            unhex(item.get("spanId"), "a link's spanId"),
            attributes_from_json(item.get("attributes"), limits),
        )
        for item in bounded(_objects(span, "links"), "links", limits)
    ]
    status = span.get("status") or {}
    if not isinstance(status, dict):
        raise Unkeepable("malformed_field", f"status is {_shown(status)}, not an object")
    return (
        trace_id,
        int.from_bytes(span_id, "big"),
        int.from_bytes(parent_span_id, "big") or None,
        name,
        _enum(span.get("kind"), "kind", "span_kind_", KIND_NAMES, 5),
        resource[0],
        scope_of(text(scope.get("name"), "scope.name"), text(scope.get("version"), "scope.version")),
        start,
        end,
        _enum(status.get("code"), "status.code", "status_code_", STATUS_NAMES, 2),
        bounded_text(status.get("message"), "status.message", limits),
        bounded_text(span.get("traceState"), "traceState", limits),
        json_text(attributes_from_json(span.get("attributes"), limits)),
        resource[1],
        json_text(events) if events else None,
        json_text(links) if links else None,
    )


def check_span(
    trace_id: bytes,
    span_id: bytes,
    parent_span_id: bytes,
    name: str,
    start_ns: int,
    end_ns: int,
    limits: Limits,
    latest_ns: int,
) -> None:
    """The span can be kept as far as its ids, name and instants go, or Unkeepable says which of them is wrong."""
    check_id(trace_id, 16, "trace_id")
    check_id(span_id, 8, "span_id")
    if len(parent_span_id) not in (0, 8):
        raise Unkeepable("bad_parent_span_id", f"parent_span_id has {len(parent_span_id)} bytes, not 8")
    check_name(name, "name", limits)
    if start_ns < limits.earliest_ns:
        raise Unkeepable(
            "start_too_early", f"starts at {start_ns} ns since 1970, before the earliest kept, {limits.earliest_ns}"
        )
    if start_ns > latest_ns:
        raise Unkeepable(
            "start_in_future", f"starts at {start_ns} ns since 1970, more than {limits.ahead_s} s after it was received"
        )
    if end_ns < start_ns:
        raise Unkeepable("end_before_start", f"ends at {end_ns}, {start_ns - end_ns} ns before it starts")
    if end_ns >= 2**63:
        raise Unkeepable("end_out_of_range", f"ends at {end_ns} ns since 1970, beyond the year 2262")


def check_id(value: bytes, length: int, name: str) -> None:
    """The id is `length` bytes and not all zero."""
    if len(value) != length:
        raise Unkeepable(f"bad_{name}", f"{name} has {len(value)} bytes, not {length}")
    if not any(value):
        raise Unkeepable(f"bad_{name}", f"{name} is all zero")


def check_name(name: str, what: str, limits: Limits) -> None:
    """The name is no longer than the limit, in UTF-8 bytes."""
    if len(name) * 4 > limits.name_bytes and len(name.encode()) > limits.name_bytes:
        raise Unkeepable("name_too_long", f"{what} is {len(name.encode())} bytes; at most {limits.name_bytes} are kept")


def event(name: str | bytes, time_ns: int, attributes: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """One entry of the events column."""
    read = text(name, "an event's name")
    check_name(read, "an event's name", limits)
    if not 0 <= time_ns < 2**64:
        raise Unkeepable("malformed_field", f"an event's time is {time_ns} ns since 1970, out of range")
    return {"name": read, "time_unix_nano": time_ns, "attributes": attributes}


def link(trace_id: bytes, span_id: bytes, attributes: dict[str, Any]) -> dict[str, Any]:
    """One entry of the links column; ids as hex."""
    return {"trace_id": trace_id.hex(), "span_id": span_id.hex(), "attributes": attributes}


def bounded(items: Any, what: str, limits: Limits) -> Any:
    """The items, if there are not too many of them."""
    if len(items) > limits.attribute_count:
        raise Unkeepable(f"too_many_{what}", f"{len(items)} {what}; at most {limits.attribute_count} are kept")
    return items


def bounded_text(value: Any, what: str, limits: Limits) -> str | None:
    """A text column that is null when empty."""
    if not value:
        return None
    read = text(value, what)
    if len(read) * 4 > limits.value_bytes and len(read.encode()) > limits.value_bytes:
        raise Unkeepable("value_too_large", f"{what} is longer than {limits.value_bytes} bytes")
    return read


def known(number: int, last: int) -> int:
    """An enum's number, or 0 (unspecified, unset) for one that this version of OTLP has not."""
    return number if 0 <= number <= last else 0


def members(parent: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The objects of a repeated field of a document. Raises MalformedRequest where it holds anything else."""
    items = parent.get(name)
    if items is None:
        return
    if not isinstance(items, list):
        raise MalformedRequest(f"OTLP/JSON: '{name}' is {_shown(items)}; an array of objects is expected")
    for item in items:
        if not isinstance(item, dict):
            raise MalformedRequest(f"OTLP/JSON: '{name}' holds {_shown(item)}; an object is expected")
        yield item


def member(parent: dict[str, Any], name: str) -> dict[str, Any]:
    """The object of a single field, empty when absent. Raises MalformedRequest where it is anything else."""
    item = parent.get(name)
    if item is None:
        return {}
    if not isinstance(item, dict):
        raise MalformedRequest(f"OTLP/JSON: '{name}' is {_shown(item)}; an object is expected")
    return item


def unhex(value: Any, name: str) -> bytes:
    """An OTLP/JSON id, hex in either case; absent is empty."""
    if not value:
        return b""
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        reason = {"traceId": "bad_trace_id", "spanId": "bad_span_id", "parentSpanId": "bad_parent_span_id"}
        raise Unkeepable(reason.get(name, "malformed_field"), f"{name} is {_shown(value)}, not hexadecimal") from None


def _objects(span: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = span.get(name)
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Unkeepable("malformed_field", f"{name} is {_shown(items)}, not an array of objects")
    return items


def _enum(value: Any, what: str, prefix: str, names: dict[str, int], last: int) -> int:
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        named = names.get(value.lower().removeprefix(prefix))
        if named is None:
            raise Unkeepable("malformed_field", f"{what} is {_shown(value)}. Known: {', '.join(names)}")
        return named
    return known(whole(value, what), last)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
