"""How the catalogue describes an engine that is asked over its own HTTP API: calls, templates, and what answers mean.

A template holds placeholders in braces: `{run_id}`. Which ones there are is fixed, so a misspelt one is a fault of the
catalogue and never an odd call. Pure: nothing here reads a file, the environment or a network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

REQUEST_FIELDS = frozenset(
    {"idempotency_key", "replay_id", "operation", "object_type", "object_id", "trace_id", "span_id", "from_step",
     "payload_patch", "requested_by", "reason"}
)  # fmt: skip
"""What a template can take from the replay that is asked for."""
RUN_ID, STARTED_ID = "run_id", "started_id"
"""The engine's id of what failed, from the span; and of what it started, from its answer (only in `state`)."""

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\??)\}")

Status = Annotated[int, Field(ge=100, le=599)]
Pointer = Annotated[str, Field(pattern=r"^(/[^/]*)*$", description="a JSON pointer (RFC 6901) into the answer")]
Reply = Literal["accepted", "already_taken", "already_there", "refused", "retry_later", "uncertain"]
RunStateName = Literal["accepted", "running", "succeeded", "failed"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Call(Part):
    """One HTTP request. A value that is just `{name?}` is left out where there is no such value."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    path: str = Field(pattern=r"^/")
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: Any = None

    def templates(self) -> Iterator[str]:
        yield self.path
        yield from self.query.values()
        yield from self.headers.values()
        yield from texts(self.body)


class Meaning(Part):
    """What an answer means: the first of a call's that fits counts. `where` compares values in the answer as text."""

    answer: Reply
    status: list[Status] = []
    where: dict[Pointer, list[str]] = {}
    run_id: str | None = Field(default=None, description="the id of what was started: a JSON pointer, or a template")
    detail: Pointer | None = None


class Submit(Call):
    """The call that asks for the replay.

    An answer that fits no meaning is read with care: 429 is asked later, 3xx and 4xx are refusals, 2xx and 5xx uncertain.
    """

    idempotency_header: str | None = None
    answers: list[Meaning] = Field(min_length=1)


class State(Call):
    """The call that asks what became of a run. The first pointer that is there gives the word that `states` knows."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "GET"
    pointers: list[Pointer] = Field(min_length=1)
    states: dict[str, RunStateName]
    by_status: dict[Status, RunStateName] = {}
    unknown_status: list[Status] = [404]
    unknown_where: dict[Pointer, list[str]] = {}


class Probe(Call):
    """The call that asks whether the target has it. 404 is `absent` if `absent_status` says so."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "GET"
    present_where: dict[Pointer, list[str]] = {}
    absent_where: dict[Pointer, list[str]] = {}
    present_status: list[Status] = []
    absent_status: list[Status] = []
    evidence: Pointer | None = None
    reconciles: bool = False


class Auth(Part):
    """How a call shows who it is. Secrets by name: `token`, `password`, or `access_key` and `secret_key`.

    `optional`: without a secret the call goes out without showing anything.
    """

    optional: bool = False
    kind: Literal["none", "bearer", "basic", "header", "aws_sigv4"] = "none"
    user: str = ""
    header: str = "authorization"
    prefix: str = ""
    service: str = ""
    region: str = ""

    @property
    def secrets(self) -> tuple[frozenset[str], frozenset[str]]:
        """The secrets that it needs, and all that it has a use for."""
        needed = {
            "none": frozenset[str](), "bearer": frozenset({"token"}), "header": frozenset({"token"}),
            "basic": frozenset({"password"}), "aws_sigv4": frozenset({"access_key", "secret_key"}),
        }[self.kind]  # fmt: skip
        useful = needed | ({"session_token"} if self.kind == "aws_sigv4" else frozenset())
        return frozenset() if self.optional else needed, useful


class Parameter(Part):
    """A value that the templates use: given in the catalogue (`with`), else read from the failed span, else the default."""

    about: str
    attributes: list[str] = []
    default: str | None = None
    must_be: str | None = Field(
        default=None, description="the catalogue must give just this: a consequence is agreed to"
    )


class HttpEngine(Part):
    """An engine over HTTP. `keeps_keys`: it starts nothing twice under one key (say so only if its documentation does).

    `in_place`: it runs the same run again, so that 'failed' may be the old failure. `send_when`: its state is asked first,
    and nothing is sent in any other state.
    """

    url: str | None = None
    keeps_keys: bool = False
    in_place: bool = False
    send_when: list[RunStateName] = []
    auth: Auth = Auth()
    parameters: dict[str, Parameter] = {}
    submit: Submit
    state: State | None = None
    probe: Probe | None = None

    def faults(self) -> Iterator[str]:
        """Every placeholder that nothing fills, and every rule that can never hold."""
        known = REQUEST_FIELDS | {RUN_ID} | set(self.parameters)
        places: list[tuple[str, Iterator[str], frozenset[str] | set[str]]] = [
            ("submit", self.submit.templates(), known),
            ("auth", iter((self.auth.user, self.auth.region)), set(self.parameters)),
        ]
        for meaning in self.submit.answers:
            if meaning.run_id and not meaning.run_id.startswith("/"):
                places.append(("submit.answers", iter((meaning.run_id,)), known))
        if self.state:
            places.append(("state", self.state.templates(), known | {STARTED_ID}))
        if self.probe:
            asked = {"operation", "object_type", "object_id"} | set(self.parameters)
            places.append(("probe", self.probe.templates(), asked))
        for place, templates, allowed in places:
            for template in templates:
                for name in sorted(set(placeholders(template)) - allowed):
                    yield f"{place}: nothing fills {{{name}}}. Known: {', '.join(sorted(allowed))}"
        for name in sorted(set(self.parameters) & (REQUEST_FIELDS | {RUN_ID, STARTED_ID})):
            yield f"parameter '{name}' has the name of something that every template knows already"
        if self.send_when and self.state is None:
            yield "send_when needs a state to ask"
        if self.auth.kind == "aws_sigv4" and not (self.auth.service and self.auth.region):
            yield "auth aws_sigv4 needs service and region"

    def uses(self, name: str) -> bool:
        """Whether the call that asks for the replay says `name`."""
        return any(name in placeholders(template) for template in self.submit.templates())


class Preset(Part):
    """A described engine that is shipped. `sources` say where its shape was read; `doubts` what was not."""

    preset: str
    label: str
    sources: list[str] = Field(min_length=1)
    needs: str
    doubts: str | None = None
    run_id: list[str] = Field(min_length=1, max_length=4)
    engine: HttpEngine


def placeholders(template: str) -> list[str]:
    """The names in a template's braces.

    >>> placeholders("/runs/{run_id}/retry?as={requested_by?}")
    ['run_id', 'requested_by']
    """
    return [match[1] for match in PLACEHOLDER.finditer(template)]


def texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)
