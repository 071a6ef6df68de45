"""Answers are shared: one query a moment however many look, and a new moment when something happened."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from console.components.answers import LIVE_EVERY_S, REMEMBERED_S, STANDS_S, Answers

NOON = datetime(2026, 3, 2, 12, 0, 10, tzinfo=UTC)


class Ledger:
    """A store that counts what it is asked; slow enough for askers to meet."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.now, self.projected_seq, self.actions = NOON, 1, 0
        self.fails = False
        self.on_ask: Callable[[], None] = lambda: None

    def clock(self) -> datetime:
        return self.now

    def rows(self, question: str, **parameters: Any) -> list[dict[str, Any]]:
        return [{"action_no": self.actions if parameters.get("actor") in (None, "ana") else 0}]

    def writable(self) -> bool:
        return True

    def ask(self, question: str, **parameters: Any) -> pa.Table:
        self.asked[question] += 1
        threading.Event().wait(0.05)
        self.on_ask()
        if self.fails:
            raise RuntimeError("the disk is gone")
        return pa.table({"as_of": [parameters["as_of"]]})


@pytest.fixture
def store() -> Ledger:
    return Ledger()


@pytest.fixture
def seconds() -> list[float]:
    return [0.0]


@pytest.fixture
def answers(store: Ledger, seconds: list[float]) -> Answers:
    return Answers(store, timer=lambda: seconds[0])  # type: ignore[arg-type]


def test_ten_viewers_cost_one_query(store: Ledger, answers: Answers) -> None:
    moment = answers.moment(None)
    viewers = [
        threading.Thread(target=answers.ask, args=("standing", moment), kwargs={"region": None}) for _ in range(10)
    ]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
    assert store.asked == {"standing": 1}


def test_other_parameters_are_another_question(store: Ledger, answers: Answers) -> None:
    moment = answers.moment(None)
    answers.ask("timelines", moment, states=["stuck"])
    answers.ask("timelines", moment, states=["breached"])
    assert store.asked["timelines"] == 2


def test_a_live_moment_follows_new_spans_but_not_at_every_span(
    store: Ledger, answers: Answers, seconds: list[float]
) -> None:
    first = answers.moment(None)
    store.projected_seq, seconds[0] = 2, LIVE_EVERY_S / 2
    assert answers.moment(None) == first
    seconds[0] = LIVE_EVERY_S
    assert answers.moment(None).projected_seq == 2


def test_dear_answers_slow_live_screens_down(store: Ledger, answers: Answers, seconds: list[float]) -> None:
    store.on_ask = lambda: seconds.__setitem__(0, seconds[0] + 1.0)
    first = answers.moment(None)
    answers.ask("standing", first)
    store.projected_seq, seconds[0] = 2, 4.9
    assert answers.moment(None) == first, "one second of work is followed by four of rest"
    seconds[0] = 5.0
    assert answers.moment(None) != first


def test_a_deed_and_a_new_minute_show_at_once(store: Ledger, answers: Answers) -> None:
    first = answers.moment(None)
    store.actions = 1
    second = answers.moment(None)
    assert second.action_no == 1
    assert second != first
    store.now += timedelta(minutes=1)
    assert answers.moment(None).as_of == store.now


def test_a_fixed_instant_stays_where_it_is(store: Ledger, answers: Answers) -> None:
    fixed = NOON - timedelta(days=3)
    store.now += timedelta(hours=1)
    assert answers.moment(fixed).as_of == fixed


def test_a_failed_question_is_asked_again(store: Ledger, answers: Answers) -> None:
    moment = answers.moment(None)
    store.fails = True
    with pytest.raises(RuntimeError, match="disk"):
        answers.ask("standing", moment)
    store.fails = False
    assert answers.ask("standing", moment).num_rows == 1


def test_what_a_page_was_shown_by_is_asked_at_once_the_next_time(
    store: Ledger, answers: Answers, seconds: list[float]
) -> None:
    met = threading.Barrier(2, timeout=60)  # two questions at a time, or this breaks
    for question in ("standing", "breaches"):
        answers.remember("today?", question, {"region": None})
    store.on_ask = lambda: met.wait() and None
    moment = answers.moment(None)
    assert answers.ask_ahead("today?", moment) == 2
    for question in ("standing", "breaches"):
        assert answers.ask(question, moment, region=None)["as_of"][0].as_py() == NOON
    assert store.asked == {"standing": 1, "breaches": 1}
    assert answers.ask_ahead("orders?", moment) == 0
    seconds[0] = REMEMBERED_S + 1
    assert answers.ask_ahead("today?", moment) == 0


