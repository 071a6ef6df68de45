"""A catalogue that reads the same of spans leaves their facts standing: all else is made from them, as if every span were read again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trace_model.store.derived_rows import Rows, impatient, rules, told
from tests.trace_model.store.random_estates import deliveries, estates
from tests.trace_model.store.spans_of import Span, instant, table
from trace_model.catalogue.schema import Alias, Catalogue, Relation
from trace_model.store import Store
from trace_model.store.projector import FACTS_READ, Projector, facts_hash
from trace_model.store.trial import compare

few = settings(max_examples=4, deadline=None)  # three stores each
Change = Callable[[Catalogue], Catalogue]
Tables = dict[str, list[str]]


def _with(**update: object) -> Change:
    return lambda c: c.model_copy(update=update)


def _halved(c: Catalogue) -> Catalogue:
    return c.model_copy(
        update={"promises": [p.model_copy(update={"within_s": p.within_s and p.within_s // 2}) for p in c.promises]}
    )


def _milestones(**update: object) -> Change:
    return lambda c: c.model_copy(update={"milestones": [m.model_copy(update=update) for m in c.milestones]})


LEAVE_FACTS: dict[str, Change] = {
    "shorter promises": _halved,
    "no promises": _with(promises=[]),
    "silence is allowed longer": _with(stuck_after_s=90),
    "another standing calendar": _with(stuck_calendar=None),
    "other rates": lambda c: c.model_copy(update={"rates": {k: v * 2 for k, v in c.rates.items()}}),
    "every milestone is final": _milestones(final=True),
    "nothing is always expected": _milestones(expected="when_seen"),
    "no quote leads": _with(lead_types=["order"]),
    "nobody owns anything by a rule": _with(owners=[]),
    "half as much again is not too much": lambda c: c.model_copy(
        update={"checks": c.checks.model_copy(update={"over_tolerance": Decimal("0.5")})}
    ),
    "no pauses": _with(pauses=[]),
}
READ_OTHERWISE: dict[str, Change] = {
    "ids of orders elsewhere are no longer said": lambda c: c.model_copy(
        update={"object_types": [t.model_copy(update={"aliases": []}) for t in c.object_types]}
    ),
    "a new alias": lambda c: c.model_copy(
        update={
            "object_types": [
                t.model_copy(update={"aliases": [*t.aliases, Alias(attribute="oms.order.id", system="logistics")]})
                if t.name == "order"
                else t
                for t in c.object_types
            ]
        }
    ),
    "types stand in another order": lambda c: c.model_copy(update={"object_types": c.object_types[::-1]}),
    "shipments amend invoices": lambda c: c.model_copy(
        update={"relations": [*c.relations, Relation(child="shipment", parent="invoice", kind="amends")]}
    ),
    "the operation is said elsewhere": _with(attributes={"operation": ["workflow.step"]}),
    "no operation is declared": _with(operations=[]),
    "no operation stands for a milestone": _milestones(operations=[]),
    "a currency more": lambda c: c.model_copy(update={"rates": {**c.rates, "XXX": Decimal(1)}}),
    "an integration no more": lambda c: c.model_copy(
        update={"systems": [s.model_copy(update={"kind": "application"}) for s in c.systems]}
    ),
}


def opened_on(path: Path, by: Catalogue) -> tuple[Store, list[str]]:
    """A store of that file, and the steps of the rebuild by which it came up to date."""
    steps: list[str] = []
    store = Store(
        path, by, clock=lambda: instant(0), rules=rules(), threads=1, on_progress=lambda step, _: steps.append(step)
    )
    return store, steps


def derived_by_both(batches: list[list[Span]], projected: int, change: Change) -> tuple[Tables, Tables, list[str]]:
    """What was projected by one catalogue and then derived by the changed one; all heard by the changed one; the steps of that derivation.

    Batches after the first `projected` had been recorded only when the first process ended.
    """
    by = impatient()
    with tempfile.TemporaryDirectory() as directory:
        first, _ = opened_on(Path(directory) / "house.duckdb", by)
        with closing(first):
            for batch in batches[:projected]:
                Rows(first).hear(batch)
            for batch in batches[projected:]:
                first.record(table(batch))
        again, steps = opened_on(Path(directory) / "house.duckdb", change(by))
        alone, _ = opened_on(Path(directory) / "alone.duckdb", change(by))
        with closing(again), closing(alone):
            again.project()
            for batch in batches:
                Rows(alone).hear(batch)
            return Rows(again).every_table(), Rows(alone).every_table(), steps


@few
@given(st.data(), st.sampled_from(sorted(LEAVE_FACTS)))
def test_a_change_of_what_is_made_of_facts_reads_no_span_and_gives_the_same_rows(
    data: st.DataObject, name: str
) -> None:
    batches = data.draw(deliveries(data.draw(estates())))
    again, alone, steps = derived_by_both(batches, data.draw(st.integers(1, len(batches))), LEAVE_FACTS[name])
    assert "timelines" in steps
    assert "reading spans" not in steps
    assert again == alone


@few
@given(st.data(), st.sampled_from(sorted(READ_OTHERWISE)))
def test_a_change_of_what_spans_say_reads_them_again(data: st.DataObject, name: str) -> None:
    batches = data.draw(deliveries(data.draw(estates())))
    again, alone, steps = derived_by_both(batches, data.draw(st.integers(1, len(batches))), READ_OTHERWISE[name])
    assert "reading spans" in steps
    assert again == alone


def test_who_asks_for_a_rebuild_has_every_span_read_once_though_nothing_changed(tmp_path: Path) -> None:
    path = tmp_path / "house.duckdb"
    steps: list[str] = []
    with closing(Store(path, impatient(), clock=lambda: instant(0), rules=rules(), threads=1)) as store:
        Rows(store).hear([Span(1, 1, "crm.submit_order", 0, 1, attributes={"q2c.order.id": "SO-1"})])
    asked = Store(
        path, _halved(impatient()), clock=lambda: instant(0), rules=rules(), threads=1, rebuilds="always",
        on_progress=lambda step, _: steps.append(step),
    )  # fmt: skip
    with closing(asked):
        assert steps.count("reading spans") == 1
        assert steps.count("objects") == 1
        assert Rows(asked).leads() == ["order:SO-1"]


@pytest.mark.parametrize("name", sorted(LEAVE_FACTS | READ_OTHERWISE))
def test_the_hash_of_facts_changes_with_what_spans_say_alone(name: str) -> None:
    change = (LEAVE_FACTS | READ_OTHERWISE)[name]
    assert (facts_hash(change(impatient())) == facts_hash(impatient())) == (name in LEAVE_FACTS)


def test_facts_are_read_by_nothing_that_their_hash_does_not_hold() -> None:
    """Every statement that reads spans is bound where the catalogue's tables have the hashed columns alone."""
    rows = told([Span(1, 1, "crm.submit_order", 0, 1, attributes={"q2c.order.id": "SO-1"})])
    with closing(rows.store), rows.store.database.reading() as c:
        names = [
            name
            for (name,) in c.execute(
                "select table_name from duckdb_tables() where table_name like 'cat@_%' escape '@'"
            ).fetchall()
        ]
        assert set(FACTS_READ) < set(names)
        for name in names:
            kept = ", ".join(FACTS_READ.get(name, ()))
            c.execute(f"create or replace table {name} as select {kept} from {name}" if kept else f"drop table {name}")
        bare = Projector(c, rows.store.catalogue, rules())
        bare.read_spans(lambda _step, _share: None)
        assert c.execute("select object_id from object_facts").fetchall() == [("SO-1",)]


def test_a_trial_that_reads_spans_alike_uses_the_published_facts_and_says_the_same() -> None:
    """Told by the steps of its progress; and that of a catalogue which reads them otherwise does not."""
    rows = told(
        [Span(1, 1, "crm.submit_order", 0, 1, attributes={"q2c.order.id": "SO-1", "q2c.operation": "crm.submit_order"})]
    )
    steps: list[str] = []
    with closing(rows.store):
        for change, reads in ((_halved, False), (READ_OTHERWISE["no operation is declared"], True)):
            steps.clear()
            compare(
                rows.store,
                change(rows.store.catalogue),
                as_of=instant(0),
                on_progress=lambda step, _: steps.append(step),
            )
            assert ("reading spans" in steps) == reads
            assert rows.store.facts_stand_for(rows.store.catalogue)
