"""Files as a door: told apart by what they hold, read in pieces, and kept like everything that comes in.

Memory does not grow with the file where it is written line by line or message by message; a file that is one document
is read whole, up to `DOCUMENT_BYTES_MAX`. Loading a file again only meets duplicates.

Another format is a `Reader` in `READERS`.
"""

from __future__ import annotations

import gzip
import re
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from collectors.batch import Decoded, Limits, MalformedRequest
from collectors.ingest import Ingest, Overloaded, Receipt
from collectors.otlp import Encoding, decode_traces
from collectors.otlp_logs import decode_logs
from trace_model.errors import PermanentError, RetryableError

HEAD_BYTES = 64 * 2**10
DOCUMENT_BYTES_MAX = 256 * 2**20
FAULTS_TOLD = 100
ATTEMPTS = 8
_GZIP_MAGIC = b"\x1f\x8b"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_MESSAGE_FIRST_BYTE = 0x0A  # field 1, length-delimited: how every non-empty OTLP request begins, and a line break
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_REQUEST_MEMBERS = {"resourceSpans", "resourceLogs", "resourceMetrics"}


@dataclass(frozen=True)
class Fault:
    """A piece of a file that is not what it should be; `where` is a line, a message, or the file."""

    path: Path
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.path.name or self.path}, {self.where}: {self.what}"


@dataclass(frozen=True)
class Progress:
    """How far one file is, in bytes as they lie on the disk."""

    path: Path
    done_bytes: int
    total_bytes: int
    kept_count: int


