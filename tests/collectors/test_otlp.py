"""Bytes become spans, whatever the bytes are: every kind of value, every fault, both encodings, both readings."""

from __future__ import annotations

import base64
import math
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collectors.batch import Decoded, Gathering, Limits, MalformedRequest
from collectors.otlp import Encoding, decode_traces
from collectors.otlp_arrow import ordinary
from collectors.otlp_schema import LaxAnyValue, LaxArray, LaxTraces
from collectors.otlp_walk import walk_lax
from trace_model.spans import SCHEMA

NOW_NS = 1_772_000_000_000_000_000
LIMITS = Limits()
JSON_COLUMNS = ("attributes", "resource", "events", "links")


def request(*attributes: KeyValue, spans: int = 1, **fields: Any) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "erp"
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "http", "1.2"
    for number in range(1, spans + 1):
        span = scope.spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            name="post invoice",
            kind=3,
            start_time_unix_nano=NOW_NS,
            end_time_unix_nano=NOW_NS + 5,
        )
        span.attributes.extend(attributes)
    for name, value in fields.items():
        setattr(scope.spans[0], name, value)
    return message


def decode(body: bytes | ExportTraceServiceRequest, encoding: Encoding = Encoding.PROTOBUF, **limits: Any) -> Decoded:
    if not isinstance(body, bytes):
        body = body.SerializeToString()
    return decode_traces(body, encoding, source="otlp_http", received_ns=NOW_NS, limits=Limits(**limits))


def otlp_json(message: ExportTraceServiceRequest) -> bytes:
    """OTLP/JSON as the specification has it: protobuf's JSON, but hex ids and enums as numbers."""
    document = MessageToDict(message, use_integers_for_enums=True)
    for resource in document.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            for span in scope.get("spans", []):
                for item in [span, *span.get("links", [])]:
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in item:
                            item[name] = base64.b64decode(item[name]).hex()
    return orjson.dumps(document)


def rows(decoded: Decoded) -> list[dict[str, Any]]:
    """The rows with their JSON read, for comparing what the texts mean."""
    assert decoded.spans.schema.equals(SCHEMA)
    decoded.spans.validate(full=True)
    read: list[dict[str, Any]] = decoded.spans.to_pylist()
    for row in read:
        for name in JSON_COLUMNS:
            row[name] = row[name] and orjson.loads(row[name])
    return read


def in_columns(body: bytes) -> Decoded | None:
    table = ordinary(body, "otlp_http", LIMITS, LIMITS.latest_ns(NOW_NS))
    return None if table is None else Decoded(table, "otlp_http")


def one_by_one(body: bytes) -> Decoded:
    gathering = Gathering("otlp_http")
    walk_lax(LaxTraces.FromString(body), gathering, LIMITS, LIMITS.latest_ns(NOW_NS))
    return gathering.decoded(len(body))


def attribute(key: str, **value: Any) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(**value))


