"""The ways to reach someone: webhook, Slack, Teams, PagerDuty, e-mail, and whatever `apprise` speaks.

A channel makes one try to deliver one message and answers what became of it; trying again is the courier's affair.
Addresses are secrets: read from the environment once, never logged, never in an error's text. What spans said is foreign
text: it is escaped for every receiver that reads markup.
"""

from __future__ import annotations

import html
import logging
import re
import smtplib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit, urlunsplit

import apprise
import httpx

from console.alerts.messages import Message
from trace_model.catalogue.alert_rules import Channel
from trace_model.errors import PermanentError, RetryableError

TIMEOUT_S = 10.0
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
_TRY_AGAIN = frozenset({408, 409, 421, 425, 429})
_TALKATIVE = ("httpx", "httpcore", "apprise")
"""Loggers that would write addresses, and with them secrets, at their lower levels."""


class NotDelivered(RetryableError):
    """The receiver did not take the message now, or may have without saying so; the same message may be sent again."""


class NotDeliverable(PermanentError):
    """The receiver refuses this message or does not exist; somebody has to change something first."""


class ChannelFault(PermanentError):
    """A channel's address cannot be right; names the variable, never its value."""


class Sender(Protocol):
    """One channel. `send` returns how the receiver answered, in words; `key` is the same at every try.

    Raises NotDelivered (try again) or NotDeliverable (do not).
    """

    def send(self, message: Message, key: str) -> str: ...


@dataclass
class Channels:
    """The channels that have an address, and the names of those that have none."""

    senders: Mapping[str, Sender]
    without_address: Mapping[str, str] = field(default_factory=dict)
    """Channel name to the environment variable that would hold its address."""


