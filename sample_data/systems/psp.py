"""The payment service provider, with Stripe's manners. It names its milestones on its own spans."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Tracer

from sample_data.clock import Clock
from sample_data.systems.system import Call, Fault, System
from sample_data.truth import Truth


class Psp(System):
    """Applies payments. `declined_customers` have a card without funds until they bring another one."""

    outage_fault = Fault(503, "api_error", "Stripe's API is temporarily unavailable. Please try again later.")
    throttle_fault = Fault(
        429,
        "rate_limit",
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        retry_after_s=2,
    )

    def __init__(self, tracer: Tracer, clock: Clock, truth: Truth) -> None:
        super().__init__("psp", tracer, clock, truth)
        self.declined_customers: set[str] = set()
        self.offers("psp.apply_payment", "POST", "/payments", "payment", self._apply, "payment_applied")
        self.offers("psp.reverse_payment", "POST", "/reversals", "payment", self._reverse, "payment_reversed")

    def _apply(self, call: Call) -> dict[str, Any]:
        if call.body["customer"] in self.declined_customers:
            self.holds(call, "waiting_for_customer")
            raise Fault(402, "card_declined", "Your card has insufficient funds.")
        self.lets_go(call, "waiting_for_customer")
        call.tags["q2c.payment.id"] = call.subject.id
        return {"payment": call.subject.id, "status": "succeeded"}

    def _reverse(self, call: Call) -> dict[str, Any]:
        call.tags["q2c.payment.id"] = call.subject.id
        return {"payment": call.subject.id, "status": "reversed"}
