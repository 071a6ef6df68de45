"""What people do about alerts: acknowledge, silence, lift a silence, send again. Each is one link of the audit chain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from console.access import Principal, Right
from console.deeds import reason_of
from trace_model.errors import Refused, UnknownThing
from trace_model.store import Store
from trace_model.store.actions import Action
from trace_model.store.alert_ledger import AlertLedger

SILENCE_FIELDS = ("kind", "owner_team", "system", "promise", "group_id", "cause_key")
LONGEST_SILENCE = timedelta(days=30)


class AlertDeeds:
    """The deeds on alerts, the same for screen, API and command line."""

    def __init__(self, store: Store, ledger: AlertLedger) -> None:
        self._store = store
        self._ledger = ledger

    @classmethod
    def of(cls, store: Store) -> AlertDeeds:
        """The deeds on the alerts of `store`, for whoever has no ledger at hand."""
        return cls(store, AlertLedger(store.database, store.clock))

    def acknowledge(self, principal: Principal, alert_id: str, reason: str) -> Action:
        """Somebody answers for it: the alert is not escalated any more. Raises Refused or UnknownThing."""
        principal.require(Right.TRIAGE)
        now = self._store.clock()
        known = self._store.rows(
            "alert_list", as_of=now, alert_id=alert_id, state=None, kind=None, owner_team=None, offset=0, limit=1
        )
        if not known:
            raise UnknownThing(f"there is no alert '{alert_id}'")
        if known[0]["state"] != "open":
            raise Refused(f"alert '{alert_id}' is {known[0]['state']} already; there is nothing to answer for")
        return self._act(principal, "acknowledge", "alert", alert_id, reason, {"title": known[0]["title"]})

    def silence(self, principal: Principal, matching: Mapping[str, str], until: datetime, reason: str) -> Action:
        """Nobody is told of alerts that match, until `until` (aware); they are raised and shown all the same.

        `matching` names at least one of SILENCE_FIELDS. Its id is the number of the deed. What still holds at the end is
        told then. Raises Refused.
        """
        principal.require(Right.TRIAGE)
        given = {field: value for field, value in matching.items() if value}
        if unknown := set(given) - set(SILENCE_FIELDS):
            raise Refused(f"a silence knows no {', '.join(sorted(unknown))}. Known: {', '.join(SILENCE_FIELDS)}")
        if not given:
            raise Refused(f"a silence must say of what: at least one of {', '.join(SILENCE_FIELDS)}")
        if until.tzinfo is None:
            raise Refused("'until' needs a time zone")
        now = self._store.clock()
        if not now < until <= now + LONGEST_SILENCE:
            raise Refused(f"'until' must lie ahead, by {LONGEST_SILENCE.days} days at most; found {until.isoformat()}")
        subject = ", ".join(f"{field}={value}" for field, value in sorted(given.items()))
        return self._act(principal, "silence", "alert_silence", subject, reason, {**given, "until": until.isoformat()})

    def lift(self, principal: Principal, silence_id: str, reason: str) -> Action:
        """The silence ends now. Raises UnknownThing if none of that id holds."""
        principal.require(Right.TRIAGE)
        if silence_id not in {
            row["silence_id"] for row in self._store.rows("alert_silences", as_of=self._store.clock())
        }:
            raise UnknownThing(f"there is no silence '{silence_id}' that holds now")
        return self._act(principal, "lift", "alert_silence", silence_id, reason, {})

    def send_again(self, principal: Principal, delivery_id: str, reason: str) -> Action:
        """A message that was given up is tried again. Raises UnknownThing if it was not given up."""
        principal.require(Right.TRIAGE)
        why = reason_of(reason)
        self._ledger.again(delivery_id)
        return self._act(principal, "send_again", "alert_delivery", delivery_id, why, {})

    def _act(
        self,
        principal: Principal,
        deed: str,
        subject_type: str,
        subject_id: str,
        reason: str,
        detail: Mapping[str, str],
    ) -> Action:
        return self._store.act(
            actor=principal.name,
            deed=deed,
            subject_type=subject_type,
            subject_id=subject_id,
            reason=reason_of(reason),
            detail=detail,
        )
