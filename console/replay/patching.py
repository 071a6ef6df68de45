"""What a patch changes in each item: checked against catalogue and role, its looked-up values found, before anything is planned.

A fault of the patch itself is refused as a whole. A value that is not to be found for one item skips that item alone, by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from console.access import Principal, Right
from trace_model import patches
from trace_model.catalogue.schema import Catalogue, Operation
from trace_model.errors import Forbidden, Refused
from trace_model.patches import Source
from trace_model.replay_freezing import canonical
from trace_model.replays import Candidate, ReplayLimits
from trace_model.store import Store

HIDDEN = "hidden from your role"
REDACTED = "[redacted"
"""How a value begins that the door has taken out: it may be shown, never sent."""


def patched(
    store: Store, limits: ReplayLimits, principal: Principal, found: Sequence[Candidate], patch: Mapping[str, Any]
) -> list[Candidate]:
    """The candidates with their own patch each, or with why there is none; marked where it changes nothing of what was sent.

    Raises Refused naming the path: an empty patch, a locked field, a wrong type, a source that cannot be understood; and
    Forbidden for a sensitive field that `principal` may not change.
    """
    declared = _declared(store, found)
    looked_up = patches.sources(patch, [t.name for t in store.catalogue.object_types])
    for operation in declared.values():
        if looked_up:
            patches.refuse_locked(patch, patches.locked_of(operation), operation.name)
        else:
            patches.check(patch, operation)
        _refuse_sensitive(principal, limits, operation, patch)
    if looked_up:
        values = {path: _values(store, source, found) for path, source in looked_up.items()}
        own = [_of_one(c, patch, values, declared[c.operation]) for c in found]
    else:
        own = [replace(c, patch=patch) for c in found]
    sent = _sent(store, own)
    return [replace(c, patch_is_idle=True) if _is_idle(c.patch, sent.get(c.exception_id)) else c for c in own]


def is_sensitive(limits: ReplayLimits, operation: Operation | None, path: str) -> bool:
    own = operation.sensitive if operation else []
    return limits.is_sensitive(path) or any(path == one or path.startswith(f"{one}.") for one in own)


def masked(
    patch: Mapping[str, Any], catalogue: Catalogue, limits: ReplayLimits, principal: Principal
) -> dict[str, Any]:
    """The patch as `principal` may see it: no values without the right to read payloads, no sensitive ones without that to edit them."""
    if principal.may(Right.READ_PAYLOADS) and principal.may(Right.EDIT_SENSITIVE):
        return dict(patch)
    closed = [path for path in patches.patched_paths(patch) if not may_see(path, catalogue, limits, principal)]
    return patches.filled(patch, dict.fromkeys(closed, HIDDEN))


def may_see(path: str, catalogue: Catalogue, limits: ReplayLimits, principal: Principal) -> bool:
    if not principal.may(Right.READ_PAYLOADS):
        return False
    return principal.may(Right.EDIT_SENSITIVE) or not any(
        is_sensitive(limits, o, path) for o in (*catalogue.operations, None)
    )


def _sent(store: Store, found: Sequence[Candidate]) -> dict[str, str]:
    """By exception: the payload that the failed operation was last sent with, as JSON text."""
    ids = [c.exception_id for c in found if c.patch is not None]
    rows = store.rows("replay_payloads", exception_ids=ids, own_only=True, as_of=store.clock())
    return {row["exception_id"]: row["payload"] for row in rows}


def _is_idle(patch: Mapping[str, Any] | None, sent: str | None) -> bool:
    """True if the patch leaves what was sent as it was; False where that is not known."""
    if patch is None or sent is None:
        return False
    try:
        original = json.loads(sent)
    except ValueError:
        return False
    return canonical(patches.merge_patch(original, patch)) == canonical(original)


def _declared(store: Store, found: Sequence[Candidate]) -> dict[str, Operation]:
    known = {o.name: o for o in store.catalogue.operations}
    wanted = sorted({c.operation for c in found})
    for name in wanted:
        if name not in known:
            raise Refused(f"{name} is not declared in the catalogue, so a patch for it cannot be checked; declare it")
    return {name: known[name] for name in wanted}


def _refuse_sensitive(
    principal: Principal, limits: ReplayLimits, operation: Operation, patch: Mapping[str, Any]
) -> None:
    touched = [path for path in patches.patched_paths(patch) if is_sensitive(limits, operation, path)]
    if touched and not principal.may(Right.EDIT_SENSITIVE):
        raise Forbidden(
            f"{principal.name} has the role {principal.role}, which may not change the sensitive field "
            f"'{touched[0]}' of {operation.name}; ask someone with the right {Right.EDIT_SENSITIVE.value}"
        )


def _values(store: Store, source: Source, found: Sequence[Candidate]) -> dict[str, tuple[Any, str | None]]:
    """By exception: the value, or why there is none."""
    name = source.field
    rows = store.rows(
        "replay_looked_up",
        exception_ids=[c.exception_id for c in found],
        object_type=source.object,
        attribute_path=f'$."{name}"' if name else None,
        payload_path="$." + ".".join(f'"{part}"' for part in name.split(".")) if name else "$",
        as_of=store.clock(),
    )
    return {row["exception_id"]: _value(source, row) for row in rows}


def _value(source: Source, row: Mapping[str, Any]) -> tuple[Any, str | None]:
    thing = f"{source.object} {row['object_id']}"
    if row["object_count"] != 1:
        return None, f"its trace names {row['object_count']} objects of type {source.object}; set the value by hand"
    if source.values is not None:
        known = row["object_id"] in source.values
        return source.values.get(row["object_id"]), None if known else f"the list has no value for {thing}"
    if row["value"] is None:
        return None, f"no success has told '{source.field}' of {thing}; set the value by hand"
    value = json.loads(row["value"])
    if isinstance(value, str) and value.startswith(REDACTED):
        return None, f"'{source.field}' of {thing} was redacted at the door; set the value by hand"
    return value, None


def _of_one(
    c: Candidate,
    patch: Mapping[str, Any],
    values: Mapping[str, Mapping[str, tuple[Any, str | None]]],
    operation: Operation,
) -> Candidate:
    nothing = (None, "the exception is no longer known")
    found = {path: by_exception.get(c.exception_id, nothing) for path, by_exception in values.items()}
    faults = [f"nothing to set '{path}' to: {why}" for path, (_, why) in found.items() if why]
    if faults:
        return replace(c, patch_fault="; ".join(faults))
    own = patches.filled(patch, {path: value for path, (value, _) in found.items()})
    try:
        patches.check(own, operation)
    except Refused as fault:
        return replace(c, patch=own, patch_fault=str(fault))
    return replace(c, patch=own)
