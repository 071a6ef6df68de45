"""Asks the store for the facts that the plan rules look at."""

from __future__ import annotations

from collections.abc import Sequence

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
