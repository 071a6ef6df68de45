"""OTLP/gRPC by a real server and real clients: statuses, RetryInfo, limits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from collectors import otlp_grpc
from collectors.access import Access, Token
from collectors.batch import Limits
from collectors.ingest import Ingest
from tests.collectors.conftest import MemoryStore
from tests.collectors.otlp_requests import traces
from trace_model.errors import StoreUnavailable


@pytest.fixture
def port(ingest: Ingest, access: Access) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    door = asyncio.run_coroutine_threadsafe(otlp_grpc.start(ingest, access, port=0), loop).result(10)
    yield door.port
    asyncio.run_coroutine_threadsafe(door.stop(1), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def channel(port: int) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)]) as channel:
        yield channel


def fault_of(call: Any) -> tuple[grpc.StatusCode, status_pb2.Status | None, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    fault: Any = caught.value
    details = dict(fault.trailing_metadata()).get("grpc-status-details-bin")
    return fault.code(), status_pb2.Status.FromString(details) if details else None, fault.details()


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.NoCompression])
def test_the_sdks_exporter_delivers(port: int, store: MemoryStore, compression: grpc.Compression) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "psp"}))
    exporter = OTLPSpanExporter(endpoint=f"127.0.0.1:{port}", insecure=True, compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").start_as_current_span("capture", attributes={"q2c.amount": 12.5}):
        pass
    provider.shutdown()
    [row] = store.rows()
    assert (row["service"], row["source"], row["attributes"]) == ("psp", "otlp_grpc", {"q2c.amount": 12.5})


def test_refused_spans_are_told_in_partial_success(channel: grpc.Channel, store: MemoryStore) -> None:
    message = traces(3)
    message.resource_spans[0].scope_spans[0].spans[1].end_time_unix_nano = 0
    response = TraceServiceStub(channel).Export(message)
    assert response.partial_success.rejected_spans == 1
    assert "end_before_start" in response.partial_success.error_message
    assert len(store.rows()) == 2
    assert not TraceServiceStub(channel).Export(traces(1)).HasField("partial_success")


def test_bytes_that_are_not_a_request_are_invalid_argument(channel: grpc.Channel) -> None:
    export = channel.unary_unary(f"/{otlp_grpc.TRACES}/Export")
    code, status, details = fault_of(lambda: export(b"\x0a\xff\xff"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert status is not None
    assert not status.details
    assert "not a protobuf ExportTraceServiceRequest" in details


def test_a_store_that_is_down_is_unavailable_with_retry_info(channel: grpc.Channel, store: MemoryStore) -> None:
    def full(spans: Any) -> None:
        raise StoreUnavailable("the disk is full", 2.5)

    store.fault = full
    code, status, details = fault_of(lambda: TraceServiceStub(channel).Export(traces(1)))
    assert (code, details) == (grpc.StatusCode.UNAVAILABLE, "the disk is full")
    retry = error_details_pb2.RetryInfo()
    assert status is not None
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 2500


@pytest.mark.parametrize("limits", [Limits(queue_spans=1)])
def test_a_full_queue_is_resource_exhausted_with_retry_info(channel: grpc.Channel, store: MemoryStore) -> None:
    store.delay_s = 0.4
    export = TraceServiceStub(channel).Export
    futures = [export.future(traces(1))]
    while store.attempts == 0:
        time.sleep(0.001)
    futures += [export.future(traces(1)) for _ in range(3)]
    codes = sorted(future.code().name for future in futures)
    assert codes == ["OK", "OK", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"]
    refused = next(future for future in futures if future.code() is grpc.StatusCode.RESOURCE_EXHAUSTED)
    details = dict(refused.trailing_metadata())["grpc-status-details-bin"]
    assert status_pb2.Status.FromString(details).details


@pytest.mark.parametrize("limits", [Limits(decompressed_bytes=50_000)])
@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.NoCompression])
def test_a_message_over_the_limit_is_resource_exhausted_for_good(
    channel: grpc.Channel, compression: grpc.Compression
) -> None:
    message = traces(1, long="x" * 60_000)
    code, status, _ = fault_of(lambda: TraceServiceStub(channel).Export(message, compression=compression))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status is None


@pytest.mark.parametrize("access", [Access([Token("s3cret", "erp")])])
def test_tokens_are_asked_for(channel: grpc.Channel, store: MemoryStore) -> None:
    export = TraceServiceStub(channel).Export
    for metadata in (None, (("authorization", "Bearer nope"),)):
        code, _, _ = fault_of(lambda metadata=metadata: export(traces(1), metadata=metadata))
        assert code is grpc.StatusCode.UNAUTHENTICATED
    export(traces(1), metadata=(("authorization", "Bearer s3cret"),))
    assert [row["source"] for row in store.rows()] == ["otlp_grpc:erp"]


def test_logs_come_in_too(channel: grpc.Channel, store: MemoryStore) -> None:
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1_772_000_000_000_000_000)
    record.body.string_value = "posted"
    assert LogsServiceStub(channel).Export(message).partial_success.rejected_log_records == 1
    record.attributes.add(key="correlation.id").value.string_value = "c-1"
    assert not LogsServiceStub(channel).Export(message).HasField("partial_success")
    assert store.rows()[0]["attributes"] == {"correlation.id": "c-1", "log.body": "posted"}


def test_an_address_in_use_is_named(ingest: Ingest, port: int) -> None:
    with pytest.raises(OSError, match=f"127.0.0.1:{port} cannot be bound"):
        asyncio.run(otlp_grpc.start(ingest, Access(), port=port))
