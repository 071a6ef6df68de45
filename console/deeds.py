"""What people do to exception groups and to the clocks of a timeline.

Each deed checks its right, needs a reason, and is one link of the audit chain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from console.access import Principal, Right
from trace_model.catalogue.failure_rules import CATEGORIES
from trace_model.catalogue.rule_proposals import Named, proposal
from trace_model.errors import Refused, UnknownThing
from trace_model.store import Store
from trace_model.store.actions import Action

GROUP_DEEDS: tuple[str, ...] = (
    "acknowledge", "assign", "snooze", "wake", "resolve", "reclassify", "tag", "link", "note",
)  # fmt: skip
CLOCK_DEEDS: tuple[str, ...] = ("pause", "resume")
SHOWN_WITHIN_S = 5.0
"""How long a deed on clocks waits for what was said and done before to show, and then to show itself; it holds anyway."""
CLASSES = ("business", "technical", "dependency", "unknown")
REASON_MOST = 2000
GROUPS_MOST = 1000
TAGS_MOST, TAG_LENGTH = 20, 40
Particulars = dict[str, Any]


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
        self._read: dict[str, Callable[[Particulars], Particulars]] = {
            "assign": self._assigned,
            "snooze": self._snoozed,
            "reclassify": _reclassified,
            "tag": _tagged,
            "link": _linked,
        }

    def on_group(
        self, principal: Principal, deed: str, group_id: str, reason: str, particulars: Mapping[str, Any] | None = None
    ) -> Action:
        """The deed holds from now on. Raises Refused (no right, no reason, wrong particulars) or UnknownThing (no such group)."""
        return self.on_groups(principal, deed, [group_id], reason, particulars)[0]

    def on_groups(
        self,
        principal: Principal,
        deed: str,
        group_ids: Sequence[str],
        reason: str,
        particulars: Mapping[str, Any] | None = None,
    ) -> list[Action]:
        """The deed holds for every group, or, where one of them is unknown, for none; each is a link of the audit with before and after.

        Raises Refused (also for no group or more than GROUPS_MOST) or UnknownThing, naming the groups.
        """
        principal.require(Right.TRIAGE)
        if deed not in GROUP_DEEDS:
            raise Refused(f"'{deed}' is no deed on a group. Known: {', '.join(GROUP_DEEDS)}")
        why = reason_of(reason)
        wanted = list(dict.fromkeys(group_ids))
        if not wanted:
            raise Refused("choose at least one group")
        if len(wanted) > GROUPS_MOST:
            raise Refused(f"{len(wanted):,} groups are named; at most {GROUPS_MOST:,} at once")
        given = dict(particulars or {})
        detail = self._read[deed](given) if deed in self._read else {}
        now = self._store.clock()
        known = {row["group_id"]: row for row in self._store.rows("group_now", group_ids=wanted, as_of=now)}
        if missing := [group_id for group_id in wanted if group_id not in known]:
            raise UnknownThing(f"there is no exception group '{missing[0]}'" + _and_more(len(missing) - 1))
        proposals = self._proposals(wanted, detail, why) if deed == "reclassify" else {}
        return self._store.act_on_all(
            actor=principal.name,
            deed=deed,
            subject_type="exception_group",
            reason=why,
            details={
                group_id: {
                    **detail,
                    **({"proposal": proposals[group_id]} if group_id in proposals else {}),
                    "before": known[group_id],
                    "after": known[group_id] | _changes(deed, detail, principal.name, now),
                }
                for group_id in wanted
            },
        )

    def on_timeline(
        self,
        principal: Principal,
        deed: str,
        type_: str,
        id_: str,
        reason: str,
        particulars: Mapping[str, Any] | None = None,
        *,
        scope: str | None = None,
    ) -> Action:
        """The clocks of the timeline stand still (`pause`) or run again (`resume`) for the named pause, from `at` (default: now).

        `scope` says whose id it is, where systems or legal entities use one id for different orders. Raises Refused (no
        right, no reason, no such pause, nothing to change, several orders of this id) or UnknownThing (no such timeline).
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
        found = self._store.rows("timeline", type=type_, id=id_, scope=scope, as_of=now)
        named = f"{type_} '{id_}'" + (f" of {scope}" if scope else "")
        if not found:
            raise UnknownThing(f"no {named} leads a timeline as of {now:%Y-%m-%d %H:%M:%S} UTC")
        if len(found) > 1:
            scopes = ", ".join(f"'{row['scope']}'" for row in found)
            raise Refused(f"{named} is the id of {len(found)} different objects; name one by its scope: {scopes}")
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
            detail={"pause": name, "at": at.isoformat(), "scope": found[0]["scope"]},
        )
        self._store.settle(SHOWN_WITHIN_S)
        return action

    def _proposals(self, group_ids: Sequence[str], detail: Particulars, why: str) -> dict[str, str]:
        """For each group that can be told by code, words or status: the rule that would have judged it so."""
        if not detail["category"] or detail["class"] == "unknown":
            return {}
        written = {}
        for seen in self._store.rows("group_exemplars", group_ids=list(group_ids), as_of=self._store.clock()):
            named = Named(
                system=seen["product"],
                code=seen["error_code"] or "",
                message=seen["message"] or "",
                http_status=seen["http_status"],
                class_=detail["class"],
                category=detail["category"],
                why=why,
            )
            try:
                written[seen["group_id"]] = proposal(named)
            except ValueError:
                continue  # nothing was seen that a rule could hold on to: the group is reclassified all the same
        return written

    def _assigned(self, given: Particulars) -> Particulars:
        teams = [t.name for t in self._store.catalogue.teams]
        if given.get("team") not in (None, *teams):
            raise Refused(f"there is no team '{given['team']}'. Known: {', '.join(teams)}")
        if not given.get("team") and not given.get("person"):
            raise Refused("assign needs a team or a person")
        return {key: given.get(key) for key in ("team", "person")}

    def _snoozed(self, given: Particulars) -> Particulars:
        """Until an instant, until so many are open, until so much money is held, or until the system answers: the first that comes true."""
        kept: Particulars = {}
        if given.get("until"):
            kept["until"] = self._ahead(given["until"])
        if given.get("count") is not None:
            kept["count"] = _whole(given["count"])
        if given.get("amount") is not None:
            kept["amount"] = _money(given["amount"])
        if given.get("healthy"):
            kept["healthy"] = True
        if not kept:
            raise Refused("snooze needs 'until' (RFC 3339), 'count', 'amount' or 'healthy': what ends it")
        return kept

    def _ahead(self, until: Any) -> str:
        instant = _instant("until", until)
        if instant <= self._store.clock():
            raise Refused(f"'until' must lie ahead; found {until!r}")
        return instant.isoformat()


