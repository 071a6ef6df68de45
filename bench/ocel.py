"""OCEL 2.0 in and out: the standard's running example, loaded, derived, exported in each format, and read back by pm4py.

pm4py is AGPL and never imported here: it runs in `.venv-pm4py`, which this makes, or as `CASHTRAIL_PM4PY_PYTHON` says.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers import python_with
from collectors.files import load
from collectors.ingest import Ingest
from collectors.ocel import EventLogs
from console.export import export
from trace_model.catalogue import loader
from trace_model.store import Store

ROOT = Path(__file__).parents[1]
LOG = ROOT.parent / "shared" / "data" / "ocel2-running-example.sqlite"
ENDINGS = {"ocel-sqlite": "sqlite", "ocel-json": "json", "ocel-xml": "xml"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 3
READ = """
import sys, warnings
warnings.filterwarnings("ignore")
import pm4py
read = {"sqlite": pm4py.read_ocel2_sqlite, "json": pm4py.read_ocel2_json, "xml": pm4py.read_ocel2_xml}
log = read[sys.argv[1].rpartition(".")[2]](sys.argv[1])
print("COUNTS", len(log.events), len(log.objects), len(log.relations), len(log.o2o))
"""


def run(log: Path = LOG) -> list[dict[str, Any]]:
    """Medians of `ROUNDS` rounds in seconds; then what pm4py counts in the original and in each export."""
    if not log.exists():
        return [{"skipped": f"{log.name} is not in ../shared/data"}]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        exports = {ending: Path(folder) / f"{log.stem}.{ending}" for ending in ENDINGS.values()}
        store = _store()
        spans = _load(store, log)
        derived_s = _timed(store.project)
        states = store.ask("export_timelines", as_of=NOW).column("state").to_pylist()
        for file_format, ending in ENDINGS.items():
            path = exports[ending]
            export_s = statistics.median(_export_s(store, path, file_format) for _ in range(ROUNDS))
            load_s = statistics.median(_load_s(path) for _ in range(ROUNDS))
            rows.append(
                {
                    "format": file_format,
                    "size_mb": path.stat().st_size / 2**20,
                    "load_s": load_s,
                    "spans_per_s": int(spans / load_s),
                    "export_s": export_s,
                }
            )
        closed = sum(state in ("completed", "cancelled") for state in states)
        rows.append({"spans": spans, "derive_s": derived_s, "timelines": len(states), "of them not open": closed})
        rows += _read_back(log, exports)
        store.close()
    return rows


def _store() -> Store:
    return Store(None, loader.load("ocel_order_management.yaml"), clock=lambda: NOW)


def _load(store: Store, path: Path) -> int:
    ingest = Ingest(store)
    report = load([path], ingest, readers=EventLogs(store.catalogue).readers)
    ingest.close()
    assert report.fault_count == 0, report.faults
    return report.kept_count


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _export_s(store: Store, path: Path, file_format: str) -> float:
    return _timed(lambda: export(store, path, file_format, as_of=NOW))


def _load_s(path: Path) -> float:
    """Seconds to keep the file's spans durably in an empty store in memory."""
    store = _store()
    try:
        return _timed(lambda: _load(store, path))
    finally:
        store.close()


def _read_back(log: Path, exports: dict[str, Path]) -> list[dict[str, Any]]:
    python = python_with("pm4py")
    if python is None:
        return [{"skipped": "pm4py could not be installed into .venv-pm4py"}]
    rows = []
    for what, path in {"original": log, **exports}.items():
        ran = subprocess.run([python, "-c", READ, str(path)], capture_output=True, text=True, check=False)
        told = next((line.split()[1:] for line in ran.stdout.splitlines() if line.startswith("COUNTS")), None)
        if told is None:
            raise RuntimeError(f"pm4py cannot read {path.name}: {ran.stderr[-500:]}")
        rows.append(
            {"read by pm4py": what} | dict(zip(("events", "objects", "e2o", "o2o"), map(int, told), strict=True))
        )
    return rows


if __name__ == "__main__":
    for row in run():
        print(row)
