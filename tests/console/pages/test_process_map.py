"""The paths that orders took, with what is not as declared, and the orders behind each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from console.api.process import process_map, process_orders
from console.components import path_chart
from console.process import halves
from tests.console.pages.conftest import NOON, House, Open, markup, rows, shown

SEGMENT: dict[str, Any] = {"days": 90, "region": None, "product_line": None, "legal_entity": None}


@pytest.fixture(scope="module")
def _walked() -> Iterator[House]:
    """SO-1 goes as declared, SO-2 is invoiced before it is shipped and its invoice failed once, SO-3 skips the ERP, SO-4 is services."""
    house = House()

    def order(number: int, line: str, *steps: tuple[str, float]) -> None:
        money: dict[str, Any] = {"amount": f"{number}00.00", "currency": "EUR", "region": "EMEA"}
        for operation, at in (("crm.accept_quote", 0.0), ("crm.submit_order", 5.0), *steps):
            kind = {
                "crm.accept_quote": "quote",
                "logistics.post_shipment": "shipment",
                "billing.issue_invoice": "invoice",
            }.get(operation, "order")
            ids = {"order_id": f"SO-{number}"} if kind == "order" else {f"{kind}_id": f"{kind}-{number}"}
            if kind in ("shipment", "invoice"):
                ids[f"{kind}_order_id"] = f"SO-{number}"
            house.span(
                operation,
                at,
                more={"q2c.product_line": line},
                **ids,
                **(money | ({"order_quote_id": f"quote-{number}"} if operation == "crm.submit_order" else {})),
            )

    house.span(
        "billing.issue_invoice", 15, invoice_id="invoice-2", invoice_order_id="SO-2", error="no tax", error_code="TAX"
    )
    order(1, "hardware", ("erp.create_order", 10), ("logistics.post_shipment", 20), ("billing.issue_invoice", 30))
    order(2, "hardware", ("erp.create_order", 10), ("billing.issue_invoice", 20), ("logistics.post_shipment", 50))
    order(3, "hardware", ("logistics.post_shipment", 20), ("billing.issue_invoice", 40))
    order(4, "services", ("erp.create_order", 10), ("billing.issue_invoice", 30))
    house.settle()
    yield house
    house.store.close()


@pytest.fixture
def walked(_walked: House) -> House:
    _walked.provide()
    return _walked


def steps(house: House, **asked: Any) -> dict[tuple[str, str | None], dict[str, Any]]:
    found, _ = halves(house.store.rows("process_map", as_of=NOON, **(SEGMENT | asked)))
    return {(s["from_milestone"], s["to_milestone"]): s for s in found}


def test_each_step_has_its_orders_its_time_and_its_failures(walked: House) -> None:
    found = steps(walked)
    assert {way: s["order_count"] for way, s in found.items() if way[1]} == {
        ("quote_accepted", "order_submitted"): 4,
        ("order_submitted", "order_accepted"): 3,
        ("order_accepted", "shipment_posted"): 1,
        ("shipment_posted", "invoice_issued"): 2,
        ("order_accepted", "invoice_issued"): 2,
        ("invoice_issued", "shipment_posted"): 1,
        ("order_submitted", "shipment_posted"): 1,
    }
    assert found["shipment_posted", "invoice_issued"]["median_s"] == 15 * 60, "ten minutes and twenty"
    assert found["order_accepted", "invoice_issued"]["failed_count"] == 1, "SO-2's invoice failed on the way"
    assert found["invoice_issued", "shipment_posted"]["kind"] == "back"
    assert found["order_submitted", "shipment_posted"]["kind"] == "skip"
    assert found["quote_accepted", "order_submitted"]["kind"] == "declared"
    standing = {way[0]: s["order_count"] for way, s in found.items() if way[1] is None}
    assert standing == {"invoice_issued": 3, "shipment_posted": 1}
    assert sum(s["order_count"] for s in steps(walked, product_line="services").values()) == 4


def test_deviations_are_counted_and_what_a_segment_does_not_expect_is_not_missed(walked: House) -> None:
    _, found = halves(walked.store.rows("process_map", as_of=NOON, **SEGMENT))
    assert {(d["kind"], d["milestone"], d["other"]): d["order_count"] for d in found} == {
        ("out_of_order", "invoice_issued", "shipment_posted"): 1,
        ("skipped", "order_accepted", None): 1,
    }, "SO-4 sells services: nothing is shipped and nothing is missed"


def test_what_had_not_happened_then_is_not_on_the_map(walked: House) -> None:
    early = NOON.replace(hour=8, minute=12)
    found, deviations = halves(walked.store.rows("process_map", as_of=early, **SEGMENT))
    assert {s["to_milestone"] for s in found} == {"order_submitted", "order_accepted", None}
    assert deviations == []


def test_the_api_lists_the_orders_of_a_step_and_of_a_deviation(walked: House) -> None:
    told = process_map(walked.resources, NOON)
    assert told["declared"][0] == "quote_accepted"
    assert told["steps"][0]["order_count"] == 4
    ways: list[tuple[dict[str, Any], list[str]]] = [
        ({"from_": "shipment_posted", "to": "invoice_issued"}, ["SO-3", "SO-1"]),
        ({"from_": "shipment_posted"}, ["SO-2"]),
        ({"deviation": "out_of_order", "milestone": "invoice_issued", "other": "shipment_posted"}, ["SO-2"]),
        ({"deviation": "skipped", "milestone": "order_accepted"}, ["SO-3"]),
    ]
    for asked, expected in ways:
        page = process_orders(walked.resources, NOON, **({"from_": None, "to": None} | asked))
        assert [o["lead"]["id"] for o in page["orders"]] == expected, asked


def test_the_page_draws_the_paths_and_leads_to_the_orders(walked: House, page: Open) -> None:
    at = page("process_map")
    assert any("Invoice issued before Shipment posted 1" in row for row in rows(at))
    assert "Order accepted skipped" in shown(at)
    assert "from=shipment_posted&amp;to=invoice_issued" in markup(at)
    listed = rows(page("process_map", deviation="skipped", milestone="order_accepted"))
    assert any(row.startswith("SO-3") for row in listed)
    step = page("process_map", **{"from": "shipment_posted", "to": "invoice_issued"})
    assert [row.split()[0] for row in rows(step) if row.startswith("SO-")] == ["SO-3", "SO-1"]


def test_an_empty_house_has_no_path(empty_house: House, page: Open) -> None:
    assert "No path to draw." in shown(page("process_map"))


def test_the_drawing_bends_what_passes_over_and_marks_what_fails(walked: House) -> None:
    labels = {m.name: m.label for m in walked.store.catalogue.milestones}
    figure = path_chart.drawing(list(steps(walked).values()), labels, None)
    heights = {
        tuple(data): y
        for trace in figure.data
        if trace.customdata is not None
        for data, y in zip(trace.customdata, trace.y, strict=True)
    }
    assert heights["quote_accepted", "order_submitted"] == 0
    assert heights["order_submitted", "shipment_posted"] > 0 > heights["invoice_issued", "shipment_posted"]
