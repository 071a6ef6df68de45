"""Loads a catalogue into DuckDB as tables named `cat_*`: SQL joins the business instead of being built from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from trace_model import calendars
from trace_model.catalogue.calendar_schema import Calendar
from trace_model.catalogue.check_rules import checks_of, whole_path
from trace_model.catalogue.payload_rules import json_path
from trace_model.catalogue.schema import Catalogue, Condition, OwnerRule, Promise
from trace_model.store import catalogue_schemas

FIRST_DAY, LAST_DAY = date(2018, 1, 1), date(2035, 12, 31)
"""Deadlines are exact for clocks that start in these years."""
AROUND_THE_CLOCK = {
    "calendar": "",
    "opens_at": datetime(1970, 1, 1, tzinfo=UTC),
    "closes_at": datetime(9999, 12, 31, tzinfo=UTC),
    "worked_before_s": 0.0,
    "worked_before_us": 0,
}
"""The opening of what has no calendar, called '': its working time is the time that passes."""


@lru_cache(maxsize=64)
def _openings(calendar: Calendar) -> tuple[calendars.Opening, ...]:
    return tuple(calendars.openings(calendar, FIRST_DAY, LAST_DAY))


@lru_cache(maxsize=64)
def _start_shifts(calendar: Calendar) -> tuple[calendars.StartShift, ...]:
    return tuple(calendars.start_shifts(calendar, FIRST_DAY, LAST_DAY))


@lru_cache(maxsize=64)
def _month_closes(calendar: Calendar) -> tuple[calendars.MonthClose, ...]:
    return tuple(calendars.month_closes(calendar, FIRST_DAY, LAST_DAY))


def fingerprint(catalogue: Catalogue) -> str:
    """Changes whenever anything does that rows are derived from: derived rows of another catalogue are stale."""
    return hashlib.sha256(catalogue.model_dump_json(exclude={"replays", "pollers"}).encode()).hexdigest()[:16]


def counted_in(calendar: Calendar | None) -> str:
    """What seconds of working time are: lengths counted by calendars of other hours cannot be compared. '' around the clock."""
    return hashlib.sha256(calendar.model_dump_json().encode()).hexdigest()[:16] if calendar else ""


def id_paths(catalogue: Catalogue) -> list[dict[str, Any]]:
    """One row per id attribute, alias attribute and relation attribute, in the order of the paths asked of a span."""
    rows: list[dict[str, Any]] = []

    def add(attribute: str, role: str, object_type: str, **more: Any) -> int:
        rows.append(
            {
                "position": len(rows) + 1,
                "attribute": attribute,
                "role": role,
                "object_type": object_type,
                "child_type": None,
                "kind": None,
                "alias_system": None,
                "scope": "global",
                "amount_position": None,
                "quantity_position": None,
            }
            | more
        )
        return len(rows)

    scopes = {t.name: t.scope for t in catalogue.object_types}
    for t in catalogue.object_types:
        for attribute in t.id_attributes:
            add(attribute, "id", t.name, scope=t.scope)
        for alias in t.aliases:
            add(alias.attribute, "alias", t.name, alias_system=alias.system, scope=alias.scope)
    for r in catalogue.relations:
        at = add(r.id_attribute, "relation", r.parent, child_type=r.child, kind=r.kind, scope=scopes[r.parent])
        if r.amount_attribute != r.id_attribute:
            rows[at - 1]["amount_position"] = add(r.amount_attribute, "share", r.parent)
            rows[at - 1]["quantity_position"] = add(r.quantity_attribute, "share", r.parent)
    return rows


def load(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """The `cat_*` tables say exactly what `catalogue` says; runs inside the caller's transaction."""
    for name, rows, schema in (*tables(catalogue), *_calendar_tables(catalogue)):
        _table(connection, name, rows, schema)


Table = tuple[str, list[dict[str, Any]], pa.Schema | None]
"""Name, rows, and the columns where the rows alone do not tell them."""


