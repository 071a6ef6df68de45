"""One exception and one order's payloads on screen: business first, engineers' evidence apart, and only for those who may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from console.access import LOCAL, Principal
from console.components.view import PRINCIPAL
from tests.console.pages.conftest import CONSOLE, MORNING, House, Open, shown
from trace_model.errors import Refused

STACK = "Traceback (most recent call last):\n  File 'sync.py', line 7, in push\nRefused: no tax id"


def sells(house: House) -> None:
    """SO-1 went through; SO-2 was mapped wrongly; SO-3 is refused twice with a stack trace in its message."""
    for number, terms in ((1, "NET30"), (2, "NET90")):
        ids = {"order_id": f"SO-{number}", "amount": "100.00", "currency": "EUR", "customer_name": f"Customer {number}"}
        said = {"amount": "100.00", "currency": "EUR", "lines": [{"sku": "A"}]}
        house.span("crm.submit_order", 10, payload=json.dumps(said | {"payment_terms": "NET30"}), **ids)
        house.span("erp.create_order", 20 + number, payload=json.dumps(said | {"payment_terms": terms}), **ids)
    ids = {"order_id": "SO-3", "amount": "900.00", "currency": "EUR", "customer_name": "Customer 3"}
    house.span("crm.submit_order", 25, **ids)
    for minute in (30, 40):
        house.span(
            "erp.create_order", minute, error=f"Ship-to has no tax id\n{STACK}", error_code="V1 099", outcome="dead_lettered",
            payload=json.dumps({"amount": "900.00", "currency": "USD", "lines": [{"sku": "B"}]}), **ids,
        )  # fmt: skip
    house.settle()


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    sells(made)
    yield made
    made.store.close()


def id_of(house: House, object_id: str) -> str:
    found = house.store.rows("export_exceptions", as_of=house.now)
    return str(next(row["exception_id"] for row in found if row["object_id"] == object_id))


def test_an_exception_tells_the_business_what_it_holds_up_and_never_a_stack_trace(house: House, page: Open) -> None:
    said = shown(page("exception", id=id_of(house, "SO-3")))
    for fact in ("Customer 3", "EUR 900.00", "order accepted", "Order acceptance time", "V1 099", "dead lettered"):
        assert fact in said, fact
    assert "Ship-to has no tax id" in said
    assert "Traceback" not in said
    assert "sync.py" not in said


def test_the_payload_that_failed_is_shown_against_the_last_that_got_through(house: House, page: Open) -> None:
    said = shown(page("exception", id=id_of(house, "SO-3"), part="payload"))
    assert "SO-3 against SO-2, the last that got through" in said
    for fact in ("currency", "lines[0].sku", "payment_terms", "not there"):
        assert fact in said, fact


def test_engineers_get_the_trace_and_are_told_when_it_has_no_stack(house: House, page: Open) -> None:
    at = page("exception", id=id_of(house, "SO-3"), part="trace")
    assert "exception.stacktrace" in shown(at)
    assert at.selectbox(key="trace").options


def test_a_contradiction_is_an_exception_without_attempts(house: House, page: Open) -> None:
    said = shown(page("exception", id=id_of(house, "SO-2")))
    assert "the canonical order says terms NET30; the ERP order says terms NET90" in said
    assert "found by comparing facts" in said


def test_payload_lineage_shows_each_hop_and_what_became_of_a_field(house: House, page: Open) -> None:
    said = shown(page("order", type="order", id="SO-2", part="lineage"))
    assert "1 hop differs" in said
    assert "terms NET30 became NET90" in said
    assert "payment_terms" in said
    assert "all hops agree" in shown(page("order", type="order", id="SO-1", part="lineage"))


def test_an_unknown_exception_says_so(house: House, page: Open) -> None:
    assert "No exception 'nothing' had opened" in shown(page("exception", id="nothing"))


@pytest.mark.parametrize("name", ["exception", "order"])
def test_payloads_are_not_for_a_viewer(with_logins: House, name: str) -> None:
    sells(with_logins)
    at = AppTest.from_file(str(CONSOLE / "app_pages" / f"{name}.py"), default_timeout=20)
    at.session_state[PRINCIPAL] = Principal("ana", "viewer")
    at.query_params["id"] = id_of(with_logins, "SO-3") if name == "exception" else "SO-1"
    at.query_params["part"] = "payload" if name == "exception" else "lineage"
    said = shown(at.run())
    assert "Payloads are not for your role." in said
    assert "payment_terms" not in said


STANDS = """
    insert into silences by name
    select lead_key, last_milestone as milestone, last_progress_at as since_at, last_progress_at as from_at, $1::timestamptz as until_at, $2 as moved_to,
        worked_s('any_office', since_at) * 1000000 as since_us, worked_s('any_office', until_at) * 1000000 as until_us
    from timelines where lead_id = 'SO-1'
"""


def stuck_flow(house: House, state: str) -> dict[str, Any]:
    """The one stuck flow that is in that state."""
    asked = dict.fromkeys(("category", "owner_team", "group_id", "system", "class"))
    [row] = house.store.rows("exceptions", kind="stuck_flow", state=state, as_of=house.now, offset=0, limit=9, **asked)
    return row


def test_a_stuck_flow_says_what_the_silence_looks_like_and_whose_move_it_is(house: House, page: Open) -> None:
    house.now = MORNING + timedelta(days=9)
    with house.store.database.reading() as c:
        c.execute("delete from clocks where lead_key in (select lead_key from timelines where lead_id = 'SO-1')")
        c.execute(STANDS, [None, None])
    row = stuck_flow(house, "open")
    said = shown(page("exception", id=row["exception_id"]))
    for fact in (
        "SO-1 is stuck after order accepted.",
        "Stuck flow",
        "Invoice issued",
        "It is the move of",
        "EUR 100.00",
    ):
        assert fact in said, fact
    assert "found by comparing facts" in shown(page("exception", id=row["exception_id"], part="trace"))
    queue = shown(page("exceptions", kind="stuck_flow"))
    assert "Stuck after order accepted." in queue
    order = page("order", type="order", id="SO-1")
    assert "SO-1 is stuck after order accepted." in shown(order)
    assert "the catalogue allows 1 d 21 h of working time." in shown(order)
    assert "replay_order" not in {button.key for button in order.button}, "nothing of it can be replayed"
    with pytest.raises(
        Refused, match=r"SO-1 is stuck after order accepted\. Look for it in the system whose move it is"
    ):
        house.resources.replays.plan(LOCAL, exception_ids=[row["exception_id"]], reason="r")
    assert "Ship-to has no tax id" not in queue


def test_a_stuck_flow_that_moved_on_says_from_when_to_when_it_stood_and_what_moved_it(house: House, page: Open) -> None:
    house.now = MORNING + timedelta(days=9)
    with house.store.database.reading() as c:
        c.execute(STANDS, [house.now - timedelta(hours=2), "invoice_issued"])
    row = stuck_flow(house, "resolved")
    said = shown(page("exception", id=row["exception_id"]))
    for fact in (
        "SO-1 was stuck after order accepted.",
        "Resolved",
        "When it stood",
        "It moved on: Invoice issued",
        "The flow moved on",
    ):
        assert fact in said, fact
    assert "It is the move of" not in said
