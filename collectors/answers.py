"""What a door answers to each fault: the one table from errors to HTTP and gRPC statuses, and the body that says why.

Retryable is 429 or 503 with Retry-After (RESOURCE_EXHAUSTED or UNAVAILABLE with RetryInfo), for OTLP clients drop what
is answered otherwise; all the rest is the sender's to change.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2

from collectors.access import Unauthenticated
from collectors.batch import MalformedRequest
from collectors.ingest import Overloaded
from trace_model.errors import CashtrailError, PermanentError, RetryableError

log = logging.getLogger(__name__)


class TooLarge(PermanentError):
    """The body, as sent or decompressed, is larger than the door takes. Sending it in smaller parts will help."""


class UnsupportedMedia(PermanentError):
    """A content type or encoding that the door does not read; the text says which ones it reads."""


@dataclass(frozen=True)
class Answer:
    """How a fault is told: HTTP status, google.rpc.Code, a slug for the counters, and when to try again if at all."""

    http_status: int
    rpc_code: int
    reason: str
    message: str
    retry_after_s: float | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Retry-After in whole seconds, where trying again helps; the challenge, where a token is missing."""
        if self.retry_after_s is not None:
            return {"retry-after": str(max(1, math.ceil(self.retry_after_s)))}
        if self.http_status == 401:
            return {"www-authenticate": 'Bearer realm="ingest"'}
        return {"accept-encoding": "gzip"} if self.http_status == 415 else {}

    def status(self) -> status_pb2.Status:
        """The google.rpc.Status that OTLP clients read, with RetryInfo where trying again helps."""
        status = status_pb2.Status(code=self.rpc_code, message=self.message)
        if self.retry_after_s is not None:
            delay = Duration()
            delay.FromMilliseconds(int(self.retry_after_s * 1000))
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        return status


_TABLE: list[tuple[type[CashtrailError], int, int, str]] = [
    (MalformedRequest, 400, code_pb2.INVALID_ARGUMENT, "malformed"),
    (Unauthenticated, 401, code_pb2.UNAUTHENTICATED, "unauthenticated"),
    (TooLarge, 413, code_pb2.RESOURCE_EXHAUSTED, "too_large"),
    (UnsupportedMedia, 415, code_pb2.INVALID_ARGUMENT, "unsupported_media"),
    (Overloaded, 429, code_pb2.RESOURCE_EXHAUSTED, "overloaded"),
    (RetryableError, 503, code_pb2.UNAVAILABLE, "store_unavailable"),
    (PermanentError, 400, code_pb2.INVALID_ARGUMENT, "unstorable"),
]


def answer_to(fault: Exception) -> Answer:
    """The answer that tells the sender what to do about a fault; one that nobody foresaw is logged, and retryable.

    >>> answer_to(MalformedRequest("not JSON")).http_status
    400
    """
    for kind, http_status, rpc_code, reason in _TABLE:
        if isinstance(fault, kind):
            retry_after_s = fault.retry_after_s if isinstance(fault, RetryableError) else None
            return Answer(http_status, rpc_code, reason, str(fault), retry_after_s)
    log.error("a door failed", exc_info=fault)
    return Answer(503, code_pb2.UNAVAILABLE, "door_failed", f"the collector failed: {type(fault).__name__}", 5.0)
