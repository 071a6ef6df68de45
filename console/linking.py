"""What a person ties by hand, and takes back: a link between two objects, as sure as the person who made it.

A link by hand is evidence like any other (source `operator`, confidence 1.00): the timelines follow it at once, a rebuild
keeps it, and taking it back restores what was before (docs/timelines.md). The same for screen and API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from console.access import Principal, Right
from console.deeds import reason_of
from trace_model.errors import Refused, UnknownThing
from trace_model.store import Store
from trace_model.store.actions import Action

LinkDeed = Literal["link", "unlink"]


@dataclass(frozen=True)
class Named:
    """An object by the words people use; `scope` only where a system or legal entity tells two of one id apart."""

    type: str
    id: str
    scope: str | None = None

    def __str__(self) -> str:
        return f"{self.type} '{self.id}'" + (f" of {self.scope}" if self.scope else "")


class Linking:
    """The deeds on links."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def do(self, principal: Principal, deed: LinkDeed, child: Named, parent: Named, reason: str) -> Action:
        """The child is part of the parent, or is no longer so by hand, and every timeline shows it.

        Raises Refused (no right, no reason, no such relation, or one that is there already) or UnknownThing.
        """
        principal.require(Right.TRIAGE)
        why = reason_of(reason)
        below, above = self._found(child), self._found(parent)
        relation = (below["object_type"], above["object_type"], "part_of")
        declared = [(r.child, r.parent, r.kind) for r in self._store.catalogue.relations]
        if relation not in declared:
            known = ", ".join(sorted({r[1] for r in declared if r[0] == relation[0] and r[2] == "part_of"}))
            raise Refused(
                f"the catalogue has no relation that makes {relation[0]} part of {relation[1]}. "
                f"{relation[0]} may be part of: {known or 'nothing'}"
            )
        held = self._store.rows("object_parents", object_key=below["object_key"], as_of=self._store.clock())
        self._check(deed, child, parent, above, held)
        return self._store.tie(
            below["object_key"],
            actor=principal.name,
            deed=deed,
            subject_id=f"{_told(below)} in {_told(above)}",
            reason=why,
            detail={"child": _fact(below), "parent": _fact(above), "before": held},
        )

    def _check(self, deed: str, child: Named, parent: Named, above: dict[str, Any], held: list[dict[str, Any]]) -> None:
        by_hand = [k for k in held if k["parent_key"] == above["object_key"] and k["by_hand"]]
        if deed == "unlink":
            if not by_hand:
                raise Refused(f"nobody tied {child} to {parent} by hand; what systems say cannot be taken back here")
            return
        if any(k["parent_key"] == above["object_key"] for k in held if k["confidence"] == 1):
            raise Refused(f"{child} is part of {parent} already")
        said = [k for k in held if k["source"] == "explicit" and k["parent_type"] == above["object_type"]]
        if said:
            raise Refused(
                f"a system says that {child} is part of {said[0]['parent_type']} '{said[0]['parent_id']}'. "
                "Correct it there: a link by hand stands beside what is said, not above it"
            )

    def _found(self, wanted: Named) -> dict[str, Any]:
        rows = self._store.rows(
            "objects_named", type=wanted.type, id=wanted.id, scope=wanted.scope, as_of=self._store.clock()
        )
        if not rows:
            raise UnknownThing(f"no {wanted} is known")
        if len(rows) > 1:
            scopes = ", ".join(f"'{row['scope']}'" for row in rows)
            raise Refused(f"{wanted} is {len(rows)} objects; name one by its scope: {scopes}")
        return rows[0]


def _told(row: dict[str, Any]) -> str:
    scope = f"@{row['scope']}" if row["scope"] else ""
    return f"{row['object_type']} {row['object_id']}{scope}"


def _fact(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": row["object_type"],
        "id": row["object_id"],
        "scope": row["scope"],
        "key": str(row["object_key"]),
    }
