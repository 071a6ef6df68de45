"""Payloads that lost a field, or whose field is another type, since a system's last release: one story a test."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.spans_of import Story, instant

FULL = {"order": "SO-1", "amount": 100.5, "tax_id": "DE1", "note": None, "lines": [{"sku": "A", "qty": 1}]}


def sends(
    s: Story,
    at: float,
    release: str | None,
    *payloads: dict[str, Any],
    service: str = "billing",
    error: str | None = None,
) -> None:
    """Payloads of `billing.issue_invoice`, a second apart."""
    for number, payload in enumerate(payloads):
        s.does(
            "billing.issue_invoice", at + number, until=at + number, invoice=f"INV-{at}-{number}", service=service, error=error,
            more={"q2c.payload": json.dumps(payload)},
        )  # fmt: skip
        if release is not None:
            s.spans[-1] = s.spans[-1].but(resource={"service.version": release})


def without(*names: str, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in (FULL | changed).items() if name not in names}


def drifts(rows: Rows) -> list[tuple[str, Any, Any]]:
    found = rows.ask(
        "select message, opened_at, resolved_at from failures where operation = 'check.schema_drift' order by opened_at, message"
    )
    return [(row["message"], row["opened_at"], row["resolved_at"]) for row in found]


def found(s: Story) -> list[tuple[str, Any, Any]]:
    """What is found, checked to be the same in another order, in batches, and by a rebuild."""
    rows = told(s.spans)
    shuffled = random.Random(4).sample(s.spans, len(s.spans))
    others = told(shuffled[:5], shuffled[5:9], shuffled[9:10], shuffled[10:])
    assert others.every_table() == rows.every_table()
    others.store.rebuild()
    assert others.every_table() == rows.every_table()
    return drifts(rows)


def test_a_field_that_vanished_with_a_release_is_found_at_its_fifth_payload_and_ends_when_it_is_back() -> None:
    s = Story()
    sends(s, 0, "4.1.0", *[FULL] * 5)
    sends(s, 100, "4.2.0", *[without("tax_id")] * 4)
    assert found(s) == []
    sends(s, 110, "4.2.0", *[without("tax_id")] * 3)
    gone = "Billing 4.2.0, issue the invoice: tax_id is gone; every payload of 4.1.0 had it"
    assert found(s) == [(gone, instant(110), None)]
    sends(s, 200, "4.2.1", FULL)
    assert found(s) == [(gone, instant(110), instant(200))]


def test_a_field_of_another_type_is_found_and_a_whole_number_is_a_number_still() -> None:
    s = Story()
    sends(s, 0, "1", *[FULL] * 6)
    sends(s, 100, "2", *[without(amount=100, lines=[{"sku": "A", "qty": "1"}])] * 5)
    assert found(s) == [
        (
            "Billing 2, issue the invoice: lines[].qty is a text, no longer a number; every payload of 1 had it",
            instant(104),
            None,
        )
    ]


def test_of_a_part_that_vanished_only_the_whole_is_named() -> None:
    s = Story()
    sends(s, 0, "1", *[FULL] * 6)
    sends(s, 100, "2", *[without("lines")] * 5)
    assert [message for message, _, _ in found(s)] == [
        "Billing 2, issue the invoice: lines is gone; every payload of 1 had it"
    ]


def test_what_some_payloads_never_had_may_be_missing_and_what_is_null_was_never_there() -> None:
    s = Story()
    sends(s, 0, "1", *[FULL] * 5, without("tax_id"))
    sends(s, 100, "2", *[without("tax_id", "note")] * 6)
    assert found(s) == []


def test_a_new_field_is_no_drift_nor_is_the_same_release_or_none() -> None:
    s = Story()
    sends(s, 0, "1", *[FULL] * 6)
    sends(s, 100, "2", *[without(new=1)] * 6)
    sends(s, 200, None, *[without("tax_id")] * 6)
    sends(s, 300, "2", *[without("tax_id")] * 6)
    assert found(s) == []


def test_what_was_refused_does_not_say_what_a_payload_must_have_but_shows_what_it_lacks() -> None:
    s = Story()
    sends(s, 0, "1", *[FULL] * 6)
    sends(s, 50, "1", *[without(extra="x")] * 6, error="400: unknown field")
    sends(s, 100, "2", *[without("tax_id")] * 6, error="400: tax_id is missing")
    assert [message for message, _, _ in found(s)] == [
        "Billing 2, issue the invoice: tax_id is gone; every payload of 1 had it"
    ]


def test_a_drift_stands_in_the_queue_with_its_owner_and_the_payload_that_showed_it() -> None:
    s = Story()
    sends(s, 0, "1", *[FULL] * 6)
    sends(s, 100, "2", *[without("tax_id")] * 5)
    rows = told(s.spans)
    asked = {
        "category": None,
        "owner_team": None,
        "system": None,
        "offset": 0,
        "limit": 9,
        "class": None,
        "as_of": instant(999),
    }
    [row] = rows.store.rows("exceptions", kind="schema_drift", state="open", group_id=None, **asked)
    assert (row["class"], row["category"], row["owner_team"], row["replayable"]) == (
        "technical",
        "contract_schema",
        "platform",
        False,
    )
    assert (row["object_type"], row["object_id"], row["blocked_amount"]) == (
        "interface",
        "billing billing.issue_invoice",
        None,
    )
    [group] = rows.store.rows("exception_groups", kind="schema_drift", include_snoozed=False, **asked)
    assert (group["open_count"], group["state"], group["operation_label"]) == (
        1,
        "new",
        "payloads changed with a release",
    )
    payloads = rows.store.rows("exception_payloads", exception_id=row["exception_id"], as_of=instant(999))
    assert [json.loads(p["payload"]).get("tax_id") for p in payloads] == [None, "DE1"]
    assert [p["sent_at"] for p in payloads] == [instant(100), instant(5)]
