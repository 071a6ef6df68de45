"""The stories of the estate, one function each. A story gets a deal, arranges what will go wrong, and plays.

What goes wrong is arranged in the systems' own books (an item that is inactive, a customer who is blocked), never on
spans: the systems then really refuse. What is wrong stays wrong until somebody repairs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from sample_data.business import CENT, Customer, Line, Share, split
from sample_data.deals import Deal

Play = Callable[[Deal], Coroutine[object, object, None]]


@dataclass(frozen=True)
class Scenario:
    """A story, the product lines and customers it suits, and its share of the traffic (in per mille)."""

    name: str
    play: Play
    product_lines: tuple[str, ...] = ("hardware", "subscription", "services")
    suits: Callable[[Customer], bool] = lambda _: True
    share: float = 0.0


async def happy_path(deal: Deal) -> None:
    """Nothing goes wrong."""
    await deal.sell()


async def partial_shipments(deal: Deal) -> None:
    """The goods leave in two shipments; one invoice covers them."""
    await deal.quote()
    await deal.submit()
    await deal.wait("ship")
    quantity, amount = deal.share_of(60)
    await deal.ship(quantity, amount)
    await deal.wait("ship rest")
    await deal.ship(deal.order.quantity - quantity, deal.order.amount - amount)
    await deal.wait("bill")
    await deal.invoice()
    await deal.pay()
    await deal.post_revenue()
    deal.complete()


async def several_invoices(deal: Deal) -> None:
    """Each of two shipments has its own invoice, and each invoice its own payment."""
    await deal.quote()
    await deal.submit()
    quantity, amount = deal.share_of(50)
    rest = (deal.order.quantity - quantity, deal.order.amount - amount)
    for index, (units, value) in enumerate([(quantity, amount), rest]):
        await deal.wait("ship rest" if index else "ship")
        await deal.ship(units, value)
        await deal.wait("bill")
        invoice = await deal.invoice(value, units)
        await deal.pay([invoice])
    await deal.post_revenue()
    deal.complete()


async def _up_to_invoice(deal: Deal) -> None:
    await deal.quote()
    await deal.submit()
    await deal.fulfil()
    await deal.wait("bill")
    await deal.invoice()


async def payment_over_invoices(deal: Deal) -> None:
    """One payment settles the invoices of three orders of the same customer."""
    deals = [deal, deal.estate.sibling(deal), deal.estate.sibling(deal)]

    await asyncio.gather(*(_up_to_invoice(one) for one in deals))
    flow = deal.estate.flow(tuple(one.order for one in deals), deal.rng, is_brisk=deal.is_brisk)
    invoices = [invoice for one in deals for invoice in one.invoices]
    payment = deal.document("payment", "invoice", [Share(invoice.id, invoice.amount) for invoice in invoices])
    await deal.wait(f"pay {deal.order.customer.tier}")
    flow.stage = "payment"
    await deal.do("psp.apply_payment", payment, flow=flow)
    deal.end_stage(flow)
    for one in deals:
        await one.post_revenue()
        one.complete()


async def consolidated_invoice(deal: Deal) -> None:
    """One invoice, and one payment, over two orders of the same customer."""
    deals = [deal, deal.estate.sibling(deal)]

    async def up_to_fulfilment(one: Deal) -> None:
        await one.quote()
        await one.submit()
        await one.fulfil()

    await asyncio.gather(*(up_to_fulfilment(one) for one in deals))
    await deal.wait("bill")
    flow = deal.estate.flow(tuple(one.order for one in deals), deal.rng, is_brisk=deal.is_brisk)
    shares = [Share(one.order.number, one.order.amount, one.order.quantity) for one in deals]
    invoice = deal.document("invoice", "order", shares)
    await deal.book_invoice(invoice, flow)
    await deal.wait(f"pay {deal.order.customer.tier}")
    flow.stage = "payment"
    await deal.do(
        "psp.apply_payment", deal.document("payment", "invoice", [Share(invoice.id, invoice.amount)]), flow=flow
    )
    await deal.do("erp.post_revenue", invoice, flow=flow)
    deal.end_stage(flow)
    for one in deals:
        one.complete()


async def contract_amendment(deal: Deal) -> None:
    """The customer takes more seats before the first invoice: the order has a second version."""
    await deal.quote()
    await deal.submit()
    await deal.fulfil()
    await deal.wait("change mind")
    more = max(1, deal.order.lines[0].quantity // 3)
    first, *others = deal.order.lines
    await deal.amend((Line(first.sku, first.quantity + more, first.unit_price), *others))
    await deal.wait("bill")
    await deal.invoice()
    await deal.pay()
    await deal.post_revenue()
    deal.complete()


async def customer_entered_twice(deal: Deal) -> None:
    """Somebody enters a known customer as a new one, and the sync makes a second of it in the ERP; the order is the second one's."""
    known = deal.order.customer
    await deal.sync_customer(known)
    await deal.wait("decide")
    again = replace(known, id=deal.estate.numbers.take("customer"), name=known.name.upper())
    await deal.sync_customer(again)
    deal.estate.truth.contradicted("check.duplicate_customer", again.ref, "duplicate")
    deal.order.customer = again
    await deal.sell()


