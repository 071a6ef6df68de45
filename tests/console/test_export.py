"""What goes in as a log comes out as the same log; what systems said comes out as one that others can read."""

from __future__ import annotations

import copy
import csv
import json
import os
import sqlite3
import subprocess
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from collectors.batch import Gathering
from collectors.files import READERS, load
from collectors.ingest import Ingest
from collectors.ocel import EventLogs
from console.export import FORMATS, TABLES, Exported, export
from tests.collectors.ocel_files import LOG, write
from trace_model.catalogue import loader
from trace_model.catalogue.failure_rules import load_rules
from trace_model.catalogue.schema import Catalogue
from trace_model.errors import PermanentError
from trace_model.store import Store

LATER = datetime(2026, 6, 1, tzinfo=UTC)
RULES = load_rules(None, [])
ENDINGS = {"ocel-json": "json", "ocel-xml": "xml", "ocel-sqlite": "sqlite"}
Opened = Callable[..., Store]
Said = dict[str, Any]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Stores in memory, with the files given loaded and everything derived."""
    stores: list[Store] = []

    def open_store(*paths: Path, catalogue: str = "ocel_order_management.yaml") -> Store:
        given = loader.load(catalogue)
        store = Store(None, given, clock=lambda: LATER, rules=RULES, threads=2)
        stores.append(store)
        ingest = Ingest(store)
        for path in paths:
            report = load([path], ingest, readers=(*EventLogs(given).readers, *READERS))
            assert report.fault_count == 0, report.faults
        ingest.close()
        store.project()
        return store

    yield open_store
    for store in stores:
        store.close()


def said(path: Path) -> Said:
    """Everything a SQLite log says, in no order: read by plain SQL, without the product's reader."""
    c = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    c.row_factory = sqlite3.Row

    def rows(query: str) -> list[sqlite3.Row]:
        return c.execute(query).fetchall()

    found: Said = {
        "event": Counter((str(r[0]), r[1]) for r in rows("select ocel_id, ocel_type from event")),
        "object": Counter((str(r[0]), r[1]) for r in rows("select ocel_id, ocel_type from object")),
        "e2o": Counter(tuple(map(str, r)) for r in rows("select * from event_object")),
        "o2o": Counter(tuple(map(str, r)) for r in rows("select * from object_object")),
    }
    for kind in ("event", "object"):
        types = {r[0]: r[1] for r in rows(f"select ocel_type, ocel_type_map from {kind}_map_type")}
        found[f"{kind} types"] = sorted(types)
        values: Counter[tuple[Any, ...]] = Counter()
        for type_name, short in types.items():
            for row in rows(f'select * from "{kind}_{short}"'):
                told = {name: row[name] for name in row.keys() if row[name] is not None}  # noqa: SIM118
                told["ocel_id"] = str(told["ocel_id"])
                told["ocel_time"] = told["ocel_time"].replace("T", " ").removesuffix("Z")
                values[type_name, tuple(sorted(told.items(), key=lambda pair: pair[0]))] += 1
        found[f"{kind} values"] = values
    c.close()
    return found


def graph(log: dict[str, Any]) -> Said:
    """Everything an OCEL JSON document says, in no order, times as instants."""

    def at(text: str) -> datetime:
        return datetime.fromisoformat(text)

    return {
        "event types": sorted((t["name"], sorted((a["name"], a["type"]) for a in t["attributes"])) for t in log["eventTypes"]),
        "object types": sorted((t["name"], sorted((a["name"], a["type"]) for a in t["attributes"])) for t in log["objectTypes"]),
        "events": sorted(
            (e["id"], e["type"], at(e["time"]), sorted((a["name"], repr(a["value"])) for a in e["attributes"]),
             sorted((r["objectId"], r["qualifier"]) for r in e["relationships"]))
            for e in log["events"]
        ),
        "objects": sorted(
            (o["id"], o["type"], sorted((a["name"], at(a["time"]), repr(a["value"])) for a in o["attributes"]),
             sorted((r["objectId"], r["qualifier"]) for r in o["relationships"]))
            for o in log["objects"]
        ),
    }  # fmt: skip


