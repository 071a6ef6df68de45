"""Event logs of every format become the same spans, and what is wrong with one is told and costs nothing good."""

from __future__ import annotations

import copy
import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collectors.batch import MalformedRequest
from collectors.event_log import LogReport, iso
from collectors.files import READERS, LoadReport, Progress, load
from collectors.ingest import Ingest
from collectors.ocel import EventLogs
from tests.collectors.conftest import MemoryStore
from tests.collectors.ocel_files import LOG, write
from trace_model.catalogue import loader

ENDINGS = ("json", "xml", "sqlite")
Kept = tuple[list[dict[str, Any]], LogReport, LoadReport]
Keep = Callable[[Path], Kept]


@pytest.fixture
def keep(store: MemoryStore, ingest: Ingest) -> Keep:
    """Loads a file with the order-management catalogue: its spans, the log's report, and the load's."""

    def kept(path: Path, catalogue: str = "ocel_order_management.yaml") -> Kept:
        logs = EventLogs(loader.load(catalogue))
        report = load([path], ingest, readers=(*logs.readers, *READERS))
        return store.rows(), logs.reports[-1] if logs.reports else LogReport("none"), report

    return kept


def changed(**parts: list[Any]) -> dict[str, Any]:
    """The small log with more of some of its parts."""
    log = copy.deepcopy(LOG)
    for name, more in parts.items():
        log[name] += more
    return log


def of_kind(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["attributes"]["ocel.kind"] == kind]


def counts(report: LogReport) -> dict[str, int]:
    return {kind: finding.count for kind, finding in report.findings.items()}


@pytest.mark.parametrize("ending", ENDINGS)
def test_events_become_spans_of_no_length_that_name_their_objects(ending: str, tmp_path: Path, keep: Keep) -> None:
    rows, report, loaded = keep(write(tmp_path, ending))
    events = {row["attributes"]["ocel.event.id"]: row for row in of_kind(rows, "event")}
    assert sorted(events) == ["e1", "e2", "e3", "e4", "e5", "e6"]
    first = events["e1"]
    assert (first["name"], first["service"], first["parent_span_id"]) == ("place order", "shop", None)
    assert first["start_unix_ns"] == first["end_unix_ns"] == 1772355600 * 10**9
    assert first["attributes"]["q2c.operation"] == "place order"
    assert (first["attributes"]["q2c.order.id"], first["attributes"]["q2c.customer.id"]) == ("o1", "ACME & Söhne")
    assert first["attributes"]["ocel.object.ids"] == ["o1", "ACME & Söhne"]
    assert first["attributes"]["ocel.object.qualifiers"] == ["order", "customer"]
    assert first["attributes"]["ocel.attribute.channel"] == 'web, "new"'
    assert events["e4"]["attributes"]["ocel.attribute.express"] is True
    assert events["e4"]["attributes"]["q2c.package.id"] == "p1", "named twice with two qualifiers, it is one object"
    assert events["e2"]["start_unix_ns"] == 1772359200 * 10**9, "11:00+01:00"
    assert (report.event_count, report.object_count, report.event_object_count, report.object_object_count) == (
        6,
        7,
        9,
        7,
    )
    assert (loaded.kept_count, loaded.refused_count, loaded.fault_count) == (6 + 7 + 7 + 1, 0, 0)


def test_the_same_log_in_another_format_is_the_same_spans(tmp_path: Path, keep: Keep) -> None:
    kept = []
    for ending in ENDINGS:
        rows, _, _ = keep(write(tmp_path, ending))
        kept.append(
            {
                (row["trace_id"], row["span_id"])
                for row in rows
                if row["attributes"]["ocel.kind"] in ("event", "relation")
            }
        )
    assert kept[0] == kept[1] == kept[2]
    assert len(kept[0]) == 13


