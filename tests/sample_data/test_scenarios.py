"""Each story alone, over real sockets: what was delivered, what the books say and the truth are one and the same."""

from __future__ import annotations

from typing import Any

import pytest

from sample_data import SCENARIOS, Rehearsal, run_scenario
from sample_data.truth import instant
from tests.sample_data.conftest import Receiver

BOOKED_BY = {
    "quote_accepted": "crm.accept_quote",
    "order_submitted": "crm.submit_order",
    "shipment_posted": "logistics.post_shipment",
    "shipment_returned": "logistics.post_return",
    "subscription_activated": "billing.activate_subscription",
    "invoice_issued": "billing.issue_invoice",
    "invoice_credited": "billing.issue_credit_note",
    "invoice_posted": "erp.post_invoice",
    "payment_applied": "psp.apply_payment",
    "payment_reversed": "psp.reverse_payment",
    "revenue_posted": "erp.post_revenue",
}
WORDS = {
    "waiting_for_customer": ("waiting_for_customer", "customer_answered"),
    "credit_hold": ("credit_hold", "credit_released"),
    "dispute": ("dispute", "dispute_settled"),
}
STAND_STILL = {
    "invalid_tax_registration": ("tax.determine", "business", "tax", "dead_lettered"),
    "inactive_item_mapping": ("erp.create_order", "business", "pricing_product", "dead_lettered"),
    "credit_hold": ("credit.check", "business", "credit_payment", "dead_lettered"),
    "card_declined": ("psp.apply_payment", "business", "credit_payment", "dead_lettered"),
    "purchase_order_missing": ("crm.submit_order", "business", "order_validation", "dead_lettered"),
    "undeliverable_address": ("logistics.post_shipment", "business", "customer_master", "dead_lettered"),
    "failed_acknowledgment": ("erp.create_order", "dependency", "timeout", "dead_lettered"),
    "erp_downtime": ("credit.check", "dependency", "outage", "gave_up"),
}


def objects_of(order: dict[str, Any], kind: str) -> list[str]:
    return [each["id"] for each in order["objects"] if each["type"] == kind]


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_truth_books_and_spans_agree(name: str, receiver: Receiver) -> None:
    with run_scenario(name, seed=7, endpoint=receiver.url, count=2) as played:
        orders = played.truth.orders
        assert len(orders) >= 2
        assert {order["scenario"] for order in orders} == {name}
        milestones_are_the_spans(orders, receiver)
        failures_are_the_spans(orders, receiver)
        milestones_are_in_the_books(orders, played)
        pauses_are_the_spans(orders, receiver)
        every_span_of_a_flow_is_correlated(receiver)
        for order in orders:
            ends = {(each["type"], each["id"]) for each in order["objects"]}
            assert all(
                (link[end]["type"], link[end]["id"]) in ends for link in order["links"] for end in ("from", "to")
            )


def milestones_are_the_spans(orders: list[dict[str, Any]], receiver: Receiver) -> None:
    told = {
        (fact["name"], fact["object"]["id"], fact["reached_at"]) for order in orders for fact in order["milestones"]
    }
    alias = {(each["system"], each["alias"]): each["id"] for order in orders for each in order["aliases"]}
    seen = set()
    for milestone, end_ns, span in receiver.milestones():
        assert span.status != 2, f"{milestone} on a failed span"
        kind = next(f["object"]["type"] for o in orders for f in o["milestones"] if f["name"] == milestone)
        known = span.attributes.get(f"q2c.{kind}.id") or alias[span.service, span.attributes["sap.sales_order.id"]]
        seen.add((milestone, known, instant(end_ns)))
    assert seen == told


def failures_are_the_spans(orders: list[dict[str, Any]], receiver: Receiver) -> None:
    for failure in (failure for order in orders for failure in order["failures"]):
        spans = [
            span
            for span in receiver.operations(failure["operation"])
            if span.status == 2 and span.attributes[f"q2c.{failure['object']['type']}.id"] == failure["object"]["id"]
        ]
        assert len(spans) == failure["attempts"]
        last = max(spans, key=lambda span: span.end_ns)
        assert instant(last.end_ns) == failure["last_failed_at"]
        assert last.attributes["q2c.error.code"] == failure["code"]
        assert last.attributes["q2c.outcome"] == failure["outcome"]
        assert last.attributes["q2c.attempt"] == failure["attempts"]
        name, exception = last.events[0]
        assert name == "exception"
        assert {"exception.type", "exception.message", "exception.stacktrace"} <= exception.keys()


def milestones_are_in_the_books(orders: list[dict[str, Any]], played: Rehearsal) -> None:
    for fact in (fact for order in orders for fact in order["milestones"]):
        if fact["name"] in BOOKED_BY:
            assert played.books.bookings(BOOKED_BY[fact["name"]], fact["object"]["id"]), fact


def pauses_are_the_spans(orders: list[dict[str, Any]], receiver: Receiver) -> None:
    told = {
        (WORDS[fact["pause"]][end], fact["object"]["id"], instant_)
        for order in orders
        for fact in order["pauses"]
        for end, instant_ in enumerate((fact["from_at"], fact["until_at"]))
        if instant_
    }
    said = {
        (span.attributes["q2c.pause"], span.attributes[f"q2c.{kind}.id"], instant(span.end_ns))
        for span in receiver.spans
        if "q2c.pause" in span.attributes
        for kind in ("order", "invoice", "payment")
        if f"q2c.{kind}.id" in span.attributes
    }
    assert said == told


