"""The OTLP/HTTP door: POST /v1/traces and /v1/logs, protobuf and JSON, as Starlette routes for any ASGI application.

Rules: OTLP 1.x, section OTLP/HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from collectors.access import Access, source_name
from collectors.answers import Answer, UnsupportedMedia
from collectors.batch import Decoded, Limits
from collectors.cloudevents import EventsDoor
from collectors.http_door import Door, UnknownPath
from collectors.ingest import Ingest, Receipt
from collectors.otlp import Encoding, decode_traces
from collectors.otlp_logs import decode_logs

DECODING_THREADS = 2


def routes(ingest: Ingest, access: Access, limits: Limits | None = None) -> list[BaseRoute]:
    """Every HTTP door, /v1/traces, /v1/logs and /v1/events, and 404 as problem details for the rest of /v1.

    `limits` bound the bodies (default: those of `ingest`); what may wait is bounded by `ingest`.
    """
    limits = limits or ingest.limits
    decoding = ThreadPoolExecutor(DECODING_THREADS, thread_name_prefix="decode")
    return [
        Route("/v1/traces", TracesDoor(ingest, access, limits, decoding)),
        Route("/v1/logs", LogsDoor(ingest, access, limits, decoding)),
        Route("/v1/events", EventsDoor(ingest, access, limits, decoding)),
        Route("/v1/{rest:path}", UnknownPath()),
    ]


class _OtlpDoor(Door[Encoding]):
    """Reads OTLP and answers in the encoding that it was asked in."""

    def form_of(self, headers: Mapping[str, str]) -> Encoding:
        return encoding_of(headers.get("content-type", ""))

    def respond(self, receipt: Receipt, form: Encoding) -> Response:
        return _written(self.response(receipt), form)

    def response(self, receipt: Receipt) -> Message:
        """OTLP's answer to a receipt."""
        raise NotImplementedError

    def tell(self, answer: Answer, form: Encoding | None) -> Response:
        """A google.rpc.Status in the encoding of the request; problem details where that is not OTLP's."""
        if form is None:
            return super().tell(answer, form)
        return _written(answer.status(), form, answer.http_status, answer.headers)


class TracesDoor(_OtlpDoor):
    """POST /v1/traces."""

    source = "otlp_http"

    def decode(self, body: bytes, form: Encoding, sender: str | None) -> Decoded:
        source = source_name(self.source, sender)
        return decode_traces(body, form, source=source, received_ns=self.ingest.clock_ns(), limits=self.limits)

    def response(self, receipt: Receipt) -> Message:
        return traces_response(receipt)


class LogsDoor(_OtlpDoor):
    """POST /v1/logs."""

    source = "otlp_logs"

    def decode(self, body: bytes, form: Encoding, sender: str | None) -> Decoded:
        source = source_name(self.source, sender)
        return decode_logs(body, form, source=source, received_ns=self.ingest.clock_ns(), limits=self.limits)

    def response(self, receipt: Receipt) -> Message:
        return logs_response(receipt)


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


def _written(
    message: Message, encoding: Encoding, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    content = message.SerializeToString() if encoding is Encoding.PROTOBUF else orjson.dumps(MessageToDict(message))
    return Response(content, status, headers, encoding.value)
