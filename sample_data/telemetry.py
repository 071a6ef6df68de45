"""How the estate's systems tell what they do: OpenTelemetry's own SDK, one provider a system, one feed to the door.

Spans leave by the stock OTLP/HTTP exporter (protobuf, gzip) from one thread, so that they arrive in the order in which
they ended. The feed never drops: when the door is slower than the estate, the estate waits.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Mapping, Sequence

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Tracer

from sample_data.engine.releases import FIRST

log = logging.getLogger(__name__)

_BATCH_SPANS = 1000
_BATCHES_WAITING = 8
_PAUSE_S = 1.0


class SeededIds(IdGenerator):
    """Trace and span ids from one seeded stream: the same run gives the same ids, another start gives others."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1

    def is_trace_id_random(self) -> bool:
        return True


class Feed(SpanProcessor):
    """Delivers every ended span to `endpoint`, in order, with retries; `close` flushes.

    `delivered_count` and `refused_count` count spans. Behind a closed door the feed keeps trying until `close`.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str] | None = None) -> None:
        self.delivered_count = 0
        self.refused_count = 0
        self._last_status = 0  # 0: no answer at all
        session = requests.Session()
        session.trust_env = False
        session.hooks["response"].append(self._remember_status)
        self._exporter: SpanExporter = OTLPSpanExporter(
            endpoint=endpoint,
            headers=dict(headers or {}),
            compression=Compression.Gzip,
            timeout=10,
            session=session,
        )
        self._open: list[ReadableSpan] = []
        self._held: dict[str, list[ReadableSpan]] = {}
        self.waits_for_door = True
        self._batches: queue.Queue[list[ReadableSpan] | None] = queue.Queue(_BATCHES_WAITING)
        self._closing_at: float | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._deliver_all, name="feed", daemon=True)
        self._thread.start()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to do before a span has ended."""

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            if self._held and span.attributes is not None:
                held = self._held.get(str(span.attributes.get("messaging.message.conversation_id")))
                if held is not None:
                    held.append(span)
                    return
            self._open.append(span)
            full = len(self._open) >= _BATCH_SPANS
        if full:
            self.flush()

    def flush(self) -> None:
        """Hand over what has ended so far. While the door is behind by several batches this waits for it,
        or, with `waits_for_door` off (live traffic), leaves the spans to a later flush."""
        with self._lock:
            batch, self._open = self._open, []
        while batch:
            try:
                self._batches.put(batch, timeout=0.5 if self.waits_for_door else 0)
                return
            except queue.Full:
                if not self.waits_for_door:
                    with self._lock:
                        self._open[:0] = batch
                    return

    def hold_back(self, correlation_id: str) -> None:
        """From now on the spans of this flow are kept back, for a late and disordered delivery."""
        with self._lock:
            self._held[correlation_id] = []

    def release_shuffled(self, correlation_id: str) -> None:
        """Deliver what was held back: in several small requests, children before parents and late before early."""
        with self._lock:
            held = self._held.pop(correlation_id, [])
        random.Random(correlation_id).shuffle(held)
        for first in range(0, len(held), 7):
            self._batches.put(held[first : first + 7])

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """True once everything ended so far was answered by the door, within `timeout_millis`."""
        deadline = time.monotonic() + timeout_millis / 1000
        self.flush()
        while self.is_behind() and time.monotonic() < deadline:
            time.sleep(0.01)
            self.flush()
        return not self.is_behind()

    def is_behind(self) -> bool:
        """True while a span that ended has not been answered for by the door."""
        return bool(self._open or self._batches.unfinished_tasks)

    def close(self, grace_s: float = 2.0) -> bool:
        """Flush and stop; True if nothing had to be left behind after `grace_s`. What was held back goes too."""
        self.waits_for_door = False
        with self._lock:
            self._open += [span for held in self._held.values() for span in held]
            self._held.clear()
        self._closing_at = time.monotonic() + grace_s
        delivered = self.force_flush(int(grace_s * 1000))
        self._exporter.shutdown()
        if delivered:
            self._batches.put(None)
            self._thread.join(grace_s)
        return delivered

    def shutdown(self) -> None:
        self.close()

    def _remember_status(self, response: requests.Response, *_: object, **__: object) -> None:
        self._last_status = response.status_code

    def _deliver_all(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._deliver(batch)
            finally:
                self._batches.task_done()
        self._batches.task_done()

    def _deliver(self, batch: Sequence[ReadableSpan]) -> None:
        while True:
            self._last_status = 0
            if self._exporter.export(batch) is SpanExportResult.SUCCESS:
                self.delivered_count += len(batch)
                return
            refused = 400 <= self._last_status < 500 and self._last_status != 429
            out_of_time = self._closing_at is not None and time.monotonic() > self._closing_at
            if refused or out_of_time:
                self.refused_count += len(batch)
                log.error("%d spans not delivered: the door answered %s", len(batch), self._last_status)
                return
            time.sleep(_PAUSE_S)


class Telemetry:
    """Hands each system its tracer; all of them feed one door."""

    def __init__(self, feed: Feed, seed: str) -> None:
        self.feed = feed
        self._ids = SeededIds(seed)

    def tracer(self, system: str, release: str = FIRST) -> Tracer:
        resource = Resource({"service.name": system, "service.namespace": "quote-to-cash", "service.version": release})
        provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        provider.add_span_processor(self.feed)
        return provider.get_tracer("sample_data", "1.0.0")
