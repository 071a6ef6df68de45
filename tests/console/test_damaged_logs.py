"""Logs as they come from outside: each gets its timelines, a line for everything that was wrong, and loses nothing good."""

from __future__ import annotations

import copy
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.event_log import LogReport
from collectors.files import READERS, load
from collectors.ingest import Ingest
from collectors.ocel import EventLogs
from tests.collectors.ocel_files import LOG, write
from trace_model.catalogue import loader
from trace_model.store import Store

NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)
AS_TOLD = {"o1": "completed", "o2": "open"}
Loads = Callable[[Path], tuple[dict[str, str], LogReport]]


def states_of(store: Store, as_of: datetime = NOW) -> dict[str, str]:
    """Each order: completed, cancelled, or open in any way."""
    rows = store.rows("export_timelines", as_of=as_of)
    return {r["lead_id"]: r["state"] if r["state"] in ("completed", "cancelled") else "open" for r in rows}


@pytest.fixture(scope="module")
def catalogue() -> Any:
    return loader.load("ocel_order_management.yaml")


@pytest.fixture
def timelines(catalogue: Any) -> Iterator[Loads]:
    """Loads a file into a store of its own: the state of each order, and the log's report."""
    stores: list[Store] = []

    def loaded(path: Path) -> tuple[dict[str, str], LogReport]:
        store = Store(None, catalogue, clock=lambda: NOW, threads=2)
        stores.append(store)
        ingest = Ingest(store)
        logs = EventLogs(catalogue)
        report = load([path], ingest, readers=(*logs.readers, *READERS))
        ingest.close()
        assert all("refused" in fault.what for fault in report.faults), report.faults
        store.project()
        return states_of(store), logs.reports[-1]

    yield loaded
    for store in stores:
        store.close()