def test_loading_again_keeps_nothing_twice(tmp_path: Path, keep: Keep, store: MemoryStore) -> None:
    path = write(tmp_path, "sqlite")
    keep(path)
    before = len(store.seen)
    keep(path)
    assert len(store.seen) == before == 21


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_object_stands_below_its_first_event_and_says_amount_and_quantity(
    ending: str, tmp_path: Path, keep: Keep
) -> None:
    rows, _, _ = keep(write(tmp_path, ending))
    objects = {row["attributes"]["ocel.object.id"]: row for row in of_kind(rows, "object")}
    first = next(row for row in rows if row["attributes"].get("ocel.event.id") == "e1")
    order = objects["o1"]
    assert (order["trace_id"], order["parent_span_id"]) == (first["trace_id"], first["span_id"])
    assert order["start_unix_ns"] == first["start_unix_ns"]
    assert "q2c.operation" not in order["attributes"], "an object is no event"
    assert order["attributes"]["q2c.order.id"] == "o1"
    assert (order["attributes"]["q2c.amount"], order["attributes"]["q2c.currency"]) == ("31.0", "EUR"), (
        "the latest price"
    )
    assert order["attributes"]["q2c.quantity"] == 2
    assert objects["p1"]["attributes"]["q2c.quantity"] == 2
    assert {"name": "price", "time": "2026-03-05T08:00:00Z", "value": 31.0} in order["attributes"]["ocel.attributes"]
    assert objects["i3"]["parent_span_id"] is None, "no event names it"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_declared_relation_names_child_and_parent_whichever_way_the_log_tells_it(
    ending: str, tmp_path: Path, keep: Keep
) -> None:
    rows, report, _ = keep(write(tmp_path, ending))
    links = {
        (said["q2c.item.id"], said["q2c.item.order.id"])
        for row in of_kind(rows, "relation")
        if "q2c.item.order.id" in (said := row["attributes"])
    }
    assert links == {("i1", "o1"), ("i2", "o1"), ("i3", "o2")}, (
        "the log says order comprises item; the item is the child"
    )
    packed = {
        (said["q2c.package.id"], said["q2c.package.item.id"])
        for row in of_kind(rows, "relation")
        if "q2c.package.item.id" in (said := row["attributes"])
    }
    assert packed == {("p1", "i1"), ("p1", "i2")}
    assert report.findings["undeclared_relation"].examples == {"customer - order (places)": 2}


BAD: list[tuple[str, dict[str, list[Any]], int]] = [
    ("event_names_missing_object", {"events": [{"id": "x", "type": "pay order", "time": "2026-03-06T00:00:00Z", "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order"}, {"objectId": "ghost", "qualifier": "order"}]}]}, 1),
    ("relation_to_missing_object", {"objects": [{"id": "o3", "type": "orders", "attributes": [], "relationships": [{"objectId": "ghost", "qualifier": "comprises"}]}]}, 1),
    ("event_twice", {"events": [LOG["events"][0]]}, 1),
    ("event_object_twice", {"events": [{"id": "x", "type": "pay order", "time": "2026-03-06T00:00:00Z", "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order"}] * 3}]}, 2),
    ("object_object_twice", {"objects": [{"id": "o3", "type": "orders", "attributes": [], "relationships": [{"objectId": "i3", "qualifier": "has"}] * 2}]}, 1),
    ("object_twice", {"objects": [LOG["objects"][2] | {"relationships": []}]}, 1),
    ("object_of_two_types", {"objects": [{"id": "o1", "type": "items", "attributes": [], "relationships": []}]}, 1),
    ("event_id_reused", {"events": [{"id": "e1", "type": "pay order", "time": "2026-03-06T00:00:00Z", "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order"}]}]}, 1),
    ("time_without_zone", {"events": [{"id": "x", "type": "pay order", "time": "2026-03-06 00:00:00", "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order"}]}]}, 1),
    ("unknown_object_type", {"objectTypes": [{"name": "drones", "attributes": []}], "objects": [{"id": "d1", "type": "drones", "attributes": [], "relationships": []}]}, 1),
    ("unknown_event_type", {"eventTypes": [{"name": "sing", "attributes": []}],
        "events": [{"id": "x", "type": "sing", "time": "2026-03-06T00:00:00Z", "attributes": [], "relationships": [{"objectId": "o2", "qualifier": "order"}]}]}, 1),
    ("event_without_objects", {"events": [{"id": "x", "type": "pay order", "time": "2026-03-06T00:00:00Z", "attributes": [], "relationships": []}]}, 1),
    ("object_without_events", {}, 2),
    ("event_without_type", {"events": [{"id": "x", "type": "", "time": "2026-03-06T00:00:00Z", "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order"}]}], "eventTypes": [{"name": "", "attributes": []}]}, 1),
    ("without_id", {"events": [{"id": "", "type": "pay order", "time": "2026-03-06T00:00:00Z", "attributes": [],
        "relationships": [{"objectId": "", "qualifier": "order"}]}], "objects": [{"id": "", "type": "orders", "attributes": [], "relationships": []}]}, 2),
    ("time_before_1990", {"events": [{"id": "x", "type": "pay order", "time": "1970-01-01T00:00:00Z", "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order"}]}]}, 1),
    ("time_in_future", {"events": [{"id": "x", "type": "pay order", "time": "2200-01-01T00:00:00Z", "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order"}]}]}, 1),
    ("outer_spaces", {"events": [{"id": "x", "type": "pay order", "time": "2026-03-06T00:00:00Z", "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order "}]}]}, 1),
]  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("kind", "more", "count"), BAD, ids=[kind for kind, _, _ in BAD])
def test_what_is_wrong_is_counted_and_costs_nothing_good(
    kind: str, more: dict[str, list[Any]], count: int, ending: str, tmp_path: Path, keep: Keep
) -> None:
    rows, report, loaded = keep(write(tmp_path, ending, changed(**more)))
    told = report.findings[kind]
    if ending == "sqlite" and kind in ("event_twice", "time_without_zone", "event_object_twice"):
        assert told.count >= count, "SQLite has more rows for it, and times without a zone"
    else:
        assert told.count == count, report.lines()
    assert kind in ("object_without_events",) or told.examples
    assert {"e1", "e2", "e3", "e4", "e5", "e6"} <= {
        row["attributes"]["ocel.event.id"] for row in of_kind(rows, "event")
    }
    assert {"o1", "o2", "i1", "i2", "i3", "p1"} <= {
        row["attributes"]["ocel.object.id"] for row in of_kind(rows, "object")
    }
    assert loaded.fault_count == loaded.refused_count == 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_trailing_spaces_are_read_without_them_and_told(ending: str, tmp_path: Path, keep: Keep) -> None:
    log = copy.deepcopy(LOG)
    log["eventTypes"][4]["name"] = log["events"][5]["type"] = "Pay Order "
    log["events"][5]["relationships"][0]["objectId"] = "o1 "
    for o in log["objects"]:
        o["type"] = "Orders " if o["type"] == "orders" else o["type"]
    log["objectTypes"][1]["name"] = "Orders "
    rows, report, _ = keep(write(tmp_path, ending, log))
    paid = next(row["attributes"] for row in rows if row["attributes"].get("ocel.event.id") == "e6")
    assert (paid["q2c.operation"], paid["q2c.order.id"]) == ("pay order", "o1")
    assert (paid["ocel.event.type"], paid["ocel.object.ids"]) == ("Pay Order ", ["o1 "]), "as it came"
    assert set(report.findings["outer_spaces"].examples) == {"type 'Pay Order '", "type 'Orders '", "object 'o1 '"}
    assert set(report.findings["folded_name"].examples) == {"'Pay Order ' as 'pay order'", "'Orders ' as 'order'"}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("time", "reason"), [(None, "event_without_time"), ("soon", "unreadable_time")])
