"""An order that waits for people does not stand still while nobody works: one story a test (docs/promises.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.trace_model.store.derived_rows import Rows, catalogue, opened
from tests.trace_model.store.spans_of import T0, Span, Story
from tests.trace_model.store.test_standstills import EVERY_TIMELINE, queued
from trace_model.catalogue.calendar_schema import Calendar
from trace_model.catalogue.schema import Catalogue
from trace_model.store import Store
from trace_model.store.forecasts import Forecasts
from trace_model.store.trial import compare

HOUR = 3600
LAST_EVENING = datetime(2026, 3, 13, 16, 30, tzinfo=UTC)
"""A Friday; the office in Berlin closes half an hour later."""
NIGHTS = Calendar.model_validate(
    {"name": "nights", "time_zone": "Europe/Berlin", "hours": {"sunday": ["00:00-06:00"], "monday": ["00:00-06:00"]}}
)


def estate(stuck_calendar: str | None = "europe_office", **more: Any) -> Catalogue:
    """Two hours without progress are a standstill, in working time of the calendar; nothing is promised."""
    c = catalogue()
    rule = {"stuck_after_s": 2 * HOUR, "stuck_calendar": stuck_calendar}
    return c.model_copy(update={"promises": [], "calendars": [*c.calendars, NIGHTS]} | rule | more)


def utc(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def quoted(validated_at: datetime, by: Catalogue) -> Rows:
    """One quote, Q-X, is validated at that instant, and nothing follows."""
    rows = Rows(opened(by))
    rows.hear(quote("X", validated_at))
    return rows


def quote(name: str, *instants: datetime) -> list[Span]:
    """Q-`name` is validated and, where there is a second instant, accepted."""
    s, number = Story(), 1000 * (1 + sum(name.encode()))
    for operation, at in zip(("cpq.validate_quote", "crm.accept_quote"), instants, strict=False):
        second = (at - T0).total_seconds()
        s.does(operation, second - 1, until=second, quote=f"Q-{name}", amount="10", service="crm")
    return [span.but(trace=number + span.trace, span=number + span.span) for span in s.spans]


def stuck_at(rows: Rows) -> datetime:
    """The instant that timeline, list, queue and alert agree on; before it none of them calls the quote stuck."""
    [timeline] = rows.ask("select stuck_at from timelines where lead_id = 'Q-X'")
    at: datetime = timeline["stuck_at"]
    for as_of, is_stuck in ((at - timedelta(seconds=1), False), (at, True), (at + timedelta(days=3), True)):
        [listed] = [t for t in rows.store.rows("timelines", **EVERY_TIMELINE, as_of=as_of) if t["lead_id"] == "Q-X"]
        found = [e["opened_at"] for e in queued(rows, as_of) if e["lead_id"] == "Q-X"]
        told = [a["since"] for a in alerts(rows, as_of) if a["object_id"] == "Q-X"]
        assert (listed["state"] == "stuck", found, told) == (is_stuck, [at] * is_stuck, [at] * is_stuck), as_of
        assert listed["stuck_at"] == at
    return at


def alerts(rows: Rows, as_of: datetime) -> list[dict[str, Any]]:
    lists = ("down", "silent", "quiet", "quiet_since", "asleep", "queue_teams", "queue_depths")
    asked = {"kinds": ["stuck"], "quiet_team": None, "transient_grace_s": 0.0, "grace_s": 0.0, "queue_depth": 99}
    return rows.store.rows("alert_changes", as_of=as_of, **{name: [] for name in lists}, **asked)


@pytest.mark.parametrize(
    ("validated_at", "expected"),
    [
        (
            utc(3, 6, 16, 30),
            utc(3, 9, 8, 30),
        ),  # Friday, half an hour before the office closes: half past nine on Monday
        (utc(3, 6, 13), utc(3, 6, 15)),  # time enough on the same day
        (utc(3, 6, 15), utc(3, 6, 17)),  # up to the very close
        (utc(3, 7, 12), utc(3, 9, 9)),  # Saturday: counts from Monday's opening
        (utc(4, 2, 15, 30), utc(4, 7, 7, 30)),  # Thursday before Easter, half past five: Tuesday, after two holidays
        (utc(3, 27, 16, 30), utc(3, 30, 7, 30)),  # summer time begins on the Sunday: half past nine is an hour earlier
    ],
)
def test_a_weekend_and_a_holiday_are_no_standstill(validated_at: datetime, expected: datetime) -> None:
    assert stuck_at(quoted(validated_at, estate())) == expected


@pytest.mark.parametrize(
    ("validated_at", "expected"),
    [
        (utc(3, 29, 0, 30), utc(3, 29, 2, 30)),  # half past one; the clock springs from two to three: half past four
        (utc(10, 25, 0, 30), utc(10, 25, 2, 30)),  # half past two for the first time: half past three, after the second
    ],
)
def test_on_the_day_of_a_clock_change_the_seconds_that_pass_count(validated_at: datetime, expected: datetime) -> None:
    assert stuck_at(quoted(validated_at, estate("nights"))) == expected


def test_without_a_calendar_it_counts_around_the_clock() -> None:
    friday = utc(3, 6, 16, 30)
    assert stuck_at(quoted(friday, estate(None))) == friday + timedelta(hours=2)


def test_a_milestone_may_name_a_calendar_of_its_own() -> None:
    """After others the catalogue's holds."""
    friday = utc(3, 6, 16, 30)
    milestones = [
        m.model_copy(update={"stuck_calendar": "always" if m.name == "quote_validated" else None})
        for m in catalogue().milestones
    ]
    rows = quoted(friday, estate(milestones=milestones))
    assert stuck_at(rows) == friday + timedelta(hours=2)
    rows.hear(quote("X", friday, friday + timedelta(minutes=1)))
    assert stuck_at(rows) == utc(3, 9, 8, 31)


