"""OTLP protobuf to a batch of spans in columns, without a Python object for each span.

Takes only requests in which nothing is out of the ordinary: where a span would have to be refused, a key repeats or
text is not UTF-8, `ordinary` answers None and `otlp_walk` reads the request. Arrow's kernels run without the
interpreter lock, so the console's pages go on while a request is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from ptars import HandlerPool

from collectors.batch import INT64_MAX, Limits, Unkeepable, uuid_array
from collectors.otlp_schema import LEAN_TRACES, LaxAnyValue, LaxKeyValue
from collectors.otlp_values import attributes_from_lax, finite_or_name, from_lax, json_text
from collectors.otlp_walk import scope_of, service_of
from trace_model.spans import SCHEMA

_handler = HandlerPool([LEAN_TRACES.file]).get_for_message(LEAN_TRACES)
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


class _Extraordinary(Exception):
    """The request holds something that has to be looked at span by span."""


def ordinary(body: bytes, source: str, limits: Limits, latest_ns: int) -> pa.Table | None:
    """Every span of the request, one row each in the order sent; None if any of them needs a closer look."""
    try:
        requests = _handler.list_to_record_batch([body])
    except ValueError:
        return None
    try:
        return _spans(requests.column("resource_spans").flatten(), source, limits, latest_ns)
    except (_Extraordinary, Unkeepable):
        return None


def _spans(resource_spans: pa.StructArray, source: str, limits: Limits, latest_ns: int) -> pa.Table:
    scope_lists = resource_spans.field("scope_spans")
    scopes = scope_lists.flatten()
    span_lists = scopes.field("spans")
    spans = span_lists.flatten()
    if not len(spans):
        return SCHEMA.empty_table()
    scope_rows = pc.list_parent_indices(span_lists)
    resource_rows = pc.list_parent_indices(scope_lists).take(scope_rows)

    resources = _objects(resource_spans.field("resource").field("attributes"), limits)
    services = pa.array([service_of(orjson.loads(each)) for each in resources.to_pylist()], pa.string())
    scope = scopes.field("scope")
    scope_names = pa.array(
        map(scope_of, scope.field("name").to_pylist(), scope.field("version").to_pylist()), pa.string()
    )
    start, end = _instants(spans, limits, latest_ns)
    name = spans.field("name")
    _no_longer(name, limits.name_bytes)
    status = spans.field("status")
    columns = [
        uuid_array(_ids(spans.field("trace_id"), 16).tobytes()),
        pa.array(_ids(spans.field("span_id"), 8).view(">u8").ravel().astype("u8")),
        _parents(spans.field("parent_span_id")),
        name,
        _known(spans.field("kind"), 5),
        services.take(resource_rows),
        scope_names.take(scope_rows),
        start,
        end,
        pc.fill_null(_known(status.field("code"), 2), 0),
        _null_if_empty(status.field("message"), limits),
        _null_if_empty(spans.field("trace_state"), limits),
        _objects(spans.field("attributes"), limits),
        resources.take(resource_rows),
        _events(spans.field("events"), limits),
        _links(spans.field("links"), limits),
        pa.repeat(pa.scalar(source, pa.string()), len(spans)),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _objects(lists: pa.ListArray, limits: Limits) -> pa.StringArray:
    """Each list of KeyValue as the text of one JSON object."""
    items = lists.flatten()
    if not len(items):
        return pa.repeat(pa.scalar("{}"), len(lists))
    keys = items.field("key").dictionary_encode()
    names = keys.dictionary
    _no_longer(names, limits.name_bytes)
    offsets = lists.offsets.to_numpy()
    counts = np.diff(offsets)
    if counts.max() > limits.attribute_count or _repeats(keys.indices.to_numpy(), counts, len(names)):
        raise _Extraordinary
    labels = pa.array([json_text(each).decode() + ":" for each in names.to_pylist()])
    members = pc.binary_join_element_wise(labels.take(keys.indices), _values(items.field("value"), limits), "")
    return _joined(members, lists.offsets, "{", "}")


def _joined(members: pa.StringArray, offsets: pa.Int32Array, before: str, after: str) -> pa.StringArray:
    inner = pc.binary_join(pa.ListArray.from_arrays(offsets, members), ",")
    return pc.binary_join_element_wise(before, inner, after, "")


def _repeats(keys: Any, counts: Any, key_count: int) -> bool:
    """Whether a key stands twice in one list."""
    rows = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    seen = np.sort(rows * key_count + keys)
    return bool((seen[1:] == seen[:-1]).any())


def _values(values: pa.StructArray, limits: Limits) -> pa.StringArray:
    """Each AnyValue as JSON text."""
    written: list[pa.Array] = []
    present = 0
    for kind, write in _WRITERS.items():
        column = values.field(kind)
        count = len(column) - column.null_count
        if count:
            present += count
            written.append(write(column, limits))
    if not written:
        return pa.repeat(pa.scalar("null"), len(values))
    texts = written[0] if len(written) == 1 else pc.coalesce(*written)
    if present + texts.null_count != len(values):  # two kinds in one AnyValue: the last on the wire counts
        raise _Extraordinary
    return pc.fill_null(texts, "null") if texts.null_count else texts


def _strings(column: pa.StringArray, limits: Limits) -> pa.StringArray:
    _no_longer(column, limits.value_bytes)
    return pc.binary_join_element_wise('"', _escaped(column), '"', "")


def _escaped(column: pa.StringArray) -> pa.StringArray:
    needed = pc.match_substring_regex(column, _NEEDS_ESCAPE)
    if not pc.any(needed).as_py():
        return column
    mask = pc.fill_null(needed, False)
    escaped = [orjson.dumps(each)[1:-1] for each in column.filter(mask).to_pylist()]
    return pc.replace_with_mask(column, mask, pa.array(escaped, pa.string()))


def _integers(column: pa.Int64Array, limits: Limits) -> pa.StringArray:
    return column.cast(pa.string())


def _booleans(column: pa.BooleanArray, limits: Limits) -> pa.StringArray:
    return pc.if_else(column, "true", "false")


def _each(natural: Callable[[Any, Limits], Any]) -> Callable[[pa.Array, Limits], pa.StringArray]:
    """A writer for the rarer kinds: one Python object for each value that is there, null for the rest."""

    def write(column: pa.Array, limits: Limits) -> pa.StringArray:
        there = column.is_valid()
        texts = pa.array([json_text(natural(each, limits)) for each in column.filter(there).to_pylist()], pa.string())
        return pc.replace_with_mask(pa.nulls(len(column), pa.string()), there, texts)

    return write


def _doubles(column: pa.DoubleArray, limits: Limits) -> pa.StringArray:
    there = column.is_valid()
    numbers = column.filter(there)
    if pc.all(pc.is_finite(numbers)).as_py():
        texts = orjson.dumps(numbers.to_pylist())[1:-1].split(b",")
    else:
        texts = [json_text(finite_or_name(number)) for number in numbers.to_pylist()]
    return pc.replace_with_mask(pa.nulls(len(column), pa.string()), there, pa.array(texts, pa.string()))


def _bounded(value: Any, limits: Limits) -> Any:
    if len(json_text(value)) > limits.value_bytes:
        raise _Extraordinary
    return value


_WRITERS: dict[str, Callable[[Any, Limits], pa.StringArray]] = {
    "string_value": _strings,
    "int_value": _integers,
    "bool_value": _booleans,
    "double_value": _doubles,
    "bytes_value": _each(lambda packed, limits: from_lax(LaxAnyValue(bytes_value=packed), limits, "")),
    "array_value": _each(
        lambda array, limits: _bounded(
            [from_lax(LaxAnyValue.FromString(each), limits, "", 1) for each in array["values"]], limits
        )
    ),
    "kvlist_value": _each(
        lambda pairs, limits: _bounded(
            attributes_from_lax([LaxKeyValue.FromString(each) for each in pairs["values"]], limits, 1), limits
        )
    ),
}


def _events(lists: pa.ListArray, limits: Limits) -> pa.StringArray:
    items = lists.flatten()
    if not len(items):
        return pa.nulls(len(lists), pa.string())
    name = items.field("name")
    _no_longer(name, limits.name_bytes)
    members = pc.binary_join_element_wise(
        '{"name":"',
        _escaped(name),
        '","time_unix_nano":',
        items.field("time_unix_nano").cast(pa.string()),
        ',"attributes":',
        _objects(items.field("attributes"), limits),
        "}",
        "",
    )
    return _null_if_none(members, lists, limits)


def _links(lists: pa.ListArray, limits: Limits) -> pa.StringArray:
    items = lists.flatten()
    if not len(items):
        return pa.nulls(len(lists), pa.string())
    members = pc.binary_join_element_wise(
        '{"trace_id":"',
        pa.array([each.hex() for each in items.field("trace_id").to_pylist()]),
        '","span_id":"',
        pa.array([each.hex() for each in items.field("span_id").to_pylist()]),
        '","attributes":',
        _objects(items.field("attributes"), limits),
        "}",
        "",
    )
    return _null_if_none(members, lists, limits)


def _null_if_none(members: pa.StringArray, lists: pa.ListArray, limits: Limits) -> pa.StringArray:
    counts = np.diff(lists.offsets.to_numpy())
    if counts.max() > limits.attribute_count:
        raise _Extraordinary
    return pc.if_else(pa.array(counts > 0), _joined(members, lists.offsets, "[", "]"), pa.scalar(None, pa.string()))


def _instants(spans: pa.StructArray, limits: Limits, latest_ns: int) -> tuple[pa.Array, pa.Array]:
    start, end = spans.field("start_time_unix_nano"), spans.field("end_time_unix_nano")
    first, last = pc.min_max(start).values()
    if first.as_py() < limits.earliest_ns or last.as_py() > latest_ns or pc.max(end).as_py() > INT64_MAX:
        raise _Extraordinary
    if pc.any(pc.less(end, start)).as_py():
        raise _Extraordinary
    return start.cast(pa.int64()), end.cast(pa.int64())


def _ids(column: pa.BinaryArray, length: int) -> Any:
    """The ids as a matrix of bytes, one row each."""
    if not pc.all(pc.equal(pc.binary_length(column), length)).as_py():
        raise _Extraordinary
    matrix = _bytes(column, len(column) * length).reshape(-1, length)
    if not matrix.any(axis=1).all():
        raise _Extraordinary
    return matrix


def _parents(column: pa.BinaryArray) -> pa.UInt64Array:
    lengths = pc.binary_length(column).to_numpy()
    there = lengths == 8
    if not ((lengths == 0) | there).all():
        raise _Extraordinary
    ids = np.zeros(len(column), "u8")
    ids[there] = _bytes(column, int(there.sum()) * 8).view(">u8")
    return pa.array(ids, mask=ids == 0)


def _bytes(column: pa.BinaryArray, size: int) -> Any:
    """The bytes of every value of a column without nulls, end to end."""
    _, offsets, data = column.buffers()
    if not size:
        return np.empty(0, np.uint8)
    first = int(np.frombuffer(offsets, np.int32)[column.offset])
    return np.frombuffer(data, np.uint8, size, first)


def _known(column: pa.Int32Array, last: int) -> pa.UInt8Array:
    inside = pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, last))
    return pc.if_else(inside, column, 0).cast(pa.uint8())


def _null_if_empty(column: pa.StringArray, limits: Limits) -> pa.StringArray:
    _no_longer(column, limits.value_bytes)
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _no_longer(column: pa.StringArray, limit: int) -> None:
    longest = pc.max(pc.binary_length(column)).as_py()
    if longest is not None and longest > limit:
        raise _Extraordinary
