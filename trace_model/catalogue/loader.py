"""Reads a catalogue file and checks it as a whole; every fault is named with file, line and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from trace_model.catalogue import engine_presets, payload_rules
from trace_model.catalogue.alert_rules import cross_references
from trace_model.catalogue.schema import Catalogue
from trace_model.errors import CatalogueError

DEFAULT = "quote_to_cash.yaml"
NODES_MOST = 500_000


def load(path: Path | str | None = None) -> Catalogue:
    """The checked catalogue at `path`, or the shipped quote-to-cash one.

    A bare file name that does not exist beside the caller is looked for among the shipped catalogues.
    Raises CatalogueError with every problem found, as `file, line N: what`; retrying does not help.
    """
    return read(*text_of(path))


def read(name: str, text: str) -> Catalogue:
    """The checked catalogue that `text` says; `name` is what its problems are told under.

    Raises CatalogueError as `load`.
    """
    try:
        document = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise CatalogueError([f"{name}, line {line}: not YAML: {fault.problem}"]) from None
    if not isinstance(document, CommentedMap):
        raise CatalogueError([f"{name}, line 1: a catalogue is a mapping; found {type(document).__name__}"])
    try:
        catalogue = Catalogue.model_validate(_plain(document, [NODES_MOST]))
    except _TooLarge:
        raise CatalogueError(
            [f"{name}, line 1: more than {NODES_MOST:,} values once its aliases are written out; write less by alias"]
        ) from None
    except ValidationError as fault:
        raise CatalogueError([_schema_problem(name, document, error) for error in fault.errors()]) from None
    problems = [f"{name}, line {_line(document, where)}: {what}" for where, what in _cross_references(catalogue)]
    if problems:
        raise CatalogueError(problems)
    return catalogue


def json_schema() -> str:
    """The JSON Schema of a catalogue as text, for editors; shipped beside the catalogue as `catalogue.schema.json`."""
    return json.dumps(Catalogue.model_json_schema(by_alias=True), indent=1, sort_keys=True) + "\n"


def text_of(path: Path | str | None) -> tuple[str, str]:
    """The name and the text of the catalogue at `path`, found as `load` finds it, unchecked. Raises CatalogueError."""
    shipped = files("trace_model.catalogue") / str(path or DEFAULT)
    if path is None or (not Path(path).exists() and Path(path).name == str(path) and shipped.is_file()):
        return shipped.name, shipped.read_text("utf-8")
    try:
        return str(path), Path(path).read_text("utf-8")
    except UnicodeDecodeError as fault:
        raise CatalogueError([f"{path}, byte {fault.start}: not UTF-8 text; save the file as UTF-8"]) from None
    except OSError as fault:
        raise CatalogueError([f"{path}: cannot be read: {fault.strerror}"]) from None


class _TooLarge(Exception):
    """More values than a catalogue can have."""


def _plain(node: Any, left: list[int]) -> Any:
    """`node` as plain values; aliases are written out, so that `left`, how many more values there may be, ends a bomb of them."""
    left[0] -= 1
    if left[0] < 0:
        raise _TooLarge
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value, left) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value, left) for value in node]
    return node


def _line(document: Any, where: tuple[str | int, ...]) -> int:
    """The 1-based line of the deepest part of `where` that the file holds."""
    node, line = document, 1
    for step in where:
        try:
            line = node.lc.key(step)[0] + 1 if isinstance(node, CommentedMap) else node.lc.item(step)[0] + 1
            node = node[step]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return line


def _schema_problem(name: str, document: Any, error: Any) -> str:
    where = tuple(error["loc"])
    dotted = ".".join(str(part) for part in where) or "catalogue"
    what = error["msg"]
    if error["type"] == "extra_forbidden":
        what = "no such key; check the spelling"
    found = error.get("input")
    shown = f" (found {found!r})" if isinstance(found, str | int | float | bool) and error["type"] != "missing" else ""
    return f"{name}, line {_line(document, where)}: {dotted}: {what}{shown}"


def _cross_references(c: Catalogue) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every name that is used is declared, every name declared is declared once."""
    declared = {
        "system": [s.name for s in c.systems],
        "object type": [t.name for t in c.object_types],
        "operation": [o.name for o in c.operations],
        "milestone": [m.name for m in c.milestones],
        "calendar": [k.name for k in c.calendars],
        "promise": [p.name for p in c.promises],
        "pause": [p.name for p in c.pauses],
        "team": [t.name for t in c.teams],
        "engine": [e.name for e in c.engines],
        "poller": [p.name for p in c.pollers],
    }
    sections = dict(
        zip(
            declared,
            (
                "systems",
                "object_types",
                "operations",
                "milestones",
                "calendars",
                "promises",
                "pauses",
                "teams",
                "engines",
                "pollers",
            ),
            strict=True,
        )
    )
    for kind, names in declared.items():
        for index, name in enumerate(names):
            if kind != "promise" and name in names[:index]:
                yield (sections[kind], index, "name"), f"{kind} '{name}' is declared twice"

    def known(
        kind: str, name: str, where: tuple[str | int, ...], user: str
    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
        if name not in declared[kind]:
            names = ", ".join(dict.fromkeys(declared[kind]))
            yield where, f"{user} names {kind} '{name}', which is not declared. Known: {names}."

    for i, s in enumerate(c.systems):
        yield from known("team", s.owner_team, ("systems", i, "owner_team"), f"system '{s.name}'")
    for i, lead in enumerate(c.lead_types):
        yield from known("object type", lead, ("lead_types", i), "lead_types")
    for i, t in enumerate(c.object_types):
        for j, alias in enumerate(t.aliases):
            yield from known("system", alias.system, ("object_types", i, "aliases", j), f"object type '{t.name}'")
        if t.in_logs.quantity:
            where = ("object_types", i, "in_logs", "quantity")
            yield from known("object type", t.in_logs.quantity, where, f"object type '{t.name}'")
    for i, r in enumerate(c.relations):
        for side in ("child", "parent"):
            user = f"relation {r.child} -> {r.parent}"
            yield from known("object type", getattr(r, side), ("relations", i, side), user)
    for i, o in enumerate(c.operations):
        yield from known("object type", o.object, ("operations", i, "object"), f"operation '{o.name}'")
        yield from known("system", o.system, ("operations", i, "system"), f"operation '{o.name}'")
    for i, m in enumerate(c.milestones):
        user = f"milestone '{m.name}'"
        yield from known("object type", m.object, ("milestones", i, "object"), user)
        yield from known("system", m.system, ("milestones", i, "system"), user)
        yield from known("team", m.owner_team, ("milestones", i, "owner_team"), user)
        for j, operation in enumerate(m.operations):
            yield from known("operation", operation, ("milestones", i, "operations", j), user)
        if m.undoes:
            yield from known("milestone", m.undoes, ("milestones", i, "undoes"), user)
        if m.stuck_calendar:
            yield from known("calendar", m.stuck_calendar, ("milestones", i, "stuck_calendar"), user)
    if c.stuck_calendar:
        yield from known("calendar", c.stuck_calendar, ("stuck_calendar",), "stuck_calendar")
    for i, s in enumerate(c.systems):
        if s.silent_calendar:
            yield from known("calendar", s.silent_calendar, ("systems", i, "silent_calendar"), f"system '{s.name}'")
    for i, p in enumerate(c.promises):
        user = f"promise '{p.name}'"
        if p.start != "start":
            yield from known("milestone", p.start, ("promises", i, "start"), user)
        yield from known("milestone", p.stop, ("promises", i, "stop"), user)
        yield from known("calendar", p.calendar, ("promises", i, "calendar"), user)
        yield from known("team", p.owner_team, ("promises", i, "owner_team"), user)
    for i, e in enumerate(c.engines):
        for j, system in enumerate(e.systems):
            yield from known("system", system, ("engines", i, "systems", j), f"engine '{e.name}'")
        if e.kind == "http":
            yield from ((("engines", i), fault) for fault in engine_presets.faults(e))
    yield from _variants(c)
    for i, pause in enumerate(c.pauses):
        user = f"pause '{pause.name}'"
        for side in ("opens", "closes"):
            for kind in ("operation", "milestone"):
                for j, name in enumerate(getattr(getattr(pause, side), f"{kind}s")):
                    yield from known(kind, name, ("pauses", i, side, f"{kind}s", j), user)
        for j, name in enumerate(pause.promises):
            yield from known("promise", name, ("pauses", i, "promises", j), user)
    for i, rule in enumerate(c.owners):
        yield from known("team", rule.team, ("owners", i, "team"), "owners")
    yield from payload_rules.problems(c)
    for i, name in enumerate(c.checks.not_over):
        yield from known("milestone", name, ("checks", "not_over", i), "checks")
        if any(m.name == name and m.covers == "once" for m in c.milestones):
            yield (
                ("checks", "not_over", i),
                f"checks: milestone '{name}' covers 'once'; only amounts and quantities can be over",
            )
    if c.checks.billed_by:
        yield from known("milestone", c.checks.billed_by, ("checks", "billed_by"), "checks")
    for i, identity in enumerate(c.checks.identities):
        yield from known("object type", identity.object, ("checks", "identities", i, "object"), "checks")
    for i, name in enumerate(c.checks.recurring):
        yield from known("object type", name, ("checks", "recurring", i), "checks")
    for column, type_name in c.event_table.objects.items():
        yield from known("object type", type_name, ("event_table", "objects", column), "event_table")
    if c.event_table.case_type:
        yield from known("object type", c.event_table.case_type, ("event_table", "case_type"), "event_table")
    yield from cross_references(
        c.alerts,
        teams=declared["team"],
        systems=declared["system"],
        calendars=declared["calendar"],
        promises=declared["promise"],
    )
    yield from _cycles(c)


def _variants(c: Catalogue) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Variants of one promise go from the same to the same milestone, are told apart, and never tie."""
    closing = {k.name for k in c.calendars if k.month_end_close}
    for i, p in enumerate(c.promises):
        user = f"promise '{p.name}', variant '{p.variant}'"
        if p.due and p.calendar not in closing and p.calendar in {k.name for k in c.calendars}:
            yield (
                ("promises", i, "calendar"),
                f"{user} is due at a month-end close, and calendar '{p.calendar}' has none",
            )
        for other in (q for q in c.promises[:i] if q.name == p.name):
            if other.variant == p.variant:
                yield ("promises", i), f"{user} is declared twice; give each variant a name of its own"
            elif (other.start, other.stop) != (p.start, p.stop):
                yield (
                    ("promises", i),
                    f"{user} goes from {p.start} to {p.stop}, and '{other.variant}' from {other.start} to {other.stop}",
                )
            elif p.ties_with(other):
                yield (
                    ("promises", i),
                    f"{user} ties with '{other.variant}': an order can be promised both, and neither is more specific; "
                    "name one more condition, or let one end before the other begins",
                )


def _cycles(c: Catalogue) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """`part_of` relations must lead somewhere: a type may not be its own ancestor."""
    parents: dict[str, list[str]] = {}
    for r in c.relations:
        if r.kind == "part_of":
            parents.setdefault(r.child, []).append(r.parent)
    for i, r in enumerate(c.relations):
        seen, frontier = set(), [r.parent] if r.kind == "part_of" else []
        while frontier:
            at = frontier.pop()
            if at == r.child:
                yield ("relations", i), f"relation {r.child} -> {r.parent} closes a circle of part_of relations"
                break
            if at not in seen:
                seen.add(at)
                frontier.extend(parents.get(at, []))
