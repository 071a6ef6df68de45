"""Each shipped preset against a strict server that takes only what the vendor's documentation describes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.model import ServiceModel
from botocore.session import get_session
from botocore.validate import validate_parameters

from console.replay.engine import Accepted, AlreadyTaken, AlreadyThere, Engine, Refused, RetryLater
from console.replay.makers import make
from tests.console.replay.engines.conftest import asking, naming
from tests.console.replay.engines.vendor import Reply, Seen, Vendor, signature_v4, standing_for
from trace_model.catalogue import engine_presets
from trace_model.catalogue.engine_schema import Engine as Entry

SECRET = "v3ry-s3cret"
ENVIRONMENT = {"A_SECRET": SECRET, "AN_ID": "AKIAEXAMPLE"}
ARN = "arn:aws:states:eu-central-1:123456789012:execution:orders:run-1"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:orders-dlq"


@dataclass
class Case:
    """A preset, what the catalogue says beside it, the failed span, and the vendor's side of it."""

    preset: str
    attributes: dict[str, str]
    answer: Callable[[Case, Seen], Reply]
    secrets: dict[str, str] = field(default_factory=lambda: {"token": "A_SECRET"})
    given: dict[str, str] = field(default_factory=dict)
    run_id: str | None = None
    runs: dict[str, str] = field(default_factory=dict)
    """The vendor's own record: states of runs, and what was started."""
    effects: int = 0
    has_deployment: bool = True

    def entry(self) -> Entry:
        return Entry.model_validate(
            {"name": "vendor", "label": self.preset, "kind": "http", "preset": self.preset, "secrets": self.secrets,
             "with": self.given}
        )  # fmt: skip

    def engine(self, vendor: Vendor, **attributes: str) -> Engine:
        said = naming({**self.attributes, **attributes})
        return make(self.entry(), vendor.url, said, ENVIRONMENT)


def has_bearer(seen: Seen) -> bool:
    return seen.headers.get("authorization") == f"Bearer {SECRET}"


def airflow(case: Case, seen: Seen) -> Reply:
    if not has_bearer(seen):
        return 403, {"detail": "Invalid JWT token"}
    if seen.method == "GET":
        assert seen.path.startswith("/api/v2/dags/orders/dagRuns/")
        run = seen.path.rpartition("/")[2]
        return (
            (200, {"dag_run_id": run, "state": case.runs[run]}) if run in case.runs else (404, {"detail": "not found"})
        )
    assert (seen.method, seen.path) == ("POST", "/api/v2/dags/orders/clearTaskInstances")
    assert seen.body == {"dry_run": False, "only_failed": True, "dag_run_id": "run-1", "reset_dag_runs": True}
    case.effects += 1
    case.runs["run-1"] = "queued"
    return 200, {"task_instances": [], "total_entries": 1}


def prefect(case: Case, seen: Seen) -> Reply:
    if not has_bearer(seen):
        return 401, {"detail": "Unauthorized"}
    if seen.method == "GET":
        assert seen.path.startswith("/api/flow_runs/")
        run = seen.path.rpartition("/")[2]
        return (
            (200, {"id": run, "state_type": case.runs[run]})
            if run in case.runs
            else (404, {"detail": "Flow run not found"})
        )
    assert seen.path == "/api/flow_runs/run-1/set_state"
    assert set(seen.body) == {"state", "force"}
    assert seen.body["force"] is False
    assert set(seen.body["state"]) == {"type", "name", "message"}
    assert (seen.body["state"]["type"], seen.body["state"]["name"]) == ("SCHEDULED", "AwaitingRetry")
    if not case.has_deployment:
        why = "Cannot reschedule a run without an associated deployment."
        return 200, {
            "state": {"type": "FAILED"},
            "status": "ABORT",
            "details": {"type": "abort_details", "reason": why},
        }
    case.effects += 1
    case.runs["run-1"] = "SCHEDULED"
    return 201, {"state": {"type": "SCHEDULED"}, "status": "ACCEPT", "details": {"type": "accept_details"}}


