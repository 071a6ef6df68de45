"""CloudEvents 1.0 by a real server: structured, batched and binary, kept once, refused with a reason."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from tests.collectors.conftest import MemoryStore

STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/billing/eu",
    "type": "com.example.invoice.issued",
    "subject": "INV-1",
    "time": "2026-03-06T16:00:00.5Z",
    "correlationid": "c-1",
    "priority": 3,
    "data": {"q2c.invoice.id": "INV-1", "q2c.amount": 12.5, "q2c.lines": [1], "customer": "ACME", "q2c.none": None},
}
ATTRIBUTES = {
    "q2c.invoice.id": "INV-1",
    "q2c.amount": 12.5,
    "priority": 3,
    "correlationid": "c-1",
    "messaging.message.conversation_id": "c-1",
    "cloudevents.event_id": "e-1",
    "cloudevents.event_source": "/billing/eu",
    "cloudevents.event_type": "com.example.invoice.issued",
    "cloudevents.event_subject": "INV-1",
}


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        yield client


def post(client: httpx.Client, content: Any, headers: dict[str, str]) -> httpx.Response:
    return client.post("/v1/events", content=orjson.dumps(content), headers=headers)


def test_a_structured_event_is_a_span_of_no_length(client: httpx.Client, store: MemoryStore) -> None:
    assert post(client, EVENT, STRUCTURED).status_code == 204
    [row] = store.rows()
    assert row["attributes"] == ATTRIBUTES
    assert (row["name"], row["kind"], row["service"]) == ("com.example.invoice.issued", 0, "/billing/eu")
    assert row["start_unix_ns"] == row["end_unix_ns"] == 1_772_812_800_500_000_000
    assert row["source"] == "cloudevents"


def test_a_binary_event_says_the_same(client: httpx.Client, store: MemoryStore) -> None:
    headers = {f"ce-{key}": str(value) for key, value in EVENT.items() if key != "data"}
    headers |= {"content-type": "application/json", "ce-subject": "INV%2D1"}
    assert post(client, EVENT["data"], headers).status_code == 204
    assert store.rows()[0]["attributes"] == ATTRIBUTES | {"priority": "3"}
    assert post(client, EVENT, STRUCTURED).status_code == 204
    assert len(store.seen) == 1


def test_a_binary_event_need_not_carry_json(client: httpx.Client, store: MemoryStore) -> None:
    headers = {f"ce-{key}": str(value) for key, value in EVENT.items() if key != "data"}
    assert client.post("/v1/events", content=b"\xff", headers=headers | {"content-type": "image/png"}).is_success
    assert client.post("/v1/events", headers=headers | {"ce-id": "e-2"}).is_success
    assert "q2c.amount" not in store.rows()[0]["attributes"]


def test_a_batch_keeps_what_can_be_kept(client: httpx.Client, store: MemoryStore) -> None:
    other = EVENT | {"id": "e-2", "time": "yesterday"}
    assert post(client, [], BATCHED).status_code == 204
    response = post(client, [EVENT, other, 5, EVENT | {"id": "e-3"}], BATCHED)
    assert response.status_code == 200
    told = response.json()["partialSuccess"]
    assert told["rejectedEvents"] == 2
    assert "'time' is 'yesterday'" in told["errorMessage"]
    assert len(store.seen) == 2


def test_sending_again_is_a_duplicate_even_without_a_time(client: httpx.Client, store: MemoryStore) -> None:
    event = {key: value for key, value in EVENT.items() if key not in ("time", "correlationid")}
    for _ in range(2):
        assert post(client, event, STRUCTURED).is_success
    assert post(client, event | {"source": "/billing/us"}, STRUCTURED).is_success
    assert len(store.seen) == 2


def test_trace_context_wins_and_a_correlation_id_comes_next(client: httpx.Client, store: MemoryStore) -> None:
    context = {"traceparent": f"00-{'0a' * 16}-{'0b' * 8}-01"}
    post(client, [EVENT | context, EVENT | {"id": "e-2"}, EVENT | {"id": "e-3"}], BATCHED)
    traced, second, third = store.rows()
    assert (traced["trace_id"].hex, traced["parent_span_id"]) == ("0a" * 16, int("0b" * 8, 16))
    assert second["trace_id"] == third["trace_id"] != traced["trace_id"]


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"source": None},
        {"type": 5},
        {"time": "2026-13-01T00:00:00Z"},
        {"time": 5},
        {"time": "1970-01-01T00:00:00Z"},
        {"type": "x" * 4097},
        {"data": {"q2c.payload": "x" * (256 * 1024 + 1)}},
    ],
)
def test_a_request_of_which_nothing_can_be_kept_is_400(
    client: httpx.Client, store: MemoryStore, change: dict[str, Any]
) -> None:
    response = post(client, EVENT | change, STRUCTURED)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert "1 refused" in response.json()["detail"]
    assert not store.rows()


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", STRUCTURED, 400),
        (b"{}", BATCHED, 400),
        (b"[]", STRUCTURED, 400),
        (b"{}", {"content-type": "application/json"}, 415),
        (gzip.compress(orjson.dumps(EVENT)), STRUCTURED | {"content-encoding": "gzip"}, 204),
        (b"{}", STRUCTURED | {"content-encoding": "zstd"}, 415),
    ],
)
def test_the_body_is_what_it_says_or_is_refused(
    client: httpx.Client, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert client.post("/v1/events", content=content, headers=headers).status_code == status


def test_another_method_is_405(client: httpx.Client) -> None:
    response = client.get("/v1/events")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
