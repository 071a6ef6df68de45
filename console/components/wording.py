"""Figures as people say them: money with its currency, ages and due instants in words, instants in the viewer's zone. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def count(number: int | float | None) -> str:
    """A whole number with thousands separators.

    >>> count(1234567), count(None)
    ('1,234,567', '0')
    """
    return f"{int(number or 0):,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "order"), plural(1200, "order"), plural(2, "retry", "retries")
    ('1 order', '1,200 orders', '2 retries')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def money(amount: Decimal | float | None, currency: str | None, *, cents: bool = True) -> str:
    """An amount after its currency; an em dash where there is none.

    >>> money(Decimal("1234.5"), "EUR"), money(Decimal("99999.9"), "EUR", cents=False), money(None, "EUR")
    ('EUR 1,234.50', 'EUR 100,000', '—')
    """
    if amount is None:
        return "—"
    figure = f"{amount:,.2f}" if cents else f"{amount:,.0f}"
    return f"{currency} {figure}" if currency else figure


def span_of(seconds: float | None) -> str:
    """A length of time in at most two units.

    >>> span_of(0.4), span_of(59), span_of(3 * 3600 + 20 * 60), span_of(9 * 86400 + 7200), span_of(40 * 86400)
    ('less than 1 s', '59 s', '3 h 20 min', '9 d 2 h', '40 d')
    """
    if seconds is None:
        return "—"
    left = round(abs(seconds))
    if left == 0:
        return "less than 1 s"
    for position, (size, unit) in enumerate(_UNITS):
        if left >= size:
            whole, rest = divmod(left, size)
            smaller = _UNITS[position + 1] if position + 1 < len(_UNITS) else None
            part = rest // smaller[0] if smaller and whole < 10 else 0
            return f"{whole} {unit}" + (f" {part} {smaller[1]}" if smaller and part else "")
    return "less than 1 s"


def latency(milliseconds: float | None) -> str:
    """How long a call took.

    >>> latency(74.2), latency(1840), latency(None)
    ('74 ms', '1.8 s', '—')
    """
    if milliseconds is None:
        return "—"
    return f"{milliseconds:,.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"


def ago(at: datetime | None, as_of: datetime) -> str:
    """How long ago, or ahead.

    >>> noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> ago(datetime(2026, 3, 2, 11, 50, tzinfo=UTC), noon), ago(datetime(2026, 3, 2, 13, tzinfo=UTC), noon), ago(None, noon)
    ('10 min ago', 'in 1 h', '—')
    """
    if at is None:
        return "—"
    seconds = (as_of - at).total_seconds()
    return f"{span_of(seconds)} ago" if seconds >= 0 else f"in {span_of(seconds)}"


def due(at: datetime | None, as_of: datetime) -> str:
    """What a due instant means at `as_of`.

    >>> noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> due(datetime(2026, 3, 2, 13, tzinfo=UTC), noon), due(datetime(2026, 3, 1, 12, tzinfo=UTC), noon), due(None, noon)
    ('due in 1 h', 'overdue by 1 d', '—')
    """
    if at is None:
        return "—"
    seconds = (at - as_of).total_seconds()
    return f"due in {span_of(seconds)}" if seconds >= 0 else f"overdue by {span_of(seconds)}"


def share(part: float | None) -> str:
    """A part of 1 in per cent; a little is not nothing.

    >>> share(0.5), share(0.00002), share(0.0), share(None)
    ('50.0 %', 'under 0.1 %', '0.0 %', '—')
    """
    if part is None:
        return "—"
    return "under 0.1 %" if 0 < part < 0.001 else f"{part * 100:.1f} %"


def zone_named(name: str | None) -> ZoneInfo:
    """The viewer's zone; UTC where the browser names none that we know."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def instant(at: datetime | None, zone: ZoneInfo, as_of: datetime) -> str:
    """An instant on the viewer's clock: the time today, else with the day, else with the year.

    >>> berlin, noon = ZoneInfo("Europe/Berlin"), datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> instant(datetime(2026, 3, 2, 9, 5, tzinfo=UTC), berlin, noon), instant(datetime(2026, 2, 27, 9, 5, tzinfo=UTC), berlin, noon)
    ('10:05', '27 Feb 10:05')
    """
    if at is None:
        return "—"
    local, today = at.astimezone(zone), as_of.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y %H:%M}"


def day(on: date, *, year: bool = True) -> str:
    """A calendar day.

    >>> day(date(2026, 3, 2)), day(date(2026, 3, 2), year=False)
    ('2 Mar 2026', '2 Mar')
    """
    return f"{on.day} {on:%b %Y}" if year else f"{on.day} {on:%b}"


def exact(at: datetime | None, zone: ZoneInfo) -> str | None:
    """An instant to the second with its zone, for titles.

    >>> exact(datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    '2026-03-02 10:05:07 CET'
    """
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}" if at else None


def parse_instant(text: str) -> datetime:
    """An RFC 3339 instant as aware UTC. Raises ValueError, saying what was found, for anything else.

    >>> parse_instant("2026-03-02T10:05:00+01:00")
    datetime.datetime(2026, 3, 2, 9, 5, tzinfo=datetime.timezone.utc)
    """
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise ValueError(f"'{text[:60]}' is no instant; write it like 2026-03-02T10:05:00Z") from None
    if at.tzinfo is None:
        raise ValueError(f"'{text[:60]}' names no time zone; write it like 2026-03-02T10:05:00Z")
    return at.astimezone(UTC)


def named(object_type: str, object_id: str) -> str:
    """An object in words; its id stands as it is.

    >>> named("credit_note", "CN_1")
    'credit note CN_1'
    """
    return f"{object_type.replace('_', ' ')} {object_id}"
