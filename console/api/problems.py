"""Errors as RFC 9457 problem details: the one table from our errors to HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from trace_model.errors import (
    AmbiguousThing,
    CashtrailError,
    CatalogueError,
    Forbidden,
    RetryableError,
    UncertainError,
    UnknownThing,
)

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    300: "Several are meant",
    400: "Bad request",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Refused",
    422: "Wrong value",
    503: "Unavailable",
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """An error answer; `detail` names the thing, what was found, and what to do."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of `app` is answered as problem details from now on."""

    async def ours(request: Request, fault: Exception) -> Response:
        if isinstance(fault, UnknownThing):
            return problem(404, str(fault))
        if isinstance(fault, AmbiguousThing):
            return problem(300, str(fault), choices=fault.choices)
        if isinstance(fault, Forbidden):
            return problem(403, str(fault))
        if isinstance(fault, CatalogueError):
            return problem(422, "the catalogue is wrong; see `problems`", problems=fault.problems)
        if isinstance(fault, RetryableError):
            return problem(503, str(fault), {"Retry-After": str(max(1, round(fault.retry_after_s)))})
        if isinstance(fault, UncertainError):
            return problem(409, str(fault), uncertain=True)
        return problem(409, str(fault))

    async def wrong_value(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, RequestValidationError)
        said = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in fault.errors())
        return problem(422, said)

    async def http(request: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException)
        return problem(fault.status_code, str(fault.detail), dict(fault.headers or {}))

    app.add_exception_handler(CashtrailError, ours)
    app.add_exception_handler(RequestValidationError, wrong_value)
    app.add_exception_handler(HTTPException, http)
