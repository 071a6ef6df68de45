"""A first catalogue for a log that has none: its types, event types and relations in the words of a catalogue.

A suggestion, for a person to correct: which type leads, what is part of what and what is master data are guessed from
counts and times, and every guess stands there as a line that can be changed.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from collectors.batch import MalformedRequest
from collectors.event_log import EventLog, day_first_or_month_first, folded, instant, takes_back

_NO_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
FEW = 20
"""A type with this many times fewer objects than the leading one is taken for master data: customers, products."""


@dataclass
class Census:
    """What a log holds, counted."""

    objects: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    named_by: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By event type: how many of its events name an object of each type."""
    reached: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """By event type and object type: which objects had one."""
    tied: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many relations there are between two types, the names in order."""
    earlier: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of those, how many tie an object of the first type to one of the second that shows later."""
    time_formats: dict[bool, dict[str, None]] = field(default_factory=lambda: {True: {}, False: {}})
    """How the times that may be two days are written if the day comes first (True), and if the month does; both if the log fits both."""


def count(log: EventLog) -> Census:
    """The log's census. Where it has no relations between objects, objects of one event count as related."""
    census = Census()
    types = {key.strip(): type_name.strip() for key, type_name in log.object_types()}
    census.objects.update(types.values())
    first: dict[str, int] = {}
    together: Counter[tuple[str, str]] = Counter()
    for event in log.events():
        if (at := instant(event.time or "")) is None and (written := day_first_or_month_first(event.time or "")):
            for order in census.time_formats.keys() - written.keys():
                del census.time_formats[order]
            for order, formats in census.time_formats.items():
                formats[written[order]] = None
        here = list(dict.fromkeys(own for key, _ in event.objects if (own := key.strip()) in types))
        event_type = event.type.strip()
        if event_type:
            census.events[event_type] += 1
            census.named_by[event_type].update({types[key] for key in here})
        for key in here:
            census.reached[event_type, types[key]].add(key)
            if at is not None:
                first[key] = min(first.get(key, at[0]), at[0])
        together.update((a, b) for i, a in enumerate(here) for b in here[i + 1 :] if types[a] != types[b])
    related: Iterable[tuple[str, str]] = [
        (source, target)
        for r in log.relations()
        if (source := r.source.strip()) in types and (target := r.target.strip()) in types
    ]
    for a, b in related or together:
        if types[a] == types[b]:
            continue
        census.tied[min(types[a], types[b]), max(types[a], types[b])] += 1
        if a in first and b in first and first[a] != first[b]:
            one, other = (a, b) if first[a] < first[b] else (b, a)
            census.earlier[types[one], types[other]] += 1
    return census


def suggest(log: EventLog) -> str:
    """A catalogue for the log as YAML, which `cashtrail check` finds no fault with. Reads the log once.

    Raises MalformedRequest for a log that holds no objects.
    """
    census = count(log)
    if not census.objects:
        raise MalformedRequest(f"{log.name}: an event log without objects; there is nothing to suggest a catalogue for")
    named: set[str] = set()
    names = {type_name: _unused(_name(type_name), named) for type_name in census.objects}
    lead = _lead(census)
    order = _from_lead(census, lead)
    masters = [type_name for type_name in census.objects if type_name not in order]
    relations = _relations(census, lead, order)
    lines = [
        f"# Suggested from {log.name}: {sum(census.events.values())} events, {sum(census.objects.values())} objects.",
        "# Correct what is guessed: the leading type, what is part of what, the systems, and which milestones end it.",
        f"catalogue: {_name(log.name) or 'log'}",
        "version: 1",
        "reporting_currency: EUR",
        "rates: {EUR: 1}",
        "systems:",
        "  - {name: log, label: Log, owner_team: operations}",
        "object_types:               # traversed: false is master data, which ties no timelines together",
    ]
    for type_name in (*masters, *_in_flow(order, relations)):
        traversed = "" if type_name in order else ", traversed: false"
        label = names[type_name].replace("_", " ").capitalize()
        lines.append(
            f"  - {{name: {names[type_name]}, label: {label}{traversed}, in_logs: {{names: [{_quoted(type_name)}]}}}}"
        )
    lines.append(f"lead_types: [{names[lead]}]")
    lines.append("relations:" if relations else "relations: []")
    lines += [f"  - {{child: {names[child]}, parent: {names[parent]}}}" for child, parent in relations]
    lines.append("operations:" if census.events else "operations: []")
    subjects = {event_type: _subject(census, event_type, order, lead) for event_type in census.events}
    lines += [
        f"  - {{name: {_quoted(event_type)}, object: {names[subject]}, system: log}}"
        for event_type, subject in subjects.items()
    ]
    order_told = "milestones:                 # put them in order; add final: true to what completes a timeline"
    lines.append(order_told if census.events else "milestones: []")
    taken: set[str] = set()
    milestones = {event_type: _unused(_name(event_type), taken) for event_type in subjects}
    for event_type, subject in subjects.items():
        name = milestones[event_type]
        share = len(census.reached[event_type, subject]) / max(census.objects[subject], 1)
        seen = "" if share >= 0.5 else ", expected: when_seen"
        if takes_back(event_type):
            undone = _taken_back(event_type, subject, subjects, milestones)
            ends = ", cancels: true" if subject == lead and undone is None else ""
            seen = ", expected: when_seen" + (f", undoes: {undone}" if undone else ends)
        lines.append(
            f"  - {{name: {name}, label: {_quoted(event_type.capitalize())}, object: {names[subject]}, "
            f"operations: [{_quoted(event_type)}]{seen}, owner_team: operations, system: log}}"
        )
    lines += [
        *_time_formats(census),
        "calendars:",
        "  - {name: always, time_zone: UTC, hours: always}",
        "promises: []",
        "teams:",
        "  - {name: operations, label: Operations}",
        "owners:",
        "  - {team: operations}",
    ]
    return "\n".join(lines) + "\n"


