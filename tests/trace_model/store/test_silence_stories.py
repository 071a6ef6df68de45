"""A system that rests when nobody works is not silent: one story a test (docs/alerts.md)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.trace_model.store.derived_rows import Rows, opened, told
from tests.trace_model.store.spans_of import T0, Span
from trace_model.catalogue.loader import load
from trace_model.catalogue.schema import Catalogue
from trace_model.store.trial import compare

FRIDAY = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)
"""Half past five in Berlin: thirty minutes before the office closes."""


def heard(service: str) -> list[Span]:
    at = (FRIDAY - T0).total_seconds()
    return [Span(1, 1, "POST", at - 1, at, service=service, attributes={"q2c.order.id": "SO-1"})]


def state(rows: Rows, system: str, day: int, hour: int, minute: int = 0) -> str:
    as_of = datetime(2026, 3, day, hour, minute, tzinfo=UTC)
    [row] = rows.ask("select state from system_states(?) where system = ?", [as_of, system])
    return str(row["state"])


@pytest.mark.parametrize(
    ("when", "expected"),
    [((6, 16, 31), "up"), ((6, 23), "up"), ((8, 12), "up"), ((9, 7, 5), "up"), ((9, 7, 15), "silent"), ((9, 12), "silent")],
)  # fmt: skip
def test_silence_counts_in_office_hours_only(when: tuple[int, ...], expected: str) -> None:
    """40 minutes: thirty on Friday, ten from eight on Monday (seven, UTC)."""
    assert state(told(heard("erp-de")), "erp-de", *when) == expected


def round_the_clock() -> Catalogue:
    catalogue = load()
    systems = [s.model_copy(update={"silent_calendar": None}) for s in catalogue.systems]
    return catalogue.model_copy(update={"systems": systems})


def test_without_a_calendar_it_counts_around_the_clock() -> None:
    rows = Rows(opened(round_the_clock()))
    rows.hear(heard("erp-de"))
    assert [state(rows, "erp-de", 6, 17, minute) for minute in (9, 11)] == ["up", "silent"]


def test_a_trial_counts_silence_as_each_catalogue_does() -> None:
    rows = Rows(opened(load()))
    rows.hear(heard("erp-de"))

    def silences(day: int) -> list[tuple[datetime | None, datetime | None]]:
        as_of = datetime(2026, 3, day, 12, tzinfo=UTC)
        found = compare(rows.store, round_the_clock(), as_of=as_of).alert_changes.to_pylist()
        return [
            (row["before_at"], row["after_at"])
            for row in found
            if (row["kind"], row["object_id"]) == ("silent", "erp-de")
        ]

    around_the_clock = datetime(2026, 3, 6, 17, 10, tzinfo=UTC)
    assert silences(8) == [(None, around_the_clock)]
    assert sorted(silences(9), key=str) == sorted(
        [(datetime(2026, 3, 9, 7, 10, tzinfo=UTC), None), (None, around_the_clock)], key=str
    )
