"""What every endpoint takes: who asks, as of when, and answers that show what was just sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Query
from pydantic import AwareDatetime

from console.access import Principal, Right
from console.resources import Resources, current

SETTLE_S = 5.0
"""How long an answer waits for the derived rows to show what was recorded before the question."""


def principal(authorization: Annotated[str | None, Header()] = None) -> Principal:
    """Whoever holds the bearer token; everyone is `local` where no login is configured (loopback only)."""
    scheme, _, token = (authorization or "").partition(" ")
    found = current().access.principal(token.strip() if scheme.lower() == "bearer" else None)
    if found is None:
        raise HTTPException(
            401, "an access token is needed: 'Authorization: Bearer ...'", {"WWW-Authenticate": "Bearer"}
        )
    return found


def reader(who: Annotated[Principal, Depends(principal)]) -> Resources:
    """The resources, for a principal who may read, once the derived rows show what was recorded before."""
    who.require(Right.READ)
    resources = current()
    resources.store.settle(SETTLE_S)
    return resources


def as_of(as_of: Annotated[AwareDatetime | None, Query(description="RFC 3339; default now")] = None) -> datetime:
    return as_of or current().store.clock()


Asker = Annotated[Principal, Depends(principal)]
Reading = Annotated[Resources, Depends(reader)]
AsOf = Annotated[datetime, Depends(as_of)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query()]
