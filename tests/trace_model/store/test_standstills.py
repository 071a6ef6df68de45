"""Orders that do not move: found by what like orders take, explained by what was last seen, and told apart from silence of a system."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from console import standstills
from tests.trace_model.store.derived_rows import Rows, opened
from tests.trace_model.store.spans_of import Story, instant
from trace_model.store.forecasts import Forecasts

HOUR, DAY = 3600, 86_400


def state(rows: Rows, order: str, at: datetime) -> dict[str, Any]:
    [found] = rows.store.rows("timeline", type="order", id=order, scope=None, as_of=at)
    return found


def explained(rows: Rows, order: str, at: datetime) -> tuple[dict[str, Any], standstills.Standstill]:
    [row] = rows.store.rows("standstills", lead_keys=[state(rows, order, at)["lead_key"]], as_of=at)
    words = standstills.explain(row, at)
    assert words
    return row, words


@pytest.fixture
def trading() -> Rows:
    """Forty orders whose invoices are posted within two hours of being issued, and SO-X, whose is not. Its payment term is not running."""
    s, rows = Story(), Rows(opened())
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
    rows.hear(s.spans)
    return rows


def quiet(rows: Rows) -> None:
    """No promise runs for SO-X: its invoice latency is not what these stories are about."""
    with rows.store.database.reading() as c:
        c.execute("delete from clocks where lead_key in (select lead_key from timelines where lead_id = 'SO-X')")


def test_without_history_the_catalogue_says_when_silence_is_a_standstill(trading: Rows) -> None:
    quiet(trading)
    assert state(trading, "SO-X", instant(2.9 * DAY))["state"] == "on_track"
    found = state(trading, "SO-X", instant(3.1 * DAY))
    assert (found["state"], found["like_count"], found["like_limit_s"]) == ("stuck", None, 259_200)


def test_with_history_an_order_is_stuck_when_its_like_have_always_moved_on_by_then(trading: Rows) -> None:
    s = Story()
    for number in range(40):
        began = number * HOUR / 2
        s.does("erp.create_order", began - 2 * HOUR - number * 60, order=f"SO-{number}", amount="10", service="erp-de")
    trading.hear([span.but(trace=span.trace + 1000) for span in s.spans])
    quiet(trading)
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
    assert state(trading, "SO-X", instant(5 * DAY))["state"] == "on_track", "its invoice is promised within seven days"
    s = Story()
    s.does("billing.issue_invoice", HOUR, invoice="INV-X", invoice_order="SO-X", error="no billing account")
    trading.hear([span.but(trace=2000) for span in s.spans])
    quiet(trading)
    assert state(trading, "SO-X", instant(5 * DAY))["state"] == "on_track", "the exception says why"


def test_the_reason_is_guessed_from_what_was_last_seen(trading: Rows) -> None:
    row, words = explained(trading, "SO-X", instant(20 * HOUR))
    assert (row["reason"], row["label"], row["progress_label"]) == ("dropped", "Invoice issued", "Order accepted")
    assert "Other orders have reached 'Invoice issued' since" in words.reason
    assert (words.owner_team, row["last_operation"]) == ("finance_operations", "erp.create_order")


def test_no_data_from_a_system_is_told_apart_from_no_progress(trading: Rows) -> None:
    s = Story()
    s.does("billing.issue_invoice", 20 * HOUR, invoice="INV-Y", invoice_order="SO-Y", amount="5", service="billing")
    trading.hear([span.but(trace=3000) for span in s.spans])
    row, words = explained(trading, "SO-X", instant(20 * HOUR + 30 * 60))
    assert (row["is_silent"], standstills.silence(row, instant(20 * HOUR))) == (False, None)
    at = instant(21 * HOUR)
    row, words = explained(trading, "SO-X", at)
    assert row["reason"] == "no_data"
    assert standstills.silence(row, at) == "No data from Billing for 59 min"
    assert words.reason.startswith("No data from Billing")
    row, _ = explained(trading, "SO-Y", instant(23 * HOUR))
    assert (row["system"], row["is_silent"]) == ("erp", True), (
        "ERP Germany is of the product that the catalogue's ERP is"
    )


def test_what_healed_and_was_not_resumed_and_what_is_done_in_part_are_named() -> None:
    s, rows = Story(), Rows(opened())
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


def queued(rows: Rows, at: datetime) -> list[dict[str, Any]]:
    return rows.store.rows("exceptions", kind="stuck_flow", state=None, group_id=None, as_of=at, **ASKED)


def test_a_stuck_flow_stands_in_the_queue_with_its_money_owner_and_age(trading: Rows) -> None:
    quiet(trading)
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


def test_an_open_failure_explains_the_silence_and_a_move_ends_it(trading: Rows) -> None:
    quiet(trading)
    at = instant(4 * DAY)
    assert "SO-X" in [row["lead_id"] for row in queued(trading, at)]
    failed = Story()
    failed.does(
        "billing.issue_invoice",
        4 * DAY - 60,
        invoice="INV-X",
        invoice_order="SO-X",
        error="500",
        more={"q2c.outcome": "gave_up"},
    )
    trading.hear([span.but(trace=9000, span=9000) for span in failed.spans])
    quiet(trading)
    assert "SO-X" not in [row["lead_id"] for row in queued(trading, at)]


def test_a_stuck_group_is_snoozed_and_resolved_by_hand_as_any_other(trading: Rows) -> None:
    quiet(trading)
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
    assert [row["state"] for row in queued(trading, later) if row["lead_id"] == "SO-X"] == ["resolved"]