def _reclassified(given: Particulars) -> Particulars:
    if given.get("class") not in CLASSES:
        raise Refused(f"reclassify needs 'class', one of {', '.join(CLASSES)}; found {given.get('class')!r}")
    if given.get("category") not in (None, *CATEGORIES):
        raise Refused(f"there is no category {given['category']!r}. Known: {', '.join(CATEGORIES)}")
    return {key: given.get(key) for key in ("class", "category")}


def _tagged(given: Particulars) -> Particulars:
    """The tags that the group has afterwards; none takes them off."""
    said = given.get("tags")
    tags = said.split(",") if isinstance(said, str) else said
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise Refused(f"tag needs 'tags', a list of words; found {said!r}")
    kept = list(dict.fromkeys(tag.strip().lower() for tag in tags if tag.strip()))
    if len(kept) > TAGS_MOST or any(len(tag) > TAG_LENGTH for tag in kept):
        raise Refused(f"at most {TAGS_MOST} tags of at most {TAG_LENGTH} characters")
    return {"tags": kept}


def _linked(given: Particulars) -> Particulars:
    ticket = str(given.get("ticket") or "").strip()
    if not ticket or len(ticket) > 500:
        raise Refused("link needs 'ticket': a ticket's number or its https address")
    if "://" in ticket and (urlsplit(ticket).scheme not in ("http", "https") or not urlsplit(ticket).netloc):
        raise Refused(f"'{ticket[:80]}' is no http address; give a ticket's number or its https address")
    return {"ticket": ticket}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not str(value).isdigit() or int(value) < 1:
        raise Refused(f"'count' is how many open exceptions end the snooze, 1 or more; found {value!r}")
    return int(value)


def _money(value: Any) -> str:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise Refused(f"'amount' is how much money held ends the snooze, in reporting currency; found {value!r}")
    return str(amount)


def _changes(deed: str, detail: Particulars, actor: str, now: datetime) -> Particulars:
    """What of `group_now` a deed changes."""
    match deed:
        case "acknowledge":
            return {"acknowledged_by": actor}
        case "assign":
            return {"assigned_team": detail["team"], "assigned_person": detail["person"]}
        case "snooze":
            return {"snooze": json.dumps(detail)}
        case "wake":
            return {"snooze": None}
        case "resolve":
            return {"resolved_by_hand_at": now.isoformat()}
        case "reclassify":
            return {name: value for name, value in detail.items() if value is not None}
        case "tag" | "link":
            return detail
        case _:
            return {}


def _and_more(count: int) -> str:
    return f", nor {count:,} more of those named" if count else ""


def _instant(name: str, value: Any) -> datetime:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise Refused(f"'{name}' must be an RFC 3339 instant; found {value!r}") from None
    if instant.tzinfo is None:
        raise Refused(f"'{name}' needs a time zone; found {value!r}")
    return instant
