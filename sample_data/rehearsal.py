"""One scenario played alone, over real sockets, for a test: `run_scenario`.

Business time jumps (a payment three weeks later comes at once), but every request is real HTTP on loopback and every
timeout a real one. When all has happened that happens by itself, the estate goes live and stays, so that a test can
replay against its engine, repair what was wrong, and read the books.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self, TypeVar

from sample_data.clock import Clock, EstateLoop
from sample_data.deals import Deal
from sample_data.engine.flow import Timing
from sample_data.estate import Books, Estate, scenario_named
from sample_data.telemetry import Feed
from sample_data.truth import Truth

_T = TypeVar("_T")
_TIMEOUT_S = 0.3
_LATE_BY_S = 0.5
_PACE = 0.3


class Rehearsal:
    """A scenario that has been played, and the estate it left behind: alive until `close`. Safe from any thread."""

    def __init__(self, estate: Estate, feed: Feed, loop: EstateLoop, deals: list[Deal]) -> None:
        self._estate = estate
        self._feed = feed
        self._loop = loop
        self._thread: threading.Thread | None = None
        self.deals = deals

    @property
    def truth(self) -> Truth:
        """As of now; it grows with what replays bring about."""
        return self._estate.truth

    @property
    def books(self) -> Books:
        return self._estate.books

    @property
    def engine_url(self) -> str:
        return self._estate.engine_url

    def repair(self, order: str | None = None, *, dependency: str | None = None) -> list[str]:
        """See `Estate.repair`."""
        return self.call(lambda: self._estate.repair(order, dependency=dependency))

    def begin_outage(self, dependency: str, cause: str) -> None:
        self.call(lambda: self._estate.begin_outage(dependency, cause))

    def flush(self) -> bool:
        """True once the door has answered for every span ended so far."""
        return self._feed.force_flush()

    def call(self, deed: Callable[[], _T]) -> _T:
        """What `deed` returns, done in the estate's own loop."""

        async def in_loop() -> _T:
            return deed()

        return asyncio.run_coroutine_threadsafe(in_loop(), self._loop).result(10)

    def close(self) -> None:
        """Everything stops, and every span that ended has been delivered."""
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._estate.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._thread = None
        self._loop.close()
        self._feed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def play(self, story: Coroutine[object, object, None]) -> None:
        """Runs the loop in a thread of its own; returns when `story` is over. The loop runs on."""

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, name="estate", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(story, self._loop).result(120)
        except BaseException:
            self.close()
            raise


def run_scenario(
    name: str,
    *,
    seed: int,
    endpoint: str,
    count: int = 1,
    headers: Mapping[str, str] | None = None,
    started_at: datetime | None = None,
    engine_port: int = 0,
    truth_file: Path | None = None,
) -> Rehearsal:
    """`count` deals of the scenario have happened, from `started_at` (20 days ago) on, and are delivered to `endpoint`.

    Failures that stand still are left standing. Use it as a context manager, or call `close`. Raises ValueError for an
    unknown scenario.
    """
    scenario = scenario_named(name)
    clock = Clock(started_at or datetime.now(UTC) - timedelta(days=20))
    feed = Feed(endpoint, headers)
    timing = Timing(timeout_s=_TIMEOUT_S, attempts=3, schedule_s=(300.0, 1500.0))
    live = Timing(timeout_s=_TIMEOUT_S, attempts=3, backoff_s=0.1, schedule_s=(1.0, 2.0))
    estate = Estate(clock, feed, seed=seed, backfill_timing=timing, live_timing=live)
    deals = [
        estate.deal(scenario, Random(f"{seed}:{name}:{index}"), is_brisk=False, pace=_PACE) for index in range(count)
    ]
    rehearsal = Rehearsal(estate, feed, EstateLoop(clock), deals)

    async def story() -> None:
        for system in estate.systems.values():
            system.latency_scale = 0.02
            system.late_by_s = _LATE_BY_S
        await estate.open_sockets(engine_port)
        estate.start(estate.payment_run.every_night(), "payment run")
        plays = []
        for index, deal in enumerate(deals):
            plays.append((deal, estate.start(scenario.play(deal), f"{name} {index}")))
            await asyncio.sleep(600)
        while not all(
            play.done() or deal.flow.is_settled or (deal.order.quote and estate.truth.stands_still(deal.order.quote))
            for deal, play in plays
        ):
            await asyncio.sleep(0.05 if clock.live else 600)
        clock.go_live()
        for deal in deals:
            deal.flow.timing = live
        for play in (play for _, play in plays if play.done()):
            play.result()

    rehearsal.play(story())
    rehearsal.flush()
    if truth_file is not None:
        rehearsal.truth.write(truth_file)
    return rehearsal
