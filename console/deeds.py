"""What people do to exception groups and to the clocks of a timeline.

Each deed checks its right, needs a reason, and is one link of the audit chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.access import Principal, Right
from trace_model.errors import Refused, UnknownThing
from trace_model.store import Store
from trace_model.store.actions import Action

GROUP_DEEDS: tuple[str, ...] = ("acknowledge", "assign", "snooze", "resolve", "reclassify", "note")
CLOCK_DEEDS: tuple[str, ...] = ("pause", "resume")
SHOWN_WITHIN_S = 5.0
"""How long a deed on clocks waits for what was said and done before to show, and then to show itself; it holds anyway."""
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
    """The deeds on exception groups and timelines, the same for screen and API."""

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

    def on_timeline(
        self,
        principal: Principal,
        deed: str,
        type_: str,
        id_: str,
        reason: str,
        particulars: Mapping[str, Any] | None = None,
    ) -> Action:
        """The clocks of the timeline stand still (`pause`) or run again (`resume`) for the named pause, from `at` (default: now).

        Raises Refused (no right, no reason, no such pause, nothing to change) or UnknownThing (no such timeline).
        """
        principal.require(Right.TRIAGE)
        if deed not in CLOCK_DEEDS:
            raise Refused(f"'{deed}' is no deed on a timeline. Known: {', '.join(CLOCK_DEEDS)}")
        why = reason_of(reason)
        given = dict(particulars or {})
        pauses = {p.name: p.label for p in self._store.catalogue.pauses}
        name = given.get("pause")
        if name not in pauses:
            raise Refused(f"{deed} needs 'pause', one of {', '.join(pauses) or 'none declared'}; found {name!r}")
        now = self._store.clock()
        at = now if given.get("at") is None else _instant("at", given["at"])
        if at > now:
            raise Refused(f"'at' must not lie ahead; found {given['at']!r}")
        self._store.settle(SHOWN_WITHIN_S)
        found = self._store.rows("timeline", type=type_, id=id_, scope=None, as_of=now)
        if not found:
            raise UnknownThing(f"no {type_} '{id_}' leads a timeline as of {now:%Y-%m-%d %H:%M:%S} UTC")
        if len(found) > 1:
            raise Refused(
                f"{type_} '{id_}' is the id of {len(found)} different objects; a pause cannot tell them apart"
            )
        standing = [
            p
            for p in self._store.rows("timeline_pauses", lead_key=found[0]["lead_key"], as_of=now)
            if p["pause"] == name and p["until_at"] is None
        ]
        if deed == "pause" and standing:
            raise Refused(f"{pauses[name]} stands already, since {standing[0]['from_at']:%Y-%m-%d %H:%M} UTC")
        if deed == "resume" and not standing:
            raise Refused(f"{pauses[name]} does not stand, so there is nothing to resume from")
        if deed == "resume" and at < standing[0]["from_at"]:
            raise Refused(f"it stands since {standing[0]['from_at']:%Y-%m-%d %H:%M} UTC and cannot end before")
        action = self._store.act(
            actor=principal.name,
            deed=deed,
            subject_type="timeline",
            subject_id=f"{type_}:{id_}",
            reason=why,
            detail={"pause": name, "at": at.isoformat()},
        )
        self._store.settle(SHOWN_WITHIN_S)
        return action

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
                instant = _instant("until", until)
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


def _instant(name: str, value: Any) -> datetime:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise Refused(f"'{name}' must be an RFC 3339 instant; found {value!r}") from None
    if instant.tzinfo is None:
        raise Refused(f"'{name}' needs a time zone; found {value!r}")
    return instant
