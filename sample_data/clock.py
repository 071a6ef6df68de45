"""The estate's one clock: an event loop whose time jumps while it is behind the world, and runs once it is there.

Everything in the estate waits with plain `asyncio.sleep` and times out with plain asyncio timeouts. Behind the world,
the loop does not wait for the next timer: it moves its own time there, so a month of business passes in seconds and in
the same order each time. The moment its time would pass the world's, it goes live for good, and the coroutines that
were waiting wait on, in real time. While real sockets are in use, `hold()` keeps the time from jumping over an answer.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta


class Clock:
    """Instants of the estate. Loop time counts seconds since `started_at`; instants are aware UTC."""

    def __init__(self, started_at: datetime | None = None) -> None:
        now = datetime.now(UTC)
        self.started_at = min(started_at or now, now)
        self._started_ns = int(self.started_at.timestamp()) * 1_000_000_000 + self.started_at.microsecond * 1000
        self._loop_s = 0.0
        self._running_since: float | None = None  # monotonic; None: time stands still between jumps
        self._holds = 0
        self.live = False
        self.when_live: list[Callable[[], None]] = []

    def loop_time(self) -> float:
        if self._running_since is None:
            return self._loop_s
        return self._loop_s + (time.monotonic() - self._running_since)

    def now(self) -> datetime:
        return self.started_at + timedelta(seconds=self.loop_time())

    def now_ns(self) -> int:
        """Unix time in nanoseconds, to the microsecond."""
        return self._started_ns + round(self.loop_time() * 1e6) * 1000

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Within this block, time passes as in the world: for exchanges over real sockets."""
        self._holds += 1
        if self._running_since is None:
            self._running_since = time.monotonic()
        try:
            yield
        finally:
            self._holds -= 1
            if self._holds == 0 and not self.live:
                self._loop_s = self.loop_time()
                self._running_since = None

    def go_live(self) -> None:
        """From here on the estate's time is the world's; `when_live` is called. Time never goes back."""
        if not self.live:
            self.live = True
            self._loop_s = max(self.loop_time(), self._behind_s() + self._loop_s)
            self._running_since = time.monotonic()
            for tell in self.when_live:
                tell()

    def running(self) -> bool:
        return self._running_since is not None

    def jump(self, seconds: float) -> None:
        """Move on by `seconds`, or go live if that would pass the world's time."""
        if seconds >= self._behind_s():
            self.go_live()
        else:
            self._loop_s += seconds

    def _behind_s(self) -> float:
        return (time.time_ns() - self._started_ns) / 1e9 - self._loop_s


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for sockets as usual while the clock runs; otherwise looks once, and lets the clock jump."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._clock.running() or timeout is None:
            return super().select(timeout)
        ready = super().select(0)
        if not ready and timeout > 0:
            self._clock.jump(timeout)
        return ready


class EstateLoop(asyncio.SelectorEventLoop):
    """An event loop that tells the time by `clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._clock.loop_time()
