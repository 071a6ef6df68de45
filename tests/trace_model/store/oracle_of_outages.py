"""What is an outage, worked out slowly in plain loops over one system's runs. Shares no code with the SQL; docs/outages.md states the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MINUTE, HOUR = 60.0, 3600.0
FAILS = {"downtime": ("unavailable", "unclear"), "throttling": ("throttled",)}
ANSWERS = {"downtime": ("answered", "throttled"), "throttling": ("answered",)}


@dataclass(frozen=True)
class Run:
    """One run against the system, in seconds. `is_explicit`: the failure itself says that nobody answers, or that we call too fast."""

    number: int
    began: float
    ended: float
    said: Literal["answered", "unavailable", "throttled", "unclear"]
    is_explicit: bool = False
    subject: str = ""
    operation: str = ""
    calls: int = 1


@dataclass(frozen=True)
class Outage:
    kind: str
    started: float
    first_failed: float
    found: float | None
    last_failed: float
    ended: float | None
    closed: float
    runs: int
    calls: int
    answered: int


def outages(runs: Sequence[Run], kind: str) -> list[Outage]:
    """Every stretch of failures of a kind, oldest first; `found` is None where the evidence never sufficed."""
    answers = sorted(r.ended for r in runs if r.said in ANSWERS[kind])
    stretches: list[list[Run]] = []
    for run in sorted((r for r in runs if r.said in FAILS[kind]), key=lambda r: (r.ended, r.number)):
        if stretches and run.ended <= closes(stretches[-1][-1], answers):
            stretches[-1].append(run)
        else:
            stretches.append([run])
    return [_told(stretch, answers, kind) for stretch in stretches]


def after(run: Run, answers: Sequence[float]) -> list[float]:
    """The answers of the two hours after a failure."""
    return [at for at in answers if run.ended < at <= run.ended + 2 * HOUR]


def closes(run: Run, answers: Sequence[float]) -> float:
    """When a failure stops being the last of an outage that goes on: by ten answers, three and a quarter of an hour, or two hours."""
    later = after(run, answers)
    ends = [run.ended + 2 * HOUR]
    if len(later) >= 3:
        ends.append(max(later[2], later[0] + 15 * MINUTE))
    if len(later) >= 10:
        ends.append(later[9])
    return min(ends)


def _told(stretch: list[Run], answers: Sequence[float], kind: str) -> Outage:
    first, last = stretch[0], stretch[-1]
    within = [sum(1 for at in answers if first.ended < at <= run.ended) for run in stretch]
    was_quiet = not any(first.began - MINUTE <= at <= first.ended for at in answers)
    found = next(
        (
            run.ended
            for place, run in enumerate(stretch)
            if _suffices(stretch[: place + 1], within[place], was_quiet, kind)
        ),
        None,
    )
    return Outage(
        kind=kind,
        started=min(r.began for r in stretch),
        first_failed=first.ended,
        found=found,
        last_failed=last.ended,
        ended=next(iter(after(last, answers)), None),
        closed=closes(last, answers),
        runs=len(stretch),
        calls=sum(r.calls for r in stretch),
        answered=max(within),
    )


def _suffices(failed: list[Run], answered: int, was_quiet: bool, kind: str) -> bool:
    explicit = sum(r.calls for r in failed if r.is_explicit)
    clear = sum(1 for r in failed if r.said != "unclear")
    subjects, operations = len({r.subject for r in failed}), len({r.operation for r in failed})
    nobody_answered = answered == 0 and (
        (explicit >= 3 and was_quiet)
        or (len(failed) >= 3 and subjects >= 2 and clear >= 1)
        or (subjects >= 5 and operations >= 2)
    )
    many_failed = len(failed) >= 6 and subjects >= 3 and len(failed) * 3 >= answered and clear * 2 >= len(failed)
    return nobody_answered or many_failed or (kind == "throttling" and explicit >= 3)
