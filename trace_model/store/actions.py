"""The second kept record: what people did, append-only and hash-chained, so that a changed or missing row shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import duckdb

GENESIS = "0" * 64


@dataclass(frozen=True)
class Action:
    """One deed: who did what to which thing, when (aware UTC), why, and the particulars (before and after among them)."""

    action_no: int
    acted_at: datetime
    actor: str
    deed: str
    subject_type: str
    subject_id: str
    reason: str
    detail: str
    previous_hash: str
    hash: str


def append(
    connection: duckdb.DuckDBPyConnection,
    *,
    acted_at: datetime,
    actor: str,
    deed: str,
    subject_type: str,
    subject_id: str,
    reason: str,
    detail: Mapping[str, Any],
) -> Action:
    """The deed is the newest link of the chain; runs inside the caller's transaction, under the recording lock."""
    last = connection.execute("select action_no, hash from operator_actions order by action_no desc limit 1").fetchone()
    number, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
    text = json.dumps(detail, sort_keys=True, default=str, ensure_ascii=False)
    link = _link(number, acted_at, actor, deed, subject_type, subject_id, reason, text, previous)
    action = Action(number, acted_at, actor, deed, subject_type, subject_id, reason, text, previous, link)
    connection.execute(
        "insert into operator_actions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", list(asdict(action).values())
    )
    return action


def first_broken(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The number of the first deed whose hash or predecessor does not fit, or None if the chain is whole."""
    previous = GENESIS
    for row in connection.execute("from operator_actions order by action_no").fetchall():
        if row[8] != previous or _link(*row[:8], row[8]) != row[9]:
            return int(row[0])
        previous = row[9]
    return None


def _link(number: int, acted_at: datetime, *texts: str) -> str:
    digest = hashlib.sha256()
    for part in (str(number), f"{acted_at.timestamp():.6f}", *texts):
        digest.update(part.encode() + b"\x1f")
    return digest.hexdigest()
