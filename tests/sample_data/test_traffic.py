"""A back-fill looks like business, is the same for the same seed, and is delivered whole."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sample_data.__main__ import first_number
from sample_data.clock import Clock, EstateLoop
from sample_data.deals import next_opening
from sample_data.estate import Estate
from sample_data.people import BadDays, People
from sample_data.telemetry import Feed
from sample_data.traffic import Traffic
from tests.sample_data.conftest import Receiver

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def two_days(receiver: Receiver, seed: int) -> list[dict[str, Any]]:
    clock = Clock(MONDAY)
    loop = EstateLoop(clock)
    feed = Feed(receiver.url)
    estate = Estate(clock, feed, seed=seed)

    async def story() -> None:
        estate.runner.watchers.append(People(estate).notice)
        estate.start(Traffic(estate, 60).day_by_day(), "day by day")
        estate.start(BadDays(estate).in_backfill(), "bad days")
        estate.start(estate.payment_run.every_night(), "payment run")
        await asyncio.sleep(2 * 86400)
        await estate.close()

    loop.run_until_complete(story())
    loop.close()
    assert feed.close(10)
    return estate.truth.lines()


def test_the_same_seed_gives_the_same_business_to_the_last_span(receiver: Receiver) -> None:
    first = two_days(receiver, 5)
    spans = [(span.trace_id, span.span_id, span.name, span.start_ns, span.end_ns) for span in receiver.spans]
    receiver.spans.clear()
    again = two_days(receiver, 5)
    assert again == first
    assert [(s.trace_id, s.span_id, s.name, s.start_ns, s.end_ns) for s in receiver.spans] == spans
    receiver.spans.clear()
    assert two_days(receiver, 6) != first


def test_orders_come_by_day_and_numbers_increase(receiver: Receiver) -> None:
    orders = [line for line in two_days(receiver, 5) if line["kind"] == "order"]
    assert 100 <= len(orders) <= 220
    hours = Counter(
        datetime.fromtimestamp(span.start_ns / 1e9, UTC).hour
        for span in receiver.operations("cpq.validate_quote")
        if span.attributes["q2c.region"] == "EMEA"
    )
    assert sum(hours[hour] for hour in range(7, 18)) > 4 * sum(hours[hour] for hour in (20, 21, 22, 23, 0, 1, 2, 3))
    assert [order["quote"] for order in orders] == [f"Q-{1001 + index}" for index in range(len(orders))]


def test_offices_are_closed_at_night_and_on_weekends() -> None:
    friday_evening = datetime(2026, 3, 6, 18, 30, tzinfo=UTC)  # 19:30 in Berlin
    opening = next_opening(friday_evening, "EMEA")
    assert (opening.weekday(), opening.hour) == (0, 7)
    midday = datetime(2026, 3, 3, 11, tzinfo=UTC)
    assert next_opening(midday, "EMEA") == midday


def test_a_restart_hands_out_no_number_twice(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    truth = tmp_path / "truth.jsonl"
    assert first_number(truth, 30, now) == 1001
    truth.write_text('{"kind":"run","highest_number":4321}\n')
    assert first_number(truth, 30, now) == 4322
    assert first_number(None, 0, now + timedelta(minutes=1)) - first_number(None, 0, now) == 60


def command(receiver: Receiver, truth: Path, *options: str) -> subprocess.Popen[str]:
    arguments = ["--endpoint", receiver.url, "--truth", str(truth), "--engine-port", "0", *options]
    return subprocess.Popen(
        [sys.executable, "-m", "sample_data", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


def test_the_command_fills_back_goes_live_and_stops_at_once(receiver: Receiver, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    receiver.refusals_left = 2
    process = command(receiver, truth, "--days", "2", "--orders-per-day", "20")
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("Sync engine: "):
            break
    engine = said.split("Sync engine: ")[1].strip()
    assert httpx.get(f"{engine}/dependencies/crm").json() == {"state": "up"}
    count = len(receiver.spans)
    deadline = time.monotonic() + 15
    while len(receiver.spans) < count + 10 and time.monotonic() < deadline:
        time.sleep(0.2)
    stopped_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said += process.stdout.read()
    assert process.wait(60) == 0
    process.stdout.close()
    assert time.monotonic() - stopped_s < 30, "it hangs: on an idle machine it takes under 3 s"
    assert "all delivered" in said
    head, *lines = [json.loads(line) for line in truth.read_text().splitlines()]
    assert head["kind"] == "run"
    told = {
        (fact["name"], fact["object"]["id"], fact["reached_at"])
        for line in lines
        if line["kind"] == "order"
        for fact in line["milestones"]
    }
    assert len(told) == len(receiver.milestones())
    assert receiver.encodings == {"gzip"}


def test_a_closed_door_does_not_keep_the_command_from_stopping(receiver: Receiver, tmp_path: Path) -> None:
    process = command(receiver, tmp_path / "truth.jsonl", "--days", "20", "--endpoint", "http://127.0.0.1:9/v1/traces")
    time.sleep(4)
    stopped_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=10)
    assert time.monotonic() - stopped_s < 30, "it hangs: on an idle machine it takes under 3 s"
    assert "some left behind" in said


def test_a_back_fill_alone_waits_for_a_slow_door(receiver: Receiver, tmp_path: Path) -> None:
    receiver.refusals_left = 3  # about seven seconds of the exporter's backing off
    process = command(receiver, tmp_path / "truth.jsonl", "--days", "1", "--orders-per-day", "10", "--no-live")
    said, _ = process.communicate(timeout=40)
    assert process.returncode == 0
    assert "all delivered" in said
    assert f"{len(receiver.spans):,} spans delivered" in said


def test_headers_reach_the_door(receiver: Receiver, tmp_path: Path) -> None:
    process = command(
        receiver, tmp_path / "t", "--scenario", "happy_path", "--no-live", "--header", "authorization=Bearer x"
    )
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert {headers["authorization"] for headers in receiver.headers} == {"Bearer x"}
    assert receiver.spans


@pytest.mark.parametrize("options", [("--days", "-1"), ("--count", "0"), ("--header", "nonsense")])
def test_impossible_options_are_refused(options: tuple[str, str], receiver: Receiver, tmp_path: Path) -> None:
    process = command(receiver, tmp_path / "t", *options)
    process.communicate(timeout=20)
    assert process.returncode == 2
