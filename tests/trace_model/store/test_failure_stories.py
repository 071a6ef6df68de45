"""What counts as a failure, of what, how often, and until when: one story a test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.trace_model.store.derived_rows import told
from tests.trace_model.store.spans_of import Story, instant

EVERY: dict[str, Any] = dict.fromkeys(("state", "class", "category", "owner_team", "group_id", "system")) | {
    "offset": 0,
    "limit": 50,
}


def test_a_nameless_http_child_is_evidence_of_the_operation_above_it() -> None:
    s = Story()
    run = s.does("erp.create_order", 0, order="SO-1", error="upstream failed")
    call = s.does(
        None, 1, name="POST", under=run, kind=3, error="Service Unavailable",
        more={"server.address": "erp-de", "http.response.status_code": 503},
    )  # fmt: skip
    s.does(
        None, 2, name="POST /orders", under=call, kind=2, service="erp-de", error="busy",
        thrown=("LockTimeout", "table VBAK is locked"), more={"q2c.error.code": "ENQ-1"},
    )  # fmt: skip
    [failure] = told(s.spans).failures()
    assert (failure["operation"], failure["name"]) == ("erp.create_order", "order:SO-1")
    assert (failure["dependency"], failure["http_status"], failure["error_code"]) == ("erp-de", 503, "ENQ-1")
    assert (failure["exception"], failure["message"]) == ("LockTimeout", "table VBAK is locked")


def test_calls_that_failed_inside_a_run_that_succeeded_are_retries_and_no_failure() -> None:
    s = Story()
    run = s.does("erp.create_order", 0, order="SO-1", until=9)
    s.does(None, 1, name="POST", under=run, kind=3, error="503")
    s.does(None, 3, name="POST", under=run, kind=3)
    rows = told(s.spans)
    assert rows.failures() == []
    assert [r["retry_count"] for r in rows.ask("from operation_runs")] == [1]


def test_where_an_operation_failed_because_one_inside_it_did_only_the_innermost_failed() -> None:
    s = Story()
    outer = s.does("crm.submit_order", 0, order="SO-1", error="tax failed", until=9)
    s.does("tax.determine", 1, under=outer, error="no registration", more={"q2c.error.code": "TAX-7"})
    assert [(f["operation"], f["error_code"]) for f in told(s.spans).failures()] == [("tax.determine", "TAX-7")]


def test_an_inner_operation_that_healed_does_not_hide_what_the_outer_failed_of() -> None:
    s = Story()
    outer = s.does("crm.submit_order", 0, order="SO-1", error="row lock", until=9)
    s.does("tax.determine", 1, under=outer, error="timeout")
    s.does("tax.determine", 4, under=outer)
    failures = told(s.spans).failures()
    assert [(f["operation"], f["resolved_at"]) for f in failures] == [
        ("tax.determine", instant(5)),
        ("crm.submit_order", None),
    ]


def test_a_generic_instrumentation_that_puts_ids_on_every_span_counts_one_failure_once() -> None:
    s = Story()
    outer = s.does(None, 0, name="POST /orders", order="SO-1", error="failed", until=9)
    inner = s.does(None, 1, name="save order", under=outer, order="SO-1", error="failed")
    s.does(None, 1, name="INSERT", under=inner, order="SO-1", error="duplicate key")
    assert [(f["operation"], f["message"]) for f in told(s.spans).failures()] == [("INSERT", "duplicate key")]


@pytest.mark.parametrize("backwards", [False, True])
def test_failing_healing_and_failing_again_are_two_episodes_of_one_exception(backwards: bool) -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", error="503")
    s.does("erp.create_order", 10, order="SO-1", error="503")
    s.does("erp.create_order", 20, order="SO-1")
    s.does("erp.create_order", 30, order="SO-1", error="409")
    spans = s.spans[::-1] if backwards else s.spans
    failures = told(*([span] for span in spans)).failures()
    assert [(f["episode"], f["opened_at"], f["last_failed_at"], f["resolved_at"], f["attempt_count"]) for f in failures] == [
        (1, instant(1), instant(11), instant(21), 2),
        (2, instant(31), instant(31), None, 1),
    ]  # fmt: skip
    assert len({f["exception_id"] for f in failures}) == 1


def test_a_failed_acknowledgment_is_healed_by_the_milestone_that_the_target_tells_of() -> None:
    """The ERP booked the order and its answer was lost: the engine failed, the ERP's own span says it is there."""
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", error="timeout")
    s.does(None, 5, name="order booked", service="erp-de", order="SO-1", milestone="order_accepted")
    rows = told(s.spans)
    [failure] = rows.failures()
    assert failure["resolved_at"] == instant(6)
    assert rows.milestones("order:SO-1")["order_accepted"]["reached_at"] == instant(6)


