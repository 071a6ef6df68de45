"""A backtest walks in the background: it is begun once, ends with a result or a fault, and a failed one can be begun again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from console.backtests import Backtests, backtests_of
from trace_model.catalogue.loader import load
from trace_model.store import Store

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def eventually(holds: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(holds())


@pytest.fixture
def store() -> Store:
    return Store(None, load(), clock=lambda: NOW, threads=1)


def test_who_asks_again_sees_the_same_walk_and_its_end(store: Store) -> None:
    backtests = backtests_of(store)
    assert backtests is backtests_of(store)
    walk = backtests.walk(NOW, 30)
    assert backtests.walk(NOW, 30) is walk
    longer = backtests.walk(NOW, 60)
    assert longer is not walk
    assert eventually(lambda: walk.result and longer.result)
    assert walk.result is not None
    assert walk.result.trial_count == 0
    store.close()


def test_a_walk_that_failed_says_why_until_it_is_begun_again(store: Store) -> None:
    backtests = Backtests(store)
    store.close()
    walk = backtests.walk(NOW, 30)
    assert eventually(lambda: walk.fault)
    assert walk.fault == "the store is closed"
    assert backtests.walk(NOW, 30) is walk
    backtests.forget(walk)
    assert backtests.walk(NOW, 30) is not walk
