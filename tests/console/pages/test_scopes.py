"""Two ERPs both have an order 1001: search, page and API tell them apart, and never guess which is meant."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

import pytest

from console.access import LOCAL
from console.alerts.messages import place
from console.api.exceptions import exceptions
from console.api.process import process_orders
from console.api.timelines import ClockDeed, act, timeline, timelines
from console.finding import timelines_named
from tests.console.pages import conftest
from tests.console.pages.conftest import NOON, House, Open, rows, shown
from trace_model.catalogue.loader import load
from trace_model.errors import AmbiguousThing, Refused, UnknownThing


def of_two_erps(tmp_path_factory: pytest.TempPathFactory) -> House:
    """An empty house whose order ids are those of a system."""
    text = (files("trace_model.catalogue") / "quote_to_cash.yaml").read_text("utf-8")
    plain = "  - name: order\n    label: Order\n"
    path = tmp_path_factory.mktemp("scoped") / "mine.yaml"
    path.write_text(text.replace(plain, plain + "    scope: system\n"), "utf-8")
    given = load(str(path))
    assert next(t.scope for t in given.object_types if t.name == "order") == "system"
    return House(catalogue=given)


@pytest.fixture(scope="module")
def _scoped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Order 1001 of erp-de is invoiced; order 1001 of erp-us is another customer's."""
    made = of_two_erps(tmp_path_factory)
    for entity, amount in (("erp-de", "100.00"), ("erp-us", "999.00")):
        made.span(
            "crm.submit_order",
            100,
            order_id="1001",
            service=entity,
            amount=amount,
            currency="EUR",
            customer_name=f"Of {entity}",
        )
        made.span("erp.create_order", 101, order_id="1001", service=entity, amount=amount, currency="EUR")
        made.span(
            "tax.determine", 102, order_id="1001", service=entity, error="tax number is missing", error_code="TAX"
        )
    made.span(
        "billing.issue_invoice",
        110,
        invoice_id="INV-5",
        invoice_order_id="1001",
        service="erp-de",
        amount="100.00",
        currency="EUR",
    )
    made.settle()
    yield made
    made.store.close()


@pytest.fixture
def scoped(_scoped: House) -> House:
    _scoped.provide()
    return _scoped


def test_the_page_asks_which_order_is_meant(scoped: House, page: Open) -> None:
    said = rows(page("order", type="order", id="1001"))
    assert [row.split()[:2] for row in said[1:]] == [["erp-de", "1001"], ["erp-us", "1001"]]
    assert "Which one?" in shown(page("order", type="order", id="1001"))
    assert "Of erp-us" in shown(page("order", type="order", id="1001", scope="erp-us"))
    assert "No timeline." in shown(page("order", type="order", id="1001", scope="erp-fr"))


def test_search_shows_whose_id_each_is_and_leads_there(scoped: House, page: Open) -> None:
    at = page("search", q="1001")
    assert [row.split()[:4] for row in rows(at)[1:]] == [["1001", "id", "of", "erp-de"], ["1001", "id", "of", "erp-us"]]
    assert "type=order&amp;id=1001&amp;scope=erp-us" in conftest.markup(at)


def test_the_api_lists_the_choices_and_takes_a_scope(scoped: House) -> None:
    with pytest.raises(AmbiguousThing) as told:
        timeline(scoped.resources, NOON, "order", "1001")
    assert [c["scope"] for c in told.value.choices] == ["erp-de", "erp-us"]
    assert "scope=erp-de, scope=erp-us" in str(told.value)
    one = timeline(scoped.resources, NOON, "order", "1001", "erp-us")
    assert (one["lead"], one["amount"]) == ({"type": "order", "id": "1001", "scope": "erp-us"}, "999.00")
    assert {o["id"] for o in one["objects"]} == {"1001"}, "the invoice is the other ERP's"
    with pytest.raises(UnknownThing):
        timeline(scoped.resources, NOON, "order", "1001", "erp-fr")


