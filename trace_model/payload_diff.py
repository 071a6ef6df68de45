"""What differs between two payloads, leaf by leaf. Pure; which differences matter is the catalogue's (payload_comparisons)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MOST_LEAVES = 2_000
"""A payload with more leaves is compared up to here: a screen shows no more."""


@dataclass(frozen=True)
class Difference:
    """One leaf that is not the same: `before` or `after` is None where it was not there."""

    path: str
    before: str | None
    after: str | None


def leaves(payload: str | None) -> dict[str, str]:
    """The leaves of a payload by dotted path, as text. What is no JSON object or list has none.

    >>> leaves('{"order": "SO-1", "lines": [{"sku": "A", "quantity": 2}], "note": null}')
    {'order': 'SO-1', 'lines[0].sku': 'A', 'lines[0].quantity': '2', 'note': 'null'}
    """
    try:
        read = json.loads(payload or "")
    except (ValueError, RecursionError):
        return {}
    found: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = [("", read)] if isinstance(read, dict | list) else []
    while waiting and len(found) < MOST_LEAVES:
        path, node = waiting.pop()
        if isinstance(node, dict) and node:
            waiting += reversed([(f"{path}.{key}" if path else str(key), value) for key, value in node.items()])
        elif isinstance(node, list) and node:
            waiting += reversed([(f"{path}[{index}]", value) for index, value in enumerate(node)])
        else:
            found[path] = node if isinstance(node, str) else json.dumps(node, ensure_ascii=False)
    return found


def differences(before: str | None, after: str | None) -> list[Difference]:
    """The leaves that differ, in the order of `after`, then those that are gone. Numbers are compared by value.

    >>> differences('{"a": 1, "b": "x"}', '{"a": 1.0, "b": "y", "c": true}')
    [Difference(path='b', before='x', after='y'), Difference(path='c', before=None, after='true')]
    """
    old, new = leaves(before), leaves(after)
    paths = [*new, *(path for path in old if path not in new)]
    return [Difference(path, old.get(path), new.get(path)) for path in paths if not _same(old.get(path), new.get(path))]


def _same(a: str | None, b: str | None) -> bool:
    if a is None or b is None or a == b:
        return a == b
    try:
        return float(a) == float(b)
    except ValueError:
        return False
