"""The DBOS adapter against a real DBOS application, on SQLite and on PostgreSQL: forks, keys, and everything that may go wrong."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from console.replay.credentials import Secrets
from console.replay.dbos_transact import DbosTransact
from console.replay.engine import Accepted, AlreadyTaken, AlreadyThere, Engine, Engines, Refused, RetryLater, Uncertain
from console.replay.facts import said_on_span
from console.replay.makers import make
from console.replay.replays import Replays
from tests.console.replay.conftest import OPERATOR, QUICK, House, ended, until
from tests.console.replay.engines.conftest import asking, naming, program, replayed, wait_for
from tests.console.replay.estate import span, table
from tests.console.replay.test_chaos import Dying
from trace_model.catalogue.engine_schema import Engine as Entry

pytestmark = pytest.mark.engines
ENTRY = Entry(name="orders", label="Orders", kind="dbos")
PASSWORD = "p4ss-w0rd"


class App:
    """A running DBOS application and its books."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url, self.directory = url, directory
        directory.mkdir(exist_ok=True)
        script = Path(__file__).with_name("dbos_app.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), url, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._hears("ready")

    def _hears(self, *answers: str) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        assert line in answers, f"the application said {line!r}"
        return line

    def start(self, workflow_id: str, order: str) -> str:
        assert self.process.stdin
        print("start", workflow_id, order, file=self.process.stdin, flush=True)
        return self._hears("failed", "succeeded")

    def erp(self, *, is_down: bool) -> None:
        flag = self.directory / "erp_is_down"
        flag.touch() if is_down else flag.unlink(missing_ok=True)

    def fails(self, order: str) -> str:
        """The id of a workflow that has failed at its second step, booking; the ERP is back since."""
        self.erp(is_down=True)
        assert self.start(f"wf-{order}", order) == "failed"
        self.erp(is_down=False)
        return f"wf-{order}"

    def effects(self, order: str) -> list[str]:
        books = (self.directory / "books").read_text().splitlines()
        return [line.split()[0] for line in books if line.endswith(f" {order}")]

    def adapter(self, workflow_id: str, **attributes: str) -> Engine:
        said = {"operationUUID": workflow_id} if workflow_id else {}
        return make(ENTRY, self.url, naming(said | attributes))

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)
        assert self.process.stdout
        self.process.stdout.close()


