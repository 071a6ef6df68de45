"""The adapter for engines that speak the contract (contract section 5): `POST /replays`, `/probe`, `/dependencies`.

A connection that never stood is `RetryLater`: nothing left the house. Anything that broke after the request began to leave
is `Uncertain`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from console.replay.engine import (
    DETAIL_MOST,
    Accepted,
    AlreadyTaken,
    AlreadyThere,
    Answer,
    DependencyState,
    Probe,
    Refused,
    ReplayRequest,
    RetryLater,
    RunState,
    Uncertain,
)
from console.replay.waits import (
    CONTRACT_ASKING_TIMEOUT,
    CONTRACT_SUBMIT_TIMEOUT,
    RETRY_AFTER_MOST_S,
    RETRY_AFTER_S,
)

NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_STATES: tuple[DependencyState, ...] = ("up", "down", "degraded")


class HttpContract:
    """One engine that speaks the contract."""

    keeps_keys = True
    can_probe = True
    settles_by_key = False

    def __init__(self, name: str, url: str, *, submit_timeout: httpx.Timeout = CONTRACT_SUBMIT_TIMEOUT) -> None:
        self.name = name
        self._submit_timeout = submit_timeout
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=CONTRACT_ASKING_TIMEOUT, follow_redirects=False)

    def submit(self, request: ReplayRequest) -> Answer:
        headers = {"idempotency-key": request.idempotency_key}
        try:
            response = self._client.post("/replays", json=request.body(), headers=headers, timeout=self._submit_timeout)
        except NEVER_LEFT as fault:
            return RetryLater(RETRY_AFTER_S, f"{self.name} cannot be reached ({type(fault).__name__})")
        except httpx.HTTPError as fault:
            return Uncertain(f"{self.name} gave no answer ({type(fault).__name__})")
        return answer_of(response, self.name)

    def state(self, request: ReplayRequest, run_id: str | None) -> RunState:
        body, why = self._ask(f"/replays/{quote(request.replay_id, safe='')}")
        if body is None:
            return RunState("unknown", why, is_answer=False)
        state, detail = body.get("state"), str(body.get("detail") or "")[:DETAIL_MOST]
        if state not in ("accepted", "running", "succeeded", "failed", "unknown"):
            return RunState("unknown", f"{self.name} answered the state {state!r}", is_answer=False)
        return RunState(state, detail)

    def probe(self, operation: str, object_type: str, object_id: str) -> Probe:
        body, why = self._ask("/probe", operation=operation, type=object_type, id=object_id)
        if body is None or body.get("state") not in ("absent", "present"):
            return Probe("unknown", why or str(body.get("evidence") if body else "")[:DETAIL_MOST])
        return Probe(body["state"], str(body.get("evidence") or "")[:DETAIL_MOST], body.get("reconciles") is True)

    def dependency(self, name: str) -> DependencyState:
        body, _ = self._ask(f"/dependencies/{quote(name, safe='')}")
        said = body.get("state") if body else None
        return next((state for state in _STATES if state == said), "unknown")

    def close(self) -> None:
        self._client.close()

    def _ask(self, path: str, **params: str) -> tuple[dict[str, Any] | None, str]:
        """The answered object, or None and why there is none."""
        try:
            response = self._client.get(path, params=params)
            body = response.json() if response.is_success else None
        except httpx.HTTPError as fault:
            return None, f"{self.name} gave no answer ({type(fault).__name__})"
        except ValueError:
            return None, f"{self.name} answered {path} with something that is not JSON"
        if isinstance(body, dict):
            return body, ""
        return None, f"{self.name} answered {response.status_code}"


def answer_of(response: httpx.Response, name: str) -> Answer:
    """What a response to `POST /replays` means. What the contract does not name and may have run is uncertain."""
    said = _said(response)
    detail = str(said.get("reason") or said.get("error") or said.get("detail") or response.text)[:DETAIL_MOST]
    run_id = said.get("run_id")
    match response.status_code:
        case 202 | 201:
            return Accepted(str(run_id) if run_id else None)
        case 200:
            return AlreadyTaken(str(run_id) if run_id else None)
        case 409:
            return AlreadyThere(detail)
        case 429 | 503:
            return RetryLater(retry_after_s(response), f"{name}: {detail or response.reason_phrase}")
        case 400 | 401 | 403 | 404 | 405 | 410 | 413 | 415 | 422:
            return Refused(f"{name} refused ({response.status_code}): {detail or response.reason_phrase}")
        case _:
            return Uncertain(f"{name} answered {response.status_code}, which does not say whether it was taken")


def retry_after_s(response: httpx.Response) -> float:
    """Seconds of the Retry-After header, within bounds; RETRY_AFTER_S where it is absent or a date."""
    try:
        return min(max(float(response.headers.get("retry-after", RETRY_AFTER_S)), 0.1), RETRY_AFTER_MOST_S)
    except ValueError:
        return RETRY_AFTER_S


def _said(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