async def release_changes_payloads(deal: Deal) -> None:
    """A release of the sync engine sends invoices without their terms, and prices as numbers; who was billed by it has not paid yet."""
    before = [deal, *(deal.estate.sibling(deal) for _ in range(4))]
    after = [deal.estate.sibling(deal) for _ in range(5)]

    await asyncio.gather(*(_up_to_invoice(one) for one in before))
    deal.estate.release("1.1.0")
    await asyncio.gather(*(_up_to_invoice(one) for one in after))

    async def up_to_cash(one: Deal) -> None:
        await one.pay()
        await one.post_revenue()
        one.complete()

    await asyncio.gather(*(up_to_cash(one) for one in before))


async def invalid_tax_registration(deal: Deal) -> None:
    """The ship-to's tax id is not registered: the tax engine refuses."""
    country = deal.order.customer.country
    deal.order.tax_id = f"{country}999{deal.rng.randrange(10**5, 10**6)}"
    await deal.sell()


async def stale_terms_mapping(deal: Deal) -> None:
    """The engine's table of payment terms is stale: the ERP books other terms than were agreed, and billing bills by them."""
    await deal.quote()
    agreed = deal.order.customer.payment_terms
    booked = {"payment_terms": "NET90" if agreed != "NET90" else "NET14"}
    deal.mapping_faults |= {"erp.create_order": booked, "billing.issue_invoice": booked}
    await deal.submit()
    deal.estate.truth.contradicted("check.mismatch_erp_order", deal.order.ref, "contract_schema")
    await deal.to_cash()


async def invoice_sent_twice(deal: Deal) -> None:
    """Billing bills the whole order a second time; the customer pays the first invoice."""
    await deal.quote()
    await deal.submit()
    await deal.fulfil()
    await deal.wait("bill")
    invoice = await deal.invoice()
    await deal.invoice()
    deal.estate.truth.contradicted("check.duplicate_invoice", deal.order.ref, "duplicate")
    await deal.pay([invoice])
    await deal.post_revenue()
    deal.complete()


async def inactive_item_mapping(deal: Deal) -> None:
    """One of the items is not set up for the sales organisation: the ERP refuses, also every other order with it."""
    await deal.quote()
    deal.estate.erp(deal.order.erp).inactive_items.add(deal.order.lines[0].sku)
    await deal.submit()
    await deal.to_cash()


async def credit_hold(deal: Deal) -> None:
    """The customer is blocked for credit, so all its orders are refused until finance releases it."""
    await deal.quote()
    deal.estate.erp(deal.order.erp).blocked_customers.add(deal.order.customer.id)
    await deal.submit()
    await deal.to_cash()


async def duplicate_after_timeout(deal: Deal) -> None:
    """The ERP books the order but answers too late; the engine resubmits as if new, and the ERP books it twice."""
    deal.after_timeout["erp.create_order"] = "resubmit"
    await deal.quote()
    deal.answer_late("erp.create_order")
    await deal.submit()
    deal.estate.truth.contradicted("check.booked_twice", deal.order.ref, "duplicate")
    await deal.to_cash()


async def failed_acknowledgment(deal: Deal) -> None:
    """The ERP books the order but answers too late; the engine does not know, and stops rather than booking twice."""
    deal.after_timeout["erp.create_order"] = "park"
    await deal.quote()
    deal.answer_late("erp.create_order")
    await deal.submit()
    await deal.to_cash()


async def slow_answer(deal: Deal) -> None:
    """The ERP answers too late once; the engine asks again with the same key, and nothing is booked twice."""
    await deal.quote()
    deal.answer_late("erp.create_order")
    await deal.submit()
    await deal.to_cash()


async def erp_downtime(deal: Deal) -> None:
    """The ERP is down, for longer than the engine tries."""
    await deal.quote()
    deal.estate.begin_outage(deal.order.erp, "downtime")
    await deal.submit()
    await deal.to_cash()


