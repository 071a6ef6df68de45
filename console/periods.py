"""Which days a finance question is about: the last so many, or a calendar month. Days are UTC. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta

LAST_DAYS = {"7": "Last 7 days", "30": "Last 30 days", "90": "Last 90 days"}


def read(given: str) -> str:
    """A period as addresses write it: a number of days or a month. Raises ValueError for anything else.

    >>> read("30"), read("2026-02")
    ('30', '2026-02')
    """
    text = given.strip()
    if text.isdigit() and 1 <= int(text) <= 3660:
        return text
    try:
        date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ValueError(f"'{given[:40]}' is no period; write days like 30, or a month like 2026-02") from None
    return text


def days_of(period: str, as_of: datetime) -> tuple[date, date]:
    """The first and the last day of a period that `read` read, both within it.

    >>> from datetime import UTC
    >>> [str(day) for day in days_of("2026-02", datetime(2026, 3, 2, tzinfo=UTC))]
    ['2026-02-01', '2026-02-28']
    >>> [str(day) for day in days_of("7", datetime(2026, 3, 2, tzinfo=UTC))]
    ['2026-02-24', '2026-03-02']
    """
    if period.isdigit():
        return as_of.date() - timedelta(days=int(period) - 1), as_of.date()
    first = date.fromisoformat(f"{period}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def months(as_of: datetime, count: int = 12) -> dict[str, str]:
    """The last `count` calendar months, the running one first, with their names.

    >>> from datetime import UTC
    >>> months(datetime(2026, 1, 15, tzinfo=UTC), 2)
    {'2026-01': 'January 2026', '2025-12': 'December 2025'}
    """
    found = {}
    at = as_of.date().replace(day=1)
    for _ in range(count):
        found[f"{at:%Y-%m}"] = f"{at:%B %Y}"
        at = (at - timedelta(days=1)).replace(day=1)
    return found