def test_what_stands_in_one_timeline_leads_to_the_right_one(scoped: House) -> None:
    found = timelines_named(partial(scoped.store.rows, as_of=NOON), "invoice", "INV-5")
    assert [(t["lead_id"], t["scope"]) for t in found] == [("1001", "erp-de")]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("orders", {}),
        ("completeness", {}),
        ("invoice_latency", {}),
        ("kpis", {"part": "flow", "kpi": "order_acceptance", "week": "0"}),
        ("kpis", {"part": "interfaces", "operation": "tax.determine"}),
        ("process_map", {"from": "order_submitted", "to": "order_accepted"}),
        ("search", {"q": "1001"}),
        ("order", {"type": "order", "id": "1001"}),
    ],
)
def test_every_link_to_one_of_them_says_whose_it_is(
    scoped: House, page: Open, name: str, address: dict[str, str]
) -> None:
    led = leads(page(name, **address))
    assert {scope for _, scope in led} == {"erp-de", "erp-us"}, "each by its own link, and none without"


def test_an_exception_leads_to_the_order_that_it_holds_up(scoped: House, page: Open) -> None:
    asked: dict[str, Any] = dict.fromkeys(("state", "class", "category", "owner_team", "group_id", "system"))
    for e in scoped.store.rows("exceptions", **asked, offset=0, limit=10, as_of=NOON):
        assert leads(page("exception", id=e["exception_id"])) >= {("1001", e["lead_scope"])}
        assert e["object_scope"] == e["lead_scope"]


def test_the_api_and_alerts_say_whose_order_it_is(scoped: House) -> None:
    listed = timelines(scoped.resources, NOON)["timelines"]
    taken = process_orders(scoped.resources, NOON, from_="order_submitted", to="order_accepted")["orders"]
    failed = exceptions(scoped.resources, NOON)["exceptions"]
    for rows_ in (listed, taken, failed):
        assert {row["lead"].get("scope") for row in rows_} == {"erp-de", "erp-us"}
    alert = {
        "kind": "breach",
        "member_count": 1,
        "example_type": "order",
        "example_id": "1001",
        "example_scope": "erp-us",
    }
    assert place(alert) == ("order", {"type": "order", "id": "1001", "scope": "erp-us"})


def test_a_pause_stops_the_clocks_of_the_order_that_is_meant_and_no_other(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    house = of_two_erps(tmp_path_factory)
    for entity in ("erp-de", "erp-us"):
        house.span("crm.accept_quote", 150, order_id="1002", service=entity, amount="10.00", currency="EUR")
        house.span("crm.submit_order", 151, order_id="1002", service=entity, amount="10.00", currency="EUR")
    house.settle()
    why, given = "the customer is on holiday", {"pause": "waiting_for_customer"}
    deeds = house.resources.deeds
    with pytest.raises(Refused, match="name one by its scope: 'erp-de', 'erp-us'"):
        deeds.on_timeline(LOCAL, "pause", "order", "1002", why, given)
    with pytest.raises(UnknownThing, match="no order '1002' of erp-fr"):
        deeds.on_timeline(LOCAL, "pause", "order", "1002", why, given, scope="erp-fr")
    deeds.on_timeline(LOCAL, "pause", "order", "1002", why, given, scope="erp-us")
    for _ in range(2):
        assert {e: clock(house, e)["state"] for e in ("erp-de", "erp-us")} == {"erp-de": "running", "erp-us": "paused"}
        house.store.rebuild()
    [deed] = [d for d in house.store.rows("audit", **EVERY_DEED, as_of=NOON) if d["deed"] == "pause"]
    assert json.loads(deed["detail"])["scope"] == "erp-us"
    answer = act(LOCAL, "order", "1002", "resume", ClockDeed(reason="back", pause="waiting_for_customer"), "erp-us")
    assert answer["timeline"] == {"type": "order", "id": "1002", "scope": "erp-us"}
    house.settle()
    assert clock(house, "erp-us")["state"] == "running"
    house.store.close()


EVERY_DEED: dict[str, Any] = {"subject_type": None, "subject_id": None, "actor": None, "limit": 10, "offset": 0}


def clock(house: House, scope: str) -> dict[str, Any]:
    """The promise of order 1002 of `scope` that waits for its acceptance, two hours from its submission."""
    [one] = house.store.rows("timeline", type="order", id="1002", scope=scope, as_of=NOON)
    clocks = house.store.rows("timeline_clocks", lead_key=one["lead_key"], as_of=NOON)
    return next(c for c in clocks if c["promise"] == "order_acceptance")


def leads(at: Any) -> set[tuple[str, str | None]]:
    """Every order that a page leads to: its id, and whose it is."""
    found = (parse_qs(html.unescape(query)) for query in re.findall(r'href="\./order\?([^"]+)"', conftest.markup(at)))
    return {(q["id"][0], q.get("scope", [None])[0]) for q in found if q["type"] == ["order"]}
