"""OTLP's AnyValue as natural JSON: numbers as numbers, bytes as base64 text, NaN and infinities as text.

Two readers of one meaning: `from_json` reads OTLP/JSON, `from_lax` reads the protobuf of `otlp_schema`. A value that
cannot be kept raises `Unkeepable`; the span that carries it is refused and its neighbours stay.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from collectors.batch import INT64_MAX, Limits, Unkeepable
from collectors.otlp_schema import LaxArray, LaxKeyValueList

_DIGITS = re.compile(r"-?[0-9]{1,20}\Z")
_NON_FINITE = {"NaN", "Infinity", "-Infinity"}


def whole(value: Any, name: str) -> int:
    """An integer of proto3 JSON: a number, or its decimal text; null is 0.

    >>> whole("42", "count"), whole(42.0, "count"), whole(None, "count")
    (42, 42, 0)
    """
    if type(value) is int:
        return value
    if value is None:
        return 0
    if isinstance(value, str) and _DIGITS.match(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise Unkeepable("malformed_field", f"{name} is {_shown(value)}, not an integer")


def text(value: Any, name: str) -> str:
    """A string field; null is empty, undecodable bytes are refused.

    >>> text(b"a", "name"), text(None, "name")
    ('a', '')
    """
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise Unkeepable("not_utf8", f"{name} is not UTF-8 at byte {error.start}: {_shown(value)}") from None
    raise Unkeepable("malformed_field", f"{name} is {_shown(value)}, not a string")


def json_text(value: Any) -> bytes:
    """Natural JSON of a value that `from_json` or `from_lax` gave, as UTF-8."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise Unkeepable("malformed_value", f"a value cannot be written as JSON: {error}") from None


def attributes_from_json(items: Any, limits: Limits, depth: int = 0) -> dict[str, Any]:
    """The attributes of one OTLP/JSON object as a dictionary; of a repeated key the last value counts."""
    if items is None:
        return {}
    if not isinstance(items, list):
        raise Unkeepable("malformed_field", f"attributes is {_shown(items)}, not an array")
    _check_count(len(items), limits, depth)
    result: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, dict):
            raise Unkeepable("malformed_field", f"an attribute is {_shown(item)}, not an object")
        key = item.get("key")
        if type(key) is not str:
            key = text(key, "an attribute's key")
        value = from_json(item.get("value"), limits, key, depth)
        result[key] = _checked(key, value, limits, depth)
    return result


def from_json(value: Any, limits: Limits, key: str, depth: int = 0) -> Any:
    """The natural value of one OTLP/JSON AnyValue; nothing set is None."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Unkeepable("malformed_value", f"attribute '{_short(key)}' is {_shown(value)}, not an AnyValue object")
    result: Any = None
    for kind, inner in value.items():
        if inner is None:
            continue
        if kind == "stringValue":
            result = inner if type(inner) is str else text(inner, f"attribute '{_short(key)}'")
        elif kind == "boolValue":
            if not isinstance(inner, bool):
                raise Unkeepable("malformed_value", f"attribute '{_short(key)}' is {_shown(inner)}, not a boolean")
            result = inner
        elif kind == "intValue":
            result = _int64(inner, key)
        elif kind == "doubleValue":
            result = _double_from_json(inner, key)
        elif kind == "bytesValue":
            result = _base64(inner, key)
        elif kind == "arrayValue":
            result = [from_json(each, limits, key, _deeper(depth, limits, key)) for each in _values(inner, key)]
        elif kind == "kvlistValue":
            result = attributes_from_json(_values(inner, key), limits, _deeper(depth, limits, key))
    return result


def attributes_from_lax(items: Iterable[Any], limits: Limits, depth: int = 0) -> dict[str, Any]:
    """The attributes of one lax protobuf message as a dictionary; of a repeated key the last value counts."""
    result: dict[str, Any] = {}
    count = 0
    for item in items:
        count += 1
        key = text(item.key, "an attribute's key")
        result[key] = _checked(key, from_lax(item.value, limits, key, depth), limits, depth)
    _check_count(count, limits, depth)
    return result


def from_lax(value: Any, limits: Limits, key: str, depth: int = 0) -> Any:
    """The natural value of one lax AnyValue message; nothing set is None."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        try:
            return value.string_value.decode()
        except UnicodeDecodeError:
            return text(value.string_value, f"attribute '{_short(key)}'")
    if kind == "int_value":
        return value.int_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value":
        return finite_or_name(value.double_value)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "array_value":
        deeper = _deeper(depth, limits, key)
        return [from_lax(each, limits, key, deeper) for each in _parsed(LaxArray, value.array_value, key).values]
    if kind == "kvlist_value":
        deeper = _deeper(depth, limits, key)
        return attributes_from_lax(_parsed(LaxKeyValueList, value.kvlist_value, key).values, limits, deeper)
    return None


