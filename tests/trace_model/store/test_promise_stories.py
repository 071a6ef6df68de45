"""Which promise an order was made, and what stops its clock: told as stories, read as the screens read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.trace_model.store.derived_rows import Rows, catalogue, rules
from tests.trace_model.store.spans_of import Story, instant
from trace_model.catalogue.schema import Catalogue, Promise
from trace_model.store import Store

HOUR = 3600


def with_promises(*promises: dict[str, Any]) -> Catalogue:
    written = {"name": "acceptance", "label": "Acceptance", "start": "order_submitted", "stop": "order_accepted"}
    made = [Promise.model_validate(written | {"calendar": "always", "owner_team": "platform"} | p) for p in promises]
    return catalogue().model_copy(update={"promises": made})


TIERS = with_promises(
    {"within_s": 8 * HOUR},
    {"variant": "gold", "within_s": 4 * HOUR, "when": {"tier": ["gold"]}},
    {"variant": "large", "within_s": 2 * HOUR, "when": {"min_amount": 50000}, "valid_until": "2026-03-02"},
    {"variant": "gold_large", "within_s": HOUR, "when": {"tier": ["gold"], "min_amount": 50000}},
)


def house(of: Catalogue) -> Rows:
    return Rows(Store(None, of, clock=lambda: instant(10 * HOUR), rules=rules(), threads=1))


def clock(rows: Rows, order: str, at: datetime) -> dict[str, Any]:
    [timeline] = rows.store.rows("timeline", type="order", id=order, scope=None, as_of=at)
    [found] = rows.store.rows("timeline_clocks", lead_key=timeline["lead_key"], as_of=at)
    return found


def test_the_most_specific_variant_counts_and_says_why() -> None:
    s, rows = Story(), house(TIERS)
    for order, tier, amount in (
        ("SO-1", "silver", "100"),
        ("SO-2", "gold", "100"),
        ("SO-3", "silver", "50000"),
        ("SO-4", "gold", "90000"),
    ):
        s.does("crm.submit_order", 0, order=order, amount=amount, more={"q2c.tier": tier})
    rows.hear(s.spans)
    found = {order: clock(rows, order, instant(HOUR)) for order in ("SO-1", "SO-2", "SO-3", "SO-4")}
    assert {order: (c["variant"], c["why"], c["outranked"]) for order, c in found.items()} == {
        "SO-1": ("standard", None, []),
        "SO-2": ("gold", "tier gold", ["standard"]),
        "SO-3": ("large", "amount from 50,000", ["standard"]),
        "SO-4": ("gold_large", "tier gold, amount from 50,000", ["large", "gold", "standard"]),
    }
    assert {c["target_s"] / HOUR for c in found.values()} == {8, 4, 2, 1}


def test_history_keeps_the_promise_that_held_when_the_clock_started() -> None:
    s, rows = Story(), house(TIERS)
    midnight = 15 * HOUR  # the story begins at nine
    s.does("crm.submit_order", midnight - 10, order="SO-1", amount="60000")
    s.does("crm.submit_order", midnight + 10, order="SO-2", amount="60000")
    rows.hear(s.spans)
    at = instant(midnight + 60)
    assert [clock(rows, order, at)["variant"] for order in ("SO-1", "SO-2")] == ["large", "standard"]


def test_a_span_pauses_the_clock_and_another_resumes_it_and_the_past_keeps_its_answer() -> None:
    s, rows = Story(), house(with_promises({"within_s": 4 * HOUR}))
    s.does("crm.submit_order", 0, order="SO-1", amount="1")
    s.does("erp.change_order", HOUR, order="SO-1", more={"q2c.pause": "waiting_for_customer"})
    s.does("erp.change_order", 3 * HOUR, order="SO-1", more={"q2c.pause": "customer_answered"})
    rows.hear(s.spans)
    start = rows.clocks("order:SO-1")["acceptance"]["started_at"]
    told = [
        clock(rows, "SO-1", start + (instant(seconds) - instant(0))) for seconds in (HOUR / 2, 2 * HOUR, 3.5 * HOUR)
    ]
    assert [(c["state"], c["paused_by"]) for c in told] == [
        ("running", None),
        ("paused", "Waiting for the customer"),
        ("running", None),
    ]
    assert [c["due_at"] and round((c["due_at"] - start).total_seconds() / HOUR, 3) for c in told] == [4, None, 6]


def test_an_operators_pause_moves_the_clock_is_kept_and_survives_a_rebuild() -> None:
    s, rows = Story(), house(with_promises({"within_s": 4 * HOUR}))
    s.does("crm.submit_order", 0, order="SO-1", amount="1")
    s.does("crm.submit_order", 0, order="SO-2", amount="1")
    rows.hear(s.spans)
    rows.do(("order", "SO-1", "credit_hold", True, HOUR))
    assert [clock(rows, order, instant(9 * HOUR))["state"] for order in ("SO-1", "SO-2")] == ["breached", "breached"], (
        "a credit hold does not hold up this promise"
    )
    rows.do(("order", "SO-1", "waiting_for_customer", True, HOUR))
    assert [clock(rows, order, instant(9 * HOUR))["state"] for order in ("SO-1", "SO-2")] == ["paused", "breached"]
    before = rows.every_table()
    rows.store.rebuild()
    assert rows.every_table() == before
    rows.do(("order", "SO-1", "waiting_for_customer", False, 2 * HOUR))
    assert clock(rows, "SO-1", instant(9 * HOUR))["state"] == "breached"
    assert rows.store.first_broken_action() is None


def test_a_dispute_of_a_shared_invoice_pauses_every_order_it_belongs_to() -> None:
    s = Story()
    s.does("billing.issue_invoice", 0, invoice="INV-1", amount="100", invoice_order=["SO-1", "SO-2"])
    s.does("billing.note", HOUR, invoice="INV-1", more={"q2c.pause": "dispute"})
    rows = house(catalogue())
    rows.hear(s.spans)
    found = rows.ask(
        "select lead_id, paused_by from clocks join timelines using (lead_key) where promise = 'payment_application' and holds_until is null"
    )
    assert sorted((r["lead_id"], r["paused_by"]) for r in found) == [("SO-1", "dispute"), ("SO-2", "dispute")]


def test_a_promise_before_the_month_end_close_is_due_at_the_close() -> None:
    s = Story()
    s.does("billing.issue_invoice", 0, invoice="INV-1", invoice_order="SO-1", amount="1")
    s.does("psp.apply_payment", 0, payment="PAY-1", payment_invoice="INV-1", amount="1")
    rows = house(
        with_promises(
            {
                "name": "close",
                "start": "payment_applied",
                "stop": "revenue_posted",
                "due": "month_end_close",
                "calendar": "europe_office",
            }
        )
    )
    rows.hear(s.spans)
    [lead] = rows.leads()
    found = rows.clocks(lead)["close"]
    assert f"{found['due_at']:%Y-%m-%d %H:%M}" == "2026-04-07 16:00", "after Easter, 18:00 in Berlin"
    assert found["started_at"] < found["at_risk_at"] < found["due_at"]


def test_a_late_report_that_it_was_on_time_is_told_as_a_withdrawn_breach() -> None:
    s, late = Story(), Story()
    s.does("crm.submit_order", 0, order="SO-1", amount="1")
    rows = house(with_promises({"within_s": 4 * HOUR}))
    rows.store.clock = lambda: instant(1)
    rows.hear(s.spans)
    assert clock(rows, "SO-1", instant(9 * HOUR))["state"] == "breached"
    rows.store.clock = lambda: instant(10 * HOUR)
    late.does("erp.create_order", HOUR, order="SO-1")
    rows.hear([span.but(trace=99) for span in late.spans])
    found = clock(rows, "SO-1", instant(11 * HOUR))
    assert (found["state"], found["withdrawn_at"]) == ("met", instant(10 * HOUR)), (
        "the clock of the house says when it came"
    )


def test_history_that_is_loaded_later_withdraws_nothing() -> None:
    s, rows = Story(), house(with_promises({"within_s": 4 * HOUR}))
    s.does("crm.submit_order", 0, order="SO-1", amount="1")
    s.does("erp.create_order", HOUR, order="SO-1")
    rows.hear(s.spans)
    found = clock(rows, "SO-1", instant(11 * HOUR))
    assert (found["state"], found["withdrawn_at"]) == ("met", None), "no breach was ever shown"