EVERY_KIND: dict[str, tuple[dict[str, Any], Any]] = {
    "string": ({"string_value": 'é "quoted"\n\x00\\'}, 'é "quoted"\n\x00\\'),
    "empty string": ({"string_value": ""}, ""),
    "integer": ({"int_value": -(2**63)}, -(2**63)),
    "zero": ({"int_value": 0}, 0),
    "boolean": ({"bool_value": False}, False),
    "double": ({"double_value": 0.1}, 0.1),
    "huge double": ({"double_value": 1.7e308}, 1.7e308),
    "nan": ({"double_value": math.nan}, "NaN"),
    "infinity": ({"double_value": math.inf}, "Infinity"),
    "minus infinity": ({"double_value": -math.inf}, "-Infinity"),
    "bytes": ({"bytes_value": b"\xff\x00"}, "/wA="),
    "no bytes": ({"bytes_value": b""}, ""),
    "empty array": ({"array_value": ArrayValue()}, []),
    "array": (
        {"array_value": ArrayValue(values=[AnyValue(int_value=1), AnyValue(), AnyValue(string_value="a")])},
        [1, None, "a"],
    ),
    "empty list": ({"kvlist_value": KeyValueList()}, {}),
    "list": (
        {
            "kvlist_value": KeyValueList(
                values=[attribute("a", int_value=1), attribute("a", int_value=2), attribute("", bool_value=True)]
            )
        },
        {"a": 2, "": True},
    ),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_value_is_natural_json_in_every_reading(kind: str) -> None:
    given_value, expected = EVERY_KIND[kind]
    message = request(attribute("a", **given_value), attribute("b", string_value="x"))
    body = message.SerializeToString()
    readings = [in_columns(body), one_by_one(body), decode(otlp_json(message), Encoding.JSON)]
    for reading in readings:
        assert reading is not None
        [row] = rows(reading)
        assert row["attributes"] == {"a": expected, "b": "x"}
        assert not reading.refusals


def test_every_column_of_a_span_is_read() -> None:
    message = request(attribute("q2c.order.id", string_value="SO-1"))
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.parent_span_id, span.trace_state = b"\xff" * 8, "a=1"
    span.status.code, span.status.message = 2, 'said "no"'
    event = span.events.add(name="exception", time_unix_nano=NOW_NS)
    event.attributes.extend([attribute("exception.type", string_value="Boom")])
    span.links.add(trace_id=b"\x0a" * 16, span_id=b"\x0b" * 8).attributes.extend([attribute("n", int_value=1)])
    body = message.SerializeToString()
    for reading in (in_columns(body), one_by_one(body), decode(otlp_json(message), Encoding.JSON)):
        assert reading is not None
        [row] = rows(reading)
        trace_id = row.pop("trace_id")
        assert trace_id.int == 1
        assert row == {
            "span_id": 1,
            "parent_span_id": 2**64 - 1,
            "name": "post invoice",
            "kind": 3,
            "service": "erp",
            "scope": "http@1.2",
            "start_unix_ns": NOW_NS,
            "end_unix_ns": NOW_NS + 5,
            "status_code": 2,
            "status_message": 'said "no"',
            "trace_state": "a=1",
            "attributes": {"q2c.order.id": "SO-1"},
            "resource": {"service.name": "erp"},
            "events": [{"name": "exception", "time_unix_nano": NOW_NS, "attributes": {"exception.type": "Boom"}}],
            "links": [{"trace_id": "0a" * 16, "span_id": "0b" * 8, "attributes": {"n": 1}}],
            "source": "otlp_http",
        }


values = st.recursive(
    st.one_of(
        st.builds(AnyValue),
        st.builds(AnyValue, string_value=st.text(max_size=20)),
        st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, double_value=st.floats()),
        st.builds(AnyValue, bytes_value=st.binary(max_size=9)),
    ),
    lambda inner: st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=3))),
        st.builds(
            AnyValue,
            kvlist_value=st.builds(
                KeyValueList, values=st.lists(st.builds(KeyValue, key=st.text(max_size=5), value=inner), max_size=3)
            ),
        ),
    ),
    max_leaves=8,
)
attribute_lists = st.lists(
    st.builds(KeyValue, key=st.text(max_size=8), value=values), max_size=6, unique_by=lambda item: item.key
)


