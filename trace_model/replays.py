"""Replays as plain values: what a plan is, which items it may send and why not, how outcomes move, when to brake.

Pure: no clock, no database, no network. The store keeps what is decided here (`store/ledger.py`), the console sends it
(`console/replay/`). Every rule stands here once, so that screen, API and command line cannot differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

Decision = Literal["send", "skip", "needs_approval"]
Outcome = Literal[
    "planned",
    "sent",
    "accepted",
    "rejected",
    "uncertain",
    "milestone_reached",
    "failed_again",
    "no_evidence",
    "skipped",
]
PlanState = Literal["planned", "approved", "running", "paused", "finished", "cancelled"]

LEGAL_OUTCOMES: dict[Outcome, frozenset[Outcome]] = {
    "planned": frozenset({"sent", "skipped"}),
    "sent": frozenset({"planned", "accepted", "rejected", "uncertain", "milestone_reached", "failed_again"}),
    "uncertain": frozenset({"sent", "accepted", "rejected", "milestone_reached", "failed_again", "no_evidence"}),
    "accepted": frozenset({"milestone_reached", "failed_again", "no_evidence"}),
    "no_evidence": frozenset({"milestone_reached", "failed_again"}),
    "rejected": frozenset(),
    "skipped": frozenset(),
    "milestone_reached": frozenset(),
    "failed_again": frozenset(),
}
"""Outcomes only move forward, but for `sent -> planned`: the engine said that it did not take the call.

`uncertain -> sent` is the second call under the same key, once engine and target have both said that they know nothing of
the first; `no_evidence` gives way to late evidence.
"""

LEGAL_STATES: dict[PlanState, frozenset[PlanState]] = {
    "planned": frozenset({"approved", "running", "cancelled"}),
    "approved": frozenset({"running", "cancelled"}),
    "running": frozenset({"paused", "finished", "cancelled"}),
    "paused": frozenset({"running", "cancelled"}),
    "finished": frozenset(),
    "cancelled": frozenset(),
}

OUTSTANDING: frozenset[Outcome] = frozenset({"sent", "accepted", "uncertain"})
"""Sent, and not known how it ended: nothing else may be sent for that operation and object."""
PROVEN_BAD: frozenset[Outcome] = frozenset({"failed_again", "rejected", "no_evidence"})


@dataclass(frozen=True)
class ReplayLimits:
    """How much one plan may do at once. Times in seconds, amounts in the reporting currency.

    Above `approval_*` a second person must look. The first `canary_count` of more than `canary_above` items go alone. A plan
    brakes when at least `brake_at_least` items and more than `brake_share` of those that ended did so badly. `quiet_s` is how
    long a dependency must be up before it is trusted; `recovery` what happens then to the failures it left behind.
    """

    approval_count: int = 250
    approval_amount: Decimal = Decimal("2000000")
    approval_valid_s: float = 8 * 3600
    plan_valid_s: float = 24 * 3600
    canary_above: int = 3
    canary_count: int = 1
    wave_size: int = 25
    brake_share: float = 0.2
    brake_at_least: int = 2
    outstanding_per_target: int = 40
    calls_per_target: int = 4
    calls_per_s: float = 20.0
    evidence_timeout_s: float = 120.0
    uncertain_for_s: float = 15.0
    ask_again_s: float = 2.0
    tries: int = 6
    in_flight_s: float = 1800.0
    quiet_s: float = 30.0
    recovery: Literal["off", "propose", "start"] = "propose"
    recovery_at_least: int = 3


@dataclass(frozen=True)
class Intent:
    """What the operator asked for beside the exceptions themselves."""

    patch: Mapping[str, Any] | None = None
    from_step: str | None = None
    data_fixed: bool = False

    @property
    def changes_something(self) -> bool:
        return bool(self.patch) or self.data_fixed


@dataclass(frozen=True)
class Candidate:
    """One exception with every fact that the plan rules look at, as of one instant.

    `amount` is the money it holds up, in `currency` (the reporting currency). `due_at` is the nearest deadline it
    threatens. `tries` counts the replays of this episode that are known to have ended without success.
    """

    exception_id: str
    group_id: str | None
    operation: str
    object_type: str
    object_id: str
    object_key: int
    system: str | None
    episode: int
    trace_id: str
    span_id: str
    state: str
    failure_class: str
    signature: str
    last_failed_at: datetime
    milestone: str | None = None
    object_version: str | None = None
    failed_version: str | None = None
    payload_digest: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    due_at: datetime | None = None
    replayable: bool = True
    writes: tuple[str, ...] = ()
    retrying: bool = False
    milestone_at: datetime | None = None
    cancelled_at: datetime | None = None
    outstanding_plan_id: str | None = None
    unproven_replay_id: str | None = None
    tries: int = 0
    last_replay_signature: str | None = None
    last_replay_failed_at: datetime | None = None
    succeeded_since: bool = False


@dataclass(frozen=True)
class Target:
    """Who would carry the item out: the engine's name (None: none is configured) and its dependency's state."""

    engine: str | None
    dependency: Literal["up", "down", "degraded", "unknown"] = "unknown"


@dataclass(frozen=True)
class PlanItem:
    """One object's operation in a plan; `item_no` is the order of sending. Frozen but for outcome, detail and instants.

    `requires_absent`: an earlier replay has shown nothing, so this one goes out only if the target says it has nothing.
    """

    item_no: int
    exception_id: str
    group_id: str | None
    object_type: str
    object_id: str
    object_key: int
    operation: str
    system: str | None
    engine: str | None
    episode: int
    trace_id: str
    span_id: str
    signature: str
    milestone: str | None
    object_version: str | None
    amount: Decimal | None
    currency: str | None
    due_at: datetime | None
    decision: Decision
    why: str
    writes: tuple[str, ...]
    idempotency_key: str
    replay_id: str
    requires_absent: bool = False
    outcome: Outcome = "planned"
    detail: str | None = None
    run_id: str | None = None
    tries: int = 0
    not_before: datetime | None = None
    sent_at: datetime | None = None
    sent_seq: int | None = None
    settled_at: datetime | None = None

    @property
    def will_send(self) -> bool:
        return self.decision != "skip"

    def as_dict(self) -> dict[str, Any]:
        """The item in the contract's shape (contract section 4), plus what a screen shows of its progress."""
        return {
            "item_no": self.item_no,
            "exception_id": self.exception_id,
            "group_id": self.group_id,
            "object": {"type": self.object_type, "id": self.object_id},
            "operation": self.operation,
            "system": self.system,
            "decision": self.decision,
            "why": self.why,
            "idempotency_key": self.idempotency_key,
            "replay_id": self.replay_id,
            "writes": list(self.writes),
            "outcome": self.outcome,
            "detail": self.detail,
            "sent_at": self.sent_at,
            "settled_at": self.settled_at,
            "amount": self.amount,
            "currency": self.currency,
        }


