"""The n8n adapter against a real n8n of its own: a workflow that books orders over HTTP, and an ERP that comes and goes."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from console.replay.credentials import Secrets
from console.replay.engine import Accepted, AlreadyThere, Refused, RetryLater
from console.replay.makers import make
from console.replay.n8n import N8n
from tests.console.replay.conftest import House
from tests.console.replay.engines.conftest import asking, naming, program, replayed, wait_for
from trace_model.catalogue.engine_schema import Engine as Entry

pytestmark = [pytest.mark.engines, pytest.mark.slow]
ENTRY = Entry(name="flows", label="n8n", kind="n8n", secrets={"api_key": "N8N_API_KEY"})
HERE = Path(__file__).parents[4] / ".engines/n8n/node_modules/.bin"
SCOPES = [
    "execution:read",
    "execution:list",
    "execution:retry",
    "workflow:create",
    "workflow:activate",
    "workflow:read",
]


class Erp:
    """The target: books orders, or answers 503 while it is down. `late_by_s` is how long it thinks."""

    def __init__(self) -> None:
        self.books: list[str] = []
        self.is_down, self.late_by_s = False, 0.0
        erp = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                order = json.loads(self.rfile.read(int(self.headers["content-length"])))["order"]
                time.sleep(erp.late_by_s)
                if not erp.is_down:
                    erp.books.append(order)
                self.send_response(503 if erp.is_down else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/orders"
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def workflow(erp_url: str) -> dict[str, Any]:
    """Takes an order by webhook and books it; the run fails if the ERP does not take it."""
    return {
        "name": "Book orders",
        "nodes": [
            {"id": "in", "name": "In", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
             "webhookId": "orders", "parameters": {"httpMethod": "POST", "path": "orders", "responseMode": "onReceived"}},
            {"id": "book", "name": "Book", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [200, 0],
             "parameters": {"method": "POST", "url": erp_url, "sendBody": True, "specifyBody": "json",
                            "jsonBody": "={{ JSON.stringify({order: $json.body.order}) }}", "options": {}}},
        ],
        "connections": {"In": {"main": [[{"node": "Book", "type": "main", "index": 0}]]}},
        "settings": {"executionOrder": "v1"},
    }  # fmt: skip


class Instance:
    """A running n8n with an owner, an API key and the workflow, and the ERP that it books at."""

    def __init__(self, directory: Path) -> None:
        command = os.environ.get("N8N_BIN") or program("n8n", str(HERE))
        self.erp = Erp()
        ports = [_free_port() for _ in range(2)]
        self.url = f"http://127.0.0.1:{ports[0]}"
        environment = os.environ | {
            "N8N_USER_FOLDER": str(directory), "N8N_PORT": str(ports[0]), "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_RUNNERS_BROKER_PORT": str(ports[1]), "N8N_DIAGNOSTICS_ENABLED": "false", "N8N_SECURE_COOKIE": "false",
            "N8N_VERSION_NOTIFICATIONS_ENABLED": "false", "N8N_TEMPLATES_ENABLED": "false",
            "N8N_PERSONALIZATION_ENABLED": "false", "N8N_LOG_LEVEL": "warn",
        }  # fmt: skip
        self._log = directory / "out"
        with self._log.open("w") as log:
            self.process = subprocess.Popen([command, "start"], env=environment, stdout=log, stderr=subprocess.STDOUT)
        wait_for(self._is_ready, "n8n is up", 180)
        self._set_up()

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, "n8n has ended: " + self._log.read_text()[-2000:]
        try:
            return httpx.get(f"{self.url}/healthz/readiness", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def _set_up(self) -> None:
        """The owner and the API key are made by the calls that n8n's own first page makes."""
        owner = {"email": "ana@example.com", "firstName": "Ana", "lastName": "Ops", "password": "Ana-0wns-this"}
        with httpx.Client(base_url=self.url, timeout=30) as browser:
            wait_for(lambda: browser.post("/rest/owner/setup", json=owner).status_code == 200, "n8n has an owner", 60)
            key = browser.post("/rest/api-keys", json={"label": "cashtrail", "expiresAt": None, "scopes": SCOPES})
            assert key.is_success, key.text
            self.api_key: str = key.json()["data"]["rawApiKey"]
        self.client = httpx.Client(
            base_url=f"{self.url}/api/v1", headers={"x-n8n-api-key": self.api_key}, timeout=30, trust_env=False
        )
        made = self.client.post("/workflows", json=workflow(self.erp.url))
        assert made.is_success, made.text
        self.workflow_id = made.json()["id"]
        active = self.client.post(f"/workflows/{self.workflow_id}/activate")
        assert active.is_success, active.text

    def executions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/executions", params={"workflowId": self.workflow_id}).json()[
            "data"
        ]
        return found

    def fails(self, order: str) -> str:
        """The id of an execution that could not book the order; the ERP is back since."""
        before = {row["id"] for row in self.executions()}
        self.erp.is_down, self.erp.late_by_s = True, 0.0
        assert httpx.post(f"{self.url}/webhook/orders", json={"order": order}, timeout=30).is_success
        new: list[str] = []

        def has_failed() -> bool:
            new[:] = [r["id"] for r in self.executions() if r["id"] not in before and r["status"] == "error"]
            return bool(new)

        wait_for(has_failed, "the execution has failed", 60)
        self.erp.is_down = False
        return new[0]

    def adapter(self, execution_id: str, *, patience_s: float = 30.0) -> N8n:
        said = {"n8n.execution.id": execution_id} if execution_id else {}
        return N8n(
            ENTRY, self.url, Secrets({"api_key": self.api_key}), naming(said), submit_timeout=httpx.Timeout(patience_s)
        )

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(60)
        self.erp.server.shutdown()
        self.erp.server.server_close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def n8n(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    found = Instance(tmp_path_factory.mktemp("n8n"))
    yield found
    found.stop()


def test_a_failed_execution_is_retried_and_books_once(n8n: Instance) -> None:
    engine = n8n.adapter(n8n.fails("SO-1"))
    answer = engine.submit(asking())
    assert isinstance(answer, Accepted), answer
    assert answer.run_id
    assert engine.state(asking(), answer.run_id).state == "succeeded"
    assert engine.state(asking(), None).state == "succeeded", "found again without its id"
    assert n8n.erp.books.count("SO-1") == 1
    engine.close()


def test_an_operators_replay_finds_the_execution_on_the_span_and_ends_at_the_milestone(
    n8n: Instance, house: House
) -> None:
    order = house.order(1)
    execution = n8n.fails(order)
    plan = replayed(
        house,
        lambda span_attributes: make(ENTRY, n8n.url, span_attributes, {"N8N_API_KEY": n8n.api_key}),
        {"n8n.execution.id": execution},
        lambda: n8n.erp.books.count(order) == 1,
    )
    assert plan.items[0].outcome == "milestone_reached"


def test_the_same_key_or_another_books_nothing_twice(n8n: Instance) -> None:
    execution = n8n.fails("SO-2")
    answers = []
    for key in ("ct-1", "ct-1", "ct-2"):
        engine = n8n.adapter(execution)
        answers.append(type(engine.submit(asking(key))))
        engine.close()
    assert answers == [Accepted, AlreadyThere, AlreadyThere]
    assert n8n.erp.books.count("SO-2") == 1


def test_a_retry_that_takes_long_is_found_in_the_record_and_not_asked_for_again(n8n: Instance) -> None:
    engine = n8n.adapter(n8n.fails("SO-3"), patience_s=1.5)
    n8n.erp.late_by_s = 6.0
    answer = engine.submit(asking())
    assert isinstance(answer, Accepted), answer
    assert engine.state(asking(), answer.run_id).state in ("accepted", "running")
    assert isinstance(engine.submit(asking()), RetryLater), "a retry of it is running"
    wait_for(lambda: engine.state(asking(), answer.run_id).state == "succeeded", "the retry has succeeded", 60)
    n8n.erp.late_by_s = 0.0
    assert n8n.erp.books.count("SO-3") == 1
    engine.close()


def test_a_retry_that_fails_again_is_said_to_have_failed_and_may_be_tried_again(n8n: Instance) -> None:
    engine = n8n.adapter(n8n.fails("SO-4"))
    n8n.erp.is_down = True
    answer = engine.submit(asking())
    assert isinstance(answer, Accepted)
    wait_for(lambda: engine.state(asking(), answer.run_id).state == "failed", "the retry has failed")
    n8n.erp.is_down = False
    assert isinstance(engine.submit(asking("ct-2")), Accepted)
    assert n8n.erp.books.count("SO-4") == 1
    engine.close()


def test_what_cannot_be_retried_is_refused_in_words(n8n: Instance) -> None:
    for execution, more, told in (
        ("999999", {}, "knows no execution 999999"),
        ("", {}, "n8n.execution.id"),
        ("1", {"payload_patch": {"po": "7"}}, "no place for a patch"),
        ("1", {"from_step": "Book"}, "from the node that failed"),
    ):
        engine = n8n.adapter(execution)
        answer = engine.submit(asking(**more))
        assert isinstance(answer, Refused)
        assert told in answer.reason
        engine.close()


def test_a_wrong_key_is_refused_and_told_nowhere(n8n: Instance, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    engine = N8n(ENTRY, n8n.url, Secrets({"api_key": "wr0ng-s3cret"}), naming({"n8n.execution.id": "1"}))
    answer = engine.submit(asking())
    assert isinstance(answer, Refused)
    assert "secret 'api_key'" in answer.reason
    assert "wr0ng-s3cret" not in answer.reason + caplog.text
    assert not engine.state(asking(), "1").is_answer
    engine.close()


def test_an_instance_that_is_not_there_is_asked_later(n8n: Instance) -> None:
    engine = N8n(
        ENTRY, f"http://127.0.0.1:{_free_port()}", Secrets({"api_key": "k"}), naming({"n8n.execution.id": "1"})
    )
    assert isinstance(engine.submit(asking()), RetryLater)
    engine.close()
