"""Classes and Owners on screen: how verdicts stood up to people, the rules that people's words propose, and who would own what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.access import LOCAL
from tests.console.pages.conftest import House, Open, rows, shown, trade

ODD = "Quux zorbulates"


@pytest.fixture
def judged() -> Iterator[House]:
    """The console of `trade`, and SO-5, whose failure nobody knows."""
    made = House()
    trade(made)
    made.span(
        "warehouse.pick", 215, order_id="SO-5", error=ODD, error_code="QX-7", thrown="Oops", service="warehouse", amount="50.00",
        currency="EUR", region="APAC",
    )  # fmt: skip
    made.settle()
    yield made
    made.store.close()


def group_of(house: House, order: str) -> str:
    found = house.store.rows("export_exceptions", as_of=house.now)
    return str(next(row["group_id"] for row in found if row["object_id"] == order))


def test_classes_say_what_was_judged_what_is_unknown_and_by_which_rule(judged: House, page: Open) -> None:
    at = page("classes")
    said = " ".join(shown(at).split())
    assert "Exceptions judged 3 in 30 days" in said
    assert "Unknown 33.3 % 1 exception" in said
    assert "Put in another class 0.0 % 0 exceptions" in said
    matrix = [row for row in rows(at) if row.startswith(("Business", "Technical", "Dependency", "Unknown"))]
    assert matrix == [
        "Business exception 1 0 0 0 100.0 %",
        "Technical failure 0 0 0 0 none judged so",
        "Dependency outage 0 0 1 0 100.0 %",
        "Unknown 0 0 0 1 100.0 %",
    ]
    assert any(row.startswith("warehouse 1 100.0 % 1 0") for row in rows(at)), rows(at)
    assert any(row.startswith("none fitted 1 1 group 0 0 nobody looked") for row in rows(at)), rows(at)
    assert "No rule is proposed." in said


def test_naming_an_unknown_moves_it_in_the_matrix_and_proposes_the_rule(judged: House, page: Open) -> None:
    named = {"class": "technical", "category": "auth_config"}
    judged.resources.deeds.on_group(
        LOCAL, "reclassify", group_of(judged, "SO-5"), "The quux is a setting of ours", named
    )
    at = page("classes")
    assert "Unknown 0 1 0 0 0.0 %" in rows(at)
    said = " ".join(shown(at).split())
    assert "Put in another class 33.3 % 1 exception" in said
    assert "Looked at again by people 1" in said
    assert "category: auth_config" in said
    assert "qx-7" in said.lower()
    assert "local" in said


def test_a_rule_that_is_corrected_as_often_as_it_is_looked_at_keeps_nothing(judged: House, page: Open) -> None:
    tax = group_of(judged, "SO-2")
    judged.resources.deeds.on_group(
        LOCAL, "reclassify", tax, "It is our mapping", {"class": "technical", "category": "contract_schema"}
    )
    verdict = judged.store.rows("exception_group", group_id=tax, as_of=judged.now)[0]
    kept = next(row for row in rows(page("classes")) if row.startswith(verdict["rule"]))
    assert kept.startswith(f"{verdict['rule']} 1 1 group 1 1 0.0 %"), kept


def test_classes_of_other_days_and_of_an_empty_store_say_so(judged: House, empty_house: House, page: Open) -> None:
    assert "There is no failure in 7 days to judge" in shown(page("classes", days="7"))
    judged.provide()
    assert "in 90 days" in shown(page("classes", days="90"))


def test_owners_show_the_teams_with_what_they_hold_and_the_rules_in_force(judged: House, page: Open) -> None:
    at = page("owners")
    platform = next(row for row in rows(at) if row.startswith("Platform engineering platform"))
    assert platform.startswith("Platform engineering platform 2 2 EUR 70,050"), platform
    assert any(row.startswith("2 class technical Platform engineering") for row in rows(at)), rows(at)
    assert "Nobody would have got anything else." in shown(at)


def test_a_trial_shows_who_would_have_got_what_and_changes_nothing(judged: House, page: Open) -> None:
    at = page("owners")
    at.text_area(key="trial_rules").set_value(
        "- {team: support, regions: [APAC], person: Bo}\n- {team: platform}"
    ).run()
    said = " ".join(shown(at).split())
    assert "2 of 3 exceptions of the last 30 days move" in said
    moved = [row for row in rows(at) if "Support" in row and "Bo" in row and ODD in row]
    assert len(moved) == 1, rows(at)
    assert moved[0].startswith("Platform engineering Support Bo 1 1 1 open 1 EUR 50")
    owners = {row["object_id"]: row["owner_team"] for row in judged.store.rows("export_exceptions", as_of=judged.now)}
    assert owners == {"SO-2": "finance_operations", "SO-3": "platform", "SO-5": "platform"}


def test_a_trial_of_nonsense_names_the_fault(judged: House, page: Open) -> None:
    at = page("owners")
    at.text_area(key="trial_rules").set_value("- {team: nobody}").run()
    assert "nobody" in shown(at)
    at.text_area(key="trial_rules").set_value("- {team: [").run()
    assert "YAML" in shown(at)
