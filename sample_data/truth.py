"""What truly happened in the estate, written down by those who did it, for tests to judge a console by.

One JSON object a line: an `order` with its objects, links, aliases, milestones and failures, an `outage`, or a `release`. Instants
are RFC 3339 UTC to the microsecond, amounts decimal strings. Objects that several orders share stand in each of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sample_data.business import Ref


def instant(at_ns: int) -> str:
    """RFC 3339 in UTC with six decimals.

    >>> instant(1_700_000_000_000_001_000)
    '2023-11-14T22:13:20.000001Z'
    """
    at = datetime.fromtimestamp(at_ns // 10**9, UTC) + timedelta(microseconds=at_ns % 10**9 // 1000)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class _Failure:
    operation: str
    system: str
    object: Ref
    class_: str
    category: str
    code: str
    first_failed_ns: int
    last_failed_ns: int
    attempts: int
    open: bool
    outcome: str
    codes: list[str]
    opened: bool = False
    """The engine ever gave up; else it healed, or is being tried again, all by itself."""

    def as_json(self) -> dict[str, Any]:
        return {
            "operation": self.operation,
            "system": self.system,
            "object": self.object.as_json(),
            "class": self.class_,
            "category": self.category,
            "code": self.code,
            "codes": self.codes,
            "first_failed_at": instant(self.first_failed_ns),
            "last_failed_at": instant(self.last_failed_ns),
            "attempts": self.attempts,
            "opened": self.opened,
            "open": self.open,
            "outcome": self.outcome,
        }


@dataclass
class _Story:
    scenario: str
    quote: str
    customer: str
    amount: str
    currency: str
    segments: dict[str, str]
    order: str | None = None
    state: str = "in_progress"
    objects: dict[Ref, None] = field(default_factory=dict)


class Truth:
    """The oracle. Facts are kept by object; `lines` tells them by order, whose number is null before its submission."""

    def __init__(self) -> None:
        self._stories: dict[str, _Story] = {}  # by quote
        self._quote_of: dict[str, str] = {}
        self._orders_of: dict[Ref, list[str]] = {}
        self._milestones: dict[Ref, list[dict[str, Any]]] = {}
        self._failures: dict[tuple[str, Ref], _Failure] = {}
        self._failures_of: dict[Ref, list[_Failure]] = {}
        self._contradictions: dict[Ref, list[dict[str, Any]]] = {}
        self._aliases: dict[Ref, list[dict[str, Any]]] = {}
        self._links: dict[Ref, list[dict[str, Any]]] = {}
        self._pauses: dict[Ref, list[dict[str, Any]]] = {}
        self._outages: list[dict[str, Any]] = []
        self._releases: list[dict[str, Any]] = []

    # -- what happened ----------------------------------------------------------------------------------------------

    def opened(
        self, quote: str, *, scenario: str, customer: str, amount: str, currency: str, segments: dict[str, str]
    ) -> None:
        """A customer has a quote; there is no order yet."""
        story = _Story(scenario, quote, customer, amount, currency, segments)
        story.objects = {Ref("quote", quote): None, Ref("customer", customer): None}
        self._stories[quote] = story

    def ordered(self, quote: str, order: str, amount: str, quantity: int) -> None:
        """The quote became an order, or (again, with a new amount) its order was amended."""
        story = self._stories[quote]
        story.order, story.amount = order, amount
        self._quote_of[order] = quote
        story.objects[Ref("order", order)] = None
        self.link(Ref("order", order), Ref("quote", quote), amount=amount, quantity=quantity)

    def share_in(self, parent: Ref, child: Ref) -> None:
        """`child` belongs to every order that `parent` belongs to."""
        orders = [parent.id] if parent.type == "order" else self._orders_of.get(parent, [])
        for order in orders:
            self._stories[self._quote_of[order]].objects[child] = None
            known = self._orders_of.setdefault(child, [])
            if order not in known:
                known.append(order)

    def state(self, quote: str, state: str) -> None:
        """in_progress, completed, failed, stopped or cancelled."""
        self._stories[quote].state = state

    def stands_still(self, quote: str) -> bool:
        """True if what became of the quote failed or stopped, whichever flow it was in then (a payment run, say)."""
        return self._stories[quote].state in ("failed", "stopped")

    def link(self, child: Ref, parent: Ref, *, amount: str | None = None, quantity: int | None = None) -> None:
        links = self._links.setdefault(child, [])
        if any(link["to"] == parent.as_json() for link in links):
            return
        link: dict[str, Any] = {"from": child.as_json(), "to": parent.as_json()}
        if amount is not None:
            link["amount"] = amount
        if quantity is not None:
            link["quantity"] = quantity
        links.append(link)

    def alias(self, ref: Ref, system: str, alias: str) -> None:
        self._aliases.setdefault(ref, []).append({**ref.as_json(), "system": system, "alias": alias})

    def milestone(
        self, name: str, ref: Ref, at_ns: int, amount: str | None = None, quantity: int | None = None
    ) -> None:
        fact: dict[str, Any] = {"name": name, "object": ref.as_json(), "reached_at": instant(at_ns)}
        if amount is not None:
            fact["amount"] = amount
        if quantity is not None:
            fact["quantity"] = quantity
        self._milestones.setdefault(ref, []).append(fact)

    def undo(self, name: str, ref: Ref, at_ns: int) -> None:
        """The milestone `name` of `ref` was taken back: cancelled, credited, reversed, returned."""
        for fact in self._milestones.get(ref, []):
            if fact["name"] == name:
                fact["undone_at"] = instant(at_ns)

    def paused(self, pause: str, ref: Ref, at_ns: int) -> None:
        """What `ref` stands for waits, and nobody is to blame; nothing if it waits already."""
        known = self._pauses.setdefault(ref, [])
        if not any(fact["pause"] == pause and fact["until_at"] is None for fact in known):
            known.append({"pause": pause, "object": ref.as_json(), "from_at": instant(at_ns), "until_at": None})

    def resumed(self, pause: str, ref: Ref, at_ns: int) -> None:
        """It waits no more."""
        for fact in self._pauses.get(ref, []):
            if fact["pause"] == pause and fact["until_at"] is None:
                fact["until_at"] = instant(at_ns)

    def failed(
        self, operation: str, system: str, ref: Ref, verdict: tuple[str, str], code: str, at_ns: int, outcome: str
    ) -> None:
        """One more run of `operation` on `ref` failed for good; immediate retries that heal are no failure."""
        class_, category = verdict
        failure = self._failures.get((operation, ref))
        if failure is None:
            failure = _Failure(operation, system, ref, class_, category, code, at_ns, at_ns, 0, True, outcome, codes=[])
            self._failures[operation, ref] = failure
            self._failures_of.setdefault(ref, []).append(failure)
        failure.class_, failure.category, failure.code, failure.outcome = class_, category, code, outcome
        failure.last_failed_ns = at_ns
        failure.attempts += 1
        failure.open = True
        failure.opened |= outcome != "retrying"
        if code not in failure.codes:
            failure.codes.append(code)

    def contradicted(self, check: str, ref: Ref, category: str) -> None:
        """No system failed, but what they did to `ref` cannot be right: paid too much, booked twice."""
        fact = {"operation": check, "object": ref.as_json(), "category": category, "open": True}
        self._contradictions.setdefault(ref, []).append(fact)

    def healed(self, operation: str, ref: Ref) -> None:
        if failure := self._failures.get((operation, ref)):
            failure.open = False

    def outage_started(self, dependency: str, cause: str, at_ns: int) -> dict[str, Any]:
        outage: dict[str, Any] = {
            "kind": "outage",
            "dependency": dependency,
            "started_at": instant(at_ns),
            "ended_at": None,
            "cause": cause,
            "orders": [],
        }
        self._outages.append(outage)
        return outage

    def outage_ended(self, dependency: str, at_ns: int) -> None:
        for outage in self._outages:
            if outage["dependency"] == dependency and outage["ended_at"] is None:
                outage["ended_at"] = instant(at_ns)

    def outage_hit(self, dependency: str, orders: Iterable[str]) -> None:
        """These orders met the outage that `dependency` has now; nothing if it has none."""
        for outage in self._outages:
            if outage["dependency"] == dependency and outage["ended_at"] is None:
                outage["orders"] += [order for order in orders if order and order not in outage["orders"]]

    def released(self, system: str, version: str, changes: list[dict[str, str | None]], at_ns: int) -> None:
        """Another release of `system` runs: what it does to its payloads, by operation and path."""
        line = {"kind": "release", "system": system, "version": version, "released_at": instant(at_ns)}
        self._releases.append({**line, "changes": changes})

    # -- telling it -------------------------------------------------------------------------------------------------

    @property
    def orders(self) -> list[dict[str, Any]]:
        """One dict per order, as written, in the order in which the orders came in."""
        return [self._order_line(story) for story in self._stories.values()]

    @property
    def outages(self) -> list[dict[str, Any]]:
        return self._outages

    def lines(self) -> list[dict[str, Any]]:
        return [*self.orders, *self._outages, *self._releases]

    def write(self, path: Path, head: dict[str, Any] | None = None) -> None:
        """`path` holds the whole truth as of now, after `head`; readers see the old or the new, never a part."""
        beside = path.with_name(path.name + ".new")
        with beside.open("w", encoding="utf-8") as file:
            for line in [*([head] if head else []), *self.lines()]:
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
        os.replace(beside, path)

    def _order_line(self, story: _Story) -> dict[str, Any]:
        refs = list(story.objects)
        ends = {(ref.type, ref.id) for ref in refs}
        return {
            "kind": "order",
            "scenario": story.scenario,
            "order": story.order,
            "quote": story.quote,
            "customer": story.customer,
            "amount": story.amount,
            "currency": story.currency,
            "segments": story.segments,
            "state": story.state,
            "objects": [ref.as_json() for ref in refs],
            "links": [link for ref in refs for link in self._links.get(ref, []) if tuple(link["to"].values()) in ends],
            "aliases": [alias for ref in refs for alias in self._aliases.get(ref, [])],
            "milestones": [
                fact
                for ref in refs
                for fact in sorted(self._milestones.get(ref, []), key=lambda fact: str(fact["reached_at"]))
            ],
            "pauses": [fact for ref in refs for fact in self._pauses.get(ref, [])],
            "contradictions": [fact for ref in refs for fact in self._contradictions.get(ref, [])],
            "failures": [failure.as_json() for ref in refs for failure in self._failures_of.get(ref, [])],
        }
