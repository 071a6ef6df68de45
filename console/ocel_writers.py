"""OCEL 2.0 in its three formats, written piece by piece. Knows the standard's files, and nothing of where the log comes from.

What a format cannot say is left out and counted by the caller: only SQLite holds a relation whose source is no object.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import escape, quoteattr

import orjson

Value = str | int | float | bool
Types = Mapping[str, Mapping[str, str]]
"""The attributes of each type, with the type of each: string, time, integer, float, boolean."""
ALWAYS = "1970-01-01T00:00:00Z"
"""The time that OCEL gives to a value that always held."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event; `objects` are (object id, qualifier)."""

    id: str
    type: str
    unix_ns: int
    attributes: Mapping[str, Value]
    objects: Sequence[tuple[str, str]]


@dataclass(slots=True)
class LogObject:
    """One object with its values as (name, time in RFC 3339 or None for always, value) and its relations to others."""

    id: str
    type: str
    values: list[tuple[str, str | None, Value]] = field(default_factory=list)
    relations: list[tuple[str, str]] = field(default_factory=list)
    since: str | None = None


class OcelWriter(Protocol):
    """Takes the types, then every object, then every event; `close` makes the file whole."""

    def declare(self, of_events: Types, of_objects: Types) -> None:
        """These are all the types, before anything of them."""

    def object(self, written: LogObject) -> None:
        """The object with its values and relations is in the file."""

    def loose_relation(self, source: str, target: str, qualifier: str) -> bool:
        """A relation whose source is no object: whether the format can hold it."""

    def event(self, written: LogEvent) -> None:
        """The event is in the file."""

    def close(self) -> None:
        """The file is whole and let go of."""


class JsonWriter:
    """OCEL 2.0 JSON, one line a piece."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("wb")
        self._between = b""
        self._in_events = False

    def declare(self, of_events: Types, of_objects: Types) -> None:
        declared = ((b'{"eventTypes":', of_events), (b',\n"objectTypes":', of_objects))
        for key, types in declared:
            named = [
                {"name": name, "attributes": [{"name": a, "type": t} for a, t in attributes.items()]}
                for name, attributes in types.items()
            ]
            self._out.write(key + orjson.dumps(named))
        self._out.write(b',\n"objects":[')

    def object(self, written: LogObject) -> None:
        self._piece(
            {
                "id": written.id,
                "type": written.type,
                "attributes": [
                    {"name": name, "time": time or written.since or ALWAYS, "value": value}
                    for name, time, value in written.values
                ],
                "relationships": [{"objectId": key, "qualifier": qualifier} for key, qualifier in written.relations],
            }
        )

    def loose_relation(self, source: str, target: str, qualifier: str) -> bool:
        return False

    def event(self, written: LogEvent) -> None:
        self._to_events()
        self._piece(
            {
                "id": written.id,
                "type": written.type,
                "time": rfc3339(written.unix_ns),
                "attributes": [{"name": name, "value": value} for name, value in written.attributes.items()],
                "relationships": [{"objectId": key, "qualifier": qualifier} for key, qualifier in written.objects],
            }
        )

    def close(self) -> None:
        self._to_events()
        self._out.write(b"\n]}\n")
        self._out.close()

    def _to_events(self) -> None:
        if not self._in_events:
            self._out.write(b'\n],\n"events":[')
            self._between, self._in_events = b"", True

    def _piece(self, piece: Mapping[str, Any]) -> None:
        self._out.write(self._between + b"\n" + orjson.dumps(piece))
        self._between = b","


class XmlWriter:
    """OCEL 2.0 XML. Characters that XML 1.0 forbids are written as U+FFFD."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("w", encoding="utf-8")
        self._in_events = False

    def declare(self, of_events: Types, of_objects: Types) -> None:
        self._out.write('<?xml version="1.0" encoding="UTF-8"?>\n<log>\n')
        for kind, types in (("object-type", of_objects), ("event-type", of_events)):
            self._out.write(f"  <{kind}s>\n")
            for name, attributes in types.items():
                inner = "".join(f"<attribute name={_quoted(a)} type={_quoted(t)}/>" for a, t in attributes.items())
                self._out.write(f"    <{kind} name={_quoted(name)}><attributes>{inner}</attributes></{kind}>\n")
            self._out.write(f"  </{kind}s>\n")
        self._out.write("  <objects>\n")

    def object(self, written: LogObject) -> None:
        values = "".join(
            f"<attribute name={_quoted(name)} time={_quoted(time or written.since or ALWAYS)}>{_escaped(value)}</attribute>"
            for name, time, value in written.values
        )
        self._out.write(
            f"    <object id={_quoted(written.id)} type={_quoted(written.type)}>"
            f"<attributes>{values}</attributes>{_relationships(written.relations)}</object>\n"
        )

    def loose_relation(self, source: str, target: str, qualifier: str) -> bool:
        return False

    def event(self, written: LogEvent) -> None:
        self._to_events()
        values = "".join(
            f"<attribute name={_quoted(n)}>{_escaped(v)}</attribute>" for n, v in written.attributes.items()
        )
        self._out.write(
            f'    <event id={_quoted(written.id)} type={_quoted(written.type)} time="{rfc3339(written.unix_ns)}">'
            f"<attributes>{values}</attributes>{_relationships(written.objects)}</event>\n"
        )

    def close(self) -> None:
        self._to_events()
        self._out.write("  </events>\n</log>\n")
        self._out.close()

    def _to_events(self) -> None:
        if not self._in_events:
            self._out.write("  </objects>\n  <events>\n")
            self._in_events = True


