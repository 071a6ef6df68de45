"""Events, objects and relations of a log as spans, so that what is kept is what is always kept.

- An event is a span of no length in a trace of its own: `q2c.operation` says its type, and the catalogue's id
  attributes say its objects.
- An object is a span below the first event that names it, and a relation one below its child's first event: so they
  are no runs of their own, and no object is older than what happened to it.
- Where the catalogue declares the relation, its span names child and parent as any span would.

All of the log stands in `ocel.*` attributes as it came, so that an export gives it back. Trace ids are made from the
log's name and ids, span ids from what the span says too: loading a log again, or a longer copy of it, or after a change
of the catalogue, adds only what is new. The whole layout stands in docs/object-centric-logs.md.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

import orjson

from collectors.batch import NS_PER_S, YEAR_1990_NS, Decoded, Gathering
from collectors.event_log import (
    AttributeValue,
    Event,
    EventLog,
    LogObject,
    ObjectRelation,
    TypeDeclaration,
    day_first_or_month_first,
    declared_time,
    instant,
    is_out_of_range,
    iso,
    shortened,
    takes_back,
)
from collectors.log_names import LogNames
from trace_model.catalogue.schema import Catalogue, ObjectType

SCOPE = "cashtrail.ocel"
"""The instrumentation scope of every span that stands for a piece of a log."""
BATCH_SPANS = 5_000
INTERNAL = 1
DAY_NS = 86_400 * NS_PER_S
_ISO_DATE = re.compile(r"\s*[+-]?\d{4}-?\d{2}-?\d{2}(\D|$)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the traces something stands; `parent` is the span above it, if any."""

    at_ns: int
    trace_id: bytes
    parent: int | None
    service: str


def _begins(at_ns: int) -> tuple[bool, int]:
    """Of events' times the least is where the log begins; one that was never set only where there is no other."""
    return at_ns < YEAR_1990_NS, at_ns


def _how_to_declare(time: str) -> str:
    """What is wrong with a time that cannot be read, and what to declare so that it can."""
    match day_first_or_month_first(time):
        case {True: day_first, False: month_first}:
            return (
                f"is two days. Declare event_table: {{time_formats: ['{day_first}']}} in the catalogue if the day comes "
                f"first, ['{month_first}'] if the month does"
            )
        case {True: only} | {False: only}:
            return f"is no ISO 8601 time. Declare event_table: {{time_formats: ['{only}']}} in the catalogue"
    return "is no ISO 8601 time. Declare how it is written by event_table: {time_formats: [...]} in the catalogue"


