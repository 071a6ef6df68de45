"""Making a plan: candidates are ordered, decided, keyed and hashed, and from then on frozen. Pure, as `replays.py`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trace_model.patches import patched_paths
from trace_model.replays import Candidate, Decision, Intent, Plan, PlanItem, ReplayLimits, Ruling, Target, decide


@dataclass(frozen=True)
class Unapproved:
    """What one person has lately sent, or is about to, without a second one having looked; `amount` in reporting currency."""

    actor: str
    item_count: int
    amount: Decimal


NONE_EARLIER = Unapproved("", 0, Decimal(0))


def freeze(
    plan_id: str,
    candidates: Iterable[Candidate],
    targets: Mapping[str | None, Target],
    intent: Intent,
    limits: ReplayLimits,
    *,
    created_at: datetime,
    created_by: str,
    reason: str,
    replaces: str | None = None,
    earlier: Unapproved = NONE_EARLIER,
) -> Plan:
    """The plan: items in the order of sending, each decided, the whole hashed. `targets` is by system.

    Above the limits, with what its maker has sent `earlier`, every item to send needs a second person; an approval is for this
    hash, so for these very items.
    """
    ordered = sorted(candidates, key=lambda c: (-urgency(c.amount, c.due_at, created_at), c.exception_id))
    rulings = [decide(c, targets[c.system], intent, limits, created_at) for c in ordered]
    sent = [c for c, ruling in zip(ordered, rulings, strict=True) if ruling.decision == "send"]
    two_keys = why_two_keys(sent, intent, limits, earlier)
    items = tuple(
        _item(number, c, ruling, targets[c.system].engine, plan_id, intent, needs_approval=bool(two_keys))
        for number, (c, ruling) in enumerate(zip(ordered, rulings, strict=True), start=1)
    )
    return Plan(
        plan_id=plan_id,
        hash=plan_hash(items, intent),
        state="planned",
        created_at=created_at,
        created_by=created_by,
        reason=reason,
        items=items,
        needs_approval=bool(two_keys),
        approval_reason=two_keys,
        patch=intent.patch,
        from_step=intent.from_step,
        data_fixed=intent.data_fixed,
        replaces=replaces,
    )


def above_limits(count: int, amount: Decimal, limits: ReplayLimits, earlier: Unapproved) -> list[str]:
    """Why so many items worth so much need a second person, by the limits and what was sent earlier; empty if they do not.

    >>> above_limits(40, Decimal(0), ReplayLimits(approval_count=100), Unapproved("ana", 80, Decimal(0)))
    ['with the 80 items that ana sent without approval in the last 24 h it comes to 120 items, more than 100']
    """
    why = []
    within = f"that {earlier.actor} sent without approval in the last {limits.approval_window_s / 3600:g} h it comes to"
    if count > limits.approval_count:
        why.append(f"it sends {count:,} items, more than {limits.approval_count:,}")
    elif count and count + earlier.item_count > limits.approval_count:
        both = f"{count + earlier.item_count:,} items, more than {limits.approval_count:,}"
        why.append(f"with the {earlier.item_count:,} items {within} {both}")
    if amount > limits.approval_amount:
        why.append(f"it is worth {amount:,.2f}, more than {limits.approval_amount:,.2f} in reporting currency")
    elif amount and amount + earlier.amount > limits.approval_amount:
        both = f"{amount + earlier.amount:,.2f}, more than {limits.approval_amount:,.2f} in reporting currency"
        why.append(f"with the {earlier.amount:,.2f} {within} {both}")
    return why


def why_two_keys(
    sent: Sequence[Candidate], intent: Intent, limits: ReplayLimits, earlier: Unapproved = NONE_EARLIER
) -> str | None:
    """Why a second person must look at what would be sent; None if nobody must."""
    amount = sum((c.amount or Decimal(0) for c in sent), Decimal(0))
    touched = sorted(
        {path for c in sent for path in patched_paths(patch_of(c, intent) or {}) if limits.needs_two_keys(path)}
    )
    why = above_limits(len(sent), amount, limits, earlier)
    if touched:
        why.append(f"it changes money or tax: {', '.join(touched[:5])}")
    return "; ".join(why) or None


def _item(
    number: int,
    c: Candidate,
    ruling: Ruling,
    engine: str | None,
    plan_id: str,
    intent: Intent,
    *,
    needs_approval: bool,
) -> PlanItem:
    key = idempotency_key(c, intent)
    decision: Decision = "needs_approval" if ruling.decision == "send" and needs_approval else ruling.decision
    return PlanItem(
        item_no=number,
        exception_id=c.exception_id,
        group_id=c.group_id,
        object_type=c.object_type,
        object_id=c.object_id,
        object_key=c.object_key,
        operation=c.operation,
        system=c.system,
        engine=engine,
        episode=c.episode,
        trace_id=c.trace_id,
        span_id=c.span_id,
        signature=c.signature,
        milestone=c.milestone,
        object_version=c.object_version,
        amount=c.amount,
        currency=c.currency,
        due_at=c.due_at,
        decision=decision,
        why=ruling.why,
        writes=c.writes,
        idempotency_key=key,
        replay_id=f"rp-{digest(plan_id, key)[:20]}",
        requires_absent=ruling.requires_absent,
        reconciles=c.reconciles,
        patch=patch_of(c, intent),
        starts_from=intent.from_step or c.operation,
        owner_team=c.owner_team,
        outcome="skipped" if decision == "skip" else "planned",
        detail=ruling.why if decision == "skip" else None,
    )


def idempotency_key(c: Candidate, intent: Intent) -> str:
    """The same for the same thing to do, whoever plans it and how often; another once an earlier try is known to have failed.

    Of operation, object, its version, payload (or patch) and failure episode, and the number of tries that have ended.
    """
    payload = digest(c.payload_digest or "", canonical(patch_of(c, intent)), intent.from_step or "")
    return "ct-" + digest(
        c.operation, c.object_type, c.object_id, c.object_version or "", payload, str(c.episode), str(c.tries)
    )[:40]  # fmt: skip


def patch_of(c: Candidate, intent: Intent) -> Mapping[str, Any] | None:
    """What is changed in this item's payload: its own patch, or else the plan's; None where its values were not to be found."""
    return None if c.patch_fault and c.patch is None else c.patch if c.patch is not None else intent.patch


def plan_hash(items: Sequence[PlanItem], intent: Intent) -> str:
    """Covers what would leave the house: items, keys, decisions and patches. The order of the items counts."""
    sha = hashlib.sha256()
    sha.update(canonical(intent.patch).encode() + b"\x1f" + (intent.from_step or "").encode() + b"\x1e")
    for item in items:
        line = (
            str(item.item_no),
            item.exception_id,
            item.decision,
            item.idempotency_key,
            item.replay_id,
            item.trace_id,
            canonical(item.patch),
        )
        sha.update("\x1f".join(line).encode() + b"\x1e")
    return sha.hexdigest()


def urgency(amount: Decimal | None, due_at: datetime | None, now: datetime) -> float:
    """Money per hour left: what is worth most and due soonest goes first. Overdue counts as an hour; no deadline as 30 days.

    >>> from datetime import timedelta
    >>> at = datetime.fromisoformat("2026-03-01T00:00+00:00")
    >>> urgency(Decimal(3000), at + timedelta(hours=3), at), urgency(Decimal(3000), None, at)
    (1000.0, 4.166666666666667)
    """
    hours = (due_at - now).total_seconds() / 3600 if due_at else 720.0
    return float(amount or 0) / max(hours, 1.0)


def canonical(value: Any) -> str:
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
