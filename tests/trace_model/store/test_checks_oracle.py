"""The checks on master data and payloads agree with a slow, obvious reading of the same spans, however these come in."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.oracle_of_checks import Finding, duplicate_customers, schema_drifts
from tests.trace_model.store.spans_of import Span, Story


def customers(by: random.Random) -> list[Span]:
    """Six customers, of whom forty spans say this and that, from few values, so that they meet and part."""
    s = Story()
    for at in range(40):
        said = {
            "salesforce.account.id": by.choice(("A-1", "A-2", "A-3", "A-4")),
            "q2c.customer.tax_id": by.choice(("DE 1", "de1", "FR2", "IT-3")),
            "q2c.customer.name": by.choice(("One Ltd", "Two Ltd")),
            "q2c.customer.address": by.choice(("Main St. 1", "main st 1", "Ring 2")),
        }
        some = {name: value for name, value in said.items() if by.random() < 0.35}
        s.does("crm.sync_customer", at * 10, customer=f"C-{by.randrange(6)}", more=some)
    return s.spans


def payloads(by: random.Random) -> list[Span]:
    """Three releases, one after the other and a little mixed, whose payloads have most of their fields most of the time."""
    s = Story()
    shares = {
        name: [by.choice((0.0, 0.9, 1.0, 1.0)) for _ in range(3)] for name in ("tax_id", "terms", "lines", "note")
    }
    types = {name: [by.choice((1, 1.5, "1", "1")) for _ in range(3)] for name in ("amount", "qty")}
    for at in range(45):
        release = min(at // 15, 2) if by.random() < 0.9 else by.randrange(min(at // 15, 2) + 1)
        said: dict[str, Any] = {name: "x" for name, share in shares.items() if by.random() < share[release]}
        said["amount"] = types["amount"][release]
        if "lines" in said:
            said["lines"] = [{"sku": "A", "qty": types["qty"][release]}]
        if by.random() < 0.2:
            said["note"] = None
        error = "400" if by.random() < 0.1 else None
        s.does("billing.issue_invoice", at * 10, invoice=f"INV-{at}", service="billing", error=error, more={"q2c.payload": json.dumps(said)})  # fmt: skip
        s.spans[-1] = s.spans[-1].but(resource={"service.version": f"r{release}"})
    return s.spans


def found_customers(rows: Rows) -> set[Finding]:
    found = rows.ask(
        "select object_id, opened_at, resolved_at from failures where operation = 'check.duplicate_customer'"
    )
    return {(row["object_id"], row["opened_at"], row["resolved_at"]) for row in found}


def found_drifts(rows: Rows) -> set[Finding]:
    found = rows.ask("select release, path, opened_at, resolved_at from schema_drifts")
    assert len(found) == len(rows.ask("select exception_id from failures where operation = 'check.schema_drift'"))
    return {(f"{row['release']} {row['path']}", row["opened_at"], row["resolved_at"]) for row in found}


def batches(spans: list[Span], by: random.Random) -> list[list[Span]]:
    shuffled = by.sample(spans, len(spans))
    cuts = sorted(by.sample(range(1, len(spans)), 3))
    return [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(spans)], strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_the_customers_entered_twice_are_those_of_a_slow_reading(seed: int) -> None:
    by = random.Random(seed)
    spans = customers(by)
    expected = duplicate_customers(spans)
    assert expected
    rows = told(*batches(spans, by))
    assert found_customers(rows) == expected
    rows.store.rebuild()
    assert found_customers(rows) == expected


@pytest.mark.parametrize("seed", range(6))
def test_the_drifts_of_payloads_are_those_of_a_slow_reading(seed: int) -> None:
    by = random.Random(seed)
    spans = payloads(by)
    expected = schema_drifts(spans)
    rows = told(*batches(spans, by))
    assert found_drifts(rows) == expected
    rows.store.rebuild()
    assert found_drifts(rows) == expected


def test_some_of_the_histories_drift() -> None:
    assert sum(bool(schema_drifts(payloads(random.Random(seed)))) for seed in range(6)) >= 3
