"""A write that no answer came to: nobody knows whether it happened, until the target says so or a later run succeeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from console.access import Principal
from console.replay.engine import Engines
from console.replay.http_contract import HttpContract
from console.replay.inquiries import INQUIRY, QUIET_S, Inquiries
from tests.console.replay.conftest import OPERATOR, House
from tests.console.replay.estate import span, table
from trace_model.errors import Forbidden, Refused, UnknownThing

Asking = Callable[..., Inquiries]


def times_out(house: House, number: int = 1, operation: str = "erp.create_order") -> str:
    """This story's order of that number: its call to the ERP got no answer. The exception's id."""
    keys = {"q2c.order.id": house.order(number), "q2c.operation": operation, "peer.service": "erp-de", "q2c.amount": "100.00", "q2c.currency": "EUR"}  # fmt: skip
    gone = {"error.type": "requests.exceptions.ReadTimeout", "q2c.outcome": "gave_up"}
    house.store.record(table([span(operation, keys | gone, failed="Read timed out")]))
    assert house.store.settle(60)
    return str(next(row["exception_id"] for row in house.exceptions() if row["object_id"] == house.order(number)))


@pytest.fixture
def asking(house: House) -> Iterator[Asking]:
    """Inquiries some seconds later, by an engine that answers probes or by none."""
    engine = HttpContract("sync-engine", house.engine.url, submit_timeout=httpx.Timeout(5.0))

    def made(after_s: float = QUIET_S + 1, *, answered: bool = True) -> Inquiries:
        engines = Engines([(engine, [])] if answered else [])
        return Inquiries(house.store, engines, lambda: house.store.clock() + timedelta(seconds=after_s))

    yield made
    engine.close()


def shown(house: House, exception_id: str) -> dict[str, Any]:
    return house.store.rows("exception", exception_id=exception_id, as_of=house.store.clock())[0]


def test_a_write_without_an_answer_is_of_unknown_status_and_a_refused_one_is_not(house: House) -> None:
    unknown = times_out(house)
    house.store.record(table(house.rows(2)))
    assert house.store.settle(60)
    kinds = {row["object_id"]: row["kind"] for row in house.exceptions()}
    assert kinds == {house.order(1): "unknown_status", house.order(2): "failed_operation"}
    group = shown(house, unknown)["group_id"]
    asked = {
        "system": None,
        "owner_team": None,
        "category": None,
        "include_snoozed": False,
        "offset": 0,
        "limit": 1000,
        "class": None,
    }
    queued = house.store.rows("exception_groups", kind="unknown_status", as_of=house.store.clock(), **asked)
    assert [row["kind"] for row in queued if row["group_id"] == group] == ["unknown_status"]
    assert group not in [
        row["group_id"]
        for row in house.store.rows("exception_groups", kind="failed_operation", as_of=house.store.clock(), **asked)
    ]


def test_a_question_that_times_out_changed_nothing_so_nothing_is_unknown(house: House) -> None:
    id_ = times_out(house, operation="tax.determine")
    assert shown(house, id_)["kind"] == "failed_operation"


def test_what_the_target_has_is_resolved_by_its_word(house: House, asking: Asking) -> None:
    id_ = times_out(house)
    house.engine.books[house.order(1)] = 1
    asking().run_once()
    row = shown(house, id_)
    assert (row["state"], row["target_state"], row["target_evidence"]) == ("resolved", "present", "the ERP's books: 1")
    [deed] = house.store.rows(
        "audit",
        subject_type="exception",
        subject_id=id_,
        actor=None,
        deed=None,
        offset=0,
        limit=9,
        as_of=house.store.clock(),
    )
    assert (deed["deed"], deed["actor"]) == ("probe", INQUIRY.name)
    before = row["resolved_at_then"] - timedelta(microseconds=1)
    assert house.store.rows("exception", exception_id=id_, as_of=before)[0]["state"] == "open"


def test_what_the_target_has_but_whose_flow_stands_stays_open_to_be_carried_on(house: House, asking: Asking) -> None:
    id_ = times_out(house)
    house.engine.books[house.order(1)] = 1
    house.engine.mischief.reconciles = True
    asking().run_once()
    row = shown(house, id_)
    assert (row["state"], row["kind"], row["target_state"]) == ("open", "failed_operation", "present")


def test_what_the_target_has_not_got_has_failed_and_is_unknown_again_after_the_next_timeout(
    house: House, asking: Asking
) -> None:
    id_ = times_out(house)
    asking().run_once()
    assert (shown(house, id_)["kind"], shown(house, id_)["target_state"]) == ("failed_operation", "absent")
    assert times_out(house) == id_
    assert (shown(house, id_)["kind"], shown(house, id_)["target_state"]) == ("unknown_status", None)


def test_a_later_success_settles_it_without_a_question(house: House, asking: Asking) -> None:
    id_ = times_out(house)
    done = span("erp.create_order", {"q2c.order.id": house.order(1), "q2c.operation": "erp.create_order"})
    house.store.record(table([done]))
    assert house.store.settle(60)
    asking().run_once()
    assert (shown(house, id_)["state"], shown(house, id_)["target_state"]) == ("resolved", None)


def test_nobody_is_asked_while_the_call_may_be_under_way_nor_again_at_once_of_one_who_cannot_say(
    house: House, asking: Asking
) -> None:
    id_ = times_out(house)
    asking(QUIET_S / 2).run_once()
    assert shown(house, id_)["target_state"] is None
    house.engine.mischief.probe_is_mute = 1.0
    later = asking()
    later.run_once()
    house.engine.mischief.probe_is_mute = 0.0
    later.run_once()
    assert shown(house, id_)["kind"] == "unknown_status"


def test_a_person_may_ask_and_is_told_what_cannot_be_asked(house: House, asking: Asking) -> None:
    id_ = times_out(house)
    with pytest.raises(Refused, match="no engine serves erp-de"):
        asking(answered=False).ask(OPERATOR, id_, "The customer asks")
    with pytest.raises(UnknownThing, match="no exception 'nothing'"):
        asking().ask(OPERATOR, "nothing", "The customer asks")
    with pytest.raises(Refused, match="a reason is needed"):
        asking().ask(OPERATOR, id_, " ")
    with pytest.raises(Forbidden):
        asking().ask(Principal("vi", "viewer"), id_, "The customer asks")
    house.engine.books[house.order(1)] = 1
    asking().ask(OPERATOR, id_, "The customer asks")
    assert shown(house, id_)["state"] == "resolved"
    with pytest.raises(Refused, match="is known"):
        asking().ask(OPERATOR, id_, "The customer asks")
