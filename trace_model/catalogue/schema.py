"""The shape of a catalogue: one business described as data, strict to the last key.

A catalogue is read once at start, checked as a whole (`loader.py`) and loaded into the store as tables
(`trace_model/store/catalogue_tables.py`), where SQL joins it. Nothing here reads a file or a clock.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from trace_model.catalogue.alert_rules import AlertRules
from trace_model.catalogue.calendar_schema import Calendar
from trace_model.catalogue.check_rules import Checks
from trace_model.catalogue.engine_schema import Engine
from trace_model.catalogue.failure_rules import FailureRule
from trace_model.catalogue.payload_rules import Payloads
from trace_model.catalogue.poller_schema import Poller
from trace_model.replay_limits import ReplayLimits

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
SystemName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Attribute = Annotated[str, Field(min_length=1, max_length=200)]


def _says_a_day(time_format: str) -> str:
    """`time_format`, if by it a day can be written and read back. Raises ValueError for any other."""
    day = date(2026, 3, 5)
    try:
        if datetime.strptime(day.strftime(time_format), time_format).date() == day:  # noqa: DTZ007 - the day alone matters
            return time_format
    except ValueError:
        pass
    raise ValueError(f"'{time_format}' says no day; write it as in '%d/%m/%Y %H:%M' (day, month, year, hour, minute)")


TimeFormat = Annotated[str, AfterValidator(_says_a_day)]
"""How a time is written, in the signs of strptime."""

ROLES: tuple[str, ...] = (
    "correlation_id",
    "operation",
    "milestone",
    "amount",
    "currency",
    "quantity",
    "region",
    "product_line",
    "legal_entity",
    "tier",
    "workflow",
    "attempt",
    "outcome",
    "idempotency_key",
    "replay_id",
    "error_code",
    "error_type",
    "http_status",
    "grpc_status",
    "dependency",
    "resend_count",
    "endpoint",
    "payload",
    "payload_digest",
    "customer_name",
    "object_version",
    "pause",
)
"""What a span can say beside its ids; each role is read from the first of its attribute names that is there."""

NAMES_PER_ROLE = 4
SEGMENTS: tuple[str, ...] = ("region", "product_line", "legal_entity", "tier", "workflow")

DEFAULT_ATTRIBUTES: dict[str, list[str]] = {
    "correlation_id": ["messaging.message.conversation_id", "correlation.id", "correlation_id", "x-correlation-id"],
    "operation": ["q2c.operation"],
    "milestone": ["q2c.milestone"],
    "amount": ["q2c.amount"],
    "currency": ["q2c.currency"],
    "quantity": ["q2c.quantity"],
    "region": ["q2c.region"],
    "product_line": ["q2c.product_line"],
    "legal_entity": ["q2c.legal_entity"],
    "tier": ["q2c.tier"],
    "workflow": ["q2c.workflow"],
    "attempt": ["q2c.attempt"],
    "outcome": ["q2c.outcome"],
    "idempotency_key": ["q2c.idempotency_key"],
    "replay_id": ["q2c.replay.id"],
    "error_code": ["q2c.error.code"],
    "error_type": ["error.type"],
    "http_status": ["http.response.status_code", "http.status_code"],
    "grpc_status": ["rpc.grpc.status_code"],
    "dependency": ["peer.service", "server.address", "net.peer.name"],
    "resend_count": ["http.request.resend_count"],
    "endpoint": ["q2c.endpoint", "url.full", "http.route"],
    "payload": ["q2c.payload"],
    "payload_digest": ["q2c.payload.digest"],
    "customer_name": ["q2c.customer.name"],
    "object_version": ["q2c.object.version", "q2c.order.version"],
    "pause": ["q2c.pause"],
}


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class System(Part):
    """A system of the estate; `name` is the `service.name` its spans carry.

    An `integration` system (sync engine, iPaaS) acts for others: where one of its spans names a dependency,
    that dependency is the system the span speaks of.
    """

    name: SystemName
    label: str
    kind: Literal["application", "integration"] = "application"
    owner_team: Name
    also_known_as: list[str] = []
    product: str | None = Field(
        default=None, description="what rule packs know it by: sap, salesforce, netsuite, stripe ..."
    )
    silent_after_s: int = Field(default=2400, ge=60, description="no span for this long is shown as 'no data'")
    silent_calendar: Name | None = Field(
        default=None, description="the calendar in whose working time that silence counts; around the clock without one"
    )


class Alias(Part):
    """Another system's id for an object; `scope: system` when two systems may use the same number for two objects."""

    attribute: Attribute
    system: SystemName
    scope: Literal["global", "system", "legal_entity"] = "global"


