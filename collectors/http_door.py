"""What the HTTP doors share: one path, every method, and the way of a request from its headers to its receipt.

A door says which bodies it reads and how it answers. Every method is answered here, because the application around may
answer unknown requests with a page.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from collectors.access import Access
from collectors.answers import Answer, answer_to
from collectors.batch import Decoded, Limits
from collectors.http_body import Disconnected, check_encoding, decompress, drain, read_body
from collectors.ingest import Ingest, Receipt

PROBLEM = "application/problem+json"
Form = TypeVar("Form")


class Door(ABC, Generic[Form]):
    """One path as an ASGI application. `Form` is how a request's body is written, told from its headers.

    `source` names the door in the counters; decoding runs on `decoding`, never on the event loop.
    """

    source: str

    def __init__(self, ingest: Ingest, access: Access, limits: Limits, decoding: ThreadPoolExecutor) -> None:
        self.ingest = ingest
        self.limits = limits
        self._access = access
        self._decoding = decoding

    @abstractmethod
    def form_of(self, headers: Mapping[str, str]) -> Form:
        """How the body is written. Raises UnsupportedMedia."""

    @abstractmethod
    def decode(self, body: bytes, form: Form, sender: str | None) -> Decoded:
        """The spans of a decompressed body. Raises MalformedRequest. Runs in a thread."""

    @abstractmethod
    def respond(self, receipt: Receipt, form: Form) -> Response:
        """The answer to a request that is durable."""

    def tell(self, answer: Answer, form: Form | None) -> Response:
        """The answer to a request that is not; `form` is None where the headers did not tell it."""
        return problem(answer.http_status, answer.reason, answer.message, answer.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; a sender that goes away before its body is whole is only counted."""
        try:
            response = await self._response(Request(scope, receive), receive)
        except Disconnected:
            self.ingest.counters.rejected(self.source, "disconnected")
            return
        await response(scope, receive, send)

    async def _response(self, request: Request, receive: Receive) -> Response:
        headers = request.headers
        if request.method != "POST":
            await drain(receive, headers)
            detail = f"{request.method} is not taken at {request.url.path}; POST is"
            return problem(405, "Method Not Allowed", detail, {"allow": "POST"})
        form: Form | None = None
        body_read = False
        try:
            form = self.form_of(headers)
            content_encoding = headers.get("content-encoding", "")
            check_encoding(content_encoding)
            sender = self._access.sender(headers)
            body_read = True
            body = await read_body(receive, headers, self.limits)
            with self.ingest.admitted(len(body)):
                decoded = await asyncio.get_running_loop().run_in_executor(
                    self._decoding, self._decoded, body, content_encoding, form, sender
                )
            receipt = await self.ingest.accept(decoded)
        except Disconnected:
            raise
        except Exception as fault:  # noqa: BLE001 - `answer_to` tells every fault apart
            answer = answer_to(fault)
            self.ingest.counters.rejected(self.source, answer.reason)
            if not body_read:
                await drain(receive, headers)
            return self.tell(answer, form)
        return self.respond(receipt, form)

    def _decoded(self, body: bytes, content_encoding: str, form: Form, sender: str | None) -> Decoded:
        return self.decode(decompress(body, content_encoding, self.limits), form, sender)


class UnknownPath:
    """404 for every method: no page, and nothing that could be taken for a door."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        try:
            await drain(receive, request.headers)
        except Disconnected:
            return
        detail = f"nothing is taken at {request.url.path}. Doors: POST /v1/traces, /v1/logs, /v1/events"
        await problem(404, "Not Found", detail)(scope, receive, send)


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An RFC 9457 problem."""
    body = orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return Response(body, status, headers, PROBLEM)
