"""How the catalogue describes the engines that replays are asked of: what speaks there, and where its ids come from.

Secrets never stand here: `secrets` names environment variables. Presets of HTTP engines lie beside this file, in
`engine_presets/`; `http_engine_schema.py` has their shape. Nothing here reads a file or the environment.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trace_model.catalogue.http_engine_schema import HttpEngine

EngineKind = Literal["contract", "dbos", "rabbitmq", "n8n", "http"]
EngineName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
AttributeName = Annotated[str, Field(min_length=1, max_length=200)]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=128)]

SCHEMES: dict[EngineKind, tuple[str, ...]] = {
    "contract": ("http", "https"),
    "dbos": ("postgresql", "sqlite"),
    "rabbitmq": ("amqp", "amqps"),
    "n8n": ("http", "https"),
    "http": ("http", "https"),
}
"""The address schemes that each kind of engine can be reached by."""

RUN_ID: dict[EngineKind, tuple[str, ...]] = {
    "contract": (),
    "dbos": ("dbos.operation.workflow_id", "operationUUID"),
    "rabbitmq": ("messaging.message.id",),
    "n8n": ("n8n.execution.id", "execution.id"),
    "http": (),
}
"""Where the id that an engine knows the failed thing by stands on its spans, if the catalogue does not say."""

NEEDED_SECRETS: dict[EngineKind, frozenset[str]] = {
    "contract": frozenset(),
    "dbos": frozenset(),
    "rabbitmq": frozenset(),
    "n8n": frozenset({"api_key"}),
    "http": frozenset(),
}
"""The secrets without which a kind of engine cannot be asked."""

OPTIONAL_SECRETS: dict[EngineKind, frozenset[str]] = {
    "contract": frozenset(),
    "dbos": frozenset({"password"}),
    "rabbitmq": frozenset({"password"}),
    "n8n": frozenset(),
    "http": frozenset(),
}


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dbos(Part):
    """How workflows are forked. Without `application_version` a fork runs on the newest version that has a worker."""

    application_version: str | None = None
    queue: str | None = Field(default=None, description="the queue that forks wait in; none: DBOS's own")
    system_schema: str = "dbos"


class RabbitMq(Part):
    """Where dead letters lie, and which of their fields the failed span's id is compared with.

    A dead letter goes `to` the exchange and routing key that `x-death` says it first came by, or straight to the queue that
    it died in, where other queues that the exchange feeds have had it; `exchange` and `routing_key` say it instead.
    At most `search_most` messages of a queue are looked through.
    """

    dead_letter_queues: list[str] = Field(min_length=1)
    match: str = Field(default="message_id", pattern=r"^(message_id|correlation_id|header:.+)$")
    to: Literal["original_exchange", "failed_queue"] = "original_exchange"
    exchange: str | None = None
    routing_key: str | None = None
    search_most: int = Field(default=10_000, ge=1, le=1_000_000)


class N8nSettings(Part):
    """How executions are retried: with the workflow as it is now if `load_workflow`, else as it was when they failed."""

    load_workflow: bool = False


class Engine(Part):
    """A sync engine that can be asked to replay; `url` may come from the environment at serve time.

    `run_id` names the span attributes that hold the engine's own id of what failed, most preferred first; they are looked
    for on the failed span, then on its parents. `secrets` names the environment variable of each secret. An `http` engine
    is a shipped `preset`, or described under `http`; `with` fills the parameters of either.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: EngineName
    label: str
    kind: EngineKind = "contract"
    url: str | None = None
    systems: list[EngineName] = []
    run_id: list[AttributeName] = Field(default=[], max_length=4)
    secrets: dict[str, Variable] = {}
    dbos: Dbos | None = None
    rabbitmq: RabbitMq | None = None
    n8n: N8nSettings | None = None
    preset: str | None = None
    given: dict[str, str] = Field(default={}, alias="with", description="values of the parameters of preset or http")
    http: HttpEngine | None = None

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Engine:
        for section in ("dbos", "rabbitmq", "n8n"):
            if getattr(self, section) is not None and section != self.kind:
                raise ValueError(f"engine '{self.name}' is of kind '{self.kind}' and has a section '{section}'")
        for section in ("preset", "http", "given"):
            if getattr(self, section) and self.kind != "http":
                said = "with" if section == "given" else section
                raise ValueError(f"engine '{self.name}' is of kind '{self.kind}' and says '{said}'")
        if self.kind == "http" and (self.preset is None) == (self.http is None):
            raise ValueError(f"engine '{self.name}' needs a preset, or a description under http, and not both")
        if self.kind == "rabbitmq" and self.rabbitmq is None:
            raise ValueError(f"engine '{self.name}' needs a section 'rabbitmq' with its dead_letter_queues")
        if self.url:
            check_address(self.name, self.kind, self.url)
            if urlsplit(self.url).password:
                raise ValueError(
                    f"engine '{self.name}' has a password in its url. Name its environment variable in "
                    "secrets: {password: ...}, or give the whole address in CASHTRAIL_ENGINE_URLS"
                )
        self._check_secrets()
        return self

    def _check_secrets(self) -> None:
        needed, known = self.known_secrets()
        for name, variable in self.secrets.items():
            if name not in known and self.kind != "http":
                raise ValueError(
                    f"engine '{self.name}' has no use for a secret '{name}'. Known: {', '.join(sorted(known)) or 'none'}"
                )
            if variable.startswith("CASHTRAIL_"):
                raise ValueError(
                    f"secret '{name}' of engine '{self.name}': CASHTRAIL_* are settings; name another variable"
                )
        missing = needed - set(self.secrets)
        if missing:
            names = ", ".join(f"{name}: VARIABLE" for name in sorted(missing))
            raise ValueError(f"engine '{self.name}' of kind '{self.kind}' needs secrets: {{{names}}}")

    def known_secrets(self) -> tuple[frozenset[str], frozenset[str]]:
        """The secrets that this engine needs, and all that it has a use for."""
        needed = NEEDED_SECRETS[self.kind]
        return needed, needed | OPTIONAL_SECRETS[self.kind]

    @property
    def run_id_attributes(self) -> tuple[str, ...]:
        return tuple(self.run_id) or RUN_ID[self.kind]


def check_address(name: str, kind: EngineKind, url: str) -> None:
    """Raises ValueError unless `url` has a scheme that engines of `kind` speak, and a host where it needs one."""
    scheme = re.split(r"[+:]", url, maxsplit=1)[0] if "://" in url else ""
    if scheme not in SCHEMES[kind]:
        shown = re.sub(r"//[^@/]*@", "//***@", url)
        raise ValueError(
            f"engine '{name}' of kind '{kind}' has the address '{shown}'. Known schemes: {', '.join(SCHEMES[kind])}"
        )
    if scheme != "sqlite" and not _host(url):
        raise ValueError(f"engine '{name}' has an address without a host: {scheme}://<host>...")


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.port != 0 else None
    except ValueError:
        return None
