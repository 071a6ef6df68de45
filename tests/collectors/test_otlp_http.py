"""OTLP/HTTP by a real server: what is taken, what is refused and how, and what stands in the store afterwards."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from collectors.access import Access, Token
from collectors.batch import Limits
from collectors.ingest import Ingest
from collectors.otlp import Encoding, decode_traces
from tests.collectors.conftest import MemoryStore
from tests.collectors.otlp_requests import traces
from trace_model.errors import StoreUnavailable

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        yield client


def as_json(spans: int = 1, **fields: Any) -> dict[str, Any]:
    now = time.time_ns()
    span = {
        "traceId": "0a" * 16,
        "name": "n",
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now),
    }
    many = [{**span, "spanId": f"{number:016x}"} for number in range(1, spans + 1)]
    many[0] |= fields
    return {"resourceSpans": [{"scopeSpans": [{"spans": many}]}]}


@pytest.mark.parametrize("compression", [Compression.Gzip, Compression.NoCompression])
def test_the_sdks_exporter_delivers(url: str, store: MemoryStore, compression: Compression) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "billing"}))
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t", "1").start_as_current_span("invoice", attributes={"q2c.invoice.id": "INV-1"}) as span:
        span.record_exception(ValueError("no tax"))
    provider.shutdown()
    [row] = store.rows()
    assert (row["service"], row["scope"], row["source"]) == ("billing", "t@1", "otlp_http")
    assert row["attributes"] == {"q2c.invoice.id": "INV-1"}
    assert row["events"][0]["attributes"]["exception.message"] == "no tax"
    assert row["trace_id"].int == span.get_span_context().trace_id


def test_protobuf_is_answered_in_protobuf_after_the_commit(client: httpx.Client, store: MemoryStore) -> None:
    response = client.post("/v1/traces", content=traces(3).SerializeToString(), headers=PROTOBUF)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-protobuf"
    assert not ExportTraceServiceResponse.FromString(response.content).HasField("partial_success")
    assert len(store.rows()) == 3


def test_json_is_answered_in_json(client: httpx.Client, store: MemoryStore) -> None:
    headers = {"content-type": "application/json; charset=UTF-8", "content-encoding": "gzip"}
    response = client.post("/v1/traces", content=gzip.compress(orjson.dumps(as_json())), headers=headers)
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers["content-type"] == "application/json"
    assert store.rows()[0]["trace_id"].hex == "0a" * 16


def test_an_empty_request_is_fine(client: httpx.Client, store: MemoryStore) -> None:
    assert client.post("/v1/traces", content=b"", headers=PROTOBUF).status_code == 200
    assert client.post("/v1/traces", content=b"{}", headers=JSON).json() == {}
    assert store.attempts == 0


def test_several_gzip_members_are_one_body(client: httpx.Client, store: MemoryStore) -> None:
    body = traces(2).SerializeToString()
    content = gzip.compress(body[:40]) + gzip.compress(body[40:])
    assert client.post("/v1/traces", content=content, headers=PROTOBUF | {"content-encoding": "gzip"}).is_success
    assert len(store.rows()) == 2


def test_refused_spans_are_told_in_partial_success(client: httpx.Client, store: MemoryStore) -> None:
    response = client.post("/v1/traces", json=as_json(3, spanId="00" * 8))
    assert response.status_code == 200
    told = response.json()["partialSuccess"]
    assert told["rejectedSpans"] == "1"
    assert "bad_span_id: span 'n': span_id is all zero" in told["errorMessage"]
    assert len(store.rows()) == 2
    body = traces(2)
    body.resource_spans[0].scope_spans[0].spans[0].trace_id = b"short"
    response = client.post("/v1/traces", content=body.SerializeToString(), headers=PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert partial.rejected_spans == 1
    assert "trace_id has 5 bytes" in partial.error_message


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"\x0a\xff\xff", PROTOBUF),
        (b"{", JSON),
        (b"plain", PROTOBUF | {"content-encoding": "gzip"}),
        (gzip.compress(b"x" * 1000)[:-9], PROTOBUF | {"content-encoding": "gzip"}),
        (gzip.compress(b""), JSON | {"content-encoding": "gzip"}),
    ],
    ids=["not protobuf", "not JSON", "not gzip", "gzip cut short", "nothing in gzip"],
)
def test_a_malformed_body_is_400_in_its_own_encoding(
    client: httpx.Client, content: bytes, headers: dict[str, str]
) -> None:
    response = client.post("/v1/traces", content=content, headers=headers)
    assert response.status_code == 400
    assert response.headers["content-type"] == headers["content-type"]
    if headers["content-type"].endswith("protobuf"):
        assert status_pb2.Status.FromString(response.content).code == 3
    else:
        assert response.json()["code"] == 3
    assert "retry-after" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {},
        {"content-type": "application/json; charset=utf-16"},
        JSON | {"content-encoding": "deflate"},
        PROTOBUF | {"content-encoding": "br"},
    ],
)
def test_media_that_is_not_read_is_415_and_says_what_is(client: httpx.Client, headers: dict[str, str]) -> None:
    response = client.post("/v1/traces", content=zlib.compress(b"{}"), headers=headers)
    assert response.status_code == 415
    assert b"Read: " in response.content
    assert response.headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("limits", [Limits(compressed_bytes=10_000, decompressed_bytes=100_000)])
class TestSize:
    def test_a_body_over_the_limit_is_413(self, client: httpx.Client) -> None:
        response = client.post("/v1/traces", content=b"x" * 3_000_000, headers=PROTOBUF)
        assert response.status_code == 413
        assert "10000 are taken" in status_pb2.Status.FromString(response.content).message

    def test_a_body_over_the_limit_without_a_length_is_413(self, client: httpx.Client) -> None:
        response = client.post("/v1/traces", content=iter([b"x" * 9_000] * 9), headers=JSON)
        assert response.status_code == 413
        assert "81000 bytes" in response.json()["message"]

    def test_a_gzip_bomb_stops_unfolding_at_the_limit(self, client: httpx.Client) -> None:
        bomb = gzip.compress(bytes(5_000_000))
        assert len(bomb) < 10_000
        response = client.post("/v1/traces", content=bomb, headers=JSON | {"content-encoding": "gzip"})
        assert response.status_code == 413
        assert "unfolds to more than the 100000 bytes" in response.json()["message"]

    def test_a_bomb_of_many_members_stops_too(self, client: httpx.Client) -> None:
        bomb = gzip.compress(bytes(60_000)) * 20
        response = client.post("/v1/traces", content=bomb, headers=JSON | {"content-encoding": "gzip"})
        assert response.status_code == 413

    def test_exactly_the_limit_is_taken(self, client: httpx.Client) -> None:
        body = b"{" + b" " * 99_998 + b"}"
        headers = JSON | {"content-encoding": "gzip"}
        assert client.post("/v1/traces", content=gzip.compress(body), headers=headers).status_code == 200


@pytest.mark.parametrize("access", [Access([Token("s3cret", "erp"), Token("other")])])
class TestTokens:
    def test_a_known_token_is_taken_and_names_its_source(self, client: httpx.Client, store: MemoryStore) -> None:
        for header in ({"authorization": "Bearer s3cret"}, {"x-cashtrail-token": "s3cret"}):
            assert client.post("/v1/traces", json=as_json(), headers=header).is_success
        assert client.post("/v1/traces", json=as_json(), headers={"authorization": "bearer other"}).is_success
        assert [row["source"] for row in store.rows()] == ["otlp_http:erp", "otlp_http:erp", "otlp_http"]

    @pytest.mark.parametrize(
        "headers",
        [{}, {"authorization": "Bearer nope"}, {"authorization": "Basic s3cret"}, {"x-cashtrail-token": "s3cre"}],
    )
    def test_without_one_it_is_401(self, client: httpx.Client, store: MemoryStore, headers: dict[str, str]) -> None:
        response = client.post("/v1/traces", json=as_json(), headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["code"] == 16
        assert not store.rows()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_405_with_allow(client: httpx.Client, method: str) -> None:
    response = client.request(method, "/v1/traces")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/traces/", "/v1/"])
def test_another_path_is_404_as_a_problem(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path)
    assert response.status_code == 404
    assert response.json()["status"] == 404
    assert "/v1/traces" in response.json()["detail"]


def test_a_store_that_is_down_is_503_with_retry_after(client: httpx.Client, store: MemoryStore) -> None:
    def full(spans: Any) -> None:
        raise StoreUnavailable("the disk is full", 7.2)

    store.fault = full
    response = client.post("/v1/traces", content=traces(1).SerializeToString(), headers=PROTOBUF)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "8"
    status = status_pb2.Status.FromString(response.content)
    retry = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 7200
    store.fault = lambda spans: None
    assert client.post("/v1/traces", json=as_json()).status_code == 200


def test_a_store_that_breaks_in_an_unforeseen_way_is_503_not_500(client: httpx.Client, store: MemoryStore) -> None:
    def broken(spans: Any) -> None:
        raise ZeroDivisionError

    store.fault = broken
    response = client.post("/v1/traces", json=as_json())
    assert response.status_code == 503
    assert "ZeroDivisionError" in response.json()["message"]


@pytest.mark.parametrize("limits", [Limits(queue_spans=5)])
def test_a_full_queue_is_429_with_retry_after(client: httpx.Client, ingest: Ingest, store: MemoryStore) -> None:
    store.delay_s = 0.3

    def queue(count: int) -> Any:
        body = traces(count).SerializeToString()
        return ingest.submit(decode_traces(body, Encoding.PROTOBUF, source="s", received_ns=time.time_ns()))

    first = queue(1)
    while store.attempts == 0:
        time.sleep(0.005)
    second = queue(4)
    response = client.post("/v1/traces", json=as_json(2))
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1
    assert first.result().kept_count + second.result().kept_count == 5
    assert client.post("/v1/traces", json=as_json(2)).status_code == 200


def test_counters_tell_of_every_request(client: httpx.Client, ingest: Ingest) -> None:
    body = traces(2, first=10**6).SerializeToString()
    for _ in range(2):
        client.post("/v1/traces", content=body, headers=PROTOBUF)
    client.post("/v1/traces", json=as_json(2, spanId=""))
    client.post("/v1/traces", content=b"{", headers=JSON)
    snapshot = ingest.snapshot()
    [source] = snapshot.sources
    assert (snapshot.spans_stored, snapshot.spans_duplicate, snapshot.spans_refused) == (3, 2, 1)
    assert (source.spans_stored, source.spans_duplicate, source.spans_received) == (3, 2, 6)
    assert source.refused == {"bad_span_id": 1}
    assert source.rejected == {"malformed": 1}
    assert source.requests == 3
    assert source.last_received_ns is not None
    assert time.time_ns() - source.last_received_ns < 10**10
    assert (snapshot.queued_requests, snapshot.queued_spans, snapshot.queued_bytes) == (0, 0, 0)
