"""The RabbitMQ adapter against a real broker of its own: dead letters go back once, and are never lost."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pika
import pytest

from console.replay.engine import Accepted, AlreadyTaken, Answer, Engine, Refused, RetryLater, Uncertain
from console.replay.makers import make
from tests.console.replay.conftest import House
from tests.console.replay.engines.conftest import asking, naming, program, replayed, wait_for
from trace_model.catalogue.engine_schema import Engine as Entry

pytestmark = pytest.mark.engines
PASSWORD = "rabbit-p4ss"


class Broker:
    """A RabbitMQ node with its own directory, ports and user."""

    def __init__(self, directory: Path) -> None:
        self._server = program("rabbitmq-server", "/usr/lib/rabbitmq/bin")
        self._server = "/usr/lib/rabbitmq/bin/rabbitmq-server" if os.getuid() == 0 else self._server
        self.port, dist, epmd = (_free_port() for _ in range(3))
        self._environment = os.environ | {
            "HOME": str(directory), "ERL_EPMD_PORT": str(epmd), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"cashtrail{self.port}@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"), "RABBITMQ_LOG_BASE": str(directory),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"), "RABBITMQ_CONFIG_FILE": str(directory / "none"),
        }  # fmt: skip
        self._log = directory / "out"
        self.start()
        self._control("add_user", "cashier", PASSWORD)
        self._control("set_permissions", "cashier", ".*", ".*", ".*")
        self._control("add_user", "stranger", PASSWORD)

    def start(self) -> None:
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [self._server], env=self._environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        wait_for(lambda: self._answers(), "RabbitMQ is up", 60)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "rabbitmq-server has ended: " + self._log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _control(self, *arguments: str) -> None:
        command = str(Path(self._server).with_name("rabbitmqctl"))
        subprocess.run([command, *arguments], env=self._environment, check=True, capture_output=True, timeout=60)

    def signal(self, what: signal.Signals) -> None:
        """To the server and all that it started."""
        os.killpg(self.process.pid, what)

    def stop(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(30)
        # Erlang's name server has left the group; it ends once it has seen that its only node is gone
        kill = ["epmd", "-kill"]
        wait_for(
            lambda: "Killed" in subprocess.run(kill, env=self._environment, capture_output=True, text=True).stdout,
            "Erlang's name server has ended",
        )

    def url(self, user: str = "cashier", password: str = PASSWORD) -> str:
        return f"amqp://{user}:{password}@127.0.0.1:{self.port}/%2F?retry_delay=0"

    def channel(self) -> Any:
        return pika.BlockingConnection(pika.URLParameters(self.url())).channel()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    found = Broker(tmp_path_factory.mktemp("rabbitmq"))
    yield found
    found.stop()


_numbers = iter(range(1, 10_000))


class Orders:
    """An exchange that feeds a queue whose rejected messages become dead letters, and the books of its consumer."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.name = broker, f"orders-{next(_numbers)}"
        self.dead, self.erp_is_down = f"{self.name}.dead", False
        self.books: list[tuple[str, bytes, dict[str, Any]]] = []
        self.channel = broker.channel()
        self.channel.exchange_declare(self.name, "topic", durable=True)
        self.channel.queue_declare(self.dead, durable=True)
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": self.dead}
        self.channel.queue_declare(self.name, durable=True, arguments=arguments)
        self.channel.queue_bind(self.name, self.name, "order.*")

    def send(self, message_id: str, body: bytes = b'{"order": "SO-1", "po": null}', **more: Any) -> None:
        properties = pika.BasicProperties(
            message_id=message_id, correlation_id=f"c-{message_id}", content_type="application/json", delivery_mode=2,
            headers={"tenant": "eu", "x-number": message_id}, user_id="cashier", **more,
        )  # fmt: skip
        self.channel.basic_publish(self.name, "order.created", body, properties)

    def consume(self) -> int:
        """Every waiting message is booked, or rejected while the ERP is down; how many there were."""
        for count in range(1000):
            method, properties, body = self.channel.basic_get(self.name)
            if method is None:
                return count
            if self.erp_is_down:
                self.channel.basic_nack(method.delivery_tag, requeue=False)
            else:
                self.books.append((properties.message_id, body, properties.headers))
                self.channel.basic_ack(method.delivery_tag)
        raise AssertionError("the queue never ends")

    def dies(self, message_id: str, **more: Any) -> str:
        """The id of a message that has become a dead letter; the ERP is back since."""
        self.erp_is_down = True
        self.send(message_id, **more)
        before = self.dead_count()
        wait_for(lambda: self.consume() == 1, "the message has arrived")
        wait_for(lambda: self.dead_count() == before + 1, "the message is a dead letter")
        self.erp_is_down = False
        return message_id

    def dead_count(self) -> int:
        count: int = self.channel.queue_declare(self.dead, passive=True).method.message_count
        return count

    def adapter(self, attributes: dict[str, str], url: str | None = None, **settings: Any) -> Engine:
        return make(self.entry(**settings), url or self.broker.url(), naming(attributes))

    def entry(self, **settings: Any) -> Entry:
        rabbitmq = {"dead_letter_queues": [self.dead]} | settings
        return Entry.model_validate({"name": "bus", "label": "Bus", "kind": "rabbitmq", "rabbitmq": rabbitmq})

    def replay(self, message_id: str, key: str = "ct-1", **more: Any) -> Answer:
        return self.adapter({"messaging.message.id": message_id}).submit(asking(key, **more))


