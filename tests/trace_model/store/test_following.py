"""The projecting thread: it keeps up by itself, rests between batches, and nobody who waits for it waits out a rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.trace_model.store.spans_of import Story, table
from trace_model.catalogue.loader import load
from trace_model.store import Store
from trace_model.store import store as following


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store(None, load(), clock=lambda: datetime(2026, 3, 2, tzinfo=UTC))
    made.start()
    yield made
    made.close()


def orders(*numbers: int) -> Story:
    story = Story()
    for number in range(max(numbers)):
        story.does("crm.submit_order", number, order=f"SO-{number + 1}")
    story.spans = [story.spans[n - 1] for n in numbers]
    return story


def until(holds: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"did not come true within {seconds} s"
        time.sleep(0.01)


def test_spans_show_by_themselves(store: Store) -> None:
    store.record(table(orders(1).spans))
    until(lambda: store.projected_seq == 1)
    store.record(table(orders(2).spans))
    until(lambda: store.projected_seq == 2)


def test_a_resting_thread_lets_spans_gather_and_wakes_for_whoever_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "REST_SHARE", 1e6)
    store.record(table(orders(1).spans))
    until(lambda: store.projected_seq == 1)
    store.record(table(orders(2, 3).spans))
    time.sleep(0.3)
    assert store.lag().spans == 2, "the thread did not rest"
    assert store.settle(60)
    assert store.lag().spans == 0


def test_a_whole_batch_ends_the_rest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "REST_SHARE", 1e6)
    monkeypatch.setattr(following, "BATCH_SPANS", 2)
    store.record(table(orders(1).spans))
    until(lambda: store.projected_seq == 1)
    store.record(table(orders(2, 3).spans))
    until(lambda: store.projected_seq == 3)


def test_closing_does_not_wait_out_the_rest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "REST_SHARE", 1e6)
    store.record(table(orders(1).spans))
    until(lambda: store.projected_seq == 1)
    closing = threading.Thread(target=store.close)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
