"""The operations that the engine knows: which system does them, at which endpoint, on which kind of object."""

from __future__ import annotations

from typing import NamedTuple


class Operation(NamedTuple):
    """`system` is `erp` where the order decides which ERP. `milestone` is what the engine names on its own span;
    the ERPs and the PSP name theirs themselves."""

    name: str
    system: str
    method: str
    path: str
    subject: str
    milestone: str | None = None
    sends_payload: bool = False


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("erp.create_customer", "erp", "POST", "/business-partners", "customer", sends_payload=True),
        Operation("cpq.validate_quote", "cpq", "POST", "/quotes/validations", "quote", sends_payload=True),
        Operation("crm.accept_quote", "crm", "POST", "/quotes/acceptances", "quote", "quote_accepted"),
        Operation("tax.determine", "tax", "POST", "/transactions", "order", sends_payload=True),
        Operation("credit.check", "erp", "POST", "/credit-checks", "order"),
        Operation("crm.submit_order", "crm", "POST", "/orders", "order", "order_submitted", sends_payload=True),
        Operation("erp.create_order", "erp", "POST", "/sales-orders", "order", sends_payload=True),
        Operation("erp.change_order", "erp", "PATCH", "/sales-orders/{number}", "order", sends_payload=True),
        Operation("erp.cancel_order", "erp", "POST", "/sales-orders/{number}/cancellation", "order"),
        Operation("crm.acknowledge_order", "crm", "PATCH", "/orders/acknowledgments", "order"),
        Operation("crm.cancel_order", "crm", "POST", "/orders/cancellations", "order"),
        Operation(
            "billing.activate_subscription",
            "billing",
            "POST",
            "/subscriptions",
            "subscription",
            "subscription_activated",
        ),
        Operation("logistics.post_shipment", "logistics", "POST", "/shipments", "shipment", "shipment_posted"),
        Operation("logistics.post_return", "logistics", "POST", "/returns", "shipment", "shipment_returned"),
        Operation(
            "billing.issue_invoice", "billing", "POST", "/invoices", "invoice", "invoice_issued", sends_payload=True
        ),
        Operation("billing.open_dispute", "billing", "POST", "/disputes", "invoice"),
        Operation("billing.issue_credit_note", "billing", "POST", "/credit-notes", "credit_note", "invoice_credited"),
        Operation("erp.post_invoice", "erp", "POST", "/billing-documents", "invoice"),
        Operation("crm.update_invoice_status", "crm", "PATCH", "/invoices/status", "invoice"),
        Operation("psp.apply_payment", "psp", "POST", "/payments", "payment"),
        Operation("psp.reverse_payment", "psp", "POST", "/reversals", "payment"),
        Operation("erp.post_revenue", "erp", "POST", "/revenue-postings", "invoice"),
    )
}
