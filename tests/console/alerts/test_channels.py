"""Each channel says what its receiver expects, tries again where that helps, gives up where it does not, and keeps its secrets."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from console.access import Principal
from console.alerts.channels import ChannelFault, NotDeliverable, NotDelivered, open_channels
from console.alerts.messages import Message, of_plain
from tests.console.alerts.conftest import Alerting, Receiver
from tests.console.alerts.stories import Story
from trace_model.catalogue.alert_rules import Channel
from trace_model.errors import Refused, UnknownThing

DUE = 7201
MESSAGE = Message(
    alert_id="a1", event="raised", kind="breach", severity="error", title="Breached: *Order* <acceptance>, 2 orders",
    lines=("EUR 200.00 concerned.", "SO-1, SO-2 [click](http://evil)"), url="https://cashtrail.test/orders?as_of=2026-03-02T11:00:02Z",
    as_of="2026-03-02T11:00:02Z", owner_team="platform", failure_class=None, system=None, promise="order_acceptance",
    group_id=None, member_count=2, amount="200.00", currency="EUR",
)  # fmt: skip
OVER = of_plain({**MESSAGE.plain(), "event": "withdrawn"})


def sender(kind: Any, address: str) -> Any:
    return open_channels([Channel(name="it", kind=kind)], {"ALERT_CHANNEL_IT": address}).senders["it"]


def test_a_webhook_gets_the_whole_message_and_an_idempotency_key(receiver: Receiver) -> None:
    assert sender("webhook", receiver.url).send(MESSAGE, "k1") == "HTTP 200"
    [(headers, body)] = receiver.got
    assert headers["Idempotency-Key"] == "k1"
    assert (body["alert_id"], body["event"], body["as_of"], body["class"]) == (
        "a1",
        "raised",
        "2026-03-02T11:00:02Z",
        None,
    )
    assert of_plain(body) == MESSAGE


def test_slack_gets_text_that_cannot_be_markup(receiver: Receiver) -> None:
    sender("slack", receiver.url).send(MESSAGE, "k1")
    [body] = receiver.bodies
    assert body["text"] == "Breached: *Order* &lt;acceptance&gt;, 2 orders"
    assert body["blocks"][0]["text"]["text"].startswith(f"*<{MESSAGE.url}|")


def test_teams_gets_an_adaptive_card_with_a_button(receiver: Receiver) -> None:
    sender("teams", receiver.url).send(MESSAGE, "k1")
    card = receiver.bodies[0]["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard"
    assert card["body"][2]["text"] == "SO-1, SO-2 \\[click\\]\\(http://evil\\)"
    assert card["actions"][0]["url"] == MESSAGE.url


def test_pagerduty_opens_and_resolves_one_incident(receiver: Receiver) -> None:
    pager = sender("pagerduty", f"{receiver.url}#routing-key")
    pager.send(MESSAGE, "k1")
    pager.send(OVER, "k2")
    opened, closed = receiver.bodies
    assert (opened["routing_key"], opened["event_action"], opened["dedup_key"]) == ("routing-key", "trigger", "a1")
    assert (opened["payload"]["severity"], opened["links"][0]["href"]) == ("error", MESSAGE.url)
    assert closed == {"routing_key": "routing-key", "event_action": "resolve", "dedup_key": "a1"}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise looks for it
def test_apprise_speaks_the_rest(receiver: Receiver) -> None:
    assert sender("apprise", receiver.url.replace("http://", "json://")).send(MESSAGE, "k1") == "taken"
    assert receiver.bodies[0]["title"] == MESSAGE.title


@pytest.mark.parametrize(
    ("status", "fault"), [(500, NotDelivered), (429, NotDelivered), (404, NotDeliverable), (302, NotDeliverable)]
)
def test_what_may_pass_is_told_from_what_will_not(receiver: Receiver, status: int, fault: type[Exception]) -> None:
    receiver.answers, receiver.retry_after = [status], "120"
    with pytest.raises(fault) as raised:
        sender("webhook", receiver.url).send(MESSAGE, "k1")
    if isinstance(raised.value, NotDelivered):
        assert raised.value.retry_after_s == 120


class Mailbox:
    """An SMTP handler that keeps mail, and refuses recipients as told."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refusal: str | None = None

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd's name
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=20)
    controller.start()
    yield box, f"smtp://127.0.0.1:{port}/?from=cashtrail@example.com&to=ana@example.com,bo@example.com"
    controller.stop()


def test_mail_reaches_every_recipient_with_the_link(mailbox: tuple[Mailbox, str]) -> None:
    box, address = mailbox
    assert sender("email", address).send(MESSAGE, "k1") == "taken for 2 recipients"
    [(recipients, mail)] = box.mails
    assert recipients == ["ana@example.com", "bo@example.com"]
    assert (mail["Subject"], mail["Message-ID"]) == (MESSAGE.title, "<k1@cashtrail>")
    assert MESSAGE.url in mail.get_content()


