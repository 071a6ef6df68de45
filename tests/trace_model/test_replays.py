"""The plan rules as a table, the key, the hash, the waves, the brake and the judgement: all pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trace_model import patches
from trace_model.catalogue.schema import Operation
from trace_model.errors import Refused
from trace_model.replay_freezing import freeze, idempotency_key
from trace_model.replay_progress import OTHER_CAUSE, SAME_CAUSE, Evidence, Progress, Step, judge, next_step
from trace_model.replays import (
    LEGAL_OUTCOMES,
    OUTSTANDING,
    Candidate,
    Intent,
    Outcome,
    Plan,
    ReplayLimits,
    Target,
    decide,
    no_longer,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UP, DOWN, NO_ENGINE = Target("sync-engine", "up"), Target("sync-engine", "down"), Target(None)
LIMITS = ReplayLimits()


def candidate(number: int = 1, **facts: Any) -> Candidate:
    given: dict[str, Any] = {
        "exception_id": f"e{number}", "group_id": "g", "operation": "erp.create_order", "object_type": "order",
        "object_id": f"SO-{number}", "object_key": number, "system": "erp-de", "episode": 1, "trace_id": "0a", "span_id": "0b",
        "state": "open", "failure_class": "technical", "signature": "s", "last_failed_at": NOW - timedelta(hours=1),
        "milestone": "order_accepted", "amount": Decimal(100), "currency": "EUR",
    }  # fmt: skip
    return Candidate(**(given | facts))


FAILED_BEFORE = {"last_replay_signature": "s", "last_replay_failed_at": NOW - timedelta(hours=1), "tries": 1}


@pytest.mark.parametrize(
    ("facts", "target", "intent", "why"),
    [
        ({"replayable": False}, UP, Intent(), "declared not replayable"),
        ({"milestone_at": NOW}, UP, Intent(), "already at the milestone"),
        ({"state": "resolved"}, UP, Intent(), "already resolved"),
        ({"cancelled_at": NOW}, UP, Intent(), "cancelled"),
        ({"object_version": "2"}, UP, Intent(), "a newer version of order SO-1 exists"),
        ({"object_version": "2", "failed_version": "1"}, UP, Intent(data_fixed=True), "a newer version"),
        ({"outstanding_plan_id": "plan-9"}, UP, Intent(data_fixed=True), "outstanding in plan plan-9"),
        ({"retrying": True, "last_failed_at": NOW - timedelta(minutes=5)}, UP, Intent(), "in flight"),
        ({}, DOWN, Intent(data_fixed=True), "erp-de is down"),
        ({}, NO_ENGINE, Intent(), "no engine takes replays"),
        ({"failure_class": "business"}, UP, Intent(), "fix the data first"),
        (
            {"failure_class": "business", "patch_is_idle": True},
            UP,
            Intent(patch={"po": "7"}),
            "sets only what was sent",
        ),
        (FAILED_BEFORE, UP, Intent(), "blind repeat"),
        (FAILED_BEFORE | {"patch_is_idle": True}, UP, Intent(patch={"po": "7"}), "blind repeat"),
        (FAILED_BEFORE | {"patch_is_idle": True, "tries": 3}, UP, Intent(patch={"po": "7"}), "replayed 3 times"),
        (FAILED_BEFORE | {"failure_class": "dependency"}, UP, Intent(), "blind repeat"),
        (FAILED_BEFORE | {"tries": 3}, UP, Intent(recovered=True), "replayed 3 times"),
    ],
)
def test_an_item_is_skipped_with_its_reason(facts: dict[str, Any], target: Target, intent: Intent, why: str) -> None:
    ruling = decide(candidate(**facts), target, intent, LIMITS, NOW)
    assert ruling.decision == "skip"
    assert why in ruling.why


@pytest.mark.parametrize(
    ("facts", "intent"),
    [
        ({}, Intent()),
        ({"failure_class": "unknown"}, Intent()),
        ({"failure_class": "business"}, Intent(data_fixed=True)),
        ({"failure_class": "business"}, Intent(patch={"tax_code": "A1"})),
        ({"object_version": "2", "failed_version": "2"}, Intent()),
        ({"retrying": True, "last_failed_at": NOW - timedelta(hours=2)}, Intent()),
        (FAILED_BEFORE, Intent(data_fixed=True)),
        (FAILED_BEFORE, Intent(patch={"po": "7"})),
        (FAILED_BEFORE | {"patch_is_idle": True}, Intent(patch={"po": "7"}, data_fixed=True)),
        (FAILED_BEFORE | {"last_replay_signature": "another"}, Intent()),
        (FAILED_BEFORE | {"failure_class": "dependency", "succeeded_since": True}, Intent()),
        (FAILED_BEFORE | {"failure_class": "dependency"}, Intent(recovered=True)),
    ],
)
def test_an_item_is_sent_where_nothing_speaks_against_it(facts: dict[str, Any], intent: Intent) -> None:
    assert decide(candidate(**facts), UP, intent, LIMITS, NOW).decision == "send"


def test_after_a_silent_replay_the_next_one_needs_a_target_that_says_it_has_nothing() -> None:
    assert decide(candidate(unproven_replay_id="rp-1"), UP, Intent(), LIMITS, NOW).requires_absent


def frozen(
    candidates: list[Candidate], intent: Intent | None = None, limits: ReplayLimits = LIMITS, plan_id: str = "p"
) -> Plan:
    targets = {c.system: UP for c in candidates}
    intent = intent or Intent()
    return freeze(plan_id, candidates, targets, intent, limits, created_at=NOW, created_by="ana", reason="r")


def test_the_key_is_the_same_for_the_same_thing_and_another_where_anything_of_it_differs() -> None:
    base = candidate(payload_digest="d", object_version="1")
    same = replace(base, exception_id="e2", trace_id="ff", amount=None, signature="t")
    assert idempotency_key(base, Intent()) == idempotency_key(same, Intent(data_fixed=True))
    others = [
        replace(base, operation="erp.post_invoice"), replace(base, object_id="SO-2"), replace(base, object_version="2"),
        replace(base, payload_digest="e"), replace(base, episode=2), replace(base, tries=1),
    ]  # fmt: skip
    keys = [idempotency_key(c, Intent()) for c in (base, *others)] + [idempotency_key(base, Intent(patch={"a": 1}))]
    assert len(set(keys)) == len(keys)


@given(st.permutations(list(range(1, 8))))
def test_the_order_in_which_exceptions_are_named_changes_nothing(order: list[int]) -> None:
    assert frozen([candidate(n) for n in order]).hash == frozen([candidate(n) for n in range(1, 8)]).hash


def test_the_hash_covers_the_patch_and_every_item() -> None:
    one, two = candidate(1), candidate(2)
    hashes = [
        frozen([one]).hash, frozen([one, two]).hash, frozen([one], Intent(patch={"a": 1})).hash,
        frozen([replace(one, trace_id="ff")]).hash, frozen([one], Intent(from_step="tax.determine")).hash,
    ]  # fmt: skip
    assert len(set(hashes)) == len(hashes)


def test_most_money_per_hour_left_goes_first() -> None:
    late = candidate(1, amount=Decimal(10_000))
    soon = candidate(2, amount=Decimal(900), due_at=NOW + timedelta(hours=2))
    poor = candidate(3, amount=None)
    assert [i.object_id for i in frozen([poor, late, soon]).items] == ["SO-2", "SO-1", "SO-3"]


@pytest.mark.parametrize(
    ("limits", "needs"),
    [
        (ReplayLimits(approval_count=2), False),
        (ReplayLimits(approval_count=1), True),
        (ReplayLimits(approval_amount=Decimal(200)), False),
        (ReplayLimits(approval_amount=Decimal(199)), True),
    ],
)
def test_above_the_limits_every_item_to_send_needs_a_second_person(limits: ReplayLimits, needs: bool) -> None:
    plan = frozen([candidate(1), candidate(2), candidate(3, replayable=False, amount=Decimal(10**9))], limits=limits)
    assert plan.needs_approval is needs
    assert sorted(i.decision for i in plan.items) == (
        ["needs_approval"] * 2 + ["skip"] if needs else ["send", "send", "skip"]
    )


def with_outcomes(*outcomes: Outcome, waiting: int = 10, detail: str | None = None) -> Plan:
    plan = frozen([candidate(n) for n in range(1, len(outcomes) + waiting + 1)])
    items = [
        replace(item, outcome=outcomes[n] if n < len(outcomes) else "planned", detail=detail)
        for n, item in enumerate(plan.items)
    ]
    return replace(plan, state="running", items=tuple(items))


def counted(plan: Plan) -> Progress:
    """The plan's progress, counted item by item: what `reads/replay_progress.sql` must tell too."""
    since = [i for i in plan.sends if i.item_no > plan.canary_from]
    outcomes = Counter(i.outcome for i in since)
    novel = next((i for i in since if i.outcome == "failed_again" and (i.detail or "").startswith(OTHER_CAUSE)), None)
    return Progress(
        sum(i.outcome == "planned" for i in plan.sends),
        sum(i.outcome in OUTSTANDING for i in plan.sends),
        len(since),
        sum(i.outcome not in ("planned", "skipped") for i in since),
        outcomes,
        novel and f"{novel.object_type} {novel.object_id} failed with a cause not seen before: {novel.detail}",
    )