@pytest.mark.parametrize("came_as", ["json", "xml", "sqlite"])
@pytest.mark.parametrize("goes_as", ENDINGS)
def test_a_log_comes_out_as_it_came_in_whatever_the_formats(
    came_as: str, goes_as: str, tmp_path: Path, opened: Opened
) -> None:
    out = tmp_path / f"out.{ENDINGS[goes_as]}"
    told = export(opened(write(tmp_path, came_as)), out, goes_as, as_of=LATER)
    assert told.counts == {"events": 6, "objects": 7, "event-object relations": 9, "object-object relations": 7}
    # whatever it was written as is read by loading it once more and asking for JSON
    back = tmp_path / "back.json"
    export(opened(out), back, "ocel-json", as_of=LATER)
    assert graph(json.loads(back.read_text("utf-8"))) == graph(LOG)


@pytest.mark.slow
def test_the_running_example_comes_out_row_by_row_and_is_loaded_again_as_nothing_new(
    shared_data: Path, tmp_path: Path, opened: Opened
) -> None:
    came = shared_data / "ocel2-running-example.sqlite"
    store = opened(came)
    before = store.recorded_seq
    out = tmp_path / came.name
    told = export(store, out, "ocel-sqlite", as_of=LATER)
    assert told.counts == {
        "events": 18_211, "objects": 10_031, "event-object relations": 35_857, "object-object relations": 25_336,
    }  # fmt: skip
    expected, found = said(came), said(out)
    for part in expected:
        assert found[part] == expected[part], part
    again(store, out)
    assert store.recorded_seq == before


@pytest.mark.slow
def test_every_order_of_the_running_example_is_open_with_its_items_and_packages(
    shared_data: Path, opened: Opened
) -> None:
    came = shared_data / "ocel2-running-example.sqlite"
    store = opened(came)
    c = sqlite3.connect(f"file:{came}?mode=ro", uri=True)
    contains = c.execute(
        "select a.ocel_source_id, a.ocel_target_id, b.ocel_source_id from object_object a left join object_object b"
        " on b.ocel_target_id = a.ocel_target_id and b.ocel_qualifier = 'contains' where a.ocel_qualifier = 'comprises'"
    ).fetchall()
    c.close()
    items = {(order, item) for order, item, _ in contains}
    packages = {(order, package) for order, _, package in contains if package}
    with store.database.reading() as cursor:
        members = cursor.execute(
            "select o.object_type, t.lead_id, o.object_id from timeline_members m join timelines t using (lead_key) join objects o using (object_key)"
        ).fetchall()
    assert {(lead, thing) for kind, lead, thing in members if kind == "item"} == items
    assert {(lead, thing) for kind, lead, thing in members if kind == "package"} == packages
    whole = {"states": None, "promise": None, "region": None, "product_line": None, "legal_entity": None, "milestone": None,
             "min_amount": None, "with_exception": None, "q": None, "offset": 0, "limit": 5000}  # fmt: skip
    rows = store.rows("timelines", as_of=LATER, **whole)
    assert len(rows) == 2_000
    assert not {row["state"] for row in rows} & {"completed", "cancelled"}
    assert all(row["amount"] and row["customer_id"] for row in rows)
    c = sqlite3.connect(f"file:{came}?mode=ro", uri=True)
    placed = c.execute(
        "select o.ocel_object_id, e.ocel_time from \"event_PlaceOrder\" e join event_object o on o.ocel_event_id = e.ocel_id and o.ocel_qualifier = 'order'"
    ).fetchall()
    c.close()
    began = {r["lead_id"]: r["started_at"] for r in store.rows("export_timelines", as_of=LATER)}
    assert began == {order: datetime.fromisoformat(at).replace(tzinfo=UTC) for order, at in placed}, "not before"


@pytest.mark.slow
def test_a_suggested_catalogue_finds_the_same_orders(shared_data: Path, tmp_path: Path, opened: Opened) -> None:
    came = shared_data / "ocel2-running-example.sqlite"
    suggested = tmp_path / "suggested.yaml"
    suggested.write_text(EventLogs(loader.load()).suggestion(came), "utf-8")
    store = opened(came, catalogue=str(suggested))
    assert store.ask("export_timelines", as_of=LATER).num_rows == 2_000
    links = store.ask("export_links", as_of=LATER)
    assert Counter(links.column("child_type").to_pylist()) == {"item": 7_670, "package": 7_670}


