"""The set-based clocks against the slow, obvious counter of `trace_model.calendars`: random calendars, zones, holidays, pauses, both clock changes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from trace_model import calendars
from trace_model.calendars import Pause
from trace_model.catalogue.calendar_schema import Calendar
from trace_model.catalogue.loader import load
from trace_model.catalogue.schema import Pause as PauseRule
from trace_model.catalogue.schema import Promise
from trace_model.store import catalogue_tables
from trace_model.store.database import sql

WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC"]
CHANGES = [
    "2018-03-25 01:00",
    "2018-10-28 01:00",
    "2018-03-11 07:00",
    "2018-11-04 06:00",
    "2018-02-18 02:00",
    "2018-11-04 03:00",
]
"""Where the zones' clocks go back or forth, or near it."""
DAY = timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def random_calendar(dice: random.Random, number: int) -> Calendar:
    def face() -> str:
        return f"{dice.randrange(24):02}:{dice.choice([0, 15, 30]):02}"

    def hours() -> list[str]:
        edges = sorted(
            {face() for _ in range(dice.choice([2, 2, 4]))} | {"24:00"}
            if dice.random() < 0.2
            else {face() for _ in range(4)}
        )
        return [f"{a}-{b}" for a, b in zip(edges[::2], edges[1::2], strict=False)]

    worked = dice.sample(WEEKDAYS, dice.choice([3, 5, 7]))
    written: dict[str, Any] = {
        "name": f"k{number}",
        "time_zone": ZONES[number % len(ZONES)],
        "hours": "always" if dice.random() < 0.2 else {day: hours() for day in worked} | {worked[0]: ["09:00-17:00"]},
        "holidays": {"country": dice.choice(["DE", "US", "BR"]), "extra": [date(2018, 6, 1), date(2018, 10, 29)]},
        "month_end_close": {"working_day": dice.choice([-2, -1, 1, 3, 5]), "at": face()},
    }
    if dice.random() < 0.5:
        written["cut_off"] = face()
    return Calendar.model_validate(written)


@dataclass
class Clock:
    calendar: Calendar
    promise: Promise
    started_at: datetime
    pauses: list[Pause]

    def known(self, at: datetime) -> list[Pause]:
        """The pauses as they were known at an instant: one that lasts has no end yet."""
        return [
            Pause(p.from_at, p.until_at if p.until_at and p.until_at <= at else None)
            for p in self.pauses
            if p.from_at <= at
        ]

    def due(self, at: datetime, part: float = 1) -> datetime | None:
        if self.promise.due:
            return calendars.close_after(self.calendar, self.started_at)
        return calendars.due_at(
            self.started_at, float(self.promise.within_s or 0) * part, self.calendar, self.known(at)
        )


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    monkeypatch.setattr(catalogue_tables, "FIRST_DAY", date(2017, 12, 1))
    monkeypatch.setattr(catalogue_tables, "LAST_DAY", date(2020, 6, 30))
    forget_calendars()
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'Australia/Lord_Howe'")  # the session's zone must not matter
        connection.execute(sql("migrations/001_kept.sql"))
        catalogue_tables.load(connection, load())
        connection.execute(sql("facts.sql"))
        connection.execute(sql("derived.sql"))
        yield connection
    forget_calendars()


def forget_calendars() -> None:
    """Tables of other days, kept for the next who asks, are let go."""
    for kept in (catalogue_tables._openings, catalogue_tables._start_shifts, catalogue_tables._month_closes):
        kept.cache_clear()


