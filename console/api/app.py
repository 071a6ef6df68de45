"""The HTTP API as one FastAPI application, mounted under /api/v1: the same reads and the same deeds as the screen."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from console.api import (
    alerts,
    catalogue_trials,
    exceptions,
    operations,
    problems,
    process,
    replays,
    stitching,
    timelines,
)


def create() -> FastAPI:
    """The application; it answers from `console.resources.current()`."""
    app = FastAPI(
        title="Cashtrail",
        version=version("cashtrail"),
        summary="Where is the order, who acts next, what is it worth?",
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    problems.install(app)
    for router in (
        timelines.router,
        exceptions.router,
        replays.router,
        operations.router,
        alerts.router,
        catalogue_trials.router,
        stitching.router,
        process.router,
    ):
        app.include_router(router)
    return app


async def unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
    """404 as problem details for anything under /api that is not this version."""
    await problems.problem(404, f"there is nothing at {scope['path']}; the API is /api/v1")(scope, receive, send)