@pytest.fixture
def orders(broker: Broker) -> Iterator[Orders]:
    found = Orders(broker)
    yield found
    found.channel.connection.close()


def test_a_dead_letter_goes_back_by_the_way_it_came_with_all_it_bore(orders: Orders) -> None:
    orders.dies("m-0")
    orders.dies("m-1")
    assert orders.replay("m-1") == Accepted("m-1")
    wait_for(lambda: orders.consume() == 1, "the message has come back")
    message_id, body, headers = orders.books[0]
    assert (message_id, body) == ("m-1", b'{"order": "SO-1", "po": null}')
    assert headers["tenant"] == "eu"
    assert headers["q2c.idempotency_key"] == "ct-1"
    assert headers["q2c.replay.id"] == "rp-ct-1"
    assert headers["x-death"][0]["exchange"] == orders.name
    assert orders.dead_count() == 1, "the other dead letter stays"


def test_an_operators_replay_finds_the_message_on_the_span_and_ends_at_the_milestone(
    orders: Orders, house: House
) -> None:
    orders.dies("m-1")
    plan = replayed(
        house,
        lambda span_attributes: make(orders.entry(), orders.broker.url(), span_attributes),
        {"messaging.message.id": "m-1"},
        lambda: orders.consume() == 1,
    )
    assert plan.items[0].outcome == "milestone_reached"
    assert [headers["q2c.replay.id"] for _, _, headers in orders.books] == [plan.items[0].replay_id]


def test_the_same_key_sends_once(orders: Orders) -> None:
    orders.dies("m-1")
    answers = [orders.replay("m-1") for _ in range(3)]
    assert answers[0] == Accepted("m-1")
    assert all(isinstance(answer, Refused) for answer in answers[1:])
    orders.erp_is_down = True
    wait_for(lambda: orders.consume() == 1, "the message has come back")
    wait_for(lambda: orders.dead_count() == 1, "it died again")
    assert orders.replay("m-1") == AlreadyTaken("m-1"), "its key stands on it"
    assert orders.consume() == 0
    assert isinstance(orders.replay("m-1", "ct-2"), Accepted), "another try is another key"


