"""The composition root: one process that owns the database, with the doors, the API, the console and the workers.

The only module that knows both `collectors` and the console. Doors and API stand beside Streamlit's application, not inside
it, so that neither its sessions nor its compression touch a span, and an unknown path under them is a 404 rather than a page.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

import collectors.access
import console.access
from collectors import otlp_grpc, otlp_http
from collectors.ingest import Ingest
from collectors.polling import Pollers
from console import health, resources
from console.alerts.channels import open_channels
from console.alerts.worker import AlertWorker
from console.api import app as api
from console.deeds import Deeds
from console.linking import Linking
from console.replay.engine import Engines
from console.replay.facts import said_on_span
from console.replay.replays import Replays
from console.settings import Settings, SettingsError
from console.sign_in import Gate, SignIn
from trace_model.catalogue import loader
from trace_model.store import Store
from trace_model.store.alert_ledger import AlertLedger
from trace_model.store.forecasts import Forecasts
from trace_model.store.ledger import Ledger
from trace_model.store.projector import Progress
from trace_model.store.store import utc_now
from trace_model.store.watermarks import Watermarks

SCRIPT = Path(__file__).with_name("app.py")
SHUTDOWN_S = 3


@dataclass
class House:
    """Everything that runs in the process, opened in order and closed in reverse."""

    settings: Settings
    store: Store
    ingest: Ingest
    resources: resources.Resources
    pollers: Pollers
    alerts: AlertWorker
    forecasts: Forecasts

    @classmethod
    def open(cls, settings: Settings, on_progress: Progress | None = None) -> House:
        """The store is open and up to date, and the doors' machinery runs; nothing listens yet.

        Raises CatalogueError, SettingsError, StoreUnavailable or PermanentError, each fit for an operator.
        """
        catalogue = loader.load(settings.catalogue)
        access = _logins(settings)
        store = Store(
            settings.database, catalogue, clock=utc_now, threads=settings.threads, memory_limit=settings.memory_limit,
            on_progress=on_progress,
        )  # fmt: skip
        store.start()
        ingest = Ingest(store)
        pollers = Pollers(catalogue.pollers, ingest, Watermarks(store.database, store.clock), os.environ, store.clock)
        replays = _replays(store, settings)
        ready = resources.Resources(
            store=store, deeds=Deeds(store), linking=Linking(store), replays=replays, access=access, settings=settings,
            ingest_counters=lambda: _counters(ingest, pollers), alerts_fault=lambda: alerts.fault,
        )  # fmt: skip
        resources.provide(ready)
        alerts = AlertWorker(
            store, AlertLedger(store.database, store.clock), catalogue.alerts,
            open_channels(catalogue.alerts.channels, os.environ), store.clock, settings.url,
            lambda: [status.plain() for status in pollers.statuses()],
        )  # fmt: skip
        forecasts = Forecasts(store)
        replays.start()
        alerts.start()
        forecasts.start()
        pollers.start()
        return cls(settings, store, ingest, ready, pollers, alerts, forecasts)

    def close(self) -> None:
        """Accepted spans are kept, running replays are left to be settled at the next start, the file is let go."""
        self.pollers.stop()
        self.alerts.stop()
        self.forecasts.close()
        self.resources.replays.stop()
        self.ingest.close()
        self.store.close()


def door_routes(house: House) -> list[BaseRoute]:
    """The doors and the API, without a screen."""
    return [
        *otlp_http.routes(house.ingest, _ingest_access(house.settings)),
        *health.routes(house.store),
        Mount("/api/v1", api.create()),
        Mount("/api", api.unknown_path),
    ]


def application(house: House, *, screen: bool = True) -> Starlette:
    """The whole ASGI application; its lifespan opens the gRPC door and closes the house."""
    routes = door_routes(house)
    streamlit_lifespan = None
    if screen:
        app = _streamlit()
        streamlit_lifespan = app.lifespan()
        access, sessions = house.resources.access, house.resources.sessions
        routes += SignIn(access, sessions, secure=house.settings.url.startswith("https:")).routes()
        routes.append(Mount("/", Gate(app, sessions)))

    @asynccontextmanager
    async def lifespan(starlette: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(house.close)
            if house.settings.grpc_port:
                grpc = await otlp_grpc.start(
                    house.ingest, _ingest_access(house.settings), house.settings.host, house.settings.grpc_port
                )
                stack.push_async_callback(grpc.stop, 1.0)
            if streamlit_lifespan:
                await stack.enter_async_context(streamlit_lifespan(starlette))
            yield

    return Starlette(routes=routes, lifespan=lifespan)


def serve(settings: Settings, *, screen: bool = True, on_progress: Progress | None = None) -> None:
    """Listens until it is told to stop (SIGINT, SIGTERM); returns when everything is closed."""
    house = House.open(settings, on_progress)
    config = uvicorn.Config(
        application(house, screen=screen), host=settings.host, port=settings.port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_S, ws_max_size=200 * 1024 * 1024,
    )  # fmt: skip
    uvicorn.Server(config).run()


def _replays(store: Store, settings: Settings) -> Replays:
    urls = dict(text.partition("=")[::2] for text in settings.engine_urls)
    engines, limits = Engines.of(store.catalogue, urls, partial(said_on_span, store)), store.catalogue.replays
    return Replays(store, Ledger(store.database, store.clock), engines, store.clock, limits)


def _streamlit() -> Any:
    from streamlit.starlette import App

    return App(SCRIPT)


def _ingest_access(settings: Settings) -> collectors.access.Access:
    return collectors.access.Access(collectors.access.Token.parse(text) for text in settings.ingest_tokens)


def _logins(settings: Settings) -> console.access.Access:
    logins = []
    for text in settings.logins:
        name, _, rest = text.partition(":")
        role, _, token = rest.partition(":")
        if not (name and role and token):
            raise SettingsError("CASHTRAIL_LOGINS: each login is name:role:token, for example ana:operator:4f1c...")
        logins.append(console.access.Login(name, role, token))
    try:
        return console.access.Access(logins)
    except ValueError as fault:
        raise SettingsError(f"CASHTRAIL_LOGINS: {fault}") from None


def _counters(ingest: Ingest, pollers: Pollers) -> dict[str, Any]:
    snapshot = ingest.snapshot()
    refused: dict[str, int] = {}
    for source in snapshot.sources:
        for reason, count in source.refused.items():
            refused[reason] = refused.get(reason, 0) + count
    return {
        "spans_stored": snapshot.spans_stored,
        "spans_duplicate": snapshot.spans_duplicate,
        "spans_refused": snapshot.spans_refused,
        "values_redacted": snapshot.values_redacted,
        "queued_spans": snapshot.queued_spans,
        "refused_by_reason": refused,
        "pollers": [status.plain() for status in pollers.statuses()],
        "sources": [
            {"source": s.source, "requests": s.requests, "spans_received": s.spans_received, "refused": dict(s.refused)}
            for s in snapshot.sources
        ],
    }
