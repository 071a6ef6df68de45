"""What people do to groups, and what follows: states, snoozes, owners, escalation, saved views, proposals, the audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from ruamel.yaml import YAML

from console.access import LOCAL, Principal
from console.deeds import GROUPS_MOST
from console.filters import EXCEPTION_GROUPS, read
from console.saved_views import ROOM, SavedViews
from tests.console.pages.conftest import MORNING, NOON, House
from trace_model.catalogue.failure_rules import FailureRule, load_rules
from trace_model.catalogue.loader import load
from trace_model.errors import Forbidden, Refused, UnknownThing
from trace_model.signatures import Signature, classify

ANA = Principal("ana", "analyst")
VIEWER = Principal("vi", "viewer")
TAX = "Customer C-7 has no valid tax registration number"


@pytest.fixture
def house() -> Iterator[House]:
    """SO-1 to SO-3 are refused for tax, by the hour; SO-4's ERP call fails of something of its own."""
    made = House()
    for number in range(1, 4):
        refused(made, f"SO-{number}", 60 * number)
    made.span(
        "erp.create_order", 200, order_id="SO-4", error="Posting period 003 is not open", error_code="F5 201", service="erp-de",
        amount="900.00", currency="EUR",
    )  # fmt: skip
    made.settle()
    yield made
    made.store.close()


def refused(house: House, order: str, minutes: float) -> None:
    house.span(
        "tax.determine", minutes, order_id=order, error=TAX, error_code="TAX_ID_INVALID", service="tax", amount="100.00",
        currency="EUR", region="EMEA",
    )  # fmt: skip


def queue(house: House, **asked: str) -> list[dict[str, Any]]:
    return house.store.rows("exception_groups", **read(EXCEPTION_GROUPS, asked).parameters, limit=1000, as_of=house.now)


def tax(house: House, **asked: str) -> dict[str, Any]:
    return next(g for g in queue(house, snoozed="true", **asked) if g["system"] == "tax")


def test_a_deed_on_many_groups_is_done_for_all_or_for_none_and_keeps_before_and_after(house: House) -> None:
    ids = [g["group_id"] for g in queue(house)]
    with pytest.raises(UnknownThing, match="no exception group 'nobody'"):
        house.resources.deeds.on_groups(ANA, "assign", [*ids, "nobody"], "ours", {"team": "support"})
    assert {g["owner_team"] for g in queue(house)} == {"finance_operations"}
    done = house.resources.deeds.on_groups(
        ANA, "assign", [*ids, *ids], "ours this week", {"team": "support", "person": "Bo"}
    )
    assert [a.subject_id for a in done] == ids
    detail = json.loads(done[0].detail)
    assert (detail["before"]["assigned_team"], detail["after"]["assigned_team"]) == (None, "support")
    assert {(g["owner_team"], g["owner_person"]) for g in queue(house)} == {("support", "Bo")}
    assert house.store.first_broken_action() is None


