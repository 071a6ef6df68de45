"""Time jumps while it is behind the world, in order, and runs from then on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sample_data.clock import Clock, EstateLoop

T = TypeVar("T")


def run_in(clock: Clock, story: Coroutine[Any, Any, T]) -> T:
    loop = EstateLoop(clock)
    try:
        return loop.run_until_complete(story)
    finally:
        loop.close()


def test_a_month_of_waiting_passes_at_once_and_in_order() -> None:
    clock = Clock(datetime.now(UTC) - timedelta(days=31))
    woke: list[str] = []

    async def wait(name: str, days: float) -> None:
        await asyncio.sleep(days * 86400)
        woke.append(name)

    async def story() -> datetime:
        await asyncio.gather(wait("last", 30), wait("first", 1), wait("second", 2.5))
        return clock.now()

    began = time.monotonic()
    ended_at = run_in(clock, story())
    assert time.monotonic() - began < 20
    assert woke == ["first", "second", "last"]
    assert abs(ended_at - (clock.started_at + timedelta(days=30))) < timedelta(seconds=1)
    assert not clock.live


def test_the_clock_goes_live_when_it_would_pass_the_world() -> None:
    clock = Clock(datetime.now(UTC) - timedelta(hours=1))

    async def story() -> timedelta:
        arrived = asyncio.Event()
        clock.when_live.append(arrived.set)
        far = asyncio.ensure_future(asyncio.sleep(86400))
        await arrived.wait()
        far.cancel()
        began = time.monotonic()
        await asyncio.sleep(0.05)
        assert time.monotonic() - began >= 0.045
        return datetime.now(UTC) - clock.now()

    assert abs(run_in(clock, story())) < timedelta(seconds=0.5)
    assert clock.live


def test_time_does_not_jump_over_an_answer_that_is_awaited() -> None:
    clock = Clock(datetime.now(UTC) - timedelta(days=1))

    async def story() -> float:
        began = clock.loop_time()
        with clock.hold():
            await asyncio.sleep(0.05)
        return clock.loop_time() - began

    began = time.monotonic()
    assert 0.04 < run_in(clock, story()) < 0.5
    assert time.monotonic() - began >= 0.045
