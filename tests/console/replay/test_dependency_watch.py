"""An outage ends when the engine says that the dependency is up, though nobody calls it; unless a later call fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from console.replay.dependency_watch import SURE_S, WATCH, DependencyWatch
from console.replay.engine import Engines
from console.replay.http_contract import HttpContract
from tests.console.replay.estate import SmallEngine, failed_order, listening, table
from trace_model.catalogue.loader import load
from trace_model.store import Store
from trace_model.store.store import utc_now


class Estate:
    """A store of its own, in which the ERP fell silent, and a watch whose clock the test moves."""

    def __init__(self, engine: SmallEngine) -> None:
        self.later = timedelta()
        self.engine = engine
        self.store = Store(None, load(), clock=self.now, threads=1)
        self.fails(*range(1, 5))
        self.contract = HttpContract("sync-engine", engine.url, submit_timeout=httpx.Timeout(5.0))
        self.watch = DependencyWatch(self.store, Engines([(self.contract, [])]), self.now)

    def now(self) -> datetime:
        return utc_now() + self.later

    def fails(self, *numbers: int) -> None:
        rows = [row for number in numbers for row in failed_order(number)]
        ns = int(self.later.total_seconds() * 1e9)
        self.store.record(
            table(
                [
                    row | {"start_unix_ns": row["start_unix_ns"] + ns, "end_unix_ns": row["end_unix_ns"] + ns}
                    for row in rows
                ]
            )
        )
        self.store.project()

    def looks(self, after_s: float) -> None:
        self.later += timedelta(seconds=after_s)
        self.watch.run_once()

    def outage(self) -> dict[str, Any]:
        [found] = self.store.rows("outages", system=None, outage_id=None, days=2, offset=0, limit=9, as_of=self.now())
        return found


@pytest.fixture
def estate() -> Iterator[Estate]:
    with listening(SmallEngine(lambda rows: None)) as engine:
        made = Estate(engine)
        yield made
        made.contract.close()
        made.store.close()


def test_it_ends_when_the_engine_first_said_up_once_it_has_said_so_for_a_while(estate: Estate) -> None:
    estate.engine.mischief.down = {"erp-de"}
    estate.looks(30)
    estate.looks(60)
    assert (estate.outage()["state"], estate.outage()["ended_at"]) == ("ongoing", None)
    estate.engine.mischief.down = set()
    estate.looks(10)
    said_up = estate.now()
    assert estate.outage()["state"] == "ongoing"
    estate.looks(SURE_S)
    assert estate.outage()["state"] == "recovering"
    assert abs((estate.outage()["ended_at"] - said_up).total_seconds()) < 1
    estate.looks(60)
    probes = estate.store.rows(
        "audit",
        subject_type="dependency",
        subject_id="erp-de",
        actor=WATCH.name,
        deed="probe",
        offset=0,
        limit=9,
        as_of=estate.now(),
    )
    assert len(probes) == 1


def test_a_call_that_fails_afterwards_belongs_to_it_and_it_goes_on(estate: Estate) -> None:
    estate.looks(10)
    estate.looks(SURE_S + 1)
    assert estate.outage()["ended_at"] is not None
    estate.later += timedelta(seconds=60)
    estate.fails(7)
    assert (estate.outage()["state"], estate.outage()["ended_at"]) == ("ongoing", None)
    estate.looks(10)
    estate.looks(SURE_S + 1)
    assert estate.outage()["ended_at"] is not None


def test_an_engine_that_wavers_is_not_believed(estate: Estate) -> None:
    estate.looks(10)
    estate.engine.mischief.down = {"erp-de"}
    estate.looks(10)
    estate.engine.mischief.down = set()
    estate.looks(15)
    estate.looks(15)
    assert estate.outage()["ended_at"] is None
    estate.looks(6)
    assert estate.outage()["ended_at"] is not None
