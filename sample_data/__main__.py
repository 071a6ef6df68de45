"""`python -m sample_data`: a month of business in a minute, then live traffic, until it is told to stop.

The first line of the truth file says how far the numbers got; a later start with the same file counts on from there.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sample_data.clock import Clock, EstateLoop
from sample_data.estate import Estate
from sample_data.people import BadDays, People
from sample_data.rehearsal import run_scenario
from sample_data.scenarios import SCENARIOS
from sample_data.telemetry import Feed
from sample_data.traffic import Traffic

_FIRST_NUMBER = 1001
_NUMBERS_COUNT_FROM = datetime(2026, 1, 1, tzinfo=UTC)
_FLUSH_EVERY_S = 0.4
_TRUTH_EVERY_S = 30.0
_LINE_EVERY_S = 3.0
_GRACE_S = 1.2


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sample_data", description=__doc__)
    parser.add_argument("--endpoint", default="http://127.0.0.1:8501/v1/traces", help="OTLP/HTTP door for traces")
    parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="sent with every export")
    parser.add_argument("--days", type=int, default=30, help="length of the back-fill")
    parser.add_argument("--orders-per-day", type=int, default=100, help="on average over the week")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--engine-port", type=int, default=8601, help="where the sync engine takes replays; 0: any")
    parser.add_argument("--truth", type=Path, help="where to write what truly happened, for tests")
    parser.add_argument("--live", action=argparse.BooleanOptionalAction, default=True, help="go on in real time")
    parser.add_argument("--first-number", type=int, help="first number of every range; default: goes on, or 1001")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), help="play only this story")
    parser.add_argument("--count", type=int, default=1, help="with --scenario: how many orders")
    arguments = parser.parse_args(argv)
    if arguments.days < 0 or arguments.orders_per_day < 1 or arguments.count < 1:
        parser.error("--days must be 0 or more, --orders-per-day and --count 1 or more")
    if any("=" not in header for header in arguments.header):
        parser.error("--header takes NAME=VALUE")
    return arguments


def first_number(truth: Path | None, days: int, now: datetime) -> int:
    """Where the number ranges begin, so that no restart hands out a number twice.

    After the highest that an earlier truth file reports; 1001 with a back-fill; otherwise by the time of the start,
    faster than live traffic uses numbers up.
    """
    if truth is not None and truth.exists():
        with truth.open(encoding="utf-8") as file:
            head = json.loads(file.readline() or "{}")
        if head.get("kind") == "run":
            return int(head["highest_number"]) + 1
    return _FIRST_NUMBER if days else int((now - _NUMBERS_COUNT_FROM).total_seconds())


class _Run:
    """One start of the estate: back-fill, live traffic, stop."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        now = datetime.now(UTC)
        self._from = (now - timedelta(days=arguments.days)).replace(hour=0, minute=0, second=0, microsecond=0)
        self.clock = Clock(self._from if arguments.days else now)
        self.feed = Feed(arguments.endpoint, dict(header.split("=", 1) for header in arguments.header))
        first = arguments.first_number or first_number(arguments.truth, arguments.days, now)
        self.estate = Estate(self.clock, self.feed, seed=arguments.seed, first_number=first)
        self.traffic = Traffic(self.estate, arguments.orders_per_day)
        self._stop = asyncio.Event()
        self._began_s = time.monotonic()

    def stop(self, loop: EstateLoop) -> None:
        self.feed.waits_for_door = False
        loop.call_soon_threadsafe(self._stop.set)

    async def main(self) -> None:
        try:
            await self._until_stopped(self._backfill())
            if self._stop.is_set():
                return
            if not self._arguments.live:
                await self._until_stopped(self._deliver_rest())
                return
            await self._go_live()
            await self._stop.wait()
        finally:
            await self.estate.close()
            self._write_truth()
            delivered = self.feed.close(_GRACE_S)
            state = "all delivered" if delivered and not self.feed.refused_count else "some left behind"
            print(f"Stopped. {self.feed.delivered_count:,} spans delivered, {state}.", flush=True)

    async def _until_stopped(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if task.done():
            task.result()
        else:
            task.cancel()

    async def _backfill(self) -> None:
        estate, bad_days = self.estate, BadDays(self.estate)
        estate.runner.watchers.append(People(estate).notice)
        estate.start(estate.payment_run.every_night(), "payment run")
        estate.start(self.traffic.day_by_day(), "day by day")
        estate.start(bad_days.in_backfill(), "bad days")
        watching = estate.start(self._show_progress(), "progress")
        arrived = asyncio.Event()
        self.clock.when_live.append(arrived.set)
        await arrived.wait()
        watching.cancel()
        self.feed.flush()
        took_s = time.monotonic() - self._began_s
        print(f"Back-fill done: {self.traffic.started_count:,} orders in {took_s:.1f} s.", flush=True)
        self._write_truth()

    async def _show_progress(self) -> None:
        total_s = (datetime.now(UTC) - self.clock.started_at).total_seconds()
        orders = TextColumn("{task.fields[orders]:,} orders")
        line_at = time.monotonic() + _LINE_EVERY_S
        with Progress(
            TextColumn("Back-fill"), BarColumn(), orders, TimeElapsedColumn(), disable=not sys.stdout.isatty()
        ) as progress:
            bar = progress.add_task("", total=total_s, orders=0)
            while True:
                await asyncio.sleep(3600)
                progress.update(bar, completed=self.clock.loop_time(), orders=self.traffic.started_count)
                if not sys.stdout.isatty() and time.monotonic() >= line_at:
                    line_at += _LINE_EVERY_S
                    print(f"Back-fill: {self.clock.now():%Y-%m-%d}, {self.traffic.started_count:,} orders", flush=True)

    async def _go_live(self) -> None:
        estate, bad_days = self.estate, BadDays(self.estate)
        self.feed.waits_for_door = False
        try:
            await estate.open_sockets(self._arguments.engine_port)
        except OSError as error:
            sys.exit(f"Port {self._arguments.engine_port} cannot be opened ({error}). Choose another --engine-port.")
        print(f"Sync engine: {estate.engine_url}", flush=True)
        for story, name in (
            (self.traffic.live(), "live traffic"),
            (bad_days.live_downtimes(), "live downtimes"),
            (bad_days.live_lapses(), "live lapses"),
            (self._flush_regularly(), "flush"),
            (self._write_regularly(), "truth"),
        ):
            estate.start(story, name)

    async def _deliver_rest(self) -> None:
        while self.feed.is_behind():
            self.feed.flush()
            await asyncio.sleep(0.05)

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_EVERY_S)
            self.feed.flush()

    async def _write_regularly(self) -> None:
        while True:
            await asyncio.sleep(_TRUTH_EVERY_S)
            self._write_truth()

    def _write_truth(self) -> None:
        if self._arguments.truth is not None:
            head = {
                "kind": "run",
                "seed": self._arguments.seed,
                "started_at": self.clock.started_at.isoformat(),
                "highest_number": self.estate.numbers.highest(),
            }
            self.estate.truth.write(self._arguments.truth, head)


