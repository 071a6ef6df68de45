"""Working time: the table that deadlines are read from, and the slow, obvious oracle it is checked against.

Pure: no clock and no store. The store loads `openings` and `start_shifts` as tables and finds every due
instant by joining them (docs/working-time.md); `due_at` and `worked_s` walk the days one by one and must agree.

Hours are local wall time; what is counted are the seconds that really pass. One rule covers both clock changes:
**a local time means the first instant at which the wall clock of its zone shows that time or a later one.**
So a time that the spring change skips is the instant of the change, and a time that the autumn change repeats
is its first pass. Days tile the time line by the same rule, each from its 00:00 to the next day's 00:00.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from trace_model.catalogue.calendar_schema import DAY_MINUTES, Calendar
from trace_model.errors import PermanentError

HORIZON_DAYS = 20 * 366
"""How far `due_at` and `effective_start` look: a promise of twenty years is a fault in the catalogue."""


class CalendarExhausted(PermanentError):
    """A calendar cannot say what was asked of it: its holidays are unknown for that year, or it never opens
    within `HORIZON_DAYS`. A fault in the catalogue (or an instant that cannot be right): not retryable."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A stretch of working time, from `opens_at` up to but not including `closes_at`. Aware UTC.

    `worked_before_s` is the working time of all earlier openings of the same table: real elapsed seconds,
    always whole. The working-time position of an instant is
    `worked_before_s + clamp(t - opens_at, 0, closes_at - opens_at)` of the last opening that begins by it.
    """

    opens_at: datetime
    closes_at: datetime
    worked_before_s: int


@dataclass(frozen=True, slots=True)
class StartShift:
    """What starts after `from_at` and by `until_at` counts from `counts_from_at`, because of the cut-off. Aware UTC."""

    from_at: datetime
    until_at: datetime
    counts_from_at: datetime


@dataclass(frozen=True, slots=True)
class MonthClose:
    """What starts in [`from_at`, `until_at`) belongs to the books that close at `closes_at`. Aware UTC."""

    from_at: datetime
    until_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """A clock stands from `from_at` up to `until_at`, or until further notice where that is None. Aware UTC."""

    from_at: datetime
    until_at: datetime | None = None


def openings(calendar: Calendar, first_day: date, last_day: date) -> list[Opening]:
    """Every stretch of working time of the local days `first_day` to `last_day`, both included.

    In order, disjoint, never empty; stretches that touch (a shift over midnight, a calendar that is always
    open) are one. Empty if no day of the span is worked.
    Raises CalendarExhausted if the holidays of a day are unknown, ValueError if `last_day` is before `first_day`.

    >>> office = Calendar.model_validate({"name": "office", "time_zone": "Europe/Berlin",
    ...     "hours": {"friday": ["09:00-12:00", "13:00-17:00"], "monday": ["09:00-17:00"]}})
    >>> for o in openings(office, date(2026, 3, 27), date(2026, 3, 30)):   # summer time begins on the Sunday
    ...     print(f"{o.opens_at:%a %H:%M} {o.closes_at:%H:%M} {o.worked_before_s}")
    Fri 08:00 11:00 0
    Fri 12:00 16:00 10800
    Mon 07:00 15:00 25200
    """
    if last_day < first_day:
        raise ValueError(f"calendar {calendar.name!r}: the last day {last_day} is before the first, {first_day}")
    table: list[Opening] = []
    worked_s = 0
    for opens_at, closes_at in _joined(_stretches(calendar, first_day, last_day)):
        table.append(Opening(opens_at, closes_at, worked_s))
        worked_s += round((closes_at - opens_at).total_seconds())
    return table


def start_shifts(calendar: Calendar, first_day: date, last_day: date) -> list[StartShift]:
    """The cut-off as a table: one row per working day of the span, in order, disjoint. Empty without a cut-off.

    Rows cover (from_at, until_at]; what starts at the cut-off itself is in time. Covers every start of a
    local day of the span: before the first row no start is shifted.
    `counts_from_at` may lie after `last_day`. Raises as `openings` does.

    >>> office = Calendar.model_validate({"name": "office", "time_zone": "UTC", "cut_off": "16:00",
    ...     "hours": {"friday": ["09:00-17:00"], "monday": ["09:00-17:00"]}})
    >>> [shift] = start_shifts(office, date(2026, 3, 6), date(2026, 3, 8))
    >>> f"after {shift.from_at:%a %H:%M} counts from {shift.counts_from_at:%a %H:%M}"
    'after Fri 16:00 counts from Mon 09:00'
    """
    if last_day < first_day:
        raise ValueError(f"calendar {calendar.name!r}: the last day {last_day} is before the first, {first_day}")
    if calendar.cut_off is None:
        return []
    cut_offs = [
        (_instant(day, calendar.cut_off, calendar.time_zone), _next_working_day(calendar, day))
        for day in _days(first_day, last_day)
        if _stretches_of_day(calendar, day)
    ]
    table: list[StartShift] = []
    for place, (from_at, next_day) in enumerate(cut_offs):
        counts_from_at = _stretches_of_day(calendar, next_day)[0][0]
        following = cut_offs[place + 1][0] if place + 1 < len(cut_offs) else counts_from_at
        until_at = min(counts_from_at, following)
        if from_at < until_at:
            table.append(StartShift(from_at, until_at, counts_from_at))
    return table


def month_closes(calendar: Calendar, first_day: date, last_day: date) -> list[MonthClose]:
    """The month-end closes as a table: one row per month of the span, in order; together they tile it. Empty without a close.

    A start belongs to its local month; where that month has closed already, to the next.
    Raises as `openings` does, and CalendarExhausted if a month has too few working days.

    >>> office = Calendar.model_validate({"name": "office", "time_zone": "UTC", "hours": {"friday": ["09:00-17:00"]},
    ...     "month_end_close": {"working_day": -1, "at": "18:00"}})
    >>> for m in month_closes(office, date(2026, 3, 1), date(2026, 4, 30)):
    ...     print(f"from {m.from_at:%d %b %H:%M} closes {m.closes_at:%d %b %H:%M}")
    from 01 Mar 00:00 closes 27 Mar 18:00
    from 27 Mar 18:00 closes 24 Apr 18:00
    """
    table: list[MonthClose] = []
    month = first_day.replace(day=1)
    while month <= last_day:
        following = _following_month(month)
        closes_at = _close_of(calendar, month)
        if closes_at is None:
            return []
        from_at = table[-1].until_at if table else _instant(month, 0, calendar.time_zone)
        until_at = min(_instant(following, 0, calendar.time_zone), closes_at)
        if from_at < until_at:
            table.append(MonthClose(from_at, until_at, closes_at))
        month = following
    return table


def close_after(calendar: Calendar, started_at: datetime) -> datetime:
    """The month-end close by which what starts at `started_at` must be done. Aware UTC; the slow twin of `month_closes`.

    Raises ValueError for a naive instant or a calendar without a close.

    >>> office = Calendar.model_validate({"name": "office", "time_zone": "UTC", "hours": {"friday": ["09:00-17:00"]},
    ...     "month_end_close": {"working_day": 1, "at": "12:00"}})
    >>> f"{close_after(office, datetime(2026, 3, 31, 23, tzinfo=UTC)):%a %d %b %H:%M}"
    'Fri 03 Apr 12:00'
    """
    started_at = _utc(started_at)
    month = _local_day(started_at, calendar.time_zone).replace(day=1)
    while (closes_at := _close_of(calendar, month)) is not None and closes_at <= started_at:
        month = _following_month(month)
    if closes_at is None:
        raise ValueError(f"calendar {calendar.name!r} declares no month_end_close")
    return closes_at


def day_start(calendar: Calendar, day: date) -> datetime:
    """The instant at which a local day of the calendar's zone begins. Aware UTC."""
    return _instant(day, 0, calendar.time_zone)


