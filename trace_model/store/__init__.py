"""The only room that speaks DuckDB: keeps what the systems said and people did, derives the rest, answers questions.

Everyone else sees `Store` and plain rows.
"""

from trace_model.store.store import Store

__all__ = ["Store"]
