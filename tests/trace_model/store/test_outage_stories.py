"""When failures are an outage, since when, until when, and of which exceptions: one story a test."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.spans_of import Span, Story, instant

DOWN = {"q2c.error.code": "503", "http.response.status_code": 503}
SLOW = {"q2c.error.code": "TIMEOUT"}
FAST = {"q2c.error.code": "429", "http.response.status_code": 429}
ODD = {"q2c.error.code": "QQ17"}
REFUSED = {"q2c.error.code": "V1 154"}


class Calls(Story):
    """Runs against billing: `SO-1 down at 10` and so on."""

    def call(
        self, order: str, at: float, error: str | None = None, more: dict[str, Any] | None = None, **given: Any
    ) -> Span:
        said = {"peer.service": "billing"} | (more or {})
        return self.does(
            given.pop("operation", "billing.issue_invoice"), at, order=order, error=error, more=said, **given
        )

    def down(self, order: str, at: float) -> None:
        self.call(order, at, "503 Service Unavailable", DOWN)

    def fine(self, order: str, at: float) -> None:
        self.call(order, at)


def outages(rows: Rows) -> list[dict[str, Any]]:
    """The outages that were found, oldest first."""
    return rows.ask("from outages where found_at is not null order by first_failed_at, kind")


def failures(rows: Rows, as_of: datetime) -> dict[str, tuple[str, str, bool]]:
    """Class, category and whether it is part of an outage, by object."""
    found = rows.ask("select object_id, class, category, outage_id from known_failures(?)", [as_of])
    return {r["object_id"]: (r["class"], r["category"], r["outage_id"] is not None) for r in found}


def test_three_runs_on_two_orders_without_an_answer_are_an_outage_from_the_first_failure_to_the_first_answer() -> None:
    s = Calls()
    s.fine("SO-0", 0)
    for number, at in enumerate((10, 12, 15, 40)):
        s.down(f"SO-{1 + number % 3}", at)
    s.fine("SO-9", 60)
    [outage] = outages(told(s.spans))
    assert (outage["system"], outage["kind"]) == ("billing", "downtime")
    assert (outage["started_at"], outage["found_at"], outage["ended_at"]) == (instant(10), instant(16), instant(61))
    assert (outage["failed_run_count"], outage["answered_count"]) == (4, 0)


def test_where_no_one_else_calls_three_calls_of_one_run_are_enough_and_where_many_do_they_are_not() -> None:
    def story(busy: bool) -> Rows:
        s = Calls()
        s.fine("SO-0", 95 if busy else 0)
        run = s.call("SO-1", 100, "gave up", until=110)
        for at in (100, 103, 108):
            s.does(None, at, name="POST", under=run, kind=3, error="Service Unavailable", more=DOWN | {"server.address": "billing"})  # fmt: skip
        s.fine("SO-2", 112)
        return told(s.spans)

    assert [o["found_at"] for o in outages(story(busy=False))] == [instant(110)]
    assert outages(story(busy=True)) == []


def test_it_is_the_minute_before_a_failing_run_began_that_is_looked_at_however_long_the_run_took() -> None:
    def story(answered_at: float) -> Rows:
        s = Calls()
        s.fine("SO-0", answered_at)
        run = s.call("SO-1", 100, "gave up", until=190)
        for at in (100, 130, 180):
            s.does(None, at, name="POST", under=run, kind=3, error="Service Unavailable", more=DOWN | {"server.address": "billing"})  # fmt: skip
        return told(s.spans)

    assert outages(story(answered_at=70)) == []
    assert [o["found_at"] for o in outages(story(answered_at=30))] == [instant(190)]


def test_one_timeout_among_answers_is_no_outage() -> None:
    s = Calls()
    for at in range(0, 100, 5):
        s.fine(f"SO-{at}", at)
    s.call("SO-999", 51, "no answer within 10 s", SLOW)
    s.call("SO-998", 71, "no answer within 10 s", SLOW)
    assert outages(told(s.spans)) == []


def test_where_a_third_of_many_calls_fails_it_is_one_outage() -> None:
    s = Calls()
    for at in range(60):
        (s.down if at % 3 == 0 else s.fine)(f"SO-{at}", at)
    for at in range(60, 90):
        s.fine(f"SO-{at}", at)
    [outage] = outages(told(s.spans))
    assert (outage["started_at"], outage["failed_run_count"], outage["ended_at"]) == (instant(0), 20, instant(59))


def test_a_refusal_is_an_answer_and_stays_a_business_exception_while_timeouts_and_the_unknown_become_the_outage() -> (
    None
):
    s = Calls()
    for number in range(6):
        s.down(f"SO-{number}", number * 2)
    s.call("SO-10", 13, "xyzzy plugh", ODD)
    s.call("SO-11", 14, "no answer within 10 s", SLOW)
    s.call("SO-12", 15, "Customer 4711 is blocked for credit", REFUSED)
    s.down("SO-6", 17)
    rows = told(s.spans)
    assert len(outages(rows)) == 1
    then = failures(rows, instant(20))
    assert then["SO-10"] == then["SO-11"] == then["SO-0"] == ("dependency", "outage", True)
    assert (then["SO-12"][0], then["SO-12"][2]) == ("business", False)
    before = failures(rows, instant(2))
    assert before["SO-0"][2] is False, "nobody knew of an outage yet"
    lone = Calls()
    lone.call("SO-10", 13, "xyzzy plugh", ODD)
    assert failures(told(lone.spans), instant(20))["SO-10"][2] is False


def test_throttling_is_told_from_downtime() -> None:
    s = Calls()
    for at in range(0, 30, 3):
        s.call(f"SO-{at}", at, "Too many requests", FAST)
        s.fine(f"SO-{at + 1}", at + 1)
    [outage] = outages(told(s.spans))
    assert (outage["kind"], outage["system"]) == ("throttling", "billing")


def test_one_broken_order_that_is_tried_again_and_again_is_no_outage_while_others_are_answered() -> None:
    s = Calls()
    for at in range(0, 300, 10):
        s.call("SO-1", at, "500 Internal Server Error", {"http.response.status_code": 500})
        s.fine(f"SO-{at + 10}", at + 5)
    assert outages(told(s.spans)) == []


def test_a_rule_nobody_knows_that_refuses_one_operation_is_no_outage_but_failing_at_everything_is() -> None:
    s = Calls()
    for at in range(8):
        s.call(f"SO-{at}", at, "xyzzy plugh", ODD)
    assert outages(told(s.spans)) == []
    s = Calls()
    for at in range(8):
        s.call(
            f"SO-{at}", at, "xyzzy plugh", ODD, operation=("billing.issue_invoice", "billing.issue_credit_note")[at % 2]
        )
    assert len(outages(told(s.spans))) == 1


@pytest.mark.parametrize("pause_s", [60, 3 * 3600])
def test_two_hours_without_a_call_part_two_outages(pause_s: int) -> None:
    s = Calls()
    for start in (0, pause_s):
        for number in range(4):
            s.down(f"SO-{number}", start + number)
    assert len(outages(told(s.spans))) == (1 if pause_s == 60 else 2)


def test_an_outage_is_ongoing_then_recovering_then_over_and_silent_where_nobody_calls() -> None:
    s = Calls()
    for number in range(4):
        s.down(f"SO-{number}", number)
    s.fine("SO-9", 600)
    rows = told(s.spans)

    def state(at: float) -> list[str]:
        return [r["state"] for r in rows.ask("select state from outages_now(?)", [instant(at)])]

    assert [state(at) for at in (1, 100, 620, 2000)] == [[], ["ongoing"], ["recovering"], ["ended"]]
    silent = Calls()
    for number in range(4):
        silent.down(f"SO-{number}", number)
    rows = told(silent.spans)
    assert state(3 * 3600) == ["silent"]


def test_an_outage_that_fails_again_after_an_answer_goes_on() -> None:
    s = Calls()
    for number in range(4):
        s.down(f"SO-{number}", number)
    s.fine("SO-8", 20)
    s.down("SO-9", 40)
    rows = told(s.spans)
    [outage] = outages(rows)
    assert (outage["last_failed_at"], outage["ended_at"]) == (instant(41), None)
    assert [r["state"] for r in rows.ask("select state from outages_now(?)", [instant(60)])] == ["ongoing"]


def test_spans_that_come_late_move_the_start_and_split_what_was_one_outage() -> None:
    s = Calls()
    for number in range(12):
        s.down(f"SO-{number}", number * 60)
    early, *rest = s.spans
    late = Calls()
    for number in range(12):
        late.fine(f"SO-{20 + number}", 400 + number)
    answers = [span.but(trace=100 + n, span=100 + n) for n, span in enumerate(late.spans)]
    rows = told(rest, [early], answers)
    assert [o["started_at"] for o in outages(rows)] == [instant(0), instant(420)]
    assert rows.every_table() == told([*s.spans, *answers]).every_table()