def derive(
    c: duckdb.DuckDBPyConnection, clocks: list[Clock], stops: dict[int, datetime]
) -> dict[int, list[dict[str, Any]]]:
    """The rows of `clocks` by lead, in order of time, from the relation's own files."""
    milestones = [(n, k.promise.start, k.started_at) for n, k in enumerate(clocks)]
    milestones += [(n, "stopped", at) for n, at in stops.items()]
    pauses = [(n, "hold", p.from_at, p.until_at) for n, k in enumerate(clocks) for p in k.pauses]
    pauses += [(n, "elsewhere", k.started_at, None) for n, k in enumerate(clocks)]
    for name, columns, rows in (
        ("timeline_milestones", ("lead_key", "milestone", "reached_at"), milestones),
        ("timelines", ("lead_key",), [(n,) for n in range(len(clocks))]),
        ("timeline_pauses", ("lead_key", "pause", "from_at", "until_at"), pauses),
    ):
        given = pa.table({column: [row[i] for row in rows] for i, column in enumerate(columns)})
        c.register("given", given)
        c.execute(f"create or replace table {name}_fresh as from {name} limit 0")
        c.execute(f"insert into {name}_fresh by name from given")
    for scratch in ("33_clock_starts", "33a_clock_targets", "33b_clock_stretches"):
        c.execute(f"create or replace table {scratch.split('_', 1)[1]} as {sql(f'projection/{scratch}.sql')}")
    found = c.sql(sql("projection/34_clocks.sql")).to_arrow_table().to_pylist()
    by_lead: dict[int, list[dict[str, Any]]] = {}
    for row in found:  # an instant in a repeated hour equals no other one until it is said in UTC
        row |= {k: v.astimezone(UTC) for k, v in row.items() if isinstance(v, datetime)}
    for row in sorted(found, key=lambda r: r["holds_from"]):
        by_lead.setdefault(row["lead_key"], []).append(row)
    return by_lead


def holding(rows: list[dict[str, Any]], at: datetime) -> dict[str, Any]:
    [row] = [r for r in rows if r["holds_from"] <= at and (r["holds_until"] is None or at < r["holds_until"])]
    return row


@pytest.mark.parametrize("seed", [20180218, 7])
def test_due_instants_are_those_of_the_counter_at_every_instant_whatever_was_known_of_pauses_then(
    tables: duckdb.DuckDBPyConnection, seed: int
) -> None:
    dice = random.Random(seed)
    known = [random_calendar(dice, n) for n in range(12)]
    promises = []
    for number, calendar in enumerate(known):
        for within_s in (1, 3600, 28_800, dice.randint(1, 300_000), None):
            length: dict[str, Any] = {"due": "month_end_close"} if within_s is None else {"within_s": within_s}
            written = {
                "name": f"p{number}_{len(promises)}",
                "label": "",
                "start": f"m{len(promises)}",
                "stop": "stopped",
            }
            promises.append(
                Promise.model_validate(written | length | {"calendar": calendar.name, "owner_team": "revops"})
            )
    rules = [PauseRule(name="hold", label=""), PauseRule(name="elsewhere", label="", promises=["another"])]
    catalogue = load().model_copy(update={"calendars": known, "promises": promises, "pauses": rules})
    catalogue_tables.load(tables, catalogue)
    edges = {k.name: calendars.openings(k, date(2018, 1, 10), date(2018, 12, 30)) for k in known}
    clocks = []
    for _ in range(1500):
        promise = dice.choice(promises)
        calendar = next(k for k in known if k.name == promise.calendar)
        near = dice.choice(edges[calendar.name])
        anywhere = utc("2018-01-10 00:00") + 350 * DAY * dice.random()
        base = dice.choice([near.opens_at, near.closes_at, utc(dice.choice(CHANGES)), anywhere])
        started_at = base + dice.choice(
            [timedelta(0), timedelta(microseconds=dice.randint(-7_200_000_000, 7_200_000_000))]
        )
        pauses = []
        for _ in range(dice.choice([0, 0, 1, 1, 2, 3, 5])):
            from_at = started_at + timedelta(seconds=dice.choice([0, 3600, dice.randint(-90_000, 600_000)]))
            lasting = timedelta(seconds=dice.choice([0, 1, 3600, dice.randint(0, 250_000)]))
            pauses.append(Pause(from_at, None if dice.random() < 0.1 else from_at + lasting))
        clocks.append(Clock(calendar, promise, started_at, pauses))
    derived = derive(tables, clocks, {})
    assert len(derived) == len(clocks)
    paused_count = 0
    for number, clock in enumerate(clocks):
        rows = derived[number]
        ends = [t for p in clock.pauses for t in (p.from_at, p.until_at) if t]
        instants = [
            clock.started_at,
            *(t + dice.choice([timedelta(0), timedelta(seconds=1), -timedelta(seconds=1)]) for t in ends),
        ]
        for at in [t for t in instants if t >= clock.started_at] + [clock.started_at + 400 * DAY]:
            row, due = holding(rows, at), clock.due(at)
            assert row["due_at"] == due, (clock, at)
            assert (row["paused_by"] == "hold") == (due is None), (clock, at)
            if not clock.promise.due and (clock.promise.within_s or 0) > 4:
                risk = clock.due(at, float(clock.promise.at_risk_after))
                assert row["at_risk_at"] == risk, (clock, at)
            paused_count += due is None
    assert paused_count > 100, "open pauses must occur"


