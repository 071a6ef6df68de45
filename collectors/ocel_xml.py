"""OCEL 2.0 in XML: streamed twice, so that memory grows with the objects and not with the events.

Entities of a document type are refused: an event log needs none, and they are how a small file becomes a large one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from collectors.batch import MalformedRequest
from collectors.event_log import (
    AttributeValue,
    Event,
    LogObject,
    LogReport,
    ObjectRelation,
    TypeDeclaration,
    typed,
)

PIECE_BYTES = 256 * 2**10
_ENTITY = b"<!ENTITY"


class XmlLog:
    """The log that `open_file` opens, as `event_log.EventLog`. `size` is its length in bytes, for the progress."""

    def __init__(self, open_file: Callable[[], BinaryIO], size: int, report: LogReport) -> None:
        """Raises MalformedRequest where the document is no well-formed XML."""
        self.name = report.name
        self.report = report
        self._open = open_file
        self._size = size
        self._read_bytes = 0
        self._event_types: list[TypeDeclaration] = []
        self._object_types: list[TypeDeclaration] = []
        self._objects: list[LogObject] = []
        self._relations: list[ObjectRelation] = []
        for element in self._elements("object-type", "event-type", "object"):
            kind = _local(element)
            if kind == "object":
                self._take_object(element)
            else:
                declared = {
                    _of(a, "name"): _of(a, "type") or "string" for a in _within(element, "attributes", "attribute")
                }
                types = self._object_types if kind == "object-type" else self._event_types
                types.append(TypeDeclaration(_of(element, "name"), declared))

    def close(self) -> None:
        """Nothing is held open."""

    def types(self) -> tuple[Sequence[TypeDeclaration], Sequence[TypeDeclaration]]:
        """`event-types` and `object-types`."""
        return self._event_types, self._object_types

    def object_types(self) -> Iterator[tuple[str, str]]:
        """Every object."""
        return ((each.id, each.type) for each in self._objects)

    def events(self) -> Iterator[Event]:
        """Every event, as the file is read."""
        declared = {each.name: each.attributes for each in self._event_types}
        for element in self._elements("event"):
            if element.get("id") is None:
                self.report.found("row_is_malformed", f"event of type {_of(element, 'type')!r} without an id")
                continue
            own_type = _of(element, "type")
            attributes = [
                (_of(each, "name"), typed(each.text or "", declared.get(own_type, {}).get(_of(each, "name"))))
                for each in _within(element, "attributes", "attribute")
            ]
            yield Event(_of(element, "id"), own_type, element.get("time"), attributes, list(_related(element)))

    def objects(self) -> Iterator[LogObject]:
        """Every object."""
        return iter(self._objects)

    def relations(self) -> Iterator[ObjectRelation]:
        """The relationships of every object."""
        return iter(self._relations)

    def business_id(self, key: str) -> str:
        """The key itself."""
        return key

    def read_share(self) -> float:
        """Bytes read, in two passes."""
        return min(self._read_bytes / max(2 * self._size, 1), 1.0)

    def _take_object(self, element: Element) -> None:
        if element.get("id") is None:
            self.report.found("row_is_malformed", f"object of type {_of(element, 'type')!r} without an id")
            return
        key, own_type = _of(element, "id"), _of(element, "type")
        declared = next((each.attributes for each in self._object_types if each.name == own_type), {})
        values = [
            AttributeValue(_of(each, "name"), each.get("time"), typed(each.text or "", declared.get(_of(each, "name"))))
            for each in _within(element, "attributes", "attribute")
        ]
        self._objects.append(LogObject(key, own_type, values))
        self._relations += [ObjectRelation(key, target, qualifier) for target, qualifier in _related(element)]

    def _elements(self, *names: str) -> Iterator[Element]:
        return elements(self._open, 3, names, self._count)

    def _count(self, byte_count: int) -> None:
        self._read_bytes += byte_count


def elements(
    open_file: Callable[[], BinaryIO], depth: int, names: Sequence[str], on_read: Callable[[int], None]
) -> Iterator[Element]:
    """The elements at `depth` (the root's is 1) that have one of the local `names`, whole, as the file is read.

    What has been handed on is let go of. Raises MalformedRequest where the document is not well-formed or declares
    entities.
    """
    parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    path: list[Element] = []
    tail = b""
    with open_file() as stream:
        while piece := stream.read(PIECE_BYTES):
            on_read(len(piece))
            if _ENTITY in tail + piece:
                raise MalformedRequest("declares entities, which an event log needs none of")
            tail = piece[-len(_ENTITY) :]
            try:
                parser.feed(piece)
                found: list[tuple[str, Element]] = list(cast(Any, parser.read_events()))
            except ParseError as error:
                raise MalformedRequest(f"line {error.position[0]}: not well-formed XML: {error}") from None
            except (LookupError, ValueError) as error:
                raise MalformedRequest(f"line 1: text that cannot be read: {error}; write it as UTF-8") from None
            for event, element in found:
                if event == "start":
                    path.append(element)
                    continue
                path.pop()
                if len(path) == depth - 1:
                    if _local(element) in names:
                        yield element
                    if path:
                        path[-1].remove(element)
    if path:
        raise MalformedRequest("not well-formed XML: the file is cut short")


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _within(element: Element, group: str, kind: str) -> Iterator[Element]:
    """The `kind` elements in the `group` element of `element`, whatever their name space."""
    return (each for box in element if _local(box) == group for each in box if _local(each) == kind)


def _related(element: Element) -> Iterator[tuple[str, str]]:
    """Object id and qualifier of each relation; the standard has said `relationship` and `object`."""
    for kind in ("relationship", "object"):
        for each in _within(element, "objects", kind):
            yield _of(each, "object-id"), _of(each, "qualifier")


def _of(element: Element, name: str) -> str:
    return element.get(name) or ""
