"""When people work, as the catalogue declares it: zone, weekly hours, holidays, cut-off.

Only what is declared, checked and frozen. What it means in instants is `trace_model.calendars`.
Imports no store, no clock and no screen, so that `cashtrail check` can run anywhere.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

import holidays as public_holidays
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

DAY_MINUTES = 24 * 60
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)")


@dataclass(frozen=True, slots=True)
class Hours:
    """One stretch of a working day in local wall time: from `opens` up to `closes`, minutes after midnight (0-1440)."""

    opens: int
    closes: int

    def __str__(self) -> str:
        return f"{_clock_face(self.opens)}-{_clock_face(self.closes)}"


def _clock_face(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _minutes(text: object) -> int:
    found = _TIME_OF_DAY.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f'{text!r} is not a time of day; write it quoted, with two digits each, like "09:00"')
    hour, minute = (part for part in found.groups() if part is not None)
    return int(hour) * 60 + int(minute)


def _hours(value: object) -> Hours:
    """Hours from "09:00-17:00". A shift over midnight is two: "22:00-24:00" and "00:00-06:00" of the next day."""
    if isinstance(value, Hours):
        return value
    opens_text, dash, closes_text = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not dash:
        raise ValueError(f'{value!r} is not an interval of hours; write it quoted, like "09:00-17:00"')
    hours = Hours(_minutes(opens_text), _minutes(closes_text))
    if hours.opens >= hours.closes:
        raise ValueError(
            f'"{hours}" ends before it begins; write a shift over midnight as '
            f'"{opens_text}-24:00" and, on the next weekday, "00:00-{closes_text}"'
        )
    return hours


def _in_order_and_apart(day: tuple[Hours, ...]) -> tuple[Hours, ...]:
    for earlier, later in pairwise(day):
        if later.opens < earlier.closes:
            raise ValueError(
                f'"{later}" begins before "{earlier}" ends; give the intervals of a day in order, without overlap'
            )
    return day


def _cut_off(value: object) -> int | None:
    minutes = None if value is None else _minutes(value)
    if minutes == DAY_MINUTES:
        raise ValueError('"24:00" is no cut-off: nothing of the day comes after it; leave cut_off out')
    return minutes


_Interval = Annotated[
    Hours,
    BeforeValidator(_hours),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d\d:\d\d-\d\d:\d\d$", "examples": ["09:00-17:00", "22:00-24:00"]}),
]
_WorkingDay = Annotated[tuple[_Interval, ...], AfterValidator(_in_order_and_apart)]


class Week(BaseModel):
    """The hours of each weekday; a weekday that is left out is not worked. "always" stands for all of every day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    monday: _WorkingDay = ()
    tuesday: _WorkingDay = ()
    wednesday: _WorkingDay = ()
    thursday: _WorkingDay = ()
    friday: _WorkingDay = ()
    saturday: _WorkingDay = ()
    sunday: _WorkingDay = ()

    @model_validator(mode="before")
    @classmethod
    def _always_is_every_day(cls, value: Any) -> Any:
        if value == "always":
            return dict.fromkeys(cls.model_fields, (Hours(0, DAY_MINUTES),))
        if isinstance(value, str):
            raise ValueError(f'{value!r} are no hours; write "always", or a list of intervals for each weekday')
        return value

    @model_validator(mode="after")
    def _some_day_is_worked(self) -> Self:
        if not any(self.of_weekday(weekday) for weekday in range(7)):
            raise ValueError('no weekday has hours, so no deadline would ever come; give some, or write "always"')
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"const": "always"}, handler(core_schema)]}

    def of_weekday(self, weekday: int) -> tuple[Hours, ...]:
        """The hours of a weekday as `date.weekday()` counts it: 0 is Monday."""
        week = (self.monday, self.tuesday, self.wednesday, self.thursday, self.friday, self.saturday, self.sunday)
        return week[weekday]


