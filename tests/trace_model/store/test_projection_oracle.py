"""Set-based SQL agrees with a slow, obvious reading of the same spans."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from tests.trace_model.store.derived_rows import Rows, catalogue, told
from tests.trace_model.store.oracle import Mention, Oracle
from tests.trace_model.store.random_estates import estates
from tests.trace_model.store.spans_of import Span, instant
from tests.trace_model.store.test_projection_properties import quick

NAME = "(o.object_type, o.object_id, o.scope)"


@quick
@given(estates())
def test_sql_derives_what_a_slow_reading_derives(spans: list[Span]) -> None:
    rows, oracle = told(spans), Oracle(spans, catalogue())
    derived = objects_of(rows)
    assert set(derived) == {short(o) for o in oracle.objects}
    for mention, may_be in oracle.objects.items():
        for name, value in derived[short(mention)].items():
            assert value in may_be[name] if isinstance(may_be[name], set) else value == may_be[name], (mention, name)
    assert links_of(rows) == {
        (short(c), short(p), kind): (
            link["source"],
            link["confidence"],
            link["amount"],
            link["quantity"],
            link["allocating"],
            round(float(link["share"]), 9),
        )
        for (c, p, kind), link in oracle.links.items()
    }
    assert members_of(rows) == {
        (short(lead), short(member)): (place["depth"], place["direction"], round(float(place["share"]), 9))
        for lead, members in oracle.members.items()
        for member, place in members.items()
    }
    assert milestones_of(rows) == {
        (short(lead), name): (at(reached["reached"]), at(reached["last"]), at(reached["undone"]))
        for lead, milestones in oracle.milestones.items()
        for name, reached in milestones.items()
    }
    assert failures_of(rows) == {
        (operation, short(o), number): (
            at(e["opened"]),
            at(e["first"]),
            at(e["last"]),
            at(e["resolved"]),
            e["attempts"],
        )
        for (operation, o), episodes in oracle.failures.items()
        for number, e in enumerate(episodes, 1)
    }


def short(mention: Mention) -> tuple[str, str, str]:
    object_type, _, scope, object_id = mention
    return object_type, object_id, scope


def at(seconds: float | None) -> Any:
    return None if seconds is None else instant(seconds)


def named(row: dict[str, Any], prefix: str) -> tuple[str, str, str]:
    return row[f"{prefix}_type"], row[f"{prefix}_id"], row[f"{prefix}_scope"]


def name_columns(alias: str, prefix: str) -> str:
    return f"{alias}.object_type as {prefix}_type, {alias}.object_id as {prefix}_id, {alias}.scope as {prefix}_scope"


def objects_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(f"select {name_columns('o', 'o')}, o.* from objects o")
    return {
        named(r, "o"): {
            "amount": r["amount"],
            "first_seen": (r["first_seen_at"] - instant(0)).total_seconds(),
            "last_seen": (r["last_seen_at"] - instant(0)).total_seconds(),
            "system": r["system"],
            "quantity": r["quantity"],
            "region": r["region"],
        }
        for r in found
    }


def links_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(
        f"select {name_columns('c', 'c')}, {name_columns('p', 'p')}, k.* from links k "
        "join objects c on c.object_key = k.child_key join objects p on p.object_key = k.parent_key"
    )
    return {
        (named(r, "c"), named(r, "p"), r["kind"]): (
            r["source"],
            float(r["confidence"]),
            r["amount"],
            r["quantity"],
            r["is_allocating"],
            round(r["share"], 9),
        )
        for r in found
    }


def members_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(
        f"select {name_columns('l', 'l')}, {name_columns('o', 'o')}, m.* from timeline_members m "
        "join objects l on l.object_key = m.lead_key join objects o on o.object_key = m.object_key"
    )
    return {(named(r, "l"), named(r, "o")): (r["depth"], r["direction"], round(r["share"], 9)) for r in found}


def milestones_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(
        f"select {name_columns('l', 'l')}, m.* from timeline_milestones m join objects l on l.object_key = m.lead_key "
        "where m.reached_at is not null"
    )
    return {(named(r, "l"), r["milestone"]): (r["reached_at"], r["last_at"], r["undone_at"]) for r in found}


def failures_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(f"select {name_columns('o', 'o')}, f.* from failures f join objects o using (object_key)")
    return {
        (r["operation"], named(r, "o"), r["episode"]): (
            r["opened_at"],
            r["first_failed_at"],
            r["last_failed_at"],
            r["resolved_at"],
            r["attempt_count"],
        )
        for r in found
    }
