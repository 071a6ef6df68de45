"""The secrets of an engine: read from the environment once, never shown.

An error of a library may quote the address or header that it was given, so whatever an adapter tells goes through `scrub`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from urllib.parse import quote

from trace_model.catalogue.engine_schema import Engine
from trace_model.errors import PermanentError

HIDDEN = "***"


class Secrets:
    """The values of an engine's secrets by name.

    >>> Secrets({"token": "s3cret"}).scrub("refused: Bearer s3cret")
    'refused: Bearer ***'
    >>> Secrets({"token": "s3cret"})
    Secrets(token)
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        told = {form for value in self._values.values() for form in _forms(value)}
        self._told = sorted(told, key=len, reverse=True)

    @classmethod
    def of(cls, engine: Engine, environment: Mapping[str, str] = os.environ) -> Secrets:
        """Raises PermanentError naming the variables that are not set."""
        unset = sorted(variable for variable in engine.secrets.values() if not environment.get(variable))
        if unset:
            raise PermanentError(
                f"engine '{engine.name}' needs the environment variable{'s' * (len(unset) > 1)} {', '.join(unset)}, "
                "as the catalogue's `secrets` name them. Set them, or leave the engine without an address"
            )
        return cls({name: environment[variable] for name, variable in engine.secrets.items()})

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def get(self, name: str) -> str | None:
        return self._values.get(name)

    def adding(self, name: str, value: str | None) -> Secrets:
        """These and one more, unless it is None."""
        return self if value is None else Secrets(self._values | {name: value})

    def scrub(self, text: str) -> str:
        for form in self._told:
            text = text.replace(form, HIDDEN)
        return text

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"


def _forms(value: str) -> set[str]:
    """A secret as it may be quoted: plain, percent-encoded, in base64. Nothing of an empty one."""
    if not value:
        return set()
    return {value, quote(value, safe=""), base64.b64encode(value.encode()).decode()}
