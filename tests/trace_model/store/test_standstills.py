"""Orders that do not move: found by what like orders take, explained by what was last seen, and told apart from silence of a system."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from console import standstills
from tests.trace_model.store.derived_rows import Rows, catalogue, opened
from tests.trace_model.store.spans_of import Span, Story, instant
from trace_model.store.forecasts import Forecasts

HOUR, DAY = 3600, 86_400
SHIPPED = catalogue().model_copy(update={"stuck_after_s": 3 * DAY, "stuck_calendar": None})
"""Orders stand still around the clock; in working time: `test_standing_stories.py`."""


def state(rows: Rows, order: str, at: datetime) -> dict[str, Any]:
    [found] = rows.store.rows("timeline", type="order", id=order, scope=None, as_of=at)
    return found


def explained(rows: Rows, order: str, at: datetime) -> tuple[dict[str, Any], standstills.Standstill]:
    [row] = rows.store.rows("standstills", lead_keys=[state(rows, order, at)["lead_key"]], as_of=at)
    words = standstills.explain(row, at)
    assert words
    return row, words


def traded() -> list[Span]:
    """Forty orders whose invoices are posted within two hours of being issued, and SO-X, which nothing follows after it was accepted."""
    s = Story()
    for number in range(40):
        began = number * HOUR / 2
        s.does(
            "billing.issue_invoice",
            began,
            invoice=f"INV-{number}",
            invoice_order=f"SO-{number}",
            amount="10",
            service="billing",
        )
        s.does("erp.post_invoice", began + HOUR + number * 60, invoice=f"INV-{number}", service="erp-de")
    s.does("crm.accept_quote", 0, quote="Q-X", amount="10", service="crm")
    s.does("crm.submit_order", 10, order="SO-X", amount="10", service="crm")
    s.does("erp.create_order", 20, order="SO-X", amount="10", service="erp-de")
    return s.spans


@pytest.fixture
def trading() -> Rows:
    """`traded`, where nothing is promised: how long silence may last is told by the catalogue and by like orders alone."""
    rows = Rows(opened(SHIPPED.model_copy(update={"promises": []})))
    rows.hear(traded())
    return rows


def moved(rows: Rows, seconds: float, **more: Any) -> None:
    """SO-X's invoice is issued."""
    s = Story()
    s.does(
        "billing.issue_invoice", seconds, invoice="INV-X", invoice_order="SO-X", amount="10", service="billing", **more
    )
    rows.hear([span.but(trace=9000, span=9000) for span in s.spans])


def like_orders_came(rows: Rows) -> None:
    """The forty orders of `traded` were accepted two to three hours before they were billed: a history to take limits from."""
    s = Story()
    for number in range(40):
        began = number * HOUR / 2
        s.does("erp.create_order", began - 2 * HOUR - number * 60, order=f"SO-{number}", amount="10", service="erp-de")
    rows.hear([span.but(trace=span.trace + 1000) for span in s.spans])


def test_without_history_the_catalogue_says_when_silence_is_a_standstill(trading: Rows) -> None:
    assert state(trading, "SO-X", instant(2.9 * DAY))["state"] == "on_track"
    found = state(trading, "SO-X", instant(3.1 * DAY))
    assert (found["state"], found["like_count"], found["like_limit_s"]) == ("stuck", None, 259_200)


def test_with_history_an_order_is_stuck_when_its_like_have_always_moved_on_by_then(trading: Rows) -> None:
    like_orders_came(trading)
    fitted = instant(DAY)
    assert Forecasts(trading.store).refresh(fitted) >= 0
    before, after = state(trading, "SO-X", fitted + timedelta(seconds=1)), state(trading, "SO-X", instant(DAY - 60))
    assert (before["state"], before["like_count"], before["like_segment"]) == (
        "stuck",
        40,
        "no tier / no product line / no region",
    )
    assert 2 * HOUR < before["like_limit_s"] < 3 * HOUR
    assert after["state"] == "on_track", "a past instant knows no later fit"
    assert before["stuck_at"] == before["last_progress_at"] + timedelta(seconds=before["like_limit_s"])