@dataclass
class LoadReport:
    """What became of the files. `faults` holds the first `FAULTS_TOLD` of `fault_count`; `refused` counts by reason."""

    kept_count: int = 0
    refused_count: int = 0
    fault_count: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    empty_files: list[Path] = field(default_factory=list)

    def note(self, fault: Fault) -> None:
        """One more fault."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_TOLD:
            self.faults.append(fault)


@dataclass(frozen=True)
class Source:
    """One file to read: its first bytes, decompressed, and how to open it from the beginning, decompressed."""

    path: Path
    head: bytes
    received_ns: int
    limits: Limits
    open: Callable[[], BinaryIO]

    @property
    def name(self) -> str:
        """What the `source` column says."""
        return f"file:{self.path.name}"

    def decode(self, body: bytes, encoding: Encoding) -> Decoded:
        """One OTLP request. Raises MalformedRequest."""
        if encoding is Encoding.PROTOBUF or b'"resourceSpans"' in body:
            return decode_traces(body, encoding, source=self.name, received_ns=self.received_ns, limits=self.limits)
        if b'"resourceLogs"' in body:
            return decode_logs(body, encoding, received_ns=self.received_ns, source=self.name, limits=self.limits)
        if (document := _json_or_none(body)) is None:
            raise MalformedRequest("not JSON")
        if document != {}:
            raise MalformedRequest("JSON without 'resourceSpans' or 'resourceLogs': not OTLP traces or logs")
        return decode_traces(body, encoding, source=self.name, received_ns=self.received_ns, limits=self.limits)


Piece = tuple[str, Decoded | MalformedRequest]
"""Where in the file it stands, and what it holds or why it cannot be read."""


@dataclass(frozen=True)
class Reader:
    """A format: whether a file is of it, judged by the first bytes, and its pieces in order.

    `read_share` says how far the file under way is read, 0 to 1, for a format that is not read from front to back.
    """

    name: str
    recognises: Callable[[Source], bool]
    pieces: Callable[[Source], Iterator[Piece]]
    read_share: Callable[[], float] | None = None


def load(
    paths: Sequence[Path],
    ingest: Ingest,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    readers: Sequence[Reader] | None = None,
) -> LoadReport:
    """Everything in the files that can be kept is durable; the report tells the rest.

    A bad piece never stops the others, nor a bad file the next. For a thread, not for the event loop.
    Raises RetryableError when the store has been unavailable for about a minute: load the same files again later.
    """
    report = LoadReport()
    for path in paths:
        try:
            _load_one(path, ingest, on_progress, readers or READERS, report)
        except OSError as error:
            report.note(Fault(path, "the file", error.strerror or str(error)))
        except (EOFError, zlib.error, MalformedRequest) as error:
            report.note(Fault(path, "the file", str(error) or type(error).__name__))
    return report


def _load_one(
    path: Path,
    ingest: Ingest,
    on_progress: Callable[[Progress], None],
    readers: Sequence[Reader],
    report: LoadReport,
) -> None:
    total = path.stat().st_size
    opened: list[BinaryIO] = []

    def open_file() -> BinaryIO:
        raw = path.open("rb")
        opened.append(raw)
        zipped = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if zipped else raw

    try:
        head = _beginning(open_file())
        if not head:
            report.empty_files.append(path)
            return
        if head.startswith(UTF_16):
            raise MalformedRequest("it is UTF-16 text; write it as UTF-8")
        source = Source(path, head, ingest.clock_ns(), ingest.limits, open_file)
        reader = next((each for each in readers if each.recognises(source)), None)
        if reader is None:
            known = ", ".join(each.name for each in readers)
            raise MalformedRequest(f"begins with {head[:16]!r}, which no reader knows. Read: {known}")
        sending = _Sending(path, ingest, report)
        try:
            for where, piece in reader.pieces(source):
                if isinstance(piece, MalformedRequest):
                    report.note(Fault(path, where, str(piece)))
                else:
                    sending.send(where, piece)
                if reader.read_share is not None:
                    done = int(total * reader.read_share())
                else:
                    done = total if opened[-1].closed else opened[-1].tell()
                on_progress(Progress(path, done, total, report.kept_count))
        finally:
            sending.finish()
        on_progress(Progress(path, total, total, report.kept_count))
    finally:
        for each in opened:
            each.close()


def _beginning(stream: BinaryIO) -> bytes:
    """The first `HEAD_BYTES`, or as many as can be read: a file that is cut short begins like a whole one."""
    head = b""
    try:
        while len(head) < HEAD_BYTES and (piece := stream.read(4096)):
            head += piece
    except (EOFError, zlib.error):
        if not head:
            raise
    return head


class _Sending:
    """Pieces on their way to the store, a group's worth at a time, so that small lines share commits."""

    def __init__(self, path: Path, ingest: Ingest, report: LoadReport) -> None:
        self._path = path
        self._ingest = ingest
        self._report = report
        self._under_way: deque[tuple[str, Decoded, Future[Receipt]]] = deque()
        self._spans = 0

    def send(self, where: str, decoded: Decoded) -> None:
        for refusal in decoded.refusals:
            counts = self._report.refused
            counts[refusal.reason] = counts.get(refusal.reason, 0) + refusal.count
            self._report.refused_count += refusal.count
            self._report.note(Fault(self._path, where, f"{refusal.count} refused, {refusal.reason}: {refusal.detail}"))
        self._under_way.append((where, decoded, self._submitted(decoded)))
        self._spans += decoded.spans.num_rows
        while self._under_way and (self._spans > self._ingest.limits.group_spans or len(self._under_way) > 1000):
            self._settle()

    def finish(self) -> None:
        while self._under_way:
            self._settle()

    def _submitted(self, decoded: Decoded) -> Future[Receipt]:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._ingest.submit(decoded)
            except Overloaded as fault:
                time.sleep(fault.retry_after_s)
        return self._ingest.submit(decoded)

    def _settle(self) -> None:
        """The oldest piece under way is durable or its fault is noted."""
        where, decoded, future = self._under_way.popleft()
        self._spans -= decoded.spans.num_rows
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._report.kept_count += future.result().kept_count
                return
            except PermanentError as fault:
                self._report.note(Fault(self._path, where, str(fault)))
                return
            except RetryableError as fault:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(fault.retry_after_s * attempt)
                future = self._submitted(decoded)


def _json_or_none(text: bytes) -> object | None:
    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found


def _is_json(source: Source) -> bool:
    return source.head.lstrip()[:1] == b"{" or any(map(_is_request, source.head.split(b"\n")))


def _is_request(line: bytes) -> bool:
    if not line.lstrip().startswith((b'{"', b"{}")):
        return False
    found = _json_or_none(line)
    return isinstance(found, dict) and (not found or bool(_REQUEST_MEMBERS & found.keys()))