def finite_or_name(number: float) -> float | str:
    """The number, or proto3 JSON's name of a number that JSON has not.

    >>> finite_or_name(1.5), finite_or_name(float("-inf"))
    (1.5, '-Infinity')
    """
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _parsed(message: Any, packed: bytes, key: str) -> Any:
    try:
        return message.FromString(packed)
    except DecodeError:
        raise Unkeepable("malformed_value", f"attribute '{_short(key)}' holds a corrupt nested value") from None


def _deeper(depth: int, limits: Limits, key: str) -> int:
    if depth >= limits.nesting:
        raise Unkeepable(
            "nested_too_deep", f"attribute '{_short(key)}' nests deeper than the {limits.nesting} levels that are kept"
        )
    return depth + 1


def _check_count(count: int, limits: Limits, depth: int) -> None:
    if depth == 0 and count > limits.attribute_count:
        raise Unkeepable("too_many_attributes", f"{count} attributes; at most {limits.attribute_count} are kept")


def _checked(key: str, value: Any, limits: Limits, depth: int) -> Any:
    if len(key) * 4 > limits.name_bytes and len(key.encode()) > limits.name_bytes:
        raise Unkeepable("name_too_long", f"an attribute's key is longer than {limits.name_bytes} bytes")
    if depth == 0 and type(value) in (str, list, dict):
        if isinstance(value, str):
            size = len(value)
            if size * 4 > limits.value_bytes:
                size = len(value.encode())
        else:
            size = len(json_text(value))
        if size > limits.value_bytes:
            raise Unkeepable(
                "value_too_large",
                f"attribute '{_short(key)}' is {size} bytes; at most {limits.value_bytes} are kept",
            )
    return value


def _int64(value: Any, key: str) -> int:
    number = whole(value, f"attribute '{_short(key)}'")
    if not -INT64_MAX - 1 <= number <= INT64_MAX:
        raise Unkeepable("malformed_value", f"attribute '{_short(key)}' is {number}, beyond 64 bits")
    return number


def _double_from_json(value: Any, key: str) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return finite_or_name(float(value))
    if isinstance(value, str):
        if value in _NON_FINITE:
            return value
        try:
            return finite_or_name(float(value))
        except ValueError:
            pass_on = f"attribute '{_short(key)}' is {_shown(value)}, not a number"
            raise Unkeepable("malformed_value", pass_on) from None
    raise Unkeepable("malformed_value", f"attribute '{_short(key)}' is {_shown(value)}, not a number")


def _base64(value: Any, key: str) -> str:
    try:
        packed = value.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64encode(base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)).decode()
    except (AttributeError, ValueError, binascii.Error):
        raise Unkeepable("malformed_value", f"attribute '{_short(key)}' is {_shown(value)}, not base64") from None


def _values(value: Any, key: str) -> list[Any]:
    values = value.get("values") if isinstance(value, dict) else value
    if values is None and isinstance(value, dict):
        return []
    if not isinstance(values, list):
        raise Unkeepable("malformed_value", f"attribute '{_short(key)}' holds {_shown(value)}, not an object of values")
    return values


def _short(name: str) -> str:
    return name if len(name) <= 80 else name[:77] + "..."


def _shown(value: Any) -> str:
    return _short(repr(value))