def test_what_comes_after_a_clock_has_stopped_changes_nothing(tables: duckdb.DuckDBPyConnection) -> None:
    office = Calendar.model_validate({"name": "office", "time_zone": "UTC", "hours": {"monday": ["09:00-17:00"]}})
    promise = Promise.model_validate(
        {
            "name": "p",
            "label": "",
            "start": "m",
            "stop": "stopped",
            "within_s": 7200,
            "calendar": "office",
            "owner_team": "revops",
        }
    )
    catalogue = load().model_copy(
        update={"calendars": [office], "promises": [promise], "pauses": [PauseRule(name="hold", label="")]}
    )
    catalogue_tables.load(tables, catalogue)
    monday = utc("2018-03-05 09:00")

    def clock(*pauses: Pause) -> Clock:
        return Clock(office, promise, monday, list(pauses))

    hour = timedelta(hours=1)
    clocks = [
        clock(Pause(monday + hour, monday + 3 * hour)),
        clock(Pause(monday + 2 * hour)),
        clock(Pause(monday - hour, monday + hour)),
    ]
    derived = derive(tables, clocks, {0: monday + 2 * hour, 1: monday + hour, 2: monday + 4 * hour})
    assert [(r["holds_from"], r["holds_until"], r["paused_by"], r["due_at"]) for r in derived[0]] == [
        (monday, monday + hour, None, monday + 2 * hour),
        (monday + hour, None, "hold", None),
    ], "it stopped in the pause"
    assert [(r["holds_from"], r["paused_by"]) for r in derived[1]] == [(monday, None)], "it stopped before the pause"
    assert [(r["holds_from"], r["paused_by"], r["due_at"]) for r in derived[2]] == [
        (monday, "hold", None),
        (monday + hour, None, monday + 3 * hour),
    ]


def test_where_the_tables_do_not_reach_there_is_no_due_instant(tables: duckdb.DuckDBPyConnection) -> None:
    office = Calendar.model_validate({"name": "office", "time_zone": "UTC", "hours": {"monday": ["09:00-17:00"]}})
    promise = Promise.model_validate(
        {
            "name": "p",
            "label": "",
            "start": "m",
            "stop": "stopped",
            "within_s": 28_801,
            "calendar": "office",
            "owner_team": "revops",
        }
    )
    catalogue_tables.load(
        tables, load().model_copy(update={"calendars": [office], "promises": [promise], "pauses": []})
    )
    early, late = utc("2016-03-07 09:00"), utc("2020-06-29 09:00")
    derived = derive(tables, [Clock(office, promise, at, []) for at in (early, late)], {})
    assert [(r["due_at"], r["paused_by"]) for rows in derived.values() for r in rows] == [(None, None), (None, None)]