DAMAGE: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "no maps of types": (
        "drop table event_map_type; drop table object_map_type;", {}, {"table_missing"}),
    "no list of events": ("drop table event;", {}, {"table_missing", "event_row_unlisted"}),
    "no list of objects": ("drop table object;", {}, {"table_missing", "object_row_unlisted"}),
    "no relations: what a package holds is not known, so nothing is called delivered": (
        "drop table object_object;", {"o1": "open"}, {"table_missing"}),
    "no objects of events: what happened is tied to nothing": (
        "drop table event_object;", {"o1": "open"}, {"table_missing", "event_without_objects"}),
    "no qualifiers": (
        "alter table event_object drop column ocel_qualifier; alter table object_object drop column ocel_qualifier;", {}, {"table_missing"}),
    "a map that forgets a type": ("delete from event_map_type where ocel_type = 'pay order';", {}, {"table_missing"}),
    "a type whose table is gone": (
        "drop table \"event_PayOrder\";", {"o1": "open"}, {"row_is_malformed", "event_without_time"}),
    "events and objects that no list names": (
        "delete from event where ocel_id = 'e6'; delete from object where ocel_id in ('o1', 'i2');", {}, {"event_row_unlisted", "object_row_unlisted"}),
    "spaces behind the ids of one table": (
        "update object set ocel_id = ocel_id || '  '; update event set ocel_id = ocel_id || ' ';", {}, {"outer_spaces"}),
    "spaces behind the ids of the others": (
        "update \"object_Orders\" set ocel_id = ocel_id || ' '; update \"event_PayOrder\" set ocel_id = ocel_id || ' ';"
        "update object_object set ocel_target_id = ocel_target_id || ' ';", {}, {"outer_spaces"}),
    "hard spaces, and names in other letters": (
        "update event_object set ocel_object_id = ocel_object_id || char(160); update event set ocel_type = upper(ocel_type) || ' ';"
        "update event_map_type set ocel_type = upper(ocel_type) || ' ';", {}, {"outer_spaces", "folded_name"}),
    "columns in other letters": (
        "alter table \"event_PayOrder\" rename column ocel_id to OCEL_ID; alter table \"event_PayOrder\" rename column ocel_time to Ocel_Time;", {}, set()),
    "every row twice": (
        "".join(f'insert into "{t}" select * from "{t}";' for t in (
            "event", "object", "event_object", "object_object", "event_PayOrder", "event_PackageDelivered", "object_Orders", "event_map_type")),
        {}, {"event_twice", "object_twice", "event_object_twice", "object_object_twice"}),
    "relations again, with spaces and other words": (
        "insert into object_object select ocel_source_id || ' ', ocel_target_id, 'has' from object_object;", {}, {"outer_spaces"}),
    "references to nowhere": (
        "insert into event_object values ('e6', 'ghost', 'order'), ('nothing', 'o2', 'order'); insert into object_object values ('o1', 'ghost', 'x');",
        {}, {"event_names_missing_object", "event_row_missing", "relation_to_missing_object"}),
    "times as seconds": (
        "update \"event_PayOrder\" set ocel_time = 1772704800; update \"event_PackageDelivered\" set ocel_time = '1772618400000';", {}, {"time_in_other_form"}),
    "times as people write them": (
        "update \"event_PayOrder\" set ocel_time = '5.3.2026 10:00'; update \"event_PackageDelivered\" set ocel_time = 'Wed, 04 Mar 2026 10:00:00 +0000';",
        {}, {"time_in_other_form", "time_without_zone"}),
    "a time that may be two days: the payment is refused, not guessed": (
        "update \"event_PayOrder\" set ocel_time = '05/03/2026 10:00';", {"o1": "open"}, {"unreadable_time"}),
    "a price that is none": ("update \"object_Orders\" set price = 'much';", {}, {"amount_is_no_number"}),
    "a cancelled order": (
        "create table \"event_CancelOrder\" (ocel_id text, ocel_time text); insert into event_map_type values ('Cancel Order ', 'CancelOrder');"
        "insert into event values ('e7', 'Cancel Order '); insert into \"event_CancelOrder\" values ('e7', '2026-03-06 09:00:00');"
        "insert into event_object values ('e7', 'o1', 'order');", {"o1": "cancelled"}, {"outer_spaces", "folded_name"}),
    "a word for taking back that the catalogue does not know": (
        "create table \"event_Void\" (ocel_id text, ocel_time text); insert into event values ('e7', 'void invoice');"
        "insert into event_map_type values ('void invoice', 'Void');"
        "insert into \"event_Void\" values ('e7', '2026-03-06 09:00:00'); insert into event_object values ('e7', 'o2', 'order');", {}, {"unknown_cancellation"}),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_database_has_the_timelines_that_it_still_tells(what: str, tmp_path: Path, timelines: Loads) -> None:
    script, otherwise, told = DAMAGE[what]
    path = write(tmp_path, "sqlite")
    with sqlite3.connect(path) as c:
        c.executescript(script)
    c.close()
    states, report = timelines(path)
    assert states == AS_TOLD | otherwise, report.lines()
    assert told <= set(report.findings), report.lines()
    assert all(report.findings[kind].examples for kind in told)


def test_missing_relations_leave_the_quantity_to_events_that_name_order_and_items(
    tmp_path: Path, timelines: Loads
) -> None:
    log = copy.deepcopy(LOG)
    for thing in log["objects"]:
        thing["relationships"] = []
    log["events"][0]["relationships"] += [{"objectId": i, "qualifier": "item"} for i in ("i1", "i2")]
    log["events"][3]["relationships"] += [{"objectId": "i1", "qualifier": "item"}]
    states, report = timelines(write(tmp_path, "json", log))
    assert report.object_object_count == 0
    assert states["o1"] == "open", "of its two items one was delivered"
    log["events"][3]["relationships"] += [{"objectId": "i2", "qualifier": "item"}]
    states, _ = timelines(write(tmp_path, "json", log, name="both"))
    assert states == AS_TOLD