def step_of(plan: Plan, limits: ReplayLimits = LIMITS) -> Step:
    return next_step(counted(plan), limits)


def test_the_canary_goes_alone_until_its_milestone() -> None:
    assert step_of(with_outcomes()).send_most == 1
    for outcome in OUTSTANDING:
        waiting = step_of(with_outcomes(outcome))
        assert (waiting.send_most, waiting.waits_for) == (0, "the canary's milestone")
    assert step_of(with_outcomes("milestone_reached")).send_most == 2
    assert step_of(with_outcomes(*["milestone_reached"] * 3)).send_most == 6


@pytest.mark.parametrize("outcome", ["failed_again", "rejected", "no_evidence"])
def test_a_canary_that_did_not_reach_its_milestone_brakes(outcome: Outcome) -> None:
    assert "canary" in (step_of(with_outcomes(outcome)).brake or "")


def test_a_small_plan_needs_no_canary() -> None:
    assert step_of(with_outcomes(waiting=3)).send_most == 3


def test_waves_are_bounded_by_what_is_still_open() -> None:
    limits = replace(LIMITS, wave_size=4)
    assert step_of(with_outcomes(*["milestone_reached"] * 2, "accepted", "sent"), limits).send_most == 2


def test_a_share_of_bad_ends_brakes_and_a_single_one_does_not() -> None:
    good: tuple[Outcome, ...] = ("milestone_reached",) * 6
    assert step_of(with_outcomes(*good, "failed_again", detail=SAME_CAUSE)).brake is None
    assert step_of(with_outcomes(*good, "failed_again", "rejected", detail=SAME_CAUSE)).brake


