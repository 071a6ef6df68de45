"""`python -m collectors`: a headless owner of the database, with doors and no screen.

Doors only: POST /v1/traces, /v1/logs and /v1/events on --port, and OTLP/gRPC on --grpc-port.
`cashtrail serve --headless` adds the HTTP API.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from collectors import otlp_grpc, otlp_http
from collectors.access import Access, Token
from collectors.ingest import Ingest
from collectors.polling import Pollers
from trace_model.allocator import restart_with_mimalloc
from trace_model.catalogue import loader
from trace_model.errors import CashtrailError
from trace_model.store import Store
from trace_model.store.store import utc_now
from trace_model.store.watermarks import Watermarks

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def main() -> int:
    """Listens until stopped; 1 with one line on standard error if it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m collectors", description=__doc__)
    parser.add_argument("--database", default="cashtrail.duckdb")
    parser.add_argument("--catalogue")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4318)
    parser.add_argument("--grpc-port", type=int, default=4317, help="0: no gRPC door")
    parser.add_argument(
        "--token", action="append", default=[], metavar="SOURCE:SECRET", help="ingest tokens that are taken"
    )
    given = parser.parse_args()
    try:
        access = Access(Token.parse(text) for text in given.token)
        if access.is_open and given.host not in LOOPBACK:
            raise CashtrailError(
                f"refusing to listen on {given.host} without an ingest token; give --token source:secret"
            )
        store = Store(given.database, loader.load(given.catalogue), clock=utc_now)
    except (CashtrailError, ValueError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    store.start()
    ingest = Ingest(store)
    marks = Watermarks(store.database, store.clock)
    pollers = Pollers(store.catalogue.pollers, ingest, marks, os.environ, store.clock)
    pollers.start()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        grpc = await otlp_grpc.start(ingest, access, given.host, given.grpc_port) if given.grpc_port else None
        yield
        if grpc:
            await grpc.stop(1.0)
        pollers.stop()
        ingest.close()
        store.close()

    app = Starlette(routes=otlp_http.routes(ingest, access), lifespan=lifespan)
    uvicorn.Server(uvicorn.Config(app, host=given.host, port=given.port, log_level="warning", access_log=False)).run()
    return 0


if __name__ == "__main__":
    restart_with_mimalloc()
    sys.exit(main())
