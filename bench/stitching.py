"""Precision and recall of links and of timeline membership, by scenario, against what truly happened in the simulated estate.

A second pass takes every id of a parent out of the same spans, so that only weaker evidence is left: what then is missing is told by
recall, and a wrong link by precision, which must stay 1. The last rows are the agreement with ocpa (`bench/ocpa_agreement.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import uvicorn
from starlette.applications import Starlette

from bench import ocpa_agreement
from bench.served import free_port
from collectors.access import Access
from collectors.ingest import Ingest
from collectors.otlp_http import routes
from trace_model.catalogue.loader import load
from trace_model.spans import SCHEMA
from trace_model.store import Store
from trace_model.store.store import utc_now

DAYS, SEED = 2, 7
SPANS = "select * exclude (seq, received_at) from spans order by seq"
MEMBERS = """
select t.lead_id, o.object_type, o.object_id
from timelines t join timeline_members m using (lead_key) join objects o using (object_key) where t.lead_type = 'order'
"""
LINKS = """
select c.object_type, c.object_id, p.object_type, p.object_id
from links k join objects c on c.object_key = k.child_key join objects p on p.object_key = k.parent_key where k.kind = 'part_of'
"""
Thing = tuple[str, str]
Pair = tuple[Thing, Thing]


def run() -> list[dict[str, Any]]:
    """One row a scenario for the spans as sent and one without ids of parents; then the agreement with ocpa."""
    store = Store(None, load(), clock=utc_now, threads=2)
    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder) / "truth.jsonl"
        _play(store, truth)
        orders = [
            line
            for line in map(json.loads, truth.read_text("utf-8").splitlines())
            if line["kind"] == "order" and line["order"]
        ]
    store.project()
    with store.database.reading() as c:
        spans = c.sql(SPANS).to_arrow_table().select(SCHEMA.names)
    rows = _judged("as sent", store, orders)
    store.close()
    bare = Store(None, load(), clock=utc_now, threads=2)
    bare.record(_without_parents(spans, bare))
    bare.rebuild()
    rows += _judged("no ids of parents", bare, orders)
    bare.close()
    return rows + ocpa_agreement.run()


def _play(store: Store, truth: Path) -> None:
    """The estate sends its days in by the ordinary door."""
    ingest = Ingest(store)
    door = Starlette(routes=routes(ingest, Access()))
    port, engine_port = free_port(), free_port()
    server = uvicorn.Server(uvicorn.Config(door, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    estate = [sys.executable, "-m", "sample_data", "--endpoint", f"http://127.0.0.1:{port}/v1/traces"]
    estate += ["--days", str(DAYS), "--seed", str(SEED), "--engine-port", str(engine_port), "--no-live"]
    try:
        subprocess.run([*estate, "--truth", str(truth)], check=True, stdout=subprocess.DEVNULL)
    finally:
        server.should_exit = True
        thread.join()
        ingest.close()


def _without_parents(spans: pa.Table, store: Store) -> pa.Table:
    relations = store.catalogue.relations
    names = {name for r in relations for name in (r.id_attribute, r.amount_attribute, r.quantity_attribute)}

    def bare(text: str) -> str:
        return json.dumps({key: value for key, value in json.loads(text).items() if key not in names})

    attributes = [bare(text) for text in spans.column("attributes").to_pylist()]
    traces = [uuid.UUID(str(trace)).bytes for trace in spans.column("trace_id").to_pylist()]
    columns = {name: spans.column(name) for name in SCHEMA.names} | {
        "attributes": pa.array(attributes, pa.string()),
        "trace_id": pa.ExtensionArray.from_storage(pa.uuid(), pa.array(traces, pa.binary(16))),
    }
    cast = [columns[f.name] if f.name == "trace_id" else columns[f.name].cast(f.type) for f in SCHEMA]
    return pa.Table.from_arrays(cast, schema=SCHEMA)


def _judged(evidence: str, store: Store, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    derived = _derived(store)
    found: dict[str, dict[str, tuple[set[Any], set[Any]]]] = defaultdict(
        lambda: {"links": (set(), set()), "members": (set(), set())}
    )
    counts: dict[str, int] = defaultdict(int)
    for told in orders:
        counts[told["scenario"]] += 1
        ours, true = derived.get(told["order"], {"links": set(), "members": set()}), _true(told)
        for scenario in (told["scenario"], "all"):
            for what, mine in ours.items():
                for side, things in zip(found[scenario][what], (mine, true[what]), strict=True):
                    side.update((told["order"], thing) for thing in things)
    counts["all"] = len(orders)
    return [
        {"evidence": evidence, "scenario": scenario, "orders": counts[scenario]}
        | {
            f"{what} {measure}": value
            for what in ("links", "members")
            for measure, value in _measures(*found[scenario][what]).items()
        }
        for scenario in ("all", *sorted(counts.keys() - {"all"}))
    ]


def _measures(ours: set[Any], true: set[Any]) -> dict[str, float]:
    both = len(ours & true)
    return {"precision": both / len(ours) if ours else 1.0, "recall": both / len(true) if true else 1.0}


def _derived(store: Store) -> dict[str, dict[str, set[Any]]]:
    """Of every order: what stands in its timeline, and the links between that."""
    with store.database.reading() as c:
        members: dict[str, set[Thing]] = defaultdict(set)
        for order, type_, id_ in c.execute(MEMBERS).fetchall():
            members[order].add((type_, id_))
        above: dict[Thing, set[Thing]] = defaultdict(set)
        for child_type, child, parent_type, parent in c.execute(LINKS).fetchall():
            above[child_type, child].add((parent_type, parent))
    return {
        order: {"members": held, "links": {(child, parent) for child in held for parent in above[child] & held}}
        for order, held in members.items()
    }


def _true(told: dict[str, Any]) -> dict[str, set[Any]]:
    """What belongs to the order; a customer stands beside it and is no member."""
    thing: Callable[[dict[str, str]], Thing] = lambda o: (o["type"], o["id"])  # noqa: E731
    members = {thing(o) for o in told["objects"] if o["type"] != "customer"}
    links = {(thing(k["from"]), thing(k["to"])) for k in told["links"]}
    return {"links": {k for k in links if k[0] in members and k[1] in members}, "members": members}


if __name__ == "__main__":
    for row in run():
        print(row)