def effective_start(calendar: Calendar, started_at: datetime) -> datetime:
    """The instant from which a clock started at `started_at` counts: then, or the next opening if that is
    outside working time, or the next working day's opening if it is after the cut-off.

    Aware UTC out. Raises CalendarExhausted as `due_at` does, ValueError for a naive instant.

    >>> office = Calendar.model_validate({"name": "office", "time_zone": "UTC", "cut_off": "16:00",
    ...     "hours": {"friday": ["09:00-17:00"], "monday": ["09:00-17:00"]}})
    >>> effective_start(office, datetime(2026, 3, 6, 16, 0, tzinfo=UTC)).strftime("%a %H:%M")
    'Fri 16:00'
    >>> effective_start(office, datetime(2026, 3, 6, 16, 1, tzinfo=UTC)).strftime("%a %H:%M")
    'Mon 09:00'
    """
    started_at = _utc(started_at)
    day = _local_day(started_at, calendar.time_zone)
    if (
        calendar.cut_off is not None
        and started_at > _instant(day, calendar.cut_off, calendar.time_zone)
        and _stretches_of_day(calendar, day)
    ):
        return _stretches_of_day(calendar, _next_working_day(calendar, day))[0][0]
    for opens_at, closes_at in _stretches(calendar, day, _horizon(day)):
        if started_at < closes_at:
            return max(started_at, opens_at)
    raise _never_opens(calendar, started_at)


