"""How values look on the wire: amounts as decimal strings, instants as RFC 3339 UTC, durations as seconds."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from trace_model.errors import Refused

PAGE_MOST = 1000


def plain(value: Any) -> Any:
    """`value` as JSON can carry it, without losing a cent or a microsecond.

    >>> plain({"amount": Decimal("1234.5000"), "at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "share": 0.5})
    {'amount': '1234.50', 'at': '2026-03-01T09:30:00Z', 'share': 0.5}
    """
    match value:
        case Decimal():
            return amount(value)
        case datetime():
            return instant(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [plain(entry) for entry in value]
        case float() if value != value:
            return None
        case _:
            return value


def amount(value: Decimal | None) -> str | None:
    """A decimal string with at least two places and no needless ones.

    >>> amount(Decimal("10.0000")), amount(Decimal("0.1250")), amount(None)
    ('10.00', '0.125', None)
    """
    if value is None:
        return None
    short = value.normalize()
    exponent = short.as_tuple().exponent
    return f"{short:f}" if isinstance(exponent, int) and exponent < -2 else f"{value:.2f}"


def instant(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, with `Z`.

    >>> instant(datetime(2026, 3, 1, 9, 30, 0, 250000, tzinfo=UTC))
    '2026-03-01T09:30:00.250000Z'
    """
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None


def thing(type_: str | None, id_: str | None, scope: str | None = None) -> dict[str, str] | None:
    """An object as the contract writes it, or None where there is none; `scope` only where ids are those of one system or entity."""
    if not type_ or not id_:
        return None
    return {"type": type_, "id": id_} | ({"scope": scope} if scope else {})


def cursor_of(offset: int) -> str:
    return base64.urlsafe_b64encode(f"o{offset}".encode()).decode().rstrip("=")


def offset_of(cursor: str | None) -> int:
    """Where a page begins. Raises Refused for a cursor that this API did not give.

    >>> offset_of(cursor_of(150))
    150
    """
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        if not text.startswith("o") or not text[1:].isdigit():
            raise ValueError
        return int(text[1:])
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refused(f"'{cursor[:60]}' is no cursor of this API; take `next_cursor` from the page before") from None


def page(key: str, rows: list[dict[str, Any]], offset: int, limit: int, as_of: datetime, total: int) -> dict[str, Any]:
    """One page of a list: the rows under `key`, how many match in all, and where the next page begins."""
    more = offset + len(rows) < total
    return {
        key: plain(rows),
        "total": total,
        "next_cursor": cursor_of(offset + limit) if more else None,
        "as_of": instant(as_of),
    }
