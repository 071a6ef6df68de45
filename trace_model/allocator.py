"""Another memory allocator for the process that owns the store: mimalloc, where it is to be had.

DuckDB plans a statement out of thousands of small pieces. Under glibc's malloc these cost a third of the processor's time of a batch
(docs/benchmarks.md). Which allocator a process has is settled when it starts, so it starts again, as the same process.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

CHOICE = "CASHTRAIL_ALLOCATOR"
"""`system` in the environment keeps the allocator of the system."""
PRELOAD = "LD_PRELOAD"
RESTARTED = "CASHTRAIL_RESTARTED"
"""The id of the process that has started again, so that it does so once."""


def restart_with_mimalloc() -> None:
    """Starts this process again with mimalloc: same id, arguments and open files; what it has in memory is gone.

    Returns where there is nothing to do: it runs with mimalloc, the environment preloads something else or asks for the
    system's, the library is not installed, or this is no Linux. Then children choose for themselves.
    """
    if os.environ.pop(RESTARTED, None) == str(os.getpid()):
        os.environ.pop(PRELOAD, None)
        return
    library = _library()
    if library is None or os.environ.get(CHOICE) == "system" or os.environ.get(PRELOAD):
        return
    os.environ |= {PRELOAD: str(library), RESTARTED: str(os.getpid())}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very command once more


def _library() -> Path | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        shipped = files("cmeel-mimalloc") or []
    except PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in shipped if f.name == "libmimalloc.so"), None)
