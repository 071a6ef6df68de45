"""What all systems of the estate share: a Starlette app, books, a span for each request, and their bad days.

A system that is down really answers 503, one that throttles really answers 429, and one that is slow really has booked
by the time its caller has given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sample_data.business import Ref
from sample_data.clock import Clock
from sample_data.truth import Truth

_TRACE_CONTEXT = TraceContextTextMapPropagator()
PAUSE_WORDS = {
    "waiting_for_customer": ("waiting_for_customer", "customer_answered"),
    "credit_hold": ("credit_hold", "credit_released"),
    "dispute": ("dispute", "dispute_settled"),
}
"""What a system says (`q2c.pause`) when a pause begins and when it ends."""


class Fault(Exception):
    """An answer other than success, as the system words it. Whether trying again helps is the caller's to judge."""

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


@dataclass
class Call:
    """One request being answered."""

    operation: str
    subject: Ref
    params: dict[str, str]
    body: dict[str, Any]
    correlation_id: str
    span: Span
    tags: dict[str, str | int] = field(default_factory=dict)
    pause: tuple[str, bool, Ref] | None = None
    """The pause that the system says begins (or, False, ends) with its answer, and of what."""


@dataclass(frozen=True)
class Booking:
    """One entry in a system's books: what was done, to what, under which number of the system's own."""

    operation: str
    subject: Ref
    number: str
    answer: dict[str, Any]


Handler = Callable[[Call], dict[str, Any]]


