"""OCEL 2.0 in and out: the standard's running example, loaded, derived, exported in each format, and read back by pm4py;
then its orders grouped with what belongs to them, by us, by pm4py and by ocpa.

pm4py (AGPL) and ocpa are never imported here: each runs in an environment of its own, which this makes (`bench.peers`).
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
LEAD, MASTER_DATA = "orders", ("customers", "employees", "products")
"""What the catalogue says of the log: orders lead, and nothing hangs together by a customer, an employee or a product."""
GROUPING_S = 600
GROUP_PM4PY = """
import sys, time, warnings
warnings.filterwarnings("ignore")
import pm4py
from pm4py.algo.transformation.ocel.split_ocel import algorithm as split
path, lead, out, *masters = sys.argv[1:]
began = time.perf_counter()
log = pm4py.read_ocel2_sqlite(path)
read_s = time.perf_counter() - began
flow = pm4py.filter_ocel_object_types(log, [t for t in pm4py.ocel_get_object_types(log) if t not in masters])
pm4py.write_ocel_json(flow, out)
began = time.perf_counter()
groups = split.apply(flow, variant=split.Variants.ANCESTORS_DESCENDANTS, parameters={"object_type": lead})
print("GROUPED", read_s, time.perf_counter() - began, len(groups))
"""
GROUP_OCPA = """
import sys, time, warnings
warnings.filterwarnings("ignore")
from ocpa.objects.log.importer.ocel import factory
path, lead = sys.argv[1:]
began = time.perf_counter()
log = factory.apply(path, parameters={"execution_extraction": "leading_type", "leading_type": lead})
read_s = time.perf_counter() - began
began = time.perf_counter()
groups = log.process_execution_objects
print("GROUPED", read_s, time.perf_counter() - began, len(groups))
"""


def run(log: Path = LOG) -> list[dict[str, Any]]:
    """Medians of `ROUNDS` rounds in seconds; what pm4py counts in the original and in each export; and who groups how fast."""
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
        ours_s = statistics.median(_load_s(log) for _ in range(ROUNDS))
        ours = {
            "grouped by": "cashtrail, all that is derived",
            "read_s": ours_s,
            "group_s": derived_s,
            "groups": len(states),
        }
        rows += [ours, *_grouped_by_peers(log, Path(folder))]
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


def _grouped_by_peers(log: Path, folder: Path) -> list[dict[str, Any]]:
    """The same log grouped by leading type elsewhere. Grouping alone: no milestones, amounts, clocks or checks."""
    flow = folder / "flow.jsonocel"  # OCEL 1.0, which is what ocpa reads
    return [
        _grouped("pm4py", "ancestors and descendants", GROUP_PM4PY, str(log), LEAD, str(flow), *MASTER_DATA),
        _grouped("ocpa", "leading type", GROUP_OCPA, str(flow), LEAD),
    ]


def _grouped(package: str, how: str, script: str, *given: str) -> dict[str, Any]:
    row: dict[str, Any] = {"grouped by": f"{package}, {how}", "read_s": "", "group_s": "", "groups": ""}
    python = python_with(package)
    if python is None:
        return row | {"group_s": "could not be installed"}
    try:
        ran = subprocess.run(
            [python, "-c", script, *given], capture_output=True, text=True, check=False, timeout=GROUPING_S
        )
    except subprocess.TimeoutExpired:
        return row | {"group_s": f"not within {GROUPING_S} s"}
    told = next((line.split()[1:] for line in ran.stdout.splitlines() if line.startswith("GROUPED")), None)
    if told is None:
        raise RuntimeError(f"{package} cannot group {given[0]}: {ran.stderr[-500:]}")
    return row | {"read_s": float(told[0]), "group_s": float(told[1]), "groups": int(told[2])}


if __name__ == "__main__":
    for row in run():
        print(row)
