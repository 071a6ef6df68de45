"""How long each page's script takes, measured where it runs, for /metrics. Knows neither Streamlit nor the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Histogram

BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
REGISTRY = CollectorRegistry()
_SECONDS = Histogram(
    "cashtrail_page_seconds", "Run of a page's script, in seconds", ["page"], buckets=BUCKETS, registry=REGISTRY
)


@contextmanager
def timed(page: str) -> Iterator[None]:
    """What runs inside counts as one run of `page`, however it ends (Streamlit ends a run early to start it again)."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _SECONDS.labels(page or "today").observe(time.perf_counter() - began)
