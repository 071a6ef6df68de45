"""Event logs as a door: OCEL 2.0 in SQLite, JSON and XML, and classic logs in XES and CSV, as readers of `files`.

Which object type, operation or relation a log's name means is the catalogue's to say, so these readers are made for one
catalogue. What was wrong with a log stands in its report; nothing that can be kept is lost for it.
"""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO, cast

from collectors.batch import Limits, MalformedRequest
from collectors.event_csv import SUFFIXES, CsvLog
from collectors.event_log import EventLog, LogReport
from collectors.files import DOCUMENT_BYTES_MAX, HEAD_BYTES, UTF_16, Piece, Reader, Source
from collectors.log_suggestion import suggest
from collectors.ocel_json import JsonLog
from collectors.ocel_spans import LogSpans
from collectors.ocel_sqlite import MAGIC, SqliteLog
from collectors.ocel_xml import XmlLog
from collectors.xes import XesLog
from trace_model.catalogue.schema import Catalogue

_OCEL_JSON_FIRST = re.compile(rb'\{\s*"(events|objects|ocel:[a-z-]+)"\s*:')
_OCEL_JSON = re.compile(rb'"(eventTypes|objectTypes)"\s*:')
_XES = re.compile(rb"<(trace|extension|classifier|global)[\s>]|xes\.(version|features)|xes-standard")
_OCEL_XML = re.compile(rb"<([a-z]+:)?(object-types|event-types|objects|events)[\s/>]")

Recognises = Callable[[Source], bool]
Opens = Callable[[Source, LogReport], EventLog]


class EventLogs:
    """The readers of event logs for one catalogue, and the reports of the logs they have read so far."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.reports: list[LogReport] = []
        self._catalogue = catalogue
        self._log: EventLog | None = None
        self._formats: dict[str, tuple[Recognises, Opens]] = {
            "OCEL 2.0 SQLite": (lambda source: source.head.startswith(MAGIC), _sqlite),
            "OCEL 2.0 JSON": (_is_ocel_json, _json),
            "OCEL 2.0 XML": (lambda source: _is_xml(source, _OCEL_XML), _xml),
            "XES": (lambda source: _is_xml(source, _XES), self._xes),
            "CSV event log": (_is_csv, self._csv),
        }
        self.readers = tuple(self._reader(name, *format_) for name, format_ in self._formats.items())

    def _reader(self, name: str, recognises: Recognises, opened: Opens) -> Reader:
        def pieces(source: Source) -> Iterator[Piece]:
            report = LogReport(log_name(source.path))
            try:
                self._log = log = opened(source, report)
            except MalformedRequest as fault:
                yield "the log", fault
                return
            self.reports.append(report)
            try:
                yield from (spans := LogSpans(log, self._catalogue, source.name, source.received_ns))
                if spans.are_unknown:
                    yield "the log", MalformedRequest(_all_unknown(self._catalogue))
            except MalformedRequest as fault:
                yield "the log", fault
            finally:
                log.close()

        return Reader(name, recognises, pieces, lambda: self._log.read_share() if self._log else 0.0)

    def suggestion(self, path: Path) -> str:
        """A first catalogue for the log in a file, as YAML. Raises MalformedRequest where it is no log that can be read."""

        def opened() -> BinaryIO:
            with path.open("rb") as raw:
                zipped = raw.read(2) == b"\x1f\x8b"
            return cast(BinaryIO, gzip.open(path)) if zipped else path.open("rb")

        try:
            with opened() as stream:
                source = Source(path, stream.read(HEAD_BYTES), 0, Limits(), opened)
            if source.head.startswith(UTF_16):
                raise MalformedRequest(f"{path.name}: it is UTF-16 text; write it as UTF-8")
        except (OSError, EOFError, zlib.error) as error:
            raise MalformedRequest(f"{path} cannot be read: {error}") from None
        for recognises, open_log in self._formats.values():
            if source.head and recognises(source):
                with closing(open_log(source, LogReport(log_name(path)))) as log:
                    return suggest(log)
        raise MalformedRequest(f"{path.name} is no event log. Read: {', '.join(self._formats)}")

    def _xes(self, source: Source, report: LogReport) -> EventLog:
        return XesLog(source.open, source.path.stat().st_size, self._catalogue, report)

    def _csv(self, source: Source, report: LogReport) -> EventLog:
        return CsvLog(source.open, source.path.stat().st_size, self._catalogue, report)


def _sqlite(source: Source, report: LogReport) -> EventLog:
    """SQLite reads files by name only: a compressed one is unpacked beside, for as long as it is read."""
    with source.path.open("rb") as stream:
        if stream.read(len(MAGIC)) == MAGIC:
            return SqliteLog(source.path, report)
    with ExitStack() as stack:
        unpacked = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "log.sqlite"
        with source.open() as packed, unpacked.open("wb") as out:
            shutil.copyfileobj(packed, out, 2**20)
        return SqliteLog(unpacked, report, stack.pop_all().close)


def _json(source: Source, report: LogReport) -> EventLog:
    with source.open() as stream:
        return JsonLog(stream, report, DOCUMENT_BYTES_MAX)


def _xml(source: Source, report: LogReport) -> EventLog:
    return XmlLog(source.open, source.path.stat().st_size, report)


def log_name(path: Path) -> str:
    """The name of the log in a file: the same log in another format, or compressed, is the same log.

    >>> log_name(Path("logs/orders.sqlite")), log_name(Path("orders.xml.gz"))
    ('orders', 'orders')
    """
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def _all_unknown(catalogue: Catalogue) -> str:
    return (
        f"the catalogue '{catalogue.catalogue}' knows not one of its types, so that it is kept and in no timeline. "
        "`cashtrail load LOG --suggest` prints a first catalogue for it"
    )


def _is_ocel_json(source: Source) -> bool:
    """A log says its types, whatever a writer puts before them; one without may begin with its events or objects."""
    head = source.head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head.startswith(b"{") or b'"resourceSpans"' in head or b'"resourceLogs"' in head:
        return False
    return _OCEL_JSON_FIRST.match(head) is not None or _OCEL_JSON.search(head) is not None


def _is_xml(source: Source, sign: re.Pattern[bytes]) -> bool:
    return source.head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<") and sign.search(source.head) is not None


def _is_csv(source: Source) -> bool:
    return source.path.name.lower().endswith(SUFFIXES)