@st.composite
def requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 3))):
        resource = message.resource_spans.add()
        resource.resource.attributes.extend(draw(attribute_lists))
        for _ in range(draw(st.integers(0, 2))):
            scope = resource.scope_spans.add()
            scope.scope.name = draw(st.text(max_size=4))
            for _ in range(draw(st.integers(0, 3))):
                span = scope.spans.add(
                    trace_id=draw(st.binary(min_size=16, max_size=16)),
                    span_id=draw(st.binary(min_size=8, max_size=8)),
                    parent_span_id=draw(st.sampled_from([b"", bytes(8), b"\x01" * 8])),
                    name=draw(st.text(max_size=8)),
                    kind=draw(st.integers(0, 9)),
                    start_time_unix_nano=NOW_NS,
                    end_time_unix_nano=NOW_NS + draw(st.integers(-1, 3)),
                )
                span.attributes.extend(draw(attribute_lists))
                if draw(st.booleans()):
                    span.status.message = draw(st.text(max_size=8))
                if draw(st.booleans()):
                    event = span.events.add(name=draw(st.text(max_size=8)), time_unix_nano=NOW_NS)
                    event.attributes.extend(draw(attribute_lists))
                if draw(st.booleans()):
                    span.links.add(trace_id=b"\x01" * 16).attributes.extend(draw(attribute_lists))
    return message


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests())
def test_columns_walk_and_json_read_the_same(message: ExportTraceServiceRequest) -> None:
    body = message.SerializeToString()
    walked = one_by_one(body)
    columns = in_columns(body)
    assert columns is None or rows(columns) == rows(walked)
    assert (columns is None) == bool(walked.refusals)
    from_json = decode(otlp_json(message), Encoding.JSON)
    assert rows(from_json) == rows(walked)
    assert [(r.count, r.reason) for r in from_json.refusals] == [(r.count, r.reason) for r in walked.refusals]


def test_of_a_repeated_key_the_last_value_counts() -> None:
    message = request(attribute("a", int_value=1), attribute("b", int_value=2), attribute("a", int_value=3))
    assert in_columns(message.SerializeToString()) is None
    for reading in (decode(message), decode(otlp_json(message), Encoding.JSON)):
        assert rows(reading)[0]["attributes"] == {"a": 3, "b": 2}


def test_of_two_kinds_in_one_value_the_last_on_the_wire_counts() -> None:
    message = request(attribute("a", string_value="first"))
    value = AnyValue(string_value="first").SerializeToString()
    # The value's own length and the lengths around it stay: an int of the same size replaces five characters.
    both = AnyValue(string_value="abc").SerializeToString() + AnyValue(int_value=7).SerializeToString()
    assert len(both) == len(value)
    body = message.SerializeToString().replace(value, both)
    assert in_columns(body) is None
    assert rows(decode(body))[0]["attributes"] == {"a": 7}


SECOND_SPAN_STAYS: dict[str, list[dict[str, Any]]] = {
    "bad_trace_id": [{"trace_id": b""}, {"trace_id": bytes(16)}, {"trace_id": b"\x01" * 15}],
    "bad_span_id": [{"span_id": b""}, {"span_id": bytes(8)}, {"span_id": b"\x01" * 9}],
    "bad_parent_span_id": [{"parent_span_id": b"\x01"}],
    "end_before_start": [{"end_time_unix_nano": NOW_NS - 1}, {"end_time_unix_nano": 0}],
    "end_out_of_range": [{"end_time_unix_nano": 2**63}],
    "start_too_early": [{"start_time_unix_nano": 0}, {"start_time_unix_nano": LIMITS.earliest_ns - 1}],
    "start_in_future": [
        {"start_time_unix_nano": NOW_NS + 86_400 * 10**9 + 1, "end_time_unix_nano": 2**62},
        {"start_time_unix_nano": 2**64 - 1, "end_time_unix_nano": 2**64 - 1},
    ],
    "name_too_long": [{"name": "é" * 2049}],
    "value_too_large": [{"trace_state": "x" * (256 * 1024 + 1)}],
}


@pytest.mark.parametrize(
    ("reason", "fields"), [(reason, fields) for reason, cases in SECOND_SPAN_STAYS.items() for fields in cases]
)
@pytest.mark.parametrize("spans", [2, 400])
def test_a_bad_span_is_refused_and_its_neighbours_stay(reason: str, fields: dict[str, Any], spans: int) -> None:
    message = request(spans=spans, **fields)
    for reading in (decode(message), decode(otlp_json(message), Encoding.JSON)):
        assert [(refusal.count, refusal.reason) for refusal in reading.refusals] == [(1, reason)]
        assert reading.spans.num_rows == spans - 1
        assert reason in reading.explanation()


