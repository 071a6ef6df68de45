"""OCEL 2.0 in JSON: one document, read whole, up to `files.DOCUMENT_BYTES_MAX`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import orjson

from collectors.batch import MalformedRequest
from collectors.event_log import (
    SINGLE_BYTES,
    AttributeValue,
    Event,
    LogObject,
    LogReport,
    ObjectRelation,
    TypeDeclaration,
    Value,
    typed,
)


class JsonLog:
    """The log that a stream holds, as `event_log.EventLog`."""

    def __init__(self, stream: BinaryIO, report: LogReport, limit: int) -> None:
        """Raises MalformedRequest where the stream is longer than `limit` bytes, no JSON, or no OCEL 2.0."""
        whole = stream.read(limit + 1)
        if len(whole) > limit:
            raise MalformedRequest(
                f"one JSON document of more than {limit} bytes; write the log as SQLite or XML, which are read in pieces"
            )
        document = _document(whole.removeprefix(b"\xef\xbb\xbf"), report)
        if not isinstance(document, dict):
            raise MalformedRequest(f"OCEL 2.0 JSON is one object; found {type(document).__name__}")
        if any(key.startswith("ocel:") for key in document):
            raise MalformedRequest("OCEL 1.0, which has no relations between objects; convert it to OCEL 2.0 first")
        self.name = report.name
        self.report = report
        self._read = 0
        self._events = _members(document, "events")
        self._objects = _members(document, "objects")
        self._event_types = [_declared(each) for each in _members(document, "eventTypes")]
        self._object_types = [_declared(each) for each in _members(document, "objectTypes")]
        self._types_of_events = {each.name: each.attributes for each in self._event_types}
        self._types_of_objects = {each.name: each.attributes for each in self._object_types}

    def close(self) -> None:
        """Nothing is held open."""

    def types(self) -> tuple[Sequence[TypeDeclaration], Sequence[TypeDeclaration]]:
        """`eventTypes` and `objectTypes`."""
        return self._event_types, self._object_types

    def object_types(self) -> Iterator[tuple[str, str]]:
        """Every member of `objects` that has an id."""
        return ((each.id, each.type) for each in self.objects())

    def events(self) -> Iterator[Event]:
        """Every member of `events`; one that is no event is reported."""
        for index, raw in enumerate(self._events):
            self._read += 1
            if not isinstance(raw, dict) or raw.get("id") is None:
                self.report.found("row_is_malformed", f"events[{index}] is no object with an id")
                continue
            own_type = _name(raw.get("type"))
            declared = self._types_of_events.get(own_type, {})
            attributes = [
                (_name(each.get("name")), told)
                for each in _dicts(raw.get("attributes"))
                if (told := _value(each.get("value"), declared.get(_name(each.get("name"))))) is not None
            ]
            time = raw.get("time")
            yield Event(
                _name(raw["id"]), own_type, None if time is None else str(time), attributes, list(_related(raw))
            )

    def objects(self) -> Iterator[LogObject]:
        """Every member of `objects` that has an id."""
        for raw in self._objects:
            if not isinstance(raw, dict) or raw.get("id") is None:
                continue
            own_type = _name(raw.get("type"))
            declared = self._types_of_objects.get(own_type, {})
            values = [
                AttributeValue(_name(each.get("name")), None if each.get("time") is None else str(each["time"]), told)
                for each in _dicts(raw.get("attributes"))
                if (told := _value(each.get("value"), declared.get(_name(each.get("name"))))) is not None
            ]
            yield LogObject(_name(raw["id"]), own_type, values)

    def relations(self) -> Iterator[ObjectRelation]:
        """The `relationships` of every object."""
        for index, raw in enumerate(self._objects):
            self._read += 1
            if not isinstance(raw, dict) or raw.get("id") is None:
                self.report.found("row_is_malformed", f"objects[{index}] is no object with an id")
                continue
            for target, qualifier in _related(raw):
                yield ObjectRelation(_name(raw["id"]), target, qualifier)

    def business_id(self, key: str) -> str:
        """The key itself."""
        return key

    def read_share(self) -> float:
        """Events and objects handed on, of all."""
        return min(self._read / max(len(self._events) + len(self._objects), 1), 1.0)


def _document(whole: bytes, report: LogReport) -> Any:
    """What the text says. Writers in Python put NaN where a value is missing, which JSON has no word for."""
    try:
        return orjson.loads(whole)
    except orjson.JSONDecodeError as error:
        try:
            text = whole.decode("utf-8")
        except UnicodeDecodeError as odd:
            text = whole.decode("utf-8", SINGLE_BYTES)
            report.found("text_is_not_utf8", f"byte {odd.start:,}: {whole[odd.start : odd.start + 1]!r}")
        try:
            return json.loads(text, parse_constant=lambda _: None)
        except (json.JSONDecodeError, RecursionError):
            raise MalformedRequest(f"line {error.lineno}: not JSON: {error}") from None


def _members(document: dict[str, Any], name: str) -> list[Any]:
    if (found := document.get(name)) is None:
        return []
    if not isinstance(found, list):
        raise MalformedRequest(f"OCEL 2.0 JSON has an array '{name}'; found {type(found).__name__}")
    return found


def _declared(raw: Any) -> TypeDeclaration:
    attributes = _dicts(raw.get("attributes") if isinstance(raw, dict) else None)
    return TypeDeclaration(
        _name(raw.get("name") if isinstance(raw, dict) else raw),
        {_name(each.get("name")): str(each.get("type") or "string") for each in attributes},
    )


def _related(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for each in _dicts(raw.get("relationships")):
        yield _name(each.get("objectId")), _name(each.get("qualifier"))


def _dicts(found: Any) -> Iterator[dict[str, Any]]:
    return (each for each in found if isinstance(each, dict)) if isinstance(found, list) else iter(())


def _name(found: Any) -> str:
    return "" if found is None else str(found)


def _value(found: Any, declared: str | None) -> Value | None:
    """A JSON value; text under a declared number or truth value is read as one, and what is nested is kept as JSON."""
    if isinstance(found, str):
        return typed(found, declared)
    if isinstance(found, int) and not isinstance(found, bool) and declared in ("float", "double", "real"):
        return float(found)
    if found is None or isinstance(found, int | float):
        return found
    return orjson.dumps(found).decode()