def open_channels(declared: Iterable[Channel], environment: Mapping[str, str]) -> Channels:
    """The declared channels with the addresses that `environment` holds.

    Raises ChannelFault if an address cannot be right; a channel without one is not a fault, and is named in the result.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    senders: dict[str, Sender] = {}
    without: dict[str, str] = {}
    for channel in declared:
        address = environment.get(channel.variable, "").strip()
        if address:
            senders[channel.name] = _SENDERS[channel.kind](address, channel.variable)
        else:
            without[channel.name] = channel.variable
    return Channels(senders, without)


class Webhook:
    """POSTs the message as JSON, with `Idempotency-Key`. Credentials in the address become HTTP basic authentication."""

    def __init__(self, address: str, variable: str) -> None:
        self._address = _http(address, variable)

    def body(self, message: Message) -> dict[str, Any]:
        return message.plain()

    def send(self, message: Message, key: str) -> str:
        return _post(self._address, self.body(message), {"Idempotency-Key": key})


class Slack(Webhook):
    """An incoming webhook of Slack or of a chat that speaks its format."""

    def body(self, message: Message) -> dict[str, Any]:
        title, lines = _slack(message.title), _slack("\n".join(message.lines))
        section = {"type": "section", "text": {"type": "mrkdwn", "text": f"*<{message.url}|{title}>*\n{lines}"[:2900]}}
        return {"text": title, "blocks": [section]}


class Teams(Webhook):
    """A Microsoft Teams workflow webhook: one adaptive card."""

    def body(self, message: Message) -> dict[str, Any]:
        colour = "Good" if message.is_over else "Attention"
        texts = [{"type": "TextBlock", "text": _teams(line), "wrap": True} for line in message.lines]
        head = {
            "type": "TextBlock", "text": _teams(message.title), "weight": "Bolder", "wrap": True, "color": colour,
        }  # fmt: skip
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [head, *texts],
            "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": message.url}],
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        return {"type": "message", "attachments": [attachment]}


class PagerDuty:
    """Events API v2. The address is a routing key, or a URL of a region with the key behind `#`.

    The alert's id is the `dedup_key`: later messages join the same incident and its end resolves it.
    """

    def __init__(self, address: str, variable: str) -> None:
        url, _, key = address.rpartition("#")
        self._url, self._routing_key = _http(url or PAGERDUTY, variable), key

    def send(self, message: Message, key: str) -> str:
        event: dict[str, Any] = {
            "routing_key": self._routing_key,
            "event_action": "resolve" if message.is_over else "trigger",
            "dedup_key": message.alert_id,
        }
        if not message.is_over:
            event["payload"] = {
                "summary": message.title,
                "source": message.system or "cashtrail",
                "severity": message.severity,
                "class": message.failure_class or message.kind,
                "group": message.owner_team,
                "custom_details": message.plain(),
            }
            event["links"] = [{"href": message.url, "text": "Open in Cashtrail"}]
        return _post(self._url, event, {"X-Request-Id": key})


class Email:
    """SMTP. `smtp://user:password@host:587/?from=cashtrail@example.com&to=a@example.com,b@example.com`, or `smtps://`.

    `smtp` turns to TLS where the server offers it, and never logs in without TLS but on loopback. The same message keeps
    its Message-ID at every try, so that servers and readers can tell a repetition.
    """

    def __init__(self, address: str, variable: str) -> None:
        parts = _split(address, variable)
        asked = parse_qs(parts.query)
        self._to = [one.strip() for given in asked.get("to", []) for one in given.split(",") if one.strip()]
        self._from = (asked.get("from") or [""])[0].strip()
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not self._to or "@" not in self._from:
            raise ChannelFault(f"{variable} must look like smtp://host:587/?from=sender@example.com&to=one@example.com")
        self._tls_at_once = parts.scheme == "smtps"
        self._host, self._port = parts.hostname, _port(parts, variable) or (465 if self._tls_at_once else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")

    def send(self, message: Message, key: str) -> str:
        mail = EmailMessage()
        mail["Subject"] = message.title
        mail["From"], mail["To"] = self._from, ", ".join(self._to)
        mail["Message-ID"] = f"<{key}@cashtrail>"
        mail["References"] = f"<{message.alert_id}@cashtrail>"
        mail["Date"] = format_datetime(datetime.fromisoformat(message.as_of))
        mail.set_content("\n".join([*message.lines, "", message.url, ""]))
        try:
            with self._connection() as server:
                refused = server.send_message(mail)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as fault:
            raise _smtp(fault) from None
        except (smtplib.SMTPException, OSError) as fault:
            raise NotDelivered(f"the mail server did not answer: {type(fault).__name__}") from None
        if refused:
            raise NotDeliverable(f"{len(refused)} of {len(self._to)} recipients were refused; the others have the mail")
        return f"taken for {len(self._to)} recipient{'s' if len(self._to) != 1 else ''}"

    def _connection(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._tls_at_once:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)
        try:
            server.ehlo()
            secure = self._tls_at_once
            if not secure and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
                secure = True
            if self._user:
                if not secure and not _is_loopback(self._host):
                    raise NotDeliverable("the mail server offers no TLS, so the password was not sent; use smtps://")
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


class Apprise:
    """Any service that `apprise` speaks, by its URL. It does not say why it failed, so every failure may be tried again."""

    def __init__(self, address: str, variable: str) -> None:
        self._services = apprise.Apprise()
        if not self._services.add(address):
            raise ChannelFault(f"{variable} is no URL that apprise knows; see its list of services")

    def send(self, message: Message, key: str) -> str:
        if not self._services.notify(title=message.title, body="\n".join([*message.lines, message.url])):
            raise NotDelivered("the service did not take it; apprise does not say why")
        return "taken"


_SENDERS: Mapping[str, type[Webhook] | type[PagerDuty] | type[Email] | type[Apprise]] = {
    "webhook": Webhook,
    "slack": Slack,
    "teams": Teams,
    "pagerduty": PagerDuty,
    "email": Email,
    "apprise": Apprise,
}


def _post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    try:
        answer = httpx.post(url, json=body, headers=dict(headers), timeout=TIMEOUT_S, follow_redirects=False)
    except httpx.HTTPError as fault:
        raise NotDelivered(f"the receiver did not answer: {type(fault).__name__}", 0) from None
    if answer.is_success:
        return f"HTTP {answer.status_code}"
    if answer.status_code in _TRY_AGAIN or answer.status_code >= 500:
        raise NotDelivered(f"the receiver answered HTTP {answer.status_code}", _retry_after(answer))
    raise NotDeliverable(f"the receiver refused it with HTTP {answer.status_code}")


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that the receiver asks us to wait, at most an hour; 0 where it does not say."""
    given = answer.headers.get("Retry-After", "")
    if given.isdigit():
        return min(float(given), 3600.0)
    try:
        asked = parsedate_to_datetime(given)
        said = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (TypeError, ValueError):
        return 0.0
    return min(max((asked - said).total_seconds(), 0.0), 3600.0)


def _smtp(fault: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> Exception:
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        codes = {code for code, _ in fault.recipients.values()}
        words = f"the mail server refused every recipient ({', '.join(map(str, sorted(codes)))})"
        return NotDelivered(words) if any(code < 500 for code in codes) else NotDeliverable(words)
    words = f"the mail server answered {fault.smtp_code}"
    return NotDeliverable(words) if fault.smtp_code >= 500 else NotDelivered(words)


def _slack(text: str) -> str:
    """Slack's own three escapes; and no line of ours may close the link that it stands in.

    >>> _slack("a <b> & c|d")
    'a &lt;b&gt; &amp; c¦d'
    """
    return html.escape(text, quote=False).replace("|", "¦")


def _teams(text: str) -> str:
    r"""Text without meaning to the Markdown of adaptive cards.

    >>> print(_teams("[pay](http://evil) *now*"))
    \[pay\]\(http://evil\) \*now\*
    """
    return re.sub(r"([\\`*_{}\[\]()#~>|])", r"\\\1", text)


def _http(address: str, variable: str) -> str:
    parts = _split(address, variable)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ChannelFault(f"{variable} must be an http:// or https:// URL")
    _port(parts, variable)
    return urlunsplit(parts)


def _split(address: str, variable: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        raise ChannelFault(f"{variable} is no URL") from None


def _port(parts: SplitResult, variable: str) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ChannelFault(f"{variable} names a port that is no port") from None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
