"""A classic event log (CSV, XES) as an object-centric one: its cases, and what further columns name, are the objects.

The catalogue's `event_table` says which column holds what; a column called like an object type needs no line there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from collectors.event_log import Event, LogReport, Value, folded, shortened
from trace_model.catalogue.schema import Catalogue

NO_IDS = {"nan", "none", "null", "nat", "<na>", "n/a"}
"""What tools write where there is no value."""
COLUMNS_TOLD = 30
OCEL_COLUMN = "ocel:type:"
"""The column prefix under which OCEL 1.0's CSV keeps the objects of a type."""
CASE = "case:"
"""The prefix under which a case's attributes stand beside its events', as process mining tools write tables."""


@dataclass(frozen=True)
class Columns:
    """Which of a table's columns say what; `objects` gives a column its object type's name."""

    activity: str | None
    time: str | None
    event_id: str | None
    case: str | None
    objects: Mapping[str, str]

    @property
    def can_be_read(self) -> bool:
        """Whether there is an activity, a time and an object: without one of them it is no event log."""
        return bool(self.activity and self.time and self.objects)


def columns(names: Sequence[str], catalogue: Catalogue) -> Columns:
    """What each of a table's columns says, by the catalogue."""
    table = catalogue.event_table
    of_type = {folded(called): t.name for t in catalogue.object_types for called in (t.label, *t.in_logs.names, t.name)}
    of_type |= {folded(attribute): t.name for t in catalogue.object_types for attribute in t.id_attributes}
    declared = {folded(column): type_name for column, type_name in table.objects.items()}
    case = _first(names, table.case)
    objects: dict[str, str] = {}
    for name in names:
        key = folded(name.removeprefix(OCEL_COLUMN).removeprefix(CASE))
        for known in (declared, of_type):
            type_name = known.get(key) or known.get(key.removesuffix("_id"))
            if type_name:
                objects.setdefault(name, type_name)
        if name.startswith(OCEL_COLUMN):
            objects.setdefault(name, name.removeprefix(OCEL_COLUMN))
    if case:
        objects.setdefault(case, table.case_type or catalogue.lead_types[0])
    taken = {_first(names, table.activity), _first(names, table.time), _first(names, table.event_id)}
    return Columns(
        _first(names, table.activity),
        _first(names, table.time),
        _first(names, table.event_id),
        case,
        {name: objects[name] for name in sorted(objects, key=lambda name: name != case) if name not in taken},
    )


class Pass:
    """One pass over a classic log: what its rows have named so far. A `report` is filled in one pass, and not in the others.

    OCEL's ids are unique over all types, so of an id that several types have the later one is written `type:id`.
    """

    def __init__(self, report: LogReport | None, business_ids: dict[str, str]) -> None:
        """`business_ids` learns the ids by which the business knows objects, where they are not the log's own."""
        self.report = report
        self._business_ids = business_ids
        self._known: dict[str, dict[str, str]] = {}
        self._rows: dict[str, int] = {}

    def key_of(self, type_name: str, raw: str) -> tuple[str, bool]:
        """The object's id in the log, and whether it is named for the first time."""
        types = self._known.setdefault(raw, {})
        if type_name in types:
            return types[type_name], False
        types[type_name] = raw if not types else f"{type_name}:{raw}"
        if len(types) > 1:
            self._business_ids[types[type_name]] = raw
            if self.report is not None:
                self.report.found("id_of_two_types", f"{raw}: {' and '.join(types)}")
        return types[type_name], True

    def content_id(self, row: Mapping[str, Value]) -> str:
        """An id for a row that has none, from its content and how often it has been there."""
        content = blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=8).hexdigest()
        self._rows[content] = count = self._rows.get(content, 0) + 1
        if count > 1 and self.report is not None:
            self.report.found("row_twice", ", ".join(str(value) for value in row.values() if value != ""))
        return content if count == 1 else f"{content}-{count}"


def event(row: Mapping[str, Value], said: Columns, so_far: Pass) -> tuple[Event, list[tuple[str, str]]]:
    """One row as an event, and the ids and types of the objects that it names for the first time."""
    objects: list[tuple[str, str]] = []
    fresh: list[tuple[str, str]] = []
    for column, type_name in said.objects.items():
        for raw in ids_in(row.get(column, "")):
            if raw.lower() in NO_IDS:
                if so_far.report is not None:
                    so_far.report.found("placeholder_id", f"{column}: {raw}")
                continue
            key, is_new = so_far.key_of(type_name, raw)
            if is_new:
                fresh.append((key, type_name))
            objects.append((key, column))
    own = {said.activity, said.time, said.event_id, *said.objects}
    attributes = [(name, value) for name, value in row.items() if name not in own and value != ""]
    key = str(row.get(said.event_id or "", "")).strip()
    if not key:
        key = so_far.content_id(row)
    time = str(row.get(said.time or "", "")).strip()
    return Event(key, str(row.get(said.activity or "", "")), time or None, attributes, objects), fresh


def ids_in(cell: Value) -> list[str]:
    """The ids in a cell: one, or several as a list or separated by semicolons.

    >>> ids_in("SO-1"), ids_in("SO-1; SO-2"), ids_in("['SO-1', 'SO-2']"), ids_in("")
    (['SO-1'], ['SO-1', 'SO-2'], ['SO-1', 'SO-2'], [])
    """
    text = str(cell).strip()
    if text.startswith("[") and text.endswith("]"):
        parts: Iterable[str] = (part.strip().strip("'\"") for part in text[1:-1].split(","))
    else:
        parts = (part.strip() for part in text.split(";"))
    return list(dict.fromkeys(part for part in parts if part))


def objects_of(rows: Iterator[tuple[Event, list[tuple[str, str]]]]) -> Iterator[tuple[str, str]]:
    """Id and type of every object that the rows name, each once."""
    for _, fresh in rows:
        yield from fresh


def explain(names: Sequence[str], report: LogReport) -> str:
    """Why a table with these columns is no event log, and what to declare."""
    shown = ", ".join(shortened(name) for name in names[:COLUMNS_TOLD]) + (", ..." if len(names) > COLUMNS_TOLD else "")
    return (
        f"{report.name}: no event log by the catalogue's event_table: it needs columns for the activity, the time and at "
        f"least one object. Columns found: {shown}. Name them under event_table"
    )


def _first(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    by_folded = {folded(name): name for name in reversed(names)}
    return next((by_folded[folded(each)] for each in wanted if folded(each) in by_folded), None)
