"""Spans for tests, in as few words as a story needs. Instants are whole seconds after T0."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from trace_model.spans import SCHEMA, span_id_hex, trace_id_hex

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday morning."""
_T0_NS = int(T0.timestamp()) * 1_000_000_000


def instant(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Span:
    """One span; `trace` and `span` are small numbers, `attributes` what its JSON holds."""

    trace: int
    span: int
    name: str
    at: float
    until: float
    parent: int | None = None
    service: str = "sync-engine"
    kind: int = 1
    error: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    links: tuple[tuple[int, int], ...] = ()
    thrown: tuple[str, str] | None = None

    def but(self, **changes: Any) -> Span:
        return replace(self, **changes)

    def row(self) -> dict[str, Any]:
        event = self.thrown and {
            "name": "exception",
            "time_unix_nano": _T0_NS,
            "attributes": {"exception.type": self.thrown[0], "exception.message": self.thrown[1]},
        }
        linked = [
            {"trace_id": trace_id_hex(uuid.UUID(int=t)), "span_id": span_id_hex(s), "attributes": {}}
            for t, s in self.links
        ]
        return {
            "trace_id": uuid.UUID(int=self.trace).bytes,
            "span_id": self.span,
            "parent_span_id": self.parent,
            "name": self.name,
            "kind": self.kind,
            "service": self.service,
            "scope": None,
            "start_unix_ns": _T0_NS + int(self.at * 1e9),
            "end_unix_ns": _T0_NS + int(self.until * 1e9),
            "status_code": 2 if self.error is not None else 1,
            "status_message": self.error,
            "trace_state": None,
            "attributes": json.dumps(self.attributes),
            "resource": json.dumps(self.resource),
            "events": json.dumps([event]) if event else None,
            "links": json.dumps(linked) if linked else None,
            "source": "test",
        }


def table(spans: Iterable[Span]) -> pa.Table:
    """The spans as a batch of `trace_model.spans.SCHEMA`."""
    rows = [span.row() for span in spans]
    columns = []
    for column in SCHEMA:
        values: Sequence[Any] = [row[column.name] for row in rows]
        if column.name == "trace_id":
            columns.append(pa.ExtensionArray.from_storage(pa.uuid(), pa.array(values, pa.binary(16))))
        else:
            columns.append(pa.array(values, column.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


class Story:
    """Collects spans; each call of `does` is a trace of its own unless `under` names a span of this story.

    `ids` are written `order="SO-1"` for `q2c.order.id`, `order_quote="Q-1"` for `q2c.order.quote.id`.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def does(
        self,
        operation: str | None,
        at: float,
        *,
        name: str | None = None,
        under: Span | None = None,
        until: float | None = None,
        service: str = "sync-engine",
        kind: int = 1,
        error: str | None = None,
        thrown: tuple[str, str] | None = None,
        links: Sequence[Span] = (),
        more: dict[str, Any] | None = None,
        amount: str | float | None = None,
        currency: str | None = None,
        quantity: float | None = None,
        milestone: str | None = None,
        correlation: str | None = None,
        **ids: str | list[str],
    ) -> Span:
        said = {
            "q2c.operation": operation,
            "q2c.amount": amount,
            "q2c.currency": currency or ("EUR" if amount is not None else None),
            "q2c.quantity": quantity,
            "q2c.milestone": milestone,
            "messaging.message.conversation_id": correlation,
        }
        attributes: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
        for key, value in ids.items():
            attributes[_attribute(key)] = value
        number = len(self.spans) + 1
        span = Span(
            trace=under.trace if under else number,
            span=number,
            parent=under.span if under else None,
            name=name or operation or "POST",
            at=at,
            until=at + 1 if until is None else until,
            service=service,
            kind=kind,
            error=error,
            thrown=thrown,
            attributes=attributes | (more or {}),
            links=tuple((s.trace, s.span) for s in links),
        )
        self.spans.append(span)
        return span


TYPES = ("customer", "quote", "order_line", "order", "subscription", "shipment", "invoice", "credit_note", "payment")


def _attribute(key: str) -> str:
    child = next(t for t in TYPES if key == t or key.startswith(f"{t}_"))
    rest = key.removeprefix(child).lstrip("_")
    if not rest:
        return f"q2c.{child}.id"
    parent = next((t for t in TYPES if rest == t or rest.startswith(f"{t}_")), None)
    if parent is None:
        return f"q2c.{child}.{rest}"
    measure = rest.removeprefix(parent).lstrip("_")
    return f"q2c.{child}.{parent}.{measure or 'id'}"