def test_any_later_word_of_the_milestone_heals_not_only_the_first() -> None:
    s = Story()
    s.does(None, 0, name="order booked", order="SO-1", milestone="order_accepted")
    s.does("erp.create_order", 5, order="SO-1", error="timeout")
    s.does(None, 9, name="order booked", order="SO-1", milestone="order_accepted")
    assert [f["resolved_at"] for f in told(s.spans).failures()] == [instant(10)]


RETRYING, GAVE_UP = {"q2c.outcome": "retrying"}, {"q2c.outcome": "gave_up"}


@pytest.mark.parametrize("backwards", [False, True])
def test_what_the_engine_retries_and_heals_by_itself_opens_nothing(backwards: bool) -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", error="503", more=RETRYING)
    s.does("erp.create_order", 2, order="SO-1", error="503", more=RETRYING)
    s.does("erp.create_order", 4, order="SO-1")
    spans = s.spans[::-1] if backwards else s.spans
    rows = told(*([span] for span in spans))
    assert rows.failures() == []
    assert sum(r["is_error"] for r in rows.ask("from operation_runs")) == 2


def test_an_engine_that_gave_up_opens_at_once_and_all_its_attempts_are_one_exception() -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", error="503", more=RETRYING)
    s.does("erp.create_order", 2, order="SO-1", error="503", more=GAVE_UP)
    [failure] = told(s.spans).failures()
    assert (failure["first_failed_at"], failure["opened_at"], failure["attempt_count"]) == (instant(1), instant(3), 2)


def test_an_engine_that_never_comes_back_is_believed_until_the_declared_time_to_give_up() -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", error="503", more=RETRYING)
    s.does("erp.create_order", 4, order="SO-1", error="503", more=RETRYING)
    rows = told(s.spans)
    [failure] = rows.failures()
    assert (failure["opened_at"], failure["last_failed_at"]) == (instant(6), instant(5))
    assert [rows.store.rows("exceptions", **EVERY, as_of=instant(t)) != [] for t in (5.9, 6)] == [False, True]


def test_healing_late_leaves_a_resolved_exception_and_failing_for_good_again_a_regression() -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", error="503", more=RETRYING)
    s.does("erp.create_order", 9, order="SO-1")
    s.does("erp.create_order", 20, order="SO-1", error="503", more=RETRYING)
    s.does("erp.create_order", 22, order="SO-1")
    s.does("erp.create_order", 30, order="SO-1", error="422", more=GAVE_UP)
    found = told(s.spans).failures()
    assert [(f["episode"], f["opened_at"], f["resolved_at"]) for f in found] == [
        (1, instant(6), instant(10)),
        (2, instant(31), None),
    ]


def test_the_cause_is_what_the_deepest_failing_span_threw() -> None:
    s = Story()
    run = s.does("erp.create_order", 0, order="SO-1", error="sync failed", thrown=("SyncError", "sync failed"), until=9)
    call = s.does(None, 1, name="POST", under=run, kind=3, error="422", more={"http.response.status_code": 422})
    s.does(
        None,
        2,
        name="check tax",
        under=call,
        service="erp-de",
        error="no",
        thrown=("TaxError", "ship-to has no tax id in DE"),
    )
    [failure] = told(s.spans).failures()
    assert (failure["exception"], failure["message"]) == ("TaxError", "ship-to has no tax id in DE")


def test_a_call_that_healed_inside_the_run_is_not_its_cause() -> None:
    s = Story()
    run = s.does(
        "erp.create_order", 0, order="SO-1", error="mapping", thrown=("MappingError", "no item for SKU-1"), until=9
    )
    call = s.does(None, 1, name="GET /items", under=run, kind=3, error="busy", more={"http.response.status_code": 503})
    s.does(
        None, 1, name="handle", under=call, service="erp-de", error="busy", thrown=("LockTimeout", "table is locked")
    )
    s.does(None, 3, name="GET /items", under=run, kind=3)
    [failure] = told(s.spans).failures()
    assert (failure["exception"], failure["message"], failure["http_status"]) == (
        "MappingError",
        "no item for SKU-1",
        None,
    )
    assert failure["retry_count"] == 1


def test_of_several_calls_that_failed_the_last_is_the_cause() -> None:
    s = Story()
    run = s.does("erp.create_order", 0, order="SO-1", error="gave up", until=9)
    first = s.does(None, 1, name="POST", under=run, kind=3, error="503", more={"http.response.status_code": 503})
    s.does(None, 1, name="handle", under=first, service="erp-de", error="down", more={"q2c.error.code": "DOWN"})
    s.does(None, 4, name="POST", under=run, kind=3, error="no answer", more={"error.type": "ReadTimeout"})
    [failure] = told(s.spans).failures()
    assert (failure["exception"], failure["error_code"], failure["http_status"]) == ("ReadTimeout", None, None)
    assert failure["retry_count"] == 1


