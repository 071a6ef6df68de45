"""Whatever the engine does and wherever the process dies: nothing is booked twice, nothing is lost, and no outcome lies."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.console.replay.conftest import MANY, OPERATOR, House, ended, until
from tests.console.replay.estate import Mischief, SmallEngine, listening
from trace_model.catalogue.loader import load
from trace_model.replays import Plan
from trace_model.store import Store
from trace_model.store.store import utc_now

# a settlement thread that dies by order is the story; one that dies by fault leaves its plan unfinished, which the stories notice
pytestmark = pytest.mark.filterwarnings("ignore:Exception in thread replay-settlement")

STEPS = ["probing", "reserving", "reserved", "answered", "noted", "reserved again", "answered again", "settling"]


class Dying:
    """A hook that kills its service at the n-th step of that name; from then on every step of that service dies."""

    def __init__(self, step: str, after: int) -> None:
        self._step = step
        self._left = after
        self._lock = threading.Lock()
        self.dead = threading.Event()

    def __call__(self, step: str) -> None:
        with self._lock:
            if step == self._step:
                self._left -= 1
                if self._left < 0:
                    self.dead.set()
            if self.dead.is_set():
                raise SystemExit  # ends the thread without a word, as a dead process's would


def judge(house: House, plan: Plan) -> None:
    """No duplicate in the books; every item accounted for; what is told agrees with the books."""
    books = house.engine.books
    assert [thing for thing, count in books.items() if count > 1] == []
    assert sum(plan.totals().values()) == len(plan.items)
    for item in plan.items:
        told = (item.object_id, item.outcome, item.detail, books[item.object_id])
        if item.outcome == "milestone_reached":
            assert books[item.object_id] == 1, told
        elif item.outcome in ("failed_again", "rejected"):
            assert books[item.object_id] == 0, told
        elif item.outcome == "skipped":
            assert "already at the target" in (item.detail or "") or "cannot say" in (item.detail or ""), told
        else:
            # silent, but not lost: the engine did run it, and what it did is in the books or failed
            assert item.outcome == "no_evidence", told
            ran = house.engine.state_of(item.replay_id)
            assert (ran, books[item.object_id]) in {("succeeded", 1), ("failed", 0)}, f"lost: {told}"


@pytest.mark.parametrize("step", STEPS)
def test_a_death_at_any_step_neither_doubles_nor_loses(house: House, step: str) -> None:
    house.engine.mischief = Mischief(drops_answer=0.5) if "again" in step else Mischief()
    ids = house.fail(4)
    dying = Dying(step, after=1)
    first = house.replays(MANY, at=dying)
    plan = first.plan(OPERATOR, exception_ids=ids, reason="r")
    first.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    dying.dead.wait(60)
    first.stop()
    assert dying.dead.is_set() or "again" in step
    second = house.replays(MANY)
    done = until(second, plan, ended)
    judge(house, done)
    assert done.totals() == {"milestone_reached": 4}
    assert set(house.engine.books.values()) == {1}


def test_a_call_that_never_left_goes_out_after_the_restart_under_the_same_key(house: House) -> None:
    ids = house.fail(1)
    dying = Dying("reserved", after=0)
    first = house.replays(MANY, at=dying)
    plan = first.plan(OPERATOR, exception_ids=ids, reason="r")
    first.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    dying.dead.wait(60)
    first.stop()
    assert house.engine.posts == 0
    assert first.get(plan.plan_id).items[0].outcome in ("sent", "uncertain"), (
        "its key stays reserved; it may be doubted by now"
    )
    second = house.replays(MANY)
    assert until(second, plan, ended).totals() == {"milestone_reached": 1}
    assert house.engine.calls == Counter({plan.items[0].idempotency_key: 1})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_many_deaths_and_a_lying_engine_neither_double_nor_lose(house: House, seed: int) -> None:
    chance = random.Random(seed)
    house.engine.mischief = Mischief(
        drops_answer=0.2, answers_503_after_taking=0.1, is_late=0.15, fails_again=0.1, stays_silent=0.05, refuses=0.03,
        busy=0.1, says_twice=0.2, probe_is_mute=0.05,
    )  # fmt: skip
    ids = house.fail(10)
    limits = replace(MANY, wave_size=chance.choice([2, 5, 10]), tries=20)
    service = house.replays(limits, at=Dying(chance.choice(STEPS), chance.randrange(6)))
    plan = service.plan(OPERATOR, exception_ids=ids, reason="r")
    service.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    for _ in range(5):
        dying = Dying(chance.choice(STEPS), chance.randrange(6))
        dying.dead.wait(chance.random())
        service.stop()
        service = house.replays(limits, at=dying)
    service.stop()
    done = until(house.replays(limits), plan, ended)
    judge(house, done)


@pytest.mark.slow
def test_a_process_killed_again_and_again_takes_up_its_plan_from_the_file(tmp_path: Path) -> None:
    database = tmp_path / "killed.duckdb"
    lives = [("reserved", 0), ("answered", 1), ("noted", 2), ("reserved", 2), ("never", 0)]
    # a life sends at most what its step counts up to and what every worker has in hand then; so each finds enough to die of
    items = sum(after + MANY.calls_per_target for _, after in lives)
    with listening(SmallEngine(lambda rows: None)) as engine:
        store = Store(database, load(), clock=utc_now, threads=2)
        house = House(engine, store)
        service = house.replays(MANY, running=False)
        plan = service.plan(OPERATOR, exception_ids=house.fail(items), reason="r")
        service.execute(OPERATOR, plan.plan_id, plan.hash, "go")
        service.stop()
        store.close()

        deaths = []
        for step, after in lives:
            command = [
                sys.executable,
                "-m",
                "tests.console.replay.mortal",
                str(database),
                engine.url,
                plan.plan_id,
                step,
                str(after),
            ]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            deaths.append(ran.returncode)
        assert deaths == [-9, -9, -9, -9, 0], ran.stderr

        store = Store(database, load(), clock=utc_now, threads=2)
        house.store = store
        done = House(engine, store).ledger.plan(plan.plan_id)
        assert store.first_broken_action() is None
        store.close()
    judge(house, done)
    assert done.totals() == {"milestone_reached": items}
