"""What one system sent against what the next was sent: one story a test."""

from __future__ import annotations

import json
from typing import Any

from tests.trace_model.store.spans_of import Span, Story, instant
from tests.trace_model.store.test_check_stories import EVERY, both_ways

SAID = {"amount": "100.00", "quantity": 10, "currency": "EUR", "tax_id": "DE1", "payment_terms": "NET30"}


def sends(
    s: Story, at: float, operation: str, error: str | None = None, version: int | None = None, **said: Any
) -> Span:
    ids = {"order": "SO-1"} if "invoice" not in operation else {"invoice": "INV-1", "invoice_order": "SO-1"}
    if operation == "cpq.validate_quote":
        ids = {"quote": "Q-1"}
    if operation == "crm.submit_order":
        ids["order_quote"] = "Q-1"
    more = {"q2c.payload": json.dumps(SAID | said)} | ({"q2c.order.version": version} if version else {})
    return s.does(operation, at, error=error, more=more, **ids)


def along(s: Story, **erp: Any) -> Story:
    sends(s, 0, "cpq.validate_quote")
    sends(s, 10, "crm.submit_order")
    sends(s, 20, "erp.create_order", **erp)
    return s


def test_payloads_that_say_the_same_on_their_way_are_no_exception() -> None:
    s = along(Story(), amount="100.004", currency="eur")
    sends(s, 30, "billing.issue_invoice", amount="40.00", quantity=4)
    rows = both_ways(s)
    assert [c for c in rows.checks() if "mismatch" in c[0]] == []
    compared = rows.ask(
        "select hop, from_hop, list_transform(fields, lambda f: f.state) as states from payload_comparisons order by hop"
    )
    assert [(c["hop"], c["from_hop"]) for c in compared] == [
        ("erp_order", "order"),
        ("invoice", "erp_order"),
        ("order", "quote"),
    ]
    assert {state for c in compared for state in c["states"]} == {"same", "unknown"}


def test_a_field_that_was_mapped_wrongly_is_a_mismatch_until_it_is_sent_right() -> None:
    s = along(Story(), payment_terms="NET90", quantity=12)
    rows = both_ways(s)
    assert rows.checks() == [("check.mismatch_erp_order", "order:SO-1", instant(21), None)]
    [shown] = rows.store.rows("exceptions", **EVERY, as_of=instant(60))
    assert shown["category"] == "contract_schema"
    assert shown["sentence"] == (
        "SO-1: the canonical order says quantity 10, terms NET30; the ERP order says quantity 12, terms NET90."
    )
    sends(s, 30, "erp.create_order")
    assert both_ways(s).checks() == [("check.mismatch_erp_order", "order:SO-1", instant(21), instant(31))]


def test_an_invoice_may_be_for_a_part_but_not_for_more_nor_in_another_currency() -> None:
    s = along(Story())
    sends(s, 30, "billing.issue_invoice", amount="140.00", currency="USD")
    [found] = [c for c in both_ways(s).checks() if "mismatch" in c[0]]
    assert found == ("check.mismatch_invoice", "order:SO-1", instant(31), None)


def test_an_amended_order_is_compared_with_its_own_version_and_not_with_the_quote() -> None:
    s = along(Story())
    sends(s, 30, "crm.submit_order", version=2, amount="200.00", quantity=20)
    sends(s, 40, "erp.change_order", version=2, amount="200.00", quantity=20)
    assert [c for c in both_ways(s).checks() if "mismatch" in c[0]] == []


def test_what_was_refused_or_cannot_be_read_is_not_compared() -> None:
    s = along(Story(), error="refused", amount="1.00")
    s.does("erp.create_order", 30, order="SO-1", more={"q2c.payload": "{broken"})
    assert [c for c in both_ways(s).checks() if "mismatch" in c[0]] == []


def test_two_orders_that_share_a_quote_may_each_be_for_less() -> None:
    s = along(Story(), amount="50.00")
    s.spans[1] = s.spans[1].but(
        attributes=s.spans[1].attributes | {"q2c.payload": json.dumps(SAID | {"amount": "50.00"})}
    )
    s.does(
        "crm.submit_order",
        12,
        order="SO-2",
        order_quote="Q-1",
        more={"q2c.payload": json.dumps(SAID | {"amount": "50.00"})},
    )
    assert [c for c in both_ways(s).checks() if "mismatch" in c[0]] == []


def mismatches(s: Story) -> list[Any]:
    return [c for c in both_ways(s).checks() if "mismatch" in c[0]]


def altered(s: Story, place: int, **said: Any) -> Story:
    """The story with another payload at one of its sendings."""
    span = s.spans[place]
    s.spans[place] = span.but(attributes=span.attributes | {"q2c.payload": json.dumps(SAID | said)})
    return s


def test_a_mismatch_that_the_next_hop_puts_right_is_one_and_resolved() -> None:
    s = altered(along(Story()), 1, payment_terms="NET90", amount="120.00")
    assert mismatches(s) == [("check.mismatch_order", "order:SO-1", instant(11), instant(21))]
    states = both_ways(s).ask(
        "select list_transform(fields, lambda f: f.state) as states from payload_comparisons where hop = 'erp_order'"
    )
    assert states[0]["states"].count("corrected") == 2


def test_a_wrong_value_that_is_carried_on_and_then_put_right_is_one_mismatch() -> None:
    s = altered(along(Story(), payment_terms="NET90"), 1, payment_terms="NET90")
    assert mismatches(s) == [("check.mismatch_order", "order:SO-1", instant(11), None)]
    sends(s, 30, "billing.issue_invoice")
    assert mismatches(s) == [("check.mismatch_order", "order:SO-1", instant(11), instant(31))]


def test_of_two_wrong_fields_one_put_right_does_not_resolve_the_mismatch() -> None:
    s = altered(along(Story(), quantity=12), 1, payment_terms="NET90", quantity=12)
    assert mismatches(s) == [("check.mismatch_order", "order:SO-1", instant(11), None)]
    sends(s, 30, "erp.create_order")
    assert mismatches(s) == [("check.mismatch_order", "order:SO-1", instant(11), instant(31))]


def test_another_wrong_value_at_the_next_hop_is_a_second_mismatch_and_the_first_value_ends_both() -> None:
    s = altered(along(Story(), payment_terms="NET60"), 1, payment_terms="NET90")
    opened = [
        ("check.mismatch_order", "order:SO-1", instant(11)),
        ("check.mismatch_erp_order", "order:SO-1", instant(21)),
    ]
    assert mismatches(s) == [(*each, None) for each in opened]
    sends(s, 30, "billing.issue_invoice")
    assert mismatches(s) == [(*each, instant(31)) for each in opened]


def test_what_was_put_right_and_goes_wrong_again_later_is_a_new_mismatch() -> None:
    s = altered(along(Story()), 1, payment_terms="NET90")
    sends(s, 30, "billing.issue_invoice", payment_terms="NET90")
    assert mismatches(s) == [
        ("check.mismatch_order", "order:SO-1", instant(11), instant(21)),
        ("check.mismatch_invoice", "order:SO-1", instant(31), None),
    ]


def test_an_invoice_for_less_does_not_put_a_wrong_order_amount_right() -> None:
    s = altered(along(Story(), amount="120.00"), 1, amount="120.00")
    sends(s, 30, "billing.issue_invoice", amount="100.00")
    assert mismatches(s) == [("check.mismatch_order", "order:SO-1", instant(11), None)]