@dataclass(frozen=True)
class Plan:
    """A frozen list of what would be sent. `hash` covers everything that decides what leaves the house."""

    plan_id: str
    hash: str
    state: PlanState
    created_at: datetime
    created_by: str
    reason: str
    items: tuple[PlanItem, ...]
    needs_approval: bool = False
    patch: Mapping[str, Any] | None = None
    from_step: str | None = None
    data_fixed: bool = False
    executed_by: str | None = None
    executed_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    approved_until: datetime | None = None
    state_reason: str | None = None
    canary_from: int = 0

    @property
    def sends(self) -> tuple[PlanItem, ...]:
        return tuple(item for item in self.items if item.will_send)

    def totals(self) -> dict[str, int]:
        """How many items have each outcome; the sum is the number of items."""
        counts: dict[str, int] = {}
        for item in self.items:
            counts[item.outcome] = counts.get(item.outcome, 0) + 1
        return counts

    def as_dict(self) -> dict[str, Any]:
        """The plan in the contract's shape (contract section 4), plus state and totals."""
        return {
            "plan_id": self.plan_id,
            "hash": self.hash,
            "state": self.state,
            "state_reason": self.state_reason,
            "created_at": self.created_at,
            "created_by": self.created_by,
            "reason": self.reason,
            "needs_approval": self.needs_approval,
            "approved_by": self.approved_by,
            "approved_until": self.approved_until,
            "executed_by": self.executed_by,
            "executed_at": self.executed_at,
            "patch": self.patch,
            "from_step": self.from_step,
            "data_fixed": self.data_fixed,
            "totals": self.totals(),
            "items": [item.as_dict() for item in self.items],
        }