def _play_one(arguments: argparse.Namespace) -> None:
    """One scenario, then its engine lives on until a signal, or not at all with --no-live."""
    headers = dict(header.split("=", 1) for header in arguments.header)
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopped.append(received))
    with run_scenario(
        arguments.scenario,
        seed=arguments.seed,
        endpoint=arguments.endpoint,
        count=arguments.count,
        headers=headers,
        engine_port=arguments.engine_port,
        truth_file=arguments.truth,
    ) as played:
        print(f"{arguments.scenario}: {len(played.truth.orders)} orders. Sync engine: {played.engine_url}", flush=True)
        while arguments.live and not stopped:
            time.sleep(_FLUSH_EVERY_S)
            played.flush()
        if arguments.truth is not None:
            played.truth.write(arguments.truth)


def main(argv: list[str] | None = None) -> None:
    """The estate has run, and everything it said is delivered or reported as left behind."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    arguments = _arguments(argv)
    if arguments.scenario:
        _play_one(arguments)
        return
    gc.set_threshold(
        100_000, 50, 1000
    )  # thousands of waiting flows, each looked through again and again: a quarter less
    run = _Run(arguments)
    loop = EstateLoop(run.clock)
    asyncio.set_event_loop(loop)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: run.stop(loop))
    try:
        loop.run_until_complete(run.main())
    finally:
        loop.close()


if __name__ == "__main__":
    main()