def test_a_running_promise_or_an_open_exception_is_no_standstill(trading: Rows) -> None:
    promised = Rows(opened(SHIPPED))
    promised.hear(traded())
    assert state(promised, "SO-X", instant(5 * DAY))["state"] == "on_track", "its invoice is promised within seven days"
    assert state(trading, "SO-X", instant(5 * DAY))["state"] == "stuck"
    moved(trading, HOUR, error="no billing account")
    assert state(trading, "SO-X", instant(5 * DAY))["state"] == "on_track", "the exception says why"


def test_the_reason_is_guessed_from_what_was_last_seen(trading: Rows) -> None:
    row, words = explained(trading, "SO-X", instant(20 * HOUR))
    assert (row["reason"], row["label"], row["progress_label"]) == ("dropped", "Invoice issued", "Order accepted")
    assert "Other orders have reached 'Invoice issued' since" in words.reason
    assert (words.owner_team, row["last_operation"]) == ("finance_operations", "erp.create_order")


def test_no_data_from_a_system_is_told_apart_from_no_progress(trading: Rows) -> None:
    s = Story()
    s.does("billing.issue_invoice", 24 * HOUR, invoice="INV-Y", invoice_order="SO-Y", amount="5", service="billing")
    trading.hear([span.but(trace=3000) for span in s.spans])
    row, words = explained(trading, "SO-X", instant(24 * HOUR + 30 * 60))
    assert (row["is_silent"], standstills.silence(row, instant(24 * HOUR))) == (False, None)
    at = instant(25 * HOUR)
    row, words = explained(trading, "SO-X", at)
    assert row["reason"] == "no_data"
    assert standstills.silence(row, at) == "No data from Billing for 59 min"
    assert words.reason.startswith("No data from Billing")
    row, _ = explained(trading, "SO-Y", instant(27 * HOUR))
    assert (row["system"], row["is_silent"]) == ("erp", True), (
        "ERP Germany is of the product that the catalogue's ERP is"
    )


def test_what_healed_and_was_not_resumed_and_what_is_done_in_part_are_named() -> None:
    s, rows = Story(), Rows(opened(SHIPPED))
    s.does("erp.create_order", 0, order="SO-1", amount="100", service="erp-de", error="locked")
    s.does("erp.create_order", HOUR, order="SO-1", amount="100", service="erp-de")
    s.does("erp.create_order", 0, order="SO-2", amount="100", service="erp-de")
    s.does("billing.issue_invoice", HOUR, invoice="INV-2", invoice_order="SO-2", amount="40")
    rows.hear(s.spans)
    at = instant(HOUR + 600)
    row, words = explained(rows, "SO-1", at)
    assert (row["reason"], row["repaired_operation"]) == ("not_resumed", "erp.create_order")
    assert "was not resumed" in words.reason
    row, words = explained(rows, "SO-2", at)
    assert (row["reason"], row["milestone"]) == ("partly_done", "invoice_issued")
    assert "Ask Billing for the rest" in words.action


EVERY_TIMELINE: dict[str, Any] = dict.fromkeys(
    ("states", "promise", "region", "product_line", "legal_entity", "milestone", "q", "min_amount", "with_exception")
) | {"offset": 0, "limit": 1000}
ASKED: dict[str, Any] = {"category": None, "owner_team": None, "system": None, "offset": 0, "limit": 99, "class": None}


def queued(rows: Rows, at: datetime, state: str | None = "open") -> list[dict[str, Any]]:
    return rows.store.rows("exceptions", kind="stuck_flow", state=state, group_id=None, as_of=at, **ASKED)


def of_x(rows: Rows, at: datetime) -> list[dict[str, Any]]:
    """SO-X's stuck flows, open or resolved."""
    return [row for row in queued(rows, at, None) if row["lead_id"] == "SO-X"]