@dataclass(frozen=True)
class Ruling:
    """What the rules say of one candidate."""

    decision: Decision
    why: str
    requires_absent: bool = False


def decide(c: Candidate, target: Target, intent: Intent, limits: ReplayLimits, now: datetime) -> Ruling:
    """Whether the item may be sent; a skip says what would allow it. The first rule that bites decides.

    >>> decide(_example(replayable=False), Target("sync-engine", "up"), Intent(), ReplayLimits(), _NOW).why
    'erp.create_order is declared not replayable'
    >>> decide(_example(), Target("sync-engine", "up"), Intent(), ReplayLimits(), _NOW)
    Ruling(decision='send', why='nothing speaks against it', requires_absent=False)
    """
    thing = f"{c.object_type} {c.object_id}"
    skip = _skip_by_fact(c, thing) or _skip_by_ledger(c, thing) or _skip_by_target(c, target)
    if skip is None and c.retrying and now - c.last_failed_at < timedelta(seconds=limits.in_flight_s):
        skip = f"in flight: the engine itself is still retrying {c.operation}; plan again once it gives up"
    if skip is None and c.failure_class == "business" and not intent.changes_something:
        skip = (
            "business exception, and nothing has changed: fix the data first, then plan again saying that it is fixed"
        )
    if skip is None and _is_blind_repeat(c) and not intent.changes_something:
        skip = (
            "blind repeat: the last replay failed with the same cause, and nothing has succeeded there since; "
            "put it right, then plan again saying that it is fixed, or patch the payload"
        )
    if skip:
        return Ruling("skip", skip)
    if c.unproven_replay_id:
        why = f"replay {c.unproven_replay_id} has shown no evidence; goes out only if the target says it has nothing"
        return Ruling("send", why, requires_absent=True)
    return Ruling("send", _why_send(c, intent))


def no_longer(now: Candidate | None, item: PlanItem) -> str | None:
    """Why a planned item must not be sent any more, by the facts as they are now; None if they still allow it."""
    if now is None:
        return "the exception is no longer known: later spans explained it otherwise"
    why = _skip_by_fact(now, f"{now.object_type} {now.object_id}")
    if why is None and now.episode != item.episode:
        why = "it has succeeded and failed anew since the plan; plan again"
    if why is None and now.object_version != item.object_version:
        why = f"{item.object_type} {item.object_id} has a newer version since the plan; plan again"
    return f"changed since the plan: {why}" if why else None


def _skip_by_fact(c: Candidate, thing: str) -> str | None:
    if not c.replayable:
        return f"{c.operation} is declared not replayable"
    if c.milestone_at is not None:
        return f"already at the milestone: {thing} reached {c.milestone}"
    if c.state == "resolved":
        return f"already resolved: {c.operation} has succeeded for {thing}, or it was resolved by hand"
    if c.cancelled_at is not None:
        return f"cancelled: {thing} belongs to an order that was cancelled"
    if is_newer(c.object_version, c.failed_version):
        return (
            f"a newer version of {thing} exists: version {c.failed_version or '1'} failed, "
            f"version {c.object_version} is current"
        )
    return None


def _skip_by_ledger(c: Candidate, thing: str) -> str | None:
    if c.outstanding_plan_id:
        return (
            f"a replay of {c.operation} for {thing} is outstanding in plan {c.outstanding_plan_id}; wait for it to end"
        )
    return None


def _skip_by_target(c: Candidate, target: Target) -> str | None:
    if target.engine is None:
        return f"no engine takes replays for {c.system or 'this system'}; set CASHTRAIL_ENGINE_URLS=<engine>=<url>"
    if target.dependency == "down":
        return f"{c.system} is down; held until it is up again, then plan again"
    return None


def _is_blind_repeat(c: Candidate) -> bool:
    return (
        c.last_replay_failed_at is not None
        and c.last_replay_signature == c.signature
        and not c.succeeded_since
    )  # fmt: skip


def _why_send(c: Candidate, intent: Intent) -> str:
    if intent.patch:
        return "sent with the patch"
    if intent.data_fixed:
        return "the operator says that the data has been fixed"
    if c.last_replay_failed_at is not None and c.succeeded_since:
        return f"failed again before, but {c.system or 'the target'} has succeeded since"
    return "nothing speaks against it"


