"""What tests of adapters share: requests, spans that name an engine's ids, and the wait for an effect."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from console.replay.engine import Engine, Engines, ReplayRequest, SpanAttributes
from console.replay.facts import said_on_span
from console.replay.replays import Replays
from tests.console.replay.conftest import OPERATOR, QUICK, House, ended, until
from tests.console.replay.estate import span, table
from trace_model.replays import Plan
from trace_model.store.ledger import Ledger

SPAN_ID = "00000000000000aa"


def asking(key: str = "ct-1", **more: Any) -> ReplayRequest:
    """A request to replay the booking of an order, under `key`."""
    given: dict[str, Any] = {
        "idempotency_key": key, "replay_id": f"rp-{key}", "operation": "erp.create_order", "object_type": "order",
        "object_id": "SO-1", "trace_id": "ab" * 16, "span_id": SPAN_ID, "from_step": None, "payload_patch": None,
        "requested_by": "ana", "reason": "the ERP is back",
    }  # fmt: skip
    return ReplayRequest(**(given | more))


def naming(attributes: Mapping[str, str]) -> SpanAttributes:
    """Spans that have just these attributes, whichever is asked for."""
    return lambda trace_id, span_id: attributes


def wait_for(holds: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"after {timeout_s:g} s still not: {what}"
        time.sleep(0.05)


def program(name: str, *places: str) -> str:
    """The path of an installed program; the test is skipped with the reason where there is none."""
    found = shutil.which(name) or next((str(p) for place in places if (p := Path(place) / name).exists()), None)
    if found is None:
        pytest.skip(f"{name} is not installed here; `make test-engines` installs and runs it")
    return found


def replayed(
    house: House,
    engine_of: Callable[[SpanAttributes], Engine],
    attributes: Mapping[str, str],
    is_done: Callable[[], bool],
) -> Plan:
    """The plan by which an operator replayed this story's order 1, whose failed span has `attributes`; its milestone is seen.

    The service finds the engine's id on the failed span, sends, and believes the span that tells of the booking.
    """
    ids = house.fail(1, **attributes)
    engine = engine_of(partial(said_on_span, house.store))
    ledger = Ledger(house.store.database, house.store.clock)
    patient = replace(QUICK, evidence_timeout_s=30.0)
    service = Replays(house.store, ledger, Engines([(engine, [])]), house.store.clock, patient)
    house.opened.append(service)
    service.start()
    plan = service.plan(OPERATOR, exception_ids=ids, reason="the ERP is back")
    service.execute(OPERATOR, plan.plan_id, plan.hash, "the ERP is back")
    wait_for(is_done, "the order is booked")
    keys = {"q2c.order.id": house.order(1), "q2c.operation": "erp.create_order", "peer.service": "erp-de"}
    house.store.record(table([span("erp.create_order", keys)]))
    return until(service, service.get(plan.plan_id), ended)