def test_one_failure_with_a_new_cause_brakes() -> None:
    good: tuple[Outcome, ...] = ("milestone_reached",) * 6
    step = step_of(with_outcomes(*good, "failed_again", detail=f"{OTHER_CAUSE}: no mapping"))
    assert "not seen before" in (step.brake or "")


def test_a_resume_starts_with_a_canary_and_forgets_what_braked() -> None:
    plan = with_outcomes("milestone_reached", "failed_again", "failed_again", detail=SAME_CAUSE)
    assert step_of(plan).brake
    assert step_of(replace(plan, canary_from=3)).send_most == 1


def test_a_plan_is_over_when_nothing_waits_and_nothing_is_open() -> None:
    assert not step_of(with_outcomes("accepted", waiting=0)).is_over
    assert step_of(with_outcomes("failed_again", "milestone_reached", waiting=0)).is_over


def sent(outcome: Outcome = "accepted", ago_s: float = 10) -> Any:
    return replace(frozen([candidate()]).items[0], outcome=outcome, sent_at=NOW - timedelta(seconds=ago_s))


@pytest.mark.parametrize(
    ("item", "evidence", "outcome"),
    [
        (sent(), Evidence(), None),
        (sent(), Evidence(run_ok=True), "milestone_reached"),
        (sent(), Evidence(milestone_at=NOW), "milestone_reached"),
        (sent(), Evidence(run_ok=True, run_failed=True), "milestone_reached"),
        (sent(), Evidence(run_failed=True), "failed_again"),
        (sent("sent"), Evidence(run_failed=True), "failed_again"),
        (sent("uncertain"), Evidence(run_ok=True), "milestone_reached"),
        (sent(ago_s=121), Evidence(), "no_evidence"),
        (sent("uncertain", ago_s=121), Evidence(), "no_evidence"),
        (sent("sent", ago_s=121), Evidence(), None),
        (sent("no_evidence", ago_s=900), Evidence(), None),
        (sent("no_evidence", ago_s=900), Evidence(run_ok=True), "milestone_reached"),
    ],
)
def test_only_evidence_makes_an_outcome(item: Any, evidence: Evidence, outcome: Outcome | None) -> None:
    verdict = judge(item, evidence, 120, NOW)
    assert (verdict and verdict[0]) == outcome
    assert outcome is None or outcome in LEGAL_OUTCOMES[item.outcome]