def test_a_cancelled_order_of_a_log_is_cancelled_by_the_suggested_catalogue(tmp_path: Path, opened: Opened) -> None:
    log = copy.deepcopy(LOG)
    log["eventTypes"].append({"name": "Order Cancelled ", "attributes": []})
    log["events"].append(
        {"id": "e7", "type": "Order Cancelled ", "time": "2026-03-06T00:00:00Z", "attributes": [],
         "relationships": [{"objectId": "o2", "qualifier": "order"}]}
    )  # fmt: skip
    path = write(tmp_path, "json", log)
    suggested = tmp_path / "suggested.yaml"
    suggested.write_text(EventLogs(loader.load()).suggestion(path), "utf-8")
    timelines = opened(path, catalogue=str(suggested)).ask("export_timelines", as_of=LATER).to_pylist()
    states = {row["lead_id"]: row["state"] for row in timelines}
    assert states["o2"] == "cancelled"
    assert states["o1"] not in ("cancelled", "completed"), "nothing says what completes an order"


def test_an_order_is_complete_when_all_its_items_are_delivered_and_it_is_paid(tmp_path: Path, opened: Opened) -> None:
    out = tmp_path / "tables"
    export(opened(write(tmp_path, "json")), out, "csv", as_of=LATER)
    with (out / "timelines.csv").open(encoding="utf-8") as lines:
        states = {row["lead_id"]: (row["state"], row["completed_at"], row["amount"]) for row in csv.DictReader(lines)}
    assert states["o1"] == ("completed", "2026-03-05T10:00:00Z", "31.00")
    assert states["o2"][0] != "completed"


def test_faults_of_a_log_come_out_as_they_came_in(tmp_path: Path, opened: Opened) -> None:
    path = write(tmp_path, "sqlite")
    with sqlite3.connect(path) as c:
        c.execute("insert into event_object values ('e1', 'ghost', 'order')")
        c.execute("insert into object_object values ('ghost', 'o1', 'haunts'), ('o1', 'ghost', 'fears')")
        c.execute("insert into object values ('d1 ', 'drones')")
        c.execute("insert into event_object values ('e1', 'd1 ', '')")
    c.close()
    store = opened(path)
    out = tmp_path / "out.sqlite"
    told = export(store, out, "ocel-sqlite", as_of=LATER)
    came, went = said(path), said(out)
    assert (went["e2o"], went["o2o"], went["object"]) == (came["e2o"], came["o2o"], came["object"])
    assert told.unsaid == 0
    told = export(store, tmp_path / "out.json", "ocel-json", as_of=LATER)
    assert told.unsaid == 1
    assert "1 relations left out" in str(told)


def test_a_longer_copy_of_a_log_adds_what_is_new_and_comes_out_once(tmp_path: Path, opened: Opened) -> None:
    store = opened(write(tmp_path, "json"))
    before = store.recorded_seq
    longer = copy.deepcopy(LOG)
    longer["events"].append(
        {"id": "e7", "type": "pay order", "time": "2026-03-06T00:00:00Z", "attributes": [], "relationships": [{"objectId": "o2", "qualifier": "order"}]}
    )  # fmt: skip
    longer["events"][2]["relationships"].append({"objectId": "i2", "qualifier": "item"})
    longer["objects"][2]["attributes"].append({"name": "price", "time": "2026-03-06T00:00:00Z", "value": 21.0})
    again(store, write(tmp_path, "json", longer))
    assert store.recorded_seq == before + 5, (
        "two events, an object that says more, an item and its order below its first event"
    )
    out = tmp_path / "out.json"
    export(store, out, "ocel-json", as_of=LATER)
    assert graph(json.loads(out.read_text("utf-8"))) == graph(longer)


def test_a_log_loaded_again_by_a_better_catalogue_is_read_anew_and_comes_out_once(
    tmp_path: Path, opened: Opened
) -> None:
    path = write(tmp_path, "json")
    store = opened(path)
    unread = [t for t in store.catalogue.object_types if t.name != "package"]
    poor = store.catalogue.model_copy(update={"object_types": unread, "operations": []})
    again(store, path, poor)
    out = tmp_path / "out.json"
    told = export(store, out, "ocel-json", as_of=LATER)
    assert told.counts == {"events": 6, "objects": 7, "event-object relations": 9, "object-object relations": 7}
    assert graph(json.loads(out.read_text("utf-8"))) == graph(LOG)


def again(store: Store, path: Path, catalogue: Catalogue | None = None) -> None:
    """The file is loaded into a store that may have it."""
    ingest = Ingest(store)
    load([path], ingest, readers=EventLogs(catalogue or store.catalogue).readers)
    ingest.close()
    store.project()


def test_an_export_ends_at_its_instant(tmp_path: Path, opened: Opened) -> None:
    store = opened(write(tmp_path, "json"))
    told = export(store, tmp_path / "out.json", "ocel-json", as_of=datetime(2026, 3, 2, tzinfo=UTC))
    assert told.counts["events"] == 2


