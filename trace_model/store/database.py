"""Opens the DuckDB file and hands out connections: the one place where the database is opened.

One process owns the file. Writers take the lock of what they write (`recording` or `deriving`), so the two never
wait for each other; every read gets a cursor of its own and sees one snapshot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from weakref import WeakSet

import duckdb
import pandas as pd  # noqa: F401 - DuckDB asks for it by itself, from whichever thread binds a value first; half imported by two it breaks

from trace_model.errors import PermanentError, StoreUnavailable

SQL = files("trace_model.store")
CLOSING_S = 5
"""How long a question that was broken off may take to let go of the file."""


def sql(name: str) -> str:
    """The text of a `.sql` file of this room, by its path below it."""
    return (SQL / name).read_text("utf-8")


class Database:
    """One DuckDB file (or memory), migrated to the current schema when opened.

    Raises StoreUnavailable if another process holds the file (retrying helps once it ends) and PermanentError if the
    file is no database of ours.
    """

    def __init__(self, path: Path | str | None, *, threads: int | None = None, memory_limit: str | None = None) -> None:
        self.path = str(path) if path else ":memory:"
        config: dict[str, str | bool | int | float | list[str]] = {}
        if threads:
            config["threads"] = threads
        if memory_limit:
            config["memory_limit"] = memory_limit
        try:
            self._root = duckdb.connect(self.path, config=config)
        except duckdb.IOException as fault:
            if "lock" in str(fault).lower():
                raise StoreUnavailable(
                    f"{self.path} is in use by another process; stop it, or give this one its own --database", 5
                ) from fault
            raise PermanentError(f"{self.path} cannot be opened as a Cashtrail database: {fault}") from fault
        self._cursors: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
        self._handing_out = threading.Lock()
        self.recording = threading.Lock()
        self.deriving = threading.RLock()
        self._root.execute("set global TimeZone = 'UTC'")
        # the log is folded into the file every 64 MB, which a restart reads in about a second
        self._root.execute("set global checkpoint_threshold = '64MB'")
        self._root.execute("set global preserve_insertion_order = false")
        self._migrate()

    def _migrate(self) -> None:
        self._root.execute(
            "create table if not exists schema_migrations (name varchar primary key, applied_at timestamptz)"
        )
        applied = {row[0] for row in self._root.execute("select name from schema_migrations").fetchall()}
        for migration in sorted(entry.name for entry in (SQL / "migrations").iterdir() if entry.name.endswith(".sql")):
            if migration not in applied:
                with transaction(self._root) as connection:
                    connection.execute(sql(f"migrations/{migration}"))
                    connection.execute("insert into schema_migrations values (?, now())", [migration])

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own onto the same database; close it after use."""
        try:
            cursor = self._root.cursor()
        except duckdb.ConnectionException as fault:
            raise StoreUnavailable("the store is closed") from fault
        with self._handing_out:
            self._cursors.add(cursor)
        return cursor

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for one question, closed afterwards."""
        cursor = self.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def close(self) -> None:
        """The file is let go. A question that is still being answered is broken off: nobody is left to read the answer."""
        with self.deriving, self.recording:
            deadline = time.monotonic() + CLOSING_S
            while True:
                self._interrupt()
                try:
                    self._root.close()
                    return
                except duckdb.ResourceInUseException:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)

    def _interrupt(self) -> None:
        """Whatever is being answered is broken off."""
        with self._handing_out:
            cursors = list(self._cursors)
        for cursor in cursors:
            with suppress(duckdb.ConnectionException):  # it is closed already
                cursor.interrupt()


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """All or nothing. A database fault leaves as StoreUnavailable: nothing was kept, trying again may help."""
    try:
        connection.begin()
        yield connection
        connection.commit()
    except BaseException as fault:
        with suppress(
            duckdb.Error
        ):  # a failed commit has already rolled back; the first fault is the one worth telling
            connection.rollback()
        if isinstance(
            fault,
            duckdb.IOException
            | duckdb.TransactionException
            | duckdb.FatalException
            | duckdb.ConnectionException
            | duckdb.OutOfMemoryException,
        ):
            raise StoreUnavailable(f"the store cannot be written now: {fault}", 2) from fault
        raise