def nested(levels: int) -> AnyValue:
    value = AnyValue(int_value=1)
    for _ in range(levels):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    return value


ATTRIBUTE_FAULTS = {
    "too_many_attributes": [attribute(f"k{n}", int_value=n) for n in range(1001)],
    "value_too_large": [attribute("a", string_value="x" * (256 * 1024 + 1))],
    "nested_too_deep": [KeyValue(key="a", value=nested(17))],
    "name_too_long": [attribute("k" * 4097, int_value=1)],
}


@pytest.mark.parametrize("reason", ATTRIBUTE_FAULTS)
def test_a_span_with_a_bad_attribute_is_refused_alone(reason: str) -> None:
    message = request(spans=2)
    message.resource_spans[0].scope_spans[0].spans[0].attributes.extend(ATTRIBUTE_FAULTS[reason])
    body = message.SerializeToString()
    assert in_columns(body) is None
    for reading in (one_by_one(body), decode(body), decode(otlp_json(message), Encoding.JSON)):
        assert [(refusal.count, refusal.reason) for refusal in reading.refusals] == [(1, reason)]
        assert [row["span_id"] for row in rows(reading)] == [2]


def test_the_limits_themselves_are_kept() -> None:
    message = request(
        *[attribute(f"k{n}", int_value=n) for n in range(998)],
        attribute("long", string_value="x" * 256 * 1024),
        KeyValue(key="deep", value=nested(16)),
        name="n" * 4096,
        start_time_unix_nano=LIMITS.earliest_ns,
    )
    body = message.SerializeToString()
    assert in_columns(body) is not None
    for reading in (decode(body), one_by_one(body), decode(otlp_json(message), Encoding.JSON)):
        assert not reading.refusals


def test_a_nesting_that_would_exhaust_a_parser_costs_one_span() -> None:
    value = LaxAnyValue(int_value=1)
    for _ in range(3000):
        value = LaxAnyValue(array_value=LaxArray(values=[value]).SerializeToString())
    message = LaxTraces.FromString(request(spans=2).SerializeToString())
    message.resource_spans[0].scope_spans[0].spans[0].attributes.add(key=b"a").value.CopyFrom(value)
    body = message.SerializeToString()
    with pytest.raises(DecodeError):
        ExportTraceServiceRequest.FromString(body)
    reading = decode(body)
    assert [(refusal.count, refusal.reason) for refusal in reading.refusals] == [(1, "nested_too_deep")]
    assert [row["span_id"] for row in rows(reading)] == [2]


@pytest.mark.parametrize("spans", [3, 600])
@pytest.mark.parametrize("where", ["name", "attribute", "key", "nested"])
def test_undecodable_text_costs_only_the_span_it_stands_in(spans: int, where: str) -> None:
    message = request(spans=spans)
    span = message.resource_spans[0].scope_spans[0].spans[1]
    if where == "name":
        span.name = "MARK"
    elif where == "attribute":
        span.attributes.extend([attribute("a", string_value="MARK")])
    elif where == "key":
        span.attributes.extend([attribute("MARK", string_value="a")])
    else:
        span.attributes.extend([attribute("a", array_value=ArrayValue(values=[AnyValue(string_value="MARK")]))])
    reading = decode(message.SerializeToString().replace(b"MARK", b"\xff\xfe\xfd\xfc"))
    assert [(refusal.count, refusal.reason) for refusal in reading.refusals] == [(1, "not_utf8")]
    assert [row["span_id"] for row in rows(reading)] == [n for n in range(1, spans + 1) if n != 2]


def test_undecodable_text_in_a_resource_costs_the_spans_of_that_resource() -> None:
    message = request(spans=2)
    message.resource_spans.add().CopyFrom(message.resource_spans[0])
    message.resource_spans[0].resource.attributes[0].value.string_value = "MARK"
    reading = decode(message.SerializeToString().replace(b"MARK", b"\xff\xfe\xfd\xfc"))
    assert [(refusal.count, refusal.reason) for refusal in reading.refusals] == [(2, "not_utf8")]
    assert reading.spans.num_rows == 2


