"""Two ERPs both have an order 1001: search, page and API tell them apart, and never guess which is meant."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.resources import files

import pytest

from console.api.timelines import timeline
from console.finding import timelines_named
from tests.console.pages import conftest
from tests.console.pages.conftest import NOON, House, Open, rows, shown
from trace_model.catalogue.loader import load
from trace_model.errors import AmbiguousThing, UnknownThing


@pytest.fixture(scope="module")
def _scoped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Order 1001 of erp-de is invoiced; order 1001 of erp-us is another customer's."""
    text = (files("trace_model.catalogue") / "quote_to_cash.yaml").read_text("utf-8")
    plain = "  - name: order\n    label: Order\n"
    path = tmp_path_factory.mktemp("scoped") / "mine.yaml"
    path.write_text(text.replace(plain, plain + "    scope: system\n"), "utf-8")
    given = load(str(path))
    assert next(t.scope for t in given.object_types if t.name == "order") == "system"
    made = House(catalogue=given)
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
