"""A story test per scenario: played by the estate, in by real OTLP, out by the API, judged by the estate's own truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sample_data.rehearsal import run_scenario
from sample_data.scenarios import SCENARIOS

pytestmark = pytest.mark.slow

STATES = {
    "completed": {"completed"},
    "cancelled": {"cancelled"},
    # what stands still is one of these, by how long it has stood
    "in_progress": {"on_track", "at_risk", "breached", "stuck"},
    "failed": {"on_track", "at_risk", "breached", "stuck"},
    "stopped": {"on_track", "at_risk", "breached", "stuck"},
}

UNTOLD = {"quote_validated", "credit_checked", "order_acknowledged", "invoice_reported"}
"""Milestones that an operation's success stands for, which the estate's own truth does not note down."""


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_api_tells_what_truly_happened(name: str, listening: Callable[..., Any]) -> None:
    here = listening()
    with run_scenario(name, seed=11, endpoint=f"{here.url}/v1/traces", count=2) as played:
        orders = [line for line in played.truth.lines() if line["kind"] == "order" and line["order"]]
        assert orders, "the scenario had no order: nothing would be judged"
        for truth in orders:
            told = here.get(f"/timelines/order/{truth['order']}")
            assert told["state"] in STATES[truth["state"]], (truth["state"], told["state"])
            assert _things(told["objects"]) == _things(truth["objects"]) - _customers(truth)
            assert _milestones(told["milestones"]) == _milestones(truth["milestones"])
            assert _failures(told["exceptions"], "state") == _failures(
                [f for f in truth["failures"] if f["opened"]], "open"
            )
            assert _contradictions(told["exceptions"]) == {
                (f["operation"], f["object"]["id"], f["category"])
                for f in truth["contradictions"]
                if f["object"]["type"] != "customer"  # who stands beside the orders, in no timeline
            }
            assert _links(told["links"]) >= _own_links(truth)
            assert _pauses(told["pauses"]) == _pauses(truth["pauses"])


def test_customers_entered_twice_are_found_with_the_open_orders_that_they_touch(listening: Callable[..., Any]) -> None:
    here = listening()
    with run_scenario("customer_entered_twice", seed=11, endpoint=f"{here.url}/v1/traces", count=3) as played:
        truths = played.truth.orders
        found = here.get("/exceptions", kind="duplicate", state="all")["exceptions"]
        assert {(e["operation"], e["object"]["type"], e["object"]["id"], e["state"]) for e in found} == {
            (f["operation"], f["object"]["type"], f["object"]["id"], "open")
            for truth in truths
            for f in truth["contradictions"]
        }
        assert len(found) == 3
        for e in found:
            (mine,) = [truth for truth in truths if truth["customer"] == e["object"]["id"]]
            shown = here.get(f"/exceptions/{e['exception_id']}", as_of=mine["milestones"][0]["reached_at"])
            assert shown["touched_order_count"] == 1, "its order is open then"
            assert "touched_order_count" not in here.get(f"/exceptions/{e['exception_id']}"), "and paid now"


def test_a_release_that_changes_payloads_is_found_field_by_field_with_the_open_orders_it_touches(
    listening: Callable[..., Any],
) -> None:
    here = listening()
    with run_scenario("release_changes_payloads", seed=11, endpoint=f"{here.url}/v1/traces") as played:
        (release,) = [line for line in played.truth.lines() if line["kind"] == "release"]
        found = here.get("/exceptions", kind="schema_drift")["exceptions"]
        assert {(e["object"]["id"], e["class"], e["category"]) for e in found} == {
            (f"{release['system']} {change['operation']}", "technical", "contract_schema")
            for change in release["changes"]
        }
        for change in release["changes"]:
            (e,) = [e for e in found if e["object"]["id"].endswith(change["operation"])]
            now = f"is a {change['now']}, no longer a text" if change["now"] else "is gone"
            assert f"{change['path']} {now}" in e["sentence"]
            assert e["first_failed_at"] > release["released_at"]
            unpaid = [truth for truth in played.truth.orders if truth["state"] != "completed"]
            assert (e["touched_order_count"], len(unpaid)) == (5, 5)


@pytest.mark.parametrize(
    ("name", "pause", "promise"),
    [
        ("credit_hold", "Credit hold", "credit_validation"),
        ("purchase_order_missing", "Waiting for the customer", "order_submission"),
        ("card_declined", "Waiting for the customer", "payment_application"),
    ],
)
def test_a_clock_stands_still_while_others_are_waited_for(
    name: str, pause: str, promise: str, listening: Callable[..., Any]
) -> None:
    here = listening()
    with run_scenario(name, seed=11, endpoint=f"{here.url}/v1/traces") as played:
        (order,) = [line["order"] for line in played.truth.orders]
        clock = next(c for c in here.get(f"/timelines/order/{order}")["clocks"] if c["promise"] == promise)
        assert (clock["state"], clock["paused_by"], clock["due_at"]) == ("paused", pause, None)


@pytest.mark.parametrize(
    "name", ["invalid_tax_registration", "stopped_flow", "payment_over_invoices", "cross_border_routing"]
)
def test_any_number_a_human_quotes_finds_the_order(name: str, listening: Callable[..., Any]) -> None:
    here = listening()
    with run_scenario(name, seed=5, endpoint=f"{here.url}/v1/traces") as played:
        for truth in (line for line in played.truth.lines() if line["kind"] == "order" and line["order"]):
            numbers = [o["id"] for o in truth["objects"] if o["type"] != "customer"] + [
                a["alias"] for a in truth["aliases"]
            ]
            for number in numbers:
                matches = here.get("/search", q=number)["matches"]
                assert matches, f"{number} was not found"
                assert matches[0]["lead"], f"{number} leads nowhere"


def _things(objects: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(o["type"], o["id"]) for o in objects}


def _customers(truth: dict[str, Any]) -> set[tuple[str, str]]:
    return {thing for thing in _things(truth["objects"]) if thing[0] == "customer"}


def _milestones(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(m["name"], m["object"]["type"], m["object"]["id"]) for m in rows if m["name"] not in UNTOLD}


def _failures(rows: list[dict[str, Any]], key: str) -> set[tuple[str, str, bool]]:
    return {
        (f["operation"], f["object"]["id"], f[key] in (True, "open"))
        for f in rows
        if not f["operation"].startswith("check.")
    }


def _pauses(rows: list[dict[str, Any]]) -> set[tuple[str, str, str | None]]:
    return {(p["pause"], p["from_at"][:23], p["until_at"] and p["until_at"][:23]) for p in rows}


def _contradictions(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """What no system reported and the console found; it is open."""
    found = [f for f in rows if f["operation"].startswith("check.")]
    assert all(f["state"] == "open" for f in found)
    return {(f["operation"], f["object"]["id"], f["category"]) for f in found}


def _links(rows: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    return {(k["from"]["type"], k["from"]["id"], k["to"]["type"], k["to"]["id"]) for k in rows}


def _own_links(truth: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    """The links between objects of this order's own timeline."""
    mine = _things(truth["objects"])
    return {k for k in _links(truth["links"]) if (k[0], k[1]) in mine and (k[2], k[3]) in mine}
