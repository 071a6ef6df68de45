"""The adapter for RabbitMQ dead-letter queues: one dead letter goes back to where it first died, over AMQP.

It is found by the id that the failed span names, published with all its properties and headers and with the key and the replay
id beside them, and taken from the dead letters only after the broker has confirmed the publish: a crash in between leaves it
where it was. Broker and queues keep no keys, so a crash there can leave two copies; both bear the same message id, and
consumers can tell by it or by the header `q2c.idempotency_key`. Needs the extra `cashtrail[rabbitmq]`.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pika
from pika import exceptions as amqp
from pika.adapters.blocking_connection import BlockingChannel

from console.replay.credentials import Secrets
from console.replay.engine import (
    DETAIL_MOST,
    Accepted,
    AlreadyTaken,
    Answer,
    DependencyState,
    Probe,
    Refused,
    ReplayRequest,
    RetryLater,
    RunState,
    SpanAttributes,
    Uncertain,
)
from console.replay.waits import CONNECT_TIMEOUT_S, UNREACHABLE_RETRY_S
from trace_model.catalogue.engine_schema import Engine, RabbitMq
from trace_model.patches import merge_patch

log = logging.getLogger("cashtrail.replay")

HEARTBEAT_S, BLOCKED_TIMEOUT_S = 5, 10.0
KEY, REPLAY_ID = "q2c.idempotency_key", "q2c.replay.id"


@dataclass(frozen=True)
class DeadLetter:
    """A message as it lies in a dead-letter queue; this connection holds it until it is acknowledged or the channel closes."""

    queue: str
    tag: int
    properties: pika.BasicProperties
    body: bytes

    @property
    def headers(self) -> Mapping[str, Any]:
        return self.properties.headers or {}

    def origin(self) -> tuple[str, str, str] | None:
        """Exchange, routing key and queue of its first death; None where it bears no account of it."""
        deaths = [d for d in self.headers.get("x-death") or [] if isinstance(d, Mapping)]
        queue, reason = self.headers.get("x-first-death-queue"), self.headers.get("x-first-death-reason")
        first = [d for d in deaths if d.get("queue") == queue and d.get("reason") == reason] or deaths[-1:]
        if not first:
            return None
        keys = first[0].get("routing-keys") or [""]
        return str(first[0].get("exchange") or ""), str(keys[0]), str(first[0].get("queue") or "")


class DeadLetters:
    """The dead-letter queues of one virtual host. Calls take turns: a search holds the messages that it looks at."""

    keeps_keys = False
    can_probe = False
    settles_by_key = False

    def __init__(self, entry: Engine, url: str, secrets: Secrets, span_attributes: SpanAttributes) -> None:
        assert entry.rabbitmq is not None, "the schema has checked it"
        self.name = entry.name
        self._settings: RabbitMq = entry.rabbitmq
        self._run_id_attributes = entry.run_id_attributes
        self._span_attributes = span_attributes
        self._secrets = secrets.adding("address", urlsplit(url).password)
        self._parameters = pika.URLParameters(_with_password(url, secrets.get("password")))
        self._parameters.heartbeat = HEARTBEAT_S
        self._parameters.socket_timeout = CONNECT_TIMEOUT_S
        self._parameters.stack_timeout = CONNECT_TIMEOUT_S
        self._parameters.blocked_connection_timeout = BLOCKED_TIMEOUT_S
        self._parameters.connection_attempts = 1
        self._parameters.client_properties = {"connection_name": "cashtrail"}
        self._turn = threading.Lock()

    def submit(self, request: ReplayRequest) -> Answer:
        wanted = self._id_of(request)
        if wanted is None:
            return Refused(
                f"neither span {request.span_id} nor its parents have the attribute {' or '.join(self._run_id_attributes)}, "
                f"so {self.name} cannot be told which message failed. Name another attribute in the engine's run_id"
            )
        if request.from_step:
            return Refused(f"{self.name}: a dead letter has no steps; replay without from_step")
        with self._turn:
            try:
                connection = self._connect()
            except (amqp.AMQPError, OSError) as fault:
                return self._of_connecting(fault)
            sent = threading.Event()
            try:
                return self._replay(connection, wanted, request, sent)
            except amqp.ChannelClosedByBroker as fault:
                # the broker's own word that it did not do what was asked
                return Refused(f"{self.name} refused: {self._told(fault)}")
            except (amqp.AMQPError, OSError) as fault:
                if sent.is_set():
                    return Uncertain(f"{self.name} did not confirm message {wanted}: {self._told(fault)}")
                return RetryLater(
                    UNREACHABLE_RETRY_S, f"{self.name} was lost before anything was sent: {self._told(fault)}"
                )
            finally:
                _close(connection)

    def state(self, request: ReplayRequest, run_id: str | None) -> RunState:
        wanted = self._id_of(request)
        if wanted is None:
            return RunState("unknown", "the failed span names no message", is_answer=False)
        with self._turn:
            try:
                with closing(self._connect()) as connection:
                    found, unseen = self._find(connection.channel(), wanted)
            except (amqp.AMQPError, OSError) as fault:
                return RunState("unknown", self._told(fault), is_answer=False)
        if any(letter.headers.get(KEY) == request.idempotency_key for letter in found):
            return RunState("failed", f"message {wanted} is a dead letter again")
        if found or unseen:
            return RunState("unknown", f"message {wanted} is {'still' if found else 'perhaps still'} a dead letter")
        if run_id is None:
            return RunState("accepted", f"message {wanted} is no dead letter any more")
        return RunState("unknown", f"message {wanted} is no dead letter; RabbitMQ does not say what its consumer did")

    def probe(self, operation: str, object_type: str, object_id: str) -> Probe:
        return Probe("unknown", "RabbitMQ knows messages, not what stands at the target")

    def dependency(self, name: str) -> DependencyState:
        return "unknown"

    def close(self) -> None:
        """Nothing is held between calls."""

    def _replay(
        self, connection: pika.BlockingConnection, wanted: str, request: ReplayRequest, sent: threading.Event
    ) -> Answer:
        channel = connection.channel()
        found, unseen = self._find(channel, wanted)
        if any(letter.headers.get(KEY) == request.idempotency_key for letter in found):
            return AlreadyTaken(wanted)
        queues = ", ".join(self._settings.dead_letter_queues)
        if not found and unseen:
            return Refused(f"no dead letter with {self._settings.match} {wanted} among the first "
                           f"{self._settings.search_most} of {queues}; raise rabbitmq.search_most")  # fmt: skip
        if not found:
            return Refused(f"no dead letter with {self._settings.match} {wanted} in {queues}: "
                           "replayed before, expired, or taken by another consumer")  # fmt: skip
        if len(found) > 1:
            where = ", ".join(f"{letter.queue} from {(letter.origin() or ('', '', '?'))[2]}" for letter in found)
            return Refused(f"{len(found)} dead letters have {self._settings.match} {wanted} ({where}): "
                           "take away all but the one to replay")  # fmt: skip
        return self._publish(channel, found[0], request, wanted, sent)

    def _publish(
        self, channel: BlockingChannel, letter: DeadLetter, request: ReplayRequest, wanted: str, sent: threading.Event
    ) -> Answer:
        to = self._destination(letter)
        if isinstance(to, Refused):
            return to
        body = _patched(letter, request.payload_patch)
        if isinstance(body, Refused):
            return body
        exchange, routing_key = to
        letter.properties.headers = {
            **letter.headers, KEY: request.idempotency_key, REPLAY_ID: request.replay_id,
        }  # fmt: skip
        # the broker refuses a user id that is not the connection's own
        letter.properties.user_id = None
        channel.confirm_delivery()
        sent.set()
        try:
            channel.basic_publish(exchange, routing_key, body, letter.properties, mandatory=True)
        except amqp.UnroutableError:
            return Refused(f"no queue takes what is sent to exchange '{exchange}' with routing key '{routing_key}': "
                           "bind one, or set rabbitmq.exchange and routing_key")  # fmt: skip
        except amqp.NackError:
            return Uncertain(f"{self.name} would not confirm message {wanted}: a queue that it goes to may be full")
        try:
            channel.basic_ack(letter.tag)
        except (amqp.AMQPError, OSError) as fault:
            log.warning("%s: message %s was sent and is still a dead letter: %s", self.name, wanted, self._told(fault))
        return Accepted(wanted)

    def _find(self, channel: BlockingChannel, wanted: str) -> tuple[list[DeadLetter], bool]:
        """The dead letters with that id, and whether there are more than were looked at. All stay held by the channel."""
        found, unseen = [], False
        for queue in self._settings.dead_letter_queues:
            for looked, letter in enumerate(_letters(channel, queue), start=1):
                if self._is(letter, wanted):
                    found.append(letter)
                if looked == self._settings.search_most:
                    unseen = True
                    break
        return found, unseen

    def _is(self, letter: DeadLetter, wanted: str) -> bool:
        field, _, header = self._settings.match.partition(":")
        value = letter.headers.get(header) if header else getattr(letter.properties, field)
        return value is not None and str(value) == wanted

    def _destination(self, letter: DeadLetter) -> tuple[str, str] | Refused:
        origin = letter.origin()
        if origin is None and self._settings.exchange is None:
            return Refused(f"the dead letter in {letter.queue} has no x-death header that tells where it came from: "
                           "set rabbitmq.exchange and routing_key")  # fmt: skip
        exchange, routing_key, queue = origin or ("", "", "")
        if self._settings.to == "failed_queue" and self._settings.exchange is None:
            return "", queue
        if self._settings.exchange is not None:
            exchange = self._settings.exchange
        if self._settings.routing_key is not None:
            routing_key = self._settings.routing_key
        return exchange, routing_key

    def _id_of(self, request: ReplayRequest) -> str | None:
        said = self._span_attributes(request.trace_id, request.span_id)
        return next((said[a] for a in self._run_id_attributes if said.get(a)), None)

    def _connect(self) -> pika.BlockingConnection:
        """A connection whose heartbeat notices a broker that has fallen silent."""
        return pika.BlockingConnection(self._parameters)

    def _of_connecting(self, fault: Exception) -> Answer:
        told = self._told(fault)
        if isinstance(fault, amqp.ProbableAuthenticationError | amqp.AuthenticationError):
            return Refused(f"{self.name} does not let Cashtrail in: {told}. Check user and the secret 'password'")
        if isinstance(fault, amqp.ProbableAccessDeniedError) or "NOT_ALLOWED" in told:
            return Refused(f"{self.name} does not let Cashtrail into the virtual host: {told}")
        return RetryLater(UNREACHABLE_RETRY_S, f"{self.name} cannot be reached: {told}")

    def _told(self, fault: Exception) -> str:
        text = " ".join(str(fault).split()) or type(fault).__name__
        return self._secrets.scrub(text)[:DETAIL_MOST]


def _letters(channel: BlockingChannel, queue: str) -> Iterator[DeadLetter]:
    while True:
        method, properties, body = channel.basic_get(queue)
        if method is None or properties is None:
            return
        yield DeadLetter(queue, method.delivery_tag, properties, body or b"")


def _patched(letter: DeadLetter, patch: Mapping[str, Any] | None) -> bytes | Refused:
    """The body with the merge patch applied; refused where it is no JSON."""
    if not patch:
        return letter.body
    try:
        payload = json.loads(letter.body)
    except ValueError:
        return Refused(
            f"the dead letter in {letter.queue} is no JSON, so its fields cannot be patched; replay it as it is"
        )
    return json.dumps(merge_patch(payload, patch), ensure_ascii=False).encode()


def _with_password(url: str, password: str | None) -> str:
    if password is None:
        return url
    parts = urlsplit(url)
    user = parts.username or "guest"
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def _close(connection: pika.BlockingConnection) -> None:
    """Closed; what it still held lies in its queue again. A connection that is lost is closed already."""
    try:
        connection.close()
    except (amqp.AMQPError, OSError):
        log.debug("the connection to RabbitMQ was lost before it was closed")