def temporal(case: Case, seen: Seen) -> Reply:
    if not has_bearer(seen):
        return 403, {"code": 7, "message": "Request unauthorized.", "details": []}
    job = seen.path.rpartition("/")[2]
    assert seen.path == f"/api/v1/namespaces/orders/batch-operations/{job}"
    if seen.method == "GET":
        if job not in case.runs:
            return 404, {"code": 5, "message": "batch operation not found", "details": []}
        return 200, {"jobId": job, "state": case.runs[job], "operationType": "BATCH_OPERATION_TYPE_RESET"}
    assert seen.body["executions"] == [{"workflowId": "run-1", "runId": "0199-a"}]
    assert seen.body["resetOperation"] == {"identity": "cashtrail", "options": {"lastWorkflowTask": {}}}
    assert set(seen.body) == {"reason", "executions", "resetOperation"}
    if job in case.runs:
        return 409, {"code": 6, "message": "Batch job already exists", "details": []}
    case.effects += 1
    case.runs[job] = "BATCH_OPERATION_STATE_RUNNING"
    return 200, {}


def celigo(case: Case, seen: Seen) -> Reply:
    if not has_bearer(seen):
        return 401, {"errors": [{"code": "unauthorized", "message": "Unauthorized"}]}
    assert (seen.method, seen.path) == ("POST", "/v1/flows/5e03061c/6f14172d/retry")
    if seen.body == {"retryDataKeys": ["run-none"]}:
        return 404, {"errors": [{"message": "no such retry data"}]}
    assert seen.body == {"retryDataKeys": ["run-1"]}
    case.effects += 1
    return 200, {"_jobId": "j1"}


def workato(case: Case, seen: Seen) -> Reply:
    if not has_bearer(seen):
        return 401, {"message": "Unauthorized"}
    assert (seen.method, seen.path) == ("POST", "/api/recipes/28904/repeat_jobs")
    if seen.body == {"job_ids": ["run-none"]}:
        return 404, {"message": "Not found"}
    if seen.body == {"job_ids": ["run-old"]}:
        return 200, {"results": [{"job_id": "run-old", "status": "failed", "error": "the job's data is gone"}]}
    assert seen.body == {"job_ids": ["run-1"]}
    case.effects += 1
    return 200, {"results": [{"job_id": "run-1", "status": "enqueued"}]}


def boomi(case: Case, seen: Seen) -> Reply:
    expected = base64.b64encode(f"BOOMI_TOKEN.ana@example.com:{SECRET}".encode()).decode()
    if seen.headers.get("authorization") != f"Basic {expected}":
        return 401, {"message": "Incorrect user name and password combination."}
    assert seen.headers["accept"] == "application/json"
    if seen.method == "GET":
        assert seen.path == "/api/rest/v1/acme-1/ExecutionRecord/async/executionrecord-9"
        status = case.runs.get("executionrecord-9")
        return (
            (200, {"result": [{"executionId": "e2", "status": status}]})
            if status
            else (202, {"responseStatusCode": 202})
        )
    assert (seen.method, seen.path) == ("POST", "/api/rest/v1/acme-1/RerunDocument")
    if seen.body["originalExecutionId"] == "run-none":
        return 400, {"@type": "Error", "message": "The execution does not exist."}
    assert seen.body == {"originalExecutionId": "run-1", "AllDocuments": {"documentStatus": "ERROR"}}
    case.effects += 1
    return 200, {"@type": "RerunDocument", "requestId": "executionrecord-9", "originalExecutionId": "run-1"}


def mulesoft(case: Case, seen: Seen) -> Reply:
    if not has_bearer(seen):
        return 401, {"message": "Unauthorized"}
    assert seen.headers["x-anypnt-env-id"] == "env-1"
    if "none" in seen.path:
        return 404, {"message": "No such schedule"}
    assert (seen.method, seen.path) == ("POST", "/cloudhub/api/applications/orders/schedules/polling_orders/run")
    assert not seen.raw
    case.effects += 1
    return 200, {}