async def api_throttling(deal: Deal) -> None:
    """The CRM answers most requests with 429 and Retry-After; the engine gets through in the end."""
    deal.estate.begin_outage("crm", "throttling")
    await deal.quote()
    await deal.submit()
    deal.estate.end_outage("crm")
    await deal.to_cash()


async def out_of_order_delivery(deal: Deal) -> None:
    """All goes well, but the spans arrive late and shuffled: children before parents, payment before order."""
    deal.estate.telemetry.feed.hold_back(deal.flow.correlation_id)
    await deal.sell()
    deal.estate.telemetry.feed.release_shuffled(deal.flow.correlation_id)


async def cross_border_routing(deal: Deal) -> None:
    """A US customer buys from the German entity: the order goes to both ERPs, under two numbers."""
    deal.order.legal_entity, deal.order.erp, deal.order.currency = "DE01", "erp-de", "EUR"
    await deal.quote()
    await deal.submit(("erp-us", "erp-de"))
    await deal.to_cash()


async def multi_currency(deal: Deal) -> None:
    """The same customer buys in three currencies, each through another legal entity."""
    deals = [deal, deal.estate.sibling(deal), deal.estate.sibling(deal)]
    for one, (currency, entity, erp) in zip(
        deals, [("EUR", "DE01", "erp-de"), ("USD", "US01", "erp-us"), ("GBP", "GB01", "erp-de")], strict=True
    ):
        one.order.currency, one.order.legal_entity, one.order.erp = currency, entity, erp
    await asyncio.gather(*(one.sell() for one in deals))


async def stopped_flow(deal: Deal) -> None:
    """The flow simply stops after the order was accepted: an event was lost, nothing failed."""
    line = deal.order.product_line
    deal.stops_before = {
        "hardware": "logistics.post_shipment",
        "subscription": "billing.activate_subscription",
    }.get(line, "billing.issue_invoice")
    await deal.sell()


async def cancel_and_reorder(deal: Deal) -> None:
    """The customer cancels the accepted order, and orders the same again in a changed quantity."""
    await deal.quote()
    await deal.submit()
    await deal.wait("change mind")
    deal.flow.stage = "cancellation"
    await deal.do("erp.cancel_order")
    await deal.do("crm.cancel_order")
    deal.end_stage()
    deal.flow.is_cancelled = True
    truth, order = deal.estate.truth, deal.order
    truth.undo("order_accepted", order.ref, deal.estate.clock.now_ns())
    truth.state(order.quote, "cancelled")
    await deal.wait("change mind")
    again = tuple(Line(line.sku, line.quantity + 1, line.unit_price) for line in order.lines)
    await deal.estate.sibling(deal, order_lines=again).sell()


async def credit_note(deal: Deal) -> None:
    """The customer disputes an invoice; part of it is credited before it is paid."""
    await deal.quote()
    await deal.submit()
    await deal.fulfil()
    await deal.wait("bill")
    invoice = await deal.invoice()
    deal.flow.stage = "dispute"
    await deal.do("billing.open_dispute", invoice)
    await deal.wait("change mind")
    credited = (invoice.amount * deal.rng.choice((10, 15, 25)) / 100).quantize(CENT, ROUND_HALF_UP)
    deal.flow.stage = "credit"
    note = deal.document("credit_note", "invoice", [Share(invoice.id, credited)])
    await deal.do("billing.issue_credit_note", note)
    deal.end_stage()
    await deal.pay([invoice], [invoice.amount - credited])
    await deal.post_revenue()
    deal.complete()


async def return_and_credit(deal: Deal) -> None:
    """The goods come back and the whole invoice is credited; no money changes hands."""
    await deal.quote()
    await deal.submit()
    await deal.fulfil()
    await deal.wait("bill")
    invoice = await deal.invoice()
    await deal.wait("change mind")
    deal.flow.stage = "return"
    await deal.do("logistics.post_return", deal.shipments[0])
    now_ns = deal.estate.clock.now_ns()
    deal.estate.truth.undo("shipment_posted", deal.shipments[0].ref, now_ns)
    note = deal.document("credit_note", "invoice", [Share(invoice.id, invoice.amount)])
    await deal.do("billing.issue_credit_note", note)
    deal.estate.truth.undo("invoice_issued", invoice.ref, deal.estate.clock.now_ns())
    deal.end_stage()
    deal.complete()


