"""The whole way, on the real clock: a span through the door of a listening house, then silence, then the alert."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from console.alerts.channels import open_channels
from console.alerts.worker import AlertWorker
from tests.console.alerts.conftest import Receiver
from tests.otlp import Otlp
from trace_model.catalogue.alert_rules import AlertRules
from trace_model.store.alert_ledger import AlertLedger

RULES = AlertRules.model_validate(
    {"kinds": ["breach"], "channels": [{"name": "hook", "kind": "webhook"}], "routes": [{"channels": ["hook"]}]}
)


def test_a_deadline_fires_by_the_clock_alone_and_a_late_span_takes_it_back(
    listening: Callable[..., Any], receiver: Receiver
) -> None:
    here = listening()
    here.house.alerts.stop()  # this story has rules and a receiver of its own
    store = here.house.store
    channels = open_channels(RULES.channels, {"ALERT_CHANNEL_HOOK": receiver.url})
    worker = AlertWorker(store, AlertLedger(store.database, store.clock), RULES, channels, store.clock, here.url)
    submitted_at = store.clock() - timedelta(hours=2) + timedelta(seconds=2)
    story = Otlp(here.url)
    story.span("crm.submit_order", submitted_at, {"q2c.order.id": "SO-1", "q2c.operation": "crm.submit_order"})
    story.send()
    worker.start()
    try:
        here.until(lambda: receiver.got, seconds=60)
        due_at = submitted_at + timedelta(hours=2, milliseconds=100)
        [alert] = store.rows(
            "alert_list",
            as_of=store.clock(),
            state="open",
            kind=None,
            owner_team=None,
            alert_id=None,
            offset=0,
            limit=9,
        )
        assert alert["since"] == due_at
        assert due_at < alert["raised_at"]
        accepted_at = submitted_at + timedelta(minutes=5)
        story.span("erp.create_order", accepted_at, {"q2c.order.id": "SO-1", "q2c.operation": "erp.create_order"})
        story.send()
        here.until(lambda: len(receiver.got) > 1, seconds=60)
        assert receiver.events == ["raised", "withdrawn"]
        assert worker.fault is None
    finally:
        began = time.monotonic()
        worker.stop()
        assert time.monotonic() - began < 30
