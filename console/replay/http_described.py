"""The adapter for engines that the catalogue describes: their own HTTP API, called and read as its templates and rules say.

What no rule names is read with care: a refusal only where nothing can have been done, and 'uncertain' wherever it may.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

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
from console.replay.http_contract import NEVER_LEFT, retry_after_s
from console.replay.waits import ASKING_TIMEOUT, BUSY_RETRY_S, RETRY_AFTER_S, SUBMIT_TIMEOUT
from trace_model.catalogue import engine_presets
from trace_model.catalogue.engine_schema import Engine
from trace_model.catalogue.http_engine_schema import PLACEHOLDER, RUN_ID, STARTED_ID, Auth, Call, Meaning, State

_NOTHING = object()


class _Lacking(Exception):
    """A template cannot be filled with what request, catalogue and span give; the text says what is lacking or unfit."""


class HttpDescribed:
    """One engine as the catalogue, or a preset that it names, describes it."""

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
        self._described = engine_presets.described(entry)
        self._run_id_attributes = engine_presets.run_id_attributes(entry)
        self._span_attributes = span_attributes
        self._secrets = secrets
        self._submit_timeout = submit_timeout
        given = {n: p.default or "" for n, p in self._described.parameters.items()}
        self._client = httpx.Client(
            base_url=url.rstrip("/"), timeout=ASKING_TIMEOUT, follow_redirects=False,
            auth=_auth(self._described.auth, secrets, given), headers={"user-agent": "cashtrail"},
        )  # fmt: skip

    @property
    def keeps_keys(self) -> bool:
        return self._described.keeps_keys

    @property
    def can_probe(self) -> bool:
        return self._described.probe is not None

    @property
    def settles_by_key(self) -> bool:
        return False

    def submit(self, request: ReplayRequest) -> Answer:
        submit = self._described.submit
        for field, words in (("payload_patch", "a patch"), ("from_step", "a step to start from")):
            if getattr(request, field) and not self._described.uses(field):
                return Refused(f"{self.name} has no place for {words} in its call; replay without it")
        try:
            values = self._values(request)
            call = self._request(submit, values, timeout=self._submit_timeout)
        except _Lacking as lacking:
            return Refused(str(lacking))
        if submit.idempotency_header:
            call.headers[submit.idempotency_header] = request.idempotency_key
        if self._described.send_when and (hindrance := self._hindrance(request, values)):
            return hindrance
        try:
            response = self._client.send(call)
        except NEVER_LEFT as fault:
            return RetryLater(RETRY_AFTER_S, f"{self.name} cannot be reached ({type(fault).__name__})")
        except httpx.HTTPError as fault:
            return Uncertain(f"{self.name} gave no answer ({type(fault).__name__})")
        return self._answer(response, values)

    def state(self, request: ReplayRequest, run_id: str | None) -> RunState:
        try:
            found = self._state({**self._values(request), **({STARTED_ID: run_id} if run_id else {})})
        except _Lacking as lacking:
            return RunState("unknown", str(lacking), is_answer=False)
        if self._described.in_place and run_id is None and found.state == "failed":
            told = f"{found.detail}; that may be the failure that was to be replayed"
            return RunState("unknown", told, is_answer=False)
        return found

    def probe(self, operation: str, object_type: str, object_id: str) -> Probe:
        probe = self._described.probe
        if probe is None:
            return Probe("unknown", f"{self.name} has no call that says what stands at the target")
        asked = {"operation": operation, "object_type": object_type, "object_id": object_id}
        try:
            response = self._client.send(self._request(probe, asked | self._given({})))
        except _Lacking as lacking:
            return Probe("unknown", str(lacking))
        except httpx.HTTPError as fault:
            return Probe("unknown", f"{self.name} gave no answer ({type(fault).__name__})")
        body = _body(response)
        evidence = self._said(body, probe.evidence, response)
        fits = response.is_success
        if response.status_code in probe.present_status or (
            fits and probe.present_where and _fits(probe.present_where, body)
        ):
            return Probe("present", evidence, probe.reconciles)
        if response.status_code in probe.absent_status or (
            fits and probe.absent_where and _fits(probe.absent_where, body)
        ):
            return Probe("absent", evidence)
        return Probe("unknown", f"{self.name} answered {response.status_code}: {evidence}"[:DETAIL_MOST])

    def dependency(self, name: str) -> DependencyState:
        return "unknown"

    def close(self) -> None:
        self._client.close()

    def _hindrance(self, request: ReplayRequest, values: Mapping[str, Any]) -> Answer | None:
        """Why the run, as it stands, must not be sent again (now); None if it may."""
        try:
            now = self._state(dict(values))
        except _Lacking as lacking:
            return Refused(str(lacking))
        if now.state in self._described.send_when:
            return None
        if not now.is_answer:
            refused = now.detail.startswith(f"{self.name} refused")
            return Refused(now.detail) if refused else RetryLater(RETRY_AFTER_S, now.detail)
        if now.state == "unknown":
            return Refused(f"{self.name} knows no run {values.get(RUN_ID)}: {now.detail}")
        if now.state == "succeeded":
            return AlreadyThere(f"run {values.get(RUN_ID)} has succeeded: {now.detail}")
        return RetryLater(BUSY_RETRY_S, f"{self.name} itself still works on run {values.get(RUN_ID)}: {now.detail}")

    def _state(self, values: Mapping[str, Any]) -> RunState:
        state = self._described.state
        if state is None:
            return RunState("unknown", f"{self.name} has no call that says what became of it", is_answer=False)
        try:
            response = self._client.send(self._request(state, values))
        except httpx.HTTPError as fault:
            return RunState("unknown", f"{self.name} gave no answer ({type(fault).__name__})", is_answer=False)
        return self._read_state(state, response)

    def _read_state(self, state: State, response: httpx.Response) -> RunState:
        body = _body(response)
        if response.status_code in state.by_status:
            return RunState(state.by_status[response.status_code], f"{self.name} answered {response.status_code}")
        if response.status_code in state.unknown_status or (state.unknown_where and _fits(state.unknown_where, body)):
            return RunState("unknown", self._said(body, None, response))
        if not response.is_success:
            said = self._said(body, None, response)
            verb = "refused" if response.is_client_error else "answered"
            hint = _hint(response.status_code, self._described.auth)
            return RunState("unknown", f"{self.name} {verb} ({response.status_code}): {said}{hint}", is_answer=False)
        words = [word for p in state.pointers if (word := _at(body, p)) is not _NOTHING]
        if not words or str(words[0]) not in state.states:
            shown = f"the state {words[0]!r}" if words else f"nothing at {' or '.join(state.pointers)}"
            return RunState(
                "unknown", self._secrets.scrub(f"{self.name} answered {shown}")[:DETAIL_MOST], is_answer=False
            )
        return RunState(state.states[str(words[0])], f"{self.name} says {words[0]}")

    def _answer(self, response: httpx.Response, values: Mapping[str, Any]) -> Answer:
        body = _body(response)
        for meaning in self._described.submit.answers:
            if (not meaning.status or response.status_code in meaning.status) and _fits(meaning.where, body):
                return self._meant(meaning, response, body, values)
        detail = self._said(body, None, response)
        code = response.status_code
        if code == 429:
            return RetryLater(retry_after_s(response), f"{self.name}: {detail}")
        if response.is_redirect:
            return Refused(
                f"{self.name} sends on to another address ({code}), which is not followed; check the engine's url"
            )
        if response.is_client_error and code not in (408, 409, 425):
            return Refused(f"{self.name} refused ({code}): {detail}{_hint(code, self._described.auth)}")
        return Uncertain(
            f"{self.name} answered {code}, which does not say whether it was taken: {detail}"[:DETAIL_MOST]
        )

    def _meant(self, meaning: Meaning, response: httpx.Response, body: Any, values: Mapping[str, Any]) -> Answer:
        detail = self._said(body, meaning.detail, response)
        code = response.status_code
        match meaning.answer:
            case "accepted":
                return Accepted(_run_id(meaning, body, values))
            case "already_taken":
                return AlreadyTaken(_run_id(meaning, body, values))
            case "already_there":
                return AlreadyThere(detail)
            case "refused":
                return Refused(f"{self.name} refused ({code}): {detail}{_hint(code, self._described.auth)}")
            case "retry_later":
                return RetryLater(retry_after_s(response), f"{self.name}: {detail}")
            case "uncertain":
                return Uncertain(f"{self.name}: {detail}")

    def _values(self, request: ReplayRequest) -> dict[str, Any]:
        """What the templates can be filled with; what is not there is left out."""
        said = self._span_attributes(request.trace_id, request.span_id)
        values = {
            "idempotency_key": request.idempotency_key, "replay_id": request.replay_id, "operation": request.operation,
            "object_type": request.object_type, "object_id": request.object_id, "trace_id": request.trace_id,
            "span_id": request.span_id, "from_step": request.from_step or None,
            "payload_patch": dict(request.payload_patch) if request.payload_patch else None,
            "requested_by": request.requested_by, "reason": request.reason,
            RUN_ID: next((said[a] for a in self._run_id_attributes if said.get(a)), None),
        } | self._given(said)  # fmt: skip
        return {name: value for name, value in values.items() if value is not None}

    def _given(self, said: Mapping[str, str]) -> dict[str, str]:
        given = {}
        for name, parameter in self._described.parameters.items():
            value = next((said[a] for a in parameter.attributes if said.get(a)), parameter.default)
            if value is not None:
                given[name] = value
        return given

    def _request(self, call: Call, values: Mapping[str, Any], **more: Any) -> httpx.Request:
        path = PLACEHOLDER.sub(lambda found: quote(str(self._value(found, values)), safe=""), call.path)
        body = self._filled(call.body, values)
        headers = {name: str(text) for name, text in self._filled(call.headers, values).items()}
        for name, text in headers.items():
            if not text.isprintable() or not text.isascii():
                raise _Lacking(f"the value for header {name} has characters that a header cannot hold")
        content = {} if body is None else {"json": body}
        query = self._filled(call.query, values)
        try:
            return self._client.build_request(call.method, path, params=query, headers=headers, **content, **more)
        except httpx.InvalidURL as fault:
            raise _Lacking(f"the call to {self.name} cannot be made: {fault}") from None

    def _filled(self, template: Any, values: Mapping[str, Any]) -> Any:
        match template:
            case str():
                whole = PLACEHOLDER.fullmatch(template)
                if whole:
                    return self._value(whole, values)
                return PLACEHOLDER.sub(lambda found: str(self._value(found, values)), template)
            case Mapping():
                filled = {name: self._filled(inner, values) for name, inner in template.items()}
                return {name: inner for name, inner in filled.items() if inner is not _NOTHING}
            case list():
                return [inner for inner in (self._filled(i, values) for i in template) if inner is not _NOTHING]
            case _:
                return template

    def _value(self, found: Any, values: Mapping[str, Any]) -> Any:
        name, is_optional = found[1], bool(found[2])
        if name in values:
            return values[name]
        if is_optional:
            return _NOTHING if found[0] == found.string else ""
        if name == STARTED_ID:
            raise _Lacking(f"{self.name} has not said what it started, so it cannot be asked what became of it")
        attributes = self._run_id_attributes if name == RUN_ID else self._described.parameters[name].attributes
        raise _Lacking(
            f"the failed span and its parents have no attribute {' or '.join(attributes)}, "
            f"so {self.name} cannot be told its {name.replace('_', ' ')}"
        )

    def _said(self, body: Any, pointer: str | None, response: httpx.Response) -> str:
        """What the answer says in words, without secrets."""
        found = _at(body, pointer) if pointer else _NOTHING
        if found is _NOTHING and isinstance(body, Mapping):
            found = next(
                (body[n] for n in ("message", "detail", "error", "reason", "Message") if body.get(n)), _NOTHING
            )
        text = str(found) if found is not _NOTHING else response.text or response.reason_phrase
        return self._secrets.scrub(" ".join(text.split()))[:DETAIL_MOST]


def _run_id(meaning: Meaning, body: Any, values: Mapping[str, Any]) -> str | None:
    if meaning.run_id is None:
        return None
    if meaning.run_id.startswith("/"):
        found = _at(body, meaning.run_id)
        return None if found is _NOTHING or found is None else str(found)
    return PLACEHOLDER.sub(lambda name: str(values[name[1]]), meaning.run_id)


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _fits(where: Mapping[str, list[str]], body: Any) -> bool:
    """True if every pointer leads to one of its values, as text; JSON's true is `true`."""
    return all(_text(_at(body, pointer)) in values for pointer, values in where.items())


