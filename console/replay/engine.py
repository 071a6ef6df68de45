"""What a sync engine must be able to do to be asked for a replay: the small protocol, its answers, and the known engines.

An adapter is one file that turns these calls into an engine's own language. It never raises for what the network or the engine
does: every way a call can end is an answer below, so that the dispatcher decides by type and nothing is sent on a guess.
What an engine knows the failed thing by (a workflow, an execution, a message) is what its spans say: `SpanAttributes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from trace_model.catalogue.schema import Catalogue
from trace_model.errors import PermanentError

DETAIL_MOST = 500
"""The most characters of an engine's own words that an answer carries."""

DependencyState = Literal["up", "down", "degraded", "unknown"]

SpanAttributes = Callable[[str, str], Mapping[str, str]]
"""Of a trace and span id (hex): the attributes of that span and, where it lacks one, of its nearest parent that has it."""


@dataclass(frozen=True)
class ReplayRequest:
    """One replay as asked of an engine (contract section 5)."""

    idempotency_key: str
    replay_id: str
    operation: str
    object_type: str
    object_id: str
    trace_id: str
    span_id: str
    from_step: str | None
    payload_patch: Mapping[str, Any] | None
    requested_by: str
    reason: str

    def body(self, *, dry_run: bool = False) -> dict[str, Any]:
        return {
            "replay_id": self.replay_id,
            "operation": self.operation,
            "object": {"type": self.object_type, "id": self.object_id},
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "from_step": self.from_step,
            "payload_patch": self.payload_patch,
            "requested_by": self.requested_by,
            "reason": self.reason,
            "dry_run": dry_run,
        }


@dataclass(frozen=True)
class Accepted:
    """Taken on. Not proof of anything: the traces are."""

    run_id: str | None


@dataclass(frozen=True)
class AlreadyTaken:
    """This key was taken before; nothing was started twice."""

    run_id: str | None


@dataclass(frozen=True)
class AlreadyThere:
    """The target has it; nothing was sent there."""

    detail: str


@dataclass(frozen=True)
class Refused:
    """Understood and not taken; the same request will be refused again."""

    reason: str


@dataclass(frozen=True)
class RetryLater:
    """Surely not taken; the same request may be taken after `after_s` seconds."""

    after_s: float
    detail: str


@dataclass(frozen=True)
class Uncertain:
    """It may have been taken. Only a probe, the engine's state or a trace may settle it."""

    detail: str


Answer = Accepted | AlreadyTaken | AlreadyThere | Refused | RetryLater | Uncertain


@dataclass(frozen=True)
class RunState:
    """What the engine says of one replay; `unknown` also where it could not be asked (`is_answer` False)."""

    state: Literal["accepted", "running", "succeeded", "failed", "unknown"]
    detail: str = ""
    is_answer: bool = True


@dataclass(frozen=True)
class Probe:
    """Whether the target has it. `reconciles`: told to replay a thing that is there, the engine carries its flow on and sends nothing."""

    state: Literal["absent", "present", "unknown"]
    evidence: str = ""
    reconciles: bool = False


class Engine(Protocol):
    """A sync engine. Threads may call at once. `keeps_keys`: the same key never starts a second run. `can_probe`: it answers `probe`.

    `settles_by_key`: its own durable record is looked up by the key, so that when `state` answers that it knows nothing of a
    call, that call has not been taken, and the same key may go out again even where the target cannot be probed. Without a
    `from_step` its `submit` starts nothing while an earlier replay of the same thing runs, or has succeeded.
    """

    @property
    def name(self) -> str: ...
    @property
    def keeps_keys(self) -> bool: ...
    @property
    def can_probe(self) -> bool: ...
    @property
    def settles_by_key(self) -> bool: ...

    def submit(self, request: ReplayRequest) -> Answer:
        """Asks for the replay, once."""
        ...

    def state(self, request: ReplayRequest, run_id: str | None) -> RunState:
        """What became of `request`; `run_id` is what `submit` answered with, None if its answer was never heard."""
        ...

    def probe(self, operation: str, object_type: str, object_id: str) -> Probe: ...

    def dependency(self, name: str) -> DependencyState: ...

    def close(self) -> None: ...


class Engines:
    """The engines of this deployment, found by the system that an operation is to reach."""

    def __init__(self, engines: Iterable[tuple[Engine, Iterable[str]]] = ()) -> None:
        self._all = [(engine, frozenset(systems)) for engine, systems in engines]

    @classmethod
    def of(
        cls, catalogue: Catalogue, urls: Mapping[str, str], span_attributes: SpanAttributes = lambda trace, span: {}
    ) -> Engines:
        """The catalogue's engines that have an address; `urls` (name to address) wins over the catalogue's.

        The engine's `kind` says what speaks there (`makers.py`).
        Raises PermanentError for an address of an engine that the catalogue does not name, a scheme that its kind does not
        speak, a secret whose variable is not set, or an extra that is not installed.
        """
        from console.replay.makers import make

        known = {e.name: e for e in catalogue.engines}
        for name in urls:
            if name not in known:
                raise PermanentError(
                    f"CASHTRAIL_ENGINE_URLS names engine '{name}', which the catalogue does not declare. "
                    f"Known: {', '.join(known) or 'none'}"
                )
        addressed = [(e, urls.get(e.name) or e.url) for e in catalogue.engines]
        return cls([(make(e, url, span_attributes), e.systems) for e, url in addressed if url])

    def __bool__(self) -> bool:
        """True where there is an engine to ask."""
        return bool(self._all)

    def by_name(self, name: str | None) -> Engine | None:
        return next((engine for engine, _ in self._all if engine.name == name), None)

    def for_system(self, system: str | None) -> Engine | None:
        """The first engine that serves `system`, by name or because it names none; None if there is none."""
        own = next((engine for engine, systems in self._all if system in systems), None)
        return own or next((engine for engine, systems in self._all if not systems), None)

    def close(self) -> None:
        for engine, _ in self._all:
            engine.close()
