"""An event log as the readers of its formats hand it on: events, objects, relations, and what is wrong with them.

OCEL 2.0 (https://www.ocel-standard.org) is the shape; a classic log is one whose objects are its cases. Knows no file
format and no span: `ocel_sqlite`, `ocel_json`, `ocel_xml`, `xes` and `event_csv` read, `ocel_spans` makes spans.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

from collectors.batch import INT64_MAX

Value = str | int | float | bool
EXAMPLES_TOLD = 5
EXAMPLE_LETTERS = 100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TypeDeclaration:
    """A type that the log declares, with the type of each attribute: string, time, integer, float or boolean."""

    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it stands in the log; `objects` are (object id, qualifier), `time` is the log's own text."""

    id: str
    type: str
    time: str | None
    attributes: Sequence[tuple[str, Value]]
    objects: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """What an attribute of an object was from `time` (the log's own text) on."""

    name: str
    time: str | None
    value: Value


@dataclass(frozen=True, slots=True)
class LogObject:
    """One object as it stands in the log; `since` is the time it is listed with, where the format has one."""

    id: str
    type: str
    attributes: Sequence[AttributeValue] = ()
    since: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectRelation:
    """Source, target and qualifier of an object-to-object relation, as they stand in the log."""

    source: str
    target: str
    qualifier: str


class EventLog(Protocol):
    """A log that can be read more than once; each method begins anew and streams.

    All raise MalformedRequest where the file stops being readable.
    """

    name: str
    report: LogReport

    def types(self) -> tuple[Sequence[TypeDeclaration], Sequence[TypeDeclaration]]:
        """The declared event types and the declared object types."""

    def object_types(self) -> Iterator[tuple[str, str]]:
        """Id and type of every object, duplicates included."""

    def events(self) -> Iterator[Event]:
        """Every event, in any order."""

    def objects(self) -> Iterator[LogObject]:
        """Every object with all its values."""

    def relations(self) -> Iterator[ObjectRelation]:
        """Every object-to-object relation."""

    def business_id(self, key: str) -> str:
        """The id by which the business knows the object `key`; OCEL's ids are unique over all types, others' are not."""

    def read_share(self) -> float:
        """How much of the log the passes so far have read, 0 to 1."""

    def close(self) -> None:
        """Lets go of the file."""


FINDINGS: dict[str, tuple[str, str]] = {
    "event_without_time": ("event without a time", "left out: nothing says when it happened"),
    "unreadable_time": (
        "time that cannot be read",
        "events with one are left out: declare how it is written, as in event_table: {time_formats: ['%d/%m/%Y %H:%M']}",
    ),
    "time_out_of_range": (
        "time before 1678 or after 2262",
        "events with one are left out: no instant in nanoseconds says it",
    ),
    "time_before_1990": ("event from before 1990", "kept at the time it tells; is it a time that was never set?"),
    "time_in_future": ("event that is yet to come", "kept; it shows once its time has come"),
    "time_in_other_form": ("time that is not ISO 8601", "read as it is commonly meant"),
    "table_missing": ("table or column that OCEL 2.0 asks for and that is not there", "read from what is there"),
    "text_is_not_utf8": ("text that is not UTF-8", "read as Windows-1252"),
    "event_twice": ("event that is there twice", "kept once"),
    "event_id_reused": ("event id of two different events", "both are kept"),
    "row_twice": ("row that is there twice, word for word, without an id of its own", "both are kept, as two events"),
    "object_twice": ("object that is there twice", "its values are taken together"),
    "value_twice": ("attribute with two values at one time", "both are kept; the first counts"),
    "object_of_two_types": (
        "object id with two types",
        "references are taken to mean the leading type, else the first that the catalogue knows",
    ),
    "id_of_two_types": (
        "id that objects of two types have",
        "each is known by it; an export writes the later one type:id",
    ),
    "without_id": ("event or object without an id", "kept, ties nothing"),
    "placeholder_id": ("word for a missing value where an id stands", "read as none"),
    "event_object_twice": ("event-object row that is there twice", "kept once"),
    "object_object_twice": ("object-object row that is there twice", "kept once"),
    "event_names_missing_object": ("event-object row to an object that the log does not hold", "kept, ties nothing"),
    "event_row_missing": ("row that names an event the log does not hold", "left out"),
    "event_row_unlisted": ("event that only the table of its type holds", "kept"),
    "relation_to_missing_object": ("object-object row to an object that the log does not hold", "kept, ties nothing"),
    "object_row_unlisted": ("object that only the table of its type holds", "kept"),
    "unknown_object_type": ("object of a type that is not in the catalogue", "kept, in no timeline"),
    "event_without_type": ("event without a type", "kept, reaches no milestone"),
    "type_not_declared": ("type that the log uses and does not declare", "read like the others"),
    "unknown_event_type": ("event of a type that is not in the catalogue", "kept, reaches no milestone"),
    "unknown_cancellation": (
        "event that takes something back, by its name, of a type that is not in the catalogue",
        "kept, takes nothing back: declare a milestone with 'cancels' or 'undoes'",
    ),
    "undeclared_relation": ("object-object row of a relation that is not in the catalogue", "kept, ties nothing"),
    "outer_spaces": ("name or id with spaces around it", "read without them"),
    "folded_name": ("type name that is the catalogue's in other letters", "read as the catalogue's"),
    "object_without_events": (
        "object without an event",
        "placed beside what it is tied to, else at the log's beginning",
    ),
    "event_without_objects": ("event without an object", "kept, in no timeline"),
    "time_without_zone": ("time without a zone", "read as UTC"),
    "amount_is_no_number": ("amount that is no number", "left out of the money, kept as it is"),
    "currency_assumed": ("amount without a currency", "read in the currency the catalogue gives"),
    "column_twice": ("name of several columns", "the last of them is read"),
    "row_is_malformed": ("row that cannot be read", "left out"),
    "no_lead_objects": ("log without an object of a lead type", "it has no timelines of its own"),
}
"""Each kind of finding: what was found, singular, and what became of it."""


