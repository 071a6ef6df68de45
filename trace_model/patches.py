"""Payload patches of a replay: RFC 7396 merge patches, checked before anything is planned. Pure.

The original payload is never changed; the patch is kept with the plan and covered by its hash. A value of a patch may be
looked up for each item instead of written down: `{"$from": {"object": "customer", "field": "tax_id"}}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from trace_model.catalogue.schema import Operation
from trace_model.errors import Refused


def check(patch: Mapping[str, Any], operation: Operation) -> None:
    """The patch may be sent to `operation`. Raises Refused naming the path, what was found and what is allowed.

    Where the operation declares no schema only its locked fields are checked; the object's own id is always locked.
    """
    if not patch:
        raise Refused("the patch is empty; leave it out, or name what to change")
    refuse_locked(patch, locked_of(operation), operation.name)
    if operation.payload_schema is None:
        return
    try:
        Draft202012Validator.check_schema(operation.payload_schema)
    except SchemaError as fault:
        raise Refused(f"the catalogue's schema of {operation.name} is no JSON Schema: {fault.message}") from fault
    problems = sorted(
        Draft202012Validator(relaxed(operation.payload_schema)).iter_errors(patch), key=lambda e: e.json_path
    )
    if problems:
        said = "; ".join(f"{e.json_path.removeprefix('$.')}: {_told(e)}" for e in problems[:5])
        raise Refused(f"the patch does not fit what {operation.name} takes: {said}")


def _told(fault: ValidationError) -> str:
    """What the field's own schema finds wrong, not that null would have been right as well."""
    return fault.context[0].message if fault.validator == "anyOf" and fault.context else fault.message


def locked_of(operation: Operation) -> list[str]:
    """The dotted paths that nobody may change; the object's own id is always among them."""
    return [operation.object, "id", *operation.locked]


FROM = "$from"
VALUES_MOST = 10_000


@dataclass(frozen=True)
class Source:
    """A value that each item looks up by its own object of type `object`: in `values` (object id to value), or what a
    success last told of that object in `field` (a span attribute, or a dotted path of the payload)."""

    object: str
    field: str | None = None
    values: Mapping[str, Any] | None = None


def sources(patch: Mapping[str, Any], object_types: Sequence[str]) -> dict[str, Source]:
    """The values of a patch that are looked up, by dotted path. Raises Refused for one that cannot be understood.

    >>> sources({"ship_to": {"tax_id": {"$from": {"object": "customer", "field": "tax_id"}}}, "po": 7}, ["customer"])
    {'ship_to.tax_id': Source(object='customer', field='tax_id', values=None)}
    """
    found: dict[str, Source] = {}
    for path, value in _leaves(patch):
        if isinstance(value, Mapping) and FROM in value:
            found[path] = _source(path, value, object_types)
    return found


def _source(path: str, value: Mapping[str, Any], object_types: Sequence[str]) -> Source:
    said = value[FROM]
    shape = f'\'{path}\': write {{"{FROM}": {{"object": TYPE, "field": NAME}}}}, or "values": {{ID: VALUE}} instead of the field'
    if set(value) != {FROM} or not isinstance(said, Mapping) or not set(said) <= {"object", "field", "values"}:
        raise Refused(shape)
    kind, field, values = said.get("object"), said.get("field"), said.get("values")
    if kind not in object_types:
        raise Refused(
            f"'{path}' looks a value up by '{kind}', which is no object type. Known: {', '.join(object_types)}"
        )
    if (field is None) == (values is None):
        raise Refused(shape)
    if field is not None and not (isinstance(field, str) and 0 < len(field) <= 200 and '"' not in field):
        raise Refused(f"{shape}; the field is a name, found {field!r}")
    if values is not None and not (isinstance(values, Mapping) and 0 < len(values) <= VALUES_MOST):
        raise Refused(f"{shape}; the values are an object of 1 to {VALUES_MOST:,} ids")
    return Source(str(kind), field, values)


def filled(patch: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The patch of one item: each looked-up value in its place.

    >>> filled({"a": {"b": {"$from": {}}}, "c": 1}, {"a.b": "DE1"})
    {'a': {'b': 'DE1'}, 'c': 1}
    """

    def part(node: Mapping[str, Any], above: str) -> dict[str, Any]:
        return {
            name: values[f"{above}{name}"]
            if f"{above}{name}" in values
            else part(value, f"{above}{name}.")
            if isinstance(value, Mapping)
            else value
            for name, value in node.items()
        }

    return part(patch, "")


def differences(original: Mapping[str, Any] | None, patch: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What a patch changes, as (path, before, after), in the patch's order; before is None where nothing is known.

    >>> differences({"po": None, "tax": {"id": "X", "code": "A"}}, {"po": "7", "tax": {"id": "DE1", "code": None}})
    [('po', None, '7'), ('tax.id', 'X', 'DE1'), ('tax.code', 'A', None)]
    """
    after = merge_patch(original or {}, patch)
    return [(path, at(original, path), at(after, path)) for path in patched_paths(patch)]


def at(document: Any, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _leaves(patch: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for name, value in patch.items():
        if isinstance(value, Mapping) and value and FROM not in value:
            leaves += _leaves(value, f"{above}{name}.")
        else:
            leaves.append((f"{above}{name}", value))
    return leaves


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: null removes, objects merge, all else replaces. `target` is left as it was.

    >>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def patched_paths(patch: Mapping[str, Any], above: str = "") -> list[str]:
    """The leaves a patch touches, dotted.

    >>> patched_paths({"tax": {"code": "A", "rate": None}, "po": 7})
    ['tax.code', 'tax.rate', 'po']
    """
    return [path for path, _ in _leaves(patch, above)]


def refuse_locked(patch: Mapping[str, Any], locked: Sequence[str], operation: str) -> None:
    """Raises Refused if the patch touches a locked field, or anything above or below one."""
    for path in patched_paths(patch):
        for lock in locked:
            if path == lock or path.startswith(f"{lock}.") or lock.startswith(f"{path}."):
                raise Refused(f"the patch changes '{path}', but {operation} locks '{lock}'; take it out of the patch")


def relaxed(schema: Any) -> Any:
    """The JSON Schema that a merge patch of a document must meet by itself: nothing is required, and what is not may be null.

    >>> relaxed({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}})
    {'type': 'object', 'properties': {'a': {'type': 'string'}, 'b': {'anyOf': [{'type': 'string'}, {'type': 'null'}]}}}
    """
    if not isinstance(schema, Mapping):
        return schema
    required = set(schema.get("required", ()))
    eased = {
        key: value for key, value in schema.items() if key not in ("required", "minProperties", "dependentRequired")
    }
    if "properties" in schema:
        eased["properties"] = {
            name: relaxed(part) if name in required else {"anyOf": [relaxed(part), {"type": "null"}]}
            for name, part in schema["properties"].items()
        }
    return eased
