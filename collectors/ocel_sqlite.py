"""OCEL 2.0 in SQLite: one table a type, found through `event_map_type` and `object_map_type`.

What a table or column would say that is not there is read from the others: a type's table is also found by its name,
and its rows stand for events and objects that `event` and `object` do not list.

Read-only. Events and attribute values are streamed; the ids of events and objects are held in memory. Ids are compared
as text, because writers give the same id as a number in one table and as text in the next.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from collectors.batch import MalformedRequest
from collectors.event_log import (
    SINGLE_BYTES,
    AttributeValue,
    Event,
    LogObject,
    LogReport,
    ObjectRelation,
    TypeDeclaration,
    Value,
    folded,
)

MAGIC = b"SQLite format 3\x00"
_COLUMNS = {
    "event": ("ocel_id", "ocel_type"),
    "object": ("ocel_id", "ocel_type"),
    "event_object": ("ocel_event_id", "ocel_object_id", "ocel_qualifier"),
    "object_object": ("ocel_source_id", "ocel_target_id", "ocel_qualifier"),
    "event_map_type": ("ocel_type", "ocel_type_map"),
    "object_map_type": ("ocel_type", "ocel_type_map"),
}
_OWN_COLUMNS = {"ocel_id", "ocel_time", "ocel_changed_field"}
_AS_TEXT = "case typeof({0}) when 'real' then cast(cast({0} as integer) as text) else cast({0} as text) end"


class SqliteLog:
    """The log in the file at `path`, as `event_log.EventLog`."""

    def __init__(self, path: Path, report: LogReport, on_close: Callable[[], None] = lambda: None) -> None:
        """Raises MalformedRequest where the file is no SQLite database, or one without OCEL's tables."""
        self._on_close = on_close
        self.name = report.name
        self.report = report
        self._read_rows = 0
        self._c = _opened(path, report)
        found = self._rows("select name from sqlite_master where type in ('table', 'view')")
        self._tables = {_text(name).lower(): _text(name) for (name,) in found}
        own = [name for name in self._tables if name.startswith(("event_", "object_")) and name not in _COLUMNS]
        if not own and "event" not in self._tables:
            self._c.close()
            raise MalformedRequest(
                f"SQLite without OCEL 2.0's tables {', '.join(_COLUMNS)}. Found: {', '.join(self._tables.values()) or 'none'}"
            )
        listing = [self._tables[name] for name in ("event", "object") if name in self._tables]
        if not any("ocel_id" in self._names(table) for table in (*listing, *(self._tables[name] for name in own))):
            self._c.close()
            raise MalformedRequest(
                f"SQLite without OCEL 2.0's columns: no table of events or objects has ocel_id. Found: {', '.join(listing + own)}"
            )
        for name in (name for name in _COLUMNS if name not in self._tables):
            self.report.found("table_missing", name)
        self._total_rows: int = sum(
            next(iter(self._rows(f"select count(*) from {_quoted(self._tables[name])}")))[0]  # noqa: S608
            for name in (*own, *_COLUMNS)
            if name in self._tables
        )
        self._type_tables_of = {kind: self._find_type_tables(kind) for kind in ("event", "object")}

    def close(self) -> None:
        """Lets go of the file."""
        self._c.close()
        self._on_close()

    def types(self) -> tuple[Sequence[TypeDeclaration], Sequence[TypeDeclaration]]:
        """The types of the two maps, each with the columns of its table."""
        return self._declared("event"), self._declared("object")

    def object_types(self) -> Iterator[tuple[str, str]]:
        """Every row of `object`, then every object that only the table of its type holds."""
        listed: set[str] = set()
        for key, type_name in self._listed("object"):
            listed.add(key.strip())
            yield key, type_name
        for type_name, table in self._type_tables_of["object"]:
            for key in self._ids(table):
                if key.strip() not in listed:
                    listed.add(key.strip())
                    yield key, type_name

    def events(self) -> Iterator[Event]:
        """Every row of the event types' tables, with the objects of `event_object`; then what `event` lists beside them."""
        known = self._event_types()
        self._index_event_objects()
        spoken = {key.strip(): key for key in known}
        seen: set[str] = set()
        for type_name, table in self._type_tables_of["event"]:
            for raw, time, attributes in self._event_rows(table):
                if (key := raw if raw in known else spoken.get(raw.strip())) is None:
                    self.report.found("event_row_unlisted", f"{table}: {raw}")
                    key, spoken[raw.strip()] = raw, raw
                    known[raw] = {type_name: None}
                seen.add(key)
                # one id with two types: the table says which of them this row is
                own = type_name if type_name in known[key] else next(iter(known[key]))
                yield Event(key, own or type_name, time, attributes, self._objects_of(key, known))
        for key, types in known.items():
            if key not in seen:
                yield Event(key, next(iter(types)), None, (), self._objects_of(key, known))
        for key, count in self._rows("select event_id, count(*) from temp.event_objects group by event_id"):
            if key not in known and key.strip() not in spoken:
                self.report.found("event_row_missing", f"event_object: {key}", count)

    def objects(self) -> Iterator[LogObject]:
        """Every object with the rows of its type's table."""
        known = dict(self._listed("object"))
        spoken = {key.strip(): key for key in known}
        seen: set[str] = set()
        for type_name, table in self._type_tables_of["object"]:
            for raw, rows in groupby(self._object_rows(table), key=lambda row: row[0]):
                if (key := raw if raw in known else spoken.get(raw.strip())) is None:
                    self.report.found("object_row_unlisted", f"{table}: {raw}")
                    key, spoken[raw.strip()] = raw, raw
                    known[raw] = type_name
                seen.add(key)
                since, values = None, []
                for _, base_time, told in rows:
                    since = since if base_time is None else base_time
                    values += told
                own = known[key] if known[key].strip() == type_name.strip() else type_name
                yield LogObject(key, own, values, since)
        for key, type_name in known.items():
            if key not in seen:
                yield LogObject(key, type_name)

    def relations(self) -> Iterator[ObjectRelation]:
        """Every row of `object_object`; none where there is no such table."""
        for source, target, qualifier in self._counted(self._standard("object_object")):
            yield ObjectRelation(_text(source), _text(target), _text(qualifier))

    def business_id(self, key: str) -> str:
        """The key itself."""
        return key

    def read_share(self) -> float:
        """Rows read of all rows, each read about once."""
        return min(self._read_rows / max(self._total_rows, 1), 1.0)

    def _declared(self, kind: str) -> list[TypeDeclaration]:
        return [TypeDeclaration(type_name, self._columns(table)) for type_name, table in self._type_tables_of[kind]]

    def _find_type_tables(self, kind: str) -> list[tuple[str, str]]:
        """Each type with its table: by the map, else a table called like a type of `event` or `object`, else by the table's name."""
        free = {
            name: table
            for name, table in self._tables.items()
            if name.startswith(f"{kind}_") and name not in _COLUMNS and self._has_ids(table)
        }
        found: list[tuple[str, str]] = []
        for type_name, mapped in self._rows(self._standard(f"{kind}_map_type")):
            name = f"{kind}_{_text(mapped)}".lower()
            if table := free.pop(name, None) or free.pop(name.strip(), None):
                found.append((_text(type_name), table))
            elif name not in self._tables and name.strip() not in self._tables:
                self.report.found("row_is_malformed", f"{kind}_map_type: {type_name} has no table {kind}_{mapped}")
        listed = {_joined(type_name): type_name for _, type_name in self._listed(kind)} if free else {}
        for table in free.values():
            short = table[len(kind) + 1 :]
            type_name = listed.get(_joined(short), short)
            self.report.found("table_missing", f"{kind}_map_type: a row for {table}, read as {type_name!r}")
            found.append((type_name, table))
        return found

    def _has_ids(self, table: str) -> bool:
        has = "ocel_id" in self._names(table)
        if not has:
            self.report.found("table_missing", f"{table}: column ocel_id")
        return has

    def _names(self, table: str) -> set[str]:
        """The names of a table's columns in small letters."""
        found = self._rows(f"select name from pragma_table_info({_literal(table)})")  # noqa: S608
        return {_text(name).lower() for (name,) in found}

    def _standard(self, table: str) -> str:
        """A query for the columns of a table that the standard names, null where a column is missing and no row where the table is."""
        columns = _COLUMNS[table]
        if (own := self._tables.get(table)) is None:
            return f"select {', '.join(f'null as {column}' for column in columns)} where false"
        names = self._names(own)
        for column in columns:
            if column not in names:
                self.report.found_once("table_missing", f"{table}: column {column}")
        chosen = (column if column in names else f"null as {column}" for column in columns)
        return f"select {', '.join(chosen)} from {_quoted(own)}"  # noqa: S608

    def _listed(self, kind: str) -> Iterator[tuple[str, str]]:
        """Id and type of every row of `event` or `object`."""
        return ((_text(key), _text(type_name)) for key, type_name in self._counted(self._standard(kind)))

    def _ids(self, table: str) -> Iterator[str]:
        return (_text(key) for (key,) in self._rows(f"select distinct ocel_id from {_quoted(table)}"))  # noqa: S608

    def _event_types(self) -> dict[str, dict[str, None]]:
        """The types of every event by its id; mostly one."""
        known: dict[str, dict[str, None]] = {}
        for key, type_name in self._listed("event"):
            types = known.setdefault(key, {})
            if type_name in types:
                self.report.found("event_twice", f"event: {key}")
            types[type_name] = None
        return known

    def _event_rows(self, table: str) -> Iterator[tuple[str, str | None, list[tuple[str, Value]]]]:
        declared = self._columns(table)
        for row in self._dicts(f"select * from {_quoted(table)}"):  # noqa: S608
            told = ((name, _value(row[name], declared[name])) for name in declared)
            time = _own(row, "ocel_time")
            attributes = [(name, value) for name, value in told if value is not None]
            yield _text(_own(row, "ocel_id")), None if time is None else _text(time), attributes

    def _object_rows(self, table: str) -> Iterator[tuple[str, str | None, list[AttributeValue]]]:
        """Id, time and values of each row, the rows of an object together. A row of changes has no time of its own."""
        declared = self._columns(table)
        key = _AS_TEXT.format("ocel_id")
        for row in self._dicts(f"select * from {_quoted(table)} order by {key}"):  # noqa: S608
            raw, changed = _own(row, "ocel_time"), _own(row, "ocel_changed_field")
            time = None if raw is None else _text(raw)
            told = ((name, _value(row[name], declared[name])) for name in declared if changed in (None, name))
            values = [AttributeValue(name, time, value) for name, value in told if value is not None]
            yield _text(_own(row, "ocel_id")), time if changed is None else None, values

    def _columns(self, table: str) -> dict[str, str]:
        """The attributes that a type's table has, with OCEL's name of each one's type."""
        found = self._rows(f"select name, type from pragma_table_info({_literal(table)})")  # noqa: S608
        return {_text(name): _declared_type(declared) for name, declared in found if name.lower() not in _OWN_COLUMNS}

    def _index_event_objects(self) -> None:
        """Looking up an event's objects takes no scan: they are copied once into an indexed temporary table."""
        event, thing = _AS_TEXT.format("ocel_event_id"), _AS_TEXT.format("ocel_object_id")
        with _readable():
            self._c.executescript(
                f"""
                drop table if exists temp.event_objects;
                create temp table event_objects as
                select coalesce({event}, '') as event_id, trim(coalesce({event}, '')) as event_key, coalesce({thing}, '') as object_id,
                    coalesce(ocel_qualifier, '') as qualifier
                from ({self._standard("event_object")});
                create index temp.event_objects_of on event_objects (event_key);
                """  # noqa: S608
            )

    def _objects_of(self, key: str, known: dict[str, dict[str, None]]) -> list[tuple[str, str]]:
        rows = self._c.execute(
            "select event_id, object_id, qualifier from temp.event_objects where event_key = ? order by rowid",
            [key.strip()],
        ).fetchall()
        self._read_rows += len(rows)
        return [(thing, qualifier) for event, thing, qualifier in rows if event == key or event not in known]

    def _counted(self, query: str) -> Iterator[tuple[Any, ...]]:
        for row in self._rows(query):
            self._read_rows += 1
            yield row

    def _dicts(self, query: str) -> Iterator[dict[str, Any]]:
        with _readable(), closing(self._c.cursor()) as cursor:
            cursor.execute(query)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                self._read_rows += 1
                yield dict(zip(names, row, strict=True))

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        with _readable(), closing(self._c.cursor()) as cursor:
            yield from cursor.execute(query)