def test_a_success_before_the_failure_heals_nothing() -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1")
    s.does("erp.create_order", 5, order="SO-1", error="409")
    assert [f["resolved_at"] for f in told(s.spans).failures()] == [None]


def test_a_failing_span_reaches_no_milestone() -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", error="503", milestone="order_accepted")
    assert told(s.spans).milestones("order:SO-1") == {}


def test_an_operation_without_ids_acts_on_the_object_of_the_span_above() -> None:
    s = Story()
    flow = s.does(None, 0, name="flow", order="SO-1", until=9)
    middle = s.does(None, 0, name="step", under=flow, until=9)
    s.does("erp.create_order", 1, under=middle, error="503", customer="C-1")
    assert [(f["operation"], f["name"]) for f in told(s.spans).failures()] == [("erp.create_order", "order:SO-1")]


def test_a_payment_run_over_three_invoices_fails_for_each_of_them() -> None:
    s = Story()
    s.does("psp.apply_payment", 0, invoice=["INV-1", "INV-2", "INV-3"], error="declined", amount="100.00")
    rows = told(s.spans)
    assert sorted(f["name"] for f in rows.failures()) == ["invoice:INV-1", "invoice:INV-2", "invoice:INV-3"]
    assert {o["amount"] for o in rows.objects().values()} == {None}


def test_money_said_only_by_failing_spans_is_money_at_stake() -> None:
    s = Story()
    s.does("erp.create_order", 0, order="SO-1", error="503", amount="250.00")
    assert str(told(s.spans).objects()["order:SO-1"]["amount"]) == "250.0000"


@pytest.mark.parametrize("nines", ["9999999999999.99", "99999999999999.9999", "-99999999999999.9999", "1e30"])
def test_money_that_nobody_has_is_a_doubt_and_stops_nothing(nines: str) -> None:
    """Placeholders of nines come in; converted, divided, compared and summed up they must not end the derivation of all others."""
    s = Story()
    for number, (currency, billed_in) in enumerate((("GBP", "GBP"), ("JPY", "GBP")), 1):
        sent = {"q2c.payload": json.dumps({"amount": nines, "quantity": nines})}
        answered = {"q2c.payload": json.dumps({"amount": "-9999999999999.99", "quantity": 1})}
        s.does(
            "crm.submit_order", number, order=f"SO-{number}", amount=nines, currency=currency, quantity=nines, more=sent
        )
        s.does("erp.create_order", number + 1, order=f"SO-{number}", more=answered)
        for part in range(12):
            s.does(
                "billing.issue_invoice", 10 + part, invoice=f"INV-{number}-{part}", invoice_order=[f"SO-{number}", "SO-3"], amount=nines, currency=billed_in
            )  # fmt: skip
        s.does(
            "psp.apply_payment",
            40,
            payment=f"PAY-{number}",
            payment_invoice=f"INV-{number}-1",
            amount=nines,
            currency="GBP",
        )
    s.does("crm.submit_order", 0, order="SO-3", amount="5.00")
    s.does("billing.issue_invoice", 50, invoice="INV-3", invoice_order="SO-3", amount="5.00")
    rows = told(s.spans)
    assert "SO-3" in {t["lead_id"] for t in rows.ask("from timelines")}
    is_money = nines == "9999999999999.99"
    assert (("order:SO-1", "amount_not_a_number") in rows.warnings()) is not is_money
    assert (rows.objects()["order:SO-1"]["amount"] is not None) is is_money


def test_doubts_about_what_was_said_are_warnings_and_the_spans_stay_as_they_came() -> None:
    s = Story()
    run = s.does("erp.create_order", 10, order="SO-1", until=12)
    s.does(None, 3, name="POST", under=run, until=4, service="erp-de")
    s.does("tax.determine", 11, under=run, until=14)
    s.does(None, 11, name="process", under=run, kind=5, until=99)
    s.does(None, 0, name="note", order="SO-2", more={"q2c.amount": "a lot"}, milestone="no_such_milestone")
    s.does(None, 0, name="note", order="SO-3", amount="1", currency="XXX")
    rows = told(s.spans)
    assert rows.warnings() == [
        ("order:SO-1", "clock_skew"),
        ("order:SO-1", "clock_skew"),
        ("order:SO-2", "amount_not_a_number"),
        ("order:SO-2", "unknown_milestone"),
        ("order:SO-3", "unknown_currency"),
    ]
    assert rows.objects()["order:SO-2"]["amount"] is None