def test_events_that_are_yet_to_come_are_part_of_a_whole_export(tmp_path: Path, opened: Opened) -> None:
    log = copy.deepcopy(LOG)
    log["events"][5]["time"] = "2200-01-01T00:00:00Z"
    out = tmp_path / "out.json"
    told = export(opened(write(tmp_path, "json", log)), out, "ocel-json", as_of=None)
    assert told.counts["events"] == 6
    assert graph(json.loads(out.read_text("utf-8"))) == graph(log)


@pytest.mark.parametrize("goes_as", ENDINGS)
def test_two_events_of_one_id_are_two_events_with_their_own_objects_again(
    goes_as: str, tmp_path: Path, opened: Opened
) -> None:
    log = copy.deepcopy(LOG)
    log["events"][1]["id"] = "e1"
    out, back = tmp_path / f"out.{ENDINGS[goes_as]}", tmp_path / "back.json"
    counts = export(opened(write(tmp_path, "json", log)), out, goes_as, as_of=LATER).counts
    assert export(opened(out), back, "ocel-json", as_of=LATER).counts == counts
    named = [[r["objectId"] for r in e["relationships"]] for e in json.loads(back.read_text("utf-8"))["events"]]
    assert named[:2] == [["o1", "ACME & Söhne"], ["o2", "ACME & Söhne"]]


def live_span(
    number: int, name: str, at_s: int, attributes: dict[str, Any], *, failed: bool = False, trace: int | None = None
) -> tuple[Any, ...]:
    at_ns = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() + at_s) * 10**9
    error = 2 if failed else 1
    return (
        uuid.UUID(int=trace or number).bytes, number, None, name, 1, "sync-engine", None, at_ns, at_ns + 5 * 10**8, error, None, None,
        json.dumps({"q2c.operation": name, **attributes}), "{}", None, None,
    )  # fmt: skip


LIVE = [
    live_span(1, "crm.accept_quote", 0, {"q2c.quote.id": "Q-1", "q2c.amount": "100.00", "q2c.currency": "EUR"}),
    live_span(
        2,
        "crm.submit_order",
        60,
        {"q2c.order.id": "7", "q2c.order.quote.id": "Q-1", "q2c.amount": "100.00", "q2c.currency": "EUR"},
    ),
    live_span(3, "erp.create_order", 120, {"q2c.order.id": "7", "q2c.error.code": "E-42"}, failed=True),
    live_span(4, "billing.issue_invoice", 220, {"q2c.invoice.id": "7", "q2c.invoice.order.id": "7"}),
]


def record(store: Store, rows: list[tuple[Any, ...]]) -> None:
    store.record(Gathering("test", list(rows)).decoded(0).spans)
    store.project()


def test_what_systems_said_comes_out_as_runs_and_links(tmp_path: Path, opened: Opened) -> None:
    store = opened(catalogue="quote_to_cash.yaml")
    record(store, LIVE)
    out = tmp_path / "live.json"
    told = export(store, out, "ocel-json", as_of=LATER)
    log = json.loads(out.read_text("utf-8"))
    events = {e["type"]: e for e in log["events"]}
    assert list(events) == ["crm.accept_quote", "crm.submit_order", "erp.create_order", "billing.issue_invoice"]
    assert events["crm.submit_order"]["relationships"] == [
        {"objectId": "order:7", "qualifier": "subject"}, {"objectId": "Q-1", "qualifier": "parent"},
    ]  # fmt: skip
    attributes = {e["type"]: {a["name"]: a["value"] for a in e["attributes"]} for e in log["events"]}
    assert attributes["crm.submit_order"]["milestone"] == "order_submitted"
    assert (attributes["erp.create_order"]["failed"], attributes["erp.create_order"]["error_code"]) == (True, "E-42")
    objects = {o["id"]: o for o in log["objects"]}
    assert set(objects) == {"Q-1", "order:7", "invoice:7"}, "ids of OCEL are unique over all types"
    assert objects["invoice:7"]["relationships"] == [{"objectId": "order:7", "qualifier": "part_of"}]
    assert {a["name"]: a["value"] for a in objects["Q-1"]["attributes"]} == {
        "system": "crm",
        "amount": 100.0,
        "currency": "EUR",
    } | {a["name"]: a["value"] for a in objects["Q-1"]["attributes"] if a["name"] == "system"}
    assert told.counts["object-object relations"] == 2


