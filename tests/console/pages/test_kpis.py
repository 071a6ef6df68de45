"""KPIs over the small business of `trade`, each figure checked against what the story says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console.api import operations
from tests.console.pages.conftest import NOON, House, Open, markup, rows, shown

WHOLE: dict[str, Any] = {"region": None, "product_line": None, "legal_entity": None}
AS_OF = "2026-03-02T12:00:00Z"


def test_durations_are_those_of_the_story(business: House) -> None:
    found = {(r["kpi"], r["week"]): r for r in business.store.rows("kpi_durations", as_of=NOON, weeks=2, **WHOLE)}
    # SO-1 submitted at minute 201, accepted at 203, first billed at 210; SO-4 was billed and never accepted
    assert set(found) == {("order_acceptance", 0), ("invoice_latency", 0)}
    assert found["order_acceptance", 0]["p50_s"] == pytest.approx(120)
    assert found["invoice_latency", 0]["p90_s"] == pytest.approx(420)
    assert found["invoice_latency", 0]["order_count"] == 1
    later = business.store.rows("kpi_durations", as_of=NOON + timedelta(days=8), weeks=2, **WHOLE)
    assert {row["week"] for row in later} == {1}
    assert not business.store.rows("kpi_durations", as_of=NOON, weeks=2, **(WHOLE | {"region": "APAC"}))


def test_the_backlog_is_what_was_open_then(business: House) -> None:
    found = business.store.rows("kpi_backlog", as_of=NOON, days=3, **WHOLE)
    assert [(row["order_count"], row["exception_count"]) for row in found] == [(0, 0), (0, 0), (0, 0), (4, 2)]
    assert found[-1]["at_instant"] == NOON


def test_interfaces_count_failures_retries_and_repeats(house: House) -> None:
    house.span("erp.create_order", 0, order_id="SO-1", service="erp-de", error="503")
    house.span("erp.create_order", 10, order_id="SO-1", service="erp-de", attempt="2")
    house.span("erp.create_order", 20, order_id="SO-1", service="erp-de")
    house.span("erp.create_order", 30, order_id="SO-2", service="erp-de")
    house.settle()
    [row] = house.store.rows("kpi_interfaces", as_of=NOON)
    told = {
        name: row[name]
        for name in ("operation", "run_count", "failed_count", "success_rate", "retry_count", "repeat_count")
    }
    assert told == {
        "operation": "erp.create_order", "run_count": 4, "failed_count": 1, "success_rate": 0.75, "retry_count": 1, "repeat_count": 1,
    }  # fmt: skip
    runs = house.store.rows("kpi_interface_runs", as_of=NOON, operation=None, system=None, limit=10, offset=0)
    assert [(r["is_error"], r["is_repeat"], r["retries"]) for r in runs] == [
        (False, True, 0),
        (False, False, 1),
        (True, False, 0),
    ]
    [week] = house.store.rows("kpi_interface_weeks", as_of=NOON, weeks=4)
    assert week["duplicate_rate"] == pytest.approx(1 / 3)
    [resolved] = house.store.rows("kpi_resolutions", as_of=NOON, weeks=4)
    assert (resolved["resolved_count"], round(resolved["p50_s"])) == (1, 600)


def test_unpaid_is_what_was_billed_and_not_paid(business: House) -> None:
    limits = {"from_s": None, "until_s": None, "limit": 10}
    owed = {
        row["lead_id"]: row["unpaid_amount"] for row in business.store.rows("unpaid", as_of=NOON, **WHOLE, **limits)
    }
    assert {lead: float(money) for lead, money in owed.items()} == {"SO-1": 600.0, "SO-4": 400.0}
    bands = business.store.rows("unpaid_ageing", as_of=NOON, **WHOLE)
    assert (bands[0]["order_count"], float(sum(band["unpaid_amount"] for band in bands))) == (2, 1000.0)


@pytest.mark.parametrize("segment", ["region", "product_line", "tier"])
def test_contributions_of_a_promise_add_up_to_its_change(business: House, segment: str) -> None:
    found = business.store.rows("promise_drivers", as_of=NOON + timedelta(days=1), segment=segment)
    assert found
    for promise in {row["promise"] for row in found}:
        mine = [row for row in found if row["promise"] == promise]
        missed, decided = (sum(row[name] for row in mine) for name in ("missed_count", "decided_count"))
        assert sum(row["contribution"] for row in mine) == pytest.approx(missed / decided)
        assert mine[0]["total_change"] == pytest.approx(missed / decided)


def test_each_part_of_the_page_leads_to_its_rows(business: House, page: Open) -> None:
    flow = page("kpis", as_of=AS_OF, kpi="order_acceptance")
    assert "2 min" in shown(flow)
    assert [row.split()[0] for row in rows(flow) if row.startswith("SO-")] == ["SO-1"]
    interfaces = page("kpis", as_of=AS_OF, part="interfaces", operation="erp.create_order", system="erp-us")
    assert any(row.startswith("SO-3") and "503" in row for row in rows(interfaces))
    promises = page("kpis", as_of=AS_OF, part="promises", segment="region")
    assert "./orders?promise=order_acceptance&amp;state=breached&amp;region=APAC" in markup(promises)
    ageing = page("kpis", as_of=AS_OF, part="ageing", band="unpaid-0")
    assert [row.split()[0] for row in rows(ageing) if row.startswith("SO-")] == ["SO-1", "SO-4"]
    assert "None" not in shown(ageing)


def test_the_api_tells_every_kpi(business: House) -> None:
    told = operations.kpis(business.resources, NOON, 30, 12, None, None, None)
    for name in (
        "durations",
        "backlog",
        "unbilled_ageing",
        "unpaid_ageing",
        "interfaces",
        "interface_weeks",
        "promises",
    ):
        assert told[name], name
    assert told["unpaid_ageing"][0]["unpaid_amount"] == "1000.00"
    promises = operations.promises(business.resources, NOON, "region", "all", 30)
    assert {"p50_s", "p90_s", "p95_s", "attainment"} <= set(promises["promises"][0])
    assert promises["since_last_week"]
