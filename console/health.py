"""/healthz, /readyz and /metrics: for load balancers, supervisors and Prometheus. No login: they say nothing of the business."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from console import page_timings
from console.resources import current
from trace_model.store import Store


class _Figures(Collector):
    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        lag = self._store.lag()
        counters = current().ingest_counters()
        yield GaugeMetricFamily("cashtrail_spans_stored", "Distinct spans kept", value=self._store.recorded_seq)
        yield GaugeMetricFamily("cashtrail_projection_behind_spans", "Spans kept but not yet shown", value=lag.spans)
        yield GaugeMetricFamily(
            "cashtrail_projection_behind_seconds", "Age of the oldest of them", value=lag.oldest_unprojected_s
        )
        for name, told in (
            ("spans_stored", "Spans stored since the start"),
            ("spans_duplicate", "Spans received again since the start"),
            ("values_redacted", "Attribute values redacted at the door since the start"),
        ):
            yield CounterMetricFamily(f"cashtrail_ingest_{name}", told, value=counters.get(name, 0))
        refused = CounterMetricFamily(
            "cashtrail_ingest_spans_refused", "Spans refused since the start", labels=["reason"]
        )
        for reason, count in counters.get("refused_by_reason", {}).items():
            refused.add_metric([reason], count)
        yield refused
        failing = GaugeMetricFamily("cashtrail_poller_failing", "1 while a poller fails", labels=["poller"])
        for one in counters.get("pollers", []):
            failing.add_metric([one["name"]], one["state"] == "failing")
        yield failing
        yield GaugeMetricFamily(
            "cashtrail_ingest_queued_spans", "Spans waiting to be kept", value=counters.get("queued_spans", 0)
        )


def routes(store: Store) -> list[BaseRoute]:
    """The three paths; every other method is 405."""
    registry = CollectorRegistry()
    registry.register(_Figures(store))

    def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(request: Request) -> Response:
        lag = store.lag()
        checks = {
            "store": "ok" if store.writable() else "closing",
            "catalogue": f"{store.catalogue.catalogue} v{store.catalogue.version}",
            "projection": lag.fault or "ok",
            "spans_behind": lag.spans,
            "alerts": current().alerts_fault() or "ok",
            # a poller that fails is no reason to send people and spans elsewhere
            "pollers": {
                one["name"]: one["fault"] or one["state"] for one in current().ingest_counters().get("pollers", [])
            },
        }
        ready = store.writable() and lag.fault is None
        return JSONResponse(checks, 200 if ready else 503, None if ready else {"Retry-After": "2"})

    def metrics(request: Request) -> Response:
        return Response(
            generate_latest(registry) + generate_latest(page_timings.REGISTRY),
            media_type="text/plain; version=0.0.4; charset=utf-8",
        )

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
