"""Forecast: what will be late by chance times amount, and what comes late because of it, on the page, on the order and by the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest

from console.api.operations import forecasts
from tests.console.pages.conftest import NOON, House, Open, markup, rows, shown
from trace_model.store.forecasts import Forecasts


@pytest.fixture(scope="module")
def _learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Forty orders, half of them accepted late and all invoiced; two more of this morning wait: SO-A since 8:10, SO-B since 11:30."""
    made = House()
    for number in range(40):
        order, began = f"SO-{number}", -6000.0 - number
        accepted = began + (20 if number % 2 else 180)
        made.span("crm.submit_order", began, order_id=order, amount="100.00", currency="EUR", region="EMEA")
        made.span("erp.create_order", accepted, order_id=order)
        made.span(
            "billing.issue_invoice",
            accepted + 600,
            invoice_id=f"INV-{number}",
            invoice_order_id=order,
            amount="100.00",
            currency="EUR",
        )
    for order, began, amount in (("SO-A", 10, "3000.00"), ("SO-B", 210, "9000.00")):
        made.span(
            "crm.submit_order",
            began,
            order_id=order,
            amount=amount,
            currency="EUR",
            region="AMER",
            customer_name=f"Of {order}",
        )
    made.settle()
    Forecasts(made.store).refresh(NOON)
    yield made
    made.store.close()


@pytest.fixture
def learned(_learned: House) -> House:
    _learned.provide()
    return _learned


def test_running_promises_are_listed_by_chance_times_amount(learned: House, page: Open) -> None:
    """After 30 of its 120 minutes every like order that had not been accepted came late or soon: 20 of 40 were late."""
    asked = {"promise": "order_acceptance"}
    first = rows(page("forecast", **asked))[1].split()
    assert first[0] == "SO-B"
    told = forecasts(learned.resources, NOON, **asked)
    assert [row["lead"]["id"] for row in told["forecasts"]] == ["SO-B"], "SO-A is late already"
    [row] = told["forecasts"]
    assert 0.9 < row["chance"] < 1
    assert Decimal(row["at_stake"]) == round(Decimal(row["chance"]) * 9000, 2)
    assert f"{row['chance'] * 100:.1f} %" in shown(page("forecast", **asked))
    assert told["total_at_stake"] == row["at_stake"]
    assert (told["likely_count"], told["fitted_as_of"]) == (1, "2026-03-02T12:00:00Z")
    both = [row.split()[0] for row in rows(page("forecast", with_breached="true", **asked))[1:]]
    assert both == ["SO-B", "SO-A"], "by what is at stake, not by the chance"
    assert "No promise runs." in shown(page("forecast", region="EMEA", **asked))


def test_what_comes_late_because_of_it_is_told_with_its_cause(learned: House, page: Open) -> None:
    told = forecasts(learned.resources, NOON, about="later", promise="invoice_latency")
    assert [(row["lead"]["id"], row["because"], row["because_state"]) for row in told["forecasts"]] == [
        ("SO-B", "order_acceptance", "running"),
        ("SO-A", "order_acceptance", "breached"),
    ]
    for row in told["forecasts"]:
        assert NOON < datetime.fromisoformat(row["expected_at"]) <= datetime.fromisoformat(row["late_at"])
    said = rows(page("forecast", part="later", promise="invoice_latency"))
    assert "because of: Order acceptance time, which is late" in next(row for row in said if row.startswith("SO-A"))
    assert forecasts(learned.resources, NOON, about="later", legal_entity="DE01")["forecasts"] == []


def test_an_orders_page_says_whether_it_will_be_late(learned: House, page: Open) -> None:
    at = page("order", type="order", id="SO-A")
    [late] = [row for row in rows(at) if row.startswith("Order acceptance time late already")]
    assert late.endswith("100.0 %")
    [pushed] = [row for row in rows(at) if row.startswith("Invoice latency because of: Order acceptance time")]
    assert "or by" in pushed


def test_without_a_fit_the_page_says_that_nothing_was_learned(business: House, page: Open) -> None:
    said = shown(page("forecast"))
    assert "nothing yet" in said
    assert "elapsed share" in said
    assert "Nothing to push on." in shown(page("forecast", part="later"))
    assert 'href="./forecast"' in markup(page("today"))
