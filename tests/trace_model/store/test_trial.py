"""A catalogue tried on history says what would change, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.trace_model.store.derived_rows import Rows, opened
from tests.trace_model.store.spans_of import Span, instant, table
from trace_model.catalogue import loader
from trace_model.catalogue.schema import Catalogue
from trace_model.errors import CatalogueError, PermanentError
from trace_model.store import Store
from trace_model.store.trial import Trial, compare

SHIPPED = loader.text_of(None)[1]
HOUR = 3600.0
AS_OF = instant(10 * HOUR)


def changed(*edits: tuple[str, str]) -> Catalogue:
    text = SHIPPED
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return loader.read("new.yaml", text)


def said(
    number: int, operation: str, at: float, *, error: str | None = None, service: str = "sync-engine", **keys: Any
) -> Span:
    attributes = {"q2c.operation": operation, **{f"q2c.{key.replace('__', '.')}": value for key, value in keys.items()}}
    return Span(number, number, operation, at, at + 0.1, error=error, attributes=attributes, service=service)


@pytest.fixture(scope="module")
def history() -> Iterator[Rows]:
    """Only for reading. SO-1 accepted after three hours, a promise of two; SO-2 refused for its tax number at the second hour, still open."""
    rows = Rows(opened())
    money = {"amount": "1000.00", "currency": "EUR", "region": "EMEA", "product_line": "services"}
    rows.hear(
        [
            said(1, "crm.submit_order", 0, order__id="SO-1", **money),
            said(2, "erp.create_order", 3 * HOUR, order__id="SO-1"),
            said(3, "crm.submit_order", 0, order__id="SO-2", **money),
            said(4, "tax.determine", 2 * HOUR - 600, order__id="SO-2", error="Customer has no valid tax registration number", service="tax"),
        ]
    )  # fmt: skip
    yield rows
    rows.store.close()


def test_the_published_catalogue_against_itself_changes_nothing(history: Rows) -> None:
    found = compare(history.store, loader.load(), as_of=AS_OF)
    assert not found.changes_anything
    assert sum(row["order_count"] for row in found.state_moves.to_pylist()) == 2
    assert {row["before_count"] - row["after_count"] for row in found.alert_totals.to_pylist()} == {0}


def test_the_live_rows_are_what_they_were_before(history: Rows) -> None:
    before = history.every_table()
    found = compare(history.store, changed(("within_s: 7200", "within_s: 60")), as_of=AS_OF)
    assert found.changes_anything
    assert history.every_table() == before
    assert history.ask("select database_name from duckdb_databases() where database_name = 'trial'") == []


@pytest.fixture(scope="module")
def longer(history: Rows) -> Trial:
    """The trial of a catalogue that gives order acceptance twelve hours instead of two."""
    return compare(history.store, changed(("within_s: 7200", "within_s: 43200")), as_of=AS_OF)


def test_a_longer_promise_keeps_orders_that_were_breached(longer: Trial) -> None:
    found = longer
    orders = {row["lead_id"]: row for row in found.order_changes.to_pylist()}
    assert (orders["SO-2"]["change"], orders["SO-2"]["before_state"], orders["SO-2"]["after_state"]) == (
        "state", "breached", "at_risk",
    )  # fmt: skip
    assert "Order acceptance time: breached to at_risk" in orders["SO-2"]["clocks"]
    clocks = {(row["promise"], row["before_state"], row["after_state"]) for row in found.clock_changes.to_pylist()}
    assert ("order_acceptance", "met_late", "met") in clocks
    moved = [row for row in found.state_moves.to_pylist() if row["before_state"] != row["after_state"]]
    assert [(row["before_state"], row["after_state"], row["order_count"]) for row in moved] == [
        ("breached", "at_risk", 1)
    ]


def test_a_breach_that_would_not_have_happened_is_an_alert_not_raised(longer: Trial) -> None:
    breaches = {row["object_id"]: row for row in longer.alert_changes.to_pylist() if row["kind"] == "breach"}
    assert {name: row["change"] for name, row in breaches.items()} == {"SO-1": "not_raised", "SO-2": "not_raised"}
    assert breaches["SO-1"]["before_at"] == instant(2 * HOUR + 0.1)
    assert breaches["SO-1"]["before_channels"] == "platform_chat"
    assert breaches["SO-2"]["before_owner_team"] == "finance_operations", (
        "the open exception's owner, not the promise's"
    )


def test_a_shorter_grace_raises_the_exception_earlier(history: Rows) -> None:
    found = compare(history.store, changed(("other_s: 60", "other_s: 5")), as_of=AS_OF)
    [row] = found.alert_changes.to_pylist()
    assert (row["kind"], row["object_id"], row["change"]) == ("exception", "SO-2", "moved")
    assert row["before_at"] - row["after_at"] == timedelta(seconds=55)
    assert found.order_changes.num_rows == 0


def test_another_owner_is_told_on_other_channels(history: Rows) -> None:
    found = compare(
        history.store,
        changed(("{team: finance_operations, categories: [tax,", "{team: platform, categories: [tax,"),
                ("{classes: [business], channels: [business_mail]", "{classes: [unknown], channels: [business_mail]")),
        as_of=AS_OF,
    )  # fmt: skip
    [exception] = found.exception_changes.to_pylist()
    assert (exception["change"], exception["before_owner_team"], exception["after_owner_team"]) == (
        "owner", "finance_operations", "platform",
    )  # fmt: skip
    told = {(row["kind"], row["object_id"]): row for row in found.alert_changes.to_pylist()}
    row = told[("exception", "SO-2")]
    assert (row["change"], row["before_channels"], row["after_channels"]) == (
        "told_to_others",
        "business_mail",
        "platform_chat",
    )


def test_a_type_that_no_longer_leads_takes_its_timelines_along(history: Rows) -> None:
    found = compare(history.store, changed(("lead_types: [order, quote]", "lead_types: [quote]")), as_of=AS_OF)
    assert {(row["lead_id"], row["change"]) for row in found.order_changes.to_pylist()} == {
        ("SO-1", "goes"),
        ("SO-2", "goes"),
    }


def test_only_what_the_published_rows_show_is_compared() -> None:
    store = opened()
    store.record(table([said(9, "crm.submit_order", HOUR, order__id="SO-9", amount="5.00", currency="EUR")]))
    assert store.recorded_seq > store.projected_seq
    assert not compare(store, loader.load(), as_of=AS_OF).changes_anything
    store.close()


def test_opening_for_a_trial_never_derives_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    store = Store(path, loader.load(), clock=lambda: AS_OF)
    store.close()
    with pytest.raises(PermanentError, match="derived by another catalogue"):
        Store(path, changed(("within_s: 7200", "within_s: 60")), clock=lambda: AS_OF, rebuilds="never")
    Store(path, loader.load(), clock=lambda: AS_OF, rebuilds="never").close()


def test_nothing_is_left_on_disk_and_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    (tmp_path / ".kept-trial-killed").mkdir()
    store = Store(path, loader.load(), clock=lambda: AS_OF)
    compare(store, loader.load(), as_of=AS_OF)
    store.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.duckdb"]


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory() -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)
    )
    with pytest.raises(CatalogueError, match="more than 500,000 values"):
        loader.read("bomb.yaml", bomb)