class InLogs(Part):
    """How event logs (OCEL, XES, CSV) speak of an object type, beside its own name and label.

    `amount` names the object's attribute in the log that is its amount, in `currency` (default: the reporting one).
    `quantity` is a type: an object's quantity is how many objects of it the log relates to the object, itself included.
    """

    names: list[str] = []
    amount: Attribute | None = None
    currency: Currency | None = None
    quantity: Name | None = None


class ObjectType(Part):
    """A type of business object (OCEL 2.0), its id attributes and its ids in other systems.

    `rank` orders types along the flow; the span's subject is its most downstream object unless milestone or
    operation say otherwise. `traversed: false` keeps a type (a customer) from joining timelines.
    """

    name: Name
    label: str
    ids: list[Attribute] = Field(default=[], max_length=NAMES_PER_ROLE)
    scope: Literal["global", "system", "legal_entity"] = "global"
    aliases: list[Alias] = []
    traversed: bool = True
    in_logs: InLogs = InLogs()

    @property
    def id_attributes(self) -> list[str]:
        return self.ids or [f"q2c.{self.name}.id"]


class Relation(Part):
    """A declared child -> parent relation (OCEL's O2O): a shipment of an order, a payment of an invoice."""

    child: Name
    parent: Name
    attribute: Attribute | None = None
    kind: Literal["part_of", "amends", "replaces"] = "part_of"

    @property
    def id_attribute(self) -> str:
        return self.attribute or f"q2c.{self.child}.{self.parent}.id"

    @property
    def amount_attribute(self) -> str:
        return self.id_attribute.removesuffix(".id") + ".amount"

    @property
    def quantity_attribute(self) -> str:
        return self.id_attribute.removesuffix(".id") + ".quantity"


