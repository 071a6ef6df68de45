"""Billing: subscriptions, invoices, disputes about them, and credit notes, by which a dispute is settled."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Tracer

from sample_data.business import Ref
from sample_data.clock import Clock
from sample_data.systems.system import Call, Fault, System
from sample_data.truth import Truth


class Billing(System):
    """Issues invoices. `unmapped_fields` are fields that a release of its API no longer takes under that name."""

    outage_fault = Fault(503, "service_unavailable", "Billing is temporarily unavailable, try again later.")
    throttle_fault = Fault(429, "api_request_limit_exceeded", "API request limit exceeded.", retry_after_s=2)

    def __init__(self, tracer: Tracer, clock: Clock, truth: Truth) -> None:
        super().__init__("billing", tracer, clock, truth)
        self.unmapped_fields: set[str] = set()
        self.offers("billing.activate_subscription", "POST", "/subscriptions", "subscription", self._book)
        self.offers("billing.issue_invoice", "POST", "/invoices", "invoice", self._book)
        self.offers("billing.issue_credit_note", "POST", "/credit-notes", "credit_note", self._credit)
        self.offers("billing.open_dispute", "POST", "/disputes", "invoice", self._dispute)

    def _dispute(self, call: Call) -> dict[str, Any]:
        self.holds(call, "dispute")
        return {"invoice": call.subject.id, "status": "disputed"}

    def _credit(self, call: Call) -> dict[str, Any]:
        answer = self._book(call)
        for invoice in call.body["invoices"]:
            self.lets_go(call, "dispute", Ref("invoice", invoice))
        return answer

    def _book(self, call: Call) -> dict[str, Any]:
        for name in sorted(self.unmapped_fields & call.body.keys()):
            raise Fault(400, "param_unknown", f"{name} : unknown parameter, not supported since API version 2026-10-01")
        return {call.subject.type: call.subject.id, "status": "open"}
