"""What tests of several rooms share: a whole house that listens, and a real browser."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

SHARED = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not beside the repository ({SHARED.name}/ missing)")
    return SHARED


@dataclass
class Listening:
    """A house that listens on loopback in a thread of this process."""

    url: str
    house: Any
    client: httpx.Client

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET under /api/v1; raises on any status but 200."""
        answer = self.client.get(f"{self.url}/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.client.post(f"{self.url}/api/v1{path}", json=body)

    def until(self, holds: Callable[[], Any], seconds: float = 60) -> Any:
        """What `holds` returns once it is true; fails after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := holds():
                return found
            time.sleep(0.1)
        raise AssertionError(f"did not come true within {seconds} s")


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Callable[..., Listening]]:
    """Starts houses on a database below tmp_path: doors and API, no screen. All are closed at the end."""
    from console.server import House, application
    from console.settings import read

    running: list[tuple[uvicorn.Server, threading.Thread]] = []
    clients: list[httpx.Client] = []

    def start(**given: Any) -> Listening:
        settings = read({}, **({"database": tmp_path / "cashtrail.duckdb", "port": 0, "grpc_port": 0} | given))
        house = House.open(settings)
        config = uvicorn.Config(
            application(house, screen=False), port=0, log_level="warning", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        running.append((server, thread))
        port = server.servers[0].sockets[0].getsockname()[1]
        clients.append(httpx.Client(verify=False, timeout=30))  # reading the authorities would cost more than a call
        return Listening(f"http://127.0.0.1:{port}", house, clients[-1])

    yield start
    for client in clients:
        client.close()
    for server, thread in running:
        server.should_exit = True
        thread.join(20)


CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path() -> str | None:
    """Debian's Chromium or another on the PATH; None where there is none."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium by Playwright. Without one: a skip that says so, and in CI a failure."""
    path = chromium_path()
    if path is None:
        message = "no Chromium on the PATH; `apt-get install chromium`, then run again"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield found
        found.close()
