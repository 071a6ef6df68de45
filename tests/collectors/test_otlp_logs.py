"""Log records become spans of no length, in both encodings alike, and sending them again changes nothing."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from collectors.batch import Decoded
from collectors.otlp import Encoding
from collectors.otlp_logs import decode_logs
from tests.collectors.conftest import MemoryStore
from trace_model.spans import SCHEMA

NOW_NS = 1_772_000_000_000_000_000


def request(*records: dict[str, Any]) -> bytes:
    message = ExportLogsServiceRequest()
    resource = message.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "erp"
    scope = resource.scope_logs.add()
    scope.scope.name = "app"
    for fields in records:
        fields = {"time_unix_nano": NOW_NS} | fields
        attributes, body = fields.pop("attributes", {}), fields.pop("body", None)
        record = scope.log_records.add(**fields)
        for key, value in attributes.items():
            record.attributes.add(key=key).value.string_value = value
        if body is not None:
            record.body.string_value = body
    return bytes(message.SerializeToString())


def decode(body: bytes, encoding: Encoding = Encoding.PROTOBUF) -> Decoded:
    return decode_logs(body, encoding, received_ns=NOW_NS)


def rows(decoded: Decoded) -> list[dict[str, Any]]:
    assert decoded.spans.schema.equals(SCHEMA)
    decoded.spans.validate(full=True)
    found: list[dict[str, Any]] = decoded.spans.to_pylist()
    return [row | {"attributes": orjson.loads(row["attributes"])} for row in found]


CORRELATED = {"attributes": {"correlation.id": "c-1"}}


def test_a_record_with_trace_context_stands_under_its_span() -> None:
    body = request({"trace_id": b"\x0a" * 16, "span_id": b"\x01" * 8, "body": "posted", "event_name": "invoice.posted"})
    [row] = rows(decode(body))
    assert row["trace_id"].hex == "0a" * 16
    assert row["parent_span_id"] == int.from_bytes(b"\x01" * 8, "big")
    assert (row["name"], row["kind"], row["service"], row["scope"]) == ("invoice.posted", 0, "erp", "app")
    assert (row["start_unix_ns"], row["end_unix_ns"], row["status_code"]) == (NOW_NS, NOW_NS, 0)
    assert (row["attributes"], row["source"]) == ({"log.body": "posted"}, "otlp_logs")


def test_records_of_one_correlation_id_stand_in_one_trace() -> None:
    one, two, other = rows(
        decode(
            request(CORRELATED | {"body": "a"}, CORRELATED | {"body": "b"}, {"attributes": {"correlation_id": "c-2"}})
        )
    )
    assert one["trace_id"] == two["trace_id"] != other["trace_id"]
    assert len({one["span_id"], two["span_id"], other["span_id"]}) == 3


def test_an_error_is_an_error() -> None:
    for severity, status, message in ((16, 0, None), (17, 2, "no tax"), (24, 2, "no tax")):
        [row] = rows(decode(request(CORRELATED | {"severity_number": severity, "body": "no tax"})))
        assert (row["status_code"], row["status_message"]) == (status, message)


def test_the_name_is_the_events_or_log() -> None:
    assert rows(decode(request(CORRELATED)))[0]["name"] == "log"
    named = {"attributes": {"correlation.id": "c-1", "event.name": "order.held"}}
    assert rows(decode(request(named)))[0]["name"] == "order.held"


def test_a_record_without_its_own_time_has_that_of_its_observation() -> None:
    fields = CORRELATED | {"time_unix_nano": 0, "observed_time_unix_nano": NOW_NS - 5}
    assert rows(decode(request(fields)))[0]["start_unix_ns"] == NOW_NS - 5


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "no_correlation"),
        ({"attributes": {"correlation.id": ""}}, "no_correlation"),
        ({"trace_id": b"\x01"}, "bad_trace_id"),
        (CORRELATED | {"span_id": b"\x01"}, "bad_parent_span_id"),
        (CORRELATED | {"time_unix_nano": 5}, "start_too_early"),
        (CORRELATED | {"body": "x" * (256 * 1024 + 1)}, "value_too_large"),
        (CORRELATED | {"event_name": "x" * 4097}, "name_too_long"),
    ],
)
def test_a_bad_record_is_refused_and_its_neighbours_stay(fields: dict[str, Any], reason: str) -> None:
    decoded = decode(request(fields, CORRELATED))
    assert [(refusal.count, refusal.reason) for refusal in decoded.refusals] == [(1, reason)]
    assert decoded.spans.num_rows == 1


def test_undecodable_text_costs_one_record() -> None:
    body = request(CORRELATED | {"body": "MARK"}, CORRELATED).replace(b"MARK", b"\xff\xfe\xfd\xfc")
    decoded = decode(body)
    assert [(refusal.count, refusal.reason) for refusal in decoded.refusals] == [(1, "not_utf8")]
    assert decoded.spans.num_rows == 1


def test_json_and_protobuf_give_the_same_span() -> None:
    fields = CORRELATED | {"trace_id": b"\x0a" * 16, "severity_number": 17, "body": "no tax", "event_name": "held"}
    record = {
        "timeUnixNano": str(NOW_NS),
        "traceId": "0a" * 16,
        "severityNumber": 17,
        "eventName": "held",
        "body": {"stringValue": "no tax"},
        "attributes": [{"key": "correlation.id", "value": {"stringValue": "c-1"}}],
    }
    service = [{"key": "service.name", "value": {"stringValue": "erp"}}]
    document = {
        "resourceLogs": [
            {
                "resource": {"attributes": service},
                "scopeLogs": [{"scope": {"name": "app"}, "logRecords": [record]}],
            }
        ]
    }
    assert rows(decode(orjson.dumps(document), Encoding.JSON)) == rows(decode(request(fields)))


def test_the_door_takes_logs_once(url: str, store: MemoryStore) -> None:
    body = request(CORRELATED, {})
    for _ in range(2):
        response = httpx.post(f"{url}/v1/logs", content=body, headers={"content-type": "application/x-protobuf"})
        assert response.status_code == 200
        partial = ExportLogsServiceResponse.FromString(response.content).partial_success
        assert partial.rejected_log_records == 1
        assert "no_correlation" in partial.error_message
    assert len(store.seen) == 1
    assert len(store.rows()) == 2
