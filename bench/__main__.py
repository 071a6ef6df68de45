"""`make bench`: runs every benchmark, prints machine, data, command and result, and writes docs/benchmarks.md.

`python -m bench ingest` runs one. Machines are shared and noisy: look at medians and at ratios within one run.
"""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trace_model.allocator import restart_with_mimalloc

TOPICS: dict[str, str] = {
    "ingest": "OTLP/HTTP ingest, durable before the answer",
    "decode": "Decoding OTLP, against the ways not taken",
    "restart": "Ready again after kill -9 in mid-ingest",
    "freshness": "From a span accepted to the query that shows it; pages under load",
    "pages": "Page scripts at 100,000 orders, at rest and under load",
    "projection": "Deriving: a batch against a history, and a rebuild",
    "stitching": "Links and membership against the estate's truth",
    "classification": "Failure classes and categories",
    "outages": "Outages found in the estate, and whom they hit, against the truth",
    "queue": "The exception queue at 200,000 exceptions",
    "forecast": "Forecasts of breaches against two plain rules",
    "clocks": "Every clock state of a million orders, as of now",
    "replay": "Planning and sending replays",
    "ocel": "Object-centric logs in and out, read back by pm4py",
}
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main(wanted: Sequence[str]) -> int:
    """Runs the topics and prints their rows as tables; 1 if one failed."""
    unknown = [topic for topic in wanted if topic not in TOPICS]
    if unknown:
        print(f"no benchmark '{unknown[0]}'. Known: {', '.join(TOPICS)}", file=sys.stderr)
        return 2
    machine = _machine()
    print(machine)
    sections = []
    failed = False
    for topic in wanted or [t for t in TOPICS if (Path(__file__).parent / f"{t}.py").exists()]:
        began = time.perf_counter()
        print(f"\n== {topic}: {TOPICS[topic]}", flush=True)
        try:
            rows = importlib.import_module(f"bench.{topic}").run()
        except Exception as fault:  # noqa: BLE001 - one benchmark that fails must not hide the others
            print(f"failed: {type(fault).__name__}: {fault}", file=sys.stderr)
            failed = True
            continue
        table = _table(rows)
        print(table, flush=True)
        sections.append(
            f"## {TOPICS[topic]}\n\n`python -m bench {topic}` ({time.perf_counter() - began:.0f} s)\n\n{table}\n"
        )
    if not wanted and not failed:
        PAGE.write_text(_HEAD.format(machine=machine, day=time.strftime("%Y-%m-%d")) + "\n".join(sections), "utf-8")
        print(f"\nwritten to {PAGE}")
    return 1 if failed else 0


_HEAD = """# Benchmarks

Last run of `make bench`, {day}. {machine}

Machines are shared and noisy: read medians, and ratios within one run. Bars are what the product promises itself.

"""


def _machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"Machine: {os.cpu_count()} cores of {model}, {memory:.0f} GiB; Python {platform.python_version()}; "
        f"DuckDB {importlib.import_module('duckdb').__version__}; commit {commit or 'unknown'}."
    )


def _table(rows: list[dict[str, Any]]) -> str:
    """Rows as Markdown; one table for each run of rows with the same columns."""
    parts: list[str] = []
    columns: list[str] = []
    for row in rows:
        if list(row) != columns:
            columns = list(row)
            parts.append(("\n" if parts else "") + "| " + " | ".join(columns) + " |")
            parts.append("|" + "---|" * len(columns))
        parts.append("| " + " | ".join(_cell(row[c]) for c in columns) + " |")
    return "\n".join(parts)


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value).replace("|", "\\|")


if __name__ == "__main__":
    restart_with_mimalloc()
    sys.exit(main(sys.argv[1:]))
