"""Signing in: a page without a script, and the gate before every page, file and socket of the screen.

The gate stands outside Streamlit, so that nobody gets so far as a session of it without a login. The API and the doors have
their own tokens and stand beside it.
"""

from __future__ import annotations

import html
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from time import monotonic
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from console.access import Access
from console.sessions import COOKIE, LASTS_S, Sessions

log = logging.getLogger("cashtrail.access")

FAILURES, WITHIN_S = 8, 60.0
"""So many wrong tokens from one address within a minute, and it has to wait."""
MOST_BYTES = 4096

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in · Cashtrail</title><style>
:root {{ color-scheme: light dark; font: 14px Inter, ui-sans-serif, system-ui, sans-serif; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: start center; padding-top: 16vh; box-sizing: border-box;
  background: light-dark(#ffffff, #131417); color: light-dark(#1d1e23, #e8e8ec); }}
form {{ width: 300px; border: 1px solid light-dark(#e5e5ea, #2b2d33); border-radius: 8px; padding: 20px; }}
h1 {{ font-size: 15px; margin: 0 0 14px; }} label {{ display: block; font-size: 12px; margin-bottom: 4px; }}
input {{ width: 100%; box-sizing: border-box; padding: 7px 9px; border-radius: 6px; border: 1px solid light-dark(#d5d5dc, #3a3d45);
  background: transparent; color: inherit; font: inherit; }}
p {{ font-size: 12px; margin: 8px 0 14px; color: light-dark(#62646d, #9a9da6); }} p.wrong {{ color: light-dark(#b02525, #ff8f8f); }}
button {{ width: 100%; padding: 8px; border: 0; border-radius: 6px; background: #5158c9; color: #fff; font: inherit; font-weight: 500; }}
</style></head><body><form method="post" action="/sign-in?next={next}"><h1>Cashtrail</h1>
<label for="token">Access token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
{said}<button type="submit">Sign in</button></form></body></html>"""
_HINT = "<p>Whoever runs Cashtrail here gives it to you.</p>"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class SignIn:
    """The page at /sign-in and the way out at /sign-out."""

    def __init__(
        self, access: Access, sessions: Sessions, *, secure: bool, timer: Callable[[], float] = monotonic
    ) -> None:
        self._access = access
        self._sessions = sessions
        self._secure = secure
        self._timer = timer
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/sign-in", self._page, methods=["GET"]),
            Route("/sign-in", self._enter, methods=["POST"]),
            Route("/sign-out", self._leave, methods=["GET", "POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        target = inner(request.query_params.get("next"))
        if self._sessions.opened(request.cookies.get(COOKIE)):
            return RedirectResponse(target, 303)
        return self._form(target, _HINT, 200)

    async def _enter(self, request: Request) -> Response:
        target = inner(request.query_params.get("next"))
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("sign in from this console's own page\n", 403, _HEADERS)
        address = request.client.host if request.client else ""
        wait_s = self._must_wait(address)
        if wait_s > 0:
            said = f'<p class="wrong" role="alert">Too many wrong tokens. Try again in {wait_s:.0f} s.</p>'
            return self._form(target, said, 429, {"Retry-After": f"{wait_s:.0f}"})
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return PlainTextResponse("a token is shorter than this\n", 413, _HEADERS)
        token = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
        who = self._access.principal(token)
        if who is None:
            self._failed(address)
            log.warning("a sign-in from %s had no token of ours", address)
            said = '<p class="wrong" role="alert">No login has this token. Ask whoever runs Cashtrail here for one.</p>'
            return self._form(target, said, 401)
        log.info("%s signed in from %s", who.name, address)
        answer = RedirectResponse(target, 303, _HEADERS)
        answer.set_cookie(
            COOKIE,
            self._sessions.sealed(who),
            max_age=LASTS_S,
            httponly=True,
            samesite="lax",
            secure=self._is_secure(request),
        )
        return answer

    async def _leave(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") == "cross-site":
            return RedirectResponse("/", 303, _HEADERS)
        answer = RedirectResponse("/sign-in", 303, _HEADERS)
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self._is_secure(request))
        return answer

    def _is_secure(self, request: Request) -> bool:
        return self._secure or request.url.scheme == "https"

    def _form(self, target: str, said: str, status: int, headers: dict[str, str] | None = None) -> Response:
        page = _PAGE.format(next=html.escape(quote(target, safe="/")), said=said)
        return HTMLResponse(page, status, _HEADERS | (headers or {}))

    def _must_wait(self, address: str) -> float:
        """Seconds until `address` may try again; 0 if it may now."""
        tried = self._failures.get(address)
        while tried and self._timer() - tried[0] > WITHIN_S:
            tried.popleft()
        return WITHIN_S - (self._timer() - tried[0]) if tried and len(tried) >= FAILURES else 0.0

    def _failed(self, address: str) -> None:
        self._failures.setdefault(address, deque(maxlen=FAILURES)).append(self._timer())
        self._failures.move_to_end(address)
        while len(self._failures) > 1000:
            self._failures.popitem(last=False)


def inner(target: str | None) -> str:
    """`target` where it is a path of this console, else its first page: a link may not lead a fresh sign-in elsewhere.

    >>> inner("/order?id=SO-1"), inner("https://evil.example"), inner("//evil.example"), inner(None)
    ('/order?id=SO-1', '/', '/', '/')
    """
    fits = target is not None and target.startswith("/") and not target.startswith(("//", "/\\", "/sign-"))
    return target if fits and target is not None and target.isprintable() else "/"


class Gate:
    """Lets through whoever is signed in; sends a page's reader to sign in, and answers 401 to all else."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._sessions.opened(_cookie(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "sign in first"})
        elif scope["method"] == "GET" and b"text/html" in dict(scope["headers"]).get(b"accept", b""):
            query = scope["query_string"].decode("latin-1")
            target = scope["path"] + (f"?{query}" if query else "")
            await RedirectResponse(f"/sign-in?next={quote(target, safe='/')}", 303, _HEADERS)(scope, receive, send)
        else:
            await PlainTextResponse("sign in first: /sign-in\n", 401, _HEADERS)(scope, receive, send)


def _cookie(scope: Scope) -> str | None:
    said = dict(scope["headers"]).get(b"cookie", b"").decode("latin-1")
    try:
        held = SimpleCookie(said).get(COOKIE)
    except CookieError:
        return None
    return held.value if held else None
