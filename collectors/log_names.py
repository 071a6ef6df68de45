"""What a log's names mean in a catalogue: type names to object types, event types to operations and milestones.

A name is the catalogue's when it is equal, and also when it differs only in case, spaces, punctuation or a plural `s`:
each such reading is reported. Pure.
"""

from __future__ import annotations

from typing import TypeVar

from collectors.event_log import LogReport, folded
from trace_model.catalogue.schema import Catalogue, Milestone, ObjectType, Operation, Relation

T = TypeVar("T")


class LogNames:
    """The catalogue's names, as one log writes them. What had to be folded goes into the report once a name."""

    def __init__(self, catalogue: Catalogue, report: LogReport) -> None:
        self._report = report
        self._types: dict[str, ObjectType] = {}
        for t in catalogue.object_types:
            self._types |= dict.fromkeys(t.in_logs.names, t)
        for t in catalogue.object_types:
            self._types.setdefault(t.name, t)
        for t in (each for each in catalogue.object_types if each.label):
            self._types.setdefault(t.label, t)
        self._operations: dict[str, Operation] = {o.name: o for o in catalogue.operations}
        for o in (each for each in catalogue.operations if each.label):
            self._operations.setdefault(o.label, o)
        self._milestones: dict[str, Milestone] = {m.name: m for m in catalogue.milestones}
        for m in (each for each in catalogue.milestones if each.label):
            self._milestones.setdefault(m.label, m)
        self._folded_types = _by_folded(self._types)
        self._folded_operations = _by_folded(self._operations)
        self._folded_milestones = _by_folded(self._milestones)
        self._relations = catalogue.relations
        self._seen_types: dict[str, ObjectType | None] = {}
        self._seen_events: dict[str, tuple[Operation | None, Milestone | None]] = {}

    def object_type(self, name: str) -> ObjectType | None:
        """The catalogue's type for a type name of the log, or None."""
        if name not in self._seen_types:
            found = self._types.get(name) or _plural(name, self._folded_types)
            self._tell(name, found.name if found else None, name in self._types)
            self._seen_types[name] = found
        return self._seen_types[name]

    def event_type(self, name: str) -> tuple[Operation | None, Milestone | None]:
        """The operation that an event type is, else the milestone that it names; (None, None) for neither."""
        if name not in self._seen_events:
            operation = self._operations.get(name) or self._folded_operations.get(folded(name))
            milestone = None if operation else self._milestones.get(name) or self._folded_milestones.get(folded(name))
            found = operation or milestone
            self._tell(name, found.name if found else None, name in self._operations or name in self._milestones)
            self._seen_events[name] = (operation, milestone)
        return self._seen_events[name]

    def relation(self, source: ObjectType, target: ObjectType, qualifier: str) -> tuple[Relation, bool] | None:
        """The declared relation that ties two types, and whether the source is the child; None where none is declared.

        Where several are, the one of the kind that the qualifier names, else the first.
        """
        found = [
            (relation, (relation.child, relation.parent) == (source.name, target.name))
            for relation in self._relations
            if {(relation.child, relation.parent)} & {(source.name, target.name), (target.name, source.name)}
        ]
        return next((pair for pair in found if pair[0].kind == folded(qualifier)), found[0] if found else None)

    @property
    def knows_nothing(self) -> bool:
        """Whether names were asked for, and not one of them is the catalogue's."""
        meanings = [
            *self._seen_types.values(),
            *(operation or milestone for operation, milestone in self._seen_events.values()),
        ]
        return bool(meanings) and not any(meanings)

    def _tell(self, name: str, meant: str | None, is_exact: bool) -> None:
        if name != name.strip():
            self._report.found("outer_spaces", f"type {name!r}")
        if meant is not None and not is_exact and name.strip() != meant:
            self._report.found("folded_name", f"{name!r} as {meant!r}")


def _by_folded(names: dict[str, T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, meant in names.items():
        if key := folded(name):
            found.setdefault(key, meant)
    return found


def _plural(name: str, known: dict[str, T]) -> T | None:
    key = folded(name)
    return known.get(key) or known.get(key.removesuffix("s")) or known.get(f"{key}s")
