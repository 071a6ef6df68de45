"""What the estate trades in: customers, products, and the canonical documents that the engine carries between systems.

Amounts are `Decimal` with two places in the document's currency; quantities are whole units.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any, NamedTuple

CENT = Decimal("0.01")


class Ref(NamedTuple):
    """An object of the business: its type (order, invoice, ...) and its canonical number."""

    type: str
    id: str

    def as_json(self) -> dict[str, str]:
        return {"type": self.type, "id": self.id}


@dataclass(frozen=True)
class Customer:
    id: str
    name: str
    region: str
    country: str
    tier: str
    legal_entity: str
    currency: str
    erp: str
    tax_id: str

    @property
    def ref(self) -> Ref:
        return Ref("customer", self.id)

    @property
    def payment_terms(self) -> str:
        return "NET60" if self.tier == "enterprise" else "NET30"

    def document(self) -> dict[str, Any]:
        """The canonical customer, as the sync carries it from the CRM to the ERP."""
        return {
            "customer": self.id,
            "name": self.name,
            "country": self.country,
            "tax_id": self.tax_id,
            "payment_terms": self.payment_terms,
        }


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int
    unit_price: Decimal

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.unit_price


@dataclass
class Order:
    """One order and its quote. `erp_numbers` holds what each ERP calls it, known once that ERP has answered."""

    customer: Customer
    lines: tuple[Line, ...]
    product_line: str
    workflow: str
    quote: str
    number: str = ""
    erp_numbers: dict[str, str] = field(default_factory=dict)
    version: int = 1
    tax_id: str = ""
    erp: str = ""
    legal_entity: str = ""
    currency: str = ""

    def __post_init__(self) -> None:
        self.tax_id = self.tax_id or self.customer.tax_id
        self.erp = self.erp or self.customer.erp
        self.legal_entity = self.legal_entity or self.customer.legal_entity
        self.currency = self.currency or self.customer.currency

    @property
    def ref(self) -> Ref:
        return Ref("order", self.number)

    @property
    def amount(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    def segments(self) -> dict[str, str]:
        return {
            "region": self.customer.region,
            "product_line": self.product_line,
            "legal_entity": self.legal_entity,
            "tier": self.customer.tier,
            "workflow": self.workflow,
        }

    def document(self) -> dict[str, Any]:
        """The canonical order, as it travels from quote to ERP."""
        return {
            "order": self.number or None,
            "quote": self.quote,
            "customer": self.customer.id,
            "sold_to_country": self.customer.country,
            "tax_id": self.tax_id,
            "payment_terms": self.customer.payment_terms,
            "legal_entity": self.legal_entity,
            "currency": self.currency,
            "amount": str(self.amount),
            "quantity": self.quantity,
            "lines": [
                {"sku": line.sku, "quantity": line.quantity, "unit_price": str(line.unit_price)} for line in self.lines
            ],
        }


class Share(NamedTuple):
    """How much of a parent document a child document covers."""

    parent: str
    amount: Decimal
    quantity: int | None = None


@dataclass
class Document:
    """A shipment, invoice, payment, subscription or credit note, with its shares of the documents before it."""

    type: str
    id: str
    parent_type: str
    shares: tuple[Share, ...]
    currency: str
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        return Ref(self.type, self.id)

    @property
    def amount(self) -> Decimal:
        return sum((share.amount for share in self.shares), Decimal(0))

    @property
    def quantity(self) -> int | None:
        quantities = [share.quantity for share in self.shares if share.quantity is not None]
        return sum(quantities) if quantities else None

    def parent_of(self, share: Share) -> Ref:
        return Ref(self.parent_type, share.parent)

    def document(self) -> dict[str, Any]:
        return {
            self.type: self.id,
            f"{self.parent_type}s": [share.parent for share in self.shares],
            "amount": str(self.amount),
            "currency": self.currency,
            **({"quantity": self.quantity} if self.quantity is not None else {}),
            **self.extra,
        }


class Numbers:
    """Number ranges, readable and increasing: Q-1001, SO-1001, INV-1001 ... Never hands out a number twice."""

    PREFIXES = {  # noqa: RUF012
        "customer": "CU",  # who is entered again
        "quote": "Q",
        "order": "SO",
        "shipment": "SH",
        "invoice": "INV",
        "payment": "PAY",
        "subscription": "SUB",
        "credit_note": "CN",
    }

    def __init__(self, first: int = 1001) -> None:
        self._next = dict.fromkeys(self.PREFIXES, first)

    def take(self, object_type: str) -> str:
        number = self._next[object_type]
        self._next[object_type] = number + 1
        return f"{self.PREFIXES[object_type]}-{number}"

    def next(self, object_type: str) -> str:
        """The number that will be taken next."""
        return f"{self.PREFIXES[object_type]}-{self._next[object_type]}"

    def highest(self) -> int:
        return max(self._next.values()) - 1


def payload_digest(payload: dict[str, Any]) -> str:
    """A digest that is equal when the payloads mean the same, whatever the order of their keys.

    >>> payload_digest({"a": 1, "b": 2}) == payload_digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:32]


