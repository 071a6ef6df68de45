"""Hundreds of replays by a clock that is turned by hand, through deaths and lies; `make bench` plays ten thousand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.console.replay.simulation import LyingEngine, Odds, World
from trace_model.replays import ReplayLimits


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


def test_lies_and_deaths_neither_double_nor_lose_nor_mislead(world: World) -> None:
    ended = world.play(7, 150)
    assert ended.deaths >= 5, "the process hardly died: the story proves nothing"
    assert sum(ended.engine.calls.values()) > 150, "no call was made twice: the story proves nothing"
    assert ended.faults() == []


def test_the_same_seed_is_the_same_story() -> None:
    told = []
    for _ in range(2):
        with World() as made:
            ended = made.play(3, 20)
            told.append(([(i.object_id, i.outcome, i.detail) for i in ended.plan.items], ended.deaths))
    assert told[0] == told[1]


@pytest.mark.slow
def test_a_file_closed_and_opened_again_holds_all_that_is_needed(tmp_path: Path) -> None:
    with World(tmp_path / "chaos.duckdb") as made:
        ended = made.play(5, 150, steps_to_death=20)
    assert ended.reopened >= 1
    assert ended.faults() == []


def test_the_judge_sees_a_double_and_a_loss(world: World) -> None:
    """An engine that breaks its promises, so that it is known what a fault would look like."""
    ended = world.play(11, 10, Odds(told_twice=0))
    ended.engine.books[ended.plan.items[0].object_id] += 2
    assert any("booked" in fault for fault in ended.faults())
    lost = replace(ended, plan=replace(ended.plan, items=(replace(ended.plan.items[0], outcome="sent"),)))
    assert any(fault.startswith("not final") for fault in lost.faults())


FLAPPING = replace(
    ReplayLimits(), recovery="start", quiet_s=5.0, evidence_timeout_s=30.0, uncertain_for_s=2.0, ask_again_s=1.0,
    calls_per_s=1e9, recovery_wait_most_s=600.0, approval_window_s=0.0,
)  # fmt: skip


def test_a_flapping_dependency_costs_a_bounded_number_of_calls_and_all_ends_once_it_stays_up() -> None:
    with World() as world:
        seen = world.flap(1, 12, 8, FLAPPING)
    assert sum(seen.calls_by_flap) >= 3, "recovery tried hardly anything while it flapped: the story proves nothing"
    assert any(i.outcome == "failed_again" for plan in seen.plans for i in plan.items), (
        "nothing failed: it proves nothing"
    )
    assert seen.calls_while_down == 0
    assert max(seen.calls_by_flap) <= 5, "a storm"
    assert max(seen.tries().values()) <= FLAPPING.item_tries
    assert (len(seen.engine.books), set(seen.engine.books.values())) == (12, {1})
    assert (seen.open_ids, seen.unexplained()) == ([], [])


def test_a_dependency_that_says_it_is_up_and_never_works_costs_a_few_canaries_and_then_waits_for_a_person() -> None:
    limits = replace(FLAPPING, recovery_resumes=3)
    with World() as world:
        seen = world.flap(1, 12, 2, limits, heals=False)
    (plan,) = seen.plans
    assert sum(seen.tries().values()) == limits.canary_count * (1 + limits.recovery_resumes)
    assert plan.state == "paused"
    assert (plan.state_reason or "").endswith(
        "has gone on 3 times and now waits for a person: resume or cancel the plan"
    )
    assert (len(seen.open_ids), seen.unexplained()) == (12, [])


def test_a_broken_target_costs_the_canary_alone(world: World) -> None:
    engine = LyingEngine(world.clock, random.Random(1), Odds(*[0.0] * 13), is_broken=True)
    limits = replace(ReplayLimits(), calls_per_s=1e9)
    outcome = world.send(engine, limits, 40)
    assert (outcome.state, sum(engine.runs.values())) == ("paused", limits.canary_count)
    assert "canary did not reach its milestone" in (outcome.state_reason or "")


def test_no_target_is_called_faster_than_its_limit(world: World) -> None:
    engine = LyingEngine(world.clock, random.Random(1), Odds(*[0.0] * 13))
    limits = replace(ReplayLimits(), calls_per_s=0.5, calls_per_target=100, canary_above=1000, wave_size=1000)
    began_s = world.clock.seconds()
    plan = world.send(engine, limits, 30, rounds=20)
    passed_s = world.clock.seconds() - began_s
    assert 10 <= sum(engine.calls.values()) <= 1 + 0.5 * passed_s
    assert plan.state == "running"
