"""Logistics: shipments out, returns in."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Tracer

from sample_data.clock import Clock
from sample_data.systems.system import Call, Fault, System
from sample_data.truth import Truth


class Logistics(System):
    """Posts shipments. `undeliverable_customers` have an address that no carrier takes."""

    outage_fault = Fault(503, "SERVICE.UNAVAILABLE.ERROR", "The service is currently unavailable, try again later.")

    def __init__(self, tracer: Tracer, clock: Clock, truth: Truth) -> None:
        super().__init__("logistics", tracer, clock, truth)
        self.undeliverable_customers: set[str] = set()
        self.offers("logistics.post_shipment", "POST", "/shipments", "shipment", self._post)
        self.offers("logistics.post_return", "POST", "/returns", "shipment", self._post)

    def _post(self, call: Call) -> dict[str, Any]:
        customer = call.body["customer"]
        if customer in self.undeliverable_customers:
            raise Fault(
                422, "RECIPIENTS.ADDRESS.INVALID", f"Recipient address of {customer} is invalid: postal code not found."
            )
        return {"shipment": call.subject.id, "tracking": f"1Z{call.subject.id.split('-')[1].zfill(10)}"}
