"""Each room over a small business as of a fixed instant, and over nothing at all."""

from __future__ import annotations

import ast
import json
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from console.components import rooms as house_rooms
from console.components.waterfall import by_descent
from tests.console.pages import conftest
from tests.console.pages.conftest import NOON, House, Open, markup, rows, shown

EMPTY = {
    "today": "Nothing has been received yet.",
    "orders": "No order matches.",
    "forecast": "No promise runs.",
    "order": "No timeline.",
    "exceptions": "No open exceptions.",
    "replays": "No replay has been planned.",
    "invoice_latency": "No orders in this time.",
    "kpis": "No order went all the way.",
    "completeness": "No orders in this time.",
    "dependencies": "No system has been heard from.",
    "ingest": "No source in the last 24 hours.",
    "search": "Nothing to look for yet.",
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_house_says_why_it_is_empty(empty_house: House, page: Open, name: str) -> None:
    assert EMPTY[name] in shown(page(name))


def test_today_says_what_it_is_worth_and_leads_to_the_rows(business: House, page: Open) -> None:
    at = page("today")
    said = shown(at)
    assert "EUR 72,500" in said, "SO-2 and SO-3 are held by exceptions: 2,500.50 and 70,000"
    assert "2 groups" in said
    assert 'href="./orders?state=breached"' in markup(at)
    first = next(row for row in rows(at) if "70,000" in row)
    assert "create the ERP order" in first


def test_orders_show_the_most_urgent_first_with_icon_and_word(business: House, page: Open) -> None:
    found = rows(page("orders"))
    assert found[1].startswith("SO-4")
    assert "Breached" in found[1]
    assert "overdue by" in found[1]
    assert len(found) == 5, "a header and four orders"


def test_the_address_filters_orders(business: House, page: Open) -> None:
    assert [row.split()[0] for row in rows(page("orders", region="EMEA"))[1:]] == ["SO-2", "SO-1"]
    assert [row.split()[0] for row in rows(page("orders", min_amount="50,000"))[1:]] == ["SO-3"]
    assert [row.split()[0] for row in rows(page("orders", with_exception="true", q="customer 2"))[1:]] == ["SO-2"]
    assert "None" not in shown(page("orders", state="breached"))


def test_a_filter_that_cannot_be_read_is_named_and_left_out(business: House, page: Open) -> None:
    at = page("orders", min_amount="lots", state="lost")
    said = shown(at)
    assert "'lots' is no amount" in said
    assert "'lost' is none of breached" in said
    assert len(rows(at)) == 5


def test_choosing_a_filter_changes_the_address_and_goes_to_the_first_page(business: House, page: Open) -> None:
    at = page("orders", page="1", q="customer")
    at.selectbox(key="filter_region").select("AMER").run()
    assert at.query_params["region"] == "AMER"
    assert "page" not in at.query_params
    assert [row.split()[0] for row in rows(at)[1:]] == ["SO-3"]


def test_a_timeline_says_who_acts_next_and_what_was_reached(business: House, page: Open) -> None:
    said = shown(page("order", type="order", id="SO-1"))
    assert "EUR 1,000.00" in said
    assert "Finance operations" in said
    assert "Partial" in said
    assert "600.00 of 1,000.00" in said


def test_an_invoice_shared_with_another_order_names_that_order(business: House, page: Open) -> None:
    at = page("order", type="order", id="SO-1", part="objects")
    invoice = next(row for row in rows(at) if row.startswith("INV-9"))
    assert "SO-4" in invoice
    assert 'href="./order?type=order&amp;id=SO-4"' in markup(at)


def test_an_object_that_leads_no_timeline_shows_the_one_it_stands_in(business: House, page: Open) -> None:
    at = page("order", type="quote", id="Q-2")
    assert at.title[0].value.startswith("SO-2")


def test_payloads_are_shown_to_those_who_may_read_them(business: House, page: Open) -> None:
    at = page("order", type="order", id="SO-1", part="payloads")
    assert json.loads(at.json[0].value) == {"total": "1000.00"}


def test_traces_show_the_spans_of_the_order(business: House, page: Open) -> None:
    at = page("order", type="order", id="SO-3", part="traces")
    assert "503 Service Unavailable" in shown(at)
    assert len(at.get("plotly_chart")) == 1


def test_a_group_shows_its_evidence_and_its_members(business: House, page: Open) -> None:
    group = business.store.rows("exceptions", **_open_business(business))[0]
    at = page("exceptions", group=group["group_id"])
    said = shown(at)
    assert "tax registration" in said
    assert "Why we think so" in said
    assert any(row.startswith("SO-2") for row in rows(at))


def test_what_a_system_says_is_never_markup(house: House, page: Open) -> None:
    house.span(
        "crm.submit_order",
        200,
        order_id="SO-<b>9</b>",
        amount="10",
        currency="EUR",
        customer_name="<script>alert(1)</script>",
    )
    house.settle()
    assert "<script>" not in markup(page("orders"))
    assert "SO-&lt;b&gt;9&lt;/b&gt;" in markup(page("orders"))


def test_an_earlier_instant_shows_what_was_true_then_and_says_so(business: House, page: Open) -> None:
    at = page("orders", as_of="2026-03-02T08:30:00Z")
    said = shown(at)
    assert "2026-03-02 08:30:00 UTC , not now" in said
    assert [row.split()[0] for row in rows(at)[1:]] == ["SO-4"], "the others began after eleven"
    assert "as_of=2026-03-02T08%3A30%3A00Z" in markup(at), "links keep the instant"


def test_an_instant_that_cannot_be_read_is_named_and_shows_live(business: House, page: Open) -> None:
    said = shown(page("orders", as_of="yesterday"))
    assert "'yesterday' is no instant" in said


@pytest.mark.parametrize("name", [room.path.replace("-", "_") for room in house_rooms.ROOMS if room.stands])
def test_a_page_that_stands_still_says_as_of_when_and_offers_now(business: House, page: Open, name: str) -> None:
    assert any(button.label.startswith("As of ") for button in page(name).button)
    fixed = page(name, as_of=f"{NOON:%Y-%m-%dT%H:%M:%SZ}")
    assert not any(button.label.startswith("As of ") for button in fixed.button), "a fixed instant has its notice"


def test_search_finds_by_any_id(business: House, page: Open) -> None:
    at = page("search", q="INV-9")
    assert any("INV-9" in row and "2 timelines" in row for row in rows(at))


def test_search_names_the_time_it_looked_at_where_nothing_is_found(business: House, page: Open) -> None:
    said = shown(page("search", q="SO-99"))
    assert "contains 'SO-99' as of" in said


def test_a_trace_is_shown_from_the_root_down_whatever_started_first() -> None:
    def span(id_: str, parent: str | None) -> dict[str, str | None]:
        return {"span_id": id_, "parent_span_id": parent}

    spans = [span("c", "b"), span("a", None), span("b", "a"), span("x", "lost"), span("r", "s"), span("s", "r")]
    assert [s["span_id"] for s in by_descent(spans)] == ["a", "b", "c", "x", "r", "s"]


def test_unbilled_orders_stand_with_their_amounts(business: House, page: Open) -> None:
    assert any(row.startswith("SO-1") and "400.00" in row for row in rows(page("invoice_latency")))


def test_every_system_that_spoke_stands_among_the_dependencies(business: House, page: Open) -> None:
    at = page("dependencies")
    assert any(row.startswith("ERP United States") and "70,000" in row for row in rows(at))


def test_the_shell_shows_navigation_and_how_fresh_it_is(business: House, console: AppTest) -> None:
    at = console.run()
    said = shown(at)
    assert "Live" in said
    assert "local, admin" in said
    assert [one.proto.label for one in at.get("page_link")] == [
        room.title for room in house_rooms.ROOMS if room.section
    ]


def _open_business(house: House) -> dict[str, object]:
    return {
        "state": "open", "class": "business", "category": None, "owner_team": None, "group_id": None, "system": None, "outage_id": None, "offset": 0, "limit": 10,
        "as_of": house.now,
    }  # fmt: skip


def test_a_poller_that_fails_says_why(house: House, page: Open) -> None:
    poller = {
        "name": "crm", "label": "CRM orders", "host": "crm.example", "state": "failing", "fault": "it answered HTTP 500", "watermark": None,
        "succeeded_at": None, "next_at": NOON, "item_count": 7, "refused_count": 0,
    }  # fmt: skip
    house.resources = replace(house.resources, ingest_counters=lambda: {"pollers": [poller]})
    house.provide()
    [row] = [row for row in rows(page("ingest")) if row.startswith("CRM orders")]
    assert "Failing" in row
    assert "it answered HTTP 500" in row


def test_no_page_writes_its_notes_onto_the_screen() -> None:
    """Streamlit shows a string that stands alone in a page's script."""
    for page in (conftest.CONSOLE / "app_pages").glob("*.py"):
        alone = [s.value for s in ast.parse(page.read_text("utf-8")).body[1:] if isinstance(s, ast.Expr)]
        assert not [e.value for e in alone if isinstance(e, ast.Constant)], page.name
