"""`cashtrail export`: what the store holds as files for others. OCEL 2.0 for process mining, Parquet or CSV for tables.

A log that was loaded comes out as it came in; what systems said themselves comes out as events made from operation runs
and milestones. Which span is an event, and what its qualifiers mean, stands in docs/object-centric-logs.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from console.api.wire import amount, instant
from console.ocel_writers import JsonWriter, LogEvent, LogObject, OcelWriter, SqliteWriter, Value, XmlWriter
from trace_model.errors import PermanentError

OCEL_WRITERS: dict[str, Callable[[Path], OcelWriter]] = {
    "ocel-sqlite": SqliteWriter,
    "ocel-json": JsonWriter,
    "ocel-xml": XmlWriter,
}
TABLES = ("timelines", "milestones", "links", "exceptions", "clocks")
FORMATS = (*OCEL_WRITERS, "parquet", "csv")
LIVE = "live"
"""What `log` calls everything that systems said themselves, beside the logs that were loaded."""
STRETCH = 200_000
"""How many records are read at a time."""
BEGINNING_OF_TIME, END_OF_TIME = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 4, 11, tzinfo=UTC)
"""The days between which nanoseconds since 1970 can say an instant."""
_ATTRIBUTE = "ocel.attribute."

Progress = Callable[[float], None]


class Store(Protocol):
    """What an export asks of the store."""

    @property
    def recorded_seq(self) -> int:
        """How many spans are kept."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """The instant that is now."""

    def ask(self, question: str, **parameters: Any) -> pa.Table:
        """The answer of `reads/<question>.sql`."""

    def rows(self, question: str, **parameters: Any) -> list[dict[str, Any]]:
        """As `ask`, as plain rows."""


@dataclass(frozen=True)
class Exported:
    """What was written where; `unsaid` counts relations that the format cannot hold."""

    paths: tuple[Path, ...]
    counts: dict[str, int]
    unsaid: int = 0

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        left = (
            f" {self.unsaid:,} relations left out: their source is no object, which only ocel-sqlite can say."
            if self.unsaid
            else ""
        )
        return f"{told} written to {', '.join(map(str, self.paths))}.{left}"


def export(
    store: Store,
    output: Path,
    file_format: str,
    *,
    as_of: datetime | None,
    log: str | None = None,
    on_progress: Progress = lambda share: None,
) -> Exported:
    """Everything known at `as_of` (aware) is at `output`: a file for OCEL, a folder with a file a table for the others.

    Without `as_of` it is all of a loaded log, events that are yet to come among them, and else what is known now.

    `log` names a loaded log, or `live`; it may be left out where the store holds only one of them. A file that was there
    is replaced once the new one is whole. Raises PermanentError for an unknown format or log, or a place that cannot be
    written.
    """
    if file_format not in FORMATS:
        raise PermanentError(f"no format '{file_format}'. Known: {', '.join(FORMATS)}")
    try:
        if file_format not in OCEL_WRITERS:
            return _tables(store, output, file_format, as_of or store.clock(), on_progress)
        chosen = _chosen(store, log)
        output.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(output) as beside:
            writer = OCEL_WRITERS[file_format](beside)
            pieces: Pieces = (
                LoadedLog(store, chosen, as_of or END_OF_TIME)
                if chosen is not None
                else LiveLog(store, as_of or store.clock())
            )
            return _written(writer, pieces, output, on_progress)
    except OSError as fault:
        raise PermanentError(f"{output}: cannot be written: {fault.strerror or fault}") from None


def instant_of(text: str | None) -> datetime | None:
    """An instant as people give it to `--as-of`, UTC where it names no zone; at most the last day that is kept in nanoseconds.

    Raises PermanentError for anything else.

    >>> instant_of("2026-03-01"), instant_of(None)
    (datetime.datetime(2026, 3, 1, 0, 0, tzinfo=datetime.timezone.utc), None)
    >>> str(instant_of("9999-12-31")), str(instant_of("0001-01-01"))
    ('2262-04-11 00:00:00+00:00', '1678-01-01 00:00:00+00:00')
    """
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise PermanentError(f"'{text}' is no instant; write it as 2026-03-01T09:30:00Z") from None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return min(max(read, BEGINNING_OF_TIME), END_OF_TIME)


class Pieces(Protocol):
    """A log, ready to be written."""

    objects: dict[Any, LogObject]
    loose: list[tuple[str, str, str]]

    def event_types(self) -> dict[str, dict[str, str]]:
        """Every type of event with the types of its attributes."""

    def object_types(self) -> dict[str, dict[str, str]]:
        """Every type of object with the types of its attributes."""

    def events(self) -> Iterator[tuple[float, LogEvent]]:
        """Every event, with how much of the records has been read, 0 to 1."""


def _written(writer: OcelWriter, pieces: Pieces, output: Path, on_progress: Progress) -> Exported:
    counts = {"events": 0, "objects": 0, "event-object relations": 0, "object-object relations": 0}
    unsaid = 0
    try:
        writer.declare(pieces.event_types(), pieces.object_types())
        for written in pieces.objects.values():
            writer.object(written)
            counts["objects"] += 1
            counts["object-object relations"] += len(written.relations)
        for source, target, qualifier in pieces.loose:
            said = writer.loose_relation(source, target, qualifier)
            counts["object-object relations"] += said
            unsaid += not said
        for share, event in pieces.events():
            writer.event(event)
            counts["events"] += 1
            counts["event-object relations"] += len(event.objects)
            on_progress(share)
    finally:
        writer.close()
    return Exported((output,), counts, unsaid)


class LoadedLog:
    """A log that was loaded, from the spans that stand for it; objects and relations are held in memory."""

    def __init__(self, store: Store, log: str, as_of: datetime) -> None:
        self._store = store
        self._log = log
        self._as_of = as_of
        self.objects: dict[tuple[str, str], LogObject] = {}
        self.loose: list[tuple[str, str, str]] = []
        self._read_objects()

    def _read_objects(self) -> None:
        by_id: dict[str, LogObject] = {}
        related: set[tuple[str, str, str]] = set()
        for _, _, said in self._spans("object"):
            key = said["ocel.object.id"]
            found = self.objects.setdefault((key, said["ocel.object.type"]), LogObject(key, said["ocel.object.type"]))
            by_id.setdefault(key, found)
            found.since = min(filter(None, (found.since, said.get("ocel.since"))), default=None)
            known = set(found.values)
            values = [(each["name"], each["time"], each["value"]) for each in said["ocel.attributes"]]
            found.values += [value for value in values if value not in known]
        for _, _, said in self._spans("relation"):
            source, target, qualifier = said["ocel.source.id"], said["ocel.target.id"], said["ocel.qualifier"]
            if (source, target, qualifier) in related:
                continue
            related.add((source, target, qualifier))
            if source in by_id:
                by_id[source].relations.append((target, qualifier))
            else:
                self.loose.append((source, target, qualifier))

    def event_types(self) -> dict[str, dict[str, str]]:
        types = self._declared("ocel.event.types")
        for _, event in self.events():
            _observe(types.setdefault(event.type, {}), event.attributes)
        return types

    def object_types(self) -> dict[str, dict[str, str]]:
        types = self._declared("ocel.object.types")
        for found in self.objects.values():
            _observe(types.setdefault(found.type, {}), {name: value for name, _, value in found.values})
        return types

    def events(self) -> Iterator[tuple[float, LogEvent]]:
        for share, at_ns, said in self._spans("event"):
            attributes = {
                name.removeprefix(_ATTRIBUTE): value for name, value in said.items() if name.startswith(_ATTRIBUTE)
            }
            objects = list(zip(said["ocel.object.ids"], said["ocel.object.qualifiers"], strict=True))
            yield share, LogEvent(said["ocel.event.id"], said["ocel.event.type"], at_ns, attributes, objects)

    def _declared(self, key: str) -> dict[str, dict[str, str]]:
        types: dict[str, dict[str, str]] = {}
        for _, _, said in self._spans("log"):
            for each in said[key]:
                types.setdefault(each["name"], {}).update(each["attributes"])
        return types

    def _spans(self, kind: str) -> Iterator[tuple[float, int, dict[str, Any]]]:
        for share, found in _stretches(self._store, "export_log_spans", log=self._log, kind=kind, as_of=self._as_of):
            for at_ns, text in zip(
                found.column("start_unix_ns").to_pylist(), found.column("attributes").to_pylist(), strict=True
            ):
                yield share, at_ns, orjson.loads(text)


class LiveLog:
    """What systems said, as a log: an event is a run of an operation, or a span that reached a milestone."""

    def __init__(self, store: Store, as_of: datetime) -> None:
        self._store = store
        self._as_of = as_of
        self.objects: dict[tuple[str, str, str], LogObject] = {}
        self.loose: list[tuple[str, str, str]] = []
        self._read_objects()

    def _read_objects(self) -> None:
        for row in self._store.rows("export_objects", as_of=self._as_of):
            key = (row["object_type"], row["object_id"], row["scope"])
            since = instant(row["first_seen_at"])
            # OCEL's ids are unique over all types: what is not gets its type before it, and its system after it
            name = row["object_id"] if row["id_count"] == 1 else f"{row['object_type']}:{row['object_id']}"
            found = LogObject(
                name if row["type_count"] == 1 else f"{name}@{row['scope']}", row["object_type"], since=since
            )
            kept = {n: v for n, v in row.items() if n not in _NOT_VALUES and v not in (None, "")}
            found.values = [(name, since, _plain(value)) for name, value in kept.items()]
            self.objects[key] = found
        for row in self._store.rows("export_relations", as_of=self._as_of):
            child = self.objects.get((row["child_type"], row["child_id"], row["child_scope"]))
            parent = self.objects.get((row["parent_type"], row["parent_id"], row["parent_scope"]))
            if child and parent:
                child.relations.append((parent.id, row["kind"]))

    def event_types(self) -> dict[str, dict[str, str]]:
        types: dict[str, dict[str, str]] = {}
        for _, event in self.events():
            _observe(types.setdefault(event.type, {}), event.attributes)
        return types

    def object_types(self) -> dict[str, dict[str, str]]:
        types: dict[str, dict[str, str]] = {}
        for found in self.objects.values():
            _observe(types.setdefault(found.type, {}), {name: value for name, _, value in found.values})
        return types

    def events(self) -> Iterator[tuple[float, LogEvent]]:
        for share, found in _stretches(self._store, "export_events", as_of=self._as_of):
            for row in found.to_pylist():
                said: dict[str, Value | None] = {
                    "system": row["system"],
                    "milestone": row["milestone"],
                    "duration_ms": row["duration_ms"],
                    "failed": row["is_error"],
                    "error_code": row["error_code"],
                    "exception": row["exception"],
                }
                named = [
                    (self.objects.get((o["object_type"], o["object_id"], o["scope"])), o["qualifier"])
                    for o in row["objects"]
                ]
                yield (
                    share,
                    LogEvent(
                        f"{row['trace_id']}-{row['span_id']}",
                        row["event_type"],
                        row["start_unix_ns"],
                        {name: value for name, value in said.items() if value is not None},
                        list(dict.fromkeys((each.id, qualifier) for each, qualifier in named if each)),
                    ),
                )


_TYPE_NAMES = {bool: "boolean", int: "integer", float: "float", str: "string"}
_NOT_VALUES = {"object_type", "object_id", "scope", "first_seen_at", "id_count", "type_count"}


def _chosen(store: Store, log: str | None) -> str | None:
    """The name of the loaded log to export, or None for what systems said. Raises PermanentError if that is not clear."""
    held = [row["log"] for row in store.rows("export_logs")]
    named = [LIVE if name is None else name for name in held]
    if log is None:
        if len(held) > 1:
            raise PermanentError(f"the store holds {len(held)} logs; name one with --log: {', '.join(named)}")
        return held[0] if held else None
    if log in held:
        return log
    if log == LIVE:
        return None
    raise PermanentError(f"no log '{log}' was loaded. Held: {', '.join(named) or 'nothing'}")


def _tables(store: Store, folder: Path, file_format: str, as_of: datetime, on_progress: Progress) -> Exported:
    folder.mkdir(parents=True, exist_ok=True)
    paths, counts = [], {}
    for number, name in enumerate(TABLES, 1):
        table = store.ask(f"export_{name}", as_of=as_of)
        path = folder / f"{name}.{file_format}"
        with _replacing(path) as beside:
            if file_format == "parquet":
                pa.parquet.write_table(table, beside)
            else:
                pa.csv.write_csv(_as_text(table), beside)
        paths.append(path)
        counts[name] = table.num_rows
        on_progress(number / len(TABLES))
    return Exported(tuple(paths), counts)


def _as_text(table: pa.Table) -> pa.Table:
    """Instants as RFC 3339 and amounts as decimals, so that every reader of CSV reads the same."""
    columns = []
    for column in table.columns:
        if pa.types.is_timestamp(column.type):
            columns.append(pa.array([instant(value) for value in column.to_pylist()], pa.string()))
        elif pa.types.is_decimal(column.type):
            columns.append(pa.array([amount(value) for value in column.to_pylist()], pa.string()))
        else:
            columns.append(column)
    return pa.table(columns, names=table.column_names)


def _stretches(store: Store, question: str, **parameters: Any) -> Iterator[tuple[float, pa.Table]]:
    """The answers for one stretch of records after another, with how much of them is then read."""
    total = store.recorded_seq
    for after in range(0, total, STRETCH):
        until = min(after + STRETCH, total)
        yield until / total, store.ask(question, after_seq=after, until_seq=until, **parameters)


def _observe(types: dict[str, str], values: Mapping[str, Value]) -> None:
    """What is seen of attributes adds to what is declared; what is seen as integer and as float is a float."""
    for name, value in values.items():
        seen = _TYPE_NAMES.get(type(value), "string")
        if {types.setdefault(name, seen), seen} == {"integer", "float"}:
            types[name] = "float"


def _plain(value: Any) -> Value:
    return (
        float(value) if isinstance(value, Decimal) else value if isinstance(value, bool | int | float) else str(value)
    )


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when the block ends well, and is gone otherwise."""
    beside = path.with_name(f".{path.name}.part")
    beside.unlink(missing_ok=True)
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
