"""How far pollers have read, kept beside the spans. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trace_model.store.database import Database, transaction


class Watermarks:
    """The watermarks of one database. Threads may share it."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._writer = database.cursor()

    def of(self, poller: str) -> str | None:
        """The watermark of `poller`, None before its first."""
        with self._database.reading() as c:
            row = c.execute("select watermark from watermarks where poller = ?", [poller]).fetchone()
        return str(row[0]) if row else None

    def keep(self, poller: str, watermark: str) -> None:
        """The watermark is durable. Raises StoreUnavailable: nothing was kept, trying again may help."""
        with self._database.recording, transaction(self._writer) as c:
            c.execute("insert or replace into watermarks values (?, ?, ?)", [poller, watermark, self._clock()])