def due_at(started_at: datetime, seconds: float, calendar: Calendar, pauses: Iterable[Pause] = ()) -> datetime | None:
    """The first instant at which `seconds` of working time have passed outside the pauses.

    Counts from `effective_start`. Aware UTC in and out; pauses in any order, overlapping or not.
    None while a pause without an end stands before it: then there is no due instant until it ends.
    Raises CalendarExhausted if the calendar ends first, ValueError for a naive instant, a pause that ends
    before it begins, or `seconds` that are not positive.

    >>> office = Calendar.model_validate({"name": "office", "time_zone": "UTC",
    ...     "hours": {"friday": ["09:00-17:00"], "monday": ["09:00-17:00"]}})
    >>> friday_at_four = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)
    >>> due_at(friday_at_four, 7200, office)
    datetime.datetime(2026, 3, 9, 10, 0, tzinfo=datetime.timezone.utc)
    >>> due_at(friday_at_four, 3600, office).strftime("%a %H:%M")   # the close itself, not the next opening
    'Fri 17:00'
    >>> due_at(friday_at_four, 7200, office, [Pause(friday_at_four, datetime(2026, 3, 9, 9, 30, tzinfo=UTC))]).hour
    11
    """
    if not seconds > 0:
        raise ValueError(f"a promise must be longer than nothing; found {seconds} seconds")
    standing = _in_order(pauses)
    ends_not_at = min((pause.from_at for pause in standing if pause.until_at is None), default=None)
    counts_from_at = effective_start(calendar, started_at)
    day = _local_day(counts_from_at, calendar.time_zone)
    remaining = timedelta(seconds=seconds)
    for opens_at, closes_at in _stretches(calendar, day, _horizon(day)):
        if ends_not_at is not None and ends_not_at <= max(opens_at, counts_from_at):
            return None
        for from_at, until_at in _outside(standing, max(opens_at, counts_from_at), closes_at):
            if until_at - from_at >= remaining:
                return from_at + remaining
            remaining -= until_at - from_at
    raise _never_opens(calendar, counts_from_at)


def worked_s(calendar: Calendar, from_at: datetime, until_at: datetime, pauses: Iterable[Pause] = ()) -> float:
    """The seconds of working time between two instants that lie in no pause. The cut-off plays no part.

    Aware UTC in. Raises CalendarExhausted if the holidays of a day between are unknown, ValueError for a
    naive instant or an end before the beginning.

    >>> office = Calendar.model_validate({"name": "office", "time_zone": "UTC", "hours": {"friday": ["09:00-17:00"]}})
    >>> worked_s(office, datetime(2026, 3, 6, 16, 0, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
    3600.0
    """
    from_at, until_at = _utc(from_at), _utc(until_at)
    if until_at < from_at:
        raise ValueError(f"{until_at} is before {from_at}")
    standing = _in_order(pauses)
    first, last = (_local_day(instant, calendar.time_zone) for instant in (from_at, until_at))
    worked = timedelta()
    for opens_at, closes_at in _stretches(calendar, first, last):
        for begins_at, ends_at in _outside(standing, max(opens_at, from_at), min(closes_at, until_at)):
            worked += ends_at - begins_at
    return worked.total_seconds()


def _instant(day: date, minute: int, zone_name: str) -> datetime:
    """The first instant at which the zone's wall clock shows `minute` of `day` or later. Aware UTC."""
    zone = ZoneInfo(zone_name)
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # No clock ever shows `wall`. Read by the offset before the change it lies after the change, and by the
    # offset after it before: the change is in between, and found to the second.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after


def _local_day(instant: datetime, zone_name: str) -> date:
    """The day whose 00:00 came last. (A clock set back over midnight does not bring yesterday back.)"""
    day = instant.astimezone(ZoneInfo(zone_name)).date()
    return day + timedelta(days=1) if _instant(day, DAY_MINUTES, zone_name) <= instant else day


