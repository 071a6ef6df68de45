"""Whose timeline holds what: ours against ocpa's leading-type executions (Adams, Schuster, van der Aalst 2022), on random logs.

ocpa pins an old pm4py (AGPL) and is never imported here: it runs in `.venv-ocpa`, which this makes, or as `CASHTRAIL_OCPA_PYTHON`
says. Both read the same events. Where they differ, it must be for one of the two reasons of docs/decisions/006: this works out by
hand, in plain loops, what each rule gives, and counts what neither explains.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.peers import python_with
from collectors.files import load
from collectors.ingest import Ingest
from collectors.ocel import EventLogs
from trace_model.catalogue import loader
from trace_model.store import Store

ROOT = Path(__file__).parents[1]
LOGS = 25
EVENTS = 45
OBJECTS = 12
"""Of each type; few enough that they meet, many enough that not everything hangs together."""
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TYPES = ("quote", "order", "item", "package", "invoice", "payment")
PART_OF = {
    ("order", "quote"),
    ("item", "order"),
    ("package", "item"),
    ("invoice", "order"),
    ("payment", "invoice"),
    ("invoice", "package"),
}
SECOND_WAY = {("invoice", "package")}
Thing = tuple[str, str]
LogEvents = list[list[Thing]]
CATALOGUE = """
catalogue: agreement
version: 1
reporting_currency: EUR
rates: {EUR: 1}
systems: [{name: log, label: Log, owner_team: all}]
object_types:
  - {name: quote, label: Quote}
  - {name: order, label: Order}
  - {name: item, label: Item}
  - {name: package, label: Package}
  - {name: invoice, label: Invoice}
  - {name: payment, label: Payment}
lead_types: [order]
relations:
  - {child: order, parent: quote}
  - {child: item, parent: order}
  - {child: package, parent: item}
  - {child: invoice, parent: order}
  - {child: payment, parent: invoice}
  - {child: invoice, parent: package}
operations: [{name: happens, object: order, system: log}]
milestones: [{name: happened, label: Happened, object: order, operations: [happens], owner_team: all, system: log}]
calendars: [{name: always, time_zone: UTC, hours: always}]
promises: []
teams: [{name: all, label: All}]
owners: [{team: all}]
"""
EXECUTIONS = """
import json, sys, warnings
warnings.filterwarnings("ignore")
from ocpa.objects.log.importer.ocel import factory
log = factory.apply(sys.argv[1], parameters={"execution_extraction": "leading_type", "leading_type": "order"})
print("EXECUTIONS" + json.dumps([sorted(map(list, objects)) for objects in log.process_execution_objects]))
"""


def run() -> list[dict[str, Any]]:
    """One row a kind of log: how many orders' members agree, differ for each reason, and differ for none."""
    python = python_with("ocpa")
    if python is None:
        return [{"skipped": "ocpa could not be installed into .venv-ocpa"}]
    rows = []
    for kind in ("one way to each type", "two ways to an invoice", "anything together"):
        chance = random.Random(7)
        logs = [_log(chance, number, kind) for number in range(LOGS)]
        whole = [event for events in logs for event in events]
        ours, theirs = _timelines(whole), _executions(python, whole)
        counts: Counter[str] = Counter()
        for events in logs:
            counts.update(_verdicts(events, ours, theirs))
        rows.append(
            {"logs": kind, "orders": counts.total()}
            | {reason: counts[reason] for reason in ("agree", "nearer type", "directed, sure", "both", "unexplained")}
        )
    return rows


def _verdicts(events: LogEvents, ours: dict[str, set[Thing]], theirs: dict[str, set[Thing]]) -> Iterable[str]:
    for order in sorted({thing[1] for event in events for thing in event if thing[0] == "order"}):
        mine, other = ours.get(order, set()), theirs.get(order, set())
        if mine == other:
            yield "agree"
        elif mine != _members(events, order, nearest=False, sure=True) or other != _members(
            events, order, nearest=True, sure=False
        ):
            yield "unexplained"
        elif other == _members(events, order, nearest=True, sure=True):
            yield "nearer type"
        elif mine == _members(events, order, nearest=True, sure=True):
            yield "directed, sure"
        else:
            yield "both"


def _members(events: LogEvents, order: str, *, nearest: bool, sure: bool) -> set[Thing]:
    """The order's members by the object graph of the events, in plain loops.

    `nearest`: a type counts only as far from the order as it is first met (ocpa). `sure`: an event ties two objects only along a
    declared relation, and only where one side is single; and the way goes up or down, never both (ours).
    """
    near: dict[Thing, set[tuple[Thing, str]]] = defaultdict(set)
    for event in events:
        for a, b in itertools.permutations(sorted(set(event)), 2):
            way = "up" if (a[0], b[0]) in PART_OF else "down" if (b[0], a[0]) in PART_OF else ""
            single = 1 in (len({t for t in event if t[0] == a[0]}), len({t for t in event if t[0] == b[0]}))
            if not sure or (way and single):
                near[a].add((b, way))
    start = ("order", order)
    found, levels, frontier = {start}, {"order": 0}, {(start, "")}
    for level in range(1, len(TYPES)):
        reached = {(b, w) for a, way in frontier for b, w in near[a] if not sure or way in ("", w)}
        for b, _ in sorted(reached):
            levels.setdefault(b[0], level)
        frontier = {(b, w) for b, w in reached if (levels[b[0]] == level if nearest else b[0] != "order")}
        found |= {b for b, _ in frontier}
    return found