@pytest.mark.parametrize(
    ("refusal", "fault"), [("550 no such person", NotDeliverable), ("451 come back", NotDelivered)]
)
def test_a_mail_servers_4xx_is_tried_again_and_5xx_is_not(
    mailbox: tuple[Mailbox, str], refusal: str, fault: type[Exception]
) -> None:
    box, address = mailbox
    box.refusal = refusal
    with pytest.raises(fault):
        sender("email", address).send(MESSAGE, "k1")


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "ftp://host/s3cret"), ("slack", "s3cret"), ("email", "smtp://u:s3cret@host/?to=x@example.com"),
        ("apprise", "nothing-known://s3cret"), ("webhook", "http://host:port-s3cret/"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise looks for it
def test_an_address_that_cannot_be_right_is_named_by_its_variable_and_not_shown(kind: Any, address: str) -> None:
    with pytest.raises(ChannelFault, match="ALERT_CHANNEL_IT") as fault:
        sender(kind, address)
    assert "s3cret" not in str(fault.value)


def test_no_address_reaches_a_log(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        receiver.answers = [200, 500, 404]
        webhook = sender("webhook", receiver.url + "/s3cret")
        webhook.send(MESSAGE, "k1")
        for _ in range(2):
            with pytest.raises((NotDelivered, NotDeliverable)) as fault:
                webhook.send(MESSAGE, "k1")
            assert "s3cret" not in str(fault.value)
    assert "s3cret" not in caplog.text


Make = Callable[..., Alerting]
ROUTES = [{"channels": ["hook"]}]


def late(alerting: Make, receiver: Receiver) -> Alerting:
    here = alerting(ROUTES, [{"name": "hook", "kind": "webhook"}], {"hook": receiver.url}, kinds=["breach"])
    story = Story()
    story.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    here.told(story)
    return here


def test_a_receiver_that_fails_once_gets_the_same_message_later_under_the_same_key(
    alerting: Make, receiver: Receiver
) -> None:
    receiver.answers = [500]
    here = late(alerting, receiver).at(DUE + 1)
    [waiting] = here.deliveries()
    assert (waiting["state"], waiting["attempt_count"], waiting["detail"]) == (
        "pending",
        1,
        "the receiver answered HTTP 500",
    )
    here.at(DUE + 3)
    assert len(receiver.got) == 1
    here.at(DUE + 7)
    [(first, told), (second, told_again)] = receiver.got
    assert first["Idempotency-Key"] == second["Idempotency-Key"]
    assert told == told_again
    assert [(d["state"], d["attempt_count"]) for d in here.deliveries()] == [("delivered", 2)]


def test_a_receiver_that_asks_to_wait_is_waited_for(alerting: Make, receiver: Receiver) -> None:
    receiver.answers, receiver.retry_after = [503], "300"
    here = late(alerting, receiver).at(DUE + 1)
    here.at(DUE + 290)
    assert len(receiver.got) == 1
    here.at(DUE + 302)
    assert len(receiver.got) == 2


def test_a_refused_message_is_given_up_visibly_and_can_be_sent_again(alerting: Make, receiver: Receiver) -> None:
    receiver.answers = [404]
    here = late(alerting, receiver).at(DUE + 1)
    [failed] = here.deliveries(state="failed")
    assert failed["detail"] == "the receiver refused it with HTTP 404"
    assert here.alerts()[0]["failed_count"] == 1
    here.at(DUE + 500)
    assert len(receiver.got) == 1
    here.deeds.send_again(Principal("ana", "analyst"), failed["delivery_id"], "the hook is back")
    here.at(DUE + 501)
    assert [d["state"] for d in here.deliveries()] == ["delivered"]
    with pytest.raises(UnknownThing):
        here.deeds.send_again(Principal("ana", "analyst"), failed["delivery_id"], "once more")


def test_a_receiver_that_stays_dead_is_given_up_after_a_day(alerting: Make, receiver: Receiver) -> None:
    receiver.answers = [500] * 1000
    here = late(alerting, receiver)
    for hours in range(0, 26):
        here.at(DUE + 1 + hours * 3600)
    [failed] = here.deliveries()
    assert failed["state"] == "failed"
    assert "given up after" in failed["detail"]


def test_a_crash_in_the_middle_of_a_try_sends_again_under_the_same_key(alerting: Make, receiver: Receiver) -> None:
    here = late(alerting, receiver)
    here.now[0] += timedelta(seconds=DUE + 1)
    here.worker.look()
    [delivery] = here.ledger.due()
    assert here.ledger.begin(delivery, here.now[0] + timedelta(seconds=5))
    assert not here.ledger.begin(delivery, here.now[0] + timedelta(seconds=5))
    here.at(DUE + 2)
    assert receiver.got == []
    here.at(DUE + 7)
    assert [d["attempt_count"] for d in here.deliveries()] == [2]
    assert receiver.got[0][0]["Idempotency-Key"] == delivery.delivery_id


def test_an_end_never_overtakes_its_beginning(alerting: Make, receiver: Receiver) -> None:
    receiver.answers = [500]
    here = late(alerting, receiver).at(DUE + 1)
    story = Story()
    story.does(None, 0)
    story.does("erp.create_order", 7000, order="SO-1")
    here.told(story)
    here.at(DUE + 2)
    assert receiver.events == ["raised"]
    here.at(DUE + 8)
    here.at(DUE + 9)
    assert receiver.events == ["raised", "raised", "withdrawn"]


def test_a_raise_that_failed_is_not_sent_again_after_the_end(alerting: Make, receiver: Receiver) -> None:
    receiver.answers = [404]
    here = late(alerting, receiver).at(DUE + 1)
    story = Story()
    story.does(None, 0)
    story.does("erp.create_order", 7000, order="SO-1")
    here.told(story)
    here.at(DUE + 2)
    [failed] = here.deliveries(state="failed")
    with pytest.raises(Refused, match="has ended since"):
        here.deeds.send_again(Principal("ana", "analyst"), failed["delivery_id"], "the hook is back")
