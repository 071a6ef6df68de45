"""Backtests of the forecast, walked in the background: who asks for one sees how far it is, and no other screen waits for it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from console.background import fault_of
from trace_model.priorities import Niceness, stand_back
from trace_model.store import Store
from trace_model.store.forecasts import Backtest, Forecasts

KEPT = 16


@dataclass
class Walk:
    """One backtest: the part of it that is done (0..1), then its result, or what went wrong, fit for an operator."""

    as_of: datetime
    days: int
    share: float = 0.0
    result: Backtest | None = None
    fault: str | None = None


class Backtests:
    """The backtests of one store, one walking at a time; the last few are kept until a restart. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._walking = threading.Lock()
        self._walks: OrderedDict[tuple[datetime, int], Walk] = OrderedDict()

    def walk(self, as_of: datetime, days: int) -> Walk:
        """The backtest of the `days` before `as_of`: begun now, under way, done or failed."""
        with self._lock:
            if known := self._walks.get((as_of, days)):
                return known
            begun = self._walks[as_of, days] = Walk(as_of, days)
            while len(self._walks) > KEPT:
                self._walks.popitem(last=False)
        threading.Thread(target=self._work, args=(begun,), name="backtest", daemon=True).start()
        return begun

    def forget(self, walk: Walk) -> None:
        """The next who asks for it begins it anew: for one that failed."""
        with self._lock:
            self._walks.pop((walk.as_of, walk.days), None)

    def _work(self, walk: Walk) -> None:
        stand_back(Niceness.BACKGROUND)
        with self._walking:
            since = time.monotonic()

            def told(share: float) -> None:
                """Each day walked is followed by a rest as long as it took."""
                nonlocal since
                walk.share = share
                time.sleep(time.monotonic() - since)
                since = time.monotonic()

            def walked() -> None:
                walk.result = Forecasts(self._store).backtest(walk.as_of, days=walk.days, on_progress=told)

            walk.fault = fault_of(walked, "the backtest")


_of_store: WeakKeyDictionary[Store, Backtests] = WeakKeyDictionary()
_opening = threading.Lock()


def backtests_of(store: Store) -> Backtests:
    """The one `Backtests` of `store` in this process."""
    with _opening:
        return _of_store.setdefault(store, Backtests(store))
