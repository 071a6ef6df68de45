"""The engine's own HTTP: replays, probes and the state of its dependencies, as the contract words them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

import httpx
from opentelemetry.trace import SpanContext, TraceFlags
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sample_data.business import Ref
from sample_data.engine.flow import Flow, Parked, Resume, Step, merge_patch
from sample_data.engine.operations import OPERATIONS
from sample_data.engine.runner import Runner

_MOST_UNDER_WAY = 50
_ASKING_TIMEOUT_S = 1.0


class _NotTaken(Exception):
    """Why a replay is not taken on: the status, and a reason that a person can read."""

    def __init__(self, status: int, reason: str, retry_after_s: int | None = None, evidence: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.evidence = evidence

    def answer(self) -> Response:
        body = {"error": self.reason, "reason": self.reason}
        if self.evidence:
            body["evidence"] = self.evidence
        headers = {"retry-after": str(self.retry_after_s)} if self.retry_after_s is not None else None
        return JSONResponse(body, self.status, headers)


@dataclass
class _Taken:
    """A replay that the engine has taken on."""

    run_id: str
    replay_id: str
    request: dict[str, Any]
    resume: Resume
    started: bool = False

    def state(self) -> dict[str, str]:
        if not self.resume.result.done():
            return {"state": "running" if self.started else "accepted", "detail": "The operation is under way."}
        result = self.resume.result.result()
        if result == "succeeded":
            return {"state": "succeeded", "detail": "The operation succeeded; the flow went on from there."}
        return {"state": "failed", "detail": result}


class ReplayDesk:
    """Takes replays on, once a key. Nothing is persisted: a restarted engine knows no earlier run."""

    def __init__(self, runner: Runner, client: httpx.AsyncClient, systems: list[str]) -> None:
        self._runner = runner
        self._client = client
        self._systems = systems
        self._by_key: dict[str, asyncio.Future[_Taken]] = {}
        self._by_id: dict[str, _Taken] = {}
        self._attempts: dict[tuple[str, Ref], int] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/replays", self._post_replay, methods=["POST"]),
                Route("/replays/{replay_id}", self._get_replay, methods=["GET"]),
                Route("/probe", self._get_probe, methods=["GET"]),
                Route("/dependencies/{name}", self._get_dependency, methods=["GET"]),
            ]
        )

    # -- POST /replays ------------------------------------------------------------------------------------------------

    async def _post_replay(self, request: Request) -> Response:
        try:
            key = request.headers.get("idempotency-key", "")
            body = _checked(key, await request.body())
            if not body.get("dry_run") and (known := self._by_key.get(key)) is not None:
                taken = await asyncio.shield(known)
                if any(taken.request.get(name) != body.get(name) for name in ("operation", "object", "payload_patch")):
                    raise _NotTaken(422, f"Idempotency key {key} was used for another replay. Use a new key.")
                return JSONResponse({"run_id": taken.run_id}, 200)
            if body.get("dry_run"):
                parked = await self._admit(body)
                return JSONResponse(_rehearse(parked, body), 200)
            taken = await self._take_once(key, body)
            return JSONResponse({"run_id": taken.run_id}, 202)
        except _NotTaken as refusal:
            return refusal.answer()

    async def _take_once(self, key: str, body: dict[str, Any]) -> _Taken:
        """Holds the key before anything is awaited, so that two of the same never run both."""
        promise: asyncio.Future[_Taken] = asyncio.get_running_loop().create_future()
        self._by_key[key] = promise
        try:
            taken = await self._take(body)
        except _NotTaken as refusal:
            del self._by_key[key]
            promise.set_exception(refusal)
            promise.exception()  # whoever waited has it; nobody has to
            raise
        promise.set_result(taken)
        return taken

    async def _take(self, body: dict[str, Any]) -> _Taken:
        parked = await self._admit(body)
        subject = (parked.step.operation.name, parked.step.ref)
        self._attempts[subject] = self._attempts.get(subject, 0) + 1
        resume = Resume(
            replay_id=body["replay_id"],
            replay_attempt=self._attempts[subject],
            failed_span=_span_context(body.get("trace_id"), body.get("span_id")),
            patch=body.get("payload_patch") or {},
            from_step=body.get("from_step"),
        )
        if not parked.resume(resume):
            raise _NotTaken(429, "Another run of this operation has just begun.", retry_after_s=2)
        taken = _Taken(f"run-{secrets.token_hex(8)}", body["replay_id"], body, resume, started=True)
        self._by_id[taken.replay_id] = self._by_id[taken.run_id] = taken
        return taken

    async def _admit(self, body: dict[str, Any]) -> Parked:
        """The parked step that this replay would run. Raises _NotTaken with the reason why it would not."""
        name, ref = body["operation"], Ref(body["object"]["type"], body["object"]["id"])
        parked = self._find_parked(name, ref)
        flow = parked.flow if parked else self._runner.flows.get(ref)
        if flow is None:
            raise _NotTaken(422, f"This engine knows no {ref.type} {ref.id}. It keeps no flows from before its start.")
        if flow.is_cancelled:
            raise _NotTaken(422, f"{flow.order.number} was cancelled; its flow is not run again.")
        if parked is None:
            if (name, ref) in self._runner.done:
                raise _NotTaken(409, f"{name} has already succeeded for {ref.id}; nothing was sent.")
            raise _NotTaken(422, f"{name} of {ref.id} neither failed nor stopped, or is being run now.", 2)
        if sum(not taken.resume.result.done() for taken in self._by_id.values()) >= 2 * _MOST_UNDER_WAY:
            raise _NotTaken(429, f"{_MOST_UNDER_WAY} replays are under way.", retry_after_s=5)
        _check_from_step(flow, parked.step, body.get("from_step"))
        _check_patch(parked.step, body.get("payload_patch"))
        state, evidence, answer = await self._probe(parked.step)
        if state == "unknown":
            raise _NotTaken(503, f"{parked.step.system} cannot be asked whether it has it: {evidence}", retry_after_s=5)
        if answer is not None:
            if not body.get("dry_run"):
                parked.resume(Resume(replay_id=body["replay_id"], already_present=answer))
            raise _NotTaken(
                409,
                f"{parked.step.system} already has {ref.id}; nothing was sent, the flow goes on.",
                evidence=evidence,
            )
        if parked.wakeup.done():
            raise _NotTaken(429, "Another run of this operation has just begun.", retry_after_s=2)
        return parked

    def _find_parked(self, operation: str, ref: Ref) -> Parked | None:
        """By its object; a stopped step, whose object nobody has seen yet, also by its order."""
        for parked in self._runner.parked.values():
            if parked.step.operation.name == operation and (
                parked.step.ref == ref or (parked.error is None and parked.flow.order.ref == ref)
            ):
                return parked
        return None

    # -- questions ----------------------------------------------------------------------------------------------------

    async def _get_replay(self, request: Request) -> Response:
        taken = self._by_id.get(request.path_params["replay_id"])
        if taken is None:
            return JSONResponse(
                {"state": "unknown", "detail": "This engine has no such replay; it may have restarted."}
            )
        return JSONResponse(taken.state())

    async def _get_probe(self, request: Request) -> Response:
        operation = OPERATIONS.get(request.query_params.get("operation", ""))
        ref = Ref(request.query_params.get("type", ""), request.query_params.get("id", ""))
        if operation is None:
            known = ", ".join(OPERATIONS)
            return JSONResponse({"error": f"Unknown operation. Known: {known}."}, 422)
        parked = self._find_parked(operation.name, ref)
        if parked is not None:
            state, evidence, _ = await self._probe(parked.step)
            # a replay of what is there sends nothing and leads the parked flow on
            return JSONResponse({"state": state, "evidence": evidence, "reconciles": state == "present"})
        if (done := self._runner.done.get((operation.name, ref))) is not None:
            state, evidence, _ = await self._probe(done[1])
            return JSONResponse({"state": state, "evidence": evidence})
        return JSONResponse({"state": "unknown", "evidence": f"This engine knows no {operation.name} of {ref.id}."})

    async def _probe(self, step: Step) -> tuple[str, str, dict[str, Any] | None]:
        """absent, present or unknown; the evidence; and what the system answered when it booked."""
        question = {"operation": step.operation.name, "id": step.ref.id}
        try:
            response = await self._client.get(
                f"http://{step.system}/bookings", params=question, timeout=_ASKING_TIMEOUT_S
            )
        except httpx.TransportError as error:
            return "unknown", f"no answer ({type(error).__name__})", None
        if not response.is_success:
            return "unknown", f"answered {response.status_code}", None
        bookings = response.json()["bookings"]
        if not bookings:
            return "absent", f"{step.system} has no booking for {step.ref.id}", None
        numbers = ", ".join(booking["number"] for booking in bookings)
        return "present", f"{step.system} has {step.ref.id} as {numbers}", bookings[0]["answer"]

    async def _get_dependency(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._systems:
            return JSONResponse({"error": f"Unknown dependency {name}. Known: {', '.join(self._systems)}."}, 404)
        try:
            response = await self._client.get(f"http://{name}/health", timeout=_ASKING_TIMEOUT_S)
            state = response.json()["state"]
        except httpx.TransportError:
            state = "down"
        return JSONResponse({"state": state})


def _checked(key: str, raw: bytes) -> dict[str, Any]:
    """The request's body, once it can be understood. Raises _NotTaken (422) naming what is wrong."""
    if not key:
        raise _NotTaken(422, "The Idempotency-Key header is missing; without it a resend would run twice.")
    try:
        body = httpx.Response(200, content=raw).json()
    except ValueError:
        raise _NotTaken(422, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise _NotTaken(422, "The body is not a JSON object.")
    subject = body.get("object")
    if not isinstance(subject, dict) or not all(isinstance(subject.get(name), str) for name in ("type", "id")):
        raise _NotTaken(422, 'object must be {"type": ..., "id": ...}.')
    if not isinstance(body.get("replay_id"), str) or not body["replay_id"]:
        raise _NotTaken(422, "replay_id is missing.")
    if body.get("operation") not in OPERATIONS:
        raise _NotTaken(422, f"Unknown operation {body.get('operation')!r}. Known: {', '.join(OPERATIONS)}.")
    if not isinstance(body.get("payload_patch") or {}, dict):
        raise _NotTaken(422, "payload_patch must be a JSON merge patch: an object.")
    return body


def _check_from_step(flow: Flow, step: Step, from_step: str | None) -> None:
    passed = [earlier.operation.name for earlier in flow.journal]
    if from_step and from_step != step.operation.name and from_step not in passed:
        raise _NotTaken(
            422, f"from_step {from_step!r} is not on the way to {step.operation.name}: {', '.join(passed)}."
        )


def _check_patch(step: Step, patch: dict[str, Any] | None) -> None:
    if patch and step.ref.type in patch and patch[step.ref.type] != step.ref.id:
        raise _NotTaken(422, f"payload_patch must not change the {step.ref.type}'s own number ({step.ref.id}).")


def _rehearse(parked: Parked, body: dict[str, Any]) -> dict[str, Any]:
    """What a replay would send, without sending it."""
    step, flow = parked.step, parked.flow
    passed = [earlier.operation.name for earlier in flow.journal]
    from_step = body.get("from_step")
    steps = passed[len(passed) - 1 - passed[::-1].index(from_step) :] if from_step in passed else []
    payload = merge_patch(
        step.payload(), merge_patch(flow.patches.get(step.ref.type, {}), body.get("payload_patch") or {})
    )
    return {
        "run_id": None,
        "dry_run": True,
        "would_run": [*steps, step.operation.name],
        "system": step.system,
        "payload": payload,
    }


def _span_context(trace_id: str | None, span_id: str | None) -> SpanContext | None:
    """The failed span to link back to; None where the ids are absent or no ids."""
    try:
        context = SpanContext(
            int(trace_id or "", 16), int(span_id or "", 16), is_remote=True, trace_flags=TraceFlags(1)
        )
    except ValueError:
        return None
    return context if context.is_valid else None
