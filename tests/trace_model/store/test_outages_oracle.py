"""Outages are those of a slow, obvious reading of the same runs, however these come in."""

from __future__ import annotations

import random
from typing import Any, Literal

import pytest

from tests.trace_model.store.derived_rows import Rows, told
from tests.trace_model.store.oracle_of_outages import HOUR, Outage, Run, outages
from tests.trace_model.store.spans_of import Story, instant
from tests.trace_model.store.test_checks_oracle import batches

Said = Literal["answered", "unavailable", "throttled", "unclear"]
ANSWERS: dict[str, tuple[Said, bool, str | None, dict[str, Any]]] = {
    "fine": ("answered", False, None, {}),
    "refused": ("answered", False, "Customer 4711 is blocked for credit", {"q2c.error.code": "V1 154"}),
    "down": ("unavailable", True, "503 Service Unavailable", {"q2c.error.code": "503", "http.response.status_code": 503}),
    "slow": ("unavailable", False, "no answer within 10 s", {"q2c.error.code": "TIMEOUT"}),
    "fast": ("throttled", True, "Too many requests", {"q2c.error.code": "429", "http.response.status_code": 429}),
    "odd": ("unclear", False, "xyzzy plugh", {"q2c.error.code": "QQ17"}),
}  # fmt: skip
"""How a system answers -> what that says of it, whether it says so itself, and what a span shows."""
MOODS = (
    ("fine",) * 9 + ("refused",),
    ("fine", "fine", "down", "slow", "odd"),
    ("down", "slow", "odd", "down"),
    ("fast", "fast", "fine", "refused"),
)
OPERATIONS = ("billing.issue_invoice", "billing.issue_credit_note")


def estate(by: random.Random) -> tuple[Story, list[Run]]:
    """Hours of runs against billing, in moods that change; calls in bursts and with pauses, some of one instant, some that take minutes."""
    s, runs, at = Story(), [], 0.0
    for _ in range(by.randint(6, 10)):
        mood = by.choice(MOODS)
        at += by.choice((0, 60, 600, 1.5 * HOUR, 3 * HOUR))
        for _ in range(by.randint(2, 14)):
            at += by.choice((0, 1, 5, 40, 300))
            answer = by.choice(mood)
            said, is_explicit, error, shown = ANSWERS[answer]
            subject, operation = f"SO-{by.randrange(6)}", by.choice(OPERATIONS)
            tries = by.choice((0, 0, 1, 3)) if answer == "down" else 0
            until = at + by.choice((1, 1, 20, 150))
            run = s.does(
                operation, at, order=subject, until=until, error=error, more={"peer.service": "billing"} | shown
            )
            for n in range(tries):
                s.does(None, at + n * 0.1, until=at + n * 0.1 + 0.1, name="POST", under=run, kind=3, error=error, more=shown | {"server.address": "billing"})  # fmt: skip
            runs.append(Run(run.span, at, until, said, is_explicit, subject, operation, max(tries, 1)))
    return s, runs


def derived(rows: Rows) -> list[tuple[Any, ...]]:
    found = rows.ask("from outages where system = 'billing' order by kind, first_failed_at")
    names = ("started_at", "first_failed_at", "found_at", "last_failed_at", "ended_at", "closed_at", "failed_run_count", "failed_call_count", "answered_count")  # fmt: skip
    return [(r["kind"], *(r[name] for name in names)) for r in found]


def shown(outage: Outage) -> tuple[Any, ...]:
    instants = (outage.started, outage.first_failed, outage.found, outage.last_failed, outage.ended, outage.closed)
    when = (None if at is None else instant(at) for at in instants)
    return (outage.kind, *when, outage.runs, outage.calls, outage.answered)


@pytest.mark.parametrize("seed", [1, 6, 10, 11])
def test_the_outages_are_those_of_a_slow_reading(seed: int) -> None:
    by = random.Random(seed)
    story, runs = estate(by)
    expected = [shown(o) for kind in ("downtime", "throttling") for o in outages(runs, kind)]
    assert any(found is not None for _, _, _, found, *_ in expected)
    rows = told(*batches(story.spans, by))
    assert derived(rows) == expected
    rows.store.rebuild()
    assert derived(rows) == expected