def _log(chance: random.Random, number: int, kind: str) -> LogEvents:
    """Events of a few objects, so that they meet: a child with its parents, or a parent with its children; mixed: any four."""
    pool = {t: [f"{number}-{t}-{n}" for n in range(1, OBJECTS + 1)] for t in TYPES}
    events: LogEvents = []
    for _ in range(EVENTS):
        child, parent = chance.choice(sorted(PART_OF - SECOND_WAY if kind == "one way to each type" else PART_OF))
        if kind == "anything together" and chance.random() < 0.2:
            events.append([(t, chance.choice(pool[t])) for t in chance.choices(TYPES, k=4)])
            continue
        one, many = chance.choice(((child, parent), (parent, child)))
        named = [(one, chance.choice(pool[one]))]
        events.append(named + [(many, i) for i in chance.sample(pool[many], chance.choice((0, 1, 1, 2)))])
    return [sorted(set(event)) for event in events]


def _timelines(events: LogEvents) -> dict[str, set[Thing]]:
    """What the product derives: the events as OCEL 2.0, loaded by the ordinary door."""
    log = {
        "eventTypes": [{"name": "happens", "attributes": []}],
        "objectTypes": [{"name": t, "attributes": []} for t in TYPES],
        "events": [
            {
                "id": f"e{number}", "type": "happens", "time": _at(number), "attributes": [],
                "relationships": [{"objectId": i, "qualifier": ""} for _, i in event],
            }
            for number, event in enumerate(events)
        ],
        "objects": [{"id": i, "type": t, "attributes": [], "relationships": []} for t, i in _things(events)],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path, catalogue = Path(folder) / "log.json", Path(folder) / "agreement.yaml"
        path.write_text(json.dumps(log), "utf-8")
        catalogue.write_text(CATALOGUE, "utf-8")
        store = Store(None, loader.load(str(catalogue)), clock=lambda: NOW, threads=1)
        ingest = Ingest(store)
        load([path], ingest, readers=EventLogs(store.catalogue).readers)
        ingest.close()
        store.project()
        found: dict[str, set[Thing]] = {}
        for t in store.rows("export_timelines", as_of=NOW):
            lead = store.rows("timeline", type=t["lead_type"], id=t["lead_id"], scope=None, as_of=NOW)[0]
            members = store.rows("timeline_objects", lead_key=lead["lead_key"], as_of=NOW)
            found[t["lead_id"]] = {(m["object_type"], m["object_id"]) for m in members}
        store.close()
    return found


def _executions(python: str, events: LogEvents) -> dict[str, set[Thing]]:
    """ocpa's process executions by their order; it reads the events as OCEL 1.0."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonocel"
        path.write_text(json.dumps(_ocel_1(events)), "utf-8")
        ran = subprocess.run([python, "-c", EXECUTIONS, str(path)], capture_output=True, text=True, check=False)
    line = next((line for line in ran.stdout.splitlines() if line.startswith("EXECUTIONS")), None)
    if line is None:
        raise RuntimeError(f"ocpa cannot read the log: {ran.stderr[-800:]}")
    found: dict[str, set[Thing]] = {}
    for objects in json.loads(line.removeprefix("EXECUTIONS")):
        members = {(t, i) for t, i in objects}
        (order,) = (i for t, i in members if t == "order")
        found[order] = members
    return found


def _ocel_1(events: LogEvents) -> dict[str, Any]:
    return {
        "ocel:global-event": {"ocel:activity": "__INVALID__"},
        "ocel:global-object": {"ocel:type": "__INVALID__"},
        "ocel:global-log": {
            "ocel:attribute-names": [],
            "ocel:object-types": list(TYPES),
            "ocel:version": "1.0",
            "ocel:ordering": "timestamp",
        },
        "ocel:events": {
            str(number): {
                "ocel:activity": "happens",
                "ocel:timestamp": _at(number),
                "ocel:omap": [i for _, i in event],
                "ocel:vmap": {},
            }
            for number, event in enumerate(events)
        },
        "ocel:objects": {i: {"ocel:type": t, "ocel:ovmap": {}} for t, i in _things(events)},
    }


def _things(events: LogEvents) -> list[Thing]:
    return sorted({thing for event in events for thing in event})


def _at(number: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)).isoformat()


if __name__ == "__main__":
    for row in run():
        print(row)
