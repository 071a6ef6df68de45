"""Spans of a story in as few words as it needs, recorded straight into a store. Instants are seconds after T0."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from trace_model.spans import SCHEMA

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday morning."""


def instant(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


class Story:
    """Collects spans, each of a second and a trace of its own; `order="SO-1"` is `q2c.order.id`."""

    def __init__(self, source: str = "test") -> None:
        self._source = source
        self._spans: list[dict[str, Any]] = []

    def does(
        self,
        operation: str | None,
        at: float,
        *,
        error: str | None = None,
        more: dict[str, Any] | None = None,
        amount: str | None = None,
        **ids: str,
    ) -> None:
        number = len(self._spans) + 1
        said = {"q2c.operation": operation, "q2c.amount": amount, "q2c.currency": "EUR" if amount else None}
        said |= {f"q2c.{name}.id": value for name, value in ids.items()}
        began = int(instant(at).timestamp()) * 10**9
        self._spans.append(
            {
                "trace_id": uuid.UUID(int=number).bytes,
                "span_id": number,
                "name": operation or "POST",
                "kind": 1,
                "service": "sync-engine",
                "start_unix_ns": began,
                "end_unix_ns": began + 10**9,
                "status_code": 2 if error else 1,
                "status_message": error,
                "attributes": json.dumps({key: value for key, value in said.items() if value} | (more or {})),
                "resource": "{}",
                "source": self._source,
            }
        )

    def table(self) -> pa.Table:
        """All spans told so far, as a batch of `trace_model.spans.SCHEMA`."""
        columns = []
        for column in SCHEMA:
            values: Sequence[Any] = [span.get(column.name) for span in self._spans]
            if column.name == "trace_id":
                columns.append(pa.ExtensionArray.from_storage(pa.uuid(), pa.array(values, pa.binary(16))))
            else:
                columns.append(pa.array(values, column.type))
        return pa.Table.from_arrays(columns, schema=SCHEMA)