def _time_formats(census: Census) -> list[str]:
    """How the log writes its times, where that is not as everywhere; nothing where it writes them both ways."""
    orders = {
        first: ", ".join(f"'{each}'" for each in formats) for first, formats in census.time_formats.items() if formats
    }
    if not orders:
        return []
    if len(orders) == 1:
        return [f"event_table: {{time_formats: [{next(iter(orders.values()))}]}}"]
    return [
        f"event_table: {{time_formats: [{orders[True]}]}}   # guessed; if the month comes first: [{orders[False]}]",
    ]


def _lead(census: Census) -> str:
    """An order if there is one, else the type that most kinds of events name, and of those the one with most objects."""
    kinds = Counter(type_name for named in census.named_by.values() for type_name in named)
    return max(
        census.objects,
        key=lambda t: (folded(t).removesuffix("s").endswith("order"), kinds[t], census.objects[t], t),
    )


def _from_lead(census: Census, lead: str) -> dict[str, int]:
    """The types that hang together with the lead, with how many steps they are away; master data left out."""
    steps = {lead: 0}
    frontier = [lead]
    while frontier:
        near = frontier.pop(0)
        for pair in sorted(census.tied):
            if near not in pair:
                continue
            far = pair[1] if pair[0] == near else pair[0]
            if far not in steps and census.objects[far] * FEW >= census.objects[lead]:
                steps[far] = steps[near] + 1
                frontier.append(far)
    return steps


def _relations(census: Census, lead: str, order: Mapping[str, int]) -> list[tuple[str, str]]:
    """Child and parent of each pair of types one step apart: away from the lead, but what mostly came before it is above it."""
    found = []
    for pair in sorted(census.tied):
        if not all(type_name in order for type_name in pair) or order[pair[0]] == order[pair[1]]:
            continue
        near, far = sorted(pair, key=order.__getitem__)
        came_before = near == lead and census.earlier[far, near] > 4 * census.earlier[near, far]
        found.append((near, far) if came_before else (far, near))
    return found


def _in_flow(order: Mapping[str, int], relations: Iterable[tuple[str, str]]) -> list[str]:
    """Types above the lead first, then the lead, then by steps: the most downstream last."""
    above = {parent for child, parent in relations if order[child] == 0}
    return sorted(order, key=lambda t: (-1 if t in above else order[t], t))


def _subject(census: Census, event_type: str, order: Mapping[str, int], lead: str) -> str:
    """The type that most of the event type's events are about: of those named as often, the most downstream."""
    named = census.named_by[event_type]
    known = [type_name for type_name in named if type_name in order] or list(named)
    return max(known, key=lambda t: (named[t], order.get(t, -1), t), default=lead)


def _taken_back(
    event_type: str, subject: str, subjects: Mapping[str, str], milestones: Mapping[str, str]
) -> str | None:
    """The milestone that an event type takes back: the one on the same type of object that shares most of its other words."""
    own = set(folded(subject).removesuffix("s").split("_"))
    words = set(folded(event_type).split("_")) - own
    shared = {
        milestones[other]: sum(_same_stem(word, its) for word in words for its in set(folded(other).split("_")) - own)
        for other, its_subject in subjects.items()
        if its_subject == subject and not takes_back(other)
    }
    return max(shared, key=lambda name: (shared[name], name)) if any(shared.values()) else None


def _same_stem(one: str, other: str) -> bool:
    """Whether one word begins with the other, of three letters or more: `pay`, `payment`."""
    short, long = sorted((one, other), key=len)
    return len(short) >= 3 and long.startswith(short)


def _name(text: str) -> str:
    """A catalogue's name for what a log calls so.

    >>> _name("Customer Orders "), _name("2nd class")
    ('customer_order', 'x_2nd_class')
    """
    plain = folded(text).encode("ascii", "ignore").decode().strip("_")[:60] or "x"
    plain = plain if plain[0].isalpha() else f"x_{plain}"
    return plain.removesuffix("s") if plain.endswith("s") and not plain.endswith("ss") else plain


def _unused(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def _quoted(text: str) -> str:
    """Text as YAML takes it, whatever it holds.

    >>> print(_quoted('pay "now"'), _quoted("\\x00"))
    "pay \\"now\\"" "\\u0000"
    """
    return _NO_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