def mulesoft_cloudhub2(case: Case, seen: Seen) -> Reply:
    if not has_bearer(seen):
        return 401, {"message": "Unauthorized"}
    deployment = "/amc/application-manager/api/v2/organizations/org-1/environments/env-1/deployments/dep-1"
    if seen.path == f"{deployment}/schedulers/none/run":
        return 404, {"message": "No such scheduler"}
    assert (seen.method, seen.path) == ("POST", f"{deployment}/schedulers/poll%20orders/run")
    assert not seen.raw
    case.effects += 1
    return 200, {}


def aws(case: Case, seen: Seen, service: str, prefix: str) -> tuple[str, Any]:
    """The operation and its input, checked against AWS's own model of the service; the signature has been verified."""
    assert (seen.method, seen.path) == ("POST", "/")
    assert seen.headers["content-type"] == "application/x-amz-json-1.0"
    assert (
        signature_v4(seen, SECRET, {"stepfunctions": "states", "sqs": "sqs"}[service], "eu-central-1") == "AKIAEXAMPLE"
    )
    target, _, operation = seen.headers["x-amz-target"].partition(".")
    assert target == prefix
    model = ServiceModel(get_session().get_component("data_loader").load_service_model(service, "service-2"))
    shape = model.operation_model(operation).input_shape
    validate_parameters(seen.body, shape)
    assert set(seen.body) <= set(shape.members), "a key that the operation does not know"
    return operation, seen.body


def step_functions(case: Case, seen: Seen) -> Reply:
    operation, body = aws(case, seen, "stepfunctions", "AWSStepFunctions")
    status = case.runs.get(body["executionArn"])
    if status is None:
        return 400, {
            "__type": "com.amazonaws.swf.service.v2.model#ExecutionDoesNotExist",
            "message": "no such execution",
        }
    if operation == "DescribeExecution":
        return 200, {"executionArn": body["executionArn"], "status": status, "startDate": 1.0, "stateMachineArn": "a"}
    assert 1 <= len(body["clientToken"]) <= 64
    if status not in ("FAILED", "TIMED_OUT", "ABORTED"):
        return 400, {"__type": "ExecutionNotRedrivable", "message": "execution is " + status}
    case.effects += 1
    case.runs[body["executionArn"]] = "RUNNING"
    return 200, {"redriveDate": 1.0}


def sqs(case: Case, seen: Seen) -> Reply:
    operation, body = aws(case, seen, "sqs", "AmazonSQS")
    assert body["SourceArn"] == QUEUE
    if operation == "ListMessageMoveTasks":
        return 200, {"Results": [{"Status": s, "SourceArn": QUEUE, "StartedTimestamp": 1} for s in case.runs.values()]}
    if case.runs:
        return 400, {"__type": "com.amazonaws.sqs#UnsupportedOperation", "message": "There is already a task running."}
    case.effects += 1
    case.runs["task"] = "RUNNING"
    return 200, {"TaskHandle": "handle-1"}


CASES = {
    "airflow": lambda: Case("airflow", {"dag_run_id": "run-1", "dag_id": "orders"}, airflow, runs={"run-1": "failed"}),
    # as a task's span says it: its own run, and the flow's
    "prefect": lambda: Case(
        "prefect", {"prefect.flow-run.id": "run-1", "prefect.run.id": "task-run-9"}, prefect, runs={"run-1": "FAILED"}
    ),
    "temporal": lambda: Case(
        "temporal", {"temporalWorkflowID": "run-1", "temporalRunID": "0199-a"}, temporal, given={"namespace": "orders"}
    ),
    "celigo": lambda: Case(
        "celigo", {"celigo.retry_data_key": "run-1", "celigo.flow.id": "5e03061c", "celigo.step.id": "6f14172d"}, celigo
    ),
    "workato": lambda: Case("workato", {"workato.job.id": "run-1", "workato.recipe.id": "28904"}, workato),
    "boomi": lambda: Case(
        "boomi", {"boomi.execution.id": "run-1"}, boomi, secrets={"password": "A_SECRET"},
        given={"account_id": "acme-1", "user": "BOOMI_TOKEN.ana@example.com"},
    ),
    "mulesoft": lambda: Case(
        "mulesoft", {"mule.correlation_id": "run-1"}, mulesoft,
        given={"domain": "orders", "schedule_id": "polling_orders", "environment_id": "env-1", "runs_the_whole_flow": "yes"},
    ),
    "mulesoft_cloudhub2": lambda: Case(
        "mulesoft_cloudhub2", {"mule.correlation_id": "run-1"}, mulesoft_cloudhub2,
        given={"organization_id": "org-1", "environment_id": "env-1", "deployment_id": "dep-1", "flow": "poll orders",
               "runs_the_whole_flow": "yes"},
    ),
    "aws_step_functions": lambda: Case(
        "aws_step_functions", {"aws.stepfunctions.execution.arn": ARN}, step_functions, given={"region": "eu-central-1"},
        secrets={"access_key": "AN_ID", "secret_key": "A_SECRET"}, runs={ARN: "FAILED"},
    ),
    "aws_sqs": lambda: Case(
        "aws_sqs", {}, sqs, secrets={"access_key": "AN_ID", "secret_key": "A_SECRET"},
        given={"region": "eu-central-1", "queue_arn": QUEUE, "moves_the_whole_queue": "yes"},
    ),
}  # fmt: skip