def test_an_event_without_a_time_is_refused_and_named(
    time: str | None, reason: str, ending: str, tmp_path: Path, keep: Keep
) -> None:
    event = {
        "id": "x",
        "type": "pay order",
        "attributes": [],
        "relationships": [{"objectId": "o2", "qualifier": "order"}],
    }
    rows, report, loaded = keep(
        write(tmp_path, ending, changed(events=[event | ({} if time is None else {"time": time})]))
    )
    assert loaded.refused == {reason: 1}
    assert any("x" in example for example in report.findings[reason].examples) or reason == "unreadable_time"
    assert len(of_kind(rows, "event")) == 6


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00"])
def test_a_time_that_nanoseconds_cannot_say_is_told_as_such(time: str, ending: str, tmp_path: Path, keep: Keep) -> None:
    log = copy.deepcopy(LOG)
    log["events"][5]["time"] = time
    _, report, loaded = keep(write(tmp_path, ending, log))
    assert loaded.refused == {"time_out_of_range": 1}
    assert report.findings["time_out_of_range"].examples == {repr(time): 1}
    assert "ISO 8601" not in str(loaded.faults[0])


@pytest.mark.parametrize("ending", ENDINGS)
def test_spaces_around_the_name_of_an_attribute_do_not_hide_the_amount(ending: str, tmp_path: Path, keep: Keep) -> None:
    log = copy.deepcopy(LOG)
    for each in log["objectTypes"] + log["objects"]:
        for attribute in each["attributes"]:
            attribute["name"] += " "
    rows, report, _ = keep(write(tmp_path, ending, log))
    amounts = {
        row["attributes"]["ocel.object.id"]: row["attributes"].get("q2c.amount") for row in of_kind(rows, "object")
    }
    assert (amounts["o1"], amounts["o2"]) == ("31.0", "20.0")
    assert "attribute 'price '" in report.findings["outer_spaces"].examples


