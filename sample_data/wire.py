"""How the engine reaches the systems: by their names, in process while time jumps, over loopback sockets otherwise.

Both ways are HTTP through httpx, and in both a caller that waits longer than its timeout gets `httpx.ReadTimeout`
while the system works on: that is how things get booked which nobody heard of.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import MutableMapping
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from sample_data.clock import Clock

HOST = "127.0.0.1"


class Wire(httpx.AsyncBaseTransport):
    """Routes `http://<system>/...` to that system. Raises what httpx raises."""

    def __init__(self, clock: Clock, apps: dict[str, Starlette]) -> None:
        self._clock = clock
        self._apps = apps
        self._sockets = httpx.AsyncHTTPTransport(trust_env=False)
        self._answering: set[asyncio.Task[httpx.Response]] = set()
        self.ports: dict[str, int] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if port := self.ports.get(request.url.host):
            return await self._over_sockets(request, port)
        exchange = asyncio.create_task(_in_process(self._apps[request.url.host], request))
        self._answering.add(exchange)
        exchange.add_done_callback(self._answering.discard)
        done, _ = await asyncio.wait({exchange}, timeout=request.extensions["timeout"]["read"])
        if not done:
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        return exchange.result()

    async def _over_sockets(self, request: httpx.Request, port: int) -> httpx.Response:
        request.url = request.url.copy_with(host=HOST, port=port)
        with self._clock.hold():
            response = await self._sockets.handle_async_request(request)
            await response.aread()
        return response

    async def aclose(self) -> None:
        for exchange in self._answering:
            exchange.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)
        await self._sockets.aclose()


async def _in_process(app: Starlette, request: httpx.Request) -> httpx.Response:
    """One ASGI exchange. (httpx's own ASGITransport looks for trio on every request, which a month of orders feels.)"""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": (HOST, 0),
        "root_path": "",
    }
    asked = {"type": "http.request", "body": await request.aread(), "more_body": False}
    answered: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return asked

    async def send(message: MutableMapping[str, Any]) -> None:
        answered.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in answered[1:])
    return httpx.Response(answered[0]["status"], headers=answered[0]["headers"], content=body)


class Listener:
    """One app on one loopback port, inside the running loop. `port` 0 takes a free one."""

    def __init__(self, app: Starlette, port: int = 0) -> None:
        # Keep-alive timers would fire at every jump of the clock, hence practically none.
        config = uvicorn.Config(
            app,
            host=HOST,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=10**8,
            timeout_graceful_shutdown=1,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._port = port

    async def open(self) -> int:
        """The port it listens on. Raises OSError where the port is taken: choose another."""
        listening = socket.create_server((HOST, self._port), backlog=512)
        # Not serve(): its main loop wakes ten times a second, which in jumping time is a million times a day.
        await self._server.startup(sockets=[listening])
        port: int = listening.getsockname()[1]
        return port

    async def close(self) -> None:
        await self._server.shutdown()
