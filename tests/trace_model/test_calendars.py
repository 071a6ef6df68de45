"""Working time: the oracle against a counter that only looks at the wall clock, and the SQL against the oracle."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from trace_model.calendars import (
    CalendarExhausted,
    Opening,
    Pause,
    StartShift,
    close_after,
    due_at,
    effective_start,
    month_closes,
    openings,
    start_shifts,
    worked_s,
)
from trace_model.catalogue.calendar_schema import Calendar

WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MINUTE = timedelta(minutes=1)


def every(weekdays: list[str], *intervals: str) -> dict[str, list[str]]:
    return {weekday: list(intervals) for weekday in weekdays}


def calendar(zone: str = "UTC", hours: Any = None, **more: Any) -> Calendar:
    hours = every(WEEKDAYS[:5], "09:00-17:00") if hours is None else hours
    return Calendar.model_validate({"name": "test", "time_zone": zone, "hours": hours, **more})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans_of(rows: Iterable[Opening]) -> list[str]:
    return [f"{row.opens_at:%d %H:%M}-{row.closes_at:%d %H:%M}" for row in rows]


# ------------------------------------------------------------------ the schema


def test_a_calendar_survives_a_round_trip_through_its_written_form() -> None:
    written = {
        "name": "muc",
        "time_zone": "Europe/Berlin",
        "hours": {"monday": ["09:00-12:30", "13:30-24:00"]},
        "holidays": {"country": "DE", "subdivision": "BY", "extra": ["2026-12-24"], "except": ["2026-06-04"]},
        "cut_off": "16:00",
    }
    read = Calendar.model_validate(written)
    dumped = read.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert dumped == written
    assert Calendar.model_validate(dumped) == read
    assert Calendar.model_validate_json(read.model_dump_json(by_alias=True)) == read


def test_the_json_schema_offers_always_and_weekdays() -> None:
    schema = Calendar.model_json_schema(by_alias=True)
    always, week = (
        schema["$defs"]["Week"]["anyOf"] if "Week" in schema["$defs"] else schema["properties"]["hours"]["anyOf"]
    )
    assert always == {"const": "always"}
    assert set(week["properties"]) == set(WEEKDAYS)
    assert "except" in schema["$defs"]["Holidays"]["properties"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_zone": "Europe/Berln"}, "Did you mean Europe/Berlin"),
        ({"time_zone": "../etc/passwd"}, "not an IANA zone"),
        ({"hours": {"monday": ["17:00-09:00"]}}, '"17:00-24:00" and, on the next weekday, "00:00-09:00"'),
        ({"hours": {"monday": ["9:00-17:00"]}}, "two digits"),
        ({"hours": {"monday": ["09:00-24:30"]}}, "two digits"),
        ({"hours": {"monday": ["09:00"]}}, "not an interval"),
        ({"hours": {"monday": [540]}}, "not an interval"),
        ({"hours": {"monday": ["09:00-12:00", "11:00-17:00"]}}, 'begins before "09:00-12:00" ends'),
        ({"hours": {"mon": ["09:00-12:00"]}}, "Extra inputs are not permitted"),
        ({"hours": {}}, "no weekday has hours"),
        ({"hours": "alway"}, 'write "always"'),
        ({"cut_off": "24:00"}, "no cut-off"),
        ({"cut_off": 960}, "not a time of day"),
        ({"cutoff": "16:00"}, "Extra inputs are not permitted"),
        ({"holidays": {"country": "Germany"}}, "no public holidays are known"),
        ({"holidays": {"country": "DE", "subdivision": "XX"}}, "Known: BB, BE"),
        ({"holidays": {"subdivision": "BY"}}, "needs a country"),
        ({"holidays": {"except": ["2026-12-25"]}}, "needs a country"),
        ({"holidays": {"country": "DE", "except": ["2026-12-24"]}}, "not a public holiday of DE"),
        ({"holidays": {"country": "DE", "extra": ["2026-12-25"], "except": ["2026-12-25"]}}, "both in"),
    ],
)
def test_a_mistake_in_a_calendar_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        calendar(**{"zone" if key == "time_zone" else key: value for key, value in change.items()})
    assert message in str(caught.value)


# ------------------------------------------------------------------ named days


def test_public_holidays_of_the_subdivision_extra_days_and_excepted_days_are_kept() -> None:
    holidays = {"country": "DE", "subdivision": "BY", "extra": ["2026-06-05"], "except": ["2026-06-04"]}
    week = openings(calendar("Europe/Berlin", holidays=holidays), date(2026, 6, 1), date(2026, 6, 5))
    assert [row.opens_at.day for row in week] == [1, 2, 3, 4]
    plain = openings(
        calendar("Europe/Berlin", holidays={"country": "DE", "subdivision": "BY"}), date(2026, 6, 1), date(2026, 6, 5)
    )
    assert [row.opens_at.day for row in plain] == [1, 2, 3, 5], "Corpus Christi is a holiday in Bavaria"
    berlin = openings(
        calendar("Europe/Berlin", holidays={"country": "DE", "subdivision": "BE"}), date(2026, 6, 1), date(2026, 6, 5)
    )
    assert [row.opens_at.day for row in berlin] == [1, 2, 3, 4, 5]


def test_an_observed_holiday_closes_the_day_it_is_observed_on() -> None:
    holidays = {"country": "US"}
    days = openings(calendar("America/New_York", holidays=holidays), date(2021, 12, 30), date(2022, 1, 3))
    assert [row.opens_at.date() for row in days] == [date(2021, 12, 30), date(2022, 1, 3)]


def test_a_calendar_that_is_always_open_is_one_opening_over_both_changes() -> None:
    [whole] = openings(calendar("Europe/Berlin", "always"), date(2026, 1, 1), date(2026, 12, 31))
    assert (whole.opens_at, whole.closes_at) == (utc("2025-12-31 23:00"), utc("2026-12-31 23:00"))


def test_a_holiday_closes_even_a_calendar_that_is_always_open() -> None:
    rows = openings(calendar("UTC", "always", holidays={"extra": ["2026-05-02"]}), date(2026, 5, 1), date(2026, 5, 3))
    assert spans_of(rows) == ["01 00:00-02 00:00", "03 00:00-04 00:00"]
    assert [row.worked_before_s for row in rows] == [0, 86_400]


@pytest.mark.parametrize(("sunday", "hours"), [(date(2026, 3, 29), 7), (date(2026, 10, 25), 9), (date(2026, 7, 5), 8)])
def test_a_night_shift_over_a_change_is_as_long_as_it_really_was(sunday: date, hours: int) -> None:
    nights = calendar("Europe/Berlin", {"saturday": ["22:00-24:00"], "sunday": ["00:00-06:00"]})
    [night] = openings(nights, sunday - timedelta(days=1), sunday)
    assert night.closes_at - night.opens_at == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("zone", "day", "interval", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "01:00-02:30", "29 00:00-29 01:00"),  # ends when the clock jumps
        ("Europe/Berlin", date(2026, 3, 29), "02:30-05:00", "29 01:00-29 03:00"),  # begins when the clock jumps
        ("Europe/Berlin", date(2026, 3, 29), "02:10-02:50", None),  # never happens
        ("Europe/Berlin", date(2026, 10, 25), "01:00-02:30", "24 23:00-25 00:30"),  # ends the first time
        ("Europe/Berlin", date(2026, 10, 25), "02:30-05:00", "25 00:30-25 04:00"),  # begins the first time
        ("Europe/Berlin", date(2026, 10, 25), "02:00-03:00", "25 00:00-25 02:00"),  # both passes
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:15-03:00", "03 15:30-03 16:00"),  # a change of half an hour
        ("America/Sao_Paulo", date(2018, 11, 4), "00:00-01:30", "04 03:00-04 03:30"),  # midnight did not exist
        ("America/Sao_Paulo", date(2018, 2, 17), "22:00-24:00", "18 00:00-18 03:00"),  # 23 o'clock came twice
        ("Pacific/Apia", date(2011, 12, 30), "09:00-17:00", None),  # the day was skipped
    ],
)
def test_times_that_do_not_exist_or_come_twice_follow_the_one_rule(
    zone: str, day: date, interval: str, expected: str | None
) -> None:
    rows = openings(calendar(zone, every(WEEKDAYS, interval)), day, day)
    assert spans_of(rows) == ([] if expected is None else [expected])


def test_a_deadline_on_a_close_is_the_close_and_a_moment_more_is_the_next_opening() -> None:
    friday = utc("2026-03-06 16:00")
    assert due_at(friday, 3600, calendar()) == utc("2026-03-06 17:00")
    assert due_at(friday, 3600.000001, calendar()) == utc("2026-03-09 09:00") + timedelta(microseconds=1)
    assert due_at(utc("2026-03-07 12:00"), 60, calendar()) == utc("2026-03-09 09:01")


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    friday = datetime(2026, 3, 6, 11, 0, tzinfo=ZoneInfo("America/New_York"))
    assert due_at(friday, 7200, calendar()) == utc("2026-03-09 10:00")


def test_the_cut_off_sends_late_starts_to_the_next_working_day_over_weekend_and_holiday() -> None:
    office = calendar(cut_off="16:00", holidays={"extra": ["2026-03-09"]})
    assert effective_start(office, utc("2026-03-06 16:00")) == utc("2026-03-06 16:00")
    assert effective_start(office, utc("2026-03-06 16:00") + timedelta(microseconds=1)) == utc("2026-03-10 09:00")
    assert effective_start(office, utc("2026-03-07 10:00")) == utc("2026-03-10 09:00")
    assert start_shifts(office, date(2026, 3, 6), date(2026, 3, 9)) == [
        StartShift(utc("2026-03-06 16:00"), utc("2026-03-10 09:00"), utc("2026-03-10 09:00"))
    ]
    assert start_shifts(calendar(), date(2026, 3, 6), date(2026, 3, 9)) == []


def test_a_cut_off_before_the_opening_gives_disjoint_rows() -> None:
    early = calendar(cut_off="08:00")
    assert effective_start(early, utc("2026-03-03 07:59")) == utc("2026-03-03 09:00")
    assert effective_start(early, utc("2026-03-03 08:30")) == utc("2026-03-04 09:00")
    first, second = start_shifts(early, date(2026, 3, 2), date(2026, 3, 3))
    assert first.until_at == second.from_at == utc("2026-03-03 08:00")


def test_a_clock_set_back_over_midnight_does_not_bring_yesterday_back() -> None:
    late = calendar("America/St_Johns", "always", cut_off="16:00")  # 25 October 1998: 00:01 became 23:01
    again = datetime(1998, 10, 24, 23, 30, fold=1, tzinfo=ZoneInfo("America/St_Johns"))
    assert effective_start(late, again) == again.astimezone(UTC)


def test_a_pause_without_an_end_leaves_no_due_instant_if_it_begins_before_it() -> None:
    start = utc("2026-03-06 09:00")
    assert due_at(start, 3600, calendar(), [Pause(utc("2026-03-06 09:59"))]) is None
    assert due_at(start, 3600, calendar(), [Pause(utc("2026-03-06 10:00"))]) == utc("2026-03-06 10:00")
    assert due_at(start, 3600, calendar(), [Pause(utc("2026-03-01 10:00"))]) is None


def test_overlapping_pauses_count_once_and_closed_hours_cost_nothing() -> None:
    friday = utc("2026-03-06 15:00")
    pauses = [
        Pause(utc("2026-03-06 16:30"), utc("2026-03-09 09:30")),
        Pause(utc("2026-03-06 16:00"), utc("2026-03-06 17:00")),
        Pause(utc("2026-03-07 00:00"), utc("2026-03-08 00:00")),
    ]
    assert due_at(friday, 7200, calendar(), pauses) == utc("2026-03-09 10:30")
    assert worked_s(calendar(), friday, utc("2026-03-09 10:30"), pauses) == 7200


def test_a_calendar_says_so_when_its_holidays_are_not_known() -> None:
    german = calendar("Europe/Berlin", holidays={"country": "DE"})
    with pytest.raises(CalendarExhausted, match="known only for 1991 to 2100"):
        openings(german, date(2100, 12, 1), date(2101, 1, 5))
    with pytest.raises(CalendarExhausted, match="1991"):
        due_at(utc("1990-01-03 12:00"), 60, german)


def test_a_promise_longer_than_the_horizon_is_refused() -> None:
    with pytest.raises(CalendarExhausted, match="20 years"):
        due_at(utc("2026-03-02 12:00"), 30 * 366 * 86_400, calendar(hours="always"))


def test_senseless_questions_are_refused() -> None:
    naive = datetime(2026, 3, 2)  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="no time zone"):
        due_at(naive, 60, calendar())
    with pytest.raises(ValueError, match="longer than nothing"):
        due_at(utc("2026-03-02"), 0, calendar())
    with pytest.raises(ValueError, match="before it begins"):
        due_at(utc("2026-03-02"), 60, calendar(), [Pause(utc("2026-03-03"), utc("2026-03-02"))])
    with pytest.raises(ValueError, match="is before"):
        worked_s(calendar(), utc("2026-03-03"), utc("2026-03-02"))
    with pytest.raises(ValueError, match="before the first"):
        openings(calendar(), date(2026, 3, 3), date(2026, 3, 2))
    with pytest.raises(ValueError, match="before the first"):
        start_shifts(calendar(), date(2026, 3, 3), date(2026, 3, 2))


# ------------------------------------------------------------------ the counter: looks at the wall clock each minute

CHANGES = {
    "Europe/Berlin": ["2026-03-29", "2026-10-25", "1996-10-27"],
    "America/New_York": ["2026-03-08", "2026-11-01", "2006-04-02"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "Asia/Kolkata": ["2026-03-29"],
    "America/Sao_Paulo": ["2018-11-04", "2018-02-18", "2015-10-18"],
    "America/St_Johns": ["1998-10-25", "1999-04-04"],
    "Pacific/Apia": ["2011-12-30", "2012-04-01"],
    "Africa/Casablanca": ["2026-02-15", "2026-03-22"],
}
BEFORE, SEEN = timedelta(days=3), 12 * 1440


class Face(NamedTuple):
    """What a wall clock shows."""

    day: str
    weekday: str
    time: str


@lru_cache(maxsize=64)
def wall_clock(zone: str, day: str) -> tuple[datetime, list[Face]]:
    """The furthest the wall clock has got, minute by minute: set back, it stands until it is caught up."""
    begin = utc(day) - BEFORE
    walls = ((begin + minute * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for minute in range(-1440, SEEN))
    furthest = list(accumulate(walls, max))[1440:]
    return begin, [Face(f"{wall:%Y-%m-%d}", WEEKDAYS[wall.weekday()], f"{wall:%H:%M}") for wall in furthest]


def open_minutes(written: dict[str, Any], faces: list[Face]) -> list[bool]:
    """Whether each minute is worked, read from the written form of the calendar and nothing of the module."""
    closed = set(written["holidays"]["extra"])
    week = {day: [interval.split("-") for interval in intervals] for day, intervals in written["hours"].items()}
    return [
        face.day not in closed and any(begin <= face.time < end for begin, end in week.get(face.weekday, ()))
        for face in faces
    ]


@st.composite
def written_calendars(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    day = draw(st.sampled_from(CHANGES[zone]))
    edges = st.lists(st.integers(0, 96), min_size=2, max_size=6, unique=True).map(sorted)
    hours = {}
    for weekday in draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True)):
        marks = [f"{edge // 4:02}:{edge % 4 * 15:02}" for edge in draw(edges)]
        hours[weekday] = [f"{a}-{b}" for a, b in zip(marks[::2], marks[1::2], strict=False)]
    extra = draw(st.lists(st.integers(-3, 8), max_size=3, unique=True))
    cut_off = draw(st.none() | st.integers(0, 95).map(lambda edge: f"{edge // 4:02}:{edge % 4 * 15:02}"))
    days = [(date.fromisoformat(day) + timedelta(days=shift)).isoformat() for shift in extra]
    written = {"name": "drawn", "time_zone": zone, "hours": hours, "holidays": {"extra": days}, "cut_off": cut_off}
    return written, day


minutes = st.integers(0, SEEN - 1)


@settings(max_examples=150, deadline=None)
@given(
    written_calendars(),
    st.integers(1440, 5 * 1440),
    st.integers(1, 4000),
    st.lists(st.tuples(minutes, st.none() | st.integers(0, 3000)), max_size=4),
)
def test_the_oracle_agrees_with_a_counter_of_minutes(
    drawn: tuple[dict[str, Any], str], start: int, target: int, drawn_pauses: list[tuple[int, int | None]]
) -> None:
    written, day = drawn
    begin, faces = wall_clock(written["time_zone"], day)
    worked = open_minutes(written, faces)
    read = Calendar.model_validate(written)

    def place(minute: int) -> datetime:
        return begin + minute * MINUTE

    # the table, position by position
    table = openings(read, begin.date() - timedelta(days=2), begin.date() + timedelta(days=16))
    assert all(a.closes_at < b.opens_at for a, b in pairwise(table))
    is_open = [False] * SEEN
    for row in table:
        for minute in range(
            max(0, (row.opens_at - begin) // MINUTE), min(SEEN, max(0, (row.closes_at - begin) // MINUTE))
        ):
            is_open[minute] = True
    assert is_open == worked
    total = timedelta()
    for row in table:
        assert timedelta(seconds=row.worked_before_s) == total
        total += row.closes_at - row.opens_at

    # where the clock counts from: late on a working day means no minute of that day counts any more
    counts_from = start
    cut_off, today = written["cut_off"], faces[start].day
    of_today = [minute for minute in range(SEEN) if faces[minute].day == today]
    if cut_off is not None and any(worked[minute] for minute in of_today):
        late = [minute for minute in of_today if faces[minute].time >= cut_off]
        if late and start > late[0]:
            counts_from = of_today[-1] + 1
    counts_from = next((m for m in range(counts_from, SEEN) if worked[m]), SEEN)
    if counts_from == SEEN:
        return
    assert effective_start(read, place(start)) == place(counts_from)

    # the due instant and the working time, minute by minute
    standing = set[int]()
    for pause_begin, length in drawn_pauses:
        standing.update(range(pause_begin, SEEN if length is None else min(SEEN, pause_begin + length)))
    pauses = [
        Pause(place(pause_begin), None if length is None else place(pause_begin + length))
        for pause_begin, length in drawn_pauses
    ]
    left = target
    for minute in range(counts_from, SEEN):
        if worked[minute] and minute not in standing:
            left -= 1
            if left == 0:
                due = place(minute + 1)
                assert due_at(place(start), target * 60, read, pauses) == due
                assert worked_s(read, place(counts_from), due, pauses) == target * 60
                return
    if any(length is None for _, length in drawn_pauses):
        assert due_at(place(start), target * 60, read, pauses) is None
    assert worked_s(read, place(counts_from), place(SEEN - 1), pauses) == 60 * sum(
        worked[m] and m not in standing for m in range(counts_from, SEEN - 1)
    )


# ------------------------------------------------------------------ month-end closes


def test_a_start_belongs_to_its_local_month_until_that_has_closed() -> None:
    late = calendar("America/New_York", month_end_close={"working_day": 2, "at": "12:00"})
    assert close_after(late, utc("2026-02-01 04:59")) == utc("2026-02-03 17:00"), "still January in New York"
    assert close_after(late, utc("2026-02-01 05:00")) == utc("2026-03-03 17:00")
    early = calendar(month_end_close={"working_day": -1, "at": "15:00"})
    assert close_after(early, utc("2026-02-27 14:59")) == utc("2026-02-27 15:00"), "the last working day is a Friday"
    assert close_after(early, utc("2026-02-27 15:00")) == utc("2026-03-31 15:00")


def test_holidays_move_the_close_and_the_cut_off_does_not() -> None:
    written = {"month_end_close": {"working_day": 1, "at": "12:00"}, "cut_off": "16:00"}
    office = calendar("UTC", holidays={"extra": ["2026-05-01", "2026-06-01"]}, **written)
    assert close_after(office, utc("2026-04-30 16:01")) == utc("2026-05-04 12:00"), (
        "what comes late in April is April's"
    )


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"])
@pytest.mark.parametrize("working_day", [-3, -1, 1, 4])
def test_the_closes_tile_time_and_say_what_the_walk_says(zone: str, working_day: int) -> None:
    office = calendar(zone, month_end_close={"working_day": working_day, "at": "18:00"})
    table = month_closes(office, date(2018, 1, 1), date(2018, 12, 31))
    assert all(a.until_at == b.from_at for a, b in pairwise(table))
    for row in table:
        for at in (row.from_at, row.until_at - timedelta(seconds=1)):
            assert close_after(office, at) == row.closes_at


def test_a_close_that_no_month_has_is_a_fault() -> None:
    mondays = calendar("UTC", {"monday": ["09:00-17:00"]}, month_end_close={"working_day": 6, "at": "18:00"})
    with pytest.raises(CalendarExhausted, match="has only"):
        close_after(mondays, utc("2026-02-01 09:00"))
    with pytest.raises(ValidationError, match="working_day 0 is no day"):
        calendar(month_end_close={"working_day": 0, "at": "18:00"})
