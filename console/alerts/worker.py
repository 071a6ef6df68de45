"""The clock of the house: raises and ends alerts by what time and spans make true, and plans who is told.

Silence fires: no span need come in for a deadline to pass. The worker wakes at the next instant known to matter, when the
derived rows change, and every few seconds, asks the store what began and what ceased to deserve an alert, notes it in the
ledger and plans messages from what the ledger says was told and what was not. So a crash at any point loses nothing and
repeats nothing: the next look finds the same difference. Deliveries run in a thread of their own (`courier.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.alerts import messages
from console.alerts.channels import Channels
from console.alerts.courier import Courier
from console.alerts.departures import departure
from console.alerts.escalations import escalates
from trace_model.catalogue.alert_rules import AlertRules, Route, cross_references
from trace_model.errors import CatalogueError
from trace_model.store import Store
from trace_model.store.alert_ledger import ENDS, AlertLedger, Told, Turn

SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
LOOK_AT_LEAST_EVERY_S = 15.0
SETTLE_S = 1.0
"""How long a look waits for spans that are kept to show in the derived rows, lest an arrival just in time reads as late."""
PATIENCE_S = 30.0
"""How long alerts wait for derived rows that are catching up, before they are raised on what is there."""
OPEN_MOST = 10_000
log = logging.getLogger("cashtrail.alerts")


@dataclass(frozen=True)
class Look:
    """What one look changed: the turns that alerts took, and how many messages were planned."""

    at: datetime
    turns: tuple[Turn, ...]
    planned_count: int


class AlertWorker:
    """Alerts for one store. `clock` gives now as aware UTC; `public_url` is where links in messages lead.

    Raises CatalogueError if `rules` name what the catalogue does not declare.
    """

    def __init__(
        self,
        store: Store,
        ledger: AlertLedger,
        rules: AlertRules,
        channels: Channels,
        clock: Callable[[], datetime],
        public_url: str,
        pollers: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
    ) -> None:
        c = store.catalogue
        problems = cross_references(
            rules,
            teams=[t.name for t in c.teams],
            systems=[s.name for s in c.systems],
            calendars=[k.name for k in c.calendars],
            promises=[p.name for p in c.promises],
        )
        if found := [f"{'.'.join(map(str, where))}: {what}" for where, what in problems]:
            raise CatalogueError(found)
        self._store = store
        self._ledger = ledger
        self._rules = rules
        self._channels = channels
        self._clock = clock
        self._public_url = public_url
        self._pollers = pollers
        self._began_at = clock()
        self._calendars = {k.name: k for k in c.calendars}
        self._teams = {t.name: t for t in c.teams}
        self._courier = Courier(ledger, channels, clock)
        self._stopping = threading.Event()
        self._mail_waits = threading.Event()
        self._threads: list[threading.Thread] = []
        self._seen_seq = -1
        self._next_at: datetime | None = None
        self._looked_at = -LOOK_AT_LEAST_EVERY_S
        self._faults: dict[str, str] = {}

    @property
    def fault(self) -> str | None:
        """Why the last look or the last round could not finish, fit for an operator; None while both do."""
        return "; ".join(list(self._faults.values())) or None

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Alerts are raised and delivered from now on, by two threads of the worker's own."""
        for name, variable in self._channels.without_address.items():
            log.warning("alert channel %s has no address and tells nobody; set %s", name, variable)
        for name, run in (("alert-clock", self._watch), ("alert-outbox", self._deliver)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """No further look is taken and no further try made; what waits in the outbox waits for the next start."""
        self._stopping.set()
        self._mail_waits.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self._courier.close()

    def tick(self) -> Look:
        """One look, then one try of everything due: what the threads do, for whoever has time in hand."""
        look = self.look()
        self.deliver()
        return look

    # -- looking -------------------------------------------------------------------------------------------------

    def look(self) -> Look:
        """The ledger holds what deserves an alert now, and the outbox every message that it is time for.

        Raises StoreUnavailable if it could not be kept: look again.
        """
        if not self._store.settle(SETTLE_S) and self._is_catching_up():
            return Look(self._clock(), (), 0)
        self._seen_seq = self._store.projected_seq
        now = self._clock()
        turns = self.note(now)
        # asked anew: what was noted just now was noted after `now`
        planned = self._plan(self._clock())
        self._next_at = self._store.rows("alert_next_instant", as_of=now, **self._grace())[0]["next_at"]
        if planned:
            self._mail_waits.set()
        return Look(now, tuple(turns), planned)

    def note(self, now: datetime) -> list[Turn]:
        """The first half of a look: the ledger holds what deserves an alert at `now`; nobody is told yet."""
        changes = self._store.rows("alert_changes", as_of=now, **self._grace(), **self._standing(now))
        if not changes:
            return []
        begun = [row for row in changes if row["change"] == "begun"]
        gone = [row["member_no"] for row in changes if row["change"] == "ceased"]
        ceased = self._store.rows("alert_ceased", as_of=now, member_nos=gone) if gone else []
        return self._ledger.note(begun, [departure(row) for row in ceased])

    def deliver(self) -> int:
        """Everything due in the outbox has had one try; returns how many messages that were."""
        return self._courier.round()

    def _grace(self) -> dict[str, float]:
        return {"transient_grace_s": float(self._rules.grace.transient_s), "grace_s": float(self._rules.grace.other_s)}

    def _is_catching_up(self) -> bool:
        """True while derived rows are behind and on the way: what seems late may only be unread. Not for long, and not in a fault."""
        lag = self._store.lag()
        return lag.fault is None and 0 < lag.oldest_unprojected_s < PATIENCE_S

    def _standing(self, now: datetime) -> dict[str, Any]:
        """What the systems are like now, by the rule that the Dependencies page shows, and how long queues may be."""
        states = {row["system"]: row["state"] for row in self._store.rows("system_states", as_of=now)}
        depth = self._rules.queue_depth
        quiet = self._quiet(now)
        return {
            "kinds": list(self._rules.kinds),
            "down": [system for system, state in states.items() if state == "down"],
            "silent": [system for system, state in states.items() if state == "silent"],
            "asleep": self._asleep(now),
            "queue_depth": depth.more_than,
            "queue_teams": list(depth.teams),
            "queue_depths": list(depth.teams.values()),
            "quiet": list(quiet),
            "quiet_since": list(quiet.values()),
            "quiet_team": self._rules.collectors.owner_team,
        }

    def _asleep(self, now: datetime) -> list[str]:
        """The groups that are snoozed. Whether a condition came true takes judging every exception: only where one may sleep."""
        if not self._store.rows("snoozes", as_of=now):
            return []
        return [row["group_id"] for row in self._store.rows("snoozed_groups", as_of=now)]

    def _quiet(self, now: datetime) -> dict[str, datetime]:
        """The collectors that are silent, and since when: senders that used to be heard, and pollers that fail for as long."""
        rules = self._rules.collectors
        if rules.owner_team is None or "collector" not in self._rules.kinds:
            return {}
        asked = {"as_of": now, "silent_after_s": rules.silent_after_s}
        found = {row["source"]: row["last_received_at"] for row in self._store.rows("collector_silences", **asked)}
        for poller in self._pollers():
            since = poller["succeeded_at"] or self._began_at
            if poller["state"] == "failing" and since <= now - timedelta(seconds=rules.silent_after_s):
                found[f"poller:{poller['name']}"] = since
        return found

    # -- planning ------------------------------------------------------------------------------------------------

    def _plan(self, now: datetime) -> int:
        told: dict[str, dict[str, Told]] = {}
        for one in self._ledger.told():
            told.setdefault(one.alert_id, {})[one.channel] = one
        silences = self._store.rows("alert_silences", as_of=now)
        planned = 0
        for alert in self._alerts(now, state="open"):
            route = self._rules.route(alert)
            if route and not any(is_silenced(alert, silence) for silence in silences):
                planned += self._plan_open(alert, route, told.get(alert["alert_id"], {}), now)
        for alert_id, channels in told.items():
            for one in channels.values():
                if one.untold_end:
                    [alert] = self._alerts(now, alert_id=alert_id)
                    planned += self._send(alert, one.channel, one.untold_end, now, 0)
        return planned

    def _plan_open(self, alert: Mapping[str, Any], route: Route, told: Mapping[str, Told], now: datetime) -> int:
        planned = 0
        for channel in route.channels:
            known = told.get(channel)
            if known is None:
                planned += self._send(alert, channel, "raised", now, route.throttle_s)
            elif alert["updated_at"] > known.last_at:
                planned += self._send(alert, channel, "updated", now, route.throttle_s)
        if not told and any(channel in self._channels.senders for channel in route.channels):
            return planned  # first said only now, after a silence: not yet unanswered
        escalation = escalates(alert, route, self._calendars)
        if escalation is None or escalation.at > now:
            return planned
        if alert["escalated_at"] is None:
            names = ", ".join(name for name in escalation.channels if name in self._channels.senders)
            whom = f"told {names}" if names else "nobody could be told: no channel of the escalation has an address"
            self._ledger.escalated(alert["alert_id"], f"not acknowledged by {escalation.at:%Y-%m-%d %H:%M} UTC; {whom}")
        for channel in escalation.channels:
            if channel not in told or "escalated" not in told[channel].events:
                planned += self._send(alert, channel, "escalated", now, route.throttle_s)
        return planned

    def _send(self, alert: Mapping[str, Any], channel: str, event: str, now: datetime, throttle_s: float) -> int:
        if channel not in self._channels.senders and event not in ENDS:
            return 0
        message = messages.write(
            alert,
            event,
            public_url=self._public_url,
            as_of=now,
            currency=self._store.catalogue.reporting_currency,
            owner=self._teams.get(alert["owner_team"]),
            exception_kind=self._exception_kind(alert, now),
        )
        sent = self._ledger.plan(alert["alert_id"], alert["cause_key"], channel, event, message.plain(), throttle_s)
        return 1 if sent else 0

    def _exception_kind(self, alert: Mapping[str, Any], now: datetime) -> str | None:
        if alert["kind"] != "exception":
            return None
        (row,) = self._store.rows("group_kind", group_id=alert["group_id"], as_of=now)
        kind: str | None = row["kind"]
        return kind

    def _alerts(
        self, now: datetime, *, state: str | None = None, alert_id: str | None = None
    ) -> Sequence[dict[str, Any]]:
        return self._store.rows(
            "alert_list",
            as_of=now,
            state=state,
            alert_id=alert_id,
            kind=None,
            owner_team=None,
            offset=0,
            limit=OPEN_MOST,
        )

    # -- the threads ---------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stopping.is_set():
            if self._is_time():
                began = time.monotonic()
                self._guard(self.look, "alerts could not be looked for")
                self._looked_at = time.monotonic()
                # looks leave the processor to others for nine times as long as they take, as far as deadlines allow
                self._stopping.wait(min(9 * (self._looked_at - began), LONGEST_WAIT_S / 2))
            self._stopping.wait(SHORTEST_WAIT_S)

    def _is_time(self) -> bool:
        since_s = time.monotonic() - self._looked_at
        changed = self._store.recorded_seq != self._seen_seq and since_s >= 1.0
        passed = self._next_at is not None and self._next_at < self._clock()
        return changed or passed or since_s >= LOOK_AT_LEAST_EVERY_S

    def _deliver(self) -> None:
        while not self._stopping.is_set():
            self._guard(self.deliver, "alerts could not be delivered")
            self._mail_waits.clear()
            self._mail_waits.wait(1.0)

    def _guard(self, act: Callable[[], Any], what: str) -> None:
        try:
            act()
            self._faults.pop(what, None)
        except Exception as fault:
            # a clock that stops at a fault would be silent for good; it says so and goes on
            self._faults[what] = f"{what}: {fault}"
            log.exception("%s; trying again", what)
            self._stopping.wait(2.0)


def is_silenced(alert: Mapping[str, Any], silence: Mapping[str, Any]) -> bool:
    """True if every field that the silence names is the alert's own.

    >>> is_silenced({"kind": "outage", "system": "erp"}, {"system": "erp", "kind": None})
    True
    """
    fields = ("kind", "owner_team", "system", "promise", "group_id", "cause_key")
    return all(silence.get(field) in (None, alert.get(field)) for field in fields)