class SqliteWriter:
    """OCEL 2.0 SQLite: the standard's tables, without keys, since a log may hold references to what is missing."""

    def __init__(self, path: Path) -> None:
        self._c = sqlite3.connect(path)
        self._c.executescript(
            """
            pragma journal_mode = off;
            pragma synchronous = off;
            create table event (ocel_id text, ocel_type text);
            create table object (ocel_id text, ocel_type text);
            create table event_map_type (ocel_type text, ocel_type_map text);
            create table object_map_type (ocel_type text, ocel_type_map text);
            create table event_object (ocel_event_id text, ocel_object_id text, ocel_qualifier text);
            create table object_object (ocel_source_id text, ocel_target_id text, ocel_qualifier text);
            """
        )
        self._c.execute("begin")
        self._tables: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
        self._event_ids: dict[str, int] = {}

    def declare(self, of_events: Types, of_objects: Types) -> None:
        for kind, types, own in (
            ("event", of_events, "ocel_id text, ocel_time text"),
            ("object", of_objects, "ocel_id text, ocel_time text, ocel_changed_field text"),
        ):
            for type_name, mapped in _mapped(types).items():
                table = _identifier(f"{kind}_{mapped}")
                columns = _unique({a: a for a in types[type_name]}, {"ocel_id", "ocel_time", "ocel_changed_field"})
                typed = [
                    f"{_identifier(c)} {_COLUMN_TYPES.get(types[type_name][a], 'text')}" for a, c in columns.items()
                ]
                self._c.execute(f"create table {table} ({', '.join([own, *typed])})")
                self._c.execute(f"insert into {kind}_map_type values (?, ?)", [type_name, mapped])  # noqa: S608
                self._tables[kind, type_name] = (table, columns)

    def object(self, written: LogObject) -> None:
        self._c.execute("insert into object values (?, ?)", [written.id, written.type])
        self._c.executemany(
            "insert into object_object values (?, ?, ?)", [(written.id, *relation) for relation in written.relations]
        )
        times = [time for _, time, _ in written.values if time is not None]
        base = written.since or min(times, default=ALWAYS)
        first: dict[str, Value] = {}
        changes: list[tuple[str, str, Value]] = []
        for name, time, value in written.values:
            if time in (None, base) and name not in first:
                first[name] = value
            else:
                changes.append((name, time or base, value))
        self._row("object", written.type, {"ocel_id": written.id, "ocel_time": _spaced(base)}, first)
        for name, time, value in changes:
            column = self._tables["object", written.type][1][name]
            changed = {"ocel_id": written.id, "ocel_time": _spaced(time), "ocel_changed_field": column}
            self._row("object", written.type, changed, {name: value})

    def loose_relation(self, source: str, target: str, qualifier: str) -> bool:
        self._c.execute("insert into object_object values (?, ?, ?)", [source, target, qualifier])
        return True

    def event(self, written: LogEvent) -> None:
        self._event_ids[written.id] = count = self._event_ids.get(written.id, 0) + 1
        key = (
            written.id if count == 1 else f"{written.id}#{count}"
        )  # rows of event_object name an event by its id alone
        self._c.execute("insert into event values (?, ?)", [key, written.type])
        self._c.executemany("insert into event_object values (?, ?, ?)", [(key, *each) for each in written.objects])
        own = {"ocel_id": key, "ocel_time": _spaced(rfc3339(written.unix_ns))}
        self._row("event", written.type, own, written.attributes)

    def close(self) -> None:
        self._c.commit()
        self._c.close()

    def _row(self, kind: str, type_name: str, own: Mapping[str, Value], values: Mapping[str, Value]) -> None:
        table, columns = self._tables[kind, type_name]
        named = {**own, **{columns[name]: value for name, value in values.items()}}
        holes = ", ".join("?" * len(named))
        names = ", ".join(map(_identifier, named))
        self._c.execute(f"insert into {table} ({names}) values ({holes})", list(named.values()))  # noqa: S608


