"""One declared table a list: filter <-> address <-> SQL parameter. Pure: the address is the only state a list has.

The names in the address are those of the HTTP API, so that an address of the screen can be asked of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from console import periods
from trace_model.catalogue.alert_rules import KINDS
from trace_model.catalogue.check_rules import ExceptionKind

PAGE_ROWS = 50


@dataclass(frozen=True)
class Filter:
    """`name` in the address, `parameter` in SQL; `read` makes the value or raises ValueError naming what is wrong."""

    name: str
    parameter: str
    label: str
    read: Callable[[str], Any]
    otherwise: Any = None


@dataclass(frozen=True)
class Asked:
    """What an address asks for: SQL parameters, the texts as given, and what could not be read."""

    parameters: dict[str, Any]
    given: dict[str, str]
    problems: tuple[str, ...]


def text(given: str) -> str:
    return given.strip()[:200]


def amount(given: str) -> Decimal:
    """A non-negative amount.

    >>> amount("10,000.50")
    Decimal('10000.50')
    """
    try:
        value = Decimal(given.replace(",", "").strip())
    except InvalidOperation:
        raise ValueError(f"'{given[:40]}' is no amount; write it like 10000") from None
    if not value.is_finite() or value < 0:
        raise ValueError(f"'{given[:40]}' is no amount of zero or more")
    return value


def page(given: str) -> int:
    """The offset of a page of PAGE_ROWS, pages counted from 1.

    >>> page("3")
    100
    """
    if not given.isdigit() or int(given) < 1:
        raise ValueError(f"'{given[:40]}' is no page; the first is 1")
    return (int(given) - 1) * PAGE_ROWS


def one_of(*known: str) -> Callable[[str], str]:
    def read(given: str) -> str:
        if given not in known:
            raise ValueError(f"'{given[:40]}' is none of {', '.join(known)}")
        return given

    return read


def some_of(*known: str) -> Callable[[str], list[str]]:
    """Reads one or several, comma-separated.

    >>> some_of("breached", "stuck")("stuck,breached")
    ['stuck', 'breached']
    """
    each = one_of(*known)

    def read(given: str) -> list[str]:
        return [each(part.strip()) for part in given.split(",") if part.strip()]

    return read


def yes_no(given: str) -> bool:
    return one_of("true", "false")(given) == "true"


STATES = ("breached", "stuck", "at_risk", "on_track", "completed", "cancelled")
CLASSES = ("business", "technical", "dependency", "unknown")
GROUP_STATES = ("new", "ongoing", "escalating", "regressed", "snoozed")
GROUP_SORTS = ("money", "time", "oldest", "latest")

SEGMENTS: tuple[Filter, ...] = (
    Filter("region", "region", "Region", text),
    Filter("product_line", "product_line", "Product line", text),
    Filter("legal_entity", "legal_entity", "Legal entity", text),
)
ORDERS: tuple[Filter, ...] = (
    Filter("state", "states", "State", some_of(*STATES)),
    *SEGMENTS,
    Filter("promise", "promise", "Promise", text),
    Filter("milestone", "milestone", "Latest milestone", text),
    Filter("min_amount", "min_amount", "Minimum amount", amount),
    Filter("q", "q", "Reference or customer", text),
    Filter("with_exception", "with_exception", "With an open exception", yes_no),
    Filter("page", "offset", "Page", page, 0),
)
FORECAST: tuple[Filter, ...] = (
    Filter("promise", "promise", "Promise", text),
    *SEGMENTS,
    Filter("with_breached", "with_breached", "With what is breached", yes_no, False),
    Filter("page", "offset", "Page", page, 0),
)
EXCEPTION_GROUPS: tuple[Filter, ...] = (
    Filter("class", "class", "Class", one_of(*CLASSES)),
    Filter("category", "category", "Category", text),
    Filter("system", "system", "System", text),
    Filter("owner_team", "owner_team", "Owner", text),
    Filter("owner_person", "owner_person", "Person", text),
    Filter("state", "group_state", "State", one_of(*GROUP_STATES)),
    Filter("outage", "outage_id", "Outage", text),
    Filter("tag", "tag", "Tag", text),
    Filter("kind", "kind", "Kind", one_of(*get_args(ExceptionKind))),
    Filter("min_amount", "min_amount", "Minimum amount", amount),
    Filter("sort", "sort", "Order", one_of(*GROUP_SORTS), "money"),
    Filter("snoozed", "include_snoozed", "Show snoozed", yes_no, False),
    Filter("page", "offset", "Page", page, 0),
)
OUTCOMES = (
    "planned",
    "sent",
    "accepted",
    "uncertain",
    "milestone_reached",
    "failed_again",
    "rejected",
    "no_evidence",
    "skipped",
)
REPLAY_PLANS: tuple[Filter, ...] = (Filter("page", "offset", "Page", page, 0),)
REPLAY_ITEMS: tuple[Filter, ...] = (
    Filter("plan", "plan_id", "Plan", text),
    Filter("outcome", "outcome", "Outcome", one_of(*OUTCOMES)),
    Filter("page", "offset", "Page", page, 0),
)
JUDGED: tuple[Filter, ...] = (Filter("days", "days", "Days", lambda given: int(one_of("7", "30", "90")(given)), 30),)
AUDIT: tuple[Filter, ...] = (
    Filter("actor", "actor", "By", text),
    Filter("deed", "deed", "Deed", text),
    Filter("subject_type", "subject_type", "On", text),
    Filter("subject_id", "subject_id", "Id", text),
    Filter("page", "offset", "Page", page, 0),
)
ALERTS: tuple[Filter, ...] = (
    Filter("state", "state", "State", one_of("open", "ended")),
    Filter("kind", "kind", "Kind", one_of(*KINDS)),
    Filter("owner_team", "owner_team", "Owner", text),
    Filter("page", "offset", "Page", page, 0),
)
LATENCY: tuple[Filter, ...] = (
    Filter("promise", "promise", "Promise", text),
    *SEGMENTS,
    Filter("days", "days", "Days", lambda given: int(one_of("7", "30", "90")(given)), 30),
)
KPIS: tuple[Filter, ...] = (
    *SEGMENTS,
    Filter(
        "segment", "segment", "Segment", one_of("region", "product_line", "legal_entity", "tier", "workflow"), "all"
    ),
    Filter("period", "period", "Period", one_of("day", "week", "month"), "all"),
)
EXPLANATIONS = ("in_transit", "exception", "in_part", "not_seen", "passed_over", "lessened", "more")
COMPLETENESS: tuple[Filter, ...] = (
    Filter("over", "over", "Period", periods.read, "30"),
    Filter("period", "period", "Rows", one_of("day", "week", "month"), "day"),
    Filter("legal_entity", "legal_entity", "Legal entity", text),
    Filter("currency", "currency", "Currency", text),
    Filter("milestone", "milestone", "Step", text),
    Filter("explanation", "explanation", "Explanation", one_of(*EXPLANATIONS)),
    Filter("page", "offset", "Page", page, 0),
)
PROCESS: tuple[Filter, ...] = (
    Filter("days", "days", "Days", lambda given: int(one_of("7", "30", "90", "3660")(given)), 90),
    *SEGMENTS,
    Filter("from", "from", "From", text),
    Filter("to", "to", "To", text),
    Filter("stand", "stand", "Stand there", yes_no),
    Filter("deviation", "deviation", "Deviation", one_of("out_of_order", "skipped")),
    Filter("milestone", "milestone", "Milestone", text),
    Filter("other", "other", "Other milestone", text),
    Filter("page", "offset", "Page", page, 0),
)
STITCHING: tuple[Filter, ...] = (
    Filter("days", "days", "Days", lambda given: int(one_of("7", "30", "90")(given)), 30),
    Filter("system", "system", "System", text),
    Filter("type", "object_type", "Type", text),
    Filter("page", "offset", "Page", page, 0),
)


def read(filters: Sequence[Filter], address: Mapping[str, str]) -> Asked:
    """What the address asks for. What cannot be read is left out and named, so that a wrong link shows too much, never too little.

    >>> asked = read(ORDERS, {"state": "stuck", "min_amount": "lots", "page": "2"})
    >>> asked.parameters["states"], asked.parameters["offset"], asked.parameters["region"], asked.problems
    (['stuck'], 50, None, ("Minimum amount: 'lots' is no amount; write it like 10000",))
    """
    parameters: dict[str, Any] = {}
    given: dict[str, str] = {}
    problems: list[str] = []
    for one in filters:
        parameters[one.parameter] = one.otherwise
        told = address.get(one.name, "").strip()
        if not told:
            continue
        try:
            parameters[one.parameter] = one.read(told)
            given[one.name] = told
        except ValueError as fault:
            problems.append(f"{one.label}: {fault}")
    return Asked(parameters, given, tuple(problems))


def changed(given: Mapping[str, str], **changes: str | None) -> dict[str, str]:
    """The address after a change: back on the first page, empty filters left out.

    >>> changed({"state": "stuck", "page": "3"}, region="EMEA", state=None)
    {'region': 'EMEA'}
    """
    after = {name: value for name, value in given.items() if name != "page"} | changes
    return {name: value for name, value in after.items() if value}