@pytest.mark.parametrize("spans", [1, 600])
def test_a_truncated_request_is_malformed(spans: int) -> None:
    body = request(spans=spans).SerializeToString()
    with pytest.raises(MalformedRequest, match="truncated"):
        decode(body[:-3])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [5]}',
        b'{"resourceSpans": [{"resource": 5}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": NaN}]}]}]}',
        b'{"resource_spans": []}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [7]}]}]}',
        b'{"resourceSpans": [], "a": "\\ud800"}',
        b"\xff\xfe",
    ],
)
def test_json_that_is_not_otlp_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode(body, Encoding.JSON)


def json_span(**fields: Any) -> bytes:
    span = {
        "traceId": "0A" * 16,
        "spanId": "0b" * 8,
        "name": "n",
        "startTimeUnixNano": str(NOW_NS),
        "endTimeUnixNano": NOW_NS + 1,
    } | fields
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


@pytest.mark.parametrize(
    "fields",
    [
        {"unheardOf": {"a": 1}},
        {"kind": "SPAN_KIND_CLIENT"},
        {"kind": "client"},
        {"kind": "3"},
        {"status": None, "attributes": None, "events": None, "parentSpanId": ""},
        {"status": {"code": "STATUS_CODE_ERROR"}},
    ],
)
def test_json_is_read_as_its_writers_write_it(fields: dict[str, Any]) -> None:
    reading = decode(json_span(**fields), Encoding.JSON)
    assert not reading.refusals
    [row] = rows(reading)
    assert row["trace_id"].hex == "0a" * 16
    assert row["service"] == "unknown_service"
    assert row["kind"] == (3 if "kind" in fields else 0)
    assert row["status_code"] == (2 if fields.get("status") else 0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"traceId": "zz"}, "bad_trace_id"),
        ({"traceId": 5}, "bad_trace_id"),
        ({"name": 5}, "malformed_field"),
        ({"startTimeUnixNano": "soon"}, "malformed_field"),
        ({"startTimeUnixNano": True}, "malformed_field"),
        ({"attributes": 5}, "malformed_field"),
        ({"attributes": [5]}, "malformed_field"),
        ({"attributes": [{"key": "a", "value": 5}]}, "malformed_value"),
        ({"attributes": [{"key": "a", "value": {"intValue": "9223372036854775808"}}]}, "malformed_value"),
        ({"attributes": [{"key": "a", "value": {"bytesValue": "*"}}]}, "malformed_value"),
        ({"attributes": [{"key": "a", "value": {"boolValue": "yes"}}]}, "malformed_value"),
        ({"attributes": [{"key": "a", "value": {"doubleValue": "x"}}]}, "malformed_value"),
        ({"attributes": [{"key": "a", "value": {"arrayValue": 5}}]}, "malformed_value"),
        ({"kind": "wizard"}, "malformed_field"),
        ({"status": 5}, "malformed_field"),
        ({"events": [5]}, "malformed_field"),
        ({"events": [{"timeUnixNano": -1}]}, "malformed_field"),
        ({"links": [{"traceId": "zz"}]}, "malformed_field"),
    ],
)
def test_a_json_span_with_a_wrong_field_is_refused(fields: dict[str, Any], reason: str) -> None:
    reading = decode(json_span(**fields), Encoding.JSON)
    assert [(refusal.count, refusal.reason) for refusal in reading.refusals] == [(1, reason)]
    assert reading.spans.num_rows == 0


def test_reasons_are_counted_and_the_first_of_each_is_told() -> None:
    message = request(spans=6)
    spans = message.resource_spans[0].scope_spans[0].spans
    spans[0].name, spans[0].span_id = "the first", b""
    spans[1].span_id = b""
    spans[2].end_time_unix_nano = 0
    reading = decode(message)
    assert reading.refused_count == 3
    assert "2 refused, bad_span_id: span 'the first'" in reading.explanation()
    assert "1 refused, end_before_start" in reading.explanation()