def _is_written_in_lines(source: Source) -> bool:
    """Whether one of the first lines is a request of its own: of a document spread over lines none is."""
    if any(map(_is_request, source.head.split(b"\n"))):
        return True
    with source.open() as stream:
        return any(_is_request(stream.readline(source.limits.decompressed_bytes)) for _ in range(3))


def _json_pieces(source: Source) -> Iterator[Piece]:
    """Line by line, unless the file is one document over many lines."""
    if not _is_written_in_lines(source):
        yield from _document_pieces(source)
        return
    with source.open() as stream:
        for number, line in enumerate(_lines(stream, source.limits.decompressed_bytes), 1):
            if line is None:
                yield f"line {number}", MalformedRequest(f"longer than {source.limits.decompressed_bytes} bytes")
            elif line.strip():
                yield f"line {number}", _decoded(source, line, Encoding.JSON)


def _document_pieces(source: Source) -> Iterator[Piece]:
    with source.open() as stream:
        whole = stream.read(DOCUMENT_BYTES_MAX + 1)
    if len(whole) > DOCUMENT_BYTES_MAX:
        yield "the file", MalformedRequest(f"one JSON document of more than {DOCUMENT_BYTES_MAX} bytes")
        return
    try:
        orjson.loads(whole)
    except orjson.JSONDecodeError as error:
        yield f"line {error.lineno}", MalformedRequest(f"not JSON: {error}")
        return
    yield "the document", _decoded(source, whole, Encoding.JSON)


def _lines(stream: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """The lines of a stream; None for one that is longer than `limit`, which is passed over."""
    while line := stream.readline(limit + 1):
        if len(line) <= limit or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(2**20)
        yield None


def _is_message(source: Source) -> bool:
    return source.head[0] == _MESSAGE_FIRST_BYTE and _NO_TEXT.search(source.head) is not None


def _message_pieces(source: Source) -> Iterator[Piece]:
    with source.open() as stream:
        whole = stream.read(DOCUMENT_BYTES_MAX + 1)
    if len(whole) > DOCUMENT_BYTES_MAX:
        yield "the file", MalformedRequest(f"one protobuf message of more than {DOCUMENT_BYTES_MAX} bytes")
        return
    yield "the message", _decoded(source, whole, Encoding.PROTOBUF)


def _is_delimited(source: Source) -> bool:
    at = 0
    while source.head[at : at + 4] == bytes(4):  # empty messages
        at += 4
    size = int.from_bytes(source.head[at : at + 4], "big")
    begins = source.head[at + 4 : at + 5] == bytes([_MESSAGE_FIRST_BYTE]) or (at and at == len(source.head))
    return bool(begins) and size <= source.limits.decompressed_bytes


def _delimited_pieces(source: Source) -> Iterator[Piece]:
    """Each message after its size, four bytes big-endian, as the Collector's file exporter writes them."""
    limit = source.limits.decompressed_bytes
    with source.open() as stream:
        number, at = 0, 0
        while prefix := stream.read(4):
            number += 1
            where = f"message {number} at byte {at}"
            size = int.from_bytes(prefix, "big")
            if len(prefix) < 4 or size > limit:
                yield where, MalformedRequest(f"its size is {prefix!r}, more than {limit} or cut short: stopped here")
                return
            body = stream.read(size)
            if len(body) < size:
                yield where, MalformedRequest(f"{len(body)} bytes of {size}: the file is cut short")
                return
            yield where, _decoded(source, body, Encoding.PROTOBUF)
            at += 4 + size


def _decoded(source: Source, body: bytes, encoding: Encoding) -> Decoded | MalformedRequest:
    try:
        return source.decode(body, encoding)
    except MalformedRequest as fault:
        return fault


READERS: tuple[Reader, ...] = (
    Reader("OTLP protobuf, one message", _is_message, _message_pieces),
    Reader("OTLP protobuf, length-delimited", _is_delimited, _delimited_pieces),
    Reader("OTLP JSON", _is_json, _json_pieces),
)