def split(total: Decimal, parts: int) -> list[Decimal]:
    """`parts` amounts that add up to `total` to the cent.

    >>> split(Decimal("10.00"), 3)
    [Decimal('3.33'), Decimal('3.33'), Decimal('3.34')]
    """
    each = (total / parts).quantize(CENT, ROUND_HALF_UP)
    return [each] * (parts - 1) + [total - each * (parts - 1)]


# -- who buys ---------------------------------------------------------------------------------------------------------

_MARKETS = {  # region -> (country, legal entity, currency, ERP), with weights
    "EMEA": [
        (("DE", "DE01", "EUR", "erp-de"), 5),
        (("FR", "DE01", "EUR", "erp-de"), 2),
        (("GB", "GB01", "GBP", "erp-de"), 3),
    ],
    "AMER": [(("US", "US01", "USD", "erp-us"), 9), (("CA", "US01", "USD", "erp-us"), 1)],
    "APAC": [(("SG", "US01", "USD", "erp-us"), 2), (("AU", "GB01", "GBP", "erp-de"), 1)],
}
_FIRST = """
    Adler Alpine Baltic Birch Blauwald Borealis Cardinal Cedar Cobalt Copper Delta Ember Falken Fjord Granite Harbour
    Helios Indigo Juniper Kestrel Lakeside Larch Meridian Nimbus Nordlicht Oakfield Orchid Pacific Pinnacle Quarry
    Redwood Rhein Sable Sequoia Solstice Summit Tamarack Tidewater Vesper Westfield
"""
_TRADE = "Automation Foods Logistics Medical Optics Robotics Textiles Tools Energy Packaging"
_FORMS = {"DE": "GmbH", "FR": "SAS", "GB": "Ltd", "US": "Inc.", "CA": "Corp.", "SG": "Pte Ltd", "AU": "Pty Ltd"}
_TIERS = ("smb", "midmarket", "enterprise")


def customers(seed: int, count: int = 360) -> list[Customer]:
    """The customer master, C-1001 upwards; the same for the same seed."""
    rng = Random(f"{seed}:customers")
    names = [f"{first} {trade}" for first in _FIRST.split() for trade in _TRADE.split()]
    rng.shuffle(names)
    master = []
    for index in range(count):
        region = rng.choices(("EMEA", "AMER", "APAC"), (46, 40, 14))[0]
        markets = _MARKETS[region]
        country, entity, currency, erp = rng.choices([m for m, _ in markets], [w for _, w in markets])[0]
        tier = rng.choices(_TIERS, (55, 30, 15))[0]
        tax_id = f"{country}{rng.randrange(10**8, 10**9)}"
        name = f"{names[index]} {_FORMS[country]}"
        master.append(Customer(f"C-{1001 + index}", name, region, country, tier, entity, currency, erp, tax_id))
    return master


# -- what is sold -----------------------------------------------------------------------------------------------------

_PRICES = {
    "hardware": [
        (f"HW-{family}{size}", Decimal(price))
        for family, base in (("GW", 420), ("RT", 890), ("SN", 65), ("CT", 1480))
        for size, price in ((100, base), (200, base * 2), (300, base * 3), (450, base * 5))
    ],
    "subscription": [
        ("SW-CORE", Decimal(29)),
        ("SW-PLUS", Decimal(79)),
        ("SW-ANALYTICS", Decimal(149)),
        ("SW-EDGE", Decimal(49)),
    ],
    "services": [("SV-ONSITE", Decimal(1180)), ("SV-REMOTE", Decimal(640)), ("SV-TRAINING", Decimal(950))],
}
SKUS = {sku for prices in _PRICES.values() for sku, _ in prices}
_UNITS = {"smb": 6, "midmarket": 25, "enterprise": 110}


def lines(rng: Random, product_line: str, tier: str) -> tuple[Line, ...]:
    """One to three order lines, of a size that fits the customer's tier."""
    prices = _PRICES[product_line]
    chosen = rng.sample(prices, rng.choices((1, 2, 3), (6, 3, 1))[0])
    most = _UNITS[tier] if product_line != "services" else 3 + _UNITS[tier] // 10
    discount = Decimal(rng.choice((100, 100, 100, 95, 90, 88))) / 100
    return tuple(
        Line(sku, rng.randint(1 + most // 6, most), (price * discount).quantize(CENT)) for sku, price in sorted(chosen)
    )
