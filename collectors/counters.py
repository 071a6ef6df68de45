"""What came through the doors since the start, by source. Counts only; safe to read from any thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from collectors.batch import Decoded
from trace_model.spans import Recorded


@dataclass
class SourceCounts:
    """One source. `last_received_ns` is Unix nanoseconds, None before the first request.

    `rejected` counts whole requests by reason (malformed, too large, unauthenticated), `refused` spans by reason.
    Where requests of several sources shared a commit that met duplicates, `spans_duplicate` is shared out by size.
    """

    source: str
    requests: int = 0
    bytes: int = 0
    spans_received: int = 0
    spans_stored: int = 0
    spans_duplicate: int = 0
    last_received_ns: int | None = None
    refused: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)

    @property
    def spans_refused(self) -> int:
        """Spans refused for any reason."""
        return sum(self.refused.values())


@dataclass(frozen=True)
class IngestSnapshot:
    """The counters at one moment: exact totals since the start, what waits for the store, and each source by name."""

    queued_requests: int
    queued_spans: int
    queued_bytes: int
    spans_stored: int
    spans_duplicate: int
    spans_refused: int
    values_redacted: int
    sources: Sequence[SourceCounts]


class Counters:
    """The counts of one `Ingest`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sources: dict[str, SourceCounts] = {}
        self._stored = self._duplicate = self._redacted = 0

    def received(self, decoded: Decoded, received_ns: int) -> None:
        """A request was decoded; whether it is kept is told later."""
        with self._lock:
            counts = self._of(decoded.source)
            counts.requests += 1
            counts.bytes += decoded.body_bytes
            counts.spans_received += decoded.spans.num_rows + decoded.refused_count
            counts.last_received_ns = received_ns
            for refusal in decoded.refusals:
                counts.refused[refusal.reason] = counts.refused.get(refusal.reason, 0) + refusal.count

    def rejected(self, source: str, reason: str) -> None:
        """A whole request was turned away at the door."""
        with self._lock:
            counts = self._of(source)
            counts.rejected[reason] = counts.rejected.get(reason, 0) + 1

    def kept(self, group: Sequence[Decoded], recorded: Recorded, redacted: int) -> None:
        """A group is durable."""
        rows: dict[str, int] = {}
        for decoded in group:
            rows[decoded.source] = rows.get(decoded.source, 0) + decoded.spans.num_rows
        with self._lock:
            self._stored += recorded.stored
            self._duplicate += recorded.duplicate
            self._redacted += redacted
            left_spans, left_duplicate = sum(rows.values()), recorded.duplicate
            for source, count in rows.items():
                duplicate = round(left_duplicate * count / left_spans)
                left_spans, left_duplicate = left_spans - count, left_duplicate - duplicate
                counts = self._of(source)
                counts.spans_duplicate += duplicate
                counts.spans_stored += count - duplicate

    def snapshot(self, queued_requests: int, queued_spans: int, queued_bytes: int) -> IngestSnapshot:
        """Everything at this moment, sources by name."""
        with self._lock:
            sources = [
                replace(counts, refused=dict(counts.refused), rejected=dict(counts.rejected))
                for _, counts in sorted(self._sources.items())
            ]
            return IngestSnapshot(
                queued_requests,
                queued_spans,
                queued_bytes,
                self._stored,
                self._duplicate,
                sum(counts.spans_refused for counts in sources),
                self._redacted,
                sources,
            )

    def _of(self, source: str) -> SourceCounts:
        return self._sources.setdefault(source, SourceCounts(source))
