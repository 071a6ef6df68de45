"""CPQ: checks that a quote can be sold as it stands."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Tracer

from sample_data.clock import Clock
from sample_data.systems.system import Call, Fault, System
from sample_data.truth import Truth


class Cpq(System):
    """Validates quotes. `withdrawn_skus` are products whose price book entry is no longer active."""

    def __init__(self, tracer: Tracer, clock: Clock, truth: Truth) -> None:
        super().__init__("cpq", tracer, clock, truth)
        self.withdrawn_skus: set[str] = set()
        self.offers("cpq.validate_quote", "POST", "/quotes/validations", "quote", self._validate)

    def _validate(self, call: Call) -> dict[str, Any]:
        for line in call.body["lines"]:
            if line["sku"] in self.withdrawn_skus:
                raise Fault(422, "PRICEBOOK_ENTRY_INACTIVE", f"Price book entry for product {line['sku']} is inactive.")
        return {"quote": call.subject.id, "valid": True}
