"""The engine's heart: one operation on one object, tried, retried, given up, resumed.

A *step* is an operation on an object. One *run* of a step is one operation span with a handful of HTTP attempts under
it; immediate retries heal inside a run, scheduled ones are new runs. A step that has failed for now is *parked*: its
flow stands still there until the schedule, a replay or a person sends it on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from sample_data.business import Ref, payload_digest
from sample_data.causes import verdict
from sample_data.clock import Clock
from sample_data.engine.flow import (
    Flow,
    Parked,
    Resume,
    Step,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    document_attributes,
    flow_attributes,
    merge_patch,
)
from sample_data.engine.releases import CHANGES, FIRST
from sample_data.truth import Truth

_TRACE_CONTEXT = TraceContextTextMapPropagator()
_RETRYABLE_STATUSES = {409, 429, 502, 503, 504}


class Runner:
    """Runs steps. `parked` holds what stands still now, `done` which flow has done what."""

    def __init__(self, tracer: Tracer, clock: Clock, truth: Truth, client: httpx.AsyncClient) -> None:
        self.tracer = tracer
        self._clock = clock
        self._truth = truth
        self._client = client
        self.parked: dict[tuple[str, Ref, str, int], Parked] = {}
        self.done: dict[tuple[str, Ref], tuple[Flow, Step]] = {}
        self.flows: dict[Ref, Flow] = {}
        self.watchers: list[Callable[[Parked], None]] = []
        self.release = FIRST

    async def perform(self, flow: Flow, step: Step, *, stops: bool = False) -> dict[str, Any]:
        """The system's answer, once the step has succeeded; that may take days, a repair and a replay.

        With `stops`, the flow stands still before the step without a word, and only a replay of it leads on.
        """
        self.flows[step.ref] = flow
        resume = await self._wait(self._stop(flow, step)) if stops else None
        while True:
            try:
                answer = await self._run_resumed(flow, step, resume) if resume else await self._run(flow, step, None)
            except UpstreamError as error:
                parked = self._park(flow, step, error, may_retry=resume is None)
                if resume:
                    resume.settle(f"failed again: {error.code}: {error}")
                resume = await self._wait(parked)
                continue
            self.done[step.operation.name, step.ref] = (flow, step)
            flow.journal.append(step)
            if resume:
                flow.is_hurried = self._clock.live
                resume.settle("succeeded")
            return answer

    def deploy(self, release: str, tracer: Tracer) -> None:
        """From now on the engine is that release: its spans say so by `tracer`, and its payloads are as that release makes them."""
        self.release, self.tracer = release, tracer

    def close_trace(self, flow: Flow) -> None:
        """The flow's current trace ends here; what comes later is a new one, which may link back."""
        if flow.root is not None:
            flow.last_root = flow.root.get_span_context()
            flow.root.end(self._clock.now_ns())
            flow.root = None

    # -- parking ------------------------------------------------------------------------------------------------------

    def _park(self, flow: Flow, step: Step, error: UpstreamError, *, may_retry: bool) -> Parked:
        again_in_s = self._again_in_s(flow, step, error) if may_retry else None
        self.close_trace(flow)
        parked = Parked(flow, step, error, again_in_s)
        self.parked[step.key] = parked
        flow.is_settled = again_in_s is None
        if again_in_s is None:
            self._set_state(flow, "failed")
            for watch in self.watchers:
                watch(parked)
        return parked

    def _stop(self, flow: Flow, step: Step) -> Parked:
        self.close_trace(flow)
        self._set_state(flow, "stopped")
        flow.is_settled = True
        parked = self.parked[step.key] = Parked(flow, step, None, None)
        for watch in self.watchers:
            watch(parked)
        return parked

    def _set_state(self, flow: Flow, state: str) -> None:
        for order in flow.orders:
            if order.quote:  # the sync of a customer is of no quote
                self._truth.state(order.quote, state)

    @staticmethod
    def _again_in_s(flow: Flow, step: Step, error: UpstreamError) -> float | None:
        uncertain = isinstance(error, UpstreamTimeout) and step.after_timeout == "park"
        if isinstance(error, UpstreamRefused) or uncertain or step.runs > len(flow.timing.schedule_s):
            return None
        return flow.timing.schedule_s[step.runs - 1]

    async def _wait(self, parked: Parked) -> Resume | None:
        """The order that woke the step, or None when its scheduled time has come."""
        try:
            await asyncio.wait({parked.wakeup}, timeout=parked.again_in_s)
            resume = parked.wakeup.result() if parked.wakeup.done() else None
        finally:
            self.parked.pop(parked.step.key, None)
            parked.wakeup.cancel()
        parked.flow.is_settled = False
        self._set_state(parked.flow, "in_progress")
        return resume

    # -- one run ------------------------------------------------------------------------------------------------------

    async def _run_resumed(self, flow: Flow, step: Step, resume: Resume) -> dict[str, Any]:
        for name, part in resume.patch.items():
            flow.patches[step.ref.type] = merge_patch(flow.patches.get(step.ref.type, {}), {name: part})
        if resume.from_step and resume.from_step != step.operation.name:
            first = max(i for i, done in enumerate(flow.journal) if done.operation.name == resume.from_step)
            for earlier in flow.journal[first:]:
                await self._run(flow, earlier, resume)
        return await self._run(flow, step, resume)

    async def _run(self, flow: Flow, step: Step, resume: Resume | None) -> dict[str, Any]:
        step.runs += 1
        root = self._open_trace(flow, resume)
        payload = merge_patch(step.payload(), flow.patches.get(step.ref.type, {}))
        for change in CHANGES[self.release]:
            if change.operation == step.operation.name:
                payload = change.made(payload)
        span = self.tracer.start_span(
            step.operation.name,
            context=set_span_in_context(root, Context()),
            kind=SpanKind.INTERNAL,
            attributes=self._operation_attributes(flow, step, payload, resume),
            start_time=self._clock.now_ns(),
        )
        try:
            answer = await self._attempt(flow, step, span, payload, resume)
        except UpstreamError as error:
            self._record_failure(flow, step, span, error, resume)
            raise
        at_ns = self._clock.now_ns()
        first_time = (step.operation.name, step.ref) not in self.done or step.version > 1
        if step.operation.milestone and first_time:
            span.set_attribute("q2c.milestone", step.operation.milestone)
            amount, quantity = payload.get("amount"), payload.get("quantity")
            self._truth.milestone(step.operation.milestone, step.ref, at_ns, amount, quantity)
        span.set_status(Status(StatusCode.OK))
        span.end(at_ns)
        self._truth.healed(step.operation.name, step.ref)
        return answer

    async def _attempt(
        self, flow: Flow, step: Step, span: Span, payload: dict[str, Any], resume: Resume | None
    ) -> dict[str, Any]:
        if resume and resume.already_present is not None:
            span.set_attribute("q2c.outcome", "already_present")
            return resume.already_present
        timing = flow.timing
        for attempt in range(timing.attempts):
            try:
                return await self._call(flow, step, span, payload, attempt, resume)
            except UpstreamRefused:
                raise
            except UpstreamError as error:
                parks = isinstance(error, UpstreamTimeout) and step.after_timeout == "park"
                if attempt + 1 == timing.attempts or parks:
                    raise
                await asyncio.sleep(error.retry_after_s or timing.backoff_s * 2**attempt)
        raise AssertionError("a run makes at least one attempt")

    async def _call(
        self, flow: Flow, step: Step, parent: Span, payload: dict[str, Any], attempt: int, resume: Resume | None
    ) -> dict[str, Any]:
        """One HTTP request and its CLIENT span, which knows nothing of the business."""
        operation = step.operation
        url = f"http://{step.system}{operation.path.format(**step.path_params)}"
        attributes: dict[str, AttributeValue] = {
            "http.request.method": operation.method,
            "url.full": url,
            "server.address": step.system,
            "peer.service": step.system,
            "messaging.message.conversation_id": flow.correlation_id,
        }
        if attempt:
            attributes["http.request.resend_count"] = attempt
        if resume and resume.replay_id:
            attributes |= {"q2c.replay.id": resume.replay_id, "q2c.replay.attempt": resume.replay_attempt}
        context = set_span_in_context(parent, Context())
        span = self.tracer.start_span(
            operation.method,
            context=context,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=self._clock.now_ns(),
        )
        headers = {"x-correlation-id": flow.correlation_id, "idempotency-key": self._key(step, attempt)}
        _TRACE_CONTEXT.inject(headers, set_span_in_context(span, context))
        try:
            response = await self._client.request(
                operation.method, url, json=payload, headers=headers, timeout=flow.timing.timeout_s
            )
        except httpx.TransportError as error:
            failure = _unheard(step, error, flow.timing.timeout_s)
            span.set_attributes({"error.type": failure.code, "q2c.error.code": failure.code})
            span.set_status(Status(StatusCode.ERROR, str(failure)))
            span.end(self._clock.now_ns())
            raise failure from error
        span.set_attribute("http.response.status_code", response.status_code)
        if response.is_success:
            span.end(self._clock.now_ns())
            answer: dict[str, Any] = response.json()
            return answer
        refusal = _refusal(response)
        span.set_attributes({"error.type": str(response.status_code), "q2c.error.code": refusal.code})
        span.set_status(Status(StatusCode.ERROR, str(refusal)))
        span.end(self._clock.now_ns())
        raise refusal

    @staticmethod
    def _key(step: Step, attempt: int) -> str:
        key = f"{step.operation.name}:{step.ref.id}:v{step.version}"
        return f"{key}:try{step.runs}.{attempt}" if step.after_timeout == "resubmit" else key

    # -- spans --------------------------------------------------------------------------------------------------------

    def _open_trace(self, flow: Flow, resume: Resume | None) -> Span:
        if flow.root is not None:
            return flow.root
        links = [Link(flow.last_root)] if flow.last_root and flow.rng.random() < 0.7 else []
        if resume and resume.failed_span:
            links.append(Link(resume.failed_span))
        attributes = flow_attributes(flow)
        if len(flow.orders) == 1 and flow.order.quote:
            attributes["q2c.quote.id"] = flow.order.quote
            if flow.order.number:
                attributes["q2c.order.id"] = flow.order.number
        if resume and resume.replay_id:
            attributes |= {"q2c.replay.id": resume.replay_id, "q2c.replay.attempt": resume.replay_attempt}
        flow.root = self.tracer.start_span(
            f"sync {flow.stage}",
            context=set_span_in_context(NonRecordingSpan(flow.batch), Context()) if flow.batch else Context(),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=links,
            start_time=self._clock.now_ns(),
        )
        return flow.root

    def _operation_attributes(
        self, flow: Flow, step: Step, payload: dict[str, Any], resume: Resume | None
    ) -> dict[str, AttributeValue]:
        operation = step.operation
        attributes = flow_attributes(flow)
        attributes |= {
            "q2c.operation": operation.name,
            "q2c.endpoint": f"{operation.method} {operation.path}",
            "q2c.idempotency_key": self._key(step, 0),
            "server.address": step.system,
            "peer.service": step.system,
            f"q2c.{step.ref.type}.id": step.ref.id,
        }
        if step.runs > 1:
            attributes["q2c.attempt"] = step.runs
        if operation.name == "crm.update_invoice_status":
            if len(flow.orders) == 1:
                attributes["q2c.order.id"] = flow.order.number
        elif step.document is not None:
            attributes |= document_attributes(step.document)
        elif step.ref.type == "customer":
            attributes["q2c.customer.tax_id"] = flow.order.customer.tax_id
        elif step.ref.type in ("order", "quote"):
            attributes |= {
                "q2c.amount": str(payload["amount"]),
                "q2c.currency": str(payload["currency"]),
                "q2c.quantity": payload["quantity"],
            }
            if step.ref.type == "order":
                attributes["q2c.order.quote.id"] = flow.order.quote
            if step.version > 1:
                attributes["q2c.order.version"] = step.version
        if operation.sends_payload:
            attributes["q2c.payload"] = json.dumps(payload, separators=(",", ":"))
            attributes["q2c.payload.digest"] = payload_digest(payload)
        if resume and resume.replay_id:
            attributes |= {"q2c.replay.id": resume.replay_id, "q2c.replay.attempt": resume.replay_attempt}
        return attributes

    def _record_failure(self, flow: Flow, step: Step, span: Span, error: UpstreamError, resume: Resume | None) -> None:
        if resume is None and self._again_in_s(flow, step, error) is not None:
            outcome = "retrying"
        elif isinstance(error, UpstreamUnavailable):
            outcome = "gave_up"
        else:
            outcome = "dead_lettered"
        at_ns = self._clock.now_ns()
        span.record_exception(error, timestamp=at_ns)
        attributes: dict[str, AttributeValue] = {
            "q2c.error.code": error.code,
            "q2c.attempt": step.runs,
            "q2c.outcome": outcome,
            "error.type": str(error.status) if error.status else error.code,
        }
        if error.status:
            attributes["http.response.status_code"] = error.status
        span.set_attributes(attributes)
        span.set_status(Status(StatusCode.ERROR, str(error)))
        span.end(at_ns)
        name = step.operation.name
        found = verdict(error.code)
        self._truth.failed(name, step.system, step.ref, found, error.code, at_ns, outcome)
        if found[0] == "dependency":
            self._truth.outage_hit(step.system, [order.number for order in flow.orders])


def _unheard(step: Step, error: httpx.TransportError, timeout_s: float) -> UpstreamError:
    code = f"httpx.{type(error).__name__}"
    if isinstance(error, httpx.ReadTimeout):
        message = f"{step.system} gave no answer within {timeout_s:g} s: {error}"
        return UpstreamTimeout(code, message, status=None)
    return UpstreamUnavailable(code, f"{step.system}: {error or 'connection failed'}", status=None)


def _refusal(response: httpx.Response) -> UpstreamError:
    """What the system said, in its own words."""
    if response.headers.get("content-type") != "application/json":
        return UpstreamUnavailable(str(response.status_code), response.text[:200], status=response.status_code)
    fault = response.json()["error"]
    kind = UpstreamUnavailable if response.status_code in _RETRYABLE_STATUSES else UpstreamRefused
    retry_after = response.headers.get("retry-after")
    return kind(
        str(fault["code"]),
        str(fault["message"]),
        status=response.status_code,
        retry_after_s=float(retry_after) if retry_after else None,
    )
