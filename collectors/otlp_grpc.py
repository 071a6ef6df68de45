"""The OTLP/gRPC door: TraceService/Export and LogsService/Export on a port of their own.

Requests arrive as bytes and go to the same decoding as OTLP/HTTP, so both doors judge alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio

from collectors.access import Access, source_name
from collectors.answers import answer_to
from collectors.batch import Decoded
from collectors.ingest import Ingest, Receipt
from collectors.otlp import Encoding, decode_traces
from collectors.otlp_http import DECODING_THREADS, logs_response, traces_response
from collectors.otlp_logs import decode_logs

TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
LOGS = "opentelemetry.proto.collector.logs.v1.LogsService"
STATUS_DETAILS = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcDoor:
    """A door that is open: `port` is the one that was bound. `stop` closes it."""

    def __init__(self, server: Any, decoding: ThreadPoolExecutor, port: int) -> None:
        self.port = port
        self._server = server
        self._decoding = decoding

    async def stop(self, grace_s: float = 5.0) -> None:
        """No new request is taken, and those on their way have had `grace_s` seconds to be answered."""
        await self._server.stop(grace_s)
        self._decoding.shutdown(wait=False)


async def start(ingest: Ingest, access: Access, host: str = "127.0.0.1", port: int = 4317) -> GrpcDoor:
    """The door is open on `host` and `port` (0: any free one).

    Raises OSError, naming the address, if it cannot be bound.
    """
    limits = ingest.limits
    decoding = ThreadPoolExecutor(DECODING_THREADS, thread_name_prefix="decode-grpc")
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", limits.decompressed_bytes), ("grpc.so_reuseport", 0)]
    )

    def traces(body: bytes, sender: str | None) -> Decoded:
        source = source_name("otlp_grpc", sender)
        return decode_traces(body, Encoding.PROTOBUF, source=source, received_ns=ingest.clock_ns(), limits=limits)

    def logs(body: bytes, sender: str | None) -> Decoded:
        source = source_name("otlp_logs", sender)
        return decode_logs(body, Encoding.PROTOBUF, source=source, received_ns=ingest.clock_ns(), limits=limits)

    def exporting(service: str, decode: Callable[[bytes, str | None], Decoded], respond: Any, source: str) -> Any:
        async def export(body: bytes, context: Any) -> bytes:
            try:
                sender = access.sender(dict(context.invocation_metadata()))
                with ingest.admitted(len(body)):
                    decoded = await asyncio.get_running_loop().run_in_executor(decoding, decode, body, sender)
                receipt: Receipt = await ingest.accept(decoded)
            except Exception as fault:  # noqa: BLE001 - `answer_to` tells every fault apart
                answer = answer_to(fault)
                ingest.counters.rejected(source, answer.reason)
                context.set_trailing_metadata(((STATUS_DETAILS, answer.status().SerializeToString()),))
                await context.abort(_CODES[answer.rpc_code], answer.message)
            packed: bytes = respond(receipt).SerializeToString()
            return packed

        return grpc.method_handlers_generic_handler(service, {"Export": grpc.unary_unary_rpc_method_handler(export)})

    server.add_generic_rpc_handlers(
        (
            exporting(TRACES, traces, traces_response, "otlp_grpc"),
            exporting(LOGS, logs, logs_response, "otlp_logs"),
        )
    )
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"gRPC door: {address} cannot be bound: {error}") from None
    await server.start()
    return GrpcDoor(server, decoding, bound)
