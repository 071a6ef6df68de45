"""The ledger of alerts: what was raised and ended, about what, and the outbox of messages about it.

The only place that writes the alert tables. Every method is one transaction under the recording lock, durable when it
returns. Nothing here decides what deserves an alert (`reads/alert_changes.sql`) or whom to tell (`console/alerts`).
Any method may raise StoreUnavailable: nothing was kept, trying again may help and is safe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from trace_model.errors import Refused, UnknownThing
from trace_model.store.database import Database, transaction

_UTC = pa.timestamp("us", tz="UTC")
_MEMBERS = pa.schema(
    [
        ("member_no", pa.int64()),
        ("alert_id", pa.string()),
        ("subject", pa.string()),
        ("lead_key", pa.uint64()),
        ("object_type", pa.string()),
        ("object_id", pa.string()),
        ("amount", pa.decimal128(18, 2)),
        ("since", _UTC),
        ("joined_at", _UTC),
    ]
)
_DEPARTURES = pa.schema(
    [("member_no", pa.int64()), ("left_at", _UTC), ("because", pa.string()), ("detail", pa.string())]
)
_FACTS = ("cause_key", "kind", "owner_team", "class", "category", "system", "promise", "group_id", "title", "since")
ENDS = ("resolved", "withdrawn")


@dataclass(frozen=True)
class Departure:
    """A member leaves its alert: `because` is one word for sums, `detail` one sentence for people."""

    member_no: int
    alert_id: str
    because: str
    detail: str


@dataclass(frozen=True)
class Turn:
    """What one look changed about one alert: `event` is raised, updated, eased, resolved or withdrawn."""

    alert_id: str
    event: str
    detail: str


@dataclass(frozen=True)
class Told:
    """What one channel was told about one alert: the events, when last, and the alert's end that it was not told, if any."""

    alert_id: str
    channel: str
    events: frozenset[str]
    last_at: datetime
    untold_end: str | None


@dataclass(frozen=True)
class Delivery:
    """A message to one channel, as it waits in the outbox. `delivery_id` is its idempotency key, the same at every try."""

    delivery_id: str
    alert_id: str
    channel: str
    event: str
    created_at: datetime
    message: Mapping[str, Any]
    attempt_count: int


