"""OTLP's messages, described twice more than opentelemetry-proto does: leaner, and laxer about text.

`lax` messages hold every `string` as bytes, because one bad character would otherwise cost the whole request, and
every array or key-value list as undecoded bytes, because a hostile nesting would. Both are the same on the wire.
`lean` descriptors leave out the fields that nobody reads, so that reading the others is quicker.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

_FILES: list[FileDescriptor] = [
    common_pb2.DESCRIPTOR,
    resource_pb2.DESCRIPTOR,
    trace_pb2.DESCRIPTOR,
    logs_pb2.DESCRIPTOR,
    trace_service_pb2.DESCRIPTOR,
    logs_service_pb2.DESCRIPTOR,
]
_UNREAD = {
    "entity_refs",
    "schema_url",
    "flags",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
    "string_value_strindex",
    "key_strindex",
}
_RECURSIVE = {"array_value", "kvlist_value"}


def _file(descriptor: FileDescriptor) -> FileDescriptorProto:
    proto = FileDescriptorProto()
    descriptor.CopyToProto(proto)
    return proto


def _lax(message: DescriptorProto) -> None:
    for item in message.field:
        cut = message.name == "AnyValue" and item.name in _RECURSIVE
        if item.type == FieldDescriptorProto.TYPE_STRING or cut:
            item.type = FieldDescriptorProto.TYPE_BYTES
            item.ClearField("type_name")
    for nested in message.nested_type:
        _lax(nested)


def _lean(message: DescriptorProto) -> None:
    unread = _UNREAD | ({"attributes"} if message.name == "InstrumentationScope" else set())
    kept = [item for item in message.field if item.name not in unread]
    del message.field[:]
    message.field.extend(kept)
    for nested in message.nested_type:
        _lean(nested)


def _pool(change: Any) -> DescriptorPool:
    pool = DescriptorPool()
    for descriptor in _FILES:
        proto = _file(descriptor)
        for message in proto.message_type:
            change(message)
        pool.Add(proto)
    return pool


_lax_pool = _pool(_lax)
_lean_pool = _pool(_lean)


def _lax_class(full_name: str) -> Any:
    return GetMessageClass(_lax_pool.FindMessageTypeByName(full_name))


LaxTraces = _lax_class("opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest")
LaxLogs = _lax_class("opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest")
LaxAnyValue = _lax_class("opentelemetry.proto.common.v1.AnyValue")
LaxArray = _lax_class("opentelemetry.proto.common.v1.ArrayValue")
LaxKeyValue = _lax_class("opentelemetry.proto.common.v1.KeyValue")
LaxKeyValueList = _lax_class("opentelemetry.proto.common.v1.KeyValueList")
LEAN_TRACES = _lean_pool.FindMessageTypeByName("opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest")
