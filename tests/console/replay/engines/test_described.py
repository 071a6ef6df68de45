"""Engines that the catalogue describes: templates, what answers mean, and every way in which a call can go wrong."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.replay.credentials import Secrets
from console.replay.engine import Accepted, AlreadyTaken, AlreadyThere, Refused, RetryLater, Uncertain
from console.replay.http_described import HttpDescribed
from console.replay.makers import make
from tests.console.replay.engines.conftest import asking, naming
from tests.console.replay.engines.vendor import Reply, Seen, Vendor, standing_for
from trace_model.catalogue.engine_schema import Engine as Entry
from trace_model.catalogue.loader import load
from trace_model.errors import CatalogueError, PermanentError

SHIPPED = (Path(__file__).parents[4] / "trace_model/catalogue/quote_to_cash.yaml").read_text("utf-8")
DESCRIBED: dict[str, Any] = {
    "auth": {"kind": "header", "header": "x-api-key"},
    "parameters": {"tenant": {"about": "the tenant", "default": "eu"}},
    "submit": {
        "path": "/{tenant}/runs/{run_id}/again", "query": {"why": "{reason}"}, "headers": {"x-by": "{requested_by}"},
        "body": {"step": "{from_step?}", "patch": "{payload_patch?}", "note": "{object_type} {object_id}", "deep": [1, True]},
        "idempotency_header": "Idempotency-Key",
        "answers": [
            {"status": [201], "answer": "accepted", "run_id": "/run/id"},
            {"status": [200], "where": {"/known": ["true"]}, "answer": "already_taken", "run_id": "/run/id"},
            {"status": [409], "answer": "already_there", "detail": "/why"},
            {"status": [503], "answer": "retry_later"},
            {"status": [418], "answer": "uncertain"},
        ],
    },
    "state": {"path": "/runs/{started_id}", "pointers": ["/state"], "states": {"done": "succeeded"}},
    "probe": {
        "path": "/orders/{object_id}", "present_status": [200], "absent_status": [404], "evidence": "/number",
        "reconciles": True,
    },
}  # fmt: skip


def entry(**changes: Any) -> Entry:
    http = {**DESCRIBED, **changes}
    return Entry.model_validate(
        {"name": "own", "label": "Own", "kind": "http", "run_id": ["run.id"], "secrets": {"token": "KEY"}, "http": http}
    )


def engine(vendor: Vendor, run_id: str = "r/1 ?", *, patience_s: float = 5.0, **changes: Any) -> HttpDescribed:
    return HttpDescribed(
        entry(**changes), vendor.url, Secrets({"token": "k3y"}), naming({"run.id": run_id} if run_id else {}),
        submit_timeout=httpx.Timeout(patience_s),
    )  # fmt: skip


@pytest.fixture
def replies() -> list[Reply]:
    return []


@pytest.fixture
def vendor(replies: list[Reply]) -> Iterator[Vendor]:
    def answer(seen: Seen) -> Reply:
        assert seen.headers["x-api-key"] == "k3y"
        return replies.pop(0)

    with standing_for(answer) as found:
        yield found
        assert found.faults == []


def test_the_call_is_what_the_templates_say_and_nothing_of_the_span_breaks_out_of_its_place(
    vendor: Vendor, replies: list[Reply]
) -> None:
    replies += [(201, {"run": {"id": 7}}), (201, {})]
    assert engine(vendor).submit(asking(from_step="book", payload_patch={"po": {"no": "7"}})) == Accepted("7")
    assert engine(vendor, "../admin").submit(asking()) == Accepted(None)
    first, second = vendor.seen
    assert first.path == "/eu/runs/r%2F1%20%3F/again"
    assert first.query == {"why": "the ERP is back"}
    assert first.headers["x-by"] == "ana"
    assert first.headers["idempotency-key"] == "ct-1"
    assert first.body == {"step": "book", "patch": {"po": {"no": "7"}}, "note": "order SO-1", "deep": [1, True]}
    assert second.path == "/eu/runs/..%2Fadmin/again"
    assert second.body == {"note": "order SO-1", "deep": [1, True]}, "what is not there is left out"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ((200, {"known": True, "run": {"id": "r2"}}), AlreadyTaken("r2")),
        ((409, {"why": "booked as 4711"}), AlreadyThere("booked as 4711")),
        ((400, {"message": "no such run"}), Refused("own refused (400): no such run")),
        ((403, {"message": "no"}), Refused("own refused (403): no. Check the secrets token and what they may do")),
        ((302, None), Refused("own sends on to another address (302), which is not followed; check the engine's url")),
        ((418, {"message": "teapot"}), Uncertain("own: teapot")),
    ],
)
def test_answers_mean_what_the_rules_say(vendor: Vendor, replies: list[Reply], reply: Reply, answer: object) -> None:
    replies.append(reply)
    assert engine(vendor).submit(asking()) == answer


@pytest.mark.parametrize("status", [200, 204, 408, 425, 500, 502, 504])
def test_an_answer_that_no_rule_names_and_that_may_have_worked_is_uncertain(
    vendor: Vendor, replies: list[Reply], status: int
) -> None:
    replies.append((status, None if status == 204 else {"message": "k3y quoted"}))
    answer = engine(vendor).submit(asking())
    assert isinstance(answer, Uncertain)
    assert "k3y" not in answer.detail


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_engine_is_asked_when_it_says(vendor: Vendor, replies: list[Reply], status: int) -> None:
    vendor.retry_after = "17"
    replies.append((status, {"message": "busy"}))
    assert engine(vendor).submit(asking()) == RetryLater(17.0, "own: busy")


def test_no_connection_is_surely_not_taken_and_no_answer_is_uncertain(vendor: Vendor) -> None:
    vendor.is_silent = True
    answer = engine(vendor, patience_s=0.2).submit(asking())
    assert isinstance(answer, Uncertain)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    vendor.url = f"http://127.0.0.1:{port}"
    assert isinstance(engine(vendor).submit(asking()), RetryLater)
    assert not engine(vendor).state(asking(), "r2").is_answer
    assert engine(vendor).probe("erp.create_order", "order", "SO-1").state == "unknown"


def test_what_was_started_is_asked_after_by_its_own_id(vendor: Vendor, replies: list[Reply]) -> None:
    replies += [(200, {"state": "done"}), (200, {"state": "odd"}), (404, {}), (500, {})]
    own = engine(vendor)
    assert own.state(asking(), "r2").state == "succeeded"
    assert not own.state(asking(), "r2").is_answer, "a word that the catalogue does not know"
    assert own.state(asking(), "r2").is_answer, "it knows no such run"
    assert not own.state(asking(), "r2").is_answer
    assert not own.state(asking(), None).is_answer, "nobody knows what was started"


def test_the_target_is_probed(vendor: Vendor, replies: list[Reply]) -> None:
    replies += [(200, {"number": "4711"}), (404, {}), (500, {})]
    own = engine(vendor)
    assert own.can_probe
    found = [own.probe("erp.create_order", "order", "SO-1") for _ in range(3)]
    assert [probe.state for probe in found] == ["present", "absent", "unknown"]
    assert (found[0].evidence, found[0].reconciles) == ("4711", True)
    assert vendor.seen[0].path == "/orders/SO-1"


def test_what_the_call_has_no_place_for_is_refused_and_nothing_sent(vendor: Vendor) -> None:
    plain = {**DESCRIBED["submit"], "body": None}
    own = engine(vendor, submit=plain)
    assert isinstance(own.submit(asking(payload_patch={"po": "7"})), Refused)
    assert isinstance(own.submit(asking(from_step="book")), Refused)
    lacking = engine(vendor, "").submit(asking())
    assert isinstance(lacking, Refused)
    assert "run.id" in lacking.reason
    assert isinstance(engine(vendor).submit(asking(requested_by="ana\r\nx-admin: yes")), Refused)
    assert vendor.seen == []


def test_a_run_that_its_engine_still_works_on_is_not_sent(vendor: Vendor, replies: list[Reply]) -> None:
    state = {
        "path": "/runs/{run_id}",
        "pointers": ["/state"],
        "states": {"done": "succeeded", "off": "failed", "on": "running"},
    }
    own = engine(vendor, state=state, send_when=["failed"])
    replies += [
        (200, {"state": "on"}),
        (200, {"state": "done"}),
        (404, {}),
        (500, {}),
        (200, {"state": "off"}),
        (201, {}),
    ]
    kinds = [type(own.submit(asking())) for _ in range(5)]
    assert kinds == [RetryLater, AlreadyThere, Refused, RetryLater, Accepted]
    assert len(vendor.sent("POST")) == 1


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{name: o, label: O, kind: http}", "needs a preset, or a description under http"),
        ("{name: o, label: O, kind: http, preset: nope}", "which is not shipped. Known: airflow"),
        ("{name: o, label: O, kind: http, preset: airflow}", "needs secrets: {token: VARIABLE}"),
        ("{name: o, label: O, kind: http, preset: airflow, secrets: {token: T, key: K}}", "no use for a secret 'key'"),
        ("{name: o, label: O, kind: http, preset: airflow, secrets: {token: T}, with: {dog_id: x}}", "no parameter. Known: dag_id"),
        (
            "{name: o, label: O, kind: http, preset: aws_sqs, secrets: {access_key: A, secret_key: B}, with: {region: eu, queue_arn: q}}",
            "must say with: {moves_the_whole_queue: 'yes'}",
        ),
        (
            "{name: o, label: O, kind: http, run_id: [a], http: {submit: {path: '/{runid}', answers: [{answer: accepted}]}}}",
            "submit: nothing fills {runid}. Known:",
        ),
        ("{name: o, label: O, kind: http, http: {submit: {path: '/{run_id}', answers: [{answer: accepted}]}}}", "needs run_id"),
        ("{name: o, label: O, preset: airflow}", "is of kind 'contract' and says 'preset'"),
        ("{name: o, label: O, kind: n8n}", "needs secrets: {api_key: VARIABLE}"),
    ],
)  # fmt: skip
def test_a_fault_of_a_described_engine_is_found_before_anything_is_asked(entry: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SHIPPED.replace("label: Sync engine}\n", f"label: Sync engine}}\n  - {entry}\n", 1), "utf-8")
    with pytest.raises(CatalogueError) as caught:
        load(file)
    assert any(told in problem and ", line " in problem for problem in caught.value.problems), caught.value.problems


def test_aws_signing_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    monkeypatch.delitem(sys.modules, "console.replay.aws_signing", raising=False)
    made = Entry.model_validate(
        {"name": "a", "label": "A", "kind": "http", "preset": "aws_step_functions", "with": {"region": "eu"},
         "secrets": {"access_key": "A", "secret_key": "B"}}
    )  # fmt: skip
    with pytest.raises(PermanentError, match=r"cashtrail\[aws\]"):
        make(made, "https://states.eu.amazonaws.com", naming({}), {"A": "1", "B": "2"})
