"""What is tied to nothing shows with its nearest candidates; a person ties it, everyone sees it, and it can be taken back."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from console.access import Access, Login, Principal
from console.api import app as api
from console.linking import Named
from tests.console.pages.conftest import NOON, House, Open, rows, shown
from trace_model.errors import Forbidden, Refused, UnknownThing

ADA = Principal("ada", "analyst")
LOST, ORDER = Named("invoice", "INV-7077"), Named("order", "SO-7077")


@pytest.fixture
def lost(house: House) -> House:
    """SO-7077 and SO-78 of one customer; the invoice of the first came without its order's number, the payment with nothing."""
    who = {"customer_id": "C-7", "customer_name": "Customer 7", "currency": "EUR"}
    house.span("crm.submit_order", 100, order_id="SO-7077", amount="600.00", **who)
    house.span("crm.submit_order", 101, order_id="SO-78", amount="900.00", **who)
    house.span("billing.issue_invoice", 104, invoice_id="INV-7077", amount="600.00", service="billing", **who)
    house.span("psp.apply_payment", 190, payment_id="PAY-5", amount="55.55", currency="EUR", service="psp")
    house.settle()
    return house


def invoiced(house: House) -> Any:
    timeline = house.store.rows("timeline", type="order", id="SO-7077", scope=None, as_of=NOON)[0]
    reached = house.store.rows("timeline_milestones", lead_key=timeline["lead_key"], as_of=NOON)
    return {m["milestone"]: m["coverage"] for m in reached if m["reached_at"]}.get("invoice_issued")


def test_an_orphan_shows_with_its_nearest_candidate_and_what_speaks_for_it(lost: House, page: Open) -> None:
    at = page("stitching")
    said = rows(at)
    first = next(row for row in said if row.startswith("INV-7077"))
    assert "order SO-7077" in first
    for reason in (
        "same customer", "same amount", "same number in its id", "has no invoice yet", "4 min apart",
    ):  # fmt: skip
        assert reason in first
    assert any("SO-78" in row and "same amount" not in row for row in said), "the next best stands below"
    assert any(row.startswith("PAY-5") and "nothing near" in row for row in said)
    assert "2 objects worth EUR 65" in " ".join(shown(at).split())


def test_a_link_by_hand_moves_the_milestone_and_taking_it_back_restores(lost: House, page: Open) -> None:
    before = lost.store.rows("stitching_orphans", as_of=NOON, system=None, object_type=None, limit=9, offset=0)
    assert invoiced(lost) is None
    deed = lost.resources.linking.do(ADA, "link", LOST, ORDER, "the customer sent the paper")
    assert invoiced(lost) == "complete"
    held = lost.store.rows("object_parents", object_key=before[0]["object_key"], as_of=NOON)
    assert [(k["source"], float(k["confidence"]), k["by_hand"]) for k in held] == [("operator", 1.0, True)]
    audit = lost.store.rows(
        "audit", as_of=NOON, subject_type="link", subject_id=deed.subject_id, actor="ada", limit=5, offset=0
    )
    assert [(a["deed"], a["reason"]) for a in audit] == [("link", "the customer sent the paper")]
    assert any("INV-7077" in row and "ada" in row for row in rows(page("stitching")))
    lost.store.rebuild()
    assert invoiced(lost) == "complete"
    lost.resources.linking.do(ADA, "unlink", LOST, ORDER, "it was the other order's")
    assert invoiced(lost) is None
    assert lost.store.rows("stitching_orphans", as_of=NOON, system=None, object_type=None, limit=9, offset=0) == before
    assert lost.store.first_broken_action() is None