@pytest.mark.parametrize("first", ["1970-01-01T00:00:00Z", "2026-02-01T09:00:00Z"])
def test_an_order_begins_when_it_was_placed_whatever_of_it_has_no_event(
    first: str, tmp_path: Path, catalogue: Any
) -> None:
    """Its item has none, and the log begins long before, perhaps with a time that was never set."""
    log = copy.deepcopy(LOG)
    log["events"][0]["time"] = first
    log["objects"].append(
        {
            "id": "p2",
            "type": "packages",
            "attributes": [],
            "relationships": [{"objectId": "i3", "qualifier": "contains"}],
        }
    )
    store = Store(None, catalogue, clock=lambda: NOW, threads=2)
    ingest = Ingest(store)
    load([write(tmp_path, "json", log)], ingest, readers=EventLogs(catalogue).readers)
    ingest.close()
    store.project()
    began = {r["lead_id"]: r["started_at"] for r in store.rows("export_timelines", as_of=NOW)}
    store.close()
    at_least = datetime(2026, 3, 1, 10, tzinfo=UTC) if first.startswith("2026") else datetime(2026, 3, 1, tzinfo=UTC)
    assert began["o2"] >= at_least


ODD_JSON: dict[str, Callable[[dict[str, Any]], str | bytes]] = {
    "a byte order mark": lambda log: b"\xef\xbb\xbf" + json.dumps(log).encode(),
    "words before the types": lambda log: json.dumps({"version": "2.0", "meta": {"by": "x"}, **log}),
    "no types declared": lambda log: json.dumps({"events": log["events"], "objects": log["objects"]}),
    "nulls for what is empty": lambda log: (
        json.dumps(log).replace('"attributes": []', '"attributes": null').replace('"relationships": []', '"relationships": null')
    ),
    "NaN, as Python writes a missing value": lambda log: json.dumps(log).replace("1.5", "NaN"),
    "letters that are not UTF-8": lambda log: json.dumps(log, ensure_ascii=False).encode("latin-1"),
    "rows that are none": lambda log: json.dumps(log | {"events": [None, 7, {"id": None}, *log["events"]], "objects": [[], *log["objects"]]}),
    "numbers for ids": lambda log: json.dumps(log).replace('"p1"', "71"),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD_JSON)
def test_json_that_a_writer_got_wrong_is_read(what: str, tmp_path: Path, timelines: Loads) -> None:
    text = ODD_JSON[what](copy.deepcopy(LOG))
    path = tmp_path / "odd.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    states, report = timelines(path)
    assert (states, report.event_count) == (AS_TOLD, 6), report.lines()


def test_a_cancelled_order_of_a_log_without_a_catalogue_is_never_completed(tmp_path: Path) -> None:
    log = copy.deepcopy(LOG)
    log["events"] += [
        {"id": f"x{n}", "type": event_type, "time": f"2026-03-05T1{n}:30:00Z", "attributes": [], "relationships": [{"objectId": "o1", "qualifier": "order"}]}
        for n, event_type in enumerate(("Void payment", "Order withdrawn"))
    ]  # fmt: skip
    path = write(tmp_path, "json", log)
    suggested = tmp_path / "mine.yaml"
    suggested.write_text(EventLogs(loader.load(None)).suggestion(path), "utf-8")
    catalogue = loader.load(str(suggested))
    assert {m.name for m in catalogue.milestones if m.cancels} == {"order_withdrawn"}
    assert {m.name: m.undoes for m in catalogue.milestones if m.undoes} == {"void_payment": "pay_order"}
    finals = suggested.read_text("utf-8").replace('operations: ["pay order"]', 'operations: ["pay order"], final: true')
    suggested.write_text(finals, "utf-8")
    store = Store(None, loader.load(str(suggested)), clock=lambda: NOW, threads=2)
    ingest = Ingest(store)
    load([path], ingest, readers=EventLogs(store.catalogue).readers)
    ingest.close()
    store.project()
    assert states_of(store)["o1"] == "cancelled"
    before = datetime(2026, 3, 5, 11, tzinfo=UTC)
    assert states_of(store, before)["o1"] == "open", "its payment was voided"
    store.close()
