"""The OTLP/HTTP door: POST /v1/traces and /v1/logs, protobuf and JSON, as Starlette routes for any ASGI application.

Rules: OTLP 1.x, section OTLP/HTTP. Every method of these paths is answered here, because the application around may
answer unknown requests with a page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import orjson
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from collectors.access import Access, source_name
from collectors.answers import Answer, UnsupportedMedia, answer_to
from collectors.batch import Decoded, Limits
from collectors.http_body import Disconnected, check_encoding, decompress, drain, read_body
from collectors.ingest import Ingest, Receipt
from collectors.otlp import Encoding, decode_traces
from collectors.otlp_logs import decode_logs

PROBLEM = "application/problem+json"
DECODING_THREADS = 2


def routes(ingest: Ingest, access: Access, limits: Limits | None = None) -> list[BaseRoute]:
    """The door's routes: /v1/traces, /v1/logs, and 404 as problem details for whatever else is under /v1.

    Put routes of other doors under /v1 before these.
    """
    limits = limits or ingest.limits
    decoding = ThreadPoolExecutor(DECODING_THREADS, thread_name_prefix="decode")

    def traces(body: bytes, encoding: Encoding, sender: str | None) -> Decoded:
        source = source_name("otlp_http", sender)
        return decode_traces(body, encoding, source=source, received_ns=ingest.clock_ns(), limits=limits)

    def logs(body: bytes, encoding: Encoding, sender: str | None) -> Decoded:
        source = source_name("otlp_logs", sender)
        return decode_logs(body, encoding, source=source, received_ns=ingest.clock_ns(), limits=limits)

    return [
        Route("/v1/traces", Door(ingest, access, limits, decoding, traces, traces_response, "otlp_http")),
        Route("/v1/logs", Door(ingest, access, limits, decoding, logs, logs_response, "otlp_logs")),
        Route("/v1/{rest:path}", UnknownPath()),
    ]


def traces_response(receipt: Receipt) -> ExportTraceServiceResponse:
    """OTLP's answer: `partial_success` is set only where spans were refused."""
    response = ExportTraceServiceResponse()
    if receipt.refused_count:
        response.partial_success.rejected_spans = receipt.refused_count
        response.partial_success.error_message = receipt.explanation
    return response


def logs_response(receipt: Receipt) -> ExportLogsServiceResponse:
    """OTLP's answer: `partial_success` is set only where records were refused."""
    response = ExportLogsServiceResponse()
    if receipt.refused_count:
        response.partial_success.rejected_log_records = receipt.refused_count
        response.partial_success.error_message = receipt.explanation
    return response


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An RFC 9457 problem."""
    body = orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return Response(body, status, headers, PROBLEM)


class UnknownPath:
    """404 for every method: no page, and nothing that could be taken for a door."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await drain(receive, request.headers)
        detail = f"nothing is taken at {request.url.path}. Doors: POST /v1/traces, /v1/logs, /v1/events"
        await problem(404, "Not Found", detail)(scope, receive, send)


class Door:
    """One path of the door, as an ASGI application for every method."""

    def __init__(
        self,
        ingest: Ingest,
        access: Access,
        limits: Limits,
        decoding: ThreadPoolExecutor,
        decode: Callable[[bytes, Encoding, str | None], Decoded],
        respond: Callable[[Receipt], ExportTraceServiceResponse | ExportLogsServiceResponse],
        source: str,
    ) -> None:
        self._ingest = ingest
        self._access = access
        self._limits = limits
        self._decoding = decoding
        self._decode = decode
        self._respond = respond
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._response(request, receive)
        except Disconnected:
            self._ingest.counters.rejected(self._source, "disconnected")
            return
        await response(scope, receive, send)

    async def _response(self, request: Request, receive: Receive) -> Response:
        headers = request.headers
        if request.method != "POST":
            await drain(receive, headers)
            detail = f"{request.method} is not taken at {request.url.path}: POST an OTLP request"
            return problem(405, "Method Not Allowed", detail, {"allow": "POST"})
        encoding: Encoding | None = None
        body_read = False
        try:
            encoding = encoding_of(headers.get("content-type", ""))
            check_encoding(headers.get("content-encoding", ""))
            sender = self._access.sender(headers)
            body_read = True
            body = await read_body(receive, headers, self._limits)
            with self._ingest.admitted(len(body)):
                decoded = await asyncio.get_running_loop().run_in_executor(
                    self._decoding, self._decoded, body, headers.get("content-encoding", ""), encoding, sender
                )
            receipt = await self._ingest.accept(decoded)
        except Disconnected:
            raise
        except Exception as fault:  # noqa: BLE001 - `answer_to` tells every fault apart
            answer = answer_to(fault)
            self._ingest.counters.rejected(self._source, answer.reason)
            if not body_read:
                await drain(receive, headers)
            return told(answer, encoding)
        message = self._respond(receipt)
        if encoding is Encoding.PROTOBUF:
            return Response(message.SerializeToString(), media_type=encoding.value)
        return Response(orjson.dumps(MessageToDict(message)), media_type=encoding.value)

    def _decoded(self, body: bytes, content_encoding: str, encoding: Encoding, sender: str | None) -> Decoded:
        return self._decode(decompress(body, content_encoding, self._limits), encoding, sender)


def encoding_of(content_type: str) -> Encoding:
    """The encoding that a content type names. Raises UnsupportedMedia.

    >>> encoding_of("application/json; charset=utf-8")
    <Encoding.JSON: 'application/json'>
    """
    name, _, parameters = content_type.partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower().partition("charset=")[2].partition(";")[0]
    read = {encoding.value: encoding for encoding in Encoding} | {"application/protobuf": Encoding.PROTOBUF}
    encoding = read.get(name.strip().lower())
    if encoding is None or charset not in ("", "utf-8", "utf8"):
        raise UnsupportedMedia(
            f"content-type '{content_type}' is not read here. Read: application/x-protobuf, application/json (UTF-8)"
        )
    return encoding


def told(answer: Answer, encoding: Encoding | None) -> Response:
    """A fault in the encoding of the request: google.rpc.Status for OTLP, problem details where it is not OTLP."""
    if encoding is Encoding.PROTOBUF:
        return Response(answer.status().SerializeToString(), answer.http_status, answer.headers, encoding.value)
    if encoding is Encoding.JSON:
        body = orjson.dumps(MessageToDict(answer.status()))
        return Response(body, answer.http_status, answer.headers, encoding.value)
    return problem(answer.http_status, answer.reason, answer.message, answer.headers)
