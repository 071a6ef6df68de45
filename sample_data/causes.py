"""Why a call fails in the estate, and who would say what kind of failure that is: the oracle's verdict on every code.

The verdicts follow the definitions of the labelled error data: business = refused for data or business rules, technical
= our own mapping, credentials or a record lock, dependency = the other side is down, slow or throttling.
"""

from __future__ import annotations

VERDICTS: dict[str, tuple[str, str]] = {  # code -> (class, category)
    "TaxpayerNumberRequired": ("business", "tax"),
    "V1 382": ("business", "pricing_product"),
    "PRICEBOOK_ENTRY_INACTIVE": ("business", "pricing_product"),
    "V1 154": ("business", "credit_payment"),
    "card_declined": ("business", "credit_payment"),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": ("business", "order_validation"),
    "RECIPIENTS.ADDRESS.INVALID": ("business", "customer_master"),
    "F5 201": ("business", "invoice_billing"),
    "UNABLE_TO_LOCK_ROW": ("technical", "concurrency_lock"),
    "DPCM1 003": ("technical", "concurrency_lock"),
    "INVALID_SESSION_ID": ("technical", "auth_config"),
    "param_unknown": ("technical", "contract_schema"),
    "ICM_HTTP_CONNECTION_FAILED": ("dependency", "outage"),
    "SERVER_UNAVAILABLE": ("dependency", "outage"),
    "ServerUnreachable": ("dependency", "outage"),
    "service_unavailable": ("dependency", "outage"),
    "api_error": ("dependency", "outage"),
    "SERVICE.UNAVAILABLE.ERROR": ("dependency", "outage"),
    "ICM_HTTP_QUOTA_EXCEEDED": ("dependency", "rate_limit"),
    "REQUEST_LIMIT_EXCEEDED": ("dependency", "rate_limit"),
    "api_request_limit_exceeded": ("dependency", "rate_limit"),
    "rate_limit": ("dependency", "rate_limit"),
    "httpx.ReadTimeout": ("dependency", "timeout"),
    "httpx.ConnectTimeout": ("dependency", "timeout"),
    "httpx.ConnectError": ("dependency", "outage"),
    "httpx.ReadError": ("dependency", "outage"),
    "httpx.RemoteProtocolError": ("dependency", "outage"),
}


def verdict(code: str) -> tuple[str, str]:
    """Class and category of a code; a code that the estate was not meant to give is technical and unknown."""
    return VERDICTS.get(code, ("technical", "unknown"))