class AlertLedger:
    """The alert tables of one database. Threads may share it. `clock` gives now as aware UTC."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._writer = database.cursor()

    # -- alerts --------------------------------------------------------------------------------------------------

    def note(self, begun: Sequence[Mapping[str, Any]], departures: Sequence[Departure]) -> list[Turn]:
        """Members have joined and left as told; alerts whose cause is new are raised, those without members ended.

        `begun` are rows of `reads/alert_changes.sql`. Returns one turn per alert touched, in order of alert_id. An alert
        all of whose members were withdrawn is itself withdrawn: it should never have been raised.
        """
        now = self._clock()
        with self._writing() as c:
            standing = dict(c.execute(_STANDING).fetchall())
            raised: dict[str, tuple[str, Mapping[str, Any]]] = {}
            members: list[dict[str, Any]] = []
            next_member = _next(c, "alert_members", "member_no")
            for row in begun:
                cause = row["cause_key"]
                if cause not in standing:
                    standing[cause] = _alert_id(c, cause, row["since"], now)
                    raised[standing[cause]] = (cause, row)
                members.append(
                    {name: row.get(name) for name in _MEMBERS.names}
                    | {"member_no": next_member + len(members), "alert_id": standing[cause], "joined_at": now}
                )
            for alert_id, (_, row) in raised.items():
                c.execute(
                    "insert into alerts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [alert_id, *(row[name] for name in _FACTS), now],
                )
            _insert(c, "alert_members", members, _MEMBERS)
            left = [
                {"member_no": d.member_no, "left_at": now, "because": d.because, "detail": d.detail} for d in departures
            ]
            _insert(c, "alert_departures", left, _DEPARTURES)
            turns = self._turns(c, raised, members, departures)
            for turn in turns:
                self._event(c, turn.alert_id, now, turn.event, turn.detail)
        return turns

    def escalated(self, alert_id: str, detail: str) -> None:
        """The alert counts as escalated; its messages are planned by the caller."""
        with self._writing() as c:
            self._event(c, alert_id, self._clock(), "escalated", detail)

    # -- the outbox ----------------------------------------------------------------------------------------------

    def plan(
        self, alert_id: str, cause_key: str, channel: str, event: str, message: Mapping[str, Any], throttle_s: float
    ) -> str | None:
        """The message will be delivered, surviving a crash; returns its delivery_id, or None where nothing need be said.

        A message leaves at the earliest `throttle_s` after the last one about that cause to that channel, and takes the
        place of one that still waits untried. An escalation and an end are never throttled and drop what waits untried;
        an end is said only where something was said or tried before: what heals first wakes nobody.
        """
        now = self._clock()
        not_before = now
        with self._writing() as c:
            if event in (*ENDS, "escalated"):
                c.execute(
                    "update alert_deliveries set state = 'dropped', settled_at = ?, detail = 'overtaken before it was sent' "
                    "where alert_id = ? and channel = ? and state = 'pending' and attempt_count = 0",
                    [now, alert_id, channel],
                )
                if event in ENDS and not self._was_told(c, alert_id, channel):
                    return None
            elif replaced := self._replace(c, alert_id, channel, message, now):
                return replaced
            else:
                [(last,)] = c.execute(_LAST_LEFT, [cause_key, channel]).fetchall()
                not_before = max(now, last + timedelta(seconds=throttle_s)) if last else now
            number = _next(c, "alert_deliveries", "delivery_no")
            delivery_id = _digest(alert_id, channel, event, str(number))
            c.execute(
                "insert into alert_deliveries values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0, ?, null, null)",
                [number, delivery_id, alert_id, cause_key, channel, event, now, _text(message), not_before, not_before],
            )
            return delivery_id

    def due(self, limit: int = 100) -> list[Delivery]:
        """The messages to send now, oldest first: never two at once for one alert and channel, so that none overtakes another."""
        with self._database.reading() as c:
            rows = c.execute(_DUE, {"now": self._clock(), "limit": limit}).fetchall()
        return [Delivery(i, a, ch, e, at, json.loads(text), n) for i, a, ch, e, at, text, n in rows]

    def next_due_at(self) -> datetime | None:
        """When the next waiting message may go, or None: nothing waits."""
        with self._database.reading() as c:
            row = c.execute("select min(next_attempt_at) from alert_deliveries where state = 'pending'").fetchone()
        return row[0] if row else None

    def begin(self, delivery: Delivery, next_attempt_at: datetime) -> bool:
        """True if the caller, and nobody else, may send it now. Should it die trying, the message is due again at `next_attempt_at`."""
        with self._writing() as c:
            taken = c.execute(
                "update alert_deliveries set attempt_count = attempt_count + 1, next_attempt_at = ? "
                "where delivery_id = ? and state = 'pending' and attempt_count = ? returning delivery_no",
                [next_attempt_at, delivery.delivery_id, delivery.attempt_count],
            ).fetchone()
        return taken is not None

    def delivered(self, delivery: Delivery, detail: str) -> None:
        self._settle(delivery, "delivered", detail)

    def failed(self, delivery: Delivery, detail: str) -> None:
        """The message is given up; the page shows it, with the reason, until someone sends it again."""
        self._settle(delivery, "failed", detail)

    def postponed(self, delivery: Delivery, next_attempt_at: datetime, detail: str) -> None:
        """The try failed and another is made at `next_attempt_at`; the reason shows meanwhile."""
        with self._writing() as c:
            c.execute(
                "update alert_deliveries set next_attempt_at = ?, detail = ? where delivery_id = ? and state = 'pending'",
                [next_attempt_at, detail, delivery.delivery_id],
            )

    def again(self, delivery_id: str) -> None:
        """A message that was given up waits to be sent again, now.

        Raises UnknownThing if it was not given up, Refused if its alert has ended and it would open it anew.
        """
        now = self._clock()
        with self._writing() as c:
            rows = c.execute(_GIVEN_UP, [delivery_id]).fetchall()
            if not rows:
                raise UnknownThing(f"there is no failed delivery '{delivery_id}'")
            if rows[0][0] not in ENDS and rows[0][1]:
                raise Refused("the alert has ended since; its receivers would take this message for a new one")
            c.execute(
                "update alert_deliveries set state = 'pending', attempt_count = 0, next_attempt_at = ?, created_at = ?, "
                "settled_at = null where delivery_id = ?",
                [now, now, delivery_id],
            )

    def told(self) -> list[Told]:
        """What each channel was told about each open alert, and about those ended ones whose end it has not been told.

        Dropped messages do not count; those given up do.
        """
        with self._database.reading() as c:
            rows = c.execute(_TOLD).fetchall()
        return [Told(alert_id, channel, frozenset(events), at, end) for alert_id, channel, events, at, end in rows]

    # -- inside --------------------------------------------------------------------------------------------------

    def _turns(
        self,
        c: duckdb.DuckDBPyConnection,
        raised: Mapping[str, Any],
        members: Sequence[Mapping[str, Any]],
        departures: Sequence[Departure],
    ) -> list[Turn]:
        joined = _counted(m["alert_id"] for m in members)
        left: dict[str, list[Departure]] = {}
        for departure in departures:
            left.setdefault(departure.alert_id, []).append(departure)
        touched = sorted({*joined, *left})
        standing = {row[0]: row[1:] for row in c.execute(_COUNTS, [touched]).fetchall()}
        turns = []
        for alert_id in touched:
            present, withdrawn, gone = standing[alert_id]
            words = _left_in_words(left.get(alert_id, []))
            if alert_id in raised:
                turns.append(Turn(alert_id, "raised", f"{joined[alert_id]} concerned"))
            elif present == 0:
                turns.append(Turn(alert_id, "withdrawn" if withdrawn == gone else "resolved", words))
            else:
                new = f"{joined[alert_id]} more concerned." if alert_id in joined else ""
                worth_telling = new or any(d.because == "withdrawn" for d in left[alert_id])
                event = "updated" if worth_telling else "eased"
                turns.append(Turn(alert_id, event, " ".join(part for part in (new, words) if part)))
        return turns

    def _was_told(self, c: duckdb.DuckDBPyConnection, alert_id: str, channel: str) -> bool:
        said = "select 1 from alert_deliveries where alert_id = ? and channel = ? and state <> 'dropped' limit 1"
        return bool(c.execute(said, [alert_id, channel]).fetchall())

    def _replace(
        self, c: duckdb.DuckDBPyConnection, alert_id: str, channel: str, message: Mapping[str, Any], now: datetime
    ) -> str | None:
        """The message that waits untried says the latest instead, under its own event; None if none waits."""
        waiting = c.execute(
            "select delivery_id, event from alert_deliveries where alert_id = ? and channel = ? and state = 'pending' "
            "and attempt_count = 0 and event in ('raised', 'updated')",
            [alert_id, channel],
        ).fetchone()
        if waiting is None:
            return None
        text = _text({**message, "event": waiting[1]})
        c.execute(
            "update alert_deliveries set message = ?, created_at = ? where delivery_id = ?", [text, now, waiting[0]]
        )
        return str(waiting[0])

    def _event(self, c: duckdb.DuckDBPyConnection, alert_id: str, at: datetime, event: str, detail: str) -> None:
        c.execute(
            "insert into alert_events values (?, ?, ?, ?, ?)",
            [_next(c, "alert_events", "event_no"), alert_id, at, event, detail],
        )

    def _settle(self, delivery: Delivery, state: str, detail: str) -> None:
        with self._writing() as c:
            c.execute(
                "update alert_deliveries set state = ?, settled_at = ?, detail = ? where delivery_id = ? and state = 'pending'",
                [state, self._clock(), detail, delivery.delivery_id],
            )

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._database.recording, transaction(self._writer) as c:
            yield c


_STANDING = """
select cause_key, alert_id from alerts
where alert_id not in (select alert_id from alert_events where event in ('resolved', 'withdrawn'))
"""
_COUNTS = """
select m.alert_id, count(*) filter (d.member_no is null), count(*) filter (d.because = 'withdrawn'), count(d.member_no)
from alert_members m left join alert_departures d using (member_no)
where list_contains(?, m.alert_id) group by m.alert_id
"""
_TOLD = """
with ends as (
    select alert_id, arg_max(event, event_no) as event from alert_events where event in ('resolved', 'withdrawn') group by alert_id
)
select d.alert_id, d.channel, list(distinct d.event), max(d.created_at), any_value(e.event)
from alert_deliveries d left join ends e using (alert_id)
where d.state <> 'dropped'
group by d.alert_id, d.channel
having count(e.event) = 0 or count(*) filter (d.event = e.event) = 0
order by d.alert_id, d.channel
"""
_LAST_LEFT = """
select max(not_before) from alert_deliveries
where cause_key = ? and channel = ? and event not in ('resolved', 'withdrawn') and state <> 'dropped'
"""
_GIVEN_UP = """
select event, alert_id in (select alert_id from alert_events where event in ('resolved', 'withdrawn'))
from alert_deliveries where delivery_id = ? and state = 'failed'
"""
_DUE = """
select delivery_id, alert_id, channel, event, created_at, message, attempt_count
from alert_deliveries
where state = 'pending'
qualify row_number() over (partition by alert_id, channel order by delivery_no) = 1 and next_attempt_at <= $now
order by delivery_no limit $limit
"""


def _left_in_words(left: Sequence[Departure]) -> str:
    """At most three sentences, and how many more there are."""
    words = " ".join(departure.detail for departure in left[:3])
    return f"{words} And {len(left) - 3:,} more." if len(left) > 3 else words


def _alert_id(c: duckdb.DuckDBPyConnection, cause_key: str, since: datetime, now: datetime) -> str:
    alert_id = _digest(cause_key, since.isoformat())
    if c.execute("select 1 from alerts where alert_id = ?", [alert_id]).fetchall():
        # the same cause from the same instant, after an end: a snooze ran out, a withdrawal was itself wrong
        return _digest(cause_key, since.isoformat(), now.isoformat())
    return alert_id


def _insert(c: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    if rows:
        c.register("noted", pa.Table.from_pylist([dict(row) for row in rows], schema=schema))
        try:
            c.execute(f"insert into {name} by name select * from noted")  # noqa: S608 our own names
        finally:
            c.unregister("noted")


def _next(c: duckdb.DuckDBPyConnection, table: str, column: str) -> int:
    [row] = c.execute(f"select coalesce(max({column}), 0) + 1 from {table}").fetchall()  # noqa: S608 our own names
    return int(row[0])


def _counted(values: Iterator[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def _text(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, sort_keys=True, default=str)