@pytest.mark.parametrize(
    ("deed", "given", "said"),
    [
        ("assign", {}, "needs a team or a person"),
        ("assign", {"team": "sales"}, "no team 'sales'"),
        ("snooze", {}, "what ends it"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, "must lie ahead"),
        ("snooze", {"count": 0}, "1 or more"),
        ("snooze", {"amount": "lots"}, "money held"),
        ("reclassify", {"class": "bug"}, "found 'bug'"),
        ("reclassify", {"class": "business", "category": "weather"}, "no category 'weather'"),
        ("tag", {"tags": 7}, "a list of words"),
        ("link", {"ticket": "javascript://x"}, "no http address"),
        ("delete", {}, "is no deed"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(house: House, deed: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        house.resources.deeds.on_group(ANA, deed, tax(house)["group_id"], "why", given)


def test_rights_and_the_most_that_is_done_at_once_hold_in_the_service(house: House) -> None:
    with pytest.raises(Forbidden):
        house.resources.deeds.on_groups(VIEWER, "note", [tax(house)["group_id"]], "x")
    with pytest.raises(Refused, match="at most 1,000"):
        house.resources.deeds.on_groups(ANA, "note", [str(n) for n in range(GROUPS_MOST + 1)], "x")


def test_a_group_is_new_then_ongoing_then_escalating_and_resolved_when_it_succeeds(house: House) -> None:
    assert tax(house)["state"] == "new"
    house.now = NOON + timedelta(days=2)
    assert tax(house)["state"] == "ongoing"
    for number in range(10, 16):
        refused(house, f"SO-{number}", 2 * 1440 + number)
    house.settle()
    assert tax(house)["state"] == "escalating"
    assert tax(house)["opened_by_day"][-3:] == [3, 0, 6]
    for number in (1, 2, 3, *range(10, 16)):
        house.span("tax.determine", 3 * 1440, order_id=f"SO-{number}", service="tax")
    house.settle()
    house.now = NOON + timedelta(days=4)
    assert [g["system"] for g in queue(house, kind="failed_operation")] == ["erp-de"]


def test_what_was_resolved_by_hand_and_fails_again_has_regressed(house: House) -> None:
    group = tax(house)["group_id"]
    house.resources.deeds.on_group(ANA, "resolve", group, "the customer was registered")
    assert [g["system"] for g in queue(house)] == ["erp-de"]
    refused(house, "SO-1", 2 * 1440)
    house.settle()
    house.now = MORNING + timedelta(days=2, hours=1)
    assert (tax(house)["state"], tax(house)["open_count"]) == ("regressed", 1)


def test_a_snooze_ends_by_time_count_money_or_an_answer_whichever_comes_first(house: House) -> None:
    group = tax(house)["group_id"]

    def snoozed(**until: Any) -> bool:
        house.resources.deeds.on_group(ANA, "snooze", group, "later", until)
        return tax(house)["state"] == "snoozed"

    assert snoozed(until=(house.now + timedelta(hours=1)).isoformat())
    assert "tax" not in {g["system"] for g in queue(house)}
    house.now += timedelta(hours=2)
    assert tax(house)["state"] != "snoozed"
    assert snoozed(count=4)
    assert not snoozed(count=3)
    assert snoozed(amount="300.01")
    assert not snoozed(amount="300")
    assert snoozed(healthy=True)
    house.span("tax.determine", 6.5 * 60, order_id="SO-9", service="tax")
    house.settle()
    house.now = MORNING + timedelta(hours=7)
    assert tax(house)["state"] != "snoozed", "the system has answered since"
    house.resources.deeds.on_group(ANA, "snooze", group, "later", {"count": 99})
    house.resources.deeds.on_group(ANA, "wake", group, "it matters after all")
    assert tax(house)["state"] != "snoozed"


def test_tags_and_tickets_show_and_filter(house: House) -> None:
    group = tax(house)["group_id"]
    house.resources.deeds.on_group(ANA, "tag", group, "quarter end", {"tags": ["Quarter-End", "emea"]})
    house.resources.deeds.on_group(ANA, "link", group, "as agreed", {"ticket": "https://desk.example/OPS-7"})
    [found] = queue(house, tag="quarter-end")
    assert (found["group_id"], found["tags"], found["ticket"]) == (
        group,
        ["quarter-end", "emea"],
        "https://desk.example/OPS-7",
    )
    house.resources.deeds.on_group(ANA, "tag", group, "over", {"tags": []})
    assert queue(house, tag="emea") == []


def test_naming_a_failure_proposes_the_rule_that_would_have_said_so(house: House) -> None:
    group = next(g["group_id"] for g in queue(house) if g["system"] == "erp-de")
    done = house.resources.deeds.on_group(
        ANA, "reclassify", group, "Finance opens periods: theirs.", {"class": "business", "category": "invoice_billing"}
    )
    text = json.loads(done.detail)["proposal"]
    assert "code: [F5 201]" in text
    assert text.startswith("- id: own.sap.f5_201")
    rules = load_rules(None, [FailureRule.model_validate(rule) for rule in YAML(typ="safe").load(text)])
    verdict = classify(Signature("sap", "F5 201", "Posting period 003 is not open"), rules)
    assert (verdict.category, verdict.rule, verdict.confidence) == ("invoice_billing", "own.sap.f5_201", 0.97)


def test_what_nobody_answers_escalates_after_working_time_unless_a_person_was_assigned() -> None:
    shipped = load()
    rule = {
        "team": "finance_operations",
        "person": "Kim",
        "categories": ["tax"],
        "regions": ["EMEA"],
        "escalate": {"after_s": 3600, "calendar": "europe_office", "team": "platform", "person": "Lee"},
    }
    catalogue = type(shipped).model_validate(
        {**shipped.model_dump(by_alias=True), "owners": [rule, {"team": "support"}]}
    )
    made = House(catalogue=catalogue)
    refused(made, "SO-1", 8.5 * 60)  # 16:30 UTC on a Monday, 17:30 in Berlin, half an hour before closing
    made.settle()
    made.now = MORNING + timedelta(hours=12)
    owned = tax(made)
    assert (owned["owner_team"], owned["owner_person"], owned["is_escalated"]) == ("finance_operations", "Kim", False)
    assert owned["escalates_at"].isoformat() == "2026-03-03T07:30:00.080000+00:00"
    made.now = MORNING + timedelta(days=1)
    assert (tax(made)["owner_team"], tax(made)["owner_person"], tax(made)["is_escalated"]) == ("platform", "Lee", True)
    made.resources.deeds.on_group(LOCAL, "assign", tax(made)["group_id"], "mine", {"person": "Ana"})
    assert (tax(made)["owner_team"], tax(made)["owner_person"], tax(made)["is_escalated"]) == (
        "finance_operations",
        "Ana",
        False,
    )
    made.store.close()


def test_ready_made_teams_escalate_to_their_lead_in_office_hours(house: House) -> None:
    """Refused on Monday at 10:00 in Berlin, the office closes at 18:00 and opens at 8:00: four hours are over at 14:00."""
    assert all(rule.escalate and rule.escalate.calendar == "europe_office" for rule in house.store.catalogue.owners)
    assert all(rule.escalate and rule.escalate.team == rule.team for rule in house.store.catalogue.owners)
    before = tax(house)
    assert (before["owner_team"], before["owner_person"]) == ("finance_operations", None)
    assert before["escalates_at"].isoformat() == "2026-03-02T13:00:00.080000+00:00"
    house.now = before["escalates_at"]
    after = tax(house)
    assert (after["owner_team"], after["owner_person"]) == ("finance_operations", "Finance operations lead")
    assert after["is_escalated"]
    house.resources.deeds.on_group(ANA, "acknowledge", after["group_id"], "on it")
    house.now += timedelta(minutes=1)
    assert (tax(house)["owner_person"], tax(house)["is_escalated"]) == (None, False)


def test_views_are_kept_for_one_or_shared_and_dropped_by_who_saved_them(house: House) -> None:
    views = SavedViews(house.store)

    def known(who: Principal) -> list[tuple[str, str]]:
        return [(v["name"], v["query"]) for v in house.store.rows("saved_views", room=ROOM, actor=who.name, as_of=house.now)]  # fmt: skip

    views.save(ANA, "Mine", "class=business&page=3&sort=time", shared=False)
    shared = views.save(ANA, "Ours", "owner_team=revops", shared=True)
    assert known(ANA) == [("Mine", "class=business&sort=time"), ("Ours", "owner_team=revops")]
    assert known(VIEWER) == [("Ours", "owner_team=revops")]
    with pytest.raises(Forbidden, match="was saved by ana"):
        views.drop(VIEWER, shared.subject_id)
    with pytest.raises(Refused, match="no filter is set"):
        views.save(ANA, "Nothing", "as_of=now", shared=False)
    with pytest.raises(Forbidden):
        views.save(VIEWER, "For all", "class=business", shared=True)
    views.drop(ANA, shared.subject_id)
    assert known(VIEWER) == []


def test_the_audit_keeps_what_a_snooze_was_and_not_what_was_said_beside_it(house: House) -> None:
    group_id = tax(house)["group_id"]
    for until in (NOON + timedelta(hours=1), NOON + timedelta(hours=2)):
        house.resources.deeds.on_group(ANA, "snooze", group_id, "Later", {"until": until.isoformat()})
    woken = json.loads(house.resources.deeds.on_group(ANA, "wake", group_id, "Now after all").detail)
    assert json.loads(woken["before"]["snooze"]) == {"until": (NOON + timedelta(hours=2)).isoformat()}
    assert woken["after"]["snooze"] is None