def test_every_shipped_preset_has_a_case() -> None:
    assert sorted(CASES) == list(engine_presets.names())


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    made: Case = CASES[request.param]()
    return made


@pytest.fixture
def vendor(case: Case) -> Iterator[Vendor]:
    with standing_for(lambda seen: case.answer(case, seen)) as found:
        yield found
        assert found.faults == []


def test_a_preset_is_whole_and_says_where_it_was_read(case: Case) -> None:
    assert list(engine_presets.faults(case.entry())) == []
    preset = engine_presets.preset(case.preset)
    assert all(source.startswith(("https://", "botocore")) for source in preset.sources)
    assert preset.needs


def test_a_replay_is_taken_and_works_once(case: Case, vendor: Vendor) -> None:
    engine = case.engine(vendor)
    answer = engine.submit(asking())
    assert isinstance(answer, Accepted), answer
    assert case.effects == 1
    engine.close()


def test_the_same_key_again_is_one_effect_wherever_the_vendor_can_tell(case: Case, vendor: Vendor) -> None:
    engine = case.engine(vendor)
    engine.submit(asking())
    again = engine.submit(asking())
    if engine.keeps_keys:
        assert isinstance(again, AlreadyTaken)
    elif case.preset in ("celigo", "workato", "boomi", "mulesoft", "mulesoft_cloudhub2"):
        assert isinstance(again, Accepted), "these vendors keep nothing: only the ledger stands between"
        return
    else:
        assert isinstance(again, RetryLater | Refused), "its own record says that it works already"
    assert case.effects == 1
    engine.close()


@pytest.mark.parametrize("case", sorted(set(CASES) - {"temporal", "aws_sqs"}), indirect=True)
def test_what_the_vendor_does_not_know_is_refused(case: Case, vendor: Vendor) -> None:
    # the two left out name a batch of their own and a whole queue, which any id fits
    if case.preset.startswith("mulesoft"):
        case.given["schedule_id" if case.preset == "mulesoft" else "flow"] = "none"
    name = next(iter(case.attributes))
    engine = case.engine(vendor, **{name: ARN + "-none" if case.preset.startswith("aws") else "run-none"})
    answer = engine.submit(asking())
    assert isinstance(answer, Refused), answer
    assert case.effects == 0
    engine.close()


@pytest.mark.parametrize("case", ["workato"], indirect=True)
def test_a_job_that_workato_answers_for_and_does_not_repeat_is_refused(case: Case, vendor: Vendor) -> None:
    engine = case.engine(vendor, **{"workato.job.id": "run-old"})
    assert engine.submit(asking()) == Refused("vendor refused (200): the job's data is gone")
    assert case.effects == 0
    engine.close()


