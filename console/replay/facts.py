"""Asks the store for the facts that the plan rules and the adapters look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from trace_model.replays import Candidate
from trace_model.store import Store


def candidates(store: Store, exception_ids: Sequence[str] | None, group_id: str | None) -> list[Candidate]:
    """One candidate per known exception that is named, or per open one of the group, as of now. Ordered by id."""
    rows = store.rows(
        "replay_candidates",
        exception_ids=list(exception_ids) if exception_ids is not None else None,
        group_id=group_id,
        digest_paths=[f'$."{name}"' for name in store.catalogue.role_attributes("payload_digest")],
        as_of=store.clock(),
    )
    return [Candidate(**(row | {"writes": tuple(row["writes"])})) for row in rows]


def said_on_span(store: Store, trace_id: str, span_id: str) -> Mapping[str, str]:
    """Every attribute of the span, of its parents and of their resources as text; the nearest wins. Empty for an unknown span."""
    said: dict[str, str] = {}
    for row in store.rows("span_ancestry", trace_id=trace_id, span_id=int(span_id, 16)):
        for text in (row["attributes"], row["resource"]):
            for name, value in orjson.loads(text or "{}").items():
                said.setdefault(name, value if isinstance(value, str) else orjson.dumps(value).decode())
    return said