@lru_cache(maxsize=65_536)
def _stretches_of_day(calendar: Calendar, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """The working time of one local day, in order, as it is declared: nothing joined. Empty if it is not worked."""
    years = calendar.holidays.known_years()
    if day.year not in years:
        raise CalendarExhausted(
            f"calendar {calendar.name!r} was asked about {day}, but the holidays of {calendar.holidays.country} are "
            f"known only for {years.start} to {years.stop - 1}; correct the date, "
            "or leave the country out and declare the days as `extra`"
        )
    if day in calendar.holidays.of_year(day.year):
        return ()
    stretches = (
        (_instant(day, hours.opens, calendar.time_zone), _instant(day, hours.closes, calendar.time_zone))
        for hours in calendar.hours.of_weekday(day.weekday())
    )
    return tuple((opens_at, closes_at) for opens_at, closes_at in stretches if opens_at < closes_at)


def _stretches(calendar: Calendar, first_day: date, last_day: date) -> Iterator[tuple[datetime, datetime]]:
    for day in _days(first_day, last_day):
        yield from _stretches_of_day(calendar, day)


def _joined(stretches: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """The same working time with stretches that touch made one."""
    current: tuple[datetime, datetime] | None = None
    for opens_at, closes_at in stretches:
        if current is not None and current[1] == opens_at:
            current = (current[0], closes_at)
            continue
        if current is not None:
            yield current
        current = (opens_at, closes_at)
    if current is not None:
        yield current


def _outside(pauses: Sequence[Pause], from_at: datetime, until_at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a stretch that lie in none of the pauses, which come in order of their beginning."""
    for pause in pauses:
        if pause.from_at >= until_at or (pause.until_at is not None and pause.until_at <= from_at):
            continue
        if from_at < pause.from_at:
            yield from_at, pause.from_at
        from_at = until_at if pause.until_at is None else min(pause.until_at, until_at)
    if from_at < until_at:
        yield from_at, until_at


def _in_order(pauses: Iterable[Pause]) -> list[Pause]:
    standing = [Pause(_utc(pause.from_at), pause.until_at and _utc(pause.until_at)) for pause in pauses]
    for pause in standing:
        if pause.until_at is not None and pause.until_at < pause.from_at:
            raise ValueError(f"a pause ends at {pause.until_at}, before it begins at {pause.from_at}")
    return sorted(standing, key=lambda pause: pause.from_at)


def _close_of(calendar: Calendar, month: date) -> datetime | None:
    """When the books of the month that begins on `month` close; None if the calendar declares no close."""
    close = calendar.month_end_close
    if close is None:
        return None
    following = _following_month(month)
    begins, ends = (following, _following_month(following)) if close.working_day > 0 else (month, following)
    worked = [day for day in _days(begins, ends - timedelta(days=1)) if _stretches_of_day(calendar, day)]
    place = close.working_day - 1 if close.working_day > 0 else close.working_day
    if not -len(worked) <= place < len(worked):
        raise CalendarExhausted(
            f"calendar {calendar.name!r} closes its books on working day {close.working_day}, but {begins:%B %Y} "
            f"has only {len(worked)}; name another day"
        )
    return _instant(worked[place], close.at, calendar.time_zone)


def _following_month(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _next_working_day(calendar: Calendar, day: date) -> date:
    for later in _days(day + timedelta(days=1), _horizon(day)):
        if _stretches_of_day(calendar, later):
            return later
    raise _never_opens(calendar, _instant(day, DAY_MINUTES, calendar.time_zone))


def _days(first_day: date, last_day: date) -> Iterator[date]:
    for ordinal in range(first_day.toordinal(), last_day.toordinal() + 1):
        yield date.fromordinal(ordinal)


def _horizon(day: date) -> date:
    return date.fromordinal(min(day.toordinal() + HORIZON_DAYS, date.max.toordinal() - 1))


def _never_opens(calendar: Calendar, instant: datetime) -> CalendarExhausted:
    return CalendarExhausted(
        f"calendar {calendar.name!r} does not hold enough working time in the {HORIZON_DAYS // 366} years "
        f"after {instant}; shorten the promise or give the calendar more hours"
    )


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone; give an aware instant")
    return instant.astimezone(UTC)
