"""Which adapter speaks at an address: the one table from kinds of engine to adapters.

An adapter's library is an extra of the package and imported only where the catalogue has such an engine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from console.replay.credentials import Secrets
from console.replay.engine import Engine, SpanAttributes
from console.replay.http_contract import HttpContract
from console.replay.http_described import HttpDescribed
from console.replay.n8n import N8n
from trace_model.catalogue import engine_schema
from trace_model.errors import PermanentError

_EXTRAS = {"botocore": "aws"}
"""Packages whose extra is not called like the kind of engine that needs them."""

Maker = Callable[[engine_schema.Engine, str, Secrets, SpanAttributes], Engine]


def make(
    entry: engine_schema.Engine,
    url: str,
    span_attributes: SpanAttributes,
    environment: Mapping[str, str] = os.environ,
) -> Engine:
    """The engine at `url`. Raises PermanentError naming what its kind speaks, the variable or the extra that is missing."""
    try:
        engine_schema.check_address(entry.name, entry.kind, url)
    except ValueError as fault:
        raise PermanentError(str(fault)) from None
    try:
        return _MAKERS[entry.kind](entry, url, Secrets.of(entry, environment), span_attributes)
    except ModuleNotFoundError as fault:
        package = (fault.name or "").partition(".")[0]
        raise PermanentError(
            f"engine '{entry.name}' of kind '{entry.kind}' needs the package '{package}'. "
            f"Install it with: pip install 'cashtrail[{_EXTRAS.get(package, entry.kind)}]'"
        ) from None


def _contract(entry: engine_schema.Engine, url: str, secrets: Secrets, span_attributes: SpanAttributes) -> Engine:
    return HttpContract(entry.name, url)


def _dbos(entry: engine_schema.Engine, url: str, secrets: Secrets, span_attributes: SpanAttributes) -> Engine:
    from console.replay.dbos_transact import DbosTransact

    return DbosTransact(entry, url, secrets, span_attributes)


def _rabbitmq(entry: engine_schema.Engine, url: str, secrets: Secrets, span_attributes: SpanAttributes) -> Engine:
    from console.replay.rabbitmq import DeadLetters

    return DeadLetters(entry, url, secrets, span_attributes)


def _n8n(entry: engine_schema.Engine, url: str, secrets: Secrets, span_attributes: SpanAttributes) -> Engine:
    return N8n(entry, url, secrets, span_attributes)


def _http(entry: engine_schema.Engine, url: str, secrets: Secrets, span_attributes: SpanAttributes) -> Engine:
    return HttpDescribed(entry, url, secrets, span_attributes)


_MAKERS: dict[engine_schema.EngineKind, Maker] = {
    "contract": _contract, "dbos": _dbos, "rabbitmq": _rabbitmq, "n8n": _n8n, "http": _http,
}  # fmt: skip
