"""The columns of the `cat_*` tables: what a row holds where nothing is said (null) keeps its type."""

from __future__ import annotations

import pyarrow as pa

CONDITION = ("regions", "product_lines", "legal_entities", "tiers", "workflows")
"""The columns that a condition on a segment has in every table: an empty list says nothing."""
_TEXTS = pa.list_(pa.string())
_INSTANT = pa.timestamp("us", "UTC")
CONDITIONS = [(name, _TEXTS) for name in CONDITION]
ID_PATHS = pa.schema(
    [
        ("position", pa.int32()),
        ("attribute", pa.string()),
        ("role", pa.string()),
        ("object_type", pa.string()),
        ("child_type", pa.string()),
        ("kind", pa.string()),
        ("alias_system", pa.string()),
        ("scope", pa.string()),
        ("amount_position", pa.int32()),
        ("quantity_position", pa.int32()),
    ]
)
SETTINGS = pa.schema(
    [
        ("reporting_currency", pa.string()),
        ("stuck_after_s", pa.int64()),
        ("stuck_calendar", pa.string()),
        ("retry_outcomes", _TEXTS),
        ("give_up_after_s", pa.int64()),
        ("not_over", _TEXTS),
        ("over_tolerance", pa.float64()),
        ("billed_by", pa.string()),
        ("recurring", _TEXTS),
        ("drift_after", pa.int64()),
    ]
)
CHECKS = pa.schema(
    [(name, pa.string()) for name in ("operation", "kind", "label", "class", "category", "why", "system", "milestone")]
)
IDENTITIES = pa.schema(
    [
        ("position", pa.int32()),
        ("object_type", pa.string()),
        ("identity", pa.string()),
        ("label", pa.string()),
        ("path_positions", pa.list_(pa.int32())),
    ]
)
PAYLOAD_FIELDS = pa.schema(
    [
        ("position", pa.int32()),
        ("field", pa.string()),
        ("label", pa.string()),
        ("compare", pa.string()),
        ("tolerance", pa.decimal128(18, 4)),
    ]
)
PAYLOAD_HOPS = pa.schema(
    [
        ("position", pa.int32()),
        ("hop", pa.string()),
        ("label", pa.string()),
        ("operations", _TEXTS),
        ("parts", pa.bool_()),
        ("path_positions", pa.list_(pa.int32())),
    ]
)
PAYLOAD_VALUES = pa.schema(
    [("hop", pa.string()), ("field_position", pa.int32()), ("said", pa.string()), ("means", pa.string())]
)
OPERATIONS = pa.schema(
    [
        ("operation", pa.string()),
        ("object_type", pa.string()),
        ("system", pa.string()),
        ("label", pa.string()),
        ("replayable", pa.bool_()),
        ("writes", _TEXTS),
        ("give_up_after_s", pa.int64()),
        ("milestone", pa.string()),
        ("milestone_object_type", pa.string()),
    ]
)
MILESTONES = pa.schema(
    [
        ("milestone", pa.string()),
        ("label", pa.string()),
        ("position", pa.int32()),
        ("object_type", pa.string()),
        ("covers", pa.string()),
        ("expected", pa.string()),
        ("is_final", pa.bool_()),
        ("cancels", pa.bool_()),
        ("undoes", pa.string()),
        ("lessens", pa.bool_()),
        ("stuck_calendar", pa.string()),
        ("counted_in", pa.string()),
        ("owner_team", pa.string()),
        ("system", pa.string()),
        *CONDITIONS,
    ]
)
PROMISES = pa.schema(
    [
        ("promise", pa.string()),
        ("label", pa.string()),
        ("position", pa.int32()),
        ("start", pa.string()),
        ("stop", pa.string()),
        ("within_s", pa.float64()),
        ("calendar", pa.string()),
    ]
)
VARIANTS = pa.schema(
    [
        ("promise", pa.string()),
        ("variant", pa.string()),
        ("rank", pa.int32()),
        ("condition_count", pa.int32()),
        ("condition_words", pa.string()),
        ("within_s", pa.float64()),
        ("at_risk_part", pa.float64()),
        ("by_close", pa.bool_()),
        ("calendar", pa.string()),
        ("owner_team", pa.string()),
        ("valid_from_at", _INSTANT),
        ("valid_until_at", _INSTANT),
        ("customers", _TEXTS),
        ("min_amount", pa.float64()),
        ("below_amount", pa.float64()),
        *CONDITIONS,
    ]
)
PAUSES = pa.schema([("pause", pa.string()), ("label", pa.string()), ("position", pa.int32()), ("promises", _TEXTS)])
PAUSE_SIGNS = pa.schema(
    [("pause", pa.string()), ("is_opening", pa.bool_()), ("kind", pa.string()), ("name", pa.string())]
)
OWNER_RULES = pa.schema(
    [
        ("position", pa.int32()),
        ("team", pa.string()),
        ("classes", _TEXTS),
        ("categories", _TEXTS),
        ("systems", _TEXTS),
        ("legal_entities", _TEXTS),
        ("regions", _TEXTS),
        ("min_amount", pa.float64()),
        ("person", pa.string()),
        ("customers", _TEXTS),
        ("escalate_after_s", pa.float64()),
        ("escalate_calendar", pa.string()),
        ("escalate_team", pa.string()),
        ("escalate_person", pa.string()),
    ]
)
OPENINGS = pa.schema(
    [
        ("calendar", pa.string()),
        ("opens_at", _INSTANT),
        ("closes_at", _INSTANT),
        ("worked_before_s", pa.float64()),
        ("worked_before_us", pa.int64()),
    ]
)
SHIFTS = pa.schema(
    [("calendar", pa.string()), ("from_at", _INSTANT), ("until_at", _INSTANT), ("counts_from_at", _INSTANT)]
)
CLOSES = pa.schema([("calendar", pa.string()), ("from_at", _INSTANT), ("until_at", _INSTANT), ("closes_at", _INSTANT)])
