"""The gate before the screen: nothing of it without a token, a session that nobody can forge, and no way to guess one quickly."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from console.access import Access, Login
from console.sessions import COOKIE, LASTS_S, Sessions
from console.sign_in import FAILURES, WITHIN_S, Gate, SignIn

ANA = Login("ana", "operator", "let-me-in")
PAGE = {"accept": "text/html"}


class Console:
    """The gate before a small screen, asked over ASGI; `now` is what the timer says."""

    def __init__(self, *logins: Login) -> None:
        self.now = 0.0
        access = Access(logins)
        self.sessions = Sessions(access)
        page = SignIn(access, self.sessions, secure=False, timer=lambda: self.now)

        async def socket(ws: WebSocket) -> None:
            await ws.accept()
            await ws.close(1000)

        screen = Starlette(
            routes=[
                WebSocketRoute("/stream", socket),
                Route("/{path:path}", lambda _: PlainTextResponse("the business")),
            ]
        )
        self.app = Starlette(routes=[*page.routes(), Mount("/", Gate(screen, self.sessions))])

    def ask(self, method: str, path: str, cookie: str | None = None, **more: Any) -> httpx.Response:
        headers = more.pop("headers", {}) | ({"cookie": f"{COOKIE}={cookie}"} if cookie else {})

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(go())

    def sign_in(self, token: str, to: str = "/", **headers: str) -> httpx.Response:
        return self.ask("POST", "/sign-in", params={"next": to}, data={"token": token}, headers=headers)

    def socket_opened(self, cookie: str | None) -> bool:
        said: list[dict[str, Any]] = []

        async def go() -> None:
            async def receive() -> dict[str, Any]:
                return {"type": "websocket.connect"}

            async def send(message: Any) -> None:
                said.append(message)

            headers = [(b"cookie", f"{COOKIE}={cookie}".encode())] if cookie else []
            scope = {
                "type": "websocket", "path": "/stream", "raw_path": b"/stream", "root_path": "", "query_string": b"", "headers": headers,
                "subprotocols": [], "scheme": "ws", "server": ("console", 80), "client": ("127.0.0.1", 1), "app": self.app,
            }  # fmt: skip
            await self.app(scope, receive, send)

        asyncio.run(go())
        return said[0]["type"] == "websocket.accept"


@pytest.fixture
def console() -> Console:
    return Console(ANA)


def test_a_page_leads_to_the_sign_in_and_back_to_where_one_was_going(console: Console) -> None:
    sent = console.ask("GET", "/order?id=SO-1&type=order", headers=PAGE)
    assert sent.status_code == 303
    assert sent.headers["location"] == "/sign-in?next=/order%3Fid%3DSO-1%26type%3Dorder"
    form = console.ask("GET", sent.headers["location"])
    assert form.status_code == 200
    assert "Access token" in form.text
    entered = console.sign_in("let-me-in", "/order?id=SO-1&type=order")
    assert (entered.status_code, entered.headers["location"]) == (303, "/order?id=SO-1&type=order")
    assert console.ask("GET", "/", entered.cookies[COOKIE], headers=PAGE).text == "the business"


def test_files_and_sockets_of_the_screen_are_shut_too(console: Console) -> None:
    assert console.ask("GET", "/media/file.csv").status_code == 401
    assert not console.socket_opened(None)
    assert console.socket_opened(console.sign_in("let-me-in").cookies[COOKIE])


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(console: Console) -> None:
    given = console.sign_in("let-me-in").headers["set-cookie"].lower()
    assert "httponly" in given
    assert "samesite=lax" in given
    assert "let-me-in" not in given


@pytest.mark.parametrize("cookie", ["", "x", "ana", "ImFuYSI.aaaa.bbbb", '"'])
def test_a_made_up_session_opens_nothing(console: Console, cookie: str) -> None:
    assert console.ask("GET", "/", cookie, headers=PAGE).status_code == 303


def test_a_session_ends_with_its_time_and_with_its_token(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = console.sign_in("let-me-in").cookies[COOKIE]
    assert Sessions(Access([ANA])).opened(cookie), "a restart signs nobody out"
    assert Sessions(Access([Login("ana", "operator", "another")])).opened(cookie) is None
    import itsdangerous.timed

    later = itsdangerous.timed.time.time() + LASTS_S + 60
    monkeypatch.setattr(itsdangerous.timed.time, "time", lambda: later)
    assert console.sessions.opened(cookie) is None


def test_a_wrong_token_is_said_and_too_many_have_to_wait(console: Console) -> None:
    for _ in range(FAILURES):
        wrong = console.sign_in("wrong")
        assert wrong.status_code == 401
        assert "No login has this token" in wrong.text
    shut = console.sign_in("let-me-in")
    assert (shut.status_code, shut.headers["retry-after"]) == (429, "60")
    console.now += WITHIN_S + 1
    assert console.sign_in("let-me-in").status_code == 303


def test_another_site_can_neither_sign_in_nor_lead_away(console: Console) -> None:
    assert console.sign_in("let-me-in", **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert console.sign_in("let-me-in", "https://evil.example/").headers["location"] == "/"
    assert console.sign_in("x" * 5000).status_code == 413
    script = console.ask("GET", "/sign-in", params={"next": '/"><script>'})
    assert "<script" not in script.text


def test_signing_out_takes_the_cookie_back(console: Console) -> None:
    left = console.ask("GET", "/sign-out", console.sign_in("let-me-in").cookies[COOKIE])
    assert left.headers["location"] == "/sign-in"
    assert "max-age=0" in left.headers["set-cookie"].lower()


def test_without_logins_there_is_no_gate() -> None:
    assert Console().ask("GET", "/", headers=PAGE).text == "the business"
