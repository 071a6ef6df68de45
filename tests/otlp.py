"""A teller of stories: spans written as a test reads, sent through the real door by OTLP/HTTP JSON."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

_numbers = itertools.count(1)


class Otlp:
    """Collects spans and sends them to a door; each span a trace of its own unless told otherwise."""

    def __init__(self, url: str, service: str = "sync-engine") -> None:
        self._url = url
        self._service = service
        self._spans: list[dict[str, Any]] = []

    def span(
        self,
        name: str,
        at: datetime,
        attributes: Mapping[str, Any],
        *,
        error: str | None = None,
        parent: dict[str, Any] | None = None,
        lasts: timedelta = timedelta(milliseconds=100),
    ) -> dict[str, Any]:
        """One span from `at` on; the returned span can be the parent of another."""
        number = next(_numbers)
        span = {
            "traceId": parent["traceId"] if parent else f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": name,
            "kind": 1,
            "startTimeUnixNano": str(_ns(at)),
            "endTimeUnixNano": str(_ns(at + lasts)),
            "attributes": [{"key": key, "value": _value(value)} for key, value in attributes.items()],
            "status": {"code": 2, "message": error} if error else {"code": 1},
        }
        if parent:
            span["parentSpanId"] = parent["spanId"]
        self._spans.append(span)
        return span

    def send(self) -> dict[str, Any]:
        """All spans told so far are kept; answers what the door said."""
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": self._service}}]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": self._spans}]}]}
        answer = httpx.post(f"{self._url}/v1/traces", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        self._spans = []
        said: dict[str, Any] = answer.json()
        return said


def _ns(at: datetime) -> int:
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value(entry) for entry in value]}}
        case _:
            return {"stringValue": str(value)}
