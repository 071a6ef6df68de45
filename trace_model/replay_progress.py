"""How a running plan goes on: canary, waves and brake, and what the evidence proves of an item. Pure, as `replays.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trace_model.replays import OUTSTANDING, PROVEN_BAD, Outcome, PlanItem, ReplayLimits


@dataclass(frozen=True)
class Progress:
    """How far a running plan's sending has come, in counts: of its items to send, and of those after its last canary point.

    The canary point is the item after which a canary is due: 0 at the start, moved by a resume after a brake. `since_gone`
    are those after it that are no longer planned; what changed and was not sent is not among them. `novel` is the first of
    those that failed with a cause that this plan had not seen, in words.
    """

    waiting_count: int
    open_count: int
    since_count: int
    since_gone: int
    since_outcomes: Mapping[str, int] = field(default_factory=dict)
    novel: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Progress:
        """The progress that a row of `store/reads/replay_progress.sql` tells."""
        novel = row["novel_id"] and (
            f"{row['novel_type']} {row['novel_id']} failed with a cause not seen before: {row['novel_detail']}"
        )
        counts = (row["waiting_count"], row["open_count"], row["since_count"], row["since_gone"])
        return cls(*counts, dict(row["since_outcomes"] or {}), novel)

    def since(self, *outcomes: str) -> int:
        return sum(self.since_outcomes.get(outcome, 0) for outcome in outcomes)


@dataclass(frozen=True)
class Step:
    """What a running plan may do now: how many to send, or why it must pause, or that it is over."""

    send_most: int = 0
    brake: str | None = None
    is_over: bool = False
    waits_for: str = ""


def next_step(p: Progress, limits: ReplayLimits) -> Step:
    """Canary first, then waves that grow: twice as many may be under way as have been proven, up to the wave's size.

    Braked when too many have ended badly, or one failed with a signature that this plan had not seen.

    >>> next_step(Progress(waiting_count=40, open_count=0, since_count=40, since_gone=0), ReplayLimits()).send_most
    1
    >>> next_step(Progress(37, 0, 40, 3, {"milestone_reached": 3}), ReplayLimits()).send_most
    6
    """
    if not p.waiting_count:
        return Step(is_over=not p.open_count)
    brake = _brake(p, limits)
    if brake:
        return Step(brake=brake)
    if p.since_count > limits.canary_above:
        proven = p.since("milestone_reached")
        if proven < limits.canary_count:
            left = limits.canary_count - p.since_gone
            if left > 0:
                return Step(send_most=left)
            if p.since(*OUTSTANDING):
                return Step(waits_for="the canary's milestone")
            gone = {o: n for o, n in p.since_outcomes.items() if o not in ("planned", "skipped")}
            return Step(brake=f"the canary did not reach its milestone ({_told(gone)})")
        wave = min(limits.wave_size, max(limits.canary_count, 2 * proven))
    else:
        wave = limits.wave_size
    room = wave - p.open_count
    return Step(send_most=min(room, p.waiting_count)) if room > 0 else Step(waits_for="the wave before to end")


def _brake(p: Progress, limits: ReplayLimits) -> str | None:
    bad = p.since(*PROVEN_BAD)
    ended = bad + p.since("milestone_reached")
    if p.novel:
        return p.novel
    if bad >= limits.brake_at_least and bad / ended > limits.brake_share:
        return f"{bad} of {ended} ended badly ({_told({o: n for o, n in p.since_outcomes.items() if o in PROVEN_BAD})})"
    return None


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(counts.items()))


SAME_CAUSE, OTHER_CAUSE = "same cause", "other cause"
BY_PROBE = "the target has it"
"""How the detail of an outcome begins that the target's own answer has settled; `reads/replay_results.sql` looks at it."""


@dataclass(frozen=True)
class Evidence:
    """What the traces say of one sent item: its run by replay id, its milestone, its exception's newest failure."""

    run_ok: bool = False
    run_failed: bool = False
    milestone_at: datetime | None = None
    signature: str | None = None
    message: str | None = None


def judge(item: PlanItem, e: Evidence, timeout_s: float, now: datetime) -> tuple[Outcome, str] | None:
    """The outcome that the evidence proves, with its sentence, or None while there is nothing to say.

    A success beats a failure: engines retry inside one replay. Silence counts from the sending. The milestone of an item
    that reconciles was there before, so only its own run proves anything.
    """
    if e.milestone_at is not None and not item.reconciles:
        return "milestone_reached", f"{item.milestone} reached at {e.milestone_at:%Y-%m-%d %H:%M:%S} UTC"
    if e.run_ok:
        return "milestone_reached", f"{item.operation} succeeded in this replay"
    if e.run_failed:
        same = e.signature is None or e.signature == item.signature
        return "failed_again", f"{SAME_CAUSE if same else OTHER_CAUSE}: {e.message or 'no message'}"
    if item.outcome in ("accepted", "uncertain") and item.sent_at is not None:
        silent_s = (now - item.sent_at).total_seconds()
        if silent_s >= timeout_s:
            told = f"; {item.detail}" if item.detail else ""
            return "no_evidence", f"no span of this replay within {timeout_s:g} s{told}"
    return None