class Operation(Part):
    """What the integration does to one object; `milestone` is what its success means.

    `schema` is the JSON Schema of its payload, `locked` the dotted paths that a replay's patch may not touch, `sensitive`
    those that only some roles may change or read in a plan (with the names in `replays.sensitive_fields`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    name: str = Field(max_length=200)
    object: Name
    system: SystemName
    label: str = ""
    replayable: bool = True
    writes: list[str] = []
    give_up_after_s: int | None = Field(default=None, ge=0, description="as in `retries`, for this operation alone")
    payload_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    locked: list[str] = []
    sensitive: list[str] = []


class Condition(Part):
    """A segment filter: each named segment must have one of the values; none named matches all."""

    region: list[str] = []
    product_line: list[str] = []
    legal_entity: list[str] = []
    tier: list[str] = []
    workflow: list[str] = []


class Milestone(Part):
    """A named business point. Reached by a span that names it or by the success of one of `operations`.

    `covers: amount|quantity` measures how much of the lead object it covers; `once` has no coverage of its own.
    `undoes` names the milestone that it takes back; `lessens` says that its amount is not owed any more (a credit note).
    """

    name: Name
    label: str
    object: Name
    operations: list[str] = []
    covers: Literal["once", "amount", "quantity"] = "once"
    expected: Literal["always", "when_seen"] = "always"
    when: Condition = Condition()
    final: bool = False
    cancels: bool = False
    undoes: Name | None = None
    lessens: bool = False
    stuck_calendar: Name | None = Field(
        default=None,
        description="what comes after it is waited for in this calendar's working time; default: the catalogue's",
    )
    owner_team: Name
    system: SystemName


class PromiseCondition(Condition):
    """Whom a promise is made to: as `Condition`, by customer, and by the order's amount, `min_amount` <= amount < `below_amount`."""

    customer: list[str] = Field(default=[], description="customer ids")
    min_amount: Decimal | None = Field(default=None, description="in reporting currency")
    below_amount: Decimal | None = Field(default=None, description="in reporting currency")

    @property
    def named(self) -> list[str]:
        """What the condition names; amounts count once.

        >>> PromiseCondition(region=["EMEA"], min_amount=1, below_amount=9).named
        ['region', 'amount']
        """
        lists = [name for name in (*SEGMENTS, "customer") if getattr(self, name)]
        return lists + (["amount"] if self.min_amount is not None or self.below_amount is not None else [])

    @property
    def specificity(self) -> tuple[int, Decimal]:
        """The greater one wins: what names more; of equals, what begins at the higher amount (docs/promises.md)."""
        return len(self.named), self.min_amount or Decimal(0)

    def meets(self, other: PromiseCondition) -> bool:
        """True if one order can fulfil both."""
        for name in (*SEGMENTS, "customer"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine and theirs and not set(mine) & set(theirs):
                return False
        ends = [c.below_amount for c in (self, other) if c.below_amount is not None]
        begins = [c.min_amount for c in (self, other) if c.min_amount is not None]
        return not ends or not begins or max(begins) < min(ends)

    @property
    def words(self) -> str:
        """The condition as people say it; empty where it names nothing.

        >>> PromiseCondition(region=["AMER", "APAC"], min_amount=50000).words
        'region AMER or APAC, amount from 50,000'
        """
        said = [
            f"{name.replace('_', ' ')} {' or '.join(getattr(self, name))}"
            for name in (*SEGMENTS, "customer")
            if getattr(self, name)
        ]
        band = [
            f"{word} {value:,.0f}"
            for word, value in (("from", self.min_amount), ("below", self.below_amount))
            if value is not None
        ]
        return ", ".join([*said, *([f"amount {' and '.join(band)}"] if band else [])])


class Promise(Part):
    """An SLA: from a milestone (`start` = the timeline's first sign) to a milestone, within working time or by the month-end close.

    A name may stand several times: its variants. Of those that hold for an order when its clock starts, the most specific
    counts (`PromiseCondition.specificity`); two equally specific ones that can meet are a fault. Dates are local days of
    the calendar, both included.
    """

    name: Name
    variant: Name = Field(default="standard", description="tells the variants of one name apart")
    label: str
    start: Name | Literal["start"]
    stop: Name
    within_s: int | None = Field(default=None, gt=0, description="working seconds")
    due: Literal["month_end_close"] | None = Field(default=None, description="instead of within_s")
    at_risk_after: Decimal = Field(default=Decimal("0.75"), gt=0, lt=1)
    calendar: Name
    when: PromiseCondition = PromiseCondition()
    valid_from: date | None = None
    valid_until: date | None = None
    owner_team: Name

    @model_validator(mode="after")
    def _one_due(self) -> Promise:
        if (self.within_s is None) == (self.due is None):
            raise ValueError("a promise needs either within_s or due: month_end_close, and not both")
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError(f"valid_until {self.valid_until} is before valid_from {self.valid_from}")
        return self

    def ties_with(self, other: Promise) -> bool:
        """True if some clock could not tell which of the two variants counts."""
        apart = (self.valid_until and other.valid_from and self.valid_until < other.valid_from) or (
            other.valid_until and self.valid_from and other.valid_until < self.valid_from
        )
        return not apart and self.when.specificity == other.when.specificity and self.when.meets(other.when)


class PauseSigns(Part):
    """What opens or closes a pause: a success of an operation, a milestone, or a word in the attribute of the role `pause`."""

    operations: list[str] = []
    milestones: list[Name] = []
    words: list[str] = []


class Pause(Part):
    """A reason for which clocks stand still: while it lasts, no working time is counted. Operators may open and close it too.

    `promises` names those that it holds up; none named: all but those due at a month-end close, which waits for nobody.
    """

    name: Name
    label: str
    opens: PauseSigns = PauseSigns()
    closes: PauseSigns = PauseSigns()
    promises: list[Name] = []


class Escalation(Part):
    """Who takes over what nobody has answered for `after_s` seconds of working time of a calendar."""

    after_s: int = Field(gt=0)
    calendar: Name
    team: Name
    person: str | None = Field(default=None, max_length=100)


OWNER_RULES_MOST = 62


class OwnerRule(Part):
    """The first rule whose every named field matches gives a failure its team, and its person where it names one.

    A person's own assignment goes before every rule.
    """

    team: Name
    person: str | None = Field(default=None, max_length=100)
    classes: list[Literal["business", "technical", "dependency", "unknown"]] = []
    categories: list[str] = []
    systems: list[str] = []
    legal_entities: list[str] = []
    regions: list[str] = []
    customers: list[str] = []
    min_amount: Decimal | None = Field(default=None, description="in reporting currency")
    escalate: Escalation | None = None


class EventTable(Part):
    """Which columns of a classic event log (CSV; in XES, which keys) say what. Names are compared without case.

    A row is one event. `case` holds the id of an object of `case_type` (default: the first lead type). `objects` gives
    further columns their type of object; a column called like a type needs no line. All others are attributes.
    """

    activity: list[Attribute] = ["concept:name", "ocel:activity", "activity", "event", "event type", "task"]
    time: list[Attribute] = [
        "time:timestamp",
        "ocel:timestamp",
        "timestamp",
        "time",
        "complete timestamp",
        "completion time",
    ]
    event_id: list[Attribute] = ["ocel:eid", "event id", "event_id"]
    case: list[Attribute] = ["case:concept:name", "case id", "case_id", "case"]
    case_type: Name | None = None
    objects: dict[str, Name] = {}
    time_formats: list[TimeFormat] = []
    """How times are written where it is not as everywhere: tried in order, before ISO 8601. `03/04/2026` needs it."""


class Team(Part):
    name: Name
    label: str
    runbook: str = ""


class FailureRules(Part):
    packs: list[str] | Literal["shipped"] = "shipped"
    rules: list[FailureRule] = []


class Retries(Part):
    """How the engines say that they will try again by themselves: such an attempt opens no exception yet.

    It opens when an attempt says otherwise (`gave_up`, `dead_lettered`), or `give_up_after_s` after the first failure
    if nothing has succeeded by then. An attempt without an outcome promises nothing and opens at once.
    """

    outcomes: list[str] = ["retrying", "retry", "will_retry", "retry_scheduled"]
    give_up_after_s: int = Field(default=3600, ge=0)


class Catalogue(Part):
    """The whole business. Cross-references are checked by `loader.load`, which names file and line."""

    catalogue: Name
    version: int = Field(ge=1)
    reporting_currency: Currency
    rates: dict[Currency, Decimal] = Field(description="1 unit of the currency in reporting currency")
    attributes: dict[str, list[Attribute]] = {}
    systems: list[System]
    object_types: list[ObjectType]
    lead_types: list[Name] = Field(min_length=1)
    relations: list[Relation]
    operations: list[Operation] = []
    milestones: list[Milestone]
    calendars: list[Calendar]
    promises: list[Promise]
    pauses: list[Pause] = []
    stuck_after_s: int = Field(default=172_800, ge=60)
    stuck_calendar: Name | None = Field(
        default=None,
        description="the calendar in whose working time an order stands still; around the clock without one",
    )
    teams: list[Team]
    owners: list[OwnerRule] = Field(max_length=OWNER_RULES_MOST)
    failure_rules: FailureRules = FailureRules()
    retries: Retries = Retries()
    checks: Checks = Checks()
    payloads: Payloads = Payloads()
    engines: list[Engine] = []
    event_table: EventTable = EventTable()
    pollers: list[Poller] = []
    alerts: AlertRules = AlertRules()
    replays: ReplayLimits = ReplayLimits()

    @model_validator(mode="after")
    def _roles_are_known(self) -> Catalogue:
        for role, names in self.attributes.items():
            if role not in ROLES:
                raise ValueError(f"attributes: '{role}' is no role. Known: {', '.join(ROLES)}")
            if len(names) > NAMES_PER_ROLE:
                raise ValueError(f"attributes: '{role}' has {len(names)} names; at most {NAMES_PER_ROLE}")
        if self.rates.get(self.reporting_currency) != 1:
            raise ValueError(f"rates: the reporting currency {self.reporting_currency} must be there with rate 1")
        return self

    def role_attributes(self, role: str) -> list[str]:
        """The attribute names a role is read from, most preferred first."""
        return self.attributes.get(role) or DEFAULT_ATTRIBUTES[role]

    def variants(self) -> dict[str, list[Promise]]:
        """The promises by name, in the catalogue's order; of each the variants, most specific first."""
        by_name: dict[str, list[Promise]] = {}
        for promise in self.promises:
            by_name.setdefault(promise.name, []).append(promise)
        for variants in by_name.values():
            variants.sort(key=lambda p: p.when.specificity, reverse=True)
        return by_name