class Holidays(BaseModel):
    """Days not worked: the public holidays of a country or subdivision, plus `extra`, less `except`.

    Codes are ISO 3166 (country "DE", subdivision "BY"). A holiday closes the local calendar day from
    midnight to midnight. `except` may name only public holidays, so that a wrong date is an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    country: str | None = None
    subdivision: str | None = None
    extra: tuple[dt.date, ...] = ()
    excepted: tuple[dt.date, ...] = Field(default=(), alias="except")

    @model_validator(mode="after")
    def _country_and_dates_are_known(self) -> Self:
        countries = public_holidays.list_supported_countries(include_aliases=False)
        if self.country is None:
            if self.subdivision is not None:
                raise ValueError(f"subdivision {self.subdivision!r} needs a country; add one, e.g. country: DE")
            if self.excepted:
                raise ValueError("`except` needs a country, whose public holidays are worked; add it, or drop `except`")
            return self
        if self.country not in countries:
            raise ValueError(
                f"no public holidays are known for country {self.country!r}. {_near(self.country, countries, 'DE')}"
            )
        subdivisions = countries[self.country]
        if self.subdivision is not None and self.subdivision not in subdivisions:
            raise ValueError(
                f"country {self.country!r} has no subdivision {self.subdivision!r}. "
                f"Known: {', '.join(subdivisions) or 'none'}"
            )
        for day in self.excepted:
            if day not in _public_holidays_of(self.country, self.subdivision, day.year):
                place = "-".join(filter(None, (self.country, self.subdivision)))
                raise ValueError(
                    f"{day} is not a public holiday of {place}, so it cannot be excepted; correct or drop it"
                )
            if day in self.extra:
                raise ValueError(f"{day} stands both in `extra` and in `except`; keep one")
        return self

    def known_years(self) -> range:
        """The years whose holidays are known; outside them nothing can be said of a day."""
        if self.country is None:
            return range(dt.MINYEAR, dt.MAXYEAR)
        return _known_years_of(self.country, self.subdivision)

    def of_year(self, year: int) -> frozenset[dt.date]:
        """The days of `year` that are not worked because of a holiday. `year` must be one of `known_years`."""
        public = (
            frozenset[dt.date]() if self.country is None else _public_holidays_of(self.country, self.subdivision, year)
        )
        return (public - frozenset(self.excepted)) | {day for day in self.extra if day.year == year}


@lru_cache(maxsize=256)
def _known_years_of(country: str, subdivision: str | None) -> range:
    known = public_holidays.country_holidays(country, subdiv=subdivision)
    return range(known.start_year, known.end_year + 1)


@lru_cache(maxsize=4096)
def _public_holidays_of(country: str, subdivision: str | None, year: int) -> frozenset[dt.date]:
    return frozenset(public_holidays.country_holidays(country, subdiv=subdivision, years=year, expand=False))


class MonthEndClose(BaseModel):
    """When the books of a month are closed: at a local time of the nth working day of the month that follows (1 is its first),
    or, counted from the end, of the month itself (-1 is its last).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    working_day: int = Field(ge=-10, le=15)
    at: Annotated[
        int,
        BeforeValidator(_minutes),
        PlainSerializer(_clock_face, return_type=str),
        WithJsonSchema({"type": "string", "pattern": r"^\d\d:\d\d$", "examples": ["18:00"]}),
    ]

    @field_validator("working_day")
    @classmethod
    def _some_day(cls, value: int) -> int:
        if value == 0:
            raise ValueError(
                "working_day 0 is no day; 1 is the first of the following month, -1 the last of the month itself"
            )
        return value


class Calendar(BaseModel):
    """Working time by name: what a promise's hours are counted in.

    `hours` is local wall time of `time_zone` per weekday, or "always": every day from midnight to midnight
    (holidays, if declared, still close it). What starts after the `cut_off`, a local time, counts from the
    next working day's opening.

    >>> Calendar.model_validate({"name": "office", "time_zone": "Europe/Berlin",
    ...     "hours": {"monday": ["09:00-12:00", "13:00-17:00"]}, "cut_off": "16:00"}).cut_off
    960
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    time_zone: str
    hours: Week
    holidays: Holidays = Holidays()
    cut_off: Annotated[
        int | None,
        BeforeValidator(_cut_off),
        PlainSerializer(lambda minutes: None if minutes is None else _clock_face(minutes), return_type=str | None),
        WithJsonSchema({"type": ["string", "null"], "pattern": r"^\d\d:\d\d$", "examples": ["16:00"]}),
    ] = None
    month_end_close: MonthEndClose | None = None

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        zones = available_timezones()
        if name not in zones:
            raise ValueError(f"time_zone {name!r} is not an IANA zone. {_near(name, zones, 'Europe/Berlin')}")
        return name


def _near(name: str, known: Iterable[str], example: str) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else f'Use a name like "{example}".'
