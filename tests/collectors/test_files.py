"""Files of every form, and what is reported of the bad ones."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from collectors.batch import Limits
from collectors.files import READERS, LoadReport, Progress, Reader, Source, load
from collectors.ingest import Ingest
from collectors.otlp import Encoding
from tests.collectors.conftest import MemoryStore
from tests.collectors.otlp_requests import traces
from trace_model.errors import StoreUnavailable

NOW = 1_772_000_000_000_000_000

Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return written


def document(*numbers: int, **fields: Any) -> dict[str, Any]:
    spans = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": "n",
            "startTimeUnixNano": str(NOW),
            "endTimeUnixNano": str(NOW),
            **fields,
        }
        for number in numbers
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


def line(*numbers: int, **fields: Any) -> bytes:
    return orjson.dumps(document(*numbers, **fields)) + b"\n"


def delimited(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


LOG_LINE = orjson.dumps(
    {
        "resourceLogs": [
            {"scopeLogs": [{"logRecords": [{"timeUnixNano": str(NOW), "traceId": "0a" * 16, "body": {"intValue": 1}}]}]}
        ]
    }
)

FORMS: dict[str, tuple[bytes, int]] = {
    "lines": (line(1, 2) + b"\n" + line(3), 3),
    "lines after a blank one": (b"\n" + line(1), 1),
    "lines with CRLF": (line(1).replace(b"\n", b"\r\n") + line(2), 2),
    "lines without a last line break": (line(1) + line(2)[:-1], 2),
    "a document": (orjson.dumps(document(1, 2), option=orjson.OPT_INDENT_2), 2),
    "a document in one line": (line(1)[:-1], 1),
    "gzipped lines": (gzip.compress(line(1)) + gzip.compress(line(2)), 2),
    "one message": (traces(3).SerializeToString(), 3),
    "one large message": (traces(500).SerializeToString(), 500),
    "a gzipped message": (gzip.compress(traces(3).SerializeToString()), 3),
    "delimited messages": (delimited(*(traces(2).SerializeToString() for _ in range(3))), 6),
    "delimited messages after an empty one": (delimited(b"", traces(2).SerializeToString()), 2),
    "lines of logs": (LOG_LINE + b"\n" + line(1), 2),
    "nothing": (b"", 0),
    "empty requests": (b"{}\n{}\n", 0),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_told_by_its_content(ingest: Ingest, store: MemoryStore, write: Write, form: str) -> None:
    content, count = FORMS[form]
    path = write("whatever.bin", content)
    seen: list[Progress] = []
    report = load([path], ingest, seen.append)
    assert (report.faults, report.kept_count) == ([], count)
    assert len(store.seen) == count
    assert {row["source"] for row in store.rows()} <= {"file:whatever.bin"}
    if content:
        assert (seen[-1].done_bytes, seen[-1].total_bytes, seen[-1].kept_count) == (len(content), len(content), count)
    assert load([path], ingest).kept_count == count
    assert len(store.seen) == count


def told(report: LoadReport) -> list[str]:
    assert report.fault_count == len(report.faults)
    return [str(fault) for fault in report.faults]


def test_a_bad_line_is_reported_with_file_and_line_and_the_rest_is_kept(
    ingest: Ingest, store: MemoryStore, write: Write
) -> None:
    bad = write(
        "bad.jsonl", line(1) + b'{"resourceSpans": [\n' + line(2) + b'{"resourceMetrics": []}\nplain\n' + line(3)
    )
    good = write("good.jsonl", line(4))
    report = load([bad, good], ingest)
    lines = told(report)
    assert [text.split(":")[0] for text in lines] == ["bad.jsonl, line 2", "bad.jsonl, line 4", "bad.jsonl, line 5"]
    assert "not JSON" in lines[0]
    assert "not OTLP traces or logs" in lines[1]
    assert (report.kept_count, len(store.seen)) == (4, 4)


def test_a_bad_first_line_does_not_hide_the_others(ingest: Ingest, write: Write) -> None:
    report = load([write("a.jsonl", b'{"resourceSpans": [{"a"\n' + line(1) + line(2))], ingest)
    assert [text.split(":")[0] for text in told(report)] == ["a.jsonl, line 1"]
    assert report.kept_count == 2


def test_refused_spans_are_reported_with_their_line(ingest: Ingest, write: Write) -> None:
    report = load([write("a.jsonl", line(1) + line(2, 3, endTimeUnixNano="5"))], ingest)
    assert (report.kept_count, report.refused_count, report.refused) == (1, 2, {"end_before_start": 2})
    [text] = told(report)
    assert text.startswith("a.jsonl, line 2: 2 refused, end_before_start: span 'n'")


BAD_FILES: dict[str, tuple[bytes, str, int]] = {
    "text": (b"# Read me\n", "begins with b'# Read me", 0),
    "sqlite": (b"SQLite format 3\x00" + bytes(100), "which no reader knows", 0),
    "a broken document": (b'{\n  "resourceSpans": [\n  {]\n}', "line 3: not JSON", 0),
    "another document": (b'{\n "a": 1\n}', "the document: JSON without", 0),
    "a broken message": (traces(3).SerializeToString()[:-2], "the message: ", 0),
    "delimited, cut short": (
        delimited(traces(2).SerializeToString(), traces(1).SerializeToString())[:-5],
        "message 2 at byte ",
        2,
    ),
    "delimited, one broken": (
        delimited(traces(1).SerializeToString(), b"\x0a\xff\xff", traces(1).SerializeToString()),
        "message 2 at byte ",
        2,
    ),
    "delimited, a mad size": (delimited(traces(1).SerializeToString()) + b"\xff\xff\xff\xff\x0a", "stopped here", 1),
    "gzip, cut short": (
        gzip.compress(line(1) + random.Random(1).randbytes(10**6).replace(b"\n", b""))[:-9],
        "Compressed file ended",
        1,
    ),
}


@pytest.mark.parametrize("form", BAD_FILES)
def test_a_bad_file_is_reported_and_the_next_is_loaded(ingest: Ingest, write: Write, form: str) -> None:
    content, expected, kept = BAD_FILES[form]
    report = load([write("bad", content), write("good", line(99))], ingest)
    [text] = told(report)
    assert text.startswith("bad, ")
    assert expected in text
    assert report.kept_count == kept + 1


def test_a_file_that_is_not_there_is_reported(ingest: Ingest, tmp_path: Path, write: Write) -> None:
    report = load([tmp_path / "none.jsonl", write("good", line(1))], ingest)
    assert "No such file" in told(report)[0]
    assert report.kept_count == 1


@pytest.mark.parametrize("limits", [Limits(decompressed_bytes=2_000)])
def test_a_line_over_the_limit_is_passed_over(ingest: Ingest, write: Write) -> None:
    report = load([write("a.jsonl", line(1) + b'{"' + b"x" * 5000 + b"\n" + line(2))], ingest)
    assert told(report) == ["a.jsonl, line 2: longer than 2000 bytes"]
    assert report.kept_count == 2


def test_many_faults_are_counted_and_the_first_are_told(ingest: Ingest, write: Write) -> None:
    report = load([write("a.jsonl", line(1) + b"{\n" * 500)], ingest)
    assert (report.fault_count, len(report.faults)) == (500, 100)


def test_a_store_that_comes_back_loses_nothing(ingest: Ingest, store: MemoryStore, write: Write) -> None:
    def first_three(_: pa.Table) -> None:
        if store.attempts <= 3:
            raise StoreUnavailable("busy", 0.01)

    store.fault = first_three
    assert load([write("a.jsonl", b"".join(line(n) for n in range(1, 50)))], ingest).kept_count == 49
    assert len(store.seen) == 49


def test_a_store_that_stays_away_ends_the_loading(ingest: Ingest, store: MemoryStore, write: Write) -> None:
    def always(_: pa.Table) -> None:
        raise StoreUnavailable("the disk is full", 0.001)

    store.fault = always
    with pytest.raises(StoreUnavailable, match="disk is full"):
        load([write("a.jsonl", line(1))], ingest)


def test_small_lines_share_commits(ingest: Ingest, store: MemoryStore, write: Write) -> None:
    store.delay_s = 0.01
    assert load([write("a.jsonl", b"".join(line(n) for n in range(1, 501)))], ingest).kept_count == 500
    assert store.attempts < 100


@pytest.mark.parametrize("limits", [Limits(group_spans=500)])
def test_memory_does_not_grow_with_the_file(ingest: Ingest, store: MemoryStore, tmp_path: Path) -> None:
    def forget(_: Progress) -> None:
        store.batches.clear()
        store.seen.clear()

    def peak(lines: int) -> int:
        path = tmp_path / f"{lines}.jsonl"
        with path.open("wb") as stream:
            for number in range(lines):
                stream.write(line(*range(number * 100 + 1, number * 100 + 101)))
        tracemalloc.start()
        held = int(pa.total_allocated_bytes())
        load([path], ingest, forget)
        python, arrow = tracemalloc.get_traced_memory()[1], int(pa.total_allocated_bytes()) - held
        tracemalloc.stop()
        return python + arrow

    few, many = peak(20), peak(120)
    assert many < 2 * few


def test_another_reader_is_one_entry_in_the_table(ingest: Ingest, write: Write) -> None:
    def pieces(source: Source) -> Iterator[Any]:
        yield "row 1", source.decode(line(7), Encoding.JSON)

    reader = Reader("CSV of mine", lambda source: source.head.startswith(b"id;"), pieces)
    assert load([write("a.csv", b"id;name\n")], ingest, readers=[*READERS, reader]).kept_count == 1