def tables(catalogue: Catalogue) -> Iterator[Table]:
    """Every `cat_*` table but those of working time, which hold each opening of each calendar."""
    c = catalogue
    upstream = _above_leads(c)
    checks = list(checks_of(c))
    milestone_of = {operation: m for m in c.milestones for operation in m.operations}
    by_name = {k.name: k for k in c.calendars}
    yield (
        "cat_settings",
        [
            {
                "reporting_currency": c.reporting_currency,
                "stuck_after_s": c.stuck_after_s,
                "stuck_calendar": c.stuck_calendar or "",
                "retry_outcomes": [outcome.lower() for outcome in c.retries.outcomes],
                "give_up_after_s": c.retries.give_up_after_s,
                "not_over": c.checks.not_over,
                "over_tolerance": float(c.checks.over_tolerance),
                "billed_by": c.checks.billed_by,
                "recurring": c.checks.recurring,
                "drift_after": c.checks.drift_after,
            }
        ],
        catalogue_schemas.SETTINGS,
    )
    yield "cat_rates", [{"currency": k, "rate": float(v)} for k, v in c.rates.items()], None
    yield (
        "cat_systems",
        [
            {
                "name": s.name,
                "label": s.label,
                "kind": s.kind,
                "product": s.product or s.name,
                "owner_team": s.owner_team,
                "silent_after_s": s.silent_after_s,
                "silent_calendar": s.silent_calendar or "",
            }
            for s in c.systems
        ],
        None,
    )
    yield (
        "cat_system_names",
        [
            {"spoken_name": n, "name": s.name, "kind": s.kind}
            for s in c.systems
            for n in dict.fromkeys([s.name, *s.also_known_as])
        ],
        None,
    )
    yield (
        "cat_object_types",
        [
            {
                "object_type": t.name,
                "label": t.label,
                "rank": i,
                "traversed": t.traversed,
                "is_lead": t.name in c.lead_types,
                "above_lead": t.name in upstream,
            }
            for i, t in enumerate(c.object_types)
        ],
        None,
    )
    yield "cat_lead_types", [{"object_type": t, "preference": i} for i, t in enumerate(c.lead_types)], None
    yield (
        "cat_relations",
        [
            {"child_type": r.child, "parent_type": r.parent, "kind": r.kind, "position": i}
            for i, r in enumerate(c.relations)
        ],
        None,
    )
    yield "cat_id_paths", id_paths(c), catalogue_schemas.ID_PATHS
    yield (
        "cat_operations",
        [
            {
                "operation": o.name,
                "object_type": o.object,
                "system": o.system,
                "label": o.label or o.name,
                "replayable": o.replayable,
                "writes": o.writes,
                "give_up_after_s": c.retries.give_up_after_s if o.give_up_after_s is None else o.give_up_after_s,
                "milestone": milestone_of[o.name].name if o.name in milestone_of else None,
                "milestone_object_type": milestone_of[o.name].object if o.name in milestone_of else None,
            }
            for o in c.operations
        ]
        + [{"operation": check.operation, "label": check.label, "replayable": False, "writes": []} for check in checks],
        catalogue_schemas.OPERATIONS,
    )
    paths = c.payloads.paths
    yield (
        "cat_payload_fields",
        [
            {"position": i, "field": f.name, "label": f.label, "compare": f.compare, "tolerance": f.tolerance}
            for i, f in enumerate(c.payloads.fields, 1)
        ],
        catalogue_schemas.PAYLOAD_FIELDS,
    )
    yield (
        "cat_payload_hops",
        [
            {
                "position": i,
                "hop": h.name,
                "label": h.label,
                "operations": h.operations,
                "parts": h.parts,
                "path_positions": [
                    paths.index(json_path(h.fields[f.name])) + 1 if f.name in h.fields else None
                    for f in c.payloads.fields
                ],
            }
            for i, h in enumerate(c.payloads.hops, 1)
        ],
        catalogue_schemas.PAYLOAD_HOPS,
    )
    yield (
        "cat_payload_values",
        [
            {"hop": h.name, "field_position": i, "said": said, "means": means}
            for h in c.payloads.hops
            for i, f in enumerate(c.payloads.fields, 1)
            for said, means in h.values.get(f.name, {}).items()
        ],
        catalogue_schemas.PAYLOAD_VALUES,
    )
    yield (
        "cat_checks",
        [
            {
                "operation": k.operation,
                "kind": k.kind,
                "label": k.label,
                "class": k.class_,
                "category": k.category,
                "why": k.why,
                "system": k.system,
                "milestone": k.milestone,
            }
            for k in checks
        ],
        catalogue_schemas.CHECKS,
    )
    yield (
        "cat_identities",
        [
            {
                "position": position,
                "object_type": i.object,
                "identity": i.name,
                "label": i.label,
                "path_positions": [c.checks.identity_paths.index(whole_path(name)) + 1 for name in i.attributes],
            }
            for position, i in enumerate(c.checks.identities)
        ],
        catalogue_schemas.IDENTITIES,
    )
    yield (
        "cat_milestones",
        [
            {
                "milestone": m.name,
                "label": m.label,
                "position": i,
                "object_type": m.object,
                "covers": m.covers,
                "expected": m.expected,
                "is_final": m.final,
                "cancels": m.cancels,
                "undoes": m.undoes,
                "lessens": m.lessens,
                "stuck_calendar": m.stuck_calendar or c.stuck_calendar or "",
                "counted_in": counted_in(by_name.get(m.stuck_calendar or c.stuck_calendar or "")),
                "owner_team": m.owner_team,
                "system": m.system,
            }
            | _condition(m.when)
            for i, m in enumerate(c.milestones)
        ],
        catalogue_schemas.MILESTONES,
    )
    yield (
        "cat_promises",
        [_promise(i, of) for i, of in enumerate(c.variants().values())],
        catalogue_schemas.PROMISES,
    )
    yield (
        "cat_promise_variants",
        [_variant(rank, p, by_name[p.calendar]) for of in c.variants().values() for rank, p in enumerate(of)],
        catalogue_schemas.VARIANTS,
    )
    yield (
        "cat_pauses",
        [{"pause": p.name, "label": p.label, "position": i, "promises": p.promises} for i, p in enumerate(c.pauses)],
        catalogue_schemas.PAUSES,
    )
    yield (
        "cat_pause_signs",
        [
            {"pause": p.name, "is_opening": is_opening, "kind": kind, "name": name}
            for p in c.pauses
            for is_opening, signs in ((True, p.opens), (False, p.closes))
            for kind, names in (("operation", signs.operations), ("milestone", signs.milestones), ("word", signs.words))
            for name in names
        ],
        catalogue_schemas.PAUSE_SIGNS,
    )
    yield "cat_teams", [{"team": t.name, "label": t.label, "runbook": t.runbook} for t in c.teams], None
    yield (
        "cat_owner_rules",
        [_owner_rule(i, rule) for i, rule in enumerate(c.owners)],
        catalogue_schemas.OWNER_RULES,
    )