def test_where_there_are_several_logs_one_must_be_named(tmp_path: Path, opened: Opened) -> None:
    store = opened(write(tmp_path, "json", name="first"), write(tmp_path, "json", name="second"))
    record(store, LIVE)
    out = tmp_path / "out.json"
    with pytest.raises(PermanentError, match=r"holds 3 logs; name one with --log: first, second, live"):
        export(store, out, "ocel-json", as_of=LATER)
    assert not out.exists()
    assert export(store, out, "ocel-json", as_of=LATER, log="second").counts["events"] == 6
    with pytest.raises(PermanentError, match=r"no log 'third' was loaded\. Held: first, second, live"):
        export(store, out, "ocel-json", as_of=LATER, log="third")
    live = export(store, out, "ocel-json", as_of=LATER, log="live")
    assert live.counts["events"] == 2, "the order's: this catalogue knows neither quotes nor invoices"
    assert {o["id"] for o in json.loads(out.read_text("utf-8"))["objects"]}.isdisjoint({"o1", "o2"})


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_empty_store_writes_an_empty_export(file_format: str, tmp_path: Path, opened: Opened) -> None:
    told = export(opened(), tmp_path / "out", file_format, as_of=LATER)
    assert isinstance(told, Exported)
    assert not any(told.counts.values())


def test_an_export_that_fails_leaves_what_was_there(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(write(tmp_path, "json"))
    out = tmp_path / "out.json"
    out.write_text("before", "utf-8")
    monkeypatch.setattr("console.export.JsonWriter.event", _disk_full)
    with pytest.raises(PermanentError, match="cannot be written: No space left"):
        export(store, out, "ocel-json", as_of=LATER)
    assert out.read_text("utf-8") == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.json", "small.json"]


def _disk_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_unknown_format_is_named_with_the_known_ones(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(PermanentError, match=r"no format 'xlsx'\. Known: ocel-sqlite"):
        export(opened(), tmp_path / "out", "xlsx", as_of=LATER)


def test_tables_hold_one_row_of_each_relation_at_the_instant(tmp_path: Path, opened: Opened) -> None:
    store = opened(catalogue="quote_to_cash.yaml")
    record(store, LIVE)
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=150)
    told = export(store, tmp_path / "pq", "parquet", as_of=at)
    assert sorted(p.name for p in (tmp_path / "pq").iterdir()) == sorted(f"{name}.parquet" for name in TABLES)
    assert told.counts == {"timelines": 1, "milestones": 2, "links": 1, "exceptions": 1, "clocks": 2}
    exception = pq.read_table(tmp_path / "pq" / "exceptions.parquet").to_pylist()[0]
    assert (exception["state"], exception["error_code"], exception["lead_id"]) == ("open", "E-42", "7")
    export(store, tmp_path / "csv", "csv", as_of=at)
    with (tmp_path / "csv" / "clocks.csv").open(encoding="utf-8") as lines:
        clocks = {row["promise"]: row["started_at"] for row in csv.DictReader(lines)}
    assert clocks["order_submission"] == "2026-03-01T00:00:00.500000Z"


READ = """
import sys, warnings
warnings.filterwarnings("ignore")
import pm4py
read = {"sqlite": pm4py.read_ocel2_sqlite, "json": pm4py.read_ocel2_json, "xml": pm4py.read_ocel2_xml}
log = read[sys.argv[1].rpartition(".")[2]](sys.argv[1])
print("COUNTS", len(log.events), len(log.objects), len(log.relations), len(log.o2o))
"""


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ENDINGS)
def test_pm4py_reads_the_running_example_back(
    file_format: str, shared_data: Path, tmp_path: Path, opened: Opened
) -> None:
    python = os.environ.get("CASHTRAIL_PM4PY_PYTHON")
    if not python:
        pytest.skip("CASHTRAIL_PM4PY_PYTHON names no Python with pm4py (AGPL: it has an environment of its own)")
    out = tmp_path / f"out.{ENDINGS[file_format]}"
    export(opened(shared_data / "ocel2-running-example.sqlite"), out, file_format, as_of=LATER)
    ran = subprocess.run([python, "-c", READ, str(out)], capture_output=True, text=True, check=False, timeout=300)
    counted = next((line.split()[1:] for line in ran.stdout.splitlines() if line.startswith("COUNTS")), ran.stderr)
    # pm4py leaves out objects without events, and its JSON reader the second qualifier of an event's same object
    relations = "35827" if file_format == "ocel-json" else "35857"
    assert counted == ["18211", "10011", relations, "17666"]
