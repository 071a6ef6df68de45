"""The replay pages: the list with its progress, one plan by pages and outcomes, what a patch changes, how replays have ended."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from console.access import LOCAL, Principal
from console.components import patch_editor
from console.components.patch_editor import LAST, LIST, REMOVE, SET
from console.replay.engine import Engines
from console.replay.http_contract import HttpContract
from console.replay.patching import HIDDEN, masked
from console.resources import current
from tests.console.pages.conftest import NOON, House, Open, markup, rows, shown
from trace_model.errors import Refused
from trace_model.replays import Plan, ReplayLimits

OPERATOR, VIEWER = Principal("ana", "operator"), Principal("vi", "viewer")


@pytest.fixture
def planned(house: House) -> Plan:
    """SO-1 to SO-60 have failed at the ERP and stand in a plan with a patch of their tax ids."""
    for number in range(1, 61):
        payload = json.dumps({"order": f"SO-{number}", "tax_id": "OLD1", "payer": {"iban": "DE02"}})
        house.span(
            "erp.create_order", 200 + number / 100, order_id=f"SO-{number}", amount="10.00", currency="EUR", error="503 Service Unavailable",
            error_code="503", service="erp-de", payload=payload,
        )  # fmt: skip
    house.settle()
    house.resources.replays._engines = Engines([(HttpContract("sync-engine", "http://127.0.0.1:9"), [])])
    ids = [r["exception_id"] for r in house.store.rows("export_exceptions", as_of=house.now)]
    return current().replays.plan(LOCAL, exception_ids=ids, reason="r", patch={"tax_id": "DE1234", "po_number": None})


def test_a_plan_shows_what_changes_beside_what_was_sent(planned: Plan, page: Open) -> None:
    at = page("replays", plan=planned.plan_id)
    assert "Needs a second person: it changes money or tax: tax_id." in shown(at)
    changes = rows(at)[:5]
    assert changes[1] == "tax_id OLD1 DE1234"
    assert changes[2] == "po_number — removed"
    assert "payer.iban DE02 DE02" in changes


def test_the_original_stays_what_it_was_once_the_change_has_been_sent(house: House, planned: Plan, page: Open) -> None:
    house.now = NOON + timedelta(hours=1)
    for number in range(1, 61):
        payload = json.dumps({"order": f"SO-{number}", "tax_id": "DE1234"})
        house.span(
            "erp.create_order",
            250,
            order_id=f"SO-{number}",
            error="503 Service Unavailable",
            error_code="503",
            payload=payload,
        )
    house.settle()
    assert rows(page("replays", plan=planned.plan_id))[1] == "tax_id OLD1 DE1234"


def test_a_large_plan_pages_and_filters_by_outcome(planned: Plan, page: Open) -> None:
    first = page("replays", plan=planned.plan_id)
    assert "1 to 50 of 60" in shown(first)
    assert f"plan={planned.plan_id}&amp;page=2" in markup(first)
    second = page("replays", plan=planned.plan_id, page="2")
    assert "51 to 60 of 60" in shown(second)
    assert "No item with this outcome." in shown(page("replays", plan=planned.plan_id, outcome="uncertain"))


def test_the_list_says_how_far_each_plan_is(house: House, planned: Plan, page: Open) -> None:
    (row,) = [row for row in rows(page("replays")) if planned.plan_id in row]
    assert "60" in row
    assert "Needs approval" in row, "a plan that waits for a second person does not look like one that is ready"
    assert 'aria-label="0 of 60 items ended"' in markup(page("replays"))
    ledger = current().replays._ledger
    current().replays.approve(Principal("ben", "approver"), planned.plan_id, planned.hash, "fine")
    current().replays.execute(LOCAL, planned.plan_id, planned.hash, "go")
    assert ledger.reserve(planned.plan_id, planned.items[0], 0) is None
    assert ledger.reserve(planned.plan_id, planned.items[1], 0) is None
    ledger.advance(planned.plan_id, 1, "milestone_reached", None)
    assert "1 of 60 items ended, 1 under way, 58 to go" in shown(page("replays", plan=planned.plan_id))


def test_results_are_told_by_cause_runbook_and_engine(house: House, planned: Plan, page: Open) -> None:
    current().replays.approve(Principal("ben", "approver"), planned.plan_id, planned.hash, "fine")
    current().replays.execute(LOCAL, planned.plan_id, planned.hash, "go")
    ledger = current().replays._ledger
    ends: list[tuple[Any, str | None]] = [
        ("milestone_reached", None),
        ("milestone_reached", None),
        ("failed_again", "same cause: 503"),
        ("failed_again", "other cause: no mapping"),
        ("rejected", "no"),
    ]
    for item, _ in zip(planned.items, [*ends, None], strict=False):
        assert ledger.reserve(planned.plan_id, item, 0) is None
    house.now += timedelta(seconds=30)
    ledger.doubt_unanswered([(planned.plan_id, n) for n in range(2, 7)])
    for number, (outcome, detail) in enumerate(ends, start=1):
        assert ledger.advance(planned.plan_id, number, outcome, detail)
    for by, name in (("cause", "outage"), ("runbook", "platform"), ("engine", "sync-engine")):
        (row,) = house.store.rows("replay_results", by=by, days=30, as_of=house.now)
        told = {key: value for key, value in row.items() if key not in ("name", "class")}
        assert row["name"] == name
        assert told == {
            "sent_count": 6, "milestone_reached": 2, "failed_same": 1, "failed_other": 1, "rejected": 1, "no_evidence": 0,
            "open_count": 1, "doubted_count": 1, "success_share": 0.4, "p50_s": 30.0, "p90_s": 30.0,
        }  # fmt: skip
        assert "40.0 %" in shown(page("replays", by=by))


def test_without_replays_the_results_say_why_there_are_none(empty_house: House, page: Open) -> None:
    assert "No replay left the house in the 30 days before" in shown(page("replays"))


def test_values_are_seen_only_by_the_roles_that_may(house: House) -> None:
    patch = {"tax_id": "DE1", "payer": {"iban": "DE02"}}
    catalogue, limits = house.store.catalogue, ReplayLimits()
    assert masked(patch, catalogue, limits, LOCAL) == patch
    assert masked(patch, catalogue, limits, OPERATOR) == {"tax_id": "DE1", "payer": {"iban": HIDDEN}}
    assert masked(patch, catalogue, limits, VIEWER) == {"tax_id": HIDDEN, "payer": {"iban": HIDDEN}}


@pytest.mark.parametrize(
    "patch",
    [
        {
            "tax_id": "DE1",
            "plant": "2000",
            "quantity": 3,
            "urgent": True,
            "lines": [1],
            "number": "5",
            "word": "true",
            "none": None,
        },
        {"ship_to": {"zip": "28195", "note": None, "geo": {"lat": 53.1}}, "empty": {}, "blank": " x "},
        {
            "a": {"$from": {"object": "customer", "field": "vat"}},
            "b": {"$from": {"object": "customer", "values": {"C-7": "DE1"}}},
        },
        {"dotted.name": {"x": 1}, "y": "z"},
    ],
)
def test_a_patch_stands_in_the_editor_s_rows_as_it_is(patch: dict[str, Any]) -> None:
    for original in ({}, {"plant": "1000", "number": "4", "ship_to": {"zip": "1"}}):
        held, rest = patch_editor.rows_of(patch, original)
        given = {"rows": held, "list": None, "text": json.dumps(rest), "original": original}
        assert patch_editor.patch_of(given) == patch


def test_the_editor_s_rows_become_a_merge_patch() -> None:
    def made(*said: dict[str, Any], text: str = "", listed: bytes | None = None) -> Any:
        return patch_editor.patch_of({"rows": said, "list": listed, "text": text, "original": {"plant": "1000"}})

    assert made({"field": "plant", "how": SET, "value": "2000"}) == {"plant": "2000"}
    assert made({"field": "quantity", "how": SET, "value": "3"}) == {"quantity": 3}
    assert made({"field": "a.b", "how": REMOVE, "value": ""}, text='{"a": {"c": 1}}') == {"a": {"c": 1, "b": None}}
    assert made({"field": "tax_id", "how": LAST, "value": "vat"}) == {
        "tax_id": {"$from": {"object": "customer", "field": "vat"}}
    }
    listed = {"tax_id": {"$from": {"object": "customer", "values": {"C-1": "DE1", "C-2": "DE2"}}}}
    assert (
        made({"field": "tax_id", "how": LIST, "value": ""}, listed="C-1,DE1\nC-2,DE2\n".encode("utf-8-sig")) == listed
    )
    assert made({"field": " ", "how": SET, "value": "x"}) is None
    for wrong, said in ((None, "choose the list"), (b"C-1\n", "line 1: two columns"), (b"\xff", "UTF-8")):
        with pytest.raises(Refused, match=said):
            made({"field": "tax_id", "how": LIST, "value": ""}, listed=wrong)
    with pytest.raises(Refused, match="no JSON"):
        made(text="{")


def test_an_edit_of_a_plan_replaces_it(house: House, planned: Plan, console: AppTest) -> None:
    console.query_params["plan"] = planned.plan_id
    console.switch_page("app_pages/replays.py")
    at = console.run()
    at.button(key="plan_edit").click().run()
    assert at.text_area(key="plan_patch").value == "", "the rows hold the plan's patch"
    at.text_area(key="plan_patch").input('{"quantity": 3}')
    at.text_area(key="reason").input("the quantity was wrong too")
    at.button(key="question_confirm").click().run()
    edited, old = current().replays.recent(2)
    if edited.plan_id == planned.plan_id:
        edited, old = old, edited
    assert edited.patch == {"tax_id": "DE1234", "po_number": None, "quantity": 3}
    assert (edited.needs_approval, edited.replaces) == (True, planned.plan_id)
    assert (old.state, old.state_reason) == ("cancelled", f"replaced by {edited.plan_id}")
