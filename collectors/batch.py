"""What every door hands to `Ingest.accept`: spans that can be kept, and why the others cannot.

Pure: no clock, no network, no store. The limits live here because each door judges by the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from trace_model.errors import PermanentError
from trace_model.spans import SCHEMA

NS_PER_S = 1_000_000_000
YEAR_1990_NS = 631_152_000 * NS_PER_S
INT64_MAX = 2**63 - 1
EXAMPLES_SHOWN = 5


class MalformedRequest(PermanentError):
    """The bytes are not what their content type says; nothing of them was kept. Sending them again will not help."""


@dataclass(frozen=True)
class Limits:
    """What a door takes, and how much may wait for the store. Sizes in bytes, instants in Unix nanoseconds.

    `queue_*` bound what waits (more is answered with Overloaded), `group_spans` what one commit takes,
    `linger_s` how long a busy writer waits for the next group to gather.
    """

    compressed_bytes: int = 16 * 2**20
    decompressed_bytes: int = 64 * 2**20
    attribute_count: int = 1_000
    value_bytes: int = 256 * 2**10
    name_bytes: int = 4 * 2**10
    nesting: int = 16
    earliest_ns: int = YEAR_1990_NS
    ahead_s: int = 86_400
    queue_spans: int = 200_000
    queue_bytes: int = 256 * 2**20
    group_spans: int = 20_000
    linger_s: float = 0.02

    def latest_ns(self, received_ns: int) -> int:
        """The last instant at which a span received at `received_ns` may start."""
        return min(received_ns + self.ahead_s * NS_PER_S, INT64_MAX)


@dataclass(frozen=True)
class Refusal:
    """`count` spans of one request refused for one `reason` (a slug, few distinct); `detail` tells of the first."""

    count: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Decoded:
    """One request, decoded: `spans` (a table of `trace_model.spans.SCHEMA`, any length) and the refused rest.

    `source` names the door; `body_bytes` is the size on the wire, for the counters.
    """

    spans: pa.Table
    source: str
    refusals: Sequence[Refusal] = ()
    body_bytes: int = 0

    @property
    def refused_count(self) -> int:
        """How many spans were refused."""
        return sum(refusal.count for refusal in self.refusals)

    def explanation(self) -> str:
        """Why spans were refused, for the sender; empty when none was.

        >>> early = Refusal(2, "end_before_start", "span 'a' ends early")
        >>> Decoded(SCHEMA.empty_table(), "otlp_http", [early]).explanation()
        "2 refused, end_before_start: span 'a' ends early"
        """
        shown = [f"{r.count} refused, {r.reason}: {r.detail}" for r in self.refusals[:EXAMPLES_SHOWN]]
        if len(self.refusals) > EXAMPLES_SHOWN:
            shown.append(f"and {len(self.refusals) - EXAMPLES_SHOWN} more reasons")
        return "; ".join(shown)


class Unkeepable(Exception):
    """One span (or log record, or event) cannot be kept: `reason` is a slug, the text names what was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass
class Gathering:
    """Rows and refusals, gathered one by one until `decoded`.

    A row is a tuple in the order of `SCHEMA`, `source` left out.
    """

    source: str
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    _refused: dict[str, tuple[int, str]] = field(default_factory=dict)

    def refuse(self, reason: str, detail: str, count: int = 1) -> None:
        """Counts `count` more refused for `reason`; the first detail of a reason is the one told."""
        before, first = self._refused.get(reason, (0, detail))
        self._refused[reason] = (before + count, first)

    def decoded(self, body_bytes: int) -> Decoded:
        """Everything gathered, as one batch."""
        refusals = [Refusal(count, reason, detail) for reason, (count, detail) in self._refused.items()]
        return Decoded(self._table(), self.source, refusals, body_bytes)

    def _table(self) -> pa.Table:
        if not self.rows:
            return SCHEMA.empty_table()
        columns: list[Any] = [list(column) for column in zip(*self.rows, strict=True)]
        arrays = [uuid_array(b"".join(columns[0]))]
        arrays += [
            pa.array(column, type=item.type) for column, item in zip(columns[1:], list(SCHEMA)[1:-1], strict=True)
        ]
        arrays.append(pa.repeat(pa.scalar(self.source, pa.string()), len(self.rows)))
        return pa.Table.from_arrays(arrays, schema=SCHEMA)


def uuid_array(packed: bytes) -> pa.Array:
    """16-byte ids laid end to end, as an Arrow UUID column.

    >>> len(uuid_array(bytes(32)))
    2
    """
    storage = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(packed) // 16, [None, pa.py_buffer(packed)])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)
