"""The adapter for DBOS Transact: a failed workflow is forked from a step, through DBOS's own client on its system database.

The idempotency key is the fork's workflow id, and so its primary key: the same key starts at most one run. A call whose answer
nobody heard is settled by it too: a workflow of that id is there, or no fork was made and it may be asked for again. A workflow
is never resumed: resuming has no key, and takes a running workflow from its worker. Inputs and outputs are never read, since
DBOS pickles them. Needs the extra `cashtrail[dbos]`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from dbos import DBOSClient, SetWorkflowID, error

from console.replay.credentials import Secrets
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
    SpanAttributes,
    Uncertain,
)
from console.replay.waits import BUSY_RETRY_S, CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S, UNREACHABLE_RETRY_S
from trace_model.catalogue.engine_schema import Dbos, Engine

ENDED_BADLY = frozenset({"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
_STATES: Mapping[str, Literal["accepted", "running", "succeeded", "failed"]] = {
    "ENQUEUED": "accepted", "DELAYED": "accepted", "PENDING": "running", "SUCCESS": "succeeded",
    "ERROR": "failed", "CANCELLED": "failed", "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A recorded step of a workflow. Its name is qualified: `orders.flow.reserve`."""

    number: int
    name: str
    failed: bool

    def is_called(self, name: str) -> bool:
        return name in (self.name, self.name.rpartition(".")[2])


class DbosTransact:
    """The workflows of one DBOS system database."""

    keeps_keys = True
    can_probe = False
    settles_by_key = True

    def __init__(self, entry: Engine, url: str, secrets: Secrets, span_attributes: SpanAttributes) -> None:
        self.name = entry.name
        self._run_id_attributes = entry.run_id_attributes
        self._settings = entry.dbos or Dbos()
        self._span_attributes = span_attributes
        address = sa.make_url(url)
        self._secrets = secrets.adding("address", address.password)
        if password := secrets.get("password"):
            address = address.set(password=password)
        self.database = _open(address)
        is_postgres = self.database.dialect.name == "postgresql"
        schema = self._settings.system_schema if is_postgres else None
        self._steps = sa.table(
            "operation_outputs", sa.column("workflow_uuid"), sa.column("function_id"), sa.column("function_name"),
            sa.column("error"), schema=schema,
        )  # fmt: skip
        self._call = threading.local()
        sa.event.listen(self.database, "commit", self._commits)
        self._client = DBOSClient(
            system_database_engine=self.database,
            dbos_system_schema=schema or "dbos",
            lazy=True,
            retry_connection_errors=False,
        )

    def submit(self, request: ReplayRequest) -> Answer:
        if request.payload_patch:
            return Refused(
                f"{self.name}: DBOS forks a workflow with the input it had, a patch cannot be sent. "
                "Put the data right at its source and replay without a patch"
            )
        said = self._span_attributes(request.trace_id, request.span_id)
        workflow_id = next((said[a] for a in self._run_id_attributes if said.get(a)), None)
        if workflow_id is None:
            return Refused(
                f"neither span {request.span_id} nor its parents have the attribute {' or '.join(self._run_id_attributes)}, "
                f"so {self.name} cannot be told which workflow failed. Name another attribute in the engine's run_id"
            )
        try:
            found = self._refusal_or_step(workflow_id, request)
        except (sa.exc.SQLAlchemyError, error.DBOSException, OSError) as fault:
            return self._of_fault(fault)
        return self._fork(workflow_id, found, request.idempotency_key) if isinstance(found, int) else found

    def state(self, request: ReplayRequest, run_id: str | None) -> RunState:
        try:
            status = self._status(run_id or request.idempotency_key)
        except (sa.exc.SQLAlchemyError, error.DBOSException, OSError) as fault:
            return RunState("unknown", self._told(fault), is_answer=False)
        if status is None:
            return RunState("unknown", f"no workflow {run_id or request.idempotency_key}")
        told = f"workflow {run_id or request.idempotency_key} is {status}"
        return RunState(_STATES[status], told) if status in _STATES else RunState("unknown", told, is_answer=False)

    def probe(self, operation: str, object_type: str, object_id: str) -> Probe:
        return Probe("unknown", "DBOS knows workflows, not what stands at the target")

    def dependency(self, name: str) -> DependencyState:
        return "unknown"

    def close(self) -> None:
        self._client.destroy()
        self.database.dispose()

    def _refusal_or_step(self, workflow_id: str, request: ReplayRequest) -> int | Answer:
        """The step that a fork starts at, or why there must be none (now)."""
        key = request.idempotency_key
        if self._status(key) is not None:
            return AlreadyTaken(key)
        status = self._status(workflow_id)
        if status is None:
            return Refused(f"{self.name} knows no workflow {workflow_id}: deleted, or in another system database")
        if status not in ENDED_BADLY and status != "SUCCESS":
            return RetryLater(BUSY_RETRY_S, f"workflow {workflow_id} is {status}: DBOS itself still works on it")
        if status == "SUCCESS" and request.from_step is None:
            return AlreadyThere(f"workflow {workflow_id} has succeeded; name a from_step to run it again from there")
        forks = self._client.list_workflows(forked_from=workflow_id, load_input=False, load_output=False)
        if any(fork.workflow_id == key for fork in forks):  # since it was looked for a moment ago
            return AlreadyTaken(key)
        for fork in forks:
            if fork.status not in ENDED_BADLY and fork.status != "SUCCESS":
                return RetryLater(BUSY_RETRY_S, f"{fork.workflow_id}, a fork of {workflow_id}, is {fork.status}")
            if fork.status == "SUCCESS" and request.from_step is None:
                return AlreadyThere(f"{fork.workflow_id}, a fork of {workflow_id}, has succeeded")
        with self.database.connect() as connection:
            t = self._steps.c
            rows = connection.execute(
                sa.select(t.function_id, t.function_name, t.error.is_not(None))
                .where(t.workflow_uuid == workflow_id)
                .order_by(t.function_id)
            ).all()
        return start_of([Step(*row) for row in rows], request.from_step)

    def _commits(self, connection: sa.Connection) -> None:
        """Told by SQLAlchemy just before it commits: until then, what fails was surely not taken."""
        self._call.has_committed = True

    def _fork(self, workflow_id: str, step: int, key: str) -> Answer:
        self._call.has_committed = False
        try:
            with SetWorkflowID(key):
                self._client.fork_workflow(
                    workflow_id, step, queue_name=self._settings.queue,
                    application_version=self._settings.application_version,
                )  # fmt: skip
        except sa.exc.IntegrityError:
            return AlreadyTaken(key)
        except (sa.exc.SQLAlchemyError, error.DBOSException, OSError) as fault:
            if not self._call.has_committed:
                return self._of_fault(fault)
            return Uncertain(f"{self.name} did not say whether {workflow_id} was forked as {key}: {self._told(fault)}")
        return Accepted(key)

    def _status(self, workflow_id: str) -> str | None:
        found = self._client.list_workflows(workflow_ids=[workflow_id], load_input=False, load_output=False)
        return found[0].status if found else None

    def _of_fault(self, fault: Exception) -> Answer:
        """What a fault of asking means; nothing had been written."""
        told = self._told(fault)
        if "authentication failed" in told or "no password supplied" in told or 'role "' in told:
            return Refused(f"{self.name} does not let Cashtrail in: {told}. Check user and the secret 'password'")
        if isinstance(fault, sa.exc.ProgrammingError) or "no such table" in told:
            return Refused(f"{self.name} has no DBOS tables where they are looked for (dbos.system_schema): {told}")
        if 'database "' in told and "does not exist" in told:
            return Refused(f"{self.name}: {told}. Check the address of the system database")
        return RetryLater(UNREACHABLE_RETRY_S, f"{self.name} cannot be reached: {told}")

    def _told(self, fault: Exception) -> str:
        cause = getattr(fault, "orig", None) or fault
        return self._secrets.scrub(" ".join(str(cause).split()))[:DETAIL_MOST] or type(fault).__name__


