"""From the doors to the store: many requests, one commit, each answered after it.

One writer thread drains whatever has queued, so an idle door waits for nothing and a busy one shares commits. What
waits is bounded. Knows nothing of HTTP, gRPC or DuckDB.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from collectors.batch import Decoded, Limits
from collectors.counters import Counters, IngestSnapshot
from collectors.redaction import Redaction
from trace_model.errors import PermanentError, RetryableError, StoreUnavailable
from trace_model.spans import Recorded

log = logging.getLogger(__name__)

RETRY_AFTER_MIN_S, RETRY_AFTER_MAX_S = 1.0, 30.0


class Store(Protocol):
    """The one method of the store that the doors need."""

    def record(self, spans: pa.Table) -> Recorded:
        """Every span of the batch is durable, new or known. Raises StoreUnavailable when nothing was kept."""


class Overloaded(RetryableError):
    """More is waiting for the store than may wait. Nothing of this request was kept; try again later."""


class Unstorable(PermanentError):
    """The store failed on this request and not on its neighbours. Sending it again will not help."""


@dataclass(frozen=True)
class Receipt:
    """What became of one request, told after the commit. `kept_count` includes spans that were known already."""

    kept_count: int
    refused_count: int = 0
    explanation: str = ""


class _Waiting:
    """One request in the queue."""

    __slots__ = ("answer", "decoded")

    def __init__(self, decoded: Decoded) -> None:
        self.decoded = decoded
        self.answer: Future[Receipt] = Future()

    def receipt(self) -> Receipt:
        decoded = self.decoded
        return Receipt(decoded.spans.num_rows, decoded.refused_count, decoded.explanation())


class Ingest:
    """The queue in front of the store, with its writer. `close` it, or what waits is lost with the process.

    `clock_ns` is the doors' only clock: Unix nanoseconds.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits | None = None,
        redaction: Redaction | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.limits = limits or Limits()
        self.clock_ns = clock_ns
        self.counters = Counters()
        self._store = store
        self._redaction = redaction or Redaction()
        self._changed = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._queued_spans = 0
        self._queued_bytes = 0
        self._held_bytes = 0
        self._closing = False
        self._spans_per_s = 20_000.0
        self._last_group = (0, 0.0)
        self._writer = threading.Thread(target=self._write, name="ingest-writer", daemon=True)
        self._writer.start()

    async def accept(self, decoded: Decoded) -> Receipt:
        """The spans are durable. For the event loop; raises as `submit`, and as its future."""
        return await asyncio.wrap_future(self.submit(decoded))

    def accept_blocking(self, decoded: Decoded) -> Receipt:
        """The spans are durable. For threads; raises as `submit`, and as its future."""
        return self.submit(decoded).result()

    def submit(self, decoded: Decoded) -> Future[Receipt]:
        """The request waits for its commit; the future tells when it is durable.

        Raises Overloaded when the queue is full and StoreUnavailable when closing: both may be tried again. The future
        raises StoreUnavailable (try again) or Unstorable (do not).
        """
        waiting = _Waiting(decoded)
        if not decoded.spans.num_rows:
            self.counters.received(decoded, self.clock_ns())
            waiting.answer.set_result(waiting.receipt())
            return waiting.answer
        with self._changed:
            if self._closing:
                raise StoreUnavailable("the collector is closing", 5.0)
            self._check_room(decoded.spans.num_rows, decoded.spans.nbytes)
            self._queue.append(waiting)
            self._queued_spans += decoded.spans.num_rows
            self._queued_bytes += decoded.spans.nbytes
            self.counters.received(decoded, self.clock_ns())
            self._changed.notify()
        return waiting.answer

    @contextmanager
    def admitted(self, byte_count: int) -> Iterator[None]:
        """A body of this size may be decoded meanwhile. Raises Overloaded, before any work, when too much waits."""
        with self._changed:
            self._check_room(0, byte_count)
            self._held_bytes += byte_count
        try:
            yield
        finally:
            with self._changed:
                self._held_bytes -= byte_count

    def snapshot(self) -> IngestSnapshot:
        """What came in since the start and what waits now, for the Ingest page and /metrics."""
        with self._changed:
            waiting = (len(self._queue), self._queued_spans, self._queued_bytes)
        return self.counters.snapshot(*waiting)

    def close(self, timeout_s: float = 30.0) -> None:
        """Everything that waited has been answered and the writer is gone; later requests are told to try again.

        Raises TimeoutError if the store takes longer than that.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._writer.join(timeout_s)
        if self._writer.is_alive():
            raise TimeoutError(f"ingest: the store did not take what waited within {timeout_s} s")

    def _check_room(self, span_count: int, byte_count: int) -> None:
        spans = self._queued_spans + span_count
        waiting_bytes = self._queued_bytes + self._held_bytes
        empty = not (self._queue or self._held_bytes)
        if empty or (spans <= self.limits.queue_spans and waiting_bytes + byte_count <= self.limits.queue_bytes):
            return
        wait_s = min(max(self._queued_spans / self._spans_per_s, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
        raise Overloaded(
            f"{self._queued_spans} spans ({waiting_bytes} bytes) wait for the store, which is all that may wait", wait_s
        )

    def _write(self) -> None:
        while group := self._next_group():
            started = time.monotonic()
            self._keep([waiting for waiting in group if waiting.answer.set_running_or_notify_cancel()])
            ended = time.monotonic()
            spans = sum(waiting.decoded.spans.num_rows for waiting in group)
            self._spans_per_s += 0.2 * (spans / max(ended - started, 1e-4) - self._spans_per_s)
            self._last_group = (len(group), ended)

    def _next_group(self) -> list[_Waiting]:
        """What has queued, up to one commit's worth; empty when closing and nothing waits.

        Right after a shared commit its senders are about to come back: then the writer lingers for as many.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            expected, ended = self._last_group
            linger_s = ended + self.limits.linger_s - time.monotonic()
            if expected > 1 and linger_s > 0:
                self._changed.wait_for(
                    lambda: (
                        self._closing or len(self._queue) >= expected or self._queued_spans >= self.limits.group_spans
                    ),
                    linger_s,
                )
            group: list[_Waiting] = []
            spans = 0
            while self._queue:
                coming = self._queue[0].decoded.spans
                if group and spans + coming.num_rows > self.limits.group_spans:
                    break
                group.append(self._queue.popleft())
                spans += coming.num_rows
                self._queued_bytes -= coming.nbytes
            self._queued_spans -= spans
            return group

    def _keep(self, group: Sequence[_Waiting]) -> None:
        """Every request of the group has its answer: its receipt, or why it was not kept."""
        if not group:
            return
        fault = self._record(group)
        if fault is None:
            return
        if isinstance(fault, RetryableError):
            for waiting in group:
                waiting.answer.set_exception(fault)
        elif len(group) == 1:
            self._answer_faults([(group[0], fault)], neighbour_kept=False)
        else:  # one bad request must not fail its neighbours: each has its own commit
            faults = [(waiting, alone) for waiting in group if (alone := self._record([waiting])) is not None]
            self._answer_faults(faults, neighbour_kept=len(faults) < len(group))

    def _record(self, group: Sequence[_Waiting]) -> Exception | None:
        """None once the group is durable and answered; otherwise the fault, with nothing kept and nobody answered."""
        try:
            spans = pa.concat_tables([waiting.decoded.spans for waiting in group]).combine_chunks()
            spans, redacted = self._redaction.redact(spans)
            recorded = self._store.record(spans)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the senders are told and the writer goes on
            return fault
        self.counters.kept([waiting.decoded for waiting in group], recorded, redacted)
        for waiting in group:
            waiting.answer.set_result(waiting.receipt())
        return None

    def _answer_faults(self, faults: Sequence[tuple[_Waiting, Exception]], neighbour_kept: bool) -> None:
        """Where a neighbour was kept the request is at fault; where none was, it may be the store: try again."""
        for waiting, fault in faults:
            if isinstance(fault, RetryableError | PermanentError):
                waiting.answer.set_exception(fault)
                continue
            source, rows = waiting.decoded.source, waiting.decoded.spans.num_rows
            log.error("a request of %d spans from %s could not be kept", rows, source, exc_info=fault)
            told: Exception = StoreUnavailable(f"the store failed: {type(fault).__name__}", 5.0)
            if neighbour_kept:
                told = Unstorable(f"the store cannot keep this request: {type(fault).__name__}: {fault}")
            waiting.answer.set_exception(told)
