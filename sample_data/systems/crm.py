"""The CRM, with Salesforce's manners: 18-character ids, validation rules, row locks, sessions that expire."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Tracer

from sample_data.clock import Clock
from sample_data.systems.system import Call, Fault, System
from sample_data.truth import Truth

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Crm(System):
    """Accepts quotes and orders. `po_mandatory` holds customers whose orders need a purchase order number."""

    outage_fault = Fault(503, "SERVER_UNAVAILABLE", "The server is unavailable: instance EU42 is under maintenance.")
    throttle_fault = Fault(429, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", retry_after_s=2)

    def __init__(self, tracer: Tracer, clock: Clock, truth: Truth, first: int = 1001) -> None:
        super().__init__("crm", tracer, clock, truth)
        self.po_mandatory: set[str] = set()
        self.session_expired = False
        self.ids: dict[str, str] = {}
        self._next_id = first
        self.offers("crm.accept_quote", "POST", "/quotes/acceptances", "quote", self._accept_quote)
        self.offers("crm.submit_order", "POST", "/orders", "order", self._submit_order)
        self.offers("crm.acknowledge_order", "PATCH", "/orders/acknowledgments", "order", self._acknowledge)
        self.offers("crm.cancel_order", "POST", "/orders/cancellations", "order", self._acknowledge)
        self.offers("crm.update_invoice_status", "PATCH", "/invoices/status", "invoice", self._update_invoice)

    def _check_session(self) -> None:
        if self.session_expired:
            raise Fault(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def _accept_quote(self, call: Call) -> dict[str, Any]:
        self._check_session()
        return {"quote": call.subject.id, "status": "Accepted"}

    def _submit_order(self, call: Call) -> dict[str, Any]:
        self._check_session()
        customer = call.body["customer"]
        if customer in self.po_mandatory and not call.body.get("po_number"):
            self.holds(call, "waiting_for_customer")
            raise Fault(
                400,
                "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                f"A purchase order number is required before orders of account {customer} can be activated.",
            )
        self.lets_go(call, "waiting_for_customer")
        crm_id = self.ids.get(call.subject.id)
        if crm_id is None:
            crm_id = self.ids[call.subject.id] = _record_id(self._next_id)
            self._next_id += 1
            self.truth.alias(call.subject, self.name, crm_id)
        call.tags |= {"salesforce.order.id": crm_id, "q2c.order.id": call.subject.id}
        return {"number": crm_id, "order": call.subject.id}

    def _acknowledge(self, call: Call) -> dict[str, Any]:
        self._check_session()
        call.tags["salesforce.order.id"] = self.ids.get(call.subject.id, "")
        return {"order": call.subject.id, "status": "Acknowledged"}

    def _update_invoice(self, call: Call) -> dict[str, Any]:
        self._check_session()
        if self.locked.get(call.subject.id, 0) > 0:
            self.locked[call.subject.id] -= 1
            record = _record_id(self._next_id)
            reason = f"unable to obtain exclusive access to this record or 1 records: {record}"
            raise Fault(409, "UNABLE_TO_LOCK_ROW", reason)
        return {"invoice": call.subject.id, "status": call.body.get("status", "Open")}


def _record_id(number: int) -> str:
    """An order id as Salesforce writes it: 801, instance, base 62, check suffix; 18 characters."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return f"801Hs{digits.rjust(10, '0')}IAQ"
