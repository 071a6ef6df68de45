"""The preset for Prefect against a real Prefect server of its own, whose one deployment books orders in two tasks."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from console.replay.engine import Accepted, AlreadyThere, Engine, Refused, RetryLater
from console.replay.makers import make
from tests.console.replay.engines.conftest import asking, naming, program, wait_for
from trace_model.catalogue.engine_schema import Engine as Entry

pytestmark = [pytest.mark.engines, pytest.mark.slow]
HERE = Path(__file__).parents[4] / ".engines/prefect/bin"
ENTRY = Entry.model_validate({"name": "flows", "label": "Prefect", "kind": "http", "preset": "prefect"})
FLOW = """
from pathlib import Path

from prefect import flow, task

HERE = Path(__file__).parent


def note(line):
    with (HERE / "books").open("a") as books:
        books.write(line + "\\n")


@task(persist_result=True)
def reserve(order):
    note(f"reserve {order}")


@task
def book(order):
    if (HERE / "erp_is_down").exists():
        raise RuntimeError("503 Service Unavailable")
    note(f"book {order}")


@flow(persist_result=True)
def fulfil(order: str):
    reserve(order)
    book(order)


if __name__ == "__main__":
    fulfil.serve(name="orders")
"""


class Prefect:
    """A Prefect server, and the process that runs its flows."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url = directory, url
        self.api = httpx.Client(base_url=f"{url}/api", timeout=60)

    def engine(self, flow_run_id: str) -> Engine:
        """The adapter, for a failed task's span: it names its own run too, which must not be taken for the flow's."""
        return make(ENTRY, self.url, naming({"prefect.flow-run.id": flow_run_id, "prefect.run.id": "a-task-run"}), {})

    def starts(self, order: str) -> str:
        deployment = self.api.get("/deployments/name/fulfil/orders").json()["id"]
        body = {"parameters": {"order": order}, "state": {"type": "SCHEDULED"}}
        run: str = self.api.post(f"/deployments/{deployment}/create_flow_run", json=body).json()["id"]
        return run

    def state(self, flow_run_id: str) -> str:
        return str(self.api.get(f"/flow_runs/{flow_run_id}").json()["state_type"])

    def effects(self) -> list[str]:
        books = self.directory / "books"
        return books.read_text().splitlines() if books.exists() else []


@contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as running:
        yield running
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    command = program("prefect", str(HERE))
    directory = tmp_path_factory.mktemp("prefect")
    (directory / "flows.py").write_text(FLOW)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "PREFECT_HOME": str(directory / "home"), "PREFECT_API_URL": f"{url}/api", "PREFECT_RUNNER_POLL_FREQUENCY": "2",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
    }  # fmt: skip
    python = str(Path(command).with_name("python"))
    with process([command, "server", "start", "--port", str(port)], environment, directory / "server.log"):
        made = Prefect(directory, url)
        wait_for(lambda: answers(made, "/health"), "Prefect's server answers", 180)
        with process([python, str(directory / "flows.py")], environment, directory / "flows.log"):
            wait_for(lambda: answers(made, "/deployments/name/fulfil/orders"), "the deployment stands", 180)
            yield made
    made.api.close()


def answers(prefect: Prefect, path: str) -> bool:
    try:
        return prefect.api.get(path).is_success
    except httpx.TransportError:
        return False


def test_a_failed_flow_run_is_taken_up_once_from_the_task_that_failed(prefect: Prefect) -> None:
    (prefect.directory / "erp_is_down").touch()
    run = prefect.starts("SO-1")
    wait_for(lambda: prefect.state(run) == "FAILED", "the flow has failed", 180)
    (prefect.directory / "erp_is_down").unlink()
    engine = prefect.engine(run)
    unheard = engine.state(asking(), None)
    assert (unheard.state, unheard.is_answer) == ("unknown", False), "the old failure is not the new run's"
    assert engine.submit(asking()) == Accepted(run)
    assert isinstance(engine.submit(asking()), RetryLater | AlreadyThere), "it is taken up already"
    wait_for(lambda: engine.state(asking(), run).state == "succeeded", "the flow has succeeded", 180)
    assert prefect.effects() == ["reserve SO-1", "book SO-1"], "the task that had succeeded did not run again"
    assert isinstance(engine.submit(asking("ct-2")), AlreadyThere)
    engine.close()


def test_what_prefect_does_not_know_is_refused(prefect: Prefect) -> None:
    for run in ("00000000-0000-0000-0000-000000000000", "no-uuid"):
        engine = prefect.engine(run)
        answer = engine.submit(asking())
        assert isinstance(answer, Refused)
        assert f"knows no run {run}" in answer.reason
        engine.close()
