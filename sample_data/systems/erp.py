"""An ERP, with SAP's manners. There are two, and both count their sales orders from 4500001.

It names its milestones on its own spans. After it has accepted an order, many of its spans know that order only by the
ERP's own number (`sap.sales_order.id`).
"""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Tracer

from sample_data.clock import Clock
from sample_data.systems.system import Call, Fault, System
from sample_data.truth import Truth

FIRST_NUMBER = 4500001


class Erp(System):
    """Books sales orders, invoices and revenue. What a person in finance or master data can put right:
    `inactive_items`, `blocked_customers`, `closed_periods` (legal entities whose period is closed)."""

    outage_fault = Fault(
        503, "ICM_HTTP_CONNECTION_FAILED", "Service cannot be reached: the application server is not available."
    )
    throttle_fault = Fault(429, "ICM_HTTP_QUOTA_EXCEEDED", "Too many requests: quota exceeded.", retry_after_s=2)

    def __init__(self, name: str, tracer: Tracer, clock: Clock, truth: Truth, first: int = 1001) -> None:
        super().__init__(name, tracer, clock, truth)
        self.inactive_items: set[str] = set()
        self.blocked_customers: set[str] = set()
        self.closed_periods: set[str] = set()
        self._next_number = FIRST_NUMBER + first - 1001
        self.offers("erp.create_customer", "POST", "/business-partners", "customer", self._create_customer)
        self.offers("credit.check", "POST", "/credit-checks", "order", self._check_credit)
        self.offers("erp.create_order", "POST", "/sales-orders", "order", self._create_order, "order_accepted")
        self.offers("erp.change_order", "PATCH", "/sales-orders/{number}", "order", self._change, "order_accepted")
        self.offers(
            "erp.cancel_order", "POST", "/sales-orders/{number}/cancellation", "order", self._change, "order_cancelled"
        )
        self.offers("erp.post_invoice", "POST", "/billing-documents", "invoice", self._post_invoice, "invoice_posted")
        self.offers("erp.post_revenue", "POST", "/revenue-postings", "invoice", self._post_revenue, "revenue_posted")

    def _create_customer(self, call: Call) -> dict[str, Any]:
        """Whoever comes is created, or changed if known by that id: nobody looks whether the tax id is another's."""
        return {"customer": call.subject.id, "status": "active"}

    def _check_credit(self, call: Call) -> dict[str, Any]:
        customer = call.body["customer"]
        if customer in self.blocked_customers:
            self.holds(call, "credit_hold")
            raise Fault(
                422,
                "V1 154",
                f"Order receipt/delivery not possible, credit customer {customer} blocked",
            )
        self.lets_go(call, "credit_hold")
        return {"order": call.subject.id, "credit": "approved"}

    def _create_order(self, call: Call) -> dict[str, Any]:
        for line in call.body["lines"]:
            if line["sku"] in self.inactive_items:
                raise Fault(
                    422,
                    "V1 382",
                    f"Material {line['sku']} is not defined for sales org. {call.body['legal_entity']}, "
                    "distr.chan. 10, language EN",
                )
        number = str(self._next_number)
        self._next_number += 1
        call.tags |= {"sap.sales_order.id": number, "q2c.order.id": call.subject.id}
        self.truth.alias(call.subject, self.name, number)
        self._run_availability_check(number)
        return {"number": number, "order": call.subject.id}

    def _run_availability_check(self, number: str) -> None:
        """The ERP's own job: a trace of its own, which knows nothing but the ERP's number."""
        started_ns = self.clock.now_ns()
        span = self.tracer.start_span(
            "availability check",
            context=Context(),
            kind=SpanKind.INTERNAL,
            attributes={"sap.sales_order.id": number},
            start_time=started_ns,
        )
        span.end(started_ns + 12_000_000)

    def _change(self, call: Call) -> dict[str, Any]:
        call.tags["sap.sales_order.id"] = call.params["number"]
        if "version" in call.body:
            call.tags["q2c.order.version"] = call.body["version"]
        return {"number": call.params["number"], "order": call.subject.id}

    def _post_invoice(self, call: Call) -> dict[str, Any]:
        entity = call.body["legal_entity"]
        if entity in self.closed_periods:
            period = self.clock.now().strftime("%m %Y")
            raise Fault(422, "F5 201", f"Posting period 0{period} is not open in company code {entity}")
        if self.locked.get(call.subject.id, 0) > 0:
            self.locked[call.subject.id] -= 1
            raise Fault(
                409, "DPCM1 003", f"User RFC_SYNC is already processing {call.subject.id}; only display possible"
            )
        self._tag_invoice(call)
        return {"number": f"90{call.subject.id.split('-')[1].zfill(8)}", "invoice": call.subject.id}

    def _post_revenue(self, call: Call) -> dict[str, Any]:
        self._tag_invoice(call)
        return {"number": f"18{call.subject.id.split('-')[1].zfill(8)}", "invoice": call.subject.id}

    def _tag_invoice(self, call: Call) -> None:
        call.tags["q2c.invoice.id"] = call.subject.id
        if len(call.body.get("sales_orders", [])) == 1:
            call.tags["sap.sales_order.id"] = call.body["sales_orders"][0]
