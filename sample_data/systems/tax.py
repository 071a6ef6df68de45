"""The tax engine, with Avalara's manners."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opentelemetry.trace import Tracer

from sample_data.business import CENT
from sample_data.clock import Clock
from sample_data.systems.system import Call, Fault, System
from sample_data.truth import Truth

_RATES = {"DE": "0.19", "FR": "0.20", "GB": "0.20", "US": "0.07", "CA": "0.05", "SG": "0.09", "AU": "0.10"}


class Tax(System):
    """Determines tax. It knows the customers in `registrations`, and no others."""

    outage_fault = Fault(503, "ServerUnreachable", "The AvaTax server is unreachable or is undergoing maintenance.")

    def __init__(self, tracer: Tracer, clock: Clock, truth: Truth) -> None:
        super().__init__("tax", tracer, clock, truth)
        self.registrations: set[str] = set()
        self.offers("tax.determine", "POST", "/transactions", "order", self._determine)

    def _determine(self, call: Call) -> dict[str, Any]:
        country = call.body["sold_to_country"]
        if call.body["tax_id"] not in self.registrations:
            raise Fault(
                422,
                "TaxpayerNumberRequired",
                f"A registered taxpayer number is required. Ship-to customer {call.body['customer']} has no valid tax "
                f"registration in {country}: '{call.body['tax_id']}' is not registered.",
            )
        rate = Decimal(_RATES[country])
        return {"number": f"TX-{call.subject.id}", "tax": str((Decimal(call.body["amount"]) * rate).quantize(CENT))}
