"""Replays as plain values: what a plan is, which items it may send and why not, how outcomes move, when to brake.

Pure: no clock, no database, no network. The store keeps what is decided here (`store/ledger.py`), the console sends it
(`console/replay/`). Every rule stands here once, so that screen, API and command line cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from trace_model.replay_limits import ReplayLimits

__all__ = ["Candidate", "Intent", "Plan", "PlanItem", "ReplayLimits", "Ruling", "Target", "decide", "no_longer"]

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
    "rejected": frozenset({"milestone_reached", "failed_again"}),
    "skipped": frozenset(),
    "milestone_reached": frozenset(),
    "failed_again": frozenset(),
}
"""Outcomes only move forward, but for `sent -> planned`: the engine said that it did not take the call.

`uncertain -> sent` is the second call under the same key, once engine and target have both said that they know nothing of
the first; `no_evidence` and `rejected` give way to late evidence: an engine may refuse what it has begun, and the trace is right.
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
class Intent:
    """What the operator asked for beside the exceptions themselves."""

    patch: Mapping[str, Any] | None = None
    from_step: str | None = None
    data_fixed: bool = False
    recovered: bool = False
    """Its dependency has been up for long enough since it last failed, so that trying it again is not blind."""

    def changes(self, c: Candidate) -> bool:
        """True if this time it is another thing that is sent, or sent into other data."""
        return self.data_fixed or (bool(self.patch) and not c.patch_is_idle)


@dataclass(frozen=True)
class Candidate:
    """One exception with every fact that the plan rules look at, as of one instant, and what is to change in its payload.

    `signature` is its cause, the values in the message folded. `amount` is the money it holds up, in `currency` (the
    reporting currency). `due_at` is the nearest deadline it threatens. `tries` counts the replays of this
    episode that are known to have ended without success. `reconciles`: the target has it, the engine's flow still stands, and
    told to replay it the engine sends nothing and carries the flow on.
    `patch` is this item's own, its values looked up; `patch_fault` says why there is none. `patch_is_idle`: what the failed
    operation sent had all that the patch sets, so it changes nothing.
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
    owner_team: str | None = None
    reconciles: bool = False
    patch: Mapping[str, Any] | None = None
    patch_fault: str | None = None
    patch_is_idle: bool = False


@dataclass(frozen=True)
class Target:
    """Who would carry the item out: the engine's name (None: none is configured) and its dependency's state."""

    engine: str | None
    dependency: Literal["up", "down", "degraded", "unknown"] = "unknown"


@dataclass(frozen=True)
class PlanItem:
    """One object's operation in a plan; `item_no` is the order of sending. Frozen but for outcome, detail and instants.

    `requires_absent`: an earlier replay has shown nothing, so this one goes out only if the target says it has nothing.
    `reconciles`: as a candidate's; then only its own run proves it, since its milestone has been seen. `doubted_at` is
    when it was last not known whether the engine had taken it; it stays when that has been settled.
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
    reconciles: bool = False
    patch: Mapping[str, Any] | None = None
    starts_from: str | None = None
    owner_team: str | None = None
    doubted_at: datetime | None = None

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
            "starts_from": self.starts_from or self.operation,
            "system": self.system,
            "engine": self.engine,
            "decision": self.decision,
            "why": self.why,
            "idempotency_key": self.idempotency_key,
            "replay_id": self.replay_id,
            "writes": list(self.writes),
            "patch": self.patch,
            "outcome": self.outcome,
            "detail": self.detail,
            "sent_at": self.sent_at,
            "settled_at": self.settled_at,
            "was_uncertain": self.doubted_at is not None,
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
    approval_reason: str | None = None
    replaces: str | None = None

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
            "approval_reason": self.approval_reason,
            "replaces": self.replaces,
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
    is_changed = intent.changes(c)
    if skip is None and c.failure_class == "business" and not is_changed:
        changed = "the patch sets only what was sent" if c.patch_is_idle else "nothing has changed"
        skip = f"business exception, and {changed}: fix the data first, then plan again saying that it is fixed"
    if skip is None and c.tries >= limits.item_tries and not is_changed:
        skip = (
            f"replayed {c.tries} times since it failed, each time without success; put it right, then plan again saying "
            "that it is fixed, or patch the payload"
        )
    if skip is None and _is_blind_repeat(c) and not (is_changed or intent.recovered):
        skip = (
            "blind repeat: the last replay failed with the same cause, and nothing has succeeded there since; "
            "put it right, then plan again saying that it is fixed, or patch the payload"
        )
    skip = skip or c.patch_fault
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
    now = replace(now, reconciles=item.reconciles)
    why = _skip_by_fact(now, f"{now.object_type} {now.object_id}")
    if why is None and now.episode != item.episode:
        why = "it has succeeded and failed anew since the plan; plan again"
    if why is None and now.object_version != item.object_version:
        why = f"{item.object_type} {item.object_id} has a newer version since the plan; plan again"
    if why is None and now.signature != item.signature:
        why = "it has failed with another cause since the plan; plan again"
    return f"changed since the plan: {why}" if why else None


def _skip_by_fact(c: Candidate, thing: str) -> str | None:
    if not c.replayable:
        return f"{c.operation} is declared not replayable"
    if c.milestone_at is not None and not (c.reconciles and c.state == "open"):
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
    if c.reconciles:
        return "the target has it: the engine sends nothing, and carries the flow on that stands still"
    if intent.patch and not c.patch_is_idle:
        return "sent with the patch"
    if intent.data_fixed:
        return "the operator says that the data has been fixed"
    if intent.recovered and _is_blind_repeat(c):
        return f"failed again before, and {c.system or 'the target'} has been up for longer since"
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


_NOW = datetime.fromisoformat("2026-03-01T00:00+00:00")


def _example(**facts: Any) -> Candidate:
    given: dict[str, Any] = {
        "exception_id": "e1", "group_id": "g1", "operation": "erp.create_order", "object_type": "order", "object_id": "SO-1",
        "object_key": 1, "system": "erp-de", "episode": 1, "trace_id": "", "span_id": "", "state": "open",
        "failure_class": "technical", "signature": "s1", "last_failed_at": _NOW,
    }  # fmt: skip
    return Candidate(**(given | facts))
