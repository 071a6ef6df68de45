"""Editing what is sent again: fields in a small table, or a JSON merge patch as it is. Makes the patch; the service judges it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from console.resources import current
from trace_model.errors import Refused
from trace_model.patches import FROM, at, patched_paths

SET, REMOVE, LAST, LIST = "Set to", "Remove", "As the customer's last success", "From a list by customer"
HOW = (SET, LAST, LIST, REMOVE)
KIND = "customer"
FIELDS_MOST = 20


def editor(exception_ids: Sequence[str], patch: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Draws the editor; what it holds, for `patch_of`. `patch` is what it starts from."""
    original = _original(exception_ids[0]) if exception_ids else {}
    known = patched_paths(original)[:FIELDS_MOST]
    held, rest = rows_of(patch or {}, original)
    with st.expander("Change what is sent", key="plan_patch_open", expanded=patch is not None):
        st.caption(
            "One row a field, nested ones with dots. The original is kept, and the plan shows both side by side."
            + (f" Last sent: {', '.join(known)}." if known else "")
        )
        rows = st.data_editor(
            held or [{"field": "", "how": SET, "value": ""}],
            key="plan_fields",
            num_rows="dynamic",
            hide_index=True,
            column_config={
                "field": st.column_config.TextColumn("Field", width=160),
                "how": st.column_config.SelectboxColumn(
                    "How", options=list(HOW), required=True, default=SET, width=170
                ),
                "value": st.column_config.TextColumn(
                    "Value", width=250, help="Text, a number, true, or JSON; empty where it is looked up"
                ),
            },
        )
        listed = None
        if any(row.get("how") == LIST for row in rows):
            listed = st.file_uploader("The list: two columns, customer id and value", type="csv", key="plan_list")
        text = st.text_area(
            "Or as a JSON merge patch",
            value=json.dumps(rest, ensure_ascii=False) if rest else "",
            key="plan_patch",
            placeholder='{"tax_id": "DE123456789"}',
        )
    return {"rows": rows, "list": listed.getvalue() if listed else None, "text": text, "original": original}


def patch_of(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The merge patch that the editor holds; None where nothing is to change. Raises Refused for what is no patch.

    >>> patch_of({"rows": [{"field": "ship_to.tax_id", "how": LAST, "value": ""}], "list": None, "text": "", "original": {}})
    {'ship_to': {'tax_id': {'$from': {'object': 'customer', 'field': 'ship_to.tax_id'}}}}
    """
    patch = _parsed(given["text"])
    for row in given["rows"]:
        path = str(row.get("field") or "").strip()
        if path:
            _put(patch, path.split("."), _value(path, row, given))
    return patch or None


def rows_of(patch: Mapping[str, Any], original: Mapping[str, Any]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The rows that a patch stands in, and what of it no row can hold: `patch_of` makes the same patch of them again.

    >>> rows_of({"tax_id": "DE1", "ship_to": {"zip": "28195", "note": None}, "lines": [1]}, {"ship_to": {"zip": "1"}})[0]
    [{'field': 'tax_id', 'how': 'Set to', 'value': 'DE1'}, {'field': 'ship_to.zip', 'how': 'Set to', 'value': '28195'}, \
{'field': 'ship_to.note', 'how': 'Remove', 'value': ''}, {'field': 'lines', 'how': 'Set to', 'value': '[1]'}]
    """
    rows, rest = list[dict[str, str]](), dict[str, Any]()
    if any("." in name for name in _names(patch)):
        return rows, dict(patch)
    for path, value in _leaves(patch):
        row = {"field": path, "how": SET, "value": ""}
        looked_up = value.get(FROM) if isinstance(value, Mapping) else None
        if value is None:
            row["how"] = REMOVE
        elif (
            isinstance(looked_up, Mapping)
            and looked_up.get("object") == KIND
            and isinstance(looked_up.get("field"), str)
        ):
            row |= {"how": LAST, "value": looked_up["field"]}
        elif isinstance(value, Mapping) or (isinstance(value, str) and value.strip() != value):
            _put(rest, path.split("."), value)
            continue
        elif isinstance(value, str) and (isinstance(at(original, path), str) or _read(value) == value):
            row["value"] = value
        else:
            row["value"] = json.dumps(value, ensure_ascii=False)
        rows.append(row)
    return rows, rest


def _names(patch: Mapping[str, Any]) -> Iterator[str]:
    for name, value in patch.items():
        yield name
        if isinstance(value, Mapping) and FROM not in value:
            yield from _names(value)


def _leaves(patch: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Each field that a patch sets, removes or looks up, by its dotted path."""
    for name, value in patch.items():
        if isinstance(value, Mapping) and value and FROM not in value:
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _value(path: str, row: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    text = str(row.get("value") or "").strip()
    match row.get("how"):
        case how if how == REMOVE:
            return None
        case how if how == LAST:
            return {FROM: {"object": KIND, "field": text or path}}
        case how if how == LIST:
            return {FROM: {"object": KIND, "values": _listed(given["list"])}}
        case _:
            return text if isinstance(at(given["original"], path), str) else _read(text)


def _listed(raw: bytes | None) -> dict[str, Any]:
    if raw is None:
        raise Refused("choose the list: a CSV file with the columns customer id and value")
    try:
        lines = [line for line in csv.reader(io.StringIO(raw.decode("utf-8-sig"))) if any(line)]
    except (UnicodeDecodeError, csv.Error) as fault:
        raise Refused(f"the list is no CSV in UTF-8: {fault}") from None
    wrong = next((number for number, line in enumerate(lines, start=1) if len(line) != 2), None)
    if wrong or not lines:
        raise Refused(f"the list, line {wrong or 1}: two columns are needed, customer id and value")
    return {line[0].strip(): line[1].strip() for line in lines}


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _put(patch: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        patch = patch.setdefault(name, {})
    patch[path[-1]] = value


def _parsed(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        patch = json.loads(text)
    except ValueError as fault:
        raise Refused(f"the patch is no JSON: {fault}") from None
    if not isinstance(patch, dict):
        raise Refused('the patch must be a JSON object, like {"tax_id": "DE123456789"}')
    return patch


def _original(exception_id: str) -> dict[str, Any]:
    resources = current()
    rows = resources.store.rows(
        "replay_payloads", exception_ids=[exception_id], own_only=False, as_of=resources.store.clock()
    )
    found = _read(rows[0]["payload"]) if rows else {}
    return found if isinstance(found, dict) else {}
