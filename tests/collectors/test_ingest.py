"""Many requests, one commit: every sender is answered, and with the truth, whatever the store does."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from collectors.batch import Decoded, Limits
from collectors.ingest import Ingest, Overloaded, Receipt, Unstorable
from collectors.otlp import Encoding, decode_traces
from tests.collectors.conftest import MemoryStore
from tests.collectors.otlp_requests import traces
from trace_model.errors import StoreUnavailable


def decoded(count: int = 1, source: str = "otlp_http", **attributes: Any) -> Decoded:
    body = traces(count, **attributes).SerializeToString()
    return decode_traces(body, Encoding.PROTOBUF, source=source, received_ns=time.time_ns())


def span_ids(request: Decoded) -> set[int]:
    return set(request.spans.column("span_id").to_pylist())


def poison(spans: pa.Table) -> None:
    if pc.any(pc.match_substring(spans.column("attributes"), "poison")).as_py():
        raise ValueError("cannot convert 'poison'")


def test_fifty_parallel_clients_share_commits_and_are_answered_after_them(ingest: Ingest, store: MemoryStore) -> None:
    store.delay_s = 0.02
    barrier = threading.Barrier(50)

    def client(_: int) -> None:
        barrier.wait()
        for _ in range(4):
            request = decoded(10)
            receipt = ingest.accept_blocking(request)
            assert receipt == Receipt(10)
            assert span_ids(request) <= {span_id for _, span_id in store.seen}

    with ThreadPoolExecutor(50) as clients:
        list(clients.map(client, range(50)))
    assert len(store.seen) == 2000
    assert store.attempts < 60  # 200 requests


def test_fifty_clients_of_a_store_that_fails_now_and_then_lose_nothing(ingest: Ingest, store: MemoryStore) -> None:
    def every_other(_: pa.Table) -> None:
        if store.attempts % 2:
            raise StoreUnavailable("busy", 0.01)

    store.fault = every_other
    answers = {"kept": 0, "again": 0}

    async def client() -> None:
        request = decoded(5)
        while True:
            try:
                await ingest.accept(request)
            except StoreUnavailable as fault:
                answers["again"] += 1
                await asyncio.sleep(fault.retry_after_s)
            else:
                answers["kept"] += 1
                assert span_ids(request) <= {span_id for _, span_id in store.seen}
                return

    async def everyone() -> None:
        await asyncio.gather(*(client() for _ in range(50)))

    asyncio.run(everyone())
    assert answers["kept"] == 50
    assert answers["again"] > 0
    assert len(store.seen) == 250


def test_one_bad_request_fails_alone(ingest: Ingest, store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    store.fault = poison
    store.delay_s = 0.05
    first = ingest.submit(decoded())
    good = [ingest.submit(decoded(2)) for _ in range(10)]
    bad = ingest.submit(decoded(2, a="poison"))
    good += [ingest.submit(decoded(2)) for _ in range(10)]
    assert first.result().kept_count == 1
    assert [answer.result().kept_count for answer in good] == [2] * 20
    with pytest.raises(Unstorable, match="cannot convert 'poison'"):
        bad.result()
    assert len(store.seen) == 41
    assert "a request of 2 spans from otlp_http could not be kept" in caplog.text


def test_a_fault_that_no_neighbour_disproves_may_be_tried_again(ingest: Ingest, store: MemoryStore) -> None:
    store.fault = poison
    with pytest.raises(StoreUnavailable):
        ingest.accept_blocking(decoded(a="poison"))
    assert ingest.accept_blocking(decoded()).kept_count == 1


def test_an_idle_door_does_not_wait(ingest: Ingest) -> None:
    requests = [decoded() for _ in range(20)]
    started = time.perf_counter()
    for request in requests:
        ingest.accept_blocking(request)
    assert (time.perf_counter() - started) / 20 < 1


@pytest.mark.parametrize("limits", [Limits(group_spans=100)])
def test_a_commit_is_no_larger_than_a_group(ingest: Ingest, store: MemoryStore) -> None:
    store.delay_s = 0.02
    answers = [ingest.submit(decoded(30)) for _ in range(20)] + [ingest.submit(decoded(250))]
    for answer in answers:
        answer.result()
    assert sorted(batch.num_rows for batch in store.batches)[-2:] == [90, 250]


@pytest.mark.parametrize("limits", [Limits(queue_bytes=4_000)])
def test_a_queue_full_of_bytes_is_overloaded_and_recovers(ingest: Ingest, store: MemoryStore) -> None:
    store.delay_s = 0.1
    ingest.submit(decoded())
    while not store.attempts:
        time.sleep(0.001)
    answers = []

    def submit_many() -> None:
        for _ in range(100):
            answers.append(ingest.submit(decoded(3)))

    with pytest.raises(Overloaded) as caught:
        submit_many()
    assert caught.value.retry_after_s >= 1
    assert 0 < len(answers) < 20
    with pytest.raises(Overloaded), ingest.admitted(10**6):
        pass
    for answer in answers:
        answer.result()
    with ingest.admitted(10**6):
        pass


def test_closing_keeps_what_waits_and_turns_the_rest_away(store: MemoryStore) -> None:
    store.delay_s = 0.05
    ingest = Ingest(store)
    answers = [ingest.submit(decoded()) for _ in range(30)]
    ingest.close()
    assert all(answer.done() for answer in answers)
    assert len(store.seen) == 30
    with pytest.raises(StoreUnavailable, match="closing"):
        ingest.submit(decoded())
    ingest.close()


def test_a_sender_that_has_gone_takes_nobody_with_it(ingest: Ingest, store: MemoryStore) -> None:
    store.delay_s = 0.05

    async def story() -> Receipt:
        gone = [asyncio.ensure_future(ingest.accept(decoded())) for _ in range(5)]
        stays = asyncio.ensure_future(ingest.accept(decoded(7)))
        await asyncio.sleep(0)
        for each in gone:
            each.cancel()
        return await asyncio.wait_for(stays, 5)

    assert asyncio.run(story()).kept_count == 7


def test_sources_are_counted_apart_and_the_totals_are_exact(ingest: Ingest, store: MemoryStore) -> None:
    store.delay_s = 0.02
    again = decoded(4, source="file:a.jsonl")
    ingest.accept_blocking(again)
    answers = [ingest.submit(decoded(1)), ingest.submit(again), ingest.submit(decoded(12, source="otlp_grpc"))]
    for answer in answers:
        answer.result()
    snapshot = ingest.snapshot()
    assert (snapshot.spans_stored, snapshot.spans_duplicate) == (17, 4)
    assert [source.source for source in snapshot.sources] == ["file:a.jsonl", "otlp_grpc", "otlp_http"]
    assert sum(source.spans_stored for source in snapshot.sources) == 17
    assert sum(source.spans_duplicate for source in snapshot.sources) == 4


def test_secrets_are_gone_before_the_store_sees_them(ingest: Ingest, store: MemoryStore) -> None:
    ingest.accept_blocking(decoded(1, password="hunter2", card="4111 1111 1111 1111"))
    assert store.rows()[0]["attributes"] == {"password": "[redacted]", "card": "[redacted card ending 1111]"}
    assert ingest.snapshot().values_redacted == 2
