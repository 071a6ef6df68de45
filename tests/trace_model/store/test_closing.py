"""A store that closes breaks off what is still being answered, and lets go of its file."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb

from trace_model.store.database import Database

ENDLESS = "select count(*) from range(1000000000000) t(i) where hash(i) % 7 = 3"


def test_a_question_that_is_being_answered_does_not_keep_the_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    database = Database(path, threads=1)
    begun, ended = threading.Event(), threading.Event()

    def ask() -> None:
        with database.reading() as c:
            begun.set()
            try:
                c.execute(ENDLESS).fetchall()
            except (duckdb.InterruptException, duckdb.ConnectionException):  # the latter where it had not begun yet
                ended.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(60)
    database.close()
    assert ended.wait(60)
    asking.join()
    Database(path, threads=1).close()
