"""What people do to exception groups: each deed checks its right, needs a reason, and is one link of the audit chain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.access import Principal, Right
from trace_model.errors import Refused, UnknownThing
from trace_model.store import Store
from trace_model.store.actions import Action

GROUP_DEEDS: tuple[str, ...] = ("acknowledge", "assign", "snooze", "resolve", "reclassify", "note")
CLASSES = ("business", "technical", "dependency", "unknown")
REASON_MOST = 2000


def reason_of(text: str | None) -> str:
    """The reason, trimmed. Raises Refused where it is missing or longer than REASON_MOST characters."""
    reason = (text or "").strip()
    if not reason:
        raise Refused("a reason is needed: one sentence that the next person can understand")
    if len(reason) > REASON_MOST:
        raise Refused(f"the reason has {len(reason):,} characters; at most {REASON_MOST:,}")
    return reason


class Deeds:
    """The deeds on exception groups, the same for screen and API."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_group(
        self, principal: Principal, deed: str, group_id: str, reason: str, particulars: Mapping[str, Any] | None = None
    ) -> Action:
        """The deed holds from now on. Raises Refused (no right, no reason, wrong particulars) or UnknownThing (no such group)."""
        principal.require(Right.TRIAGE)
        if deed not in GROUP_DEEDS:
            raise Refused(f"'{deed}' is no deed on a group. Known: {', '.join(GROUP_DEEDS)}")
        why = reason_of(reason)
        detail = self._particulars(deed, dict(particulars or {}))
        known = self._store.rows("group_now", group_id=group_id, as_of=self._store.clock())
        if not known:
            raise UnknownThing(f"there is no exception group '{group_id}'")
        detail["before"] = known[0]
        return self._store.act(
            actor=principal.name,
            deed=deed,
            subject_type="exception_group",
            subject_id=group_id,
            reason=why,
            detail=detail,
        )

    def _particulars(self, deed: str, given: dict[str, Any]) -> dict[str, Any]:
        match deed:
            case "assign":
                teams = [t.name for t in self._store.catalogue.teams]
                if given.get("team") not in (None, *teams):
                    raise Refused(f"there is no team '{given['team']}'. Known: {', '.join(teams)}")
                if not given.get("team") and not given.get("person"):
                    raise Refused("assign needs a team or a person")
                return {key: given.get(key) for key in ("team", "person")}
            case "snooze":
                until = given.get("until")
                try:
                    instant = until if isinstance(until, datetime) else datetime.fromisoformat(str(until))
                except ValueError:
                    raise Refused(f"snooze needs 'until', an RFC 3339 instant; found {until!r}") from None
                if instant.tzinfo is None:
                    raise Refused(f"'until' needs a time zone; found {until!r}")
                if instant <= self._store.clock():
                    raise Refused(f"'until' must lie ahead; found {until!r}")
                return {"until": instant.isoformat()}
            case "reclassify":
                if given.get("class") not in CLASSES:
                    raise Refused(
                        f"reclassify needs 'class', one of {', '.join(CLASSES)}; found {given.get('class')!r}"
                    )
                return {key: given.get(key) for key in ("class", "category")}
            case _:
                return {}
