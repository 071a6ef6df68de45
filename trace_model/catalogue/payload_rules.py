"""What travels with an order: at which hops its payload is looked at, and which fields must say the same (docs/checks.md).

Hops are declared in the order of the flow. A hop's payload is compared with that of the hop before it; a field that a hop
does not name is not compared there.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from trace_model.catalogue.schema import Catalogue

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


class PayloadField(BaseModel):
    """A field of the canonical order. `number` allows a difference of `tolerance`; `text` ignores case and outer blanks."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: _Name
    label: str
    compare: Literal["number", "text"] = "text"
    tolerance: Decimal = Field(default=Decimal("0"), ge=0)


class PayloadHop(BaseModel):
    """Where a payload is sent: by `operations`, each field at a dotted path of it.

    `parts`: the document may stand for a part of the one before (an invoice of an order), so that its numbers may be
    less, not more. `values` says what a value of this system means: `terms: {Z030: NET30}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: _Name
    label: str
    operations: list[str] = Field(min_length=1)
    fields: dict[str, str] = Field(min_length=1)
    parts: bool = False
    values: dict[str, dict[str, str]] = {}


class Payloads(BaseModel):
    """The fields and hops of payloads; none declared: payloads are shown and not compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    fields: list[PayloadField] = []
    hops: list[PayloadHop] = []

    @property
    def paths(self) -> list[str]:
        """Every JSON path that a hop reads, each once."""
        return list(dict.fromkeys(json_path(path) for hop in self.hops for path in hop.fields.values()))


def json_path(dotted: str) -> str:
    """The JSON path of a dotted one.

    >>> json_path("header.net amount")
    '$."header"."net amount"'
    """
    return "$" + "".join(f'."{step}"' for step in dotted.split("."))


def problems(c: Catalogue) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every name that the hops use and that is not declared, with where it stands in the catalogue."""
    fields = [f.name for f in c.payloads.fields]
    operations = [o.name for o in c.operations]
    taken: set[str] = set()
    for i, name in enumerate(fields):
        if name in fields[:i]:
            yield ("payloads", "fields", i, "name"), f"payload field '{name}' is declared twice"
    for i, hop in enumerate(c.payloads.hops):
        where = ("payloads", "hops", i)
        if hop.name in [h.name for h in c.payloads.hops[:i]]:
            yield (*where, "name"), f"payload hop '{hop.name}' is declared twice"
        for j, operation in enumerate(hop.operations):
            if operation not in operations:
                known = ", ".join(operations)
                yield (
                    (*where, "operations", j),
                    f"hop '{hop.name}' names operation '{operation}', which is not declared. Known: {known}.",
                )
            if operation in taken:
                yield (*where, "operations", j), f"operation '{operation}' is two hops; its payload can be one only"
            taken.add(operation)
        for key, named in (("fields", hop.fields), ("values", hop.values)):
            for name in named:
                if name not in fields:
                    known = ", ".join(fields)
                    yield (
                        (*where, key, name),
                        f"hop '{hop.name}' names payload field '{name}', which is not declared. Known: {known}.",
                    )
        for name, path in hop.fields.items():
            if '"' in path or not all(path.split(".")):
                yield (*where, "fields", name), f"hop '{hop.name}': '{path}' is no dotted path"