def test_many_clicks_at_once_send_once(orders: Orders) -> None:
    orders.dies("m-1")
    engine = orders.adapter({"messaging.message.id": "m-1"})
    with ThreadPoolExecutor(8) as clicks:
        answers = list(clicks.map(lambda _: engine.submit(asking()), range(16)))
    assert answers.count(Accepted("m-1")) == 1
    assert sum(isinstance(answer, Refused) for answer in answers) == 15
    wait_for(lambda: orders.consume() == 1, "the message has come back")
    assert len(orders.books) == 1


def test_a_crash_after_the_publish_loses_nothing_and_both_copies_can_be_told(
    orders: Orders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pika.adapters.blocking_connection import BlockingChannel

    orders.dies("m-1")

    def dies(self: BlockingChannel, *arguments: Any, **more: Any) -> None:
        raise pika.exceptions.StreamLostError("the process has died")

    monkeypatch.setattr(BlockingChannel, "basic_ack", dies)
    assert orders.replay("m-1") == Accepted("m-1"), "it was sent, whatever became of the rest"
    monkeypatch.undo()
    assert "still a dead letter" in caplog.text
    wait_for(lambda: orders.consume() == 1, "the message has come back")
    wait_for(lambda: orders.dead_count() == 1, "the dead letter is where it was")
    assert orders.books[0][0] == "m-1"
    assert orders.books[0][2]["q2c.idempotency_key"] == "ct-1", "a consumer can tell the copy by key and message id"
    state = orders.adapter({"messaging.message.id": "m-1"}).state(asking(), None)
    assert state.state == "unknown", "so the service does not send it again by itself"


@pytest.mark.parametrize(
    ("match", "attribute", "value"),
    [("message_id", "messaging.message.id", "m-1"), ("correlation_id", "messaging.message.conversation_id", "c-m-1"),
     ("header:x-number", "message.number", "m-1")],
)  # fmt: skip
def test_the_message_is_found_by_what_the_catalogue_names(
    orders: Orders, match: str, attribute: str, value: str
) -> None:
    orders.dies("m-1")
    entry = orders.entry(match=match).model_dump() | {"run_id": [attribute]}
    engine = make(Entry.model_validate(entry), orders.broker.url(), naming({attribute: value}))
    assert engine.submit(asking()) == Accepted(value)
    wait_for(lambda: orders.consume() == 1, "the message has come back")


def test_a_patch_changes_the_field_and_nothing_else(orders: Orders) -> None:
    orders.dies("m-1")
    assert isinstance(orders.replay("m-1", payload_patch={"po": "7"}), Accepted)
    wait_for(lambda: orders.consume() == 1, "the message has come back")
    assert json.loads(orders.books[0][1]) == {"order": "SO-1", "po": "7"}
    orders.dies("m-2", body=b"\x00\x01")
    answer = orders.replay("m-2", "ct-2", payload_patch={"po": "7"})
    assert isinstance(answer, Refused)
    assert "no JSON" in answer.reason
    assert orders.dead_count() == 1


def test_a_dead_letter_goes_to_the_queue_that_it_died_in_where_others_had_it(orders: Orders) -> None:
    orders.channel.queue_declare(orders.name + ".copy", durable=True)
    orders.channel.queue_bind(orders.name + ".copy", orders.name, "order.*")
    orders.dies("m-1")
    engine = orders.adapter({"messaging.message.id": "m-1"}, to="failed_queue")
    assert isinstance(engine.submit(asking()), Accepted)
    wait_for(lambda: orders.consume() == 1, "the message has come back")
    assert orders.channel.queue_declare(orders.name + ".copy", passive=True).method.message_count == 1


def test_what_cannot_be_replayed_is_refused_in_words_and_stays(orders: Orders) -> None:
    orders.dies("m-1")
    orders.dies("m-2")
    orders.dies("m-2")
    orders.channel.basic_publish("", orders.dead, b"{}", pika.BasicProperties(message_id="m-3"))
    for message_id, told in (
        ("m-none", "no dead letter with message_id m-none"), ("m-2", "2 dead letters have"), ("m-3", "no x-death"),
        ("", "messaging.message.id"),
    ):  # fmt: skip
        answer = orders.replay(message_id)
        assert isinstance(answer, Refused)
        assert told in answer.reason
    engine = orders.adapter({"messaging.message.id": "m-2"}, search_most=1)
    answer = engine.submit(asking())
    assert isinstance(answer, Refused)
    assert "first 1" in answer.reason
    assert isinstance(orders.replay("m-1", from_step="2"), Refused)
    orders.channel.queue_unbind(orders.name, orders.name, "order.*")
    answer = orders.replay("m-1")
    assert isinstance(answer, Refused)
    assert "no queue takes" in answer.reason
    orders.channel.exchange_delete(orders.name)
    answer = orders.replay("m-1")
    assert isinstance(answer, Refused)
    assert "NOT_FOUND" in answer.reason
    answer = orders.adapter({"messaging.message.id": "m-1"}, dead_letter_queues=["nowhere"]).submit(asking())
    assert isinstance(answer, Refused)
    assert "nowhere" in answer.reason
    wait_for(lambda: orders.dead_count() == 4, "all dead letters lie where they lay")


def test_the_state_is_what_the_dead_letters_say(orders: Orders) -> None:
    orders.dies("m-1")
    engine = orders.adapter({"messaging.message.id": "m-1"})
    assert engine.state(asking(), None).state == "unknown"
    engine.submit(asking())
    assert engine.state(asking(), None).state == "accepted", "a lost answer is found again"
    orders.erp_is_down = True
    wait_for(lambda: orders.consume() == 1, "the message has come back")
    wait_for(lambda: orders.dead_count() == 1, "it died again")
    assert engine.state(asking(), "m-1").state == "failed"


def test_wrong_credentials_are_refused_and_told_nowhere(orders: Orders, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    orders.dies("m-1")
    attributes = {"messaging.message.id": "m-1"}
    answer = orders.adapter(attributes, orders.broker.url(password="wrong-s3cret")).submit(asking())
    assert isinstance(answer, Refused)
    assert "secret 'password'" in answer.reason
    answer = orders.adapter(attributes, orders.broker.url("stranger")).submit(asking())
    assert isinstance(answer, Refused)
    assert "wrong-s3cret" not in caplog.text
    assert PASSWORD not in caplog.text
    entry = Entry.model_validate(orders.entry().model_dump() | {"secrets": {"password": "BUS_PASSWORD"}})
    url = f"amqp://cashier@127.0.0.1:{orders.broker.port}/%2F"
    engine = make(entry, url, naming(attributes), {"BUS_PASSWORD": PASSWORD})
    assert isinstance(engine.submit(asking()), Accepted)


def test_a_broker_that_is_not_there_is_asked_later(orders: Orders) -> None:
    url = f"amqp://cashier:{PASSWORD}@127.0.0.1:{_free_port()}/"
    engine = orders.adapter({"messaging.message.id": "m-1"}, url)
    assert isinstance(engine.submit(asking()), RetryLater)
    assert not engine.state(asking(), None).is_answer


@pytest.mark.slow
def test_an_answer_that_never_comes_is_uncertain_and_the_message_is_not_lost(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pika.adapters.blocking_connection import BlockingChannel

    orders.dies("m-1")
    publish = BlockingChannel.basic_publish

    def falls_silent(self: BlockingChannel, *arguments: Any, **more: Any) -> None:
        orders.broker.signal(signal.SIGSTOP)
        publish(self, *arguments, **more)

    monkeypatch.setattr(BlockingChannel, "basic_publish", falls_silent)
    started = time.monotonic()
    try:
        answer = orders.replay("m-1")
    finally:
        orders.broker.signal(signal.SIGCONT)
    assert isinstance(answer, Uncertain), answer
    assert time.monotonic() - started < 30
    monkeypatch.undo()
    orders.channel.connection.close()
    orders.channel = orders.broker.channel()
    wait_for(lambda: orders.dead_count() + orders.consume() + len(orders.books) >= 1, "the message is somewhere")