def test_a_failure_says_whether_its_cause_is_the_same() -> None:
    for signature, told in (("s", SAME_CAUSE), ("t", OTHER_CAUSE)):
        verdict = judge(sent(), Evidence(run_failed=True, signature=signature, message="m"), 120, NOW)
        assert verdict == ("failed_again", f"{told}: m")


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (None, "no longer known"),
        (candidate(state="resolved"), "already resolved"),
        (candidate(milestone_at=NOW), "already at the milestone"),
        (candidate(cancelled_at=NOW), "cancelled"),
        (candidate(episode=2), "failed anew"),
        (candidate(object_version="2", failed_version="2"), "newer version"),
    ],
)
def test_what_has_changed_since_the_plan_is_not_sent(now: Candidate | None, why: str) -> None:
    assert why in (no_longer(now, frozen([candidate()]).items[0]) or "")
    assert no_longer(candidate(), frozen([candidate()]).items[0]) is None


OPERATION = Operation(
    name="erp.create_order", object="order", system="erp", locked=["amount", "customer.id"],
    payload_schema={
        "type": "object", "required": ["tax_code"], "additionalProperties": False,
        "properties": {
            "tax_code": {"type": "string"}, "po": {"type": "string"}, "amount": {"type": "number"},
            "customer": {"type": "object", "properties": {"id": {}, "vat": {"type": "string"}}},
        },
    },
)  # fmt: skip


@pytest.mark.parametrize("patch", [{"tax_code": "A1"}, {"po": None}, {"customer": {"vat": "DE1"}}])
def test_a_patch_that_fits_is_taken(patch: dict[str, Any]) -> None:
    patches.check(patch, OPERATION)


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({}, "empty"),
        ({"amount": 1}, "locks 'amount'"),
        ({"customer": {"id": "C2"}}, "locks 'customer.id'"),
        ({"customer": None}, "locks 'customer.id'"),
        ({"order": "SO-2"}, "locks 'order'"),
        ({"tax_code": 7}, "tax_code: 7 is not of type 'string'"),
        ({"tax_code": None}, "tax_code: None is not of type 'string'"),
        ({"taxcode": "A1"}, "taxcode"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(patch: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told.replace(".", r"\.")):
        patches.check(patch, OPERATION)
