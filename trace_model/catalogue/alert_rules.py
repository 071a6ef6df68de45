"""Who is told about what, where and when: the catalogue's `alerts` section, strict to the last key.

Pure: no store, no clock, no network. What deserves an alert is asked of the store (`reads/alert_changes.sql`); here stands
only how long to wait, whom to tell, how often, and when to tell someone else. Addresses are secrets and never stand here:
a channel names the environment variable that holds its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["breach", "at_risk", "stuck", "exception", "outage", "queue_depth", "silent", "collector"]
FailureClass = Literal["business", "technical", "dependency", "unknown"]
ChannelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
KINDS: tuple[Kind, ...] = ("breach", "at_risk", "stuck", "exception", "outage", "queue_depth", "silent", "collector")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Channel(_Part):
    """A way to reach someone. Its address is read from the environment variable `address_from` at start.

    >>> Channel(name="revops_chat", kind="slack").variable
    'ALERT_CHANNEL_REVOPS_CHAT'
    """

    name: ChannelName
    kind: Literal["webhook", "slack", "teams", "email", "pagerduty", "apprise"]
    label: str = ""
    address_from: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None

    @property
    def variable(self) -> str:
        """The environment variable that holds the address."""
        return self.address_from or f"ALERT_CHANNEL_{self.name.upper()}"


class Escalation(_Part):
    """Tell `channels` too where nobody has acknowledged within `after_s` seconds of working time."""

    after_s: int = Field(gt=0)
    calendar: str
    channels: list[ChannelName] = Field(min_length=1)


class Route(_Part):
    """The first route whose every named field matches an alert says who is told. An empty list of channels tells nobody.

    `min_amount` is in reporting currency. At most one message a cause and channel leaves within `throttle_s`; what happens
    meanwhile is in the next one.
    """

    channels: list[ChannelName] = []
    kinds: list[Kind] = []
    classes: list[FailureClass] = []
    categories: list[str] = []
    teams: list[str] = []
    systems: list[str] = []
    promises: list[str] = []
    min_amount: Decimal | None = None
    throttle_s: int = Field(default=900, ge=0)
    escalate: Escalation | None = None

    def matches(self, alert: Mapping[str, Any]) -> bool:
        """True if this route is for `alert`, by its kind, class, category, owner_team, system, promise and amount.

        >>> Route(kinds=["breach"], min_amount=1000).matches({"kind": "breach", "amount": Decimal(999)})
        False
        """
        fields: tuple[tuple[Sequence[str], str], ...] = (
            (self.kinds, "kind"),
            (self.classes, "class"),
            (self.categories, "category"),
            (self.teams, "owner_team"),
            (self.systems, "system"),
            (self.promises, "promise"),
        )
        return all(not wanted or alert.get(field) in wanted for wanted, field in fields) and (
            self.min_amount is None or (alert.get("amount") or 0) >= self.min_amount
        )


class Grace(_Part):
    """How long a failure stays open before anyone is told: what heals within it wakes nobody."""

    transient_s: int = Field(default=900, ge=0)
    other_s: int = Field(default=60, ge=0)


class QueueDepth(_Part):
    """More open exceptions than this in a team's queue are an alert of their own."""

    more_than: int = Field(default=100, ge=0)
    teams: dict[str, Annotated[int, Field(ge=0)]] = {}


class Collectors(_Part):
    """A sender that used to be heard, or a poller that fails, is silent after this time. Without an owner nobody is alerted."""

    silent_after_s: int = Field(default=1800, gt=0)
    owner_team: str | None = None


class AlertRules(_Part):
    """The whole section. Without routes alerts are raised and shown, and nobody is told."""

    kinds: list[Kind] = list(KINDS)
    grace: Grace = Grace()
    queue_depth: QueueDepth = QueueDepth()
    collectors: Collectors = Collectors()
    channels: list[Channel] = []
    routes: list[Route] = []

    @model_validator(mode="after")
    def _channels_are_known(self) -> AlertRules:
        names = [channel.name for channel in self.channels]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"channel '{name}' is declared twice")
        for place, route in enumerate(self.routes, 1):
            for name in [*route.channels, *(route.escalate.channels if route.escalate else [])]:
                if name not in names:
                    raise ValueError(
                        f"route {place} names channel '{name}', which is not declared. Known: {', '.join(names) or 'none'}"
                    )
        return self

    def route(self, alert: Mapping[str, Any]) -> Route | None:
        """The first route that matches, or None: the alert is shown and nobody is told."""
        return next((route for route in self.routes if route.matches(alert)), None)


def cross_references(
    rules: AlertRules,
    *,
    teams: Sequence[str],
    systems: Sequence[str],
    calendars: Sequence[str],
    promises: Sequence[str],
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where the section names what the rest of the catalogue does not declare: the place in it, and what is wrong."""
    for place, route in enumerate(rules.routes):
        used: tuple[tuple[str, str, Sequence[str], Sequence[str]], ...] = (
            ("team", "teams", route.teams, teams),
            ("system", "systems", route.systems, systems),
            ("promise", "promises", route.promises, promises),
        )
        for kind, field, names, known in used:
            for index, name in enumerate(names):
                if name not in known:
                    yield ("alerts", "routes", place, field, index), _unknown(kind, name, known)
        if route.escalate and route.escalate.calendar not in calendars:
            where = ("alerts", "routes", place, "escalate", "calendar")
            yield where, _unknown("calendar", route.escalate.calendar, calendars)
    for name in rules.queue_depth.teams:
        if name not in teams:
            yield ("alerts", "queue_depth", "teams", name), _unknown("team", name, teams)
    owner = rules.collectors.owner_team
    if owner is not None and owner not in teams:
        yield ("alerts", "collectors", "owner_team"), _unknown("team", owner, teams)


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    return f"alerts name {kind} '{name}', which is not declared. Known: {', '.join(known)}."
