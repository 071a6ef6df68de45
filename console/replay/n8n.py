"""The adapter for n8n: a failed execution is retried through the public API (`POST /api/v1/executions/{id}/retry`).

n8n answers only when the retried run has ended, and before 2.45 forgets every key. So nothing is sent before its own record
has said that the execution failed and that no retry of it runs or has succeeded; and an answer that does not come in time is
looked for in that record. Two consoles that ask in the same instant can still both be let through.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote

import httpx

from console.replay.credentials import Secrets
from console.replay.engine import (
    DETAIL_MOST,
    Accepted,
    AlreadyThere,
    Answer,
    DependencyState,
    Probe,
    Refused,
    ReplayRequest,
    RetryLater,
    RunState,
    SpanAttributes,
    Uncertain,
)
from console.replay.http_contract import NEVER_LEFT, retry_after_s
from console.replay.waits import ASKING_TIMEOUT, BUSY_RETRY_S, RETRY_AFTER_S, SUBMIT_TIMEOUT
from trace_model.catalogue.engine_schema import Engine, N8nSettings

PAGE, PAGES_MOST = 250, 40
WORKING = frozenset({"new", "running", "waiting"})
_STATES: Mapping[str, Literal["accepted", "running", "succeeded", "failed"]] = {
    "new": "accepted", "running": "running", "waiting": "running", "success": "succeeded",
    "error": "failed", "crashed": "failed", "canceled": "failed",
}  # fmt: skip


class _NotAnswered(Exception):
    """n8n did not say what was asked; `answer` is what that means for a replay that has not been sent."""

    def __init__(self, answer: Refused | RetryLater) -> None:
        super().__init__(answer.reason if isinstance(answer, Refused) else answer.detail)
        self.answer = answer


class N8n:
    """One n8n instance."""

    keeps_keys = False
    can_probe = False
    settles_by_key = False

    def __init__(
        self,
        entry: Engine,
        url: str,
        secrets: Secrets,
        span_attributes: SpanAttributes,
        *,
        submit_timeout: httpx.Timeout = SUBMIT_TIMEOUT,
    ) -> None:
        self.name = entry.name
        self._settings = entry.n8n or N8nSettings()
        self._run_id_attributes = entry.run_id_attributes
        self._span_attributes = span_attributes
        self._secrets = secrets
        self._submit_timeout = submit_timeout
        headers = {"x-n8n-api-key": secrets["api_key"], "accept": "application/json"}
        base = url.rstrip("/") + "/api/v1"
        self._client = httpx.Client(base_url=base, timeout=ASKING_TIMEOUT, follow_redirects=False, headers=headers)
        self._flying: set[str] = set()
        self._lock = threading.Lock()

    def submit(self, request: ReplayRequest) -> Answer:
        if request.payload_patch or request.from_step:
            what = "a patch" if request.payload_patch else "a step to start from"
            return Refused(
                f"{self.name}: n8n retries an execution as it was, from the node that failed; it has no place for {what}"
            )
        execution_id = self._id_of(request)
        if execution_id is None:
            return Refused(
                f"neither span {request.span_id} nor its parents have the attribute {' or '.join(self._run_id_attributes)}, "
                f"so {self.name} cannot be told which execution failed. Name another attribute in the engine's run_id"
            )
        with self._lock:
            if execution_id in self._flying:
                return RetryLater(BUSY_RETRY_S, f"a retry of execution {execution_id} is being asked for")
            self._flying.add(execution_id)
        try:
            return self._retry(execution_id, request)
        except _NotAnswered as fault:
            return fault.answer
        finally:
            with self._lock:
                self._flying.discard(execution_id)

    def state(self, request: ReplayRequest, run_id: str | None) -> RunState:
        try:
            if run_id is not None:
                return self._told(run_id, self._execution(run_id))
            execution_id = self._id_of(request)
            failed = self._execution(execution_id) if execution_id else None
            if execution_id is None or failed is None:
                return RunState("unknown", "n8n does not know the execution that failed", is_answer=False)
            for retry in self._retries(execution_id, failed):
                found = self._told(str(retry["id"]), retry)
                if found.state != "failed":
                    return found
                return RunState("unknown", f"{found.detail}; it may be of an earlier replay", is_answer=False)
        except _NotAnswered as fault:
            return RunState("unknown", str(fault), is_answer=False)
        return RunState("unknown", f"n8n has no retry of execution {execution_id}")

    def probe(self, operation: str, object_type: str, object_id: str) -> Probe:
        return Probe("unknown", "n8n knows executions, not what stands at the target")

    def dependency(self, name: str) -> DependencyState:
        return "unknown"

    def close(self) -> None:
        self._client.close()

    def _retry(self, execution_id: str, request: ReplayRequest) -> Answer:
        failed = self._execution(execution_id)
        if failed is None:
            return Refused(f"{self.name} knows no execution {execution_id}: deleted, pruned, or of another instance")
        status = failed.get("status")
        if status == "success" or failed.get("retrySuccessId"):
            return AlreadyThere(f"execution {failed.get('retrySuccessId') or execution_id} has succeeded")
        if status in WORKING:
            return RetryLater(BUSY_RETRY_S, f"execution {execution_id} is {status}: n8n itself still works on it")
        before = self._retries(execution_id, failed)
        for retry in before:
            if retry.get("status") == "success":
                return AlreadyThere(f"execution {retry['id']}, a retry of {execution_id}, has succeeded")
            if retry.get("status") in WORKING:
                return RetryLater(
                    BUSY_RETRY_S, f"execution {retry['id']}, a retry of {execution_id}, is {retry['status']}"
                )
        try:
            response = self._client.post(
                f"/executions/{quote(execution_id, safe='')}/retry",
                json={"loadWorkflow": self._settings.load_workflow},
                headers={"idempotency-key": request.idempotency_key},
                timeout=self._submit_timeout,
            )
        except NEVER_LEFT as fault:
            return RetryLater(RETRY_AFTER_S, f"{self.name} cannot be reached ({type(fault).__name__})")
        except httpx.HTTPError as fault:
            return self._looked_for(execution_id, failed, before, f"gave no answer ({type(fault).__name__})")
        if response.is_success and (run := _object(response).get("id")):
            return Accepted(str(run))
        if response.status_code == 429:
            return RetryLater(retry_after_s(response), f"{self.name}: {self._said(response)}")
        if response.is_client_error:
            return Refused(f"{self.name} refused ({response.status_code}): {self._said(response)}")
        return self._looked_for(
            execution_id, failed, before, f"answered {response.status_code}: {self._said(response)}"
        )

    def _looked_for(
        self, execution_id: str, failed: Mapping[str, Any], before: list[dict[str, Any]], what: str
    ) -> Answer:
        """The retry that a call without a good answer has started, if n8n's record shows it."""
        known = {retry.get("id") for retry in before}
        try:
            new = [retry for retry in self._retries(execution_id, failed) if retry.get("id") not in known]
        except _NotAnswered as fault:
            return Uncertain(f"{self.name} {what}, and cannot say whether it was taken: {fault}"[:DETAIL_MOST])
        return (
            Accepted(str(new[0]["id"]))
            if new
            else Uncertain(f"{self.name} {what}; no retry is to be seen"[:DETAIL_MOST])
        )

    def _execution(self, execution_id: str) -> dict[str, Any] | None:
        response = self._asked(f"/executions/{quote(execution_id, safe='')}", missing_is_fine=True)
        return None if response.status_code == 404 else _object(response)

    def _retries(self, execution_id: str, failed: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The retries of an execution that n8n still knows, newest first.

        Its list leaves out what runs unless asked for just that; that is asked first, so that a run that ends meanwhile is in
        one of the two. What waits for a place to run is in neither.
        """
        workflow = str(failed.get("workflowId", ""))
        found = {}
        for query in ({"workflowId": workflow, "status": "running"}, {"workflowId": workflow}):
            for row in self._listed(query, execution_id):
                if str(row.get("retryOf")) == execution_id:
                    found[_number(row)] = row
        return [found[number] for number in sorted(found, reverse=True)]

    def _listed(self, query: Mapping[str, str], since: str) -> Iterator[dict[str, Any]]:
        """The executions that fit, back to `since`, newest first."""
        asked = {**query, "limit": str(PAGE)}
        for _ in range(PAGES_MOST):
            page = _object(self._asked("/executions", asked))
            rows = [row for row in page.get("data") or [] if isinstance(row, dict)]
            yield from rows
            if not page.get("nextCursor") or any(_is_older(row, since) for row in rows):
                return
            asked["cursor"] = str(page["nextCursor"])
        told = f"{self.name} has more than {PAGE * PAGES_MOST} executions since {since}: whether it was retried is not known"
        raise _NotAnswered(Refused(told))

    def _asked(
        self, path: str, query: Mapping[str, str] | None = None, *, missing_is_fine: bool = False
    ) -> httpx.Response:
        try:
            response = self._client.get(path, params=query)
        except httpx.HTTPError as fault:
            told = f"{self.name} cannot be asked ({type(fault).__name__})"
            raise _NotAnswered(RetryLater(RETRY_AFTER_S, told)) from None
        if response.is_success or (response.status_code == 404 and missing_is_fine):
            return response
        said = f"({response.status_code}): {self._said(response)}"
        if response.status_code in (401, 403):
            told = f"{self.name} does not let Cashtrail in {said}. Check the secret 'api_key' and its scopes execution:read, list, retry"
            raise _NotAnswered(Refused(told))
        if response.is_client_error and response.status_code != 429:
            raise _NotAnswered(Refused(f"{self.name} refused {said}"))
        raise _NotAnswered(RetryLater(retry_after_s(response), f"{self.name} answered {said}"))

    def _told(self, run_id: str, execution: Mapping[str, Any] | None) -> RunState:
        if execution is None:
            return RunState("unknown", f"{self.name} knows no execution {run_id}")
        status = str(execution.get("status"))
        if status not in _STATES:
            return RunState("unknown", f"execution {run_id} is {status}", is_answer=False)
        return RunState(_STATES[status], f"execution {run_id} is {status}")

    def _id_of(self, request: ReplayRequest) -> str | None:
        said = self._span_attributes(request.trace_id, request.span_id)
        return next((said[a] for a in self._run_id_attributes if said.get(a)), None)

    def _said(self, response: httpx.Response) -> str:
        text = str(_object(response).get("message") or response.text or response.reason_phrase)
        return self._secrets.scrub(" ".join(text.split()))[:DETAIL_MOST]


def _is_older(row: Mapping[str, Any], execution_id: str) -> bool:
    """True if the row began before the execution did: ids only grow, and a retry is younger than what it retries."""
    return execution_id.isdecimal() and 0 <= _number(row) < int(execution_id)


def _number(row: Mapping[str, Any]) -> int:
    """The execution's number, -1 if its id is none."""
    text = str(row.get("id", ""))
    return int(text) if text.isdecimal() else -1


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