def rfc3339(unix_ns: int) -> str:
    """An instant in UTC to the microsecond, with a fraction only where there is one.

    >>> rfc3339(1680523698000000000), rfc3339(1680523698500000000)
    ('2023-04-03T12:08:18Z', '2023-04-03T12:08:18.500000Z')
    """
    return (_EPOCH + timedelta(microseconds=unix_ns // 1000)).isoformat().replace("+00:00", "Z")


_COLUMN_TYPES = {"float": "real", "integer": "integer", "boolean": "boolean", "time": "timestamp"}
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NO_NAME = re.compile(r"[\W_]+")


def _spaced(time: str) -> str:
    """A time as OCEL's SQLite logs write it: with a space, in UTC, without a zone."""
    return time.replace("T", " ", 1).removesuffix("Z")


def _mapped(types: Types) -> dict[str, str]:
    """For each type the ending of its table's name: its words in capitals, each once.

    >>> _mapped({"pay order": {}, "pay_order": {}})
    {'pay order': 'PayOrder', 'pay_order': 'PayOrder_2'}
    """
    shaped = {name: "".join(w[:1].upper() + w[1:] for w in _NO_NAME.split(name)) or "Type" for name in types}
    return _unique(shaped, set())


def _unique(wanted: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    """Each wanted name, numbered where another has it: SQLite does not tell names apart by case."""
    found: dict[str, str] = {}
    used = {name.casefold() for name in taken}
    for key, name in wanted.items():
        number, candidate = 1, name
        while candidate.casefold() in used:
            number += 1
            candidate = f"{name}_{number}"
        used.add(candidate.casefold())
        found[key] = candidate
    return found


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: Value) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return _NO_XML.sub("\ufffd", text)


def _escaped(value: Value) -> str:
    return escape(_text(value), {"\r": "&#13;"})


def _quoted(text: str) -> str:
    return quoteattr(_text(text))


def _relationships(related: Sequence[tuple[str, str]]) -> str:
    inner = "".join(
        f"<relationship object-id={_quoted(key)} qualifier={_quoted(qualifier)}/>" for key, qualifier in related
    )
    return f"<objects>{inner}</objects>"