@pytest.mark.parametrize(
    ("deed", "child", "parent", "fault", "told"),
    [
        ("link", LOST, Named("order", "SO-99"), UnknownThing, "no order 'SO-99' is known"),
        ("link", ORDER, LOST, Refused, "no relation that makes order part of invoice"),
        ("unlink", LOST, ORDER, Refused, "nobody tied"),
    ],
)
def test_what_cannot_be_tied_is_refused_with_the_reason(
    lost: House, deed: Any, child: Named, parent: Named, fault: type[Exception], told: str
) -> None:
    with pytest.raises(fault, match=told):
        lost.resources.linking.do(ADA, deed, child, parent, "because")


def test_tying_needs_a_right_a_reason_and_that_no_system_says_otherwise(lost: House) -> None:
    link = lost.resources.linking.do
    with pytest.raises(Forbidden):
        link(Principal("vic", "viewer"), "link", LOST, ORDER, "because")
    with pytest.raises(Refused, match="a reason is needed"):
        link(ADA, "link", LOST, ORDER, " ")
    link(ADA, "link", LOST, ORDER, "the paper says so")
    with pytest.raises(Refused, match="is part of order 'SO-7077' already"):
        link(ADA, "link", LOST, ORDER, "again")
    lost.span("billing.issue_invoice", 105, invoice_id="INV-78", invoice_order_id="SO-78", amount="900.00")
    lost.settle()
    with pytest.raises(Refused, match="a system says that invoice 'INV-78' is part of order 'SO-78'"):
        link(ADA, "link", Named("invoice", "INV-78"), ORDER, "I think so")


def test_the_api_says_and_does_the_same() -> None:
    house = House(access=Access([Login("ana", "analyst", "tok-a"), Login("vic", "viewer", "tok-v")]))
    who = {"customer_id": "C-7", "currency": "EUR"}
    house.span("crm.submit_order", 100, order_id="SO-7077", amount="600.00", **who)
    house.span("billing.issue_invoice", 104, invoice_id="INV-7077", amount="600.00", service="billing", **who)
    house.settle()

    def ask(method: str, path: str, status: int = 200, token: str = "tok-a", **more: Any) -> Any:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(api.create())
            async with httpx.AsyncClient(transport=transport, base_url="http://house") as client:
                return await client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **more)

        got = asyncio.run(asked())
        assert got.status_code == status, got.text
        return got.json()

    orphans = ask("GET", "/stitching/orphans")
    assert (orphans["total"], orphans["orphans"][0]["object"]) == (1, {"type": "invoice", "id": "INV-7077"})
    nearest = orphans["orphans"][0]["candidates"][0]
    assert nearest["object"] == nearest["lead"] == {"type": "order", "id": "SO-7077"}
    assert {"same customer", "same amount"} <= set(nearest["reasons"])
    assert 0.9 < nearest["score"] < 1
    tie = {"child": {"type": "invoice", "id": "INV-7077"}, "parent": nearest["object"], "reason": "the paper says so"}
    assert ask("POST", "/links/link", 403, "tok-v", json=tie)["title"] == "Forbidden"
    assert ask("POST", "/links/link", json=tie)["actor"] == "ana"
    assert ask("GET", "/stitching/orphans")["total"] == 0
    told = ask("GET", "/stitching", params={"days": 30})
    assert told["by_hand"][0]["child"] == {"type": "invoice", "id": "INV-7077"}
    assert {k["source"]: k["link_count"] for k in told["links"]} == {"operator": 1}
    links = ask("GET", "/timelines/order/SO-7077")["links"]
    assert [(k["source"], k["confidence"]) for k in links] == [("operator", 1.0)]
    assert ask("POST", "/links/unlink", json=tie | {"reason": "wrong"})["deed"] == "unlink"
    assert ask("GET", "/stitching/orphans")["total"] == 1
    assert "nobody tied" in ask("POST", "/links/unlink", 409, json=tie)["detail"]
    house.store.close()


def test_an_empty_house_has_nothing_to_stitch(empty_house: House, page: Open) -> None:
    said = shown(page("stitching"))
    assert "Nothing to stitch." in said
    assert "No orphans." in said
    assert "No link by hand." in said
