"""Payload patches of a replay: RFC 7396 merge patches, checked before anything is planned. Pure.

The original payload is never changed; the patch is kept with the plan and covered by its hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from trace_model.catalogue.schema import Operation
from trace_model.errors import Refused


def check(patch: Mapping[str, Any], operation: Operation) -> None:
    """The patch may be sent to `operation`. Raises Refused naming the path, what was found and what is allowed.

    Where the operation declares no schema only its locked fields are checked; the object's own id is always locked.
    """
    if not patch:
        raise Refused("the patch is empty; leave it out, or name what to change")
    refuse_locked(patch, [operation.object, "id", *operation.locked], operation.name)
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
        said = "; ".join(f"{e.json_path.removeprefix('$.')}: {e.message}" for e in problems[:5])
        raise Refused(f"the patch does not fit what {operation.name} takes: {said}")


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
    paths: list[str] = []
    for name, value in patch.items():
        path = f"{above}{name}"
        paths += patched_paths(value, f"{path}.") if isinstance(value, Mapping) and value else [path]
    return paths


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
