"""A classic event log in CSV: one event a row, columns by the catalogue's `event_table`. Streamed, twice."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from collectors import classic_log
from collectors.batch import MalformedRequest
from collectors.event_log import (
    SINGLE_BYTES,
    AttributeValue,
    Event,
    LogObject,
    LogReport,
    ObjectRelation,
    TypeDeclaration,
)
from trace_model.catalogue.schema import Catalogue

FIELD_BYTES_MAX = 2**20
_ODD_BYTE = re.compile("[\udc80-\udcff]")
SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


class CsvLog:
    """The log that `open_file` opens, as `event_log.EventLog`. `size` is its length in bytes, for the progress."""

    def __init__(self, open_file: Callable[[], BinaryIO], size: int, catalogue: Catalogue, report: LogReport) -> None:
        """Raises MalformedRequest where the columns are those of no event log."""
        self.name = report.name
        self.report = report
        self._open = open_file
        self._size = size
        self._read_bytes = 0
        self._business_ids: dict[str, str] = {}
        with open_file() as stream:
            head = stream.read(64 * 2**10).decode("utf-8-sig", SINGLE_BYTES)
        csv.field_size_limit(FIELD_BYTES_MAX)
        self._separator = _separator(re.split("[\r\n]", head, maxsplit=1)[0])
        try:
            names = next(csv.reader(io.StringIO(head, newline=""), delimiter=self._separator), [])
        except csv.Error as error:
            raise MalformedRequest(f"line 1: {error}") from None
        for name, count in Counter(names).items():
            if count > 1:
                report.found("column_twice", repr(name))
        self._columns = classic_log.columns(names, catalogue)
        if not self._columns.can_be_read:
            raise MalformedRequest(classic_log.explain(names, report))

    def close(self) -> None:
        """Nothing is held open."""

    def types(self) -> tuple[Sequence[TypeDeclaration], Sequence[TypeDeclaration]]:
        """A table declares none."""
        return (), ()

    def object_types(self) -> Iterator[tuple[str, str]]:
        """Every object that a row names, once."""
        return classic_log.objects_of(self._rows(report=False))

    def events(self) -> Iterator[Event]:
        """Every row; one with more fields than columns is reported."""
        return (event for event, _ in self._rows(report=True))

    def objects(self) -> Iterator[LogObject]:
        """Every object; a case has what its first row says in columns that begin with `case:`."""
        prefix = len(classic_log.CASE)
        for event, fresh in self._rows(report=False):
            for key, type_name in fresh:
                is_case = any(own == key and column == self._columns.case for own, column in event.objects)
                of_case = ((name, value) for name, value in event.attributes if name.startswith(classic_log.CASE))
                values = [AttributeValue(name[prefix:], None, value) for name, value in of_case if is_case]
                yield LogObject(key, type_name, values)

    def relations(self) -> Iterator[ObjectRelation]:
        """A table has none: links come from the ids that stand in one row."""
        return iter(())

    def business_id(self, key: str) -> str:
        """The id that stands in the table."""
        return self._business_ids.get(key, key)

    def read_share(self) -> float:
        """Bytes read, in three passes."""
        return min(self._read_bytes / max(3 * self._size, 1), 1.0)

    def _rows(self, *, report: bool) -> Iterator[tuple[Event, list[tuple[str, str]]]]:
        so_far = classic_log.Pass(self.report if report else None, self._business_ids)
        with self._open() as raw, io.TextIOWrapper(raw, "utf-8-sig", "surrogateescape", newline="") as lines:
            reader = csv.reader(self._told(lines, report=report), delimiter=self._separator)
            names = next(reader, [])
            try:
                for row in reader:
                    if len(row) > len(names):
                        if report:
                            self.report.found(
                                "row_is_malformed", f"line {reader.line_num}: {len(row)} fields, {len(names)} columns"
                            )
                        continue
                    if any(row):
                        yield classic_log.event(dict(zip(names, row, strict=False)), self._columns, so_far)
            except csv.Error as error:
                raise MalformedRequest(f"line {reader.line_num}: {error}") from None

    def _told(self, lines: io.TextIOWrapper, *, report: bool) -> Iterator[str]:
        for line in lines:
            self._read_bytes += len(line)
            if _ODD_BYTE.search(line):
                line = line.encode("utf-8", "surrogateescape").decode("utf-8", SINGLE_BYTES)
                if report:
                    self.report.found("text_is_not_utf8", line.strip())
            yield line


def _separator(header: str) -> str:
    """The separator that a header line holds most of; a comma where it holds none.

    >>> _separator("Case ID;Activity;Net, in EUR")
    ';'
    """
    return max(",;\t|", key=header.count)
