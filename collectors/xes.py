"""A classic event log in XES (IEEE 1849): a trace is a case, which is an object of the catalogue's case type.

Streamed, trace by trace. Attributes of a trace that are ids of other objects hold for each of its events; the others
are attributes of the case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree.ElementTree import Element

from collectors import classic_log
from collectors.classic_log import CASE
from collectors.event_log import (
    AttributeValue,
    Event,
    LogObject,
    LogReport,
    ObjectRelation,
    TypeDeclaration,
    Value,
    typed,
)
from collectors.ocel_xml import elements
from trace_model.catalogue.schema import Catalogue

CASE_ID = f"{CASE}concept:name"
_TYPES = {"int": "integer", "float": "float", "boolean": "boolean"}


@dataclass(frozen=True)
class _Row:
    """An event, the objects that it is the first to name, and its case's values; a trace without events has one that never happened."""

    event: Event
    fresh: list[tuple[str, str]]
    case_values: list[AttributeValue]
    happened: bool = True


class XesLog:
    """The log that `open_file` opens, as `event_log.EventLog`. `size` is its length in bytes, for the progress."""

    def __init__(self, open_file: Callable[[], BinaryIO], size: int, catalogue: Catalogue, report: LogReport) -> None:
        """Raises MalformedRequest where the document is no well-formed XML."""
        self.name = report.name
        self.report = report
        self._open = open_file
        self._size = size
        self._catalogue = catalogue
        self._read_bytes = 0
        self._business_ids: dict[str, str] = {}

    def close(self) -> None:
        """Nothing is held open."""

    def types(self) -> tuple[Sequence[TypeDeclaration], Sequence[TypeDeclaration]]:
        """XES declares none."""
        return (), ()

    def object_types(self) -> Iterator[tuple[str, str]]:
        """Every case, and every object that an event or a case names."""
        return classic_log.objects_of((row.event, row.fresh) for row in self._rows(report=False))

    def events(self) -> Iterator[Event]:
        """Every event of every trace, with the case as its first object; of a trace without a name, without one."""
        return (row.event for row in self._rows(report=True) if row.happened)

    def objects(self) -> Iterator[LogObject]:
        """Every object; a case has the trace's attributes."""
        for row in self._rows(report=False):
            case = next((key for key, column in row.event.objects if column == CASE_ID), None)
            for key, type_name in row.fresh:
                yield LogObject(key, type_name, row.case_values if key == case else ())

    def relations(self) -> Iterator[ObjectRelation]:
        """XES has none: links come from the ids that stand on one event."""
        return iter(())

    def business_id(self, key: str) -> str:
        """The id that stands in the log."""
        return self._business_ids.get(key, key)

    def read_share(self) -> float:
        """Bytes read, in three passes."""
        return min(self._read_bytes / max(3 * self._size, 1), 1.0)

    def _rows(self, *, report: bool) -> Iterator[_Row]:
        so_far = classic_log.Pass(self.report if report else None, self._business_ids)
        for trace in elements(self._open, 2, ("trace",), self._count):
            case = {CASE + name: value for name, value in _attributes(trace)}
            values: list[AttributeValue] | None = None
            for element in trace:
                if str(element.tag).rpartition("}")[2] != "event":
                    continue
                row = case | dict(_attributes(element))
                said = classic_log.columns(list(row), self._catalogue)
                if said.activity and str(row.get("lifecycle:transition", "complete")).lower() != "complete":
                    # XES's standard classifier: the start of an activity is not its completion
                    row[said.activity] = f"{row[said.activity]}+{row['lifecycle:transition']}"
                if values is None:
                    values = _values(case, said)
                shown = {name: value for name, value in row.items() if name not in case or name in said.objects}
                yield _Row(*classic_log.event(shown, said, so_far), values)
            if values is None and case:
                said = classic_log.columns(list(case), self._catalogue)
                yield _Row(*classic_log.event(case, said, so_far), _values(case, said), happened=False)

    def _count(self, byte_count: int) -> None:
        self._read_bytes += byte_count


def _values(case: Mapping[str, Value], said: classic_log.Columns) -> list[AttributeValue]:
    """A trace's attributes that are the case's own."""
    return [
        AttributeValue(name.removeprefix(CASE), None, value) for name, value in case.items() if name not in said.objects
    ]


def _attributes(element: Element) -> Iterator[tuple[str, Value]]:
    """Key and value of each attribute of a trace or an event; lists and containers by their members' keys."""
    for each in element:
        kind = str(each.tag).rpartition("}")[2]
        if kind == "event" or (key := each.get("key")) is None:
            continue
        if (text := each.get("value")) is not None:
            yield key, typed(text, _TYPES.get(kind))
        else:
            for box in each:
                yield from (
                    _attributes(box)
                    if box.get("key") is None
                    else ((f"{key}.{box.get('key')}", box.get("value") or ""),)
                )