def test_a_span_that_does_not_say_which_is_refused_before_anything_is_asked(case: Case, vendor: Vendor) -> None:
    case.attributes.clear()
    engine = case.engine(vendor)
    answer = engine.submit(asking())
    if case.preset in ("aws_sqs", "mulesoft", "mulesoft_cloudhub2"):
        assert isinstance(answer, Accepted), "it names no run"
    else:
        assert isinstance(answer, Refused)
        assert "no attribute" in answer.reason
        assert vendor.seen == []
    engine.close()


@pytest.mark.parametrize("case", [name for name in sorted(CASES) if not name.startswith("aws")], indirect=True)
def test_wrong_credentials_are_refused_and_told_nowhere(
    case: Case, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    engine = make(case.entry(), vendor.url, naming(case.attributes), {**ENVIRONMENT, "A_SECRET": "wr0ng-s3cret"})
    answer = engine.submit(asking())
    assert isinstance(answer, Refused), answer
    assert "secrets" in answer.reason
    assert "wr0ng-s3cret" not in answer.reason + caplog.text
    engine.close()


def test_a_wrong_aws_key_is_refused_with_what_aws_says() -> None:
    case = CASES["aws_step_functions"]()
    said = {"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "The signature does not match."}
    with standing_for(lambda seen: (403, said)) as vendor:
        engine = case.engine(vendor)
        answer = engine.submit(asking())
        assert isinstance(answer, Refused)
        assert "does not match" in answer.reason
        engine.close()


def test_a_prefect_run_without_a_deployment_is_refused_in_prefects_words() -> None:
    case = CASES["prefect"]()
    case.has_deployment = False
    with standing_for(lambda seen: case.answer(case, seen)) as vendor:
        engine = case.engine(vendor)
        answer = engine.submit(asking())
        assert answer == Refused("vendor refused (200): Cannot reschedule a run without an associated deployment.")
        engine.close()


@pytest.mark.parametrize(
    ("preset", "before", "states"),
    [
        ("airflow", "failed", {"running": "running", "success": "succeeded", "failed": "failed"}),
        ("prefect", "FAILED", {"RUNNING": "running", "COMPLETED": "succeeded", "CRASHED": "failed"}),
        ("aws_step_functions", "FAILED", {"RUNNING": "running", "SUCCEEDED": "succeeded", "TIMED_OUT": "failed"}),
    ],
)
def test_a_run_that_is_taken_up_in_place_is_followed(preset: str, before: str, states: dict[str, str]) -> None:
    case: Case = CASES[preset]()
    with standing_for(lambda seen: case.answer(case, seen)) as vendor:
        engine = case.engine(vendor)
        unheard = engine.state(asking(), None)
        assert (unheard.state, unheard.is_answer) == ("unknown", False), "the old failure is not taken for the new one"
        taken = engine.submit(asking())
        assert isinstance(taken, Accepted)
        for word, expected in states.items():
            case.runs[next(iter(case.runs))] = word
            assert engine.state(asking(), taken.run_id).state == expected
        case.runs[next(iter(case.runs))] = list(states)[1]
        assert isinstance(engine.submit(asking("ct-2")), AlreadyThere), "what has succeeded is not sent again"
        engine.close()
        assert vendor.faults == []


@pytest.mark.parametrize(
    ("preset", "run", "words"),
    [
        ("temporal", "ct-1", {"BATCH_OPERATION_STATE_RUNNING": "running", "BATCH_OPERATION_STATE_FAILED": "failed"}),
        ("boomi", "executionrecord-9", {"INPROCESS": "running", "COMPLETE": "succeeded", "ERROR": "failed"}),
        ("aws_sqs", "task", {"COMPLETED": "succeeded", "FAILED": "failed"}),
    ],
)
def test_what_was_started_is_followed(preset: str, run: str, words: dict[str, str]) -> None:
    case: Case = CASES[preset]()
    with standing_for(lambda seen: case.answer(case, seen)) as vendor:
        engine = case.engine(vendor)
        taken = engine.submit(asking())
        assert isinstance(taken, Accepted)
        assert engine.state(asking(), taken.run_id).state in ("accepted", "running")
        for word, expected in words.items():
            case.runs[run] = word
            assert engine.state(asking(), taken.run_id).state == expected
        engine.close()
        assert vendor.faults == []