def test_what_is_about_to_be_asked_is_answered_meanwhile(store: Ledger, answers: Answers) -> None:
    met = threading.Barrier(2, timeout=60)  # two questions at a time, or this breaks
    store.on_ask = lambda: met.wait() and None
    moment = answers.moment(None)
    answers.ask_soon("exception_fixes", moment, group_id="g")
    answers.ask("exception_attempts", moment, exception_id="e")
    answers.ask("exception_fixes", moment, group_id="g")
    assert store.asked == {"exception_fixes": 1, "exception_attempts": 1}


@pytest.fixture
def looked(answers: Answers) -> Callable[[str], datetime]:
    """Opens the page of the process map as the person named, which asks one question; returns the instant that it shows."""
    answers.standing._follow = lambda: None  # type: ignore[method-assign]  # the tests move on by hand

    def look(who: str = "ana") -> datetime:
        moment = answers.standing.moment("process-map?", who)
        answers.remember("process-map?", "process_map", {"days": 90})
        answers.ask("process_map", moment, days=90)
        return moment.as_of

    return look


def test_a_room_of_the_whole_history_shows_its_last_moment_until_the_next_is_answered(
    store: Ledger, answers: Answers, seconds: list[float], looked: Callable[..., datetime]
) -> None:
    assert looked() == NOON
    store.now, store.projected_seq, seconds[0] = NOON + timedelta(seconds=STANDS_S), 2, STANDS_S - 1
    assert answers.standing.move_on() == 1.0, "it is not due yet"
    assert looked() == NOON
    seconds[0] = STANDS_S
    seen: list[datetime] = []
    store.on_ask = lambda: seen.append(answers.standing.moment("process-map?", "ana").as_of)
    answers.standing.move_on()
    assert seen == [NOON], "while the next moment is being answered, the one before is shown"
    assert looked() == NOON + timedelta(seconds=STANDS_S)
    assert store.asked["process_map"] == 2, "who looks again finds the answer there"


def test_dear_answers_let_a_room_stand_for_longer(
    store: Ledger, answers: Answers, seconds: list[float], looked: Callable[..., datetime]
) -> None:
    looked()
    store.on_ask = lambda: seconds.__setitem__(0, seconds[0] + 20.0)
    store.now, seconds[0] = NOON + timedelta(seconds=STANDS_S), STANDS_S
    assert answers.standing.move_on() == 80.0, "twenty seconds of work are followed by eighty of rest"
    assert answers.standing.move_on() == 80.0


def test_what_a_person_did_shows_at_once_in_a_room_that_stands(store: Ledger, looked: Callable[..., datetime]) -> None:
    assert looked("ana") == NOON
    store.now, store.actions = NOON + timedelta(seconds=5), 1
    assert looked("bo") == NOON, "another person's deed shows within the minute"
    assert looked("ana") == NOON + timedelta(seconds=5)


def test_a_room_that_stands_is_looked_at_anew_when_asked_to(
    store: Ledger, answers: Answers, seconds: list[float], looked: Callable[..., datetime]
) -> None:
    looked()
    store.now, store.projected_seq, seconds[0] = NOON + timedelta(seconds=5), 2, 5.0
    assert looked() == NOON
    answers.standing.renew("process-map?")
    assert looked() == NOON + timedelta(seconds=5)


def test_nothing_is_answered_for_nobody(
    store: Ledger, answers: Answers, seconds: list[float], looked: Callable[..., datetime]
) -> None:
    looked()
    store.now, store.projected_seq, seconds[0] = NOON + timedelta(seconds=REMEMBERED_S), 2, REMEMBERED_S
    assert answers.standing.move_on() is None
    assert looked() == NOON + timedelta(seconds=REMEMBERED_S), "what was left so long is not shown any more"


def test_a_moment_that_cannot_be_answered_is_left_out(
    store: Ledger, answers: Answers, seconds: list[float], looked: Callable[..., datetime]
) -> None:
    looked()
    store.fails, seconds[0] = True, STANDS_S
    answers.standing.move_on()
    assert looked() == NOON
