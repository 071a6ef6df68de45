"""What the n8n adapter reads in n8n's record and when it sends, against a server that answers as n8n's public API does.

The same adapter is asked of a real n8n in `test_n8n.py`, where one is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from console.replay.credentials import Secrets
from console.replay.engine import Accepted, AlreadyThere, Answer, Refused, RetryLater, Uncertain
from console.replay.n8n import N8n
from tests.console.replay.engines.conftest import asking, naming
from tests.console.replay.engines.vendor import Reply, Seen, Vendor, standing_for
from trace_model.catalogue.engine_schema import Engine as Entry

ENTRY = Entry(name="flows", label="n8n", kind="n8n", secrets={"api_key": "KEY"})


@dataclass
class Record:
    """n8n's executions, newest first as its list has them, and what its next retry does."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    retry: Reply = (200, {"id": "12"})
    is_silent_on_retry: bool = False
    starts: bool = False
    pages: int = 1

    def answer(self, seen: Seen) -> Reply:
        if seen.headers.get("x-n8n-api-key") != "k3y":
            return 401, {"message": "unauthorized"}
        if seen.method == "POST":
            assert seen.path == "/api/v1/executions/10/retry"
            assert seen.body == {"loadWorkflow": False}
            assert seen.headers["idempotency-key"] == "ct-1"
            if self.starts:
                self.rows.insert(0, row("12", "running", retryOf="10"))
            return self.retry
        if seen.path == "/api/v1/executions":
            assert (seen.query["workflowId"], seen.query["limit"]) == ("wf1", "250")
            # as n8n does: what runs is listed only if it is asked for
            is_running = seen.query.get("status") == "running"
            rows = [r for r in self.rows if (r["status"] == "running") == is_running]
            page = int(seen.query.get("cursor", "0"))
            size = -(-len(rows) // self.pages)
            return 200, {
                "data": rows[page * size : (page + 1) * size],
                "nextCursor": str(page + 1) if page + 1 < self.pages else None,
            }
        found = [r for r in self.rows if seen.path == f"/api/v1/executions/{r['id']}"]
        return (200, found[0]) if found else (404, {"message": "Not Found"})


def row(number: str, status: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "workflowId": "wf1", "status": status, "retryOf": None, "retrySuccessId": None} | more


@pytest.fixture
def record() -> Record:
    return Record([row("11", "success"), row("10", "error"), row("9", "error")])


@pytest.fixture
def vendor(record: Record) -> Iterator[Vendor]:
    with standing_for(record.answer) as found:
        yield found
        assert found.faults == []


def submit(vendor: Vendor, execution: str = "10", key: str = "k3y") -> Answer:
    engine = N8n(
        ENTRY, vendor.url, Secrets({"api_key": key}), naming({"n8n.execution.id": execution}),
        submit_timeout=httpx.Timeout(5.0),
    )  # fmt: skip
    answer = engine.submit(asking())
    engine.close()
    return answer


def test_a_failed_execution_without_retries_is_retried_once(vendor: Vendor) -> None:
    assert submit(vendor) == Accepted("12")
    assert len(vendor.sent("POST")) == 1


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ([row("10", "success")], AlreadyThere),
        ([row("10", "error", retrySuccessId="11")], AlreadyThere),
        ([row("10", "running")], RetryLater),
        ([row("11", "success", retryOf="10"), row("10", "error")], AlreadyThere),
        ([row("11", "waiting", retryOf="10"), row("10", "error")], RetryLater),
        ([row("11", "running", retryOf="10"), row("10", "error")], RetryLater),
        ([row("9", "error")], Refused),
    ],
)
def test_nothing_is_sent_unless_the_record_says_that_it_may(
    vendor: Vendor, record: Record, rows: list[dict[str, Any]], answer: type
) -> None:
    record.rows = rows
    assert isinstance(submit(vendor), answer)
    assert vendor.sent("POST") == []


def test_a_retry_on_a_later_page_of_the_record_is_seen(vendor: Vendor, record: Record) -> None:
    record.rows = [row(str(n), "success") for n in range(40, 20, -1)]
    record.rows += [row("15", "success", retryOf="10"), row("10", "error")]
    record.pages = 5
    assert isinstance(submit(vendor), AlreadyThere)


def test_a_bad_answer_is_settled_by_the_record(vendor: Vendor, record: Record) -> None:
    record.retry, record.starts = (500, {"message": "timeout"}), True
    assert submit(vendor) == Accepted("12")
    record.rows = [row("10", "error")]
    record.starts = False
    answer = submit(vendor)
    assert isinstance(answer, Uncertain)
    assert "no retry is to be seen" in answer.detail


def test_refusals_are_in_words_and_without_the_key(vendor: Vendor, record: Record) -> None:
    record.retry = (409, {"message": "The execution was aborted before it began"})
    answer = submit(vendor)
    assert isinstance(answer, Refused)
    assert "aborted" in answer.reason
    answer = submit(vendor, key="wr0ng")
    assert isinstance(answer, Refused)
    assert "secret 'api_key'" in answer.reason
    assert "wr0ng" not in answer.reason


def test_an_old_failed_retry_is_not_taken_for_this_one(vendor: Vendor, record: Record) -> None:
    record.rows.insert(0, row("12", "error", retryOf="10"))
    engine = N8n(ENTRY, vendor.url, Secrets({"api_key": "k3y"}), naming({"n8n.execution.id": "10"}))
    unheard = engine.state(asking(), None)
    assert (unheard.state, unheard.is_answer) == ("unknown", False)
    assert engine.state(asking(), "12").state == "failed"
    record.rows[0]["status"] = "success"
    assert engine.state(asking(), None).state == "succeeded"
    engine.close()