@dataclass
class Finding:
    """How often one kind of thing was found, and the first different examples of it."""

    kind: str
    count: int = 0
    examples: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        what, became = FINDINGS[self.kind]
        shown = "; ".join(
            f"{shortened(example)} ({count:,})" if count > 1 else shortened(example)
            for example, count in list(self.examples.items())[:EXAMPLES_TOLD]
        )
        return f"{self.count:,} × {what}: {became}. {shown}"


@dataclass
class LogReport:
    """What a log holds and what was wrong with it. Counts are rows as read, before duplicates are left out."""

    name: str
    event_count: int = 0
    object_count: int = 0
    event_object_count: int = 0
    object_object_count: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)

    def found(self, kind: str, example: str, count: int = 1) -> None:
        """`count` more of a kind that `FINDINGS` knows; the same example is told once, with how often."""
        finding = self.findings.setdefault(kind, Finding(kind))
        finding.count += count
        if example in finding.examples:
            finding.examples[example] += count
        elif len(finding.examples) < 10 * EXAMPLES_TOLD:
            finding.examples[example] = count

    def found_once(self, kind: str, example: str) -> None:
        """As `found`, for what is met again in each pass over a log and is one thing."""
        if kind not in self.findings or example not in self.findings[kind].examples:
            self.found(kind, example)

    def lines(self) -> list[str]:
        """The report for a reader: one line of counts, then one line a finding, in the order of `FINDINGS`."""
        told = [
            f"{self.name}: {self.event_count:,} events, {self.object_count:,} objects, "
            f"{self.event_object_count:,} event-object and {self.object_object_count:,} object-object relations."
        ]
        return told + [f"{self.name}: {self.findings[kind]}" for kind in FINDINGS if kind in self.findings]


_NO_NAME = re.compile(r"[\W_]+")
_BREAK = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_BROWSER_TIME = re.compile(r"^\w{3} (\w{3} \d{2} \d{4} \d{2}:\d{2}:\d{2}) GMT([+-]\d{4})")
_UNIX_TIME = re.compile(r"^\d{9,10}(\d{3}|\d{6}|\d{9})?(\.\d+)?$")
_YEAR_FIRST = re.compile(
    r"^(\d{4})([/-])(\d{1,2})\2(\d{1,2})(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?!\d))?|(?=\s|$))"
)
_DATE_WITH_DOTS = re.compile(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})")
_TWO_DAYS = re.compile(
    r"^\d{1,2}(?P<mark>[/-])\d{1,2}(?P=mark)(?P<year>\d{4}|\d{2})"
    r"((?P<between>, |[ T])\d{1,2}:(?P<minute>\d{2})(:(?P<second>\d{2})(?P<fraction>\.\d{1,6})?)?(?P<gap> ?)(?P<half>[AaPp][Mm])?)?$"
)
_TIME_THEN_ZONE = re.compile(r"^(.*\d)\s+(?:(?:UTC|GMT)?([+-]\d{2}:?\d{2})|(?:UTC|GMT|Z))$", re.IGNORECASE)
_TAKES_BACK = re.compile(r"cancel|void|revok|revers|withdr|storn|abort|annul|undo|refus", re.IGNORECASE)