def every_span_of_a_flow_is_correlated(receiver: Receiver) -> None:
    by_id = {span.span_id: span for span in receiver.spans}
    for span in receiver.spans:
        if span.name == "availability check":  # the ERP's own job, which knows only the ERP's number
            assert set(span.attributes) == {"sap.sales_order.id"}
            continue
        assert span.attributes["messaging.message.conversation_id"]
        if span.parent_id:
            parent = by_id[span.parent_id]
            assert parent.trace_id == span.trace_id
            if span.kind == 2:  # a system's SERVER span is the child of the engine's CLIENT span
                assert (parent.service, parent.kind) == ("sync-engine", 3)
            if span.kind == 3:
                assert "q2c.operation" in parent.attributes
                assert not [name for name in span.attributes if name.startswith("q2c.") and name.endswith(".id")]


@pytest.mark.parametrize("name", sorted(STAND_STILL))
def test_what_nobody_repairs_stands_still(name: str, receiver: Receiver) -> None:
    operation, class_, category, outcome = STAND_STILL[name]
    with run_scenario(name, seed=3, endpoint=receiver.url) as played:
        (order,) = played.truth.orders
        assert order["state"] == "failed"
        (failure,) = order["failures"]
        assert failure["open"]
        assert [failure[key] for key in ("operation", "class", "category", "outcome")] == [
            operation,
            class_,
            category,
            outcome,
        ]


@pytest.mark.parametrize(
    ("name", "pause"),
    [
        ("credit_hold", "credit_hold"),
        ("card_declined", "waiting_for_customer"),
        ("purchase_order_missing", "waiting_for_customer"),
    ],
)
def test_what_waits_for_others_says_so_until_somebody_puts_it_right(name: str, pause: str, receiver: Receiver) -> None:
    with run_scenario(name, seed=7, endpoint=receiver.url) as played:
        (order,) = played.truth.orders
        assert [(fact["pause"], fact["until_at"]) for fact in order["pauses"]] == [(pause, None)]
        played.repair(order["order"])
        played.flush()
        (order,) = played.truth.orders
        pauses_are_the_spans([order], receiver)


def test_a_dispute_lasts_until_the_credit_note(receiver: Receiver) -> None:
    with run_scenario("credit_note", seed=7, endpoint=receiver.url) as played:
        (order,) = played.truth.orders
        (fact,) = order["pauses"]
        assert (fact["pause"], fact["object"]["type"]) == ("dispute", "invoice")
        assert fact["from_at"] < fact["until_at"]


def test_the_engine_that_resubmits_blindly_books_twice(receiver: Receiver) -> None:
    with run_scenario("duplicate_after_timeout", seed=7, endpoint=receiver.url) as played:
        (order,) = played.truth.orders
        assert order["state"] == "completed"
        assert len(played.books.erp_orders(order["order"])) == 2
        assert [fact["name"] for fact in order["milestones"]].count("order_accepted") == 2


def test_a_late_answer_with_one_key_is_booked_once(receiver: Receiver) -> None:
    with run_scenario("slow_answer", seed=7, endpoint=receiver.url) as played:
        (order,) = played.truth.orders
        assert order["failures"] == []
        assert len(played.books.erp_orders(order["order"])) == 1
        resends = [s for s in receiver.spans if "http.request.resend_count" in s.attributes]
        assert [span.attributes["http.request.resend_count"] for span in resends] == [1]
        assert [s.attributes["q2c.error.code"] for s in receiver.spans if s.kind == 3 and s.status == 2] == [
            "httpx.ReadTimeout"
        ]


def test_both_erps_know_a_cross_border_order_by_numbers_of_their_own(receiver: Receiver) -> None:
    with run_scenario("cross_border_routing", seed=7, endpoint=receiver.url, count=2) as played:
        for order in played.truth.orders:
            assert sorted(erp for erp, _ in played.books.erp_orders(order["order"])) == ["erp-de", "erp-us"]
        numbers = [number for o in played.truth.orders for _, number in played.books.erp_orders(o["order"])]
        assert sorted(numbers) == ["4500001", "4500001", "4500002", "4500002"]


def test_one_payment_settles_the_invoices_of_three_orders(receiver: Receiver) -> None:
    with run_scenario("payment_over_invoices", seed=7, endpoint=receiver.url) as played:
        orders = played.truth.orders
        payments = {payment for order in orders for payment in objects_of(order, "payment")}
        assert len(orders) == 3
        assert len(payments) == 1
        (span,) = receiver.operations("psp.apply_payment")
        assert sorted(span.attributes["q2c.payment.invoice.id"]) == sorted(
            invoice for order in orders for invoice in objects_of(order, "invoice")
        )
        assert len(span.attributes["q2c.payment.invoice.amount"]) == 3


def test_reversals_say_what_they_undo(receiver: Receiver) -> None:
    with run_scenario("payment_reversal", seed=7, endpoint=receiver.url) as played:
        (order,) = played.truth.orders
        applied = [fact for fact in order["milestones"] if fact["name"] == "payment_applied"]
        assert ["undone_at" in fact for fact in applied] == [True, False]


def test_shuffled_delivery_loses_nothing(receiver: Receiver) -> None:
    with run_scenario("out_of_order_delivery", seed=7, endpoint=receiver.url) as played:
        (order,) = played.truth.orders
        assert order["state"] == "completed"
        flow = [span.start_ns for span in receiver.spans if "messaging.message.conversation_id" in span.attributes]
        assert flow != sorted(flow)


def test_an_unknown_story_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="Known: happy_path"):
        run_scenario("no_such_story", seed=1, endpoint="http://127.0.0.1:9/v1/traces")