def _calendar_tables(c: Catalogue) -> Iterator[Table]:
    """The tables of working time: thousands of rows."""
    yield (
        "cat_openings",
        [AROUND_THE_CLOCK]
        + [
            {
                "calendar": k.name,
                "opens_at": o.opens_at,
                "closes_at": o.closes_at,
                "worked_before_s": float(o.worked_before_s),
                "worked_before_us": o.worked_before_s * 1_000_000,
            }
            for k in c.calendars
            for o in _openings(k)
        ],
        catalogue_schemas.OPENINGS,
    )
    yield (
        "cat_start_shifts",
        [
            {"calendar": k.name, "from_at": s.from_at, "until_at": s.until_at, "counts_from_at": s.counts_from_at}
            for k in c.calendars
            for s in _start_shifts(k)
        ],
        catalogue_schemas.SHIFTS,
    )
    yield (
        "cat_closes",
        [
            {"calendar": k.name, "from_at": m.from_at, "until_at": m.until_at, "closes_at": m.closes_at}
            for k in c.calendars
            for m in _month_closes(k)
        ],
        catalogue_schemas.CLOSES,
    )


def _promise(position: int, variants: list[Promise]) -> dict[str, Any]:
    """What all variants of a promise share, and the length and calendar of the widest one that has a length."""
    widest = next((p for p in reversed(variants) if p.within_s), variants[-1])
    return {
        "promise": widest.name,
        "label": widest.label,
        "position": position,
        "start": widest.start,
        "stop": widest.stop,
        "within_s": float(widest.within_s) if widest.within_s else None,
        "calendar": widest.calendar,
    }


def _variant(rank: int, p: Promise, calendar: Calendar) -> dict[str, Any]:
    """`rank` 0 is the most specific variant of its promise."""
    day_after = p.valid_until + timedelta(days=1) if p.valid_until else None
    return {
        "promise": p.name,
        "variant": p.variant,
        "rank": rank,
        "condition_count": len(p.when.named),
        "condition_words": p.when.words or None,
        "within_s": float(p.within_s) if p.within_s else None,
        "at_risk_part": float(p.at_risk_after),
        "by_close": p.due == "month_end_close",
        "calendar": p.calendar,
        "owner_team": p.owner_team,
        "valid_from_at": calendars.day_start(calendar, p.valid_from) if p.valid_from else None,
        "valid_until_at": calendars.day_start(calendar, day_after) if day_after else None,
        "customers": p.when.customer,
        "min_amount": float(p.when.min_amount) if p.when.min_amount is not None else None,
        "below_amount": float(p.when.below_amount) if p.when.below_amount is not None else None,
    } | _condition(p.when)


def _condition(when: Condition) -> dict[str, list[str]]:
    return {
        "regions": when.region,
        "product_lines": when.product_line,
        "legal_entities": when.legal_entity,
        "tiers": when.tier,
        "workflows": when.workflow,
    }


def _owner_rule(position: int, rule: OwnerRule) -> dict[str, Any]:
    return {
        "position": position,
        "team": rule.team,
        "classes": list(rule.classes),
        "categories": rule.categories,
        "systems": list(rule.systems),
        "legal_entities": rule.legal_entities,
        "regions": rule.regions,
        "min_amount": float(rule.min_amount) if rule.min_amount is not None else None,
        "person": rule.person,
        "customers": rule.customers,
        "escalate_after_s": float(rule.escalate.after_s) if rule.escalate else None,
        "escalate_calendar": rule.escalate.calendar if rule.escalate else None,
        "escalate_team": rule.escalate.team if rule.escalate else None,
        "escalate_person": rule.escalate.person if rule.escalate else None,
    }


def _above_leads(c: Catalogue) -> set[str]:
    """Types from which a lead of the first lead type can come: the quote above the order."""
    above: set[str] = set()
    frontier: Iterable[str] = [c.lead_types[0]]
    while frontier:
        parents = (
            {r.parent for r in c.relations if r.kind == "part_of" and r.child in frontier} - above - {c.lead_types[0]}
        )
        above |= parents
        frontier = parents
    return above


def _table(
    connection: duckdb.DuckDBPyConnection, name: str, rows: Sequence[dict[str, Any]], schema: pa.Schema | None
) -> None:
    """`name` holds `rows`; the name is one of this module's own, never a value."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    connection.register("loading", table)
    connection.execute(f"create or replace table {name} as select * from loading")  # noqa: S608
    connection.unregister("loading")