@pytest.mark.parametrize("ending", ["json", "xml"])
def test_an_object_that_is_there_twice_is_one_object_and_its_contradictions_are_told(
    ending: str, tmp_path: Path, keep: Keep
) -> None:
    again = {"id": "o1", "type": "orders", "relationships": [],
             "attributes": [{"name": "price", "time": "1970-01-01T00:00:00Z", "value": 99.0}]}  # fmt: skip
    rows, report, _ = keep(write(tmp_path, ending, changed(objects=[again])))
    (order,) = (row["attributes"] for row in of_kind(rows, "object") if row["attributes"]["ocel.object.id"] == "o1")
    assert order["q2c.amount"] == "31.0", "the latest value, wherever it stands"
    assert [each["value"] for each in order["ocel.attributes"]] == [30.5, 31.0, 99.0]
    assert report.findings["object_twice"].count == 1
    assert list(report.findings["value_twice"].examples) == ["o1: price 30.5 and 99.0"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("is_first", [True, False])
def test_of_an_id_with_two_types_references_mean_the_one_that_leads(
    is_first: bool, ending: str, tmp_path: Path, keep: Keep
) -> None:
    package = {"id": "o1", "type": "packages", "attributes": [], "relationships": []}
    log = copy.deepcopy(LOG)
    log["objects"].insert(0 if is_first else len(log["objects"]), package)
    rows, report, _ = keep(write(tmp_path, ending, log))
    paid = next(row["attributes"] for row in of_kind(rows, "event") if row["attributes"]["ocel.event.id"] == "e6")
    assert (paid.get("q2c.order.id"), paid.get("q2c.package.id")) == ("o1", None)
    assert report.findings["object_of_two_types"].count == 1


def test_types_that_a_log_uses_and_does_not_declare_are_told(tmp_path: Path, keep: Keep) -> None:
    log = LOG | {"eventTypes": LOG["eventTypes"][:4], "objectTypes": LOG["objectTypes"][1:]}
    rows, report, _ = keep(write(tmp_path, "json", log))
    assert report.findings["type_not_declared"].examples == {"event type 'pay order'": 1, "object type 'customers'": 1}
    assert len(of_kind(rows, "event")) == 6


def test_a_report_shows_each_example_in_one_short_line(tmp_path: Path, keep: Keep) -> None:
    log = changed(
        events=[{"id": "x\ny", "type": "pay order", "attributes": [], "relationships": []}],
        objects=[{"id": "z" * 100_000, "type": "orders", "attributes": [], "relationships": []}],
    )
    _, report, loaded = keep(write(tmp_path, "json", log))
    assert all("\n" not in line and len(line) < 500 for line in [*report.lines(), *map(str, loaded.faults)])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_log_of_which_the_catalogue_knows_nothing_is_a_fault_that_says_what_to_do(
    ending: str, tmp_path: Path, keep: Keep
) -> None:
    log = copy.deepcopy(LOG)
    for each in log["eventTypes"] + log["objectTypes"]:
        each["name"] = f"x {each['name']}"
    for each in log["events"] + log["objects"]:
        each["type"] = f"x {each['type']}"
    rows, _, loaded = keep(write(tmp_path, ending, log))
    assert len(of_kind(rows, "event")) == 6, "and kept"
    (fault,) = map(str, loaded.faults)
    assert "knows not one of its types" in fault
    assert "--suggest" in fault


def test_an_event_listed_in_sqlite_without_a_row_of_its_type_is_refused(tmp_path: Path, keep: Keep) -> None:
    path = write(tmp_path, "sqlite")
    with sqlite3.connect(path) as c:
        c.execute("insert into event values ('e9', 'pay order')")
        c.execute("insert into event_object values ('nowhere', 'o1', 'order')")
        c.execute("insert into event_PayOrder values ('stray', '2026-03-06 00:00:00')")
    c.close()
    _, report, loaded = keep(path)
    assert loaded.refused == {"event_without_time": 1}
    assert set(report.findings["event_row_missing"].examples) == {"event_object: nowhere"}
    assert set(report.findings["event_row_unlisted"].examples) == {"event_PayOrder: stray"}, "and kept: it has a time"


def test_ids_that_sqlite_holds_as_numbers_are_the_same_ids(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "numbers.sqlite"
    with sqlite3.connect(path) as c:
        c.executescript(
            """
            create table event (ocel_id integer, ocel_type text); create table object (ocel_id real, ocel_type text);
            create table event_map_type (ocel_type text, ocel_type_map text); create table object_map_type (ocel_type text, ocel_type_map text);
            create table event_object (ocel_event_id text, ocel_object_id integer, ocel_qualifier text);
            create table "event_PayOrder" (ocel_id text, ocel_time text); create table "object_Orders" (ocel_id integer, price real);
            insert into event values (1, 'pay order'); insert into object values (990001, 'orders');
            insert into event_map_type values ('pay order', 'PayOrder'); insert into object_map_type values ('orders', 'Orders');
            insert into event_object values ('1', 990001, null); insert into "event_PayOrder" values ('1', '2026-03-06T00:00:00Z');
            insert into "object_Orders" values (990001, 5.0);
            """
        )
    c.close()
    rows, report, _ = keep(path)
    assert of_kind(rows, "event")[0]["attributes"]["q2c.order.id"] == "990001"
    assert of_kind(rows, "object")[0]["attributes"]["q2c.amount"] == "5.0"
    assert set(report.findings["table_missing"].examples) == {"object_object"}


def test_a_compressed_log_is_read_whatever_its_format(tmp_path: Path, keep: Keep) -> None:
    for ending in ENDINGS:
        path = write(tmp_path, ending)
        packed = tmp_path / f"{path.name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        _, report, loaded = keep(packed)
        assert (report.name, report.event_count, loaded.fault_count) == ("small", 6, 0), ending


def test_a_log_is_told_apart_whatever_stands_first_in_it(tmp_path: Path, keep: Keep) -> None:
    for first in ("objects", "events", "objectTypes"):
        log = {first: LOG[first]} | LOG
        _, report, _ = keep(write(tmp_path, "json", log, name=first))
        assert report.event_count == 6


NOT_LOGS = {
    "cut.xml": (b"<log><object-types></object-types><events><event id='e'", "cut short"),
    "entities.xml": (b"<!DOCTYPE log [<!ENTITY a 'aaaa'>]><log><events></events></log>", "entities"),
    "broken.xml": (b"<log><events><event></objects></log>", "line 1"),
    "old.json": (b'{"ocel:events": {}, "ocel:objects": {}}', "OCEL 1.0"),
    "list.json": (b'{"events": {}, "objects": []}', "array 'events'"),
    "broken.json": (b'{"events": [\n{"id": ]}', "line 2"),
    "table.csv": (b"name;price\nball;3\n", "Columns found: name, price"),
    "cut.sqlite": (b"SQLite format 3\x00" + bytes(2000), "SQLite"),
    "deep.json": (b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "line 1"),
    "encoding.xml": (b"<?xml version='1.0' encoding='X-9'?><log><events/></log>", "unknown encoding: X-9"),
    "quotes.csv": (b'"' + b"x" * 2**21, "Columns found: xxx"),
}


@pytest.mark.parametrize("name", NOT_LOGS)
def test_a_file_that_cannot_be_read_says_why(name: str, tmp_path: Path, keep: Keep) -> None:
    content, told = NOT_LOGS[name]
    (tmp_path / name).write_bytes(content)
    rows, _, loaded = keep(tmp_path / name)
    assert rows == [] or name.startswith("cut")
    assert loaded.fault_count == 1
    assert told in str(loaded.faults[0])
    assert len(str(loaded.faults[0])) < 500


def test_sqlite_that_is_no_log_says_what_it_holds(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "books.sqlite"
    with sqlite3.connect(path) as c:
        c.execute("create table books (title text)")
    c.close()
    _, _, loaded = keep(path)
    assert "Found: books" in str(loaded.faults[0])


def test_sqlite_without_the_columns_of_a_log_says_so(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "wrong.sqlite"
    with sqlite3.connect(path) as c:
        c.executescript(
            "create table event (id text); create table object (name text); create table event_log (message text);"
        )
    c.close()
    _, _, loaded = keep(path)
    assert "no table of events or objects has ocel_id. Found: event, object, event_log" in str(loaded.faults[0])


def test_numbers_too_large_for_json_are_kept_as_they_are_written(tmp_path: Path, keep: Keep) -> None:
    log = copy.deepcopy(LOG)
    log["objects"][3]["attributes"][1]["value"] = 10**30
    log["objects"][3]["attributes"][0]["value"] = "NaN"
    rows, _, loaded = keep(write(tmp_path, "xml", log))
    item = next(row["attributes"] for row in of_kind(rows, "object") if row["attributes"]["ocel.object.id"] == "i1")
    assert [each["value"] for each in item["ocel.attributes"]] == ["NaN", "1" + "0" * 30]
    assert loaded.fault_count == 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_suggested_catalogue_has_no_faults_and_reads_the_log_whole(
    ending: str, tmp_path: Path, store: MemoryStore, ingest: Ingest
) -> None:
    path = write(tmp_path, ending)
    suggested = tmp_path / "suggested.yaml"
    suggested.write_text(EventLogs(loader.load()).suggestion(path), "utf-8")
    catalogue = loader.load(suggested)
    assert catalogue.lead_types == ["order"]
    assert {(r.child, r.parent) for r in catalogue.relations} >= {("item", "order"), ("package", "item")}
    logs = EventLogs(catalogue)
    load([path], ingest, readers=logs.readers)
    assert not {"unknown_event_type", "unknown_object_type", "undeclared_relation"} & logs.reports[0].findings.keys()


def test_a_suggested_catalogue_has_no_faults_whatever_the_names_of_the_log(tmp_path: Path, keep: Keep) -> None:
    log = copy.deepcopy(LOG)
    names = {"customers": "顧客", "items": "商品\x07", "orders": "Orders", "packages": "orders  "}
    for each in log["objectTypes"]:
        each["name"] = names[each["name"]]
    for number, each in enumerate(log["objects"]):
        each["type"] = names[each["type"]] + " " * number
        each["id"] += " " * number
    for number, each in enumerate(log["events"]):
        each["type"] += " " * number
    log["events"] += [
        {"id": "x", "type": each, "time": "2026-03-06T00:00:00Z", "attributes": [], "relationships": []}
        for each in ("Pay Order", '"支払う"\x00', "")
    ]
    path = write(tmp_path, "json", log)
    suggested = tmp_path / "suggested.yaml"
    suggested.write_text(EventLogs(loader.load()).suggestion(path), "utf-8")
    assert len({t.name for t in loader.load(str(suggested)).object_types}) == 4
    _, report, _ = keep(path, str(suggested))
    assert not {"unknown_event_type", "unknown_object_type"} & report.findings.keys()


def test_a_catalogue_is_suggested_for_a_log_without_events_and_refused_for_one_without_objects(tmp_path: Path) -> None:
    logs = EventLogs(loader.load())
    suggested = tmp_path / "suggested.yaml"
    suggested.write_text(logs.suggestion(write(tmp_path, "json", LOG | {"events": []})), "utf-8")
    assert loader.load(str(suggested)).milestones == []
    with pytest.raises(MalformedRequest, match="without objects"):
        logs.suggestion(write(tmp_path, "json", LOG | {"objects": [], "events": []}))


def test_no_catalogue_is_suggested_for_what_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("words", "utf-8")
    logs = EventLogs(loader.load())
    with pytest.raises(MalformedRequest, match=r"words\.txt is no event log\. Read: OCEL"):
        logs.suggestion(tmp_path / "words.txt")
    with pytest.raises(MalformedRequest, match=r"cannot be read: .*No such file"):
        logs.suggestion(tmp_path / "missing.json")


def test_members_that_are_no_events_are_told_and_passed_over(tmp_path: Path, keep: Keep) -> None:
    _, report, loaded = keep(write(tmp_path, "json", changed(events=[7, {"type": "pay order"}], objects=["x"])))
    assert counts(report)["row_is_malformed"] == 3
    assert loaded.fault_count == 0


def test_another_catalogue_reads_plurals_and_says_so(store: MemoryStore, ingest: Ingest, tmp_path: Path) -> None:
    logs = EventLogs(loader.load())
    load([write(tmp_path, "json")], ingest, readers=(*logs.readers, *READERS))
    report = logs.reports[0]
    assert "'orders' as 'order'" in report.findings["folded_name"].examples
    assert report.findings["unknown_object_type"].examples == {"items": 3, "packages": 1}
    assert "no_lead_objects" not in report.findings


def test_progress_ends_at_the_whole_file(ingest: Ingest, tmp_path: Path) -> None:
    logs = EventLogs(loader.load())
    for ending in ENDINGS:
        path = write(tmp_path, ending)
        seen: list[Progress] = []
        load([path], ingest, seen.append, readers=(*logs.readers, *READERS))
        assert seen[-1].done_bytes == seen[-1].total_bytes == path.stat().st_size
        assert all(each.done_bytes <= each.total_bytes for each in seen)


XES = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
  <global scope="trace"><string key="concept:name" value="UNKNOWN"/></global>
  <trace><string key="concept:name" value="o1"/><float key="price" value="9.5"/><string key="customer" value="ACME"/>
    <event><string key="concept:name" value="place order"/><date key="time:timestamp" value="2026-03-01T09:00:00.000+01:00"/></event>
    <event><string key="concept:name" value="pay order"/><string key="lifecycle:transition" value="start"/>
      <date key="time:timestamp" value="2026-03-02T09:00:00+01:00"/></event>
    <event><string key="concept:name" value="pay order"/><string key="lifecycle:transition" value="complete"/>
      <date key="time:timestamp" value="2026-03-02T09:05:00+01:00"/><string key="org:resource" value="Ann"/></event>
  </trace>
  <trace><string key="concept:name" value="o2"/></trace>
</log>"""


def test_a_trace_of_xes_is_an_order_and_starting_is_not_completing(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "classic.xes"
    path.write_text(XES, "utf-8")
    rows, report, loaded = keep(path)
    events = of_kind(rows, "event")
    assert [row["attributes"]["q2c.operation"] for row in events] == ["place order", "pay order+start", "pay order"]
    assert all(
        row["attributes"]["q2c.order.id"] == "o1" and row["attributes"]["q2c.customer.id"] == "ACME" for row in events
    )
    assert events[2]["attributes"]["ocel.attribute.org:resource"] == "Ann"
    order = next(row["attributes"] for row in of_kind(rows, "object") if row["attributes"]["ocel.object.id"] == "o1")
    assert order["q2c.amount"] == "9.5"
    assert "o2" in [row["attributes"]["ocel.object.id"] for row in of_kind(rows, "object")], "a case without events"
    assert (report.event_count, loaded.fault_count, loaded.refused_count) == (3, 0, 0)


CSV = """Case ID;Activity;Timestamp;packages;Amount
o1;place order;2026-03-01 09:00:00;;30
o1;send package;2026-03-03 09:00:00;p1;
o2;send package;2026-03-03 09:00:00;p1;
o2;send package;2026-03-03 09:00:00;p1;
o3;pay order;;;1
o3;pay order;2026-03-03 09:00:00;;1;surplus
"""


def test_columns_of_a_table_name_the_case_and_further_objects(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "table.csv"
    path.write_text(CSV, "utf-8")
    rows, report, loaded = keep(path)
    events = of_kind(rows, "event")
    assert len(events) == 4, "two equal rows are two events"
    assert events[1]["attributes"]["q2c.package.id"] == "p1"
    assert events[1]["attributes"]["q2c.order.id"] == "o1"
    assert events[0]["attributes"]["ocel.attribute.Amount"] == "30"
    assert loaded.refused == {"event_without_time": 1}
    assert report.findings["row_is_malformed"].count == 1
    assert report.findings["time_without_zone"].count == 4
    assert report.findings["row_twice"].examples == {"o2, send package, 2026-03-03 09:00:00, p1": 1}


def test_an_id_that_two_columns_of_a_table_share_is_the_id_of_each(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "item,Case ID,Activity,Timestamp,case:price\n"
        "1,9,place order,2026-03-01T09:00Z,12.5\nnan,1,place order,2026-03-01T10:00Z,7\n",
        "utf-8",
    )
    rows, report, _ = keep(path)
    first, second = (row["attributes"] for row in of_kind(rows, "event"))
    assert (first["q2c.order.id"], first["q2c.item.id"]) == ("9", "1")
    assert (second["q2c.order.id"], second.get("q2c.item.id")) == ("1", None)
    objects = [row["attributes"] for row in of_kind(rows, "object")]
    assert {(o.get("q2c.order.id"), o.get("q2c.amount")) for o in objects if o["ocel.object.type"] == "order"} == {
        ("9", "12.5"),
        ("1", "7"),
    }
    assert {o["ocel.object.id"] for o in objects} == {"9", "1", "order:1"}
    assert report.findings["id_of_two_types"].examples == {"1: item and order": 1}
    assert report.findings["placeholder_id"].examples == {"item: nan": 1}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_table_of_another_encoding_and_any_line_end_keeps_its_letters(
    line_end: str, tmp_path: Path, keep: Keep
) -> None:
    path = tmp_path / "table.csv"
    lines = [
        "Case ID,Activity,Timestamp,customer",
        "o1,place order,2026-03-01 9:05,Söhne",
        "o2,place order,2026-3-1,Sühne",
    ]
    path.write_bytes(line_end.join(lines).encode("cp1252"))
    rows, report, loaded = keep(path)
    assert [row["attributes"]["q2c.customer.id"] for row in of_kind(rows, "event")] == ["Söhne", "Sühne"]
    assert report.findings["text_is_not_utf8"].count == 2
    assert not loaded.fault_count


def test_the_catalogue_may_name_the_columns_of_a_table(tmp_path: Path, store: MemoryStore, ingest: Ingest) -> None:
    path = tmp_path / "export.csv"
    path.write_text("Beleg,Schritt,Zeit,Rechnungen\nA1,bestellt,2026-03-01T09:00:00Z,R1; R2\n", "utf-8")
    table = {"activity": ["Schritt"], "time": ["Zeit"], "case": ["Beleg"], "objects": {"Rechnungen": "invoice"}}
    catalogue = loader.load()
    said = type(catalogue).model_validate(json.loads(catalogue.model_dump_json(by_alias=True)) | {"event_table": table})
    logs = EventLogs(said)
    load([path], ingest, readers=(*logs.readers, *READERS))
    event = of_kind(store.rows(), "event")[0]["attributes"]
    assert (event["q2c.order.id"], event["q2c.invoice.id"]) == ("A1", ["R1", "R2"])


def test_a_trace_of_xes_without_a_name_costs_the_others_nothing(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "log.xes.gz"
    event = '<event><string key="concept:name" value="place order"/><date key="time:timestamp" value="2026-03-01T09:00:00Z"/></event>'
    text = f'<log xes.version="1.0"><trace>{event}</trace><trace><string key="concept:name" value="o7"/>{event}</trace></log>'
    path.write_bytes(gzip.compress(text.encode()))
    rows, report, loaded = keep(path)
    assert not loaded.fault_count
    assert [row["attributes"].get("q2c.order.id") for row in of_kind(rows, "event")] == [None, "o7"]
    assert report.findings["event_without_objects"].count == 1


def test_a_column_that_is_there_twice_is_told(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "twice.csv"
    path.write_text(
        "Case ID,Activity,Timestamp,Timestamp\no1,place order,2026-03-01T09:00Z,2026-03-02T09:00Z\n", "utf-8"
    )
    _, report, _ = keep(path)
    assert str(report.findings["column_twice"]) == "1 × name of several columns: the last of them is read. 'Timestamp'"


@pytest.mark.parametrize("name", ["log.csv", "log.json", "log.xml", "log.sqlite"])
def test_a_file_that_is_empty_or_utf_16_says_so(name: str, tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    rows, _, loaded = keep(path)
    assert (rows, loaded.empty_files, loaded.faults) == ([], [path], [])
    path.write_bytes("Case ID,Activity,Timestamp".encode("utf-16"))
    rows, _, loaded = keep(path)
    assert not rows
    assert [str(fault) for fault in loaded.faults] == [f"{name}, the file: it is UTF-16 text; write it as UTF-8"]


DAY_FIRST = "Case ID,Activity,Timestamp\nA1,place order,05/03/2026 09:00\nA1,pay order,06/03/2026 17:30\n"


def test_a_date_that_is_two_days_is_refused_and_what_to_declare_is_said(tmp_path: Path, keep: Keep) -> None:
    path = tmp_path / "export.csv"
    path.write_text(DAY_FIRST, "utf-8")
    _, report, loaded = keep(path)
    assert loaded.refused == {"unreadable_time": 2}
    assert "if the day comes first, ['%m/%d/%Y %H:%M'] if the month does" in loaded.faults[0].what
    assert "['%d/%m/%Y %H:%M']" in loaded.faults[0].what
    assert "time_formats" in str(report.findings["unreadable_time"])


@pytest.mark.parametrize(("time_format", "month"), [("%d/%m/%Y %H:%M", "2026-03-05"), ("%m/%d/%Y %H:%M", "2026-05-03")])
def test_the_catalogue_may_say_which_day_a_date_is(
    time_format: str, month: str, tmp_path: Path, store: MemoryStore, ingest: Ingest
) -> None:
    path = tmp_path / "export.csv"
    path.write_text(DAY_FIRST, "utf-8")
    catalogue = loader.load("ocel_order_management.yaml")
    table = catalogue.event_table.model_copy(update={"time_formats": [time_format]})
    logs = EventLogs(catalogue.model_copy(update={"event_table": table}))
    loaded = load([path], ingest, readers=(*logs.readers, *READERS))
    assert not loaded.refused_count
    assert "time_in_other_form" not in logs.reports[0].findings
    events = of_kind(store.rows(), "event")
    assert [iso(row["start_unix_ns"]) for row in events if row["attributes"]["q2c.operation"] == "place order"] == [
        f"{month}T09:00:00Z"
    ]


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("06/03/2026 17:30", "time_formats: ['%d/%m/%Y %H:%M']}   # guessed"),
        ("26/03/2026 17:30:01", "time_formats: ['%d/%m/%Y %H:%M', '%d/%m/%Y %H:%M:%S']}\n"),
        ("03/26/2026 17:30", "time_formats: ['%m/%d/%Y %H:%M']}\n"),
    ],
)
def test_a_suggestion_says_how_the_log_writes_its_dates(second: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(DAY_FIRST.replace("06/03/2026 17:30", second), "utf-8")
    text = EventLogs(loader.load()).suggestion(path)
    assert says in text
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    assert loader.load(str(tmp_path / "mine.yaml")).event_table.time_formats


def test_the_running_example_is_read_whole(shared_data: Path, keep: Keep) -> None:
    rows, report, loaded = keep(shared_data / "ocel2-running-example.sqlite")
    assert (report.event_count, report.object_count, report.event_object_count, report.object_object_count) == (
        18_211,
        10_031,
        35_857,
        25_336,
    )
    assert loaded.kept_count == len(rows) == 18_211 + 10_031 + 25_336 + 1
    # its table object_ is named by no row of object_map_type
    assert set(counts(report)) == {"undeclared_relation", "object_without_events", "time_without_zone", "table_missing"}