def test_a_stuck_flow_stands_in_the_queue_with_its_money_owner_and_age(trading: Rows) -> None:
    assert [row for row in queued(trading, instant(2.9 * DAY)) if row["lead_id"] == "SO-X"] == []
    at = instant(4 * DAY)
    [row] = [row for row in queued(trading, at) if row["lead_id"] == "SO-X"]
    assert (row["sentence"], row["class"], row["category"]) == (
        "SO-X is stuck after order accepted.",
        "technical",
        "stalled_flow",
    )
    assert (row["state"], row["owner_team"], row["lead_id"], str(row["blocked_amount"])) == (
        "open",
        "platform",
        "SO-X",
        "10.00",
    )
    assert row["opened_at"] == instant(21 + 3 * DAY)
    assert row["age_s"] == pytest.approx(DAY - 21)
    [group] = [
        g
        for g in trading.store.rows("exception_groups", include_snoozed=False, kind="stuck_flow", as_of=at, **ASKED)
        if g["group_id"] == row["group_id"]
    ]
    assert (group["sentence"], group["open_count"], group["order_count"]) == ("Stuck after order accepted.", 1, 1)
    [shown] = trading.store.rows("exception", exception_id=row["exception_id"], as_of=at)
    assert (shown["lead_id"], shown["operation_label"], shown["replayable"], shown["is_check"]) == (
        "SO-X",
        "stuck after order accepted",
        False,
        True,
    )
    [one] = trading.store.rows("exception_group", group_id=row["group_id"], as_of=at)
    assert (one["open_count"], one["owner_team"]) == (1, "platform")
    tabs = {
        t["class"]: t
        for t in trading.store.rows("exception_classes", owner_team=None, system=None, include_snoozed=False, as_of=at)
    }
    assert tabs["technical"]["open_count"] >= 1


def test_the_queue_calls_stuck_what_the_timeline_calls_stuck(trading: Rows) -> None:
    for days in (1, 2.9, 3.5, 5, 40):
        at = instant(days * DAY)
        states = trading.store.rows("timelines", **EVERY_TIMELINE, as_of=at)
        assert {row["lead_id"] for row in queued(trading, at)} == {
            t["lead_id"] for t in states if t["state"] == "stuck"
        }, days


def test_an_order_and_the_exports_tell_of_its_own_stuck_flow(trading: Rows) -> None:
    at = instant(4 * DAY)
    [queue] = of_x(trading, at)
    [row] = trading.store.rows("timeline_exceptions", lead_key=state(trading, "SO-X", at)["lead_key"], as_of=at)
    told = ("exception_id", "group_id", "kind", "state", "opened_at", "sentence", "owner_team", "runbook")
    assert {name: row[name] for name in told} == {name: queue[name] for name in told}
    assert (row["object_id"], row["operation_label"], row["replayable"]) == (
        "SO-X",
        "stuck after order accepted",
        False,
    )
    exported = {e["exception_id"] for e in trading.store.rows("export_exceptions", as_of=at)}
    assert {e["exception_id"] for e in queued(trading, at)} <= exported
    assert trading.store.rows("group_kind", group_id=queue["group_id"], as_of=at) == [{"kind": "stuck_flow"}]


def test_a_stuck_flow_that_moves_on_stands_resolved_by_what_moved_it(trading: Rows) -> None:
    at = instant(4 * DAY)
    [was] = of_x(trading, at)
    moved(trading, 4 * DAY + HOUR)
    later = instant(6 * DAY)
    [found] = of_x(trading, later)
    assert (found["exception_id"], found["state"]) == (was["exception_id"], "resolved")
    assert (found["opened_at"], found["resolved_at_then"]) == (was["opened_at"], instant(4 * DAY + HOUR + 1))
    assert found["ended_with"] == "it moved on: Invoice issued"
    assert found["sentence"] == "SO-X was stuck after order accepted."
    assert (found["first_failed_at"], found["group_id"]) == (instant(21), was["group_id"])
    [before] = of_x(trading, at)
    assert {k: v for k, v in before.items() if k != "age_s"} == {k: v for k, v in was.items() if k != "age_s"}, (
        "the past is what it was"
    )
    assert state(trading, "SO-X", at)["state"] == "stuck"
    assert state(trading, "SO-X", later)["state"] == "on_track"
    [group] = trading.store.rows("exception_group", group_id=was["group_id"], as_of=later)
    assert group["resolved_count"] == 1
    [fix] = trading.store.rows("exception_fixes", group_id=was["group_id"], as_of=later)
    assert (fix["fix"], fix["ended_count"], fix["last_object_id"]) == ("moved_on", 1, "SO-X")
    assert fix["median_s"] == pytest.approx(DAY + HOUR - 20)


