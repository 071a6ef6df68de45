"""Which adapter speaks at an address: the one table from schemes to adapters."""

from __future__ import annotations

from console.replay.engine import Engine
from console.replay.http_contract import HttpContract
from trace_model.errors import PermanentError


def make(name: str, url: str) -> Engine:
    """The engine at `url`. Raises PermanentError naming the schemes there are."""
    scheme = url.partition("://")[0]
    if scheme in ("http", "https"):
        return HttpContract(name, url)
    raise PermanentError(f"engine '{name}' has the address '{url}'. Known schemes: http, https")
