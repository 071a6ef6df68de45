"""A replay against the whole estate: what the target has already is not sent, and yet the stuck flow goes on to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.served import free_port
from sample_data.rehearsal import run_scenario

pytestmark = pytest.mark.slow


def test_an_order_whose_acknowledgment_was_lost_goes_on_without_a_second_booking(listening: Callable[..., Any]) -> None:
    port = free_port()
    here = listening(engine_urls=(f"sync-engine=http://127.0.0.1:{port}",))
    with run_scenario("failed_acknowledgment", seed=5, endpoint=f"{here.url}/v1/traces", engine_port=port) as played:
        order = played.truth.orders[0]["order"]
        (exception,) = here.get("/exceptions")["exceptions"]
        body = {"exception_ids": [exception["exception_id"]], "reason": "the ERP has it; let the flow go on"}
        plan = here.post("/replay-plans", body).json()
        assert [item["decision"] for item in plan["items"]] == ["send"], plan["items"]
        here.post(f"/replay-plans/{plan['plan_id']}/execute", {"hash": plan["hash"], "reason": "go"})
        done = here.until(lambda: played.flush() and ended(here, plan["plan_id"]), 60)
        assert done["totals"] == {"milestone_reached": 1}, done
        assert done["items"][0]["detail"] == "erp.create_order succeeded in this replay"
        here.until(lambda: played.flush() and here.get(f"/timelines/order/{order}")["state"] == "completed", 60)
        assert len(played.books.erp_orders(order)) == 1


def ended(here: Any, plan_id: str) -> dict[str, Any] | None:
    now: dict[str, Any] = here.get(f"/replay-plans/{plan_id}")
    return now if now["state"] == "finished" else None