async def payment_reversal(deal: Deal) -> None:
    """The customer's bank takes the payment back; a second payment settles the invoice."""
    await deal.quote()
    await deal.submit()
    await deal.fulfil()
    await deal.wait("bill")
    await deal.invoice()
    payment = await deal.pay()
    await deal.wait("change mind")
    deal.flow.stage = "reversal"
    await deal.do("psp.reverse_payment", payment)
    deal.end_stage()
    deal.estate.truth.undo("payment_applied", payment.ref, deal.estate.clock.now_ns())
    await deal.pay()
    await deal.post_revenue()
    deal.complete()


async def overpayment(deal: Deal) -> None:
    """The customer pays more than was invoiced."""
    await deal.quote()
    await deal.submit()
    await deal.fulfil()
    await deal.wait("bill")
    invoice = await deal.invoice()
    await deal.pay([invoice], [invoice.amount + Decimal(50) + split(invoice.amount, 10)[0]])
    deal.estate.truth.contradicted("check.over_payment_applied", deal.order.ref, "credit_payment")
    await deal.post_revenue()
    deal.complete()


async def card_declined(deal: Deal) -> None:
    """The customer's card has no funds until they bring another one."""
    await deal.quote()
    deal.estate.psp.declined_customers.add(deal.order.customer.id)
    await deal.submit()
    await deal.to_cash()


async def purchase_order_missing(deal: Deal) -> None:
    """The CRM asks for a purchase order number that the quote never had."""
    await deal.quote()
    deal.estate.crm.po_mandatory.add(deal.order.customer.id)
    await deal.submit()
    await deal.to_cash()


async def undeliverable_address(deal: Deal) -> None:
    """No carrier takes the address."""
    await deal.quote()
    deal.estate.logistics.undeliverable_customers.add(deal.order.customer.id)
    await deal.submit()
    await deal.to_cash()


async def record_lock(deal: Deal) -> None:
    """Somebody has the invoice open in the CRM; mostly not for long."""
    await deal.quote()
    await deal.submit()
    await deal.fulfil()
    await deal.wait("bill")
    deal.estate.crm.locked[deal.estate.numbers.next("invoice")] = deal.rng.choice((1, 1, 2, 2, 4, 5, 30))
    await deal.invoice()
    await deal.pay()
    await deal.post_revenue()
    deal.complete()


def _is_american(customer: Customer) -> bool:
    return customer.country == "US"


_GOODS = ("hardware",)
SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("happy_path", happy_path, share=807),
        Scenario("partial_shipments", partial_shipments, _GOODS, share=45),
        Scenario("several_invoices", several_invoices, _GOODS, share=30),
        Scenario("payment_over_invoices", payment_over_invoices, share=6),
        Scenario("consolidated_invoice", consolidated_invoice, share=5),
        Scenario("contract_amendment", contract_amendment, ("subscription",), share=14),
        Scenario("invalid_tax_registration", invalid_tax_registration, share=9),
        Scenario("invoice_sent_twice", invoice_sent_twice, share=2),
        Scenario("stale_terms_mapping", stale_terms_mapping, share=3),
        Scenario("inactive_item_mapping", inactive_item_mapping, _GOODS, share=4),
        Scenario("credit_hold", credit_hold, share=5),
        Scenario("duplicate_after_timeout", duplicate_after_timeout, share=1.5),
        Scenario("failed_acknowledgment", failed_acknowledgment, share=3),
        Scenario("slow_answer", slow_answer, share=8),
        Scenario("erp_downtime", erp_downtime, suits=lambda customer: customer.erp == "erp-de"),
        Scenario("api_throttling", api_throttling),
        Scenario("out_of_order_delivery", out_of_order_delivery, share=5),
        Scenario("cross_border_routing", cross_border_routing, suits=_is_american, share=7),
        Scenario("multi_currency", multi_currency, share=2),
        Scenario("stopped_flow", stopped_flow, share=3),
        Scenario("cancel_and_reorder", cancel_and_reorder, share=5),
        Scenario("credit_note", credit_note, share=7),
        Scenario("return_and_credit", return_and_credit, _GOODS, share=3),
        Scenario("payment_reversal", payment_reversal, share=4),
        Scenario("overpayment", overpayment, share=3),
        Scenario("card_declined", card_declined, share=4),
        Scenario("purchase_order_missing", purchase_order_missing, share=3),
        Scenario("undeliverable_address", undeliverable_address, _GOODS, share=3),
        Scenario("record_lock", record_lock, share=10),
        Scenario("customer_entered_twice", customer_entered_twice, share=2),
        Scenario("release_changes_payloads", release_changes_payloads),
    )
}
