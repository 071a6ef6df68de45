"""What an alert says: one title, a few lines, one link with the instant it speaks of. Pure: no store, no clock, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from trace_model.catalogue.check_rules import advice
from trace_model.catalogue.schema import Team

WORDS = {
    "breach": "Breached",
    "at_risk": "At risk",
    "stuck": "Stuck",
    "exception": "Exception",
    "outage": "Outage",
    "queue_depth": "Queue too long",
    "silent": "No data",
    "collector": "Collector silent",
}
SEVERITY = {
    "breach": "error",
    "outage": "critical",
    "silent": "error",
    "collector": "error",
    "exception": "warning",
    "stuck": "warning",
}
"""In PagerDuty's terms; what is not named is 'warning'."""


@dataclass(frozen=True)
class Message:
    """One message as it stands in the outbox. `event`: raised, updated, escalated, resolved or withdrawn; instants RFC 3339 UTC."""

    alert_id: str
    event: str
    kind: str
    severity: str
    title: str
    lines: tuple[str, ...]
    url: str
    as_of: str
    owner_team: str | None
    failure_class: str | None
    system: str | None
    promise: str | None
    group_id: str | None
    member_count: int
    amount: str | None
    currency: str

    @property
    def is_over(self) -> bool:
        return self.event in ("resolved", "withdrawn")

    @property
    def text(self) -> str:
        """Title, lines and link as plain text."""
        return "\n".join([self.title, *self.lines, self.url])

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; `failure_class` is called `class` there."""
        told = asdict(self)
        told["class"] = told.pop("failure_class")
        return told | {"lines": list(self.lines)}


def of_plain(told: Mapping[str, Any]) -> Message:
    """The message that `plain` gave."""
    kept = {name: value for name, value in told.items() if name != "class"}
    return Message(**{**kept, "lines": tuple(told["lines"]), "failure_class": told["class"]})


def write(
    alert: Mapping[str, Any],
    event: str,
    *,
    public_url: str,
    as_of: datetime,
    currency: str,
    owner: Team | None,
    exception_kind: str | None = None,
) -> Message:
    """The message about `alert`, a row of `reads/alert_list.sql`, at `as_of`. `exception_kind`: of one about exceptions, their kind."""
    seen_at = _whole_second(as_of)
    return Message(
        alert_id=alert["alert_id"],
        event=event,
        kind=alert["kind"],
        severity=SEVERITY.get(alert["kind"], "warning"),
        title=title(alert, event),
        lines=tuple(
            _lines(alert, event, currency, owner, "stuck_flow" if alert["kind"] == "stuck" else exception_kind)
        ),
        url=f"{public_url.rstrip('/')}/{_address(alert, seen_at)}",
        as_of=_wire(seen_at),
        owner_team=alert["owner_team"],
        failure_class=alert["class"],
        system=alert["system"],
        promise=alert["promise"],
        group_id=alert["group_id"],
        member_count=alert["member_count"],
        amount=str(alert["amount"]) if alert["amount"] is not None else None,
        currency=currency,
    )


def title(alert: Mapping[str, Any], event: str) -> str:
    """One line, without line breaks, that says what holds and for how many.

    >>> title({"kind": "breach", "title": "Order acceptance time", "member_count": 3}, "raised")
    'Breached: Order acceptance time, 3 orders'
    >>> title({"kind": "outage", "title": "ERP", "member_count": 0}, "resolved")
    'Resolved: Outage: ERP'
    >>> title({"kind": "silent", "title": "Billing", "member_count": 3}, "updated")
    'No data: Billing and 2 more'
    """
    before = {"resolved": "Resolved: ", "withdrawn": "Withdrawn: ", "escalated": "Unanswered: "}.get(event, "")
    count = alert["member_count"]
    noun = {"exception": "exception"}.get(alert["kind"], "order")
    counted = alert["kind"] in ("breach", "at_risk", "stuck", "exception") and count
    tail = f", {count:,} {noun}{'s' if count != 1 else ''}" if counted else ""
    text = f"{before}{WORDS[alert['kind']]}: {subject(alert)}{tail}"
    return " ".join(text.split())[:250]


def subject(alert: Mapping[str, Any]) -> str:
    """What the alert is about; an alert of several systems is called by the first, and says how many more there are."""
    more = alert["member_count"] - 1 if alert["kind"] in ("silent", "collector") else 0
    return f"{alert['title']} and {more:,} more" if more > 0 else str(alert["title"])


def place(alert: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The room that shows what the alert is about, and its filters.

    >>> place({"kind": "breach", "promise": "order_acceptance", "member_count": 3})
    ('orders', {'state': 'breached', 'promise': 'order_acceptance'})
    """
    match alert["kind"]:
        case "breach" | "at_risk" | "stuck" if alert["member_count"] == 1 and alert["example_type"]:
            scope = {"scope": alert["example_scope"]} if alert["example_scope"] else {}
            return "order", {"type": alert["example_type"], "id": alert["example_id"], **scope}
        case "breach":
            return "orders", {"state": "breached", "promise": alert["promise"]}
        case "at_risk":
            return "orders", {"state": "at_risk", "promise": alert["promise"]}
        case "stuck":
            return "orders", {"state": "stuck"}
        case "exception":
            return "exceptions", {"group": alert["group_id"]}
        case "queue_depth":
            return "exceptions", {"owner_team": alert["owner_team"]}
        case "collector":
            return "ingest", {}
        case _:
            return "dependencies", {}


def _lines(
    alert: Mapping[str, Any], event: str, currency: str, owner: Team | None, exception_kind: str | None
) -> list[str]:
    if event in ("resolved", "withdrawn"):
        return [line for line in (alert["end_text"], _owner(owner)) if line]
    lines = []
    if event == "escalated":
        lines.append(f"Nobody has acknowledged this since {_wire(alert['raised_at'])}.")
    if event == "updated" and alert["update_text"]:
        lines.append(alert["update_text"])
    if alert["amount"]:
        lines.append(f"{currency} {alert['amount']:,} concerned.")
    if alert["examples"]:
        more = alert["member_count"] - len(alert["examples"])
        lines.append(", ".join(alert["examples"]) + (f" and {more:,} more" if more > 0 else ""))
    if alert["class"]:
        lines.append(f"Class: {alert['class']}" + (f", {alert['category']}" if alert["category"] else ""))
    lines.append(f"Since {_wire(alert['since'])}")
    what = advice(exception_kind, owner.runbook if owner else None) if exception_kind else None
    return [line for line in (*lines, _owner(owner), f"What to do: {what}" if what else None) if line]


def _owner(owner: Team | None) -> str | None:
    return f"Owner: {owner.label}" if owner else None


def _address(alert: Mapping[str, Any], as_of: datetime) -> str:
    room, filters = place(alert)
    return f"{room}?{urlencode({**filters, 'as_of': _wire(as_of)})}"


def _whole_second(at: datetime) -> datetime:
    """The first whole second from `at` on: what had happened by then shows on the page, whose addresses know no fractions."""
    return at if at.microsecond == 0 else at.replace(microsecond=0) + timedelta(seconds=1)


def _wire(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
