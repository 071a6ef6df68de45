"""A small business in a store, put there by `Store.record`, and the pages run over it as of a fixed instant."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from console import resources
from console.access import Access, Login
from console.deeds import Deeds
from console.linking import Linking
from console.replay.engine import Engines
from console.replay.replays import Replays
from console.settings import Settings
from trace_model.catalogue.loader import load
from trace_model.catalogue.schema import Catalogue
from trace_model.spans import SCHEMA
from trace_model.store import Store
from trace_model.store.ledger import Ledger

CONSOLE = Path(__file__).parents[3] / "console"
MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TEXT = re.compile(r"<[^>]+>")


@dataclass
class House:
    """A console without doors: a store in memory, deeds, replays without an engine. `now` is what the clock says."""

    now: datetime = NOON
    access: Access = field(default_factory=Access)
    catalogue: Catalogue = field(default_factory=load)

    def __post_init__(self) -> None:
        self.store = Store(None, self.catalogue, clock=lambda: self.now)
        replays = Replays(self.store, Ledger(self.store.database, self.store.clock), Engines(), self.store.clock)
        self.resources = resources.Resources(
            store=self.store, deeds=Deeds(self.store), linking=Linking(self.store), replays=replays, access=self.access, settings=Settings(), ingest_counters=dict,
        )  # fmt: skip
        self._spans = 0
        self.provide()

    def provide(self) -> None:
        resources.provide(self.resources)

    def span(
        self,
        name: str,
        minutes: float,
        *,
        error: str | None = None,
        service: str = "sync-engine",
        thrown: str = "HTTPError",
        more: dict[str, Any] | None = None,
        **attributes: Any,
    ) -> None:
        """One span `minutes` after MORNING; its business keys are `order_id="SO-1"` for `q2c.order.id` and so on."""
        self._spans += 1
        began = int(MORNING.timestamp() * 1e9) + int(minutes * 60e9)
        said = (
            {"q2c." + key.replace("_", "."): value for key, value in attributes.items()}
            | {"q2c.operation": name}
            | (more or {})
        )
        happened = [
            {
                "name": "exception",
                "time_unix_nano": began,
                "attributes": {"exception.type": thrown, "exception.message": error},
            }
        ]
        row = {
            "trace_id": uuid.UUID(int=self._spans).bytes, "span_id": self._spans, "name": name, "kind": 3, "service": service, "start_unix_ns": began,
            "end_unix_ns": began + 80_000_000, "status_code": 2 if error else 1, "status_message": error, "attributes": json.dumps(said),
            "resource": "{}", "events": json.dumps(happened) if error else None, "source": "test",
        }  # fmt: skip
        storage = pa.array([row["trace_id"]], pa.binary(16))
        columns = [
            pa.ExtensionArray.from_storage(pa.uuid(), storage)
            if one.name == "trace_id"
            else pa.array([row.get(one.name)], one.type)
            for one in SCHEMA
        ]
        self.store.record(pa.Table.from_arrays(columns, schema=SCHEMA))

    def settle(self) -> None:
        self.store.project()


@pytest.fixture(scope="session")
def _empty() -> Iterator[House]:
    made = House()
    yield made
    made.store.close()


@pytest.fixture(scope="session")
def _busy() -> Iterator[House]:
    made = House()
    trade(made)
    yield made
    made.store.close()


@pytest.fixture
def empty_house(_empty: House) -> House:
    """An empty console; only for reading."""
    _empty.provide()
    return _empty


@pytest.fixture
def business(_busy: House) -> House:
    """The console of `trade`; only for reading, so that it is made once."""
    _busy.provide()
    return _busy


@pytest.fixture
def house() -> Iterator[House]:
    """A console of the test's own."""
    made = House()
    yield made
    made.store.close()


def trade(house: House) -> None:
    """SO-1 moves, SO-2 is refused for its tax number, SO-3 meets an ERP that is down, SO-4 is breached and shares INV-9 with SO-1."""
    for number, amount, region in (
        ("1", "1000.00", "EMEA"),
        ("2", "2500.50", "EMEA"),
        ("3", "70000.00", "AMER"),
        ("4", "400.00", "APAC"),
    ):
        order = f"SO-{number}"
        money: dict[str, Any] = {
            "amount": amount,
            "currency": "EUR",
            "region": region,
            "product_line": "services",
            "customer_name": f"Customer {number}",
        }
        began = 0.0 if number == "4" else 200.0
        house.span("crm.accept_quote", began, quote_id=f"Q-{number}", **money)
        house.span("crm.submit_order", began + 1, order_id=order, order_quote_id=f"Q-{number}", **money)
    house.span("erp.create_order", 203, order_id="SO-1", amount="1000.00", currency="EUR", service="erp-de")
    refused = "Customer C-7 has no valid tax registration number"
    house.span("tax.determine", 203, order_id="SO-2", error=refused, error_code="TAX_ID_INVALID", service="tax")
    house.span(
        "erp.create_order", 203, order_id="SO-3", error="503 Service Unavailable", error_code="503", service="erp-us"
    )
    house.span(
        "billing.issue_invoice", 210, invoice_id="INV-9", invoice_order_id=["SO-1", "SO-4"], invoice_order_amount=["600.00", "400.00"],
        amount="1000.00", currency="EUR", payload='{"total": "1000.00"}',
    )  # fmt: skip
    house.settle()


Open = Callable[..., AppTest]


@pytest.fixture
def page() -> Open:
    """Runs a page as of its address; `page("orders", state="stuck")`."""

    def run(name: str, **address: str) -> AppTest:
        at = AppTest.from_file(str(CONSOLE / "app_pages" / f"{name}.py"), default_timeout=20)
        at.session_state["room"] = "" if name == "today" else name.replace("_", "-")
        for key, value in address.items():
            at.query_params[key] = value
        return at.run()

    return run


@pytest.fixture
def console() -> AppTest:
    """The whole script, on Today."""
    return AppTest.from_file(str(CONSOLE / "app.py"), default_timeout=20)


def shown(at: AppTest) -> str:
    """Everything that panels of the page say, as text; fails on a page that could not be shown."""
    assert not at.exception, at.exception
    assert not at.error, [one.value for one in at.error]
    return TEXT.sub(" ", markup(at)).replace("&#x27;", "'").replace("&amp;", "&")


def markup(at: AppTest) -> str:
    """What panels of the page draw."""
    return "\n".join(json.loads(one.proto.json)["html"] for one in at.get("bidi_component"))


def rows(at: AppTest) -> list[str]:
    """The rows of the page's tables as text."""
    return [" ".join(TEXT.sub(" ", row).split()) for row in re.findall(r"<tr[ >].*?</tr>", markup(at), re.S)]


@pytest.fixture
def with_logins() -> Iterator[House]:
    made = House(access=Access([Login("ana", "viewer", "let-me-in")]))
    yield made
    made.store.close()
