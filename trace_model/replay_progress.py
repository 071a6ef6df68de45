"""How a running plan goes on: canary, waves and brake, and what the evidence proves of an item. Pure, as `replays.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trace_model.replays import OUTSTANDING, PROVEN_BAD, Outcome, Plan, PlanItem, ReplayLimits


@dataclass(frozen=True)
class Step:
    """What a running plan may do now: the items to send, or why it must pause, or that it is over."""

    send: tuple[PlanItem, ...] = ()
    brake: str | None = None
    is_over: bool = False
    waits_for: str = ""


def next_step(plan: Plan, limits: ReplayLimits, now: datetime) -> Step:
    """Canary first, then waves that grow: twice as many may be under way as have been proven, up to the wave's size.

    `plan.canary_from` is the item after which a canary is due (0 at the start, moved by a resume after a brake).
    Braked when too many have ended badly, or one failed with a signature that this plan had not seen.
    """
    sends = plan.sends
    waiting = [i for i in sends if i.outcome == "planned"]
    since = [i for i in sends if i.item_no > plan.canary_from]
    brake = _brake(since, limits)
    open_ = [i for i in sends if i.outcome in OUTSTANDING]
    if not waiting:
        return Step(is_over=not open_)
    if brake:
        return Step(brake=brake)
    ready = [i for i in waiting if i.not_before is None or i.not_before <= now]
    if len(since) > limits.canary_above:
        gone = [i for i in since if i.outcome not in ("planned", "skipped")]
        proven = [i for i in gone if i.outcome == "milestone_reached"]
        if len(proven) < limits.canary_count:
            left = limits.canary_count - len(gone)
            if left > 0:
                return Step(send=tuple(ready[:left]))
            if any(i.outcome in OUTSTANDING for i in gone):
                return Step(waits_for="the canary's milestone")
            return Step(brake=f"the canary did not reach its milestone ({_told(gone)})")
        wave = min(limits.wave_size, max(limits.canary_count, 2 * len(proven)))
    else:
        wave = limits.wave_size
    room = wave - len(open_)
    return Step(send=tuple(ready[:room]) if room > 0 else (), waits_for="" if room > 0 else "the wave before")


def _brake(since: Sequence[PlanItem], limits: ReplayLimits) -> str | None:
    ended = [i for i in since if i.outcome in PROVEN_BAD or i.outcome == "milestone_reached"]
    bad = [i for i in ended if i.outcome in PROVEN_BAD]
    novel = next((i for i in bad if i.outcome == "failed_again" and (i.detail or "").startswith(OTHER_CAUSE)), None)
    if novel:
        return f"{novel.object_type} {novel.object_id} failed with a cause not seen before: {novel.detail}"
    if len(bad) >= limits.brake_at_least and len(bad) / len(ended) > limits.brake_share:
        return f"{len(bad)} of {len(ended)} ended badly ({_told(bad)})"
    return None


def _told(items: Sequence[PlanItem]) -> str:
    counts: dict[str, int] = {}
    for item in items:
        counts[item.outcome] = counts.get(item.outcome, 0) + 1
    return ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(counts.items()))


SAME_CAUSE, OTHER_CAUSE = "same cause", "other cause"


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
