"""Who may send: ingest tokens, compared in constant time. Knows headers, not HTTP or gRPC."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trace_model.errors import PermanentError

TOKEN_HEADER = "x-cashtrail-token"  # noqa: S105 - the name of a header, not a token


class Unauthenticated(PermanentError):
    """No ingest token, or one that is not known here. Sending again with the same headers will not help."""


@dataclass(frozen=True)
class Token:
    """One ingest token; `source` names the sender whom it was given to, if any."""

    secret: str
    source: str | None = None

    @classmethod
    def parse(cls, text: str) -> Token:
        """`source:secret`, or the secret alone.

        >>> Token.parse("erp:a1b2"), Token.parse("a1b2")
        (Token(secret='a1b2', source='erp'), Token(secret='a1b2', source=None))
        """
        source, colon, secret = text.strip().rpartition(":")
        if not secret or (colon and not source):
            raise ValueError(f"ingest token {text!r} is not of the form 'source:secret' or 'secret'")
        return cls(secret, source or None)


class Access:
    """The tokens that are taken. Without any, everyone may send: the composition root allows that on loopback only."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._tokens = tuple(tokens)

    @property
    def is_open(self) -> bool:
        """Whether everyone may send."""
        return not self._tokens

    def sender(self, headers: Mapping[str, str]) -> str | None:
        """The source that the request's token names, if it names one. `headers` has lower-case names.

        Raises Unauthenticated where tokens are asked for and none of them was sent.

        >>> Access([Token("a1b2", "erp")]).sender({"authorization": "Bearer a1b2"})
        'erp'
        """
        if self.is_open:
            return None
        offered = headers.get(TOKEN_HEADER, "")
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if not offered and scheme.lower() == "bearer":
            offered = credentials.strip()
        if not offered:
            raise Unauthenticated(f"an ingest token is needed: 'Authorization: Bearer ...' or '{TOKEN_HEADER}: ...'")
        found: Token | None = None
        for token in self._tokens:  # all of them, so that time does not tell which one came close
            if hmac.compare_digest(token.secret.encode(), offered.encode()):
                found = token
        if found is None:
            raise Unauthenticated("this ingest token is not known here")
        return found.source


def source_name(door: str, sender: str | None) -> str:
    """What the `source` column says: the door, and who came through it if the token tells.

    >>> source_name("otlp_http", None), source_name("otlp_http", "erp")
    ('otlp_http', 'otlp_http:erp')
    """
    return f"{door}:{sender}" if sender else door
