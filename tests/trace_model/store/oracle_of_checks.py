"""What the checks on master data and payloads must find, worked out slowly in plain loops. Shares no code with the SQL; docs/checks.md states the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.trace_model.store.spans_of import Span, instant

IDENTITIES = (("salesforce.account.id",), ("q2c.customer.tax_id",), ("q2c.customer.name", "q2c.customer.address"))
"""As the shipped catalogue declares them, in its order."""
ENOUGH_BEFORE, MOST_BEFORE, FIRST_ONES = 5, 20, 5
Finding = tuple[str, datetime, datetime | None]


def duplicate_customers(spans: Sequence[Span]) -> set[Finding]:
    """(customer, from when, until when) for each that repeats an earlier one."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for position, attributes in enumerate(IDENTITIES):
        stretches = [(c, *s) for c, said in _said_of(spans, attributes).items() for s in _stretches(said)]
        for later, value, began, ended in stretches:
            for other, its_value, its_began, its_ended in stretches:
                overlaps = its_ended is None or its_ended > began
                if other != later and its_value == value and its_began < began and overlaps:
                    ends = [end for end in (ended, its_ended) if end is not None]
                    until = min(ends) if ends else None
                    rank = (until is not None, -(until or 0), position, began, its_began)
                    found.setdefault(later, []).append((rank, began, until))
    return {
        (customer, instant(began), None if until is None else instant(until))
        for customer, findings in found.items()
        for _, began, until in [min(findings)]
    }


def _said_of(spans: Sequence[Span], attributes: Sequence[str]) -> dict[str, list[tuple[float, str]]]:
    """For each customer what was said of one identity, in the order of time."""
    said: dict[str, list[tuple[float, str]]] = {}
    for span in sorted(spans, key=lambda s: s.until):
        words = ["".join(c for c in span.attributes.get(name, "").lower() if c.isalnum()) for name in attributes]
        if all(words):
            said.setdefault(span.attributes["q2c.customer.id"], []).append((span.until, " ".join(words)))
    return said


def _stretches(said: list[tuple[float, str]]) -> Iterator[tuple[str, float, float | None]]:
    """(value, from, until) of one customer; None: it holds still."""
    turns = [said[0], *(now for before, now in pairwise(said) if now[1] != before[1])]
    for (at, value), following in zip(turns, [*turns[1:], None], strict=True):
        yield value, at, following[0] if following else None


def schema_drifts(spans: Sequence[Span]) -> set[Finding]:
    """(release and field, from when, until when) for each field that a release of the one system and operation in `spans` lost."""
    sent = sorted(spans, key=lambda s: s.until)
    releases: list[str] = []
    for span in sent:
        if (release := span.resource["service.version"]) not in releases:
            releases.append(release)
    found = set()
    for before, now in pairwise(releases):
        mine = [s for s in sent if s.resource["service.version"] == now]
        theirs = [
            s for s in sent if s.resource["service.version"] == before and s.until < mine[0].until and s.error is None
        ]
        theirs = theirs[-MOST_BEFORE:]
        if len(theirs) < ENOUGH_BEFORE or len(mine) < FIRST_ONES:
            continue
        always = set.intersection(*(_fields(s) for s in theirs))
        lost = always - set().union(*(_fields(s) for s in mine[:FIRST_ONES]))
        sure = mine[FIRST_ONES - 1].until
        later = [
            s for s in sent if releases.index(s.resource["service.version"]) >= releases.index(now) and s.until > sure
        ]
        for path, kind in lost:
            if not any(path.startswith((f"{outer}.", f"{outer}[]")) for outer, _ in lost):
                again = next((instant(s.until) for s in later if (path, kind) in _fields(s)), None)
                found.add((f"{now} {path}", instant(sure), again))
    return found


def _fields(span: Span) -> set[tuple[str, str]]:
    return set(_walk(json.loads(span.attributes["q2c.payload"]), ""))


def _walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, dict):
        kind, inner = "object", [(part, f"{path}.{name}") for name, part in value.items()]
    elif isinstance(value, list):
        kind, inner = "list", [(part, f"{path}[]") for part in value]
    elif isinstance(value, bool):
        kind, inner = "boolean", []
    else:
        kind, inner = ("number", []) if isinstance(value, int | float) else ("text", [])
    if path:
        yield path.lstrip("."), kind
    for part, at in inner:
        yield from _walk(part, at)