def _text(value: Any) -> str | None:
    if value is _NOTHING:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _at(body: Any, pointer: str) -> Any:
    """The value that an RFC 6901 pointer leads to, or _NOTHING.

    >>> _at({"Results": [{"Status": "RUNNING"}]}, "/Results/0/Status")
    'RUNNING'
    """
    for step in _steps(pointer):
        if isinstance(body, Mapping) and step in body:
            body = body[step]
        elif isinstance(body, list) and step.isdecimal() and int(step) < len(body):
            body = body[int(step)]
        else:
            return _NOTHING
    return body


def _steps(pointer: str) -> Iterator[str]:
    return (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _hint(code: int, auth: Auth) -> str:
    names = ", ".join(sorted(auth.secrets[1]))
    return f". Check the secrets {names} and what they may do" if code in (401, 403) and names else ""


def _auth(auth: Auth, secrets: Secrets, given: Mapping[str, str]) -> httpx.Auth | None:
    def filled(template: str) -> str:
        return PLACEHOLDER.sub(lambda found: given[found[1]], template)

    match auth.kind:
        case "bearer" if secrets.get("token"):
            return _Header("authorization", f"Bearer {secrets['token']}")
        case "header" if secrets.get("token"):
            return _Header(auth.header, auth.prefix + secrets["token"])
        case "basic" if secrets.get("password"):
            return httpx.BasicAuth(filled(auth.user), secrets["password"])
        case "aws_sigv4":
            from console.replay.aws_signing import AwsSigning

            return AwsSigning(auth.service, filled(auth.region), secrets)
    return None


class _Header(httpx.Auth):
    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._name] = self._value
        yield request
