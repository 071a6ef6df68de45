"""A catalogue's faults are named with file and line, all of them at once, and a typo is never a default."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from trace_model.catalogue.loader import json_schema, load
from trace_model.catalogue.schema import Promise
from trace_model.errors import CatalogueError

SHIPPED = (files("trace_model.catalogue") / "quote_to_cash.yaml").read_text("utf-8")


def test_the_shipped_catalogue_is_found_by_its_bare_name() -> None:
    assert load("quote_to_cash.yaml") == load()
    assert [m.name for m in load().milestones][:3] == ["quote_validated", "quote_accepted", "credit_checked"]


def test_the_schema_for_editors_is_that_of_the_code() -> None:
    shipped = (files("trace_model.catalogue") / "catalogue.schema.json").read_text("utf-8")
    assert shipped == json_schema(), "write loader.json_schema() to trace_model/catalogue/catalogue.schema.json"


FAULTS = [
    ("stuck_after_s: 162000", "stuck_after: 162000", "stuck_after: no such key"),
    ("stuck_calendar: any_office", "stuck_calendar: any_ofice", "stuck_calendar names calendar 'any_ofice', which is not declared. Known: always, europe_office"),
    ("stuck_calendar: always", "stuck_calendar: allways", "milestone 'order_submitted' names calendar 'allways'"),
    ("object: quote, operations: [crm.accept_quote], owner_team: revops", "object: quot, operations: [crm.accept_quote], owner_team: revops",
     "milestone 'quote_accepted' names object type 'quot', which is not declared. Known: customer, quote"),
    ("stop: order_accepted, within_s: 7200", "stop: order_acepted, within_s: 7200", "promise 'order_acceptance' names milestone 'order_acepted'"),
    ("stop: order_accepted, within_s: 7200", "stop: order_accepted, within_s: -5", "greater than 0 (found -5)"),
    ("- {child: order, parent: quote}", "- {child: quote, parent: shipment}\n  - {child: order, parent: quote}", "closes a circle of part_of relations"),
    ("  EUR: 1\n", "  EUR: 2\n", "the reporting currency EUR must be there with rate 1"),
    ("calendar: europe_office", "calendar: europe_ofice", "names calendar 'europe_ofice'"),
    ("silent_calendar: us_office", "silent_calendar: us_ofice", "system 'erp-us' names calendar 'us_ofice'"),
    ("lead_types: [order, quote]", "lead_types: [order, qoute]", "lead_types names object type 'qoute'"),
    ("- {name: tax, label: Tax engine,", "- {name: crm, label: Tax engine,",
     "system 'crm' is declared twice"),
    ("Europe/Berlin", "Europe/Berlim", "Europe/Berlim"),
    ("variant: overseas, when: {product_line: [hardware], region: [AMER, APAC]}", "variant: overseas, when: {product_line: [hardware], region: [EMEA, APAC]}",
     "promise 'shipment', variant 'overseas' ties with 'emea'"),
    ("variant: americas, when: {region: [AMER]}, calendar: us_office", "variant: americas, when: {region: [AMER]}, calendar: always",
     "variant 'americas' is due at a month-end close, and calendar 'always' has none"),
    ("variant: enterprise, when: {tier: [enterprise]}", "when: {tier: [enterprise]}", "promise 'payment_application', variant 'standard' is declared twice"),
    ("variant: enterprise, when: {tier: [enterprise]}", "variant: enterprise, stop: invoice_posted, when: {tier: [enterprise]}",
     "goes from invoice_issued to invoice_posted, and 'standard' from invoice_issued to payment_applied"),
    ("    due: month_end_close\n", "    due: month_end_close\n    within_s: 60\n", "either within_s or due: month_end_close, and not both"),
    ("promises: [payment_application]", "promises: [payment]", "pause 'dispute' names promise 'payment'"),
    ("operations: [credit.check]}\n    promises", "operations: [credit.chek]}\n    promises", "pause 'credit_hold' names operation 'credit.chek'"),
    ("correlation_id: [messaging", "corelation_id: [messaging", "'corelation_id' is no role"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "told"), FAULTS, ids=[told for _, _, told in FAULTS])
def test_a_fault_is_named_with_its_line(good: str, bad: str, told: str, tmp_path: Path) -> None:
    assert good in SHIPPED, "the fault is not set up: the shipped catalogue has changed"
    file = tmp_path / "mine.yaml"
    text = SHIPPED.replace(good, bad, 1)
    file.write_text(text, "utf-8")
    with pytest.raises(CatalogueError) as caught:
        load(file)
    problem = next((p for p in caught.value.problems if told in p), None)
    assert problem, caught.value.problems
    place = re.match(r".*mine\.yaml, line (\d+): ", problem)
    assert place, problem
    lines = text.splitlines()
    if told.startswith(("promise", "milestone", "lead_types", "system 'crm'")):
        assert (
            bad.split(",")[0].split(":")[0].strip("- {") in lines[int(place[1]) - 1]
            or "name" in lines[int(place[1]) - 1]
        )


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        SHIPPED.replace("calendar: europe_office", "calendar: x1").replace("calendar: us_office", "calendar: x2"),
        "utf-8",
    )
    with pytest.raises(CatalogueError) as caught:
        load(file)
    told = "\n".join(caught.value.problems)
    assert "'x1'" in told
    assert "'x2'" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a: [1", "not YAML"),
        (b"- 1\n", "a catalogue is a mapping"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_is_no_catalogue_at_all_is_told_so(content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(CatalogueError, match=told):
        load(file)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(CatalogueError, match=r"nowhere\.yaml: cannot be read"):
        load("nowhere.yaml")


def variant(**when: object) -> Promise:
    written = {
        "name": "p",
        "label": "",
        "start": "start",
        "stop": "m",
        "within_s": 1,
        "calendar": "always",
        "owner_team": "revops",
    }
    dates = {key: when.pop(key) for key in ("valid_from", "valid_until") if key in when}
    return Promise.model_validate(written | dates | {"when": when})


@pytest.mark.parametrize(
    ("one", "other", "ties"),
    [
        ({}, {"tier": ["gold"]}, False),
        ({"region": ["EMEA"]}, {"tier": ["gold"]}, True),
        ({"region": ["EMEA"]}, {"region": ["AMER", "APAC"]}, False),
        ({"region": ["EMEA"]}, {"region": ["AMER", "EMEA"]}, True),
        ({"min_amount": 1000}, {"min_amount": 50000}, False),
        ({"min_amount": 1000}, {"min_amount": 1000, "below_amount": 2000}, True),
        ({"below_amount": 1000}, {"min_amount": 0, "below_amount": 500}, True),
        ({"tier": ["gold"], "valid_until": "2026-06-30"}, {"tier": ["gold"], "valid_from": "2026-07-01"}, False),
        ({"tier": ["gold"], "valid_until": "2026-07-01"}, {"tier": ["gold"], "valid_from": "2026-07-01"}, True),
    ],
)
def test_variants_tie_where_neither_is_more_specific_and_one_order_can_have_both(
    one: dict[str, object], other: dict[str, object], ties: bool
) -> None:
    assert variant(**one).ties_with(variant(**other)) is ties
    assert variant(**other).ties_with(variant(**one)) is ties