class LogSpans:
    """The spans of one log. Iterating reads the log once and fills its report."""

    def __init__(self, log: EventLog, catalogue: Catalogue, source: str, received_ns: int) -> None:
        self._log = log
        self._report = log.report
        self._catalogue = catalogue
        self._names = LogNames(catalogue, log.report)
        self._formats = catalogue.event_table.time_formats
        self._source = source
        self._latest_ns = received_ns + DAY_NS  # a time without a zone may be ahead of ours
        self._batch = Gathering(source)
        self._types: dict[str, str] = {}
        self._first: dict[str, tuple[int, str, Place]] = {}
        self._seen: dict[int, int] = {}
        self._parts: dict[str, set[str]] = defaultdict(set)
        self._together: dict[str, set[str]] = defaultdict(set)
        self._twice: set[tuple[str, str]] = set()
        self._gathered: dict[tuple[str, str], LogObject] = {}
        self._declared = [{each.name.strip() for each in types} for types in log.types()]
        self._beside: dict[str, int] = {}
        self._begins_ns: int | None = None

    def __iter__(self) -> Iterator[tuple[str, Decoded]]:
        """Batches of spans, each with the part of the log that it comes from. Raises MalformedRequest."""
        self._index_objects()
        for part, taking in (
            ("events", map(self._event, self._log.events())),
            ("relations", map(self._relation, self._relations())),
            ("objects", map(self._object, self._objects())),
        ):
            for _ in taking:
                if len(self._batch.rows) >= BATCH_SPANS:
                    yield part, self._taken()
        self._declarations()
        self._report_objects()
        yield "the end", self._taken()

    @property
    def are_unknown(self) -> bool:
        """Whether the catalogue knows no type of the log, neither of its objects nor of its events."""
        return self._names.knows_nothing

    def _taken(self) -> Decoded:
        full, self._batch = self._batch, Gathering(self._source)
        return full.decoded(0)

    def _index_objects(self) -> None:
        """`_types` holds each object's type by its id without the spaces around it, by which it is known from here on."""
        others: dict[str, dict[str, str]] = {}
        for key, type_name in self._log.object_types():
            self._report.object_count += 1
            name = type_name.strip()
            self._told_spaces("object", key)
            if not (own := key.strip()):
                self._report.found("without_id", f"object of type {type_name!r}")
            if self._declared[1] and name not in self._declared[1]:
                self._report.found("type_not_declared", f"object type {name!r}")
            if own not in self._types:
                self._types[own] = type_name
            elif self._types[own].strip() == name or name in others.get(own, {}):
                self._report.found("object_twice", own)
                self._twice.add((own, name))
            else:
                self._report.found("object_of_two_types", f"{own}: {self._types[own]} and {type_name}")
                others.setdefault(own, {})[name] = type_name
        for own, more in others.items():
            self._types[own] = min((self._types[own], *more.values()), key=self._rank)

    def _rank(self, type_name: str) -> tuple[int, str]:
        """Which of an id's types references mean: one that leads, else one that is known; whatever stands first in the log."""
        meant = self._names.object_type(type_name)
        return (2 if meant is None else int(meant.name not in self._catalogue.lead_types)), type_name.strip()

    # -- events --------------------------------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        self._report.event_count += 1
        at_ns = self._time_of(event)
        key = self._key_of_new(event, at_ns) if at_ns is not None else None
        if at_ns is None or key is None:
            return
        operation, milestone = self._names.event_type(event.type)
        means = operation or milestone
        if self._declared[0] and event.type.strip() not in self._declared[0]:
            self._report.found("type_not_declared", f"event type {event.type.strip()!r}")
        if not event.type.strip():
            self._report.found("event_without_type", event.id)
        elif means is None:
            known = "unknown_cancellation" if takes_back(event.type) else "unknown_event_type"
            self._report.found(known, event.type.strip())
        place = Place(at_ns, self._trace_id(*key), None, means.system if means else self._log.name)
        objects = self._objects_of(event)
        attributes: dict[str, Any] = {
            "ocel.kind": "event",
            "ocel.event.id": event.id,
            "ocel.event.type": event.type,
            "ocel.object.ids": [key for key, _ in objects],
            "ocel.object.qualifiers": [qualifier for _, qualifier in objects],
        }
        if event.type.strip():
            attributes["q2c.operation"] = operation.name if operation else event.type.strip()
        if milestone:
            attributes["q2c.milestone"] = milestone.name
        resolved = list(dict.fromkeys(found for name, _ in objects if (found := self._resolved(name)) is not None))
        named: dict[str, list[str]] = {}
        for each in resolved:
            if each and (meant := self._type_of(each)):
                named.setdefault(meant.id_attributes[0], []).append(self._log.business_id(each))
        self._count_together(resolved)
        attributes |= {name: ids[0] if len(ids) == 1 else ids for name, ids in named.items()}
        attributes |= {f"ocel.attribute.{name}": value for name, value in event.attributes}
        if self._begins_ns is None or _begins(at_ns) < _begins(self._begins_ns):
            self._begins_ns = at_ns
        span_id = self._span(place, key, event.type.strip() or "event", attributes)
        below = Place(at_ns, place.trace_id, span_id, place.service)
        for each in resolved:
            if each not in self._first or (at_ns, event.id) < self._first[each][:2]:
                self._first[each] = (at_ns, event.id, below)

    def _count_together(self, named: Sequence[str]) -> None:
        """Of an event's only order, its items are parts: how a log without relations between objects says a quantity."""
        types = [(each, meant) for each in named if (meant := self._type_of(each)) is not None]
        single = Counter(meant.name for _, meant in types)
        for each, meant in types:
            if meant.in_logs.quantity not in (None, meant.name) and single[meant.name] == 1:
                self._together[each].update(other for other, own in types if own.name == meant.in_logs.quantity)

    def _time_of(self, event: Event) -> int | None:
        """The event's instant in Unix nanoseconds; None for an event that has to be left out."""
        if event.time is None or not event.time.strip():
            self._batch.refuse("event_without_time", f"event {shortened(event.id)!r} ({shortened(event.type)})")
            self._report.found("event_without_time", f"{event.id} ({event.type})")
            return None
        told = f"event {shortened(event.id)!r}: {shortened(event.time)!r}"
        if (at_ns := self._instant(event.time)) is None and is_out_of_range(event.time, self._formats):
            self._batch.refuse("time_out_of_range", f"{told} is before 1678 or after 2262")
        elif at_ns is None:
            self._batch.refuse("unreadable_time", f"{told} {_how_to_declare(event.time)}")
        elif at_ns < YEAR_1990_NS:
            self._report.found("time_before_1990", f"{event.id}: {event.time}")
        elif at_ns > self._latest_ns:
            self._report.found("time_in_future", f"{event.id}: {event.time}")
        return at_ns

    def _key_of_new(self, event: Event, at_ns: int) -> tuple[str, ...] | None:
        """What tells the event from all others; None where it has been taken. An id of two events gives each its own."""
        if event.id != event.id.strip():
            self._report.found("outer_spaces", f"event {event.id!r}")
        if not event.id.strip():
            self._report.found("without_id", f"event of type {event.type!r}")
        content = repr((event.type, at_ns, sorted(map(repr, event.attributes)), sorted(set(event.objects))))
        key: tuple[str, ...] = ("event", event.id.strip())
        if self._seen.get(_number(*key), _number(content)) != _number(content):
            self._report.found("event_id_reused", event.id)
            key = (*key, content)
        if _number(*key) in self._seen:
            self._report.found("event_twice", event.id)
            return None
        self._seen[_number(*key)] = _number(content)
        return key

    def _objects_of(self, event: Event) -> list[tuple[str, str]]:
        """The event's objects with their qualifiers, as they stand there, each row once."""
        rows = Counter(event.objects)
        self._report.event_object_count += len(event.objects)
        if not rows:
            self._report.found("event_without_objects", f"{event.id} ({event.type})")
        for (key, qualifier), count in rows.items():
            if count > 1:
                self._report.found("event_object_twice", f"{event.id} - {key} ({qualifier})", count - 1)
            if (resolved := self._resolved(key)) is None:
                self._report.found("event_names_missing_object", f"{event.id} names {key!r}")
            elif resolved != key:
                self._report.found("outer_spaces", f"object {key!r}")
            self._told_spaces("qualifier", qualifier, count)
        return list(rows)

    def _told_spaces(self, what: str, name: str, count: int = 1) -> None:
        if name != name.strip():
            self._report.found("outer_spaces", f"{what} {name!r}", count)

    # -- relations -----------------------------------------------------------------------------------------------

    def _relations(self) -> Iterator[ObjectRelation]:
        """Every relation; those of two objects without events after what tells where one of the two stands."""
        waiting: list[ObjectRelation] = []
        for relation in self._log.relations():
            if self._is_placed(relation.source.strip()) or self._is_placed(relation.target.strip()):
                yield relation
            else:
                waiting.append(relation)
        while waiting:
            ready: list[ObjectRelation] = []
            later: list[ObjectRelation] = []
            for relation in waiting:
                known = self._is_placed(relation.source.strip()) or self._is_placed(relation.target.strip())
                (ready if known else later).append(relation)
            yield from ready or later
            waiting = later if ready else []

    def _is_placed(self, key: str) -> bool:
        return key in self._first or key in self._beside

    def _relation(self, relation: ObjectRelation) -> None:
        self._report.object_object_count += 1
        told = f"{relation.source} - {relation.target} ({relation.qualifier})"
        key = ("relation", relation.source.strip(), relation.target.strip(), relation.qualifier.strip())
        if _number(*key) in self._seen:
            self._report.found("object_object_twice", told)
            return
        self._seen[_number(*key)] = 0
        self._told_spaces("qualifier", relation.qualifier)
        source, target = self._resolved(relation.source), self._resolved(relation.target)
        for raw, known in ((relation.source, source), (relation.target, target)):
            if known is not None and known != raw:
                self._report.found("outer_spaces", f"object {raw!r}")
        attributes: dict[str, Any] = {
            "ocel.kind": "relation",
            "ocel.source.id": relation.source,
            "ocel.target.id": relation.target,
            "ocel.qualifier": relation.qualifier,
        }
        if source is None or target is None:
            self._report.found("relation_to_missing_object", told)
            first, second = source or target, None
        else:
            first, second = self._linked(source, target, relation.qualifier, attributes)
        found = self._first.get(first or "")
        place = found[2] if found else Place(self._known_from(second), self._trace_id(*key), None, self._log.name)
        self._span(place, key, relation.qualifier.strip() or "relation", attributes)

    def _linked(self, source: str, target: str, qualifier: str, attributes: dict[str, Any]) -> tuple[str, str]:
        """`attributes` says what ties the two; answers below which of them it stands, and the other: the child, else the later."""
        of_source, of_target = self._type_of(source), self._type_of(target)
        if of_source is None or of_target is None:
            return source, target
        for key, own, other in ((source, of_source, of_target), (target, of_target, of_source)):
            if own.in_logs.quantity == other.name and own.name != other.name:
                self._parts[key].add(target if key == source else source)
        if (declared := self._names.relation(of_source, of_target, qualifier)) is None:
            self._report.found("undeclared_relation", f"{of_source.name} - {of_target.name} ({qualifier})")
            attributes[of_source.id_attributes[0]] = self._log.business_id(source)
            # of two objects of one type a span can only say that it speaks of both: nothing is gained by it
            attributes.setdefault(of_target.id_attributes[0], self._log.business_id(target))
            return self._later(source, target)
        for one, beside in ((source, target), (target, source)):
            if one not in self._first and self._is_placed(beside):
                at_ns = self._known_from(beside)
                self._beside[one] = min(self._beside.get(one, at_ns), at_ns)
        child, parent = (source, target) if declared[1] else (target, source)
        child_type = of_source if declared[1] else of_target
        attributes[child_type.id_attributes[0]] = self._log.business_id(child)
        attributes[declared[0].id_attribute] = self._log.business_id(parent)
        return child, parent

    def _later(self, one: str, other: str) -> tuple[str, str]:
        """The two with the one first that shows later: nothing is said of an object before it is there."""
        if one in self._first and other in self._first:
            return (one, other) if self._first[one][:2] >= self._first[other][:2] else (other, one)
        return (one, other) if one in self._first else (other, one)

    # -- objects -------------------------------------------------------------------------------------------------

    def _objects(self) -> Iterator[LogObject]:
        """Every object; one that is there more than once comes last, once, with all its values in the log's order."""
        for found in self._log.objects():
            if (key := (found.id.strip(), found.type.strip())) not in self._twice:
                yield found
            elif (known := self._gathered.get(key)) is None:
                self._gathered[key] = found
            else:
                values, since = (*known.attributes, *found.attributes), known.since or found.since
                self._gathered[key] = LogObject(known.id, known.type, values, since)
        yield from self._gathered.values()

    def _object(self, found: LogObject) -> None:
        values = list(dict.fromkeys(self._dated(value) for value in found.attributes))
        since = None if found.since is None else self._dated(AttributeValue("", found.since, ""))[1]
        own_id = found.id.strip()
        key = ("object", found.id)
        attributes: dict[str, Any] = {
            "ocel.kind": "object",
            "ocel.object.id": found.id,
            "ocel.object.type": found.type,
            "ocel.attributes": [{"name": name, "time": time, "value": value} for name, time, value in values],
        }
        if since is not None:
            attributes["ocel.since"] = since
        if (own := self._names.object_type(found.type)) is not None:
            if own_id:
                attributes[own.id_attributes[0]] = self._log.business_id(own_id)
            attributes |= self._money(own, own_id, values)
            attributes |= self._quantity(own, own_id)
        self._report_values(own_id, values)
        known = self._first.get(own_id)
        place = (
            known[2] if known else Place(self._known_from(own_id, values), self._trace_id(*key), None, self._log.name)
        )
        self._span(place, key, found.type.strip() or "object", attributes)

    def _report_values(self, key: str, values: Sequence[tuple[str, str | None, Any]]) -> None:
        told: dict[tuple[str, str | None], Any] = {}
        for name, time, value in values:
            if told.setdefault((name, time), value) != value:
                self._report.found("value_twice", f"{key}: {name} {told[name, time]!r} and {value!r}")
        for name in {name for name, _, _ in values}:
            self._told_spaces("attribute", name)

    def _dated(self, value: AttributeValue) -> tuple[str, str | None, Any]:
        """Name, time in UTC and value; a time that cannot be read stays as it is."""
        at_ns = self._instant(value.time) if value.time else None
        return value.name, value.time if at_ns is None else iso(at_ns), value.value

    def _money(self, own: ObjectType, key: str, values: Sequence[tuple[str, str | None, Any]]) -> dict[str, str]:
        said = [(time or "", value) for name, time, value in values if name.strip() == own.in_logs.amount]
        if not said:
            return {}
        latest = max(said, key=lambda pair: pair[0].removesuffix("Z"))[1]
        try:
            amount = Decimal(str(latest).strip())
        except InvalidOperation:
            amount = Decimal("nan")
        if not amount.is_finite():
            self._report.found("amount_is_no_number", f"{key}: {own.in_logs.amount} {latest!r}")
            return {}
        currency = own.in_logs.currency or self._catalogue.reporting_currency
        if own.in_logs.currency is None:
            self._report.found("currency_assumed", f"{own.name}.{own.in_logs.amount} in {currency}")
        return {"q2c.amount": str(amount), "q2c.currency": currency}

    def _quantity(self, own: ObjectType, key: str) -> dict[str, int]:
        if own.in_logs.quantity is None:
            return {}
        counted = len(self._parts[key] or self._together[key]) + (own.in_logs.quantity == own.name)
        return {"q2c.quantity": counted} if counted else {}

    # -- the log as a whole --------------------------------------------------------------------------------------

    def _declarations(self) -> None:
        """A span keeps which types the log declares, also those that nothing is of; one without a name says nothing by itself."""
        of_events, of_objects = ([each for each in types if each.name.strip()] for types in self._log.types())
        if not of_events and not of_objects:
            return
        attributes = {
            "ocel.kind": "log",
            "ocel.event.types": [_declaration(each) for each in of_events],
            "ocel.object.types": [_declaration(each) for each in of_objects],
        }
        place = Place(self._known_from(None), self._trace_id("log"), None, self._log.name)
        self._span(place, ("log",), "log", attributes)

    def _report_objects(self) -> None:
        has_lead = False
        for key, type_name in self._types.items():
            meant = self._names.object_type(type_name)
            if meant is None:
                self._report.found("unknown_object_type", type_name.strip())
            elif meant.name in self._catalogue.lead_types:
                has_lead = True
            if key not in self._first:
                self._report.found("object_without_events", f"{key} ({type_name})")
        if not has_lead:
            self._report.found("no_lead_objects", f"lead types are {', '.join(self._catalogue.lead_types)}")

    def _resolved(self, key: str) -> str | None:
        """The id by which an object is known, whatever spaces stand around it; None where the log holds no such object."""
        return own if (own := key.strip()) in self._types else None

    def _type_of(self, key: str) -> ObjectType | None:
        return self._names.object_type(self._types[key])

    def _known_from(self, key: str | None, values: Sequence[tuple[str, str | None, Any]] = ()) -> int:
        """When it shows: with its first event, by its values' times, beside what it is tied to, or as the log begins."""
        if key is not None and key in self._first:
            return self._first[key][0]
        times = [read[0] for _, time, _ in values if time and (read := self._read(time)) and read[0] >= YEAR_1990_NS]
        return min(times, default=self._beside.get(key or "", self._begins_ns or 0))

    def _instant(self, text: str) -> int | None:
        if (read := self._read(text)) is None:
            out_of_range = is_out_of_range(text, self._formats)
            self._report.found("time_out_of_range" if out_of_range else "unreadable_time", repr(text))
            return None
        if not _ISO_DATE.match(text) and declared_time(text, self._formats) is None:
            self._report.found("time_in_other_form", repr(text.strip()))
        if not read[1]:
            self._report.found("time_without_zone", text)
        return read[0]

    def _read(self, text: str) -> tuple[int, bool] | None:
        return instant(text, self._formats)

    def _trace_id(self, *key: str) -> bytes:
        return blake2b("\x1f".join((self._log.name, *key)).encode(), digest_size=16).digest()

    def _span(self, place: Place, key: tuple[str, ...], name: str, attributes: dict[str, Any]) -> int:
        """A span for the piece of the log that `key` names is in the batch; answers its id.

        The id depends on what the span says: a piece that reads as before is a duplicate, one that reads otherwise (by a
        changed catalogue, or in a longer log) is kept beside.
        """
        said = orjson.dumps(attributes).decode()
        span_id = _number(self._log.name, *key, place.service, said) or 1  # OTLP forbids 0
        resource = {"service.name": place.service, "ocel.log": self._log.name}
        self._batch.rows.append(
            (
                place.trace_id,
                span_id,
                place.parent,
                name,
                INTERNAL,
                place.service,
                SCOPE,
                place.at_ns,
                place.at_ns,
                0,
                None,
                None,
                said,
                orjson.dumps(resource).decode(),
                None,
                None,
            )
        )
        return span_id


def _declaration(declared: TypeDeclaration) -> dict[str, Any]:
    return {"name": declared.name, "attributes": dict(declared.attributes)}


def _number(*key: str) -> int:
    """A 64-bit number that stands for the key."""
    return int.from_bytes(blake2b("\x1f".join(key).encode(), digest_size=8).digest(), "big")