def test_it_is_stuck_again_after_the_next_milestone_as_another_exception(trading: Rows) -> None:
    moved(trading, 4 * DAY)
    found = {row["operation"]: row["state"] for row in of_x(trading, instant(8 * DAY))}
    assert found == {"check.stuck_after_order_accepted": "resolved", "check.stuck_after_invoice_issued": "open"}


def test_silence_that_was_no_longer_than_usual_leaves_nothing(trading: Rows) -> None:
    moved(trading, 2.9 * DAY)
    assert of_x(trading, instant(4 * DAY)) == []


def test_a_failure_that_says_why_ends_a_standstill_until_it_is_resolved_and_it_still_stands(trading: Rows) -> None:
    at = instant(4 * DAY)
    [was] = of_x(trading, at)
    moved(trading, 4 * DAY + HOUR, error="500", more={"q2c.outcome": "gave_up"})
    [found] = of_x(trading, instant(5 * DAY))
    assert (found["state"], found["resolved_at_then"]) == ("resolved", instant(4 * DAY + HOUR + 1))
    assert found["ended_with"].startswith("a failure says why: ")
    trading.store.clock = lambda: instant(5 * DAY + HOUR)
    [failure] = trading.store.rows(
        "exceptions", kind="failed_operation", state="open", group_id=None, as_of=instant(5 * DAY), **ASKED
    )
    trading.store.act(
        actor="ana",
        deed="resolve",
        subject_type="exception_group",
        subject_id=failure["group_id"],
        reason="paid by phone",
        detail={},
    )
    [again] = of_x(trading, instant(6 * DAY))
    assert (again["exception_id"], again["state"], again["episode"]) == (was["exception_id"], "open", 2)
    assert (again["first_opened_at"], again["opened_at"]) == (was["opened_at"], instant(5 * DAY + HOUR))
    history = trading.store.rows(
        "exception_episodes",
        exception_id=again["exception_id"],
        lead_key=state(trading, "SO-X", at)["lead_key"],
        as_of=instant(6 * DAY),
    )
    assert [(e["episode"], e["opened_at"], e["resolved_at"]) for e in history] == [
        (1, was["opened_at"], instant(4 * DAY + HOUR + 1)),
        (2, instant(5 * DAY + HOUR), None),
    ]


def test_what_was_found_by_the_limits_of_its_day_stands_when_the_limits_change(trading: Rows) -> None:
    """A fit is kept until history has grown by a tenth, so what was stuck by it yesterday stays in the history."""
    like_orders_came(trading)
    forecasts = Forecasts(trading.store)
    forecasts.refresh(instant(DAY))
    [was] = of_x(trading, instant(1.1 * DAY))
    assert was["state"] == "open"
    moved(trading, 1.2 * DAY)
    forecasts.refresh(instant(1.3 * DAY))
    [found] = [row for row in of_x(trading, instant(1.4 * DAY)) if row["operation"] == was["operation"]]
    assert (found["exception_id"], found["state"], found["opened_at"]) == (
        was["exception_id"],
        "resolved",
        was["opened_at"],
    )
    fits = trading.ask("select distinct fitted_as_of from silence_limits")
    assert [f["fitted_as_of"] for f in fits] == [instant(DAY)], "nothing to speak of has come since"


def test_a_stuck_group_is_snoozed_and_resolved_by_hand_as_any_other(trading: Rows) -> None:
    at = instant(4 * DAY)
    group_id = next(row["group_id"] for row in queued(trading, at) if row["lead_id"] == "SO-X")

    def do(deed: str, seconds: float, **detail: Any) -> None:
        trading.store.clock = lambda: instant(seconds)
        trading.store.act(
            actor="ana",
            deed=deed,
            subject_type="exception_group",
            subject_id=group_id,
            reason="called them",
            detail=detail,
        )

    do("snooze", 4 * DAY, until=instant(5 * DAY).isoformat())
    shown = trading.store.rows("exception_groups", include_snoozed=False, kind="stuck_flow", as_of=at, **ASKED)
    assert group_id not in [g["group_id"] for g in shown]
    do("resolve", 4 * DAY + 60)
    later = instant(4 * DAY + 120)
    assert [row["state"] for row in of_x(trading, later)] == ["resolved"]
