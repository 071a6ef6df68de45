"""Doors that are really open, before a store that keeps in memory and can be told to fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from collectors.access import Access
from collectors.batch import Limits
from collectors.ingest import Ingest
from collectors.otlp_http import routes
from trace_model.spans import SCHEMA, Recorded


@dataclass
class MemoryStore:
    """Keeps batches as they come; `fault` is asked before each, and raises to have the store fail."""

    batches: list[pa.Table] = field(default_factory=list)
    seen: set[tuple[Any, int]] = field(default_factory=set)
    fault: Callable[[pa.Table], None] = lambda spans: None
    delay_s: float = 0.0
    attempts: int = 0

    def record(self, spans: pa.Table) -> Recorded:
        self.attempts += 1
        assert spans.schema.equals(SCHEMA)
        if self.delay_s:
            time.sleep(self.delay_s)
        self.fault(spans)
        ids = set(zip(spans.column("trace_id").to_pylist(), spans.column("span_id").to_pylist(), strict=True))
        stored = len(ids - self.seen)
        self.seen |= ids
        self.batches.append(spans)
        return Recorded(stored, spans.num_rows - stored)

    def rows(self) -> list[dict[str, Any]]:
        rows = [row for batch in self.batches for row in batch.to_pylist()]
        for row in rows:
            for name in ("attributes", "resource", "events", "links"):
                row[name] = row[name] and orjson.loads(row[name])
        return rows


class Serving:
    """An application behind a real uvicorn, in a thread of its own, until the block ends."""

    def __init__(self, door_routes: list[BaseRoute]) -> None:
        config = uvicorn.Config(Starlette(routes=door_routes), port=0, log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "uvicorn did not start"
            time.sleep(0.005)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def ingest(store: MemoryStore, limits: Limits) -> Iterator[Ingest]:
    ingest = Ingest(store, limits)
    yield ingest
    ingest.close()


@pytest.fixture
def access() -> Access:
    return Access()


@pytest.fixture
def url(ingest: Ingest, access: Access) -> Iterator[str]:
    with Serving(routes(ingest, access)) as address:
        yield address
