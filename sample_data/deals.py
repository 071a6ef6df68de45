"""A deal: one order's way from quote to cash, in stages that scenarios put together.

Between stages a deal waits as business does: minutes, days, over the weekend. A *brisk* deal (live, digital) waits
seconds. A deal that a replay has set going again hurries, so that whoever replayed it sees the rest at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sample_data.business import CENT, Customer, Document, Line, Order, Share, lines
from sample_data.engine.flow import Flow, step_for

if TYPE_CHECKING:
    from sample_data.estate import Estate

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
ZONES = {"EMEA": ZoneInfo("Europe/Berlin"), "AMER": ZoneInfo("America/New_York"), "APAC": ZoneInfo("Asia/Singapore")}

_CALM = {  # median seconds, spread (of the log), whether people in an office or a warehouse do it
    "decide": (2 * HOUR, 1.0, True),
    "submit": (3 * MINUTE, 0.8, False),
    "activate": (4 * MINUTE, 0.7, False),
    "ship": (16 * HOUR, 0.6, True),
    "ship rest": (26 * HOUR, 0.5, True),
    "deliver service": (30 * HOUR, 0.5, True),
    "bill": (40 * MINUTE, 0.9, True),
    "bill rest": (20 * HOUR, 0.4, True),
    "pay smb": (20 * HOUR, 0.8, False),
    "pay midmarket": (4 * DAY, 0.5, False),
    "pay enterprise": (10 * DAY, 0.4, False),
    "book": (30.0, 0.5, False),
    "change mind": (5 * HOUR, 0.6, True),
}
_BRISK = {  # seconds, from - to
    "decide": (2.0, 12.0),
    "submit": (1.0, 4.0),
    "activate": (2.0, 8.0),
    "ship": (30.0, 150.0),
    "ship rest": (40.0, 120.0),
    "deliver service": (15.0, 60.0),
    "bill": (2.0, 10.0),
    "bill rest": (10.0, 30.0),
    "pay smb": (12.0, 60.0),
    "pay midmarket": (15.0, 75.0),
    "pay enterprise": (20.0, 90.0),
    "book": (0.5, 2.0),
    "change mind": (5.0, 20.0),
}


def next_opening(at: datetime, region: str) -> datetime:
    """`at` itself within local office hours (8-18, Monday to Friday), otherwise the next opening."""
    local = at.astimezone(ZONES[region])
    if local.hour >= 18:
        local = (local + timedelta(days=1)).replace(hour=8, minute=local.minute // 2)
    elif local.hour < 8:
        local = local.replace(hour=8, minute=local.minute // 2)
    while local.weekday() >= 5:
        local = (local + timedelta(days=1)).replace(hour=8, minute=local.minute // 2)
    return local.astimezone(at.tzinfo)


class Deal:
    """One order and what its scenario has in store for it."""

    def __init__(
        self,
        estate: Estate,
        scenario: str,
        customer: Customer,
        product_line: str,
        *,
        rng: Random,
        is_brisk: bool,
        pace: float = 1.0,
        order_lines: tuple[Line, ...] | None = None,
    ) -> None:
        self.estate = estate
        self.scenario = scenario
        self.rng = rng
        self.is_brisk = is_brisk
        self.pace = pace
        workflow = rng.choices(("sync_api", "event", "batch"), (58, 32, 0 if is_brisk else 10))[0]
        chosen = order_lines or lines(rng, product_line, customer.tier)
        self.order = Order(customer, chosen, product_line, workflow, "")
        self.flow = estate.flow((self.order,), rng, is_brisk=is_brisk)
        self.after_timeout: dict[str, str] = {}
        self.mapping_faults: dict[str, dict[str, Any]] = {}
        """What the engine maps wrongly, by operation: fields of the payload that it sends."""
        self.stops_before: str | None = None
        self.shipments: list[Document] = []
        self.invoices: list[Document] = []

    # -- stages -------------------------------------------------------------------------------------------------------

    async def sync_customer(self, customer: Customer) -> None:
        """The customer, as the CRM has it, is in the ERP: a flow of its own, which knows of no quote."""
        carrier = Order(customer, self.order.lines, self.order.product_line, self.order.workflow, "")
        flow = self.estate.flow((carrier,), self.rng, is_brisk=self.is_brisk)
        flow.stage = "customer"
        await self.estate.runner.perform(flow, step_for("erp.create_customer", carrier, customer.document))
        self.end_stage(flow)

    async def quote(self) -> None:
        """The customer has a valid quote and has accepted it."""
        order = self.order
        order.quote = self.estate.numbers.take("quote")
        self.estate.truth.opened(
            order.quote,
            scenario=self.scenario,
            customer=order.customer.id,
            amount=str(order.amount),
            currency=order.currency,
            segments=order.segments(),
        )
        self.flow.stage = "quote"
        await self.do("cpq.validate_quote")
        await self.wait("decide")
        await self.do("crm.accept_quote")
        await self.wait("submit")

    async def submit(self, erps: Sequence[str] = ()) -> None:
        """The order is in the CRM and in its ERP (or in all of `erps`), and the CRM knows that."""
        order = self.order
        order.number = self.estate.numbers.take("order")
        self.note_order()
        self.flow.stage = "order"
        for operation in ("tax.determine", "credit.check", "crm.submit_order"):
            await self.do(operation)
        for erp in erps or (order.erp,):
            await self.create_in_erp(erp)
        await self.do("crm.acknowledge_order")
        self.end_stage()

    async def create_in_erp(self, erp: str) -> None:
        answer = await self.do("erp.create_order", system=erp)
        self.order.erp_numbers[erp] = answer["number"]

    async def amend(self, order_lines: tuple[Line, ...]) -> None:
        """The order has a new version, with these lines, in CRM and ERP."""
        order = self.order
        order.lines, order.version = order_lines, order.version + 1
        self.note_order()
        self.flow.stage = "amendment"
        await self.do("crm.submit_order")
        await self.do("erp.change_order", extra={"version": order.version})
        self.end_stage()

    async def fulfil(self) -> None:
        """Goods have left, the subscription runs, or the service was delivered: whatever the product line asks for."""
        if self.order.product_line == "hardware":
            await self.wait("ship")
            await self.ship(self.order.quantity, self.order.amount)
        elif self.order.product_line == "subscription":
            await self.wait("activate")
            self.flow.stage = "activation"
            share = Share(self.order.number, self.order.amount, self.order.quantity)
            await self.do("billing.activate_subscription", self.document("subscription", "order", [share]))
            self.end_stage()
        else:
            await self.wait("deliver service")

    async def ship(self, quantity: int, amount: Decimal) -> Document:
        self.flow.stage = "shipment"
        shipment = self.document("shipment", "order", [Share(self.order.number, amount, quantity)])
        await self.do("logistics.post_shipment", shipment)
        self.shipments.append(shipment)
        self.end_stage()
        return shipment

    async def invoice(self, amount: Decimal | None = None, quantity: int | None = None) -> Document:
        """An invoice over `amount` of the order (all of it by default): issued, posted, and known to the CRM."""
        order = self.order
        share = Share(order.number, amount or order.amount, quantity if amount else order.quantity)
        invoice = self.document("invoice", "order", [share])
        await self.book_invoice(invoice, self.flow)
        return invoice

    async def book_invoice(self, invoice: Document, flow: Flow) -> None:
        flow.stage = "invoice"
        numbers = [order.erp_numbers[order.erp] for order in flow.orders if order.erp in order.erp_numbers]
        terms = self.order.customer.payment_terms
        invoice.extra |= {"legal_entity": self.order.legal_entity, "sales_orders": numbers, "payment_terms": terms}
        await self.do("billing.issue_invoice", invoice, flow=flow)
        self.invoices.append(invoice)
        await self.do("erp.post_invoice", invoice, flow=flow)
        await self.do("crm.update_invoice_status", invoice, flow=flow, extra={"status": "Posted"})
        self.end_stage(flow)

    async def pay(
        self, invoices: Sequence[Document] | None = None, amounts: Sequence[Decimal] | None = None
    ) -> Document:
        """One payment settles these invoices (this deal's by default), each in full unless `amounts` says else."""
        await self.wait(f"pay {self.order.customer.tier}")
        due = list(invoices or self.invoices)
        shares = [Share(i.id, amount) for i, amount in zip(due, amounts or [i.amount for i in due], strict=True)]
        payment = self.document("payment", "invoice", shares)
        if self.order.workflow == "batch" and not self.is_brisk and not self.flow.is_hurried:
            await self.estate.payment_run.turn()
            flow = self.estate.flow(self.flow.orders, self.rng, is_brisk=False, batch=self.estate.payment_run)
        else:
            flow = self.flow
        flow.stage = "payment"
        await self.do("psp.apply_payment", payment, flow=flow)
        self.end_stage(flow)
        return payment

    async def post_revenue(self) -> None:
        self.flow.stage = "revenue"
        await self.wait("book")
        for invoice in self.invoices:
            await self.do("erp.post_revenue", invoice)
        self.end_stage()

    def complete(self) -> None:
        self.estate.truth.state(self.order.quote, "completed")

    async def to_cash(self) -> None:
        """Everything after the order was accepted, the plain way."""
        await self.fulfil()
        await self.wait("bill")
        await self.invoice()
        await self.pay()
        await self.post_revenue()
        self.complete()

    async def sell(self) -> None:
        """Quote to cash, the plain way."""
        await self.quote()
        await self.submit()
        await self.to_cash()

    # -- steps --------------------------------------------------------------------------------------------------------

    async def do(
        self,
        operation: str,
        document: Document | None = None,
        *,
        flow: Flow | None = None,
        system: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The system's answer to `operation` on `document`, or on the order; waits through failures."""
        order = self.order
        customer = {"customer": order.customer.id}

        def payload() -> dict[str, Any]:
            base = document.document() if document else order.document()
            return base | customer | (extra or {}) | self.mapping_faults.get(operation, {})

        step = step_for(
            operation,
            order,
            payload,
            document=document,
            system=system,
            after_timeout=self.after_timeout.get(operation, "retry"),
        )
        stops = self.stops_before == operation
        if document and not stops:
            self._note_document(document)
        answer = await self.estate.runner.perform(flow or self.flow, step, stops=stops)
        if document and stops:
            self._note_document(document)
        return answer

    def document(self, kind: str, parent_type: str, shares: Sequence[Share]) -> Document:
        number = self.estate.numbers.take(kind)
        return Document(kind, number, parent_type, tuple(shares), self.order.currency)

    def end_stage(self, flow: Flow | None = None) -> None:
        self.estate.runner.close_trace(flow or self.flow)

    async def wait(self, reason: str) -> None:
        """As long as business takes for this; the current trace ends."""
        self.end_stage()
        median_s, spread, in_office = _CALM[reason]
        calm_s = median_s * math.exp(self.rng.gauss(0.0, spread)) * self.pace
        brisk_s = self.rng.uniform(*_BRISK[reason])
        if self.flow.is_hurried:
            await asyncio.sleep(min(brisk_s, 0.3))
        elif self.is_brisk:
            await asyncio.sleep(brisk_s)
        else:
            now = self.estate.clock.now()
            then = now + timedelta(seconds=calm_s)
            if in_office:
                then = next_opening(then, self.order.customer.region)
            await asyncio.sleep((then - now).total_seconds())

    def share_of(self, percent: int) -> tuple[int, Decimal]:
        """Quantity and amount of about `percent` of the order, at least one unit."""
        quantity = max(1, self.order.quantity * percent // 100)
        amount = (self.order.amount * quantity / self.order.quantity).quantize(CENT, ROUND_HALF_UP)
        return quantity, amount

    def answer_late(self, operation: str) -> None:
        """The ERP will book the order, and answer when the engine has stopped listening."""
        self.estate.erp(self.order.erp).late_answers.add((operation, self.flow.correlation_id))

    def note_order(self) -> None:
        """The truth and the engine know the order, in its present version."""
        order = self.order
        self.estate.truth.ordered(order.quote, order.number, str(order.amount), order.quantity)
        self.estate.runner.flows[order.ref] = self.flow

    def _note_document(self, document: Document) -> None:
        """The truth knows the document, its links, and every order that it stands for, also through an invoice."""
        truth = self.estate.truth
        for share in document.shares:
            parent = document.parent_of(share)
            truth.link(document.ref, parent, amount=str(share.amount), quantity=share.quantity)
            truth.share_in(parent, document.ref)