def test_before_the_first_milestone_the_catalogues_calendar_holds() -> None:
    s, friday = Story(), (utc(3, 6, 16, 30) - T0).total_seconds()
    s.does(None, friday, quote="Q-X", amount="10", name="GET", service="crm")
    rows = Rows(opened(estate()))
    rows.hear(s.spans)
    assert stuck_at(rows) == utc(3, 9, 8, 30)


def a_week_of_quotes() -> list[Span]:
    """Forty are accepted half an hour to an hour and ten minutes of office time after they were validated; Q-X, on the last evening, waits."""
    spans = quote("X", LAST_EVENING)
    for number in range(40):
        evening = LAST_EVENING - timedelta(days=7 + number % 5)  # Berlin closes half an hour later
        opens_at = evening + timedelta(days=3 if number % 5 == 0 else 1) - timedelta(hours=9, minutes=30)
        spans += quote("L" * number, evening, opens_at + timedelta(minutes=number))
    return spans


def test_like_orders_are_measured_in_working_time_too() -> None:
    rows = Rows(opened(estate()))
    rows.hear(a_week_of_quotes())
    Forecasts(rows.store).refresh(LAST_EVENING + timedelta(minutes=1))
    [sunday] = rows.store.rows("timeline", type="quote", id="Q-X", scope=None, as_of=utc(3, 15, 12))
    assert sunday["state"] == "on_track"
    [monday] = rows.store.rows("timeline", type="quote", id="Q-X", scope=None, as_of=utc(3, 16, 9))
    assert (monday["state"], monday["like_count"], monday["like_calendar"]) == ("stuck", 40, "europe_office")
    assert HOUR < monday["like_limit_s"] < 1.2 * HOUR
    worked_on_monday = timedelta(seconds=monday["like_limit_s"]) - timedelta(minutes=30)
    assert abs(monday["stuck_at"] - (utc(3, 16, 7) + worked_on_monday)) < timedelta(milliseconds=1)


def limits(rows: Rows) -> list[dict[str, Any]]:
    return rows.ask("select distinct fitted_as_of, counted_in from silence_limits order by fitted_as_of")


def test_limits_that_were_counted_otherwise_say_nothing_and_are_fitted_anew(tmp_path: Path) -> None:
    """A database of before: its limits are seconds around the clock, as long as a weekend."""
    path, fitted_at = tmp_path / "kept.duckdb", LAST_EVENING + timedelta(minutes=1)
    before = Rows(Store(path, estate(None), clock=lambda: fitted_at))
    before.hear(a_week_of_quotes())
    Forecasts(before.store).refresh(fitted_at)
    [timeline] = before.store.rows("timeline", type="quote", id="Q-X", scope=None, as_of=utc(3, 16, 9))
    assert timeline["like_limit_s"] > 60 * HOUR
    with before.store.database.reading() as c:
        c.execute("alter table silence_limits drop column counted_in")
        c.execute("delete from schema_migrations where name = '070_limits_counted_in.sql'")
    before.store.close()

    rows = Rows(Store(path, estate(), clock=lambda: fitted_at))
    assert limits(rows) == [{"fitted_as_of": fitted_at, "counted_in": ""}]
    as_of = utc(3, 16, 9)
    [timeline] = rows.store.rows("timeline", type="quote", id="Q-X", scope=None, as_of=as_of)
    assert (timeline["state"], timeline["like_count"], timeline["like_limit_s"]) == ("stuck", None, 2 * HOUR)
    later = fitted_at + timedelta(minutes=5)
    Forecasts(rows.store).refresh(later)
    assert [f["fitted_as_of"] for f in limits(rows)] == [fitted_at, later], "though its day is not over"
    [timeline] = rows.store.rows("timeline", type="quote", id="Q-X", scope=None, as_of=as_of)
    assert (timeline["state"], timeline["like_count"]) == ("stuck", 40)
    Forecasts(rows.store).refresh(later + timedelta(minutes=5))
    assert len(limits(rows)) == 2, "nothing has come since"
    rows.store.close()

    office = next(c for c in estate().calendars if c.name == "europe_office")
    longer = office.model_copy(update={"hours": NIGHTS.hours})
    moved = estate(calendars=[longer if c is office else c for c in estate().calendars])
    rows = Rows(Store(path, moved, clock=lambda: fitted_at))
    Forecasts(rows.store).refresh(later + timedelta(minutes=10))
    assert len(limits(rows)) == 3, "a calendar of other hours counts otherwise, whatever it is called"
    rows.store.close()


def test_a_trial_counts_standstills_as_each_catalogue_does() -> None:
    friday = utc(3, 6, 16, 30)
    rows = quoted(friday, estate())
    changes = compare(rows.store, estate(None), as_of=utc(3, 8, 12)).alert_changes.to_pylist()
    assert [(a["kind"], a["before_at"], a["after_at"]) for a in changes if a["object_id"] == "Q-X"] == [
        ("stuck", None, friday + timedelta(hours=2))
    ]