class Postgres:
    """A PostgreSQL of its own that asks for a password."""

    def __init__(self, directory: Path) -> None:
        bin_ = program("initdb", *(str(p) for p in Path("/usr/lib/postgresql").glob("*/bin")))
        self.bin, self.directory = Path(bin_).parent, directory
        self.as_owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        secret = directory / "secret"
        secret.write_text(PASSWORD)
        if self.as_owner:
            subprocess.run(["chown", "-R", "postgres", str(directory)], check=True)
        self._run(
            "initdb", "-D", directory / "data", "-U", "cashier", "--auth=scram-sha-256", f"--pwfile={secret}", "-N"
        )

    def _run(self, name: str, *arguments: object) -> None:
        command = [*self.as_owner, str(self.bin / name), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.directory)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.directory} -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-D", self.directory / "data", "-o", options, "-l", self.directory / "log")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-D", self.directory / "data", "-m", "immediate")

    @property
    def url(self) -> str:
        return f"postgresql://cashier:{PASSWORD}@127.0.0.1:{self.port}/orders"


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    directory = tmp_path_factory.mktemp("dbos")
    app = App(f"sqlite:///{directory}/dbos.sqlite", directory)
    yield app
    app.stop()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    # not below pytest's own directory, which the database's user may not enter
    with tempfile.TemporaryDirectory() as directory:
        server = Postgres(Path(directory))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def on_postgres(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    app = App(postgres.url, tmp_path_factory.mktemp("dbos-pg"))
    yield app
    app.stop()


@pytest.fixture(params=["on_sqlite", "on_postgres"])
def app(request: pytest.FixtureRequest) -> App:
    found: App = request.getfixturevalue(request.param)
    return found


_orders = iter(range(1, 10_000))


@pytest.fixture
def order() -> str:
    return f"SO-{next(_orders)}"


def test_a_failed_workflow_goes_on_from_the_step_that_failed_and_books_once(app: App, order: str) -> None:
    engine = app.adapter(app.fails(order))
    ask = asking(f"ct-{order}")
    assert engine.submit(ask) == Accepted(f"ct-{order}")
    wait_for(lambda: engine.state(ask, None).state == "succeeded", "the fork has succeeded")
    assert app.effects(order) == ["reserve", "book", "tell"]
    engine.close()


def test_an_operators_replay_finds_the_workflow_on_the_span_and_ends_at_the_milestone(
    on_sqlite: App, house: House
) -> None:
    order = house.order(1)
    workflow = on_sqlite.fails(order)
    plan = replayed(
        house,
        lambda span_attributes: make(ENTRY, on_sqlite.url, span_attributes),
        {"operationUUID": workflow},
        lambda: on_sqlite.effects(order) == ["reserve", "book", "tell"],
    )
    assert plan.items[0].outcome == "milestone_reached"
    assert plan.items[0].run_id == plan.items[0].idempotency_key


def test_the_same_key_starts_one_run_whoever_asks_and_how_often(app: App, order: str) -> None:
    workflow, ask = app.fails(order), asking(f"ct-{order}")
    answers = []
    for engine in (app.adapter(workflow), app.adapter(workflow)):
        answers += [engine.submit(ask), engine.submit(ask)]
        engine.close()
    assert answers == [Accepted(ask.idempotency_key)] + [AlreadyTaken(ask.idempotency_key)] * 3
    engine = app.adapter(workflow)
    wait_for(lambda: engine.state(ask, None).state == "succeeded", "the fork has succeeded")
    assert app.effects(order) == ["reserve", "book", "tell"]
    engine.close()


def test_two_consoles_that_ask_at_once_start_one_run(on_postgres: App, order: str) -> None:
    workflow, ask = on_postgres.fails(order), asking(f"ct-{order}")
    consoles = [on_postgres.adapter(workflow) for _ in range(2)]
    with ThreadPoolExecutor(12) as clicks:
        answers = list(clicks.map(lambda n: consoles[n % 2].submit(ask), range(24)))
    assert answers.count(Accepted(ask.idempotency_key)) == 1
    assert answers.count(AlreadyTaken(ask.idempotency_key)) == 23
    wait_for(lambda: consoles[0].state(ask, None).state == "succeeded", "the fork has succeeded")
    assert on_postgres.effects(order) == ["reserve", "book", "tell"]
    for console in consoles:
        console.close()


def test_what_has_been_replayed_is_not_replayed_under_another_key(app: App, order: str) -> None:
    engine = app.adapter(app.fails(order))
    engine.submit(asking(f"ct-{order}"))
    wait_for(lambda: engine.state(asking(f"ct-{order}"), None).state == "succeeded", "the fork has succeeded")
    answer = engine.submit(asking(f"ct-{order}-again"))
    assert isinstance(answer, AlreadyThere)
    assert f"ct-{order}" in answer.detail
    assert app.effects(order) == ["reserve", "book", "tell"]
    engine.close()


@pytest.mark.parametrize(("from_step", "effects"), [("reserve", 2), ("1", 2), ("book", 1), ("2", 1)])
def test_the_step_to_start_from_goes_by_name_or_number(app: App, order: str, from_step: str, effects: int) -> None:
    engine = app.adapter(app.fails(order))
    ask = asking(f"ct-{order}", from_step=from_step)
    assert isinstance(engine.submit(ask), Accepted)
    wait_for(lambda: engine.state(ask, None).state == "succeeded", "the fork has succeeded")
    assert app.effects(order).count("reserve") == effects
    engine.close()


def test_a_replay_that_fails_again_is_said_to_have_failed(app: App, order: str) -> None:
    engine, ask = app.adapter(app.fails(order)), asking(f"ct-{order}")
    app.erp(is_down=True)
    engine.submit(ask)
    wait_for(lambda: engine.state(ask, None).state == "failed", "the fork has failed")
    assert "ERROR" in engine.state(ask, None).detail
    app.erp(is_down=False)
    assert app.effects(order) == ["reserve"]
    engine.close()


def test_what_cannot_be_replayed_is_refused_in_words(app: App, order: str) -> None:
    workflow = app.fails(order)
    for engine, ask, told in (
        (app.adapter("wf-unknown"), asking("ct-x"), "knows no workflow wf-unknown"),
        (app.adapter(""), asking("ct-x"), "operationUUID"),
        (app.adapter(workflow), asking("ct-x", from_step="ship"), "no step 'ship' was recorded. Recorded: 1 fulfil"),
        (app.adapter(workflow), asking("ct-x", from_step="9"), "no step 9"),
        (app.adapter(workflow), asking("ct-x", payload_patch={"po": "7"}), "patch cannot be sent"),
    ):
        answer = engine.submit(ask)
        assert isinstance(answer, Refused)
        assert told.replace("1 fulfil", "1 ") in answer.reason
        engine.close()
    assert app.start("wf-well", "SO-0-" + order) == "succeeded"
    engine = app.adapter("wf-well")
    assert isinstance(engine.submit(asking("ct-x")), AlreadyThere)
    assert engine.state(asking("ct-x"), None).state == "unknown"
    engine.close()


def test_a_database_that_is_not_there_is_asked_later(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for url in (f"sqlite:///{tmp_path}/none.sqlite", f"postgresql://cashier:{PASSWORD}@127.0.0.1:{port}/orders"):
        engine = make(ENTRY, url, naming({"operationUUID": "wf"}))
        answer = engine.submit(asking())
        assert isinstance(answer, RetryLater)
        assert PASSWORD not in answer.detail
        assert not engine.state(asking(), None).is_answer
        engine.close()
    assert not (tmp_path / "none.sqlite").exists()


def test_a_wrong_password_is_refused_and_told_nowhere(on_postgres: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = on_postgres.url.replace(f":{PASSWORD}@", "@")
    entry = Entry(name="orders", label="Orders", kind="dbos", secrets={"password": "ORDERS_DB"})
    engine = make(entry, url, naming({"operationUUID": "wf"}), {"ORDERS_DB": "wrong-s3cret"})
    answer = engine.submit(asking())
    assert isinstance(answer, Refused)
    assert "secret 'password'" in answer.reason
    assert "wrong-s3cret" not in answer.reason + caplog.text
    engine.close()
    engine = make(entry, url, naming({"operationUUID": "wf-none"}), {"ORDERS_DB": PASSWORD})
    assert isinstance(engine.submit(asking()), Refused), "the right one from the environment gets in"
    engine.close()


def test_a_connection_lost_in_the_commit_leaves_it_uncertain_and_before_it_does_not(
    postgres: Postgres, on_postgres: App, order: str
) -> None:
    engine = on_postgres.adapter(on_postgres.fails(order))
    assert isinstance(engine, DbosTransact)
    ask = asking(f"ct-{order}")
    writes: list[str] = []
    expected: type = Uncertain

    def written(connection: sa.Connection, cursor: object, statement: str, *more: object) -> None:
        if statement.startswith("INSERT INTO dbos.workflow_status"):
            writes.append(statement)
            if expected is RetryLater:
                postgres.stop()

    def commits(connection: sa.Connection) -> None:
        if writes and expected is Uncertain:
            postgres.stop()

    sa.event.listen(engine.database, "before_cursor_execute", written)
    sa.event.listen(engine.database, "commit", commits)
    for expected in (Uncertain, RetryLater):
        writes.clear()
        answer = engine.submit(ask)
        assert isinstance(answer, expected), answer
        assert PASSWORD not in answer.detail
        assert not engine.state(ask, None).is_answer, "nobody can say while the database is down"
        postgres.start()
        assert engine.state(ask, None).state == "unknown"
    expected = Accepted
    assert engine.submit(ask) == Accepted(ask.idempotency_key)
    wait_for(lambda: engine.state(ask, None).state == "succeeded", "the fork has succeeded", 60)
    assert on_postgres.effects(order) == ["reserve", "book", "tell"]
    engine.close()


def test_two_dbos_settings_reach_the_fork(on_sqlite: App, order: str) -> None:
    workflow = on_sqlite.fails(order)
    entry = Entry.model_validate({**ENTRY.model_dump(), "dbos": {"application_version": "from-the-future"}})
    engine = DbosTransact(entry, on_sqlite.url, Secrets({}), naming({"operationUUID": workflow}))
    ask = asking(f"ct-{order}")
    assert engine.submit(ask) == Accepted(ask.idempotency_key)
    assert engine.state(ask, None).state == "accepted", "no worker has that version: it waits"
    assert isinstance(engine.submit(replace(ask, idempotency_key="ct-other")), RetryLater)
    engine.close()


@pytest.mark.parametrize("step", ["reserved", "answered"])
def test_a_death_before_or_after_the_fork_is_settled_by_its_key_and_books_once(
    house: House, app: App, order: str, step: str
) -> None:
    """Nobody heard the answer: DBOS's own record tells whether the fork was made, and only if not is it asked for again."""
    workflow = app.fails(order)
    ids = house.fail(1, operationUUID=workflow)
    patient = replace(QUICK, evidence_timeout_s=60.0)

    def service(**more: Any) -> Replays:
        engine = make(ENTRY, app.url, partial(said_on_span, house.store))
        made = Replays(house.store, house.ledger, Engines([(engine, [])]), house.store.clock, patient, **more)
        house.opened.append(made)
        made.start()
        return made

    dying = Dying(step, after=0)
    first = service(at=dying)
    plan = first.plan(OPERATOR, exception_ids=ids, reason="the ERP is back")
    first.execute(OPERATOR, plan.plan_id, plan.hash, "the ERP is back")
    assert dying.dead.wait(30)
    first.stop()
    wait_for(
        lambda: app.effects(order) == (["reserve", "book", "tell"] if step == "answered" else ["reserve"]),
        "as far as it got",
    )
    assert first.get(plan.plan_id).items[0].outcome == "sent"

    second = service()
    wait_for(lambda: app.effects(order) == ["reserve", "book", "tell"], "the order is booked", 60)
    wait_for(lambda: second.get(plan.plan_id).items[0].outcome == "accepted", "it is settled", 60)
    item = second.get(plan.plan_id).items[0]
    assert item.doubted_at is not None
    assert item.tries == (1 if step == "answered" else 2)
    if step == "answered":
        assert f"workflow {item.idempotency_key} is SUCCESS" in (item.detail or "")
    keys = {"q2c.order.id": house.order(1), "q2c.operation": "erp.create_order", "peer.service": "erp-de"}
    house.store.record(table([span("erp.create_order", keys)]))
    assert until(second, plan, ended).totals() == {"milestone_reached": 1}
    assert app.effects(order) == ["reserve", "book", "tell"]
