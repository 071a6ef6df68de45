"""One HTTP request's body, bounded as it comes and as it unfolds. ASGI only; nothing of OTLP."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from starlette.types import Receive

from collectors.answers import TooLarge, UnsupportedMedia
from collectors.batch import Limits, MalformedRequest

DRAINED_BYTES_MAX = 64 * 2**20
_PIECE_BYTES = 2**20
_GZIP = 16 + zlib.MAX_WBITS


class Disconnected(Exception):
    """The sender went away before its body was whole: there is nobody to answer."""


async def read_body(receive: Receive, headers: Mapping[str, str], limits: Limits) -> bytes:
    """The body as sent. Raises TooLarge past the limit, after having let the sender finish, and Disconnected.

    A sender that is cut off in the middle of its body often never sees the answer, so a body that is not absurdly
    large is read to its end and dropped.
    """
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > DRAINED_BYTES_MAX:
        raise TooLarge(f"a body of {declared} bytes; at most {limits.compressed_bytes} are taken: send smaller batches")
    pieces: list[bytes] = []
    size = 0
    more = True
    while more and size <= DRAINED_BYTES_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        size += len(piece)
        if size > limits.compressed_bytes:
            pieces.clear()
        else:
            pieces.append(piece)
        more = message.get("more_body", False)
    if size > limits.compressed_bytes:
        raise TooLarge(
            f"a body of {size if not more else declared or 'too many'} bytes; at most {limits.compressed_bytes} are "
            "taken: send smaller batches"
        )
    return b"".join(pieces)


async def drain(receive: Receive, headers: Mapping[str, str]) -> None:
    """A body that will not be looked at has been let in and dropped, so that the sender hears the answer."""
    try:
        await read_body(receive, headers, Limits(compressed_bytes=0))
    except TooLarge:
        return


def check_encoding(content_encoding: str) -> None:
    """The content encoding is one that `decompress` knows. Raises UnsupportedMedia."""
    if content_encoding.strip().lower() not in ("", "identity", "gzip", "x-gzip"):
        raise UnsupportedMedia(f"content-encoding '{content_encoding}' is not read here. Read: gzip, identity")


def decompress(body: bytes, content_encoding: str, limits: Limits) -> bytes:
    """The body without its gzip (one member or several), or as it is.

    Raises TooLarge as soon as it unfolds past the limit, without unfolding the rest, and MalformedRequest where it is
    not whole gzip.
    """
    if content_encoding.strip().lower() in ("", "identity"):
        return body
    pieces: list[bytes] = []
    size = 0
    rest = body
    try:
        while rest:
            member = zlib.decompressobj(_GZIP)
            while not member.eof:
                piece = member.decompress(rest, min(_PIECE_BYTES, limits.decompressed_bytes + 1 - size))
                rest = member.unconsumed_tail
                if not piece and not rest and not member.eof:
                    raise MalformedRequest(f"{len(body)} bytes of gzip that end too early")
                pieces.append(piece)
                size += len(piece)
                if size > limits.decompressed_bytes:
                    raise TooLarge(
                        f"the body unfolds to more than the {limits.decompressed_bytes} bytes that are taken: "
                        "send smaller batches"
                    )
            rest = member.unused_data
    except zlib.error as error:
        raise MalformedRequest(f"content-encoding is gzip, but the {len(body)} bytes are not: {error}") from None
    return b"".join(pieces)