@contextmanager
def _readable() -> Iterator[None]:
    """A fault of SQLite in the block is one of the file: a damaged page, a column that is missing."""
    try:
        yield
    except sqlite3.DatabaseError as fault:
        raise MalformedRequest(f"SQLite cannot read it: {fault}") from None


def _opened(path: Path, report: LogReport) -> sqlite3.Connection:
    """A read-only connection; a database in WAL mode on a disk that cannot be written is read as it lies."""
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True, check_same_thread=False)
        connection.text_factory = lambda raw: _decoded(raw, report)
        try:
            connection.execute("select count(*) from sqlite_master").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            continue
        except sqlite3.DatabaseError as fault:
            connection.close()
            raise MalformedRequest(f"SQLite cannot read it: {fault}") from None
        return connection
    raise MalformedRequest("SQLite cannot open it; is it whole?")


def _decoded(raw: bytes, report: LogReport) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", SINGLE_BYTES)
        report.found_once("text_is_not_utf8", text)
        return text


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(raw: object) -> str:
    """An id, name or time as text: 880001, 880001.0 and '880001' are one id."""
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "replace")
    return "" if raw is None else str(raw)


def _joined(name: str) -> str:
    """A type's name as a table's name has it: letters and digits only.

    >>> _joined("Place Order "), _joined("place_order")
    ('placeorder', 'placeorder')
    """
    return folded(name).replace("_", "")


def _own(row: Mapping[str, Any], column: str) -> Any:
    """The value of one of OCEL's columns, whatever the case of its name."""
    return (
        row[column] if column in row else next((value for name, value in row.items() if name.lower() == column), None)
    )


def _value(raw: object, declared: str) -> Value | None:
    """A column's value as JSON can say it; SQLite keeps truth values as numbers."""
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "replace")
    if isinstance(raw, float) and not math.isfinite(raw):
        return str(raw)
    if declared == "boolean" and raw in (0, 1):
        return bool(raw)
    return raw if isinstance(raw, str | int | float) else None


def _declared_type(declaration: object) -> str:
    """OCEL's name of a column's declared type.

    >>> _declared_type("REAL"), _declared_type("TIMESTAMP"), _declared_type("TEXT")
    ('float', 'time', 'string')
    """
    words = str(declaration or "").lower()
    for sign, name in (("int", "integer"), ("bool", "boolean"), ("time", "time"), ("date", "time")):
        if sign in words:
            return name
    return "float" if any(sign in words for sign in ("real", "floa", "doub", "num", "dec")) else "string"
