"""This deployment's settings, read once at start from the environment (`CASHTRAIL_*`) and the command line.

The business is not here but in the catalogue. A fault stops the start and names every problem.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trace_model.errors import PermanentError


class SettingsError(PermanentError):
    """The settings are wrong; the text lists every problem and what to do."""


class Settings(BaseModel):
    """Where the data is, where to listen, who may come in. Frozen.

    `ingest_tokens` are `token` or `source:token`; `logins` are `name:role:token`; both comma-separated in the environment.
    `engine_urls` are `name=url`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: Path = Path("cashtrail.duckdb")
    catalogue: str = "quote_to_cash.yaml"
    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=0, le=65535)
    grpc_port: int = Field(default=4317, ge=0, le=65535)
    ingest_tokens: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    engine_urls: tuple[str, ...] = ()
    public_url: str | None = None
    memory_limit: str = Field(default="4GB", description="what DuckDB may hold in memory; the rest stays on disk")
    threads: int | None = Field(default=None, ge=1)

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")


_LISTS = ("ingest_tokens", "logins", "engine_urls")
_CLIENT = ("CASHTRAIL_API_URL", "CASHTRAIL_API_TOKEN")
"""What `cashtrail replay` reads on its own side; no settings of a server."""


def read(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings: what the command line gives wins over the environment, which wins over the defaults.

    Raises SettingsError naming each wrong or unknown setting.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if name.startswith("CASHTRAIL_") and name not in _CLIENT:
            key = name.removeprefix("CASHTRAIL_").lower()
            values[key] = tuple(part.strip() for part in text.split(",") if part.strip()) if key in _LISTS else text
    values.update({key: value for key, value in given.items() if value is not None})
    try:
        settings = Settings(**values)
    except ValidationError as fault:
        problems = []
        for error in fault.errors():
            name = "CASHTRAIL_" + str(error["loc"][0]).upper()
            known = ", ".join(sorted(Settings.model_fields)) if error["type"] == "extra_forbidden" else ""
            problems.append(f"{name}: {error['msg']}" + (f". Known settings: {known}" if known else ""))
        raise SettingsError("\n".join(problems)) from None
    if not settings.is_loopback and not (settings.ingest_tokens and settings.logins):
        raise SettingsError(
            f"refusing to listen on {settings.host}, which other machines can reach, without both ingest tokens and logins. "
            "Set CASHTRAIL_INGEST_TOKENS=<token> and CASHTRAIL_LOGINS=<name>:<role>:<token>, or listen on 127.0.0.1."
        )
    return settings