def shortened(text: str) -> str:
    """A name or id as a report shows it: one line, and no longer than it helps.

    >>> shortened("two\\nlines"), len(shortened("O" * 100_000))
    ('two lines', 100)
    """
    plain = _BREAK.sub(" ", text[: 2 * EXAMPLE_LETTERS])
    return plain if len(plain) <= EXAMPLE_LETTERS else f"{plain[: EXAMPLE_LETTERS - 1]}…"


def _single_bytes(fault: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8, as Windows-1252 has them: letters that differ stay different."""
    if not isinstance(fault, UnicodeDecodeError):
        raise fault
    raw = fault.object[fault.start : fault.end]
    try:
        return raw.decode("cp1252"), fault.end
    except UnicodeDecodeError:
        return raw.decode("latin-1"), fault.end


SINGLE_BYTES = "cashtrail.single_bytes"
"""The name of the error handler for `decode` that reads as Windows-1252 what is no UTF-8."""
codecs.register_error(SINGLE_BYTES, _single_bytes)


def folded(name: str) -> str:
    """A name without what people write differently: case, spaces, punctuation.

    >>> folded(" Pay Order "), folded("pay_order")
    ('pay_order', 'pay_order')
    """
    return _NO_NAME.sub("_", name.strip().casefold()).strip("_")


def takes_back(event_type: str) -> bool:
    """Whether an event type sounds like taking something back. A sign for a person, never a decision.

    >>> takes_back("Cancel Order "), takes_back("void_invoice"), takes_back("pay order")
    (True, True, False)
    """
    return _TAKES_BACK.search(event_type) is not None


def instant(text: str, formats: Sequence[str] = ()) -> tuple[int, bool] | None:
    """Unix nanoseconds of a time as logs write them, and whether it named its zone; None where it cannot be read.

    By the first of the declared `formats` (as strptime has them) that fits; else ISO 8601 with `T` or a space, and what
    `plain_time` can put so. Finer than a microsecond is cut off.

    >>> instant("2023-04-03 12:08:18"), instant("2023-04-03T14:08:18.5+02:00"), instant("soon")
    ((1680523698000000000, False), (1680523698500000000, True), None)
    >>> instant("03/04/2023 12:08"), instant("03/04/2023 12:08", ["%d/%m/%Y", "%d/%m/%Y %H:%M"])
    (None, (1680523680000000000, False))
    """
    if (read := _any_time(text, formats)) is None:
        return None
    zoned = read.tzinfo is not None
    try:
        ns = ((read if zoned else read.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1) * 1000
    except OverflowError:
        return None
    return (ns, zoned) if -INT64_MAX <= ns <= INT64_MAX else None


def is_out_of_range(text: str, formats: Sequence[str] = ()) -> bool:
    """Whether a time can be read and is none that nanoseconds since 1970 can say.

    >>> is_out_of_range("9999-12-31T23:59:59Z"), is_out_of_range("2026-03-05"), is_out_of_range("soon")
    (True, False, False)
    """
    return _any_time(text, formats) is not None and instant(text, formats) is None


def declared_time(text: str, formats: Sequence[str]) -> datetime | None:
    """The time that the first fitting one of the declared formats reads; None where none fits."""
    for each in formats:
        try:
            return datetime.strptime(text.strip(), each)  # noqa: DTZ007 - whether it names a zone is told by `instant`
        except ValueError:
            continue
    return None


def day_first_or_month_first(text: str) -> dict[bool, str]:
    """How a date with slashes or dashes may be written: the format if the day comes first (True), if the month does (False).

    Both where the text is two days; none where it is no such date.

    >>> day_first_or_month_first("03/04/2023 12:08")
    {True: '%d/%m/%Y %H:%M', False: '%m/%d/%Y %H:%M'}
    >>> day_first_or_month_first("25-04-2023"), day_first_or_month_first("4/25/23 1:08:30 PM"), day_first_or_month_first("soon")
    ({True: '%d-%m-%Y'}, {False: '%m/%d/%y %I:%M:%S %p'}, {})
    """
    if (found := _TWO_DAYS.match(text.strip())) is None:
        return {}
    mark, year, between = found["mark"], "%Y" if len(found["year"]) == 4 else "%y", found["between"] or ""
    clock = ""
    if found["minute"]:
        clock = between + ("%I" if found["half"] else "%H") + ":%M" + (":%S" if found["second"] else "")
        clock += (".%f" if found["fraction"] else "") + ((found["gap"] or "") + "%p" if found["half"] else "")
    written = {
        first: f"{'%d' if first else '%m'}{mark}{'%m' if first else '%d'}{mark}{year}{clock}" for first in (True, False)
    }
    return {first: each for first, each in written.items() if declared_time(text, [each]) is not None}


def _any_time(text: str, formats: Sequence[str]) -> datetime | None:
    text = text.strip()
    return declared_time(text, formats) or _common_time(text)


def _common_time(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    except ValueError:
        return plain_time(text)
    if text.isdigit() and len(text) > 8:  # 1680523698 is a count of seconds, not the year 1680
        return plain_time(text) or read
    return read


def plain_time(text: str) -> datetime | None:
    """A time in one of the forms that are not ISO 8601 and mean one thing only; None for any other.

    Unix time in s, ms, us or ns; a year first with slashes or without zeros; day, month, year with dots; a zone after a space; mail and
    browser forms. `03/04/2023` is none: it is the third of April here and the fourth of March there.

    >>> [str(plain_time(t)) for t in ("1680523698000", "3.4.2023 12:08", "2023/04/03 12:08:18", "2023-04-03 12:08:18 UTC")]
    ['2023-04-03 12:08:18+00:00', '2023-04-03 12:08:00', '2023-04-03 12:08:18', '2023-04-03 12:08:18+00:00']
    >>> plain_time("03/04/2023 12:08") is None, str(plain_time("2023-4-3 9:05"))
    (True, '2023-04-03 09:05:00')
    """
    if found := _UNIX_TIME.match(text):
        digits, _, fraction = text.partition(".")
        per_second = 10 ** len(found[1] or "")
        microseconds = int(digits) * 10**6 // per_second + int(float(f"0.{fraction or 0}") * 10**6 / per_second)
        try:
            return EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            return None
    if found := _BROWSER_TIME.match(text):
        return _strictly(lambda: datetime.strptime(f"{found[1]} {found[2]}", "%b %d %Y %H:%M:%S %z"))
    plain = _YEAR_FIRST.sub(_with_zeros, text)
    plain = _DATE_WITH_DOTS.sub(lambda date: f"{date[3]}-{int(date[2]):02}-{int(date[1]):02}", plain)
    if zone := _TIME_THEN_ZONE.match(plain):
        plain = zone[1] + (zone[2] or "+00:00")
    if text[:3].isalpha():
        return _strictly(lambda: parsedate_to_datetime(text))
    return _strictly(lambda: datetime.fromisoformat(_FRACTION.sub(r"\1", plain))) if plain != text else None


def _with_zeros(found: re.Match[str]) -> str:
    date = f"{found[1]}-{int(found[3]):02}-{int(found[4]):02}"
    clock = [f"{int(each):02}" for each in (found[5], found[6], found[7]) if each is not None]
    return f"{date} {':'.join(clock)}" if clock else date


def _strictly(read: Callable[[], datetime]) -> datetime | None:
    try:
        return read()
    except (ValueError, TypeError, IndexError):
        return None


def iso(unix_ns: int) -> str:
    """An instant as RFC 3339 in UTC, with a fraction only where there is one.

    >>> iso(1680523698000000000), iso(1680523698500000000)
    ('2023-04-03T12:08:18Z', '2023-04-03T12:08:18.500000Z')
    """
    return (EPOCH + timedelta(microseconds=unix_ns // 1000)).isoformat().replace("+00:00", "Z")


def typed(text: str, type_name: str | None) -> Value:
    """An attribute's text as the value that its declared type says; the text itself where it is none.

    >>> typed("1.50", "float"), typed("true", "boolean"), typed("many", "integer"), typed("7", "string")
    (1.5, True, 'many', '7')
    """
    kind = (type_name or "").lower()
    try:
        if kind in ("integer", "int"):
            return number if -INT64_MAX <= (number := int(text)) <= INT64_MAX else text
        if kind in ("float", "real", "double"):
            return fraction if math.isfinite(fraction := float(text)) else text
    except ValueError:
        return text
    if kind in ("boolean", "bool") and text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    return text
