"""What the engine carries: flows, steps, and steps that stand still; and the ways in which the other side says no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from opentelemetry.trace import Span, SpanContext
from opentelemetry.util.types import AttributeValue

from sample_data.business import Document, Order, Ref
from sample_data.engine.operations import OPERATIONS, Operation


class UpstreamError(Exception):
    """The other side said no, or said nothing. `code` is its own word where it gave one."""

    def __init__(self, code: str, message: str, *, status: int | None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s


class UpstreamRefused(UpstreamError):
    """Understood and refused: the same request will be refused again until something is put right."""


class UpstreamUnavailable(UpstreamError):
    """Down, throttling or locked: nothing was booked, and trying again later may help."""


class UpstreamTimeout(UpstreamError):
    """No answer in time: it may have been booked."""


@dataclass
class Timing:
    """How patient the engine is, in seconds."""

    timeout_s: float = 10.0
    attempts: int = 3
    backoff_s: float = 0.5
    schedule_s: tuple[float, ...] = (300.0, 1500.0)
    """Waiting times before the scheduled further runs; then the engine gives up."""


@dataclass(eq=False)
class Flow:
    """One order's way through the systems, or a shared stretch of several orders' ways: what its spans have in common.

    `batch` is the span of the job (a nightly payment run) in whose trace the flow runs, if it does not have its own.
    """

    correlation_id: str
    orders: tuple[Order, ...]
    rng: Random
    timing: Timing
    batch: SpanContext | None = None
    stage: str = ""
    root: Span | None = None
    last_root: SpanContext | None = None
    journal: list[Step] = field(default_factory=list)
    patches: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_settled: bool = False
    is_hurried: bool = False
    is_cancelled: bool = False

    @property
    def order(self) -> Order:
        return self.orders[0]


@dataclass(eq=False)
class Step:
    """One operation on one object. `after_timeout` says what the engine does when it hears nothing: `retry` with the
    same idempotency key, `resubmit` as if new (a fault in an old flow version), or `park` and wait for a person."""

    operation: Operation
    ref: Ref
    payload: Callable[[], dict[str, Any]]
    system: str
    document: Document | None = None
    version: int = 1
    after_timeout: str = "retry"
    path_params: dict[str, str] = field(default_factory=dict)
    runs: int = 0

    @property
    def key(self) -> tuple[str, Ref, str, int]:
        return (self.operation.name, self.ref, self.system, self.version)


@dataclass(eq=False)
class Resume:
    """An order to run a parked step again, by a replay or by a person in the business."""

    replay_id: str | None = None
    replay_attempt: int = 1
    failed_span: SpanContext | None = None
    patch: dict[str, Any] = field(default_factory=dict)
    from_step: str | None = None
    already_present: dict[str, Any] | None = None
    result: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, result: str) -> None:
        """The first result stands."""
        if not self.result.done():
            self.result.set_result(result)


@dataclass(eq=False)
class Parked:
    """A step that waits: `error` None if the flow stopped without a word, `again_in_s` None if not by itself."""

    flow: Flow
    step: Step
    error: UpstreamError | None
    again_in_s: float | None
    wakeup: asyncio.Future[Resume] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def resume(self, order: Resume) -> bool:
        """True if this order is the one that wakes the step; False if another was before it."""
        if self.wakeup.done():
            return False
        self.wakeup.set_result(order)
        return True


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396.

    >>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def step_for(
    operation: str,
    order: Order,
    payload: Callable[[], dict[str, Any]],
    *,
    document: Document | None = None,
    system: str | None = None,
    after_timeout: str = "retry",
) -> Step:
    """The step that does `operation` on the order, on its quote or customer, or on `document`."""
    known = OPERATIONS[operation]
    at = system or (order.erp if known.system == "erp" else known.system)
    subject = {"quote": Ref("quote", order.quote), "customer": order.customer.ref}.get(known.subject, order.ref)
    if document is not None:
        subject = document.ref
    return Step(
        known,
        subject,
        payload,
        at,
        document=document,
        version=order.version if subject.type == "order" else 1,
        after_timeout=after_timeout,
        path_params={"number": order.erp_numbers.get(at, "")},
    )


def flow_attributes(flow: Flow) -> dict[str, AttributeValue]:
    customer = flow.order.customer
    attributes: dict[str, AttributeValue] = {
        "messaging.message.conversation_id": flow.correlation_id,
        "q2c.customer.id": customer.id,
        "q2c.customer.name": customer.name,
    }
    attributes.update({f"q2c.{name}": value for name, value in flow.order.segments().items()})
    return attributes


def document_attributes(document: Document) -> dict[str, AttributeValue]:
    """The document's own amount, and its links with their shares: single values, or parallel arrays."""
    attributes: dict[str, AttributeValue] = {
        "q2c.amount": str(document.amount),
        "q2c.currency": document.currency,
    }
    if document.quantity is not None:
        attributes["q2c.quantity"] = document.quantity
    link = f"q2c.{document.type}.{document.parent_type}"
    parents = [share.parent for share in document.shares]
    amounts = [str(share.amount) for share in document.shares]
    quantities = [str(share.quantity) for share in document.shares if share.quantity is not None]
    if len(parents) == 1:
        attributes |= {f"{link}.id": parents[0], f"{link}.amount": amounts[0]}
        if quantities:
            attributes[f"{link}.quantity"] = quantities[0]
    else:
        attributes |= {f"{link}.id": parents, f"{link}.amount": amounts}
        if quantities:
            attributes[f"{link}.quantity"] = quantities
    return attributes