class System:
    """One system. `condition`: up, down or throttled; `late_answers`: (operation, correlation id) to answer late."""

    outage_fault = Fault(503, "service_unavailable", "The service is temporarily unavailable.")
    throttle_fault = Fault(429, "rate_limit", "Too many requests.", retry_after_s=2)

    def __init__(self, name: str, tracer: Tracer, clock: Clock, truth: Truth) -> None:
        self.name = name
        self.tracer = tracer
        self.clock = clock
        self.truth = truth
        self.condition = "up"
        self.latency_scale = 1.0
        self.late_by_s = 15.0
        self.late_answers: set[tuple[str, str]] = set()
        self.locked: dict[str, int] = {}  # subject id -> how many more requests find the record locked
        self.bookings: dict[tuple[str, str], list[Booking]] = {}
        self._answers_by_key: dict[str, Booking] = {}
        self._waiting: set[Ref] = set()
        self._requests_seen = 0
        self._routes = [
            Route("/health", self._health, methods=["GET"]),
            Route("/bookings", self._find_bookings, methods=["GET"]),
        ]

    def app(self) -> Starlette:
        return Starlette(routes=self._routes)

    def offers(
        self, operation: str, method: str, path: str, subject: str, handler: Handler, milestone: str | None = None
    ) -> None:
        """From now on `method path` does `operation` on the `subject` named in the request's body.

        With `milestone`, the system names it on its own span when it books. `handler` raises Fault to refuse.
        """

        async def endpoint(request: Request) -> Response:
            return await self._answer(request, operation, subject, handler, milestone)

        self._routes.append(Route(path, endpoint, methods=[method]))

    def booked(self, operation: str, subject_id: str) -> list[Booking]:
        """Every entry for this operation on this object, oldest first; more than one is a double booking."""
        return self.bookings.get((operation, subject_id), [])

    # -- one request ------------------------------------------------------------------------------------------------

    async def _answer(
        self, request: Request, operation: str, subject: str, handler: Handler, milestone: str | None
    ) -> Response:
        template = request.scope["route"].path
        correlation_id = request.headers.get("x-correlation-id", "")
        span = self.tracer.start_span(
            f"{request.method} {template}",
            context=_TRACE_CONTEXT.extract(request.headers),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": request.method,
                "http.route": template,
                "url.path": request.url.path,
                "messaging.message.conversation_id": correlation_id,
            },
            start_time=self.clock.now_ns(),
        )
        body = await request.json()
        call = Call(
            operation, Ref(subject, body.get(subject, "")), dict(request.path_params), body, correlation_id, span
        )
        key = request.headers.get("idempotency-key")
        named: str | None = None
        try:
            await asyncio.sleep(self._latency_s(span))
            status, answer = self._do(call, key, handler)
            if status == 201:
                named = milestone
            if (operation, correlation_id) in self.late_answers:
                self.late_answers.discard((operation, correlation_id))
                await asyncio.sleep(self.late_by_s)
            response = JSONResponse(answer, status)
        except Fault as fault:
            status = fault.status
            headers = {"retry-after": str(fault.retry_after_s)} if fault.retry_after_s is not None else None
            response = JSONResponse({"error": {"code": fault.code, "message": fault.message}}, status, headers)
            span.set_attribute("error.type", str(status))
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR, fault.message))
        span.set_attributes({"http.response.status_code": status, **call.tags})
        ended_ns = self.clock.now_ns()
        if named:
            self._name_milestone(named, call, ended_ns)
        if call.pause:
            self._say_pause(span, *call.pause, ended_ns)
        span.end(ended_ns)
        return response

    def _do(self, call: Call, key: str | None, handler: Handler) -> tuple[int, dict[str, Any]]:
        self._requests_seen += 1
        if self.condition == "down":
            raise self.outage_fault
        if self.condition == "throttled" and self._requests_seen % 4:
            raise self.throttle_fault
        if key and (known := self._answers_by_key.get(key)):
            return 200, known.answer
        answer = handler(call)
        entry = Booking(call.operation, call.subject, str(answer.get("number", call.subject.id)), answer)
        self.bookings.setdefault((call.operation, call.subject.id), []).append(entry)
        if key:
            self._answers_by_key[key] = entry
        return 201, answer

    def _name_milestone(self, milestone: str, call: Call, at_ns: int) -> None:
        amount, currency, quantity = (call.body.get(name) for name in ("amount", "currency", "quantity"))
        attributes: dict[str, str | int] = {"q2c.milestone": milestone}
        if amount is not None:
            attributes |= {"q2c.amount": str(amount), "q2c.currency": str(currency)}
        if quantity is not None:
            attributes["q2c.quantity"] = quantity
        call.span.set_attributes(attributes)
        self.truth.milestone(milestone, call.subject, at_ns, amount, quantity)

    def holds(self, call: Call, pause: str) -> None:
        """What is asked for waits from now on, and the system says so: no working time is counted against anybody."""
        call.pause = (pause, True, call.subject)
        self._waiting.add(call.subject)

    def lets_go(self, call: Call, pause: str, of: Ref | None = None) -> None:
        """If it (or `of`) waited, it does so no more, and the system says that too."""
        subject = of or call.subject
        if subject in self._waiting:
            self._waiting.discard(subject)
            call.pause = (pause, False, subject)

    def _say_pause(self, span: Span, pause: str, begins: bool, of: Ref, at_ns: int) -> None:
        word = PAUSE_WORDS[pause][0 if begins else 1]
        span.set_attributes({f"q2c.{of.type}.id": of.id, "q2c.pause": word})
        if begins:
            self.truth.paused(pause, of, at_ns)
        else:
            self.truth.resumed(pause, of, at_ns)

    def _latency_s(self, span: Span) -> float:
        """Between 20 and 400 ms, mostly short; a function of the span's id, so that no order disturbs another's."""
        share = (span.get_span_context().span_id % 9973) / 9973
        return (0.02 + 0.1 * share + 0.3 * share**6) * self.latency_scale

    # -- what others ask about it -----------------------------------------------------------------------------------

    async def _health(self, request: Request) -> Response:
        state = {"up": "up", "down": "down", "throttled": "degraded"}[self.condition]
        return JSONResponse({"state": state}, 503 if self.condition == "down" else 200)

    async def _find_bookings(self, request: Request) -> Response:
        if self.condition == "down":
            fault = self.outage_fault
            return JSONResponse({"error": {"code": fault.code, "message": fault.message}}, fault.status)
        found = self.booked(request.query_params.get("operation", ""), request.query_params.get("id", ""))
        return JSONResponse({"bookings": [{"number": b.number, "answer": b.answer} for b in found]})