def start_of(steps: Sequence[Step], from_step: str | None) -> int | Refused:
    """The number of the step to fork from: the one named (by number or name), else the last if it failed, else after it.

    >>> ran = [Step(1, "flow.reserve", False), Step(2, "flow.book", True)]
    >>> start_of(ran, None), start_of(ran, "reserve"), start_of(ran, "1"), start_of(ran[:1], None)
    (2, 1, 1, 2)
    >>> start_of(ran, "ship")
    Refused(reason="no step 'ship' was recorded. Recorded: 1 flow.reserve, 2 flow.book (failed)")
    """
    if from_step is None:
        if not steps:
            return 1
        return steps[-1].number if steps[-1].failed else steps[-1].number + 1
    recorded = ", ".join(f"{s.number} {s.name}{' (failed)' * s.failed}" for s in steps[:50]) or "none"
    if from_step.isdecimal():
        last = steps[-1].number if steps else 0
        if 1 <= int(from_step) <= last + 1:
            return int(from_step)
        return Refused(f"there is no step {from_step} to start from. Recorded: {recorded}")
    called = [s for s in steps if s.is_called(from_step)]
    if not called:
        return Refused(f"no step '{from_step}' was recorded. Recorded: {recorded}")
    if len(called) > 1:
        numbers = ", ".join(str(s.number) for s in called)
        return Refused(f"step '{from_step}' ran {len(called)} times: give one of the numbers {numbers}")
    return called[0].number


def _open(address: sa.URL) -> sa.Engine:
    """An engine that gives up soon, and never makes a SQLite file that is not there."""
    if address.get_backend_name() == "sqlite":
        path = Path(address.database or "").absolute()
        address = sa.make_url(f"sqlite:///file:{path}?mode=rw&uri=true")
        return sa.create_engine(address, connect_args={"timeout": STATEMENT_TIMEOUT_S})
    arguments: dict[str, Any] = {
        "connect_timeout": int(CONNECT_TIMEOUT_S),
        "application_name": "cashtrail",
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000}",
        "tcp_user_timeout": STATEMENT_TIMEOUT_S * 1000,
        "keepalives_idle": STATEMENT_TIMEOUT_S,
        "keepalives_interval": int(CONNECT_TIMEOUT_S),
        "keepalives_count": 3,
    }
    return sa.create_engine(
        address.set(drivername="postgresql+psycopg"), connect_args=arguments, pool_size=4, max_overflow=12,
        pool_pre_ping=True,
    )  # fmt: skip