def is_newer(current: str | None, failed: str | None) -> bool:
    """True if `current` is a later version than `failed`; an absent version is the first. Not numbers: any difference.

    >>> is_newer("10", "9"), is_newer("1", None), is_newer(None, "2"), is_newer("b", "a")
    (True, False, False, True)
    """
    if current is None:
        return False
    failed = failed or "1"
    if current.isdigit() and failed.isdigit():
        return int(current) > int(failed)
    return current != failed


# -- making a plan ---------------------------------------------------------------------------------------------------


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
) -> Plan:
    """The plan: items in the order of sending, each decided, the whole hashed. `targets` is by system.

    Above the limits every item to send needs a second person; an approval is for this hash, so for these very items.
    """
    ordered = sorted(candidates, key=lambda c: (-urgency(c.amount, c.due_at, created_at), c.exception_id))
    rulings = [decide(c, targets[c.system], intent, limits, created_at) for c in ordered]
    sent = [c for c, ruling in zip(ordered, rulings, strict=True) if ruling.decision == "send"]
    amount = sum((c.amount or Decimal(0) for c in sent), Decimal(0))
    needs_approval = len(sent) > limits.approval_count or amount > limits.approval_amount
    items = tuple(
        _item(number, c, ruling, targets[c.system].engine, plan_id, intent, needs_approval)
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
        needs_approval=needs_approval,
        patch=intent.patch,
        from_step=intent.from_step,
        data_fixed=intent.data_fixed,
    )


def _item(
    number: int, c: Candidate, ruling: Ruling, engine: str | None, plan_id: str, intent: Intent, needs_approval: bool
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
        replay_id=f"rp-{_digest(plan_id, key)[:20]}",
        requires_absent=ruling.requires_absent,
        outcome="skipped" if decision == "skip" else "planned",
        detail=ruling.why if decision == "skip" else None,
    )


def idempotency_key(c: Candidate, intent: Intent) -> str:
    """The same for the same thing to do, whoever plans it and how often; another once an earlier try is known to have failed.

    Of operation, object, its version, payload (or patch) and failure episode, and the number of tries that have ended.
    """
    payload = _digest(c.payload_digest or "", canonical(intent.patch), intent.from_step or "")
    return "ct-" + _digest(
        c.operation, c.object_type, c.object_id, c.object_version or "", payload, str(c.episode), str(c.tries)
    )[:40]  # fmt: skip


def plan_hash(items: Sequence[PlanItem], intent: Intent) -> str:
    """Covers what would leave the house: items, keys, decisions and the patch. The order of the items counts."""
    digest = hashlib.sha256()
    digest.update(canonical(intent.patch).encode() + b"\x1f" + (intent.from_step or "").encode() + b"\x1e")
    for item in items:
        line = (
            str(item.item_no),
            item.exception_id,
            item.decision,
            item.idempotency_key,
            item.replay_id,
            item.trace_id,
        )
        digest.update("\x1f".join(line).encode() + b"\x1e")
    return digest.hexdigest()


def urgency(amount: Decimal | None, due_at: datetime | None, now: datetime) -> float:
    """Money per hour left: what is worth most and due soonest goes first. Overdue counts as an hour; no deadline as 30 days.

    >>> at = datetime.fromisoformat("2026-03-01T00:00+00:00")
    >>> urgency(Decimal(3000), at + timedelta(hours=3), at), urgency(Decimal(3000), None, at)
    (1000.0, 4.166666666666667)
    """
    hours = (due_at - now).total_seconds() / 3600 if due_at else 720.0
    return float(amount or 0) / max(hours, 1.0)


def canonical(value: Any) -> str:
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


_NOW = datetime.fromisoformat("2026-03-01T00:00+00:00")


def _example(**facts: Any) -> Candidate:
    given: dict[str, Any] = {
        "exception_id": "e1", "group_id": "g1", "operation": "erp.create_order", "object_type": "order", "object_id": "SO-1",
        "object_key": 1, "system": "erp-de", "episode": 1, "trace_id": "", "span_id": "", "state": "open",
        "failure_class": "technical", "signature": "s1", "last_failed_at": _NOW,
    }  # fmt: skip
    return Candidate(**(given | facts))
