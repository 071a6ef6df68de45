"""A small order-management log, written as each of OCEL 2.0's formats by hand: shares no code with what it tests."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

CREATED, LATER = "1970-01-01T00:00:00Z", "2026-03-05T08:00:00Z"

LOG: dict[str, Any] = {
    "eventTypes": [
        {"name": "place order", "attributes": [{"name": "channel", "type": "string"}]},
        {"name": "pick item", "attributes": []},
        {"name": "send package", "attributes": [{"name": "weight", "type": "float"}, {"name": "express", "type": "boolean"}]},
        {"name": "package delivered", "attributes": []},
        {"name": "pay order", "attributes": []},
    ],
    "objectTypes": [
        {"name": "customers", "attributes": []},
        {"name": "orders", "attributes": [{"name": "price", "type": "float"}]},
        {"name": "items", "attributes": [{"name": "price", "type": "float"}, {"name": "count", "type": "integer"}]},
        {"name": "packages", "attributes": []},
    ],
    "events": [
        {"id": "e1", "type": "place order", "time": "2026-03-01T09:00:00Z", "attributes": [{"name": "channel", "value": "web, \"new\""}],
         "relationships": [{"objectId": "o1", "qualifier": "order"}, {"objectId": "ACME & Söhne", "qualifier": "customer"}]},
        {"id": "e2", "type": "place order", "time": "2026-03-01T11:00:00+01:00", "attributes": [],
         "relationships": [{"objectId": "o2", "qualifier": "order"}, {"objectId": "ACME & Söhne", "qualifier": "customer"}]},
        {"id": "e3", "type": "pick item", "time": "2026-03-02T10:00:00.250000Z", "attributes": [],
         "relationships": [{"objectId": "i1", "qualifier": "item"}]},
        {"id": "e4", "type": "send package", "time": "2026-03-03T10:00:00Z",
         "attributes": [{"name": "weight", "value": 1.5}, {"name": "express", "value": True}],
         "relationships": [{"objectId": "p1", "qualifier": "package"}, {"objectId": "p1", "qualifier": "label"}]},
        {"id": "e5", "type": "package delivered", "time": "2026-03-04T10:00:00Z", "attributes": [],
         "relationships": [{"objectId": "p1", "qualifier": "package"}]},
        {"id": "e6", "type": "pay order", "time": "2026-03-05T10:00:00Z", "attributes": [],
         "relationships": [{"objectId": "o1", "qualifier": "order"}]},
    ],
    "objects": [
        {"id": "ACME & Söhne", "type": "customers", "attributes": [],
         "relationships": [{"objectId": "o1", "qualifier": "places"}, {"objectId": "o2", "qualifier": "places"}]},
        {"id": "o1", "type": "orders", "attributes": [{"name": "price", "time": CREATED, "value": 30.5}, {"name": "price", "time": LATER, "value": 31.0}],
         "relationships": [{"objectId": "i1", "qualifier": "comprises"}, {"objectId": "i2", "qualifier": "comprises"}]},
        {"id": "o2", "type": "orders", "attributes": [{"name": "price", "time": CREATED, "value": 20.0}],
         "relationships": [{"objectId": "i3", "qualifier": "comprises"}]},
        {"id": "i1", "type": "items", "attributes": [{"name": "price", "time": CREATED, "value": 10.0}, {"name": "count", "time": CREATED, "value": 2}],
         "relationships": []},
        {"id": "i2", "type": "items", "attributes": [], "relationships": []},
        {"id": "i3", "type": "items", "attributes": [], "relationships": []},
        {"id": "p1", "type": "packages", "attributes": [],
         "relationships": [{"objectId": "i1", "qualifier": "contains"}, {"objectId": "i2", "qualifier": "contains"}]},
    ],
}  # fmt: skip
"""Two orders; the first is delivered in one package and paid, so it is complete, and the second is open."""


def write(folder: Path, ending: str, log: dict[str, Any] = LOG, name: str = "small") -> Path:
    """The log at `folder/name.ending`; the ending is `json`, `xml` or `sqlite`."""
    path = folder / f"{name}.{ending}"
    if ending == "json":
        path.write_text(json.dumps(log, indent=1), "utf-8")
    elif ending == "xml":
        path.write_text(_xml(log), "utf-8")
    else:
        _sqlite(path, log)
    return path


def _xml(log: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        return escape(str(value).lower() if isinstance(value, bool) else str(value))

    def types(kind: str, declared: list[dict[str, Any]]) -> str:
        inner = "".join(
            f"<{kind} name={quoteattr(t['name'])}><attributes>"
            + "".join(f"<attribute name={quoteattr(a['name'])} type={quoteattr(a['type'])}/>" for a in t["attributes"])
            + f"</attributes></{kind}>"
            for t in declared
        )
        return f"<{kind}s>{inner}</{kind}s>"

    def things(kind: str, found: list[dict[str, Any]]) -> str:
        inner = ""
        for each in found:
            time = f" time={quoteattr(each['time'])}" if "time" in each else ""
            values = "".join(
                f"<attribute name={quoteattr(a['name'])}"
                + (f" time={quoteattr(a['time'])}" if "time" in a else "")
                + f">{text(a['value'])}</attribute>"
                for a in each.get("attributes", [])
            )
            related = "".join(
                f"<relationship object-id={quoteattr(r['objectId'])} qualifier={quoteattr(r['qualifier'])}/>"
                for r in each.get("relationships", [])
            )
            inner += (
                f"<{kind} id={quoteattr(each['id'])} type={quoteattr(each['type'])}{time}>"
                f"<attributes>{values}</attributes><objects>{related}</objects></{kind}>\n"
            )
        return f"<{kind}s>{inner}</{kind}s>"

    parts = (
        types("object-type", log["objectTypes"]),
        types("event-type", log["eventTypes"]),
        things("object", log["objects"]),
        things("event", log["events"]),
    )
    return "<?xml version='1.0' encoding='UTF-8'?>\n<log>\n" + "\n".join(parts) + "</log>"


_SQL_TYPES = {"float": "REAL", "integer": "INTEGER", "boolean": "BOOLEAN", "string": "TEXT", "time": "TIMESTAMP"}


def _sqlite(path: Path, log: dict[str, Any]) -> None:
    path.unlink(missing_ok=True)
    c = sqlite3.connect(path)
    c.executescript(
        """
        create table event (ocel_id text, ocel_type text); create table object (ocel_id text, ocel_type text);
        create table event_map_type (ocel_type text, ocel_type_map text); create table object_map_type (ocel_type text, ocel_type_map text);
        create table event_object (ocel_event_id text, ocel_object_id text, ocel_qualifier text);
        create table object_object (ocel_source_id text, ocel_target_id text, ocel_qualifier text);
        """
    )
    for kind, declared, own in (("event", "eventTypes", ""), ("object", "objectTypes", ", ocel_changed_field TEXT")):
        for t in log[declared]:
            short = t["name"].strip().title().replace(" ", "")
            c.execute(f"insert into {kind}_map_type values (?, ?)", [t["name"], short])
            columns = "".join(f', "{a["name"]}" {_SQL_TYPES[a["type"]]}' for a in t["attributes"])
            c.execute(f'create table "{kind}_{short}" (ocel_id TEXT, ocel_time TIMESTAMP{own}{columns})')

    def insert(table: str, row: dict[str, Any]) -> None:
        names = ", ".join(f'"{n}"' for n in row)
        c.execute(f'insert into "{table}" ({names}) values ({", ".join("?" * len(row))})', list(row.values()))

    for e in log["events"]:
        c.execute("insert into event values (?, ?)", [e["id"], e["type"]])
        values = {a["name"]: a["value"] for a in e["attributes"]}
        insert(
            "event_" + e["type"].strip().title().replace(" ", ""),
            {"ocel_id": e["id"], "ocel_time": e.get("time"), **values},
        )
        c.executemany(
            "insert into event_object values (?, ?, ?)",
            [(e["id"], r["objectId"], r["qualifier"]) for r in e["relationships"]],
        )
    for o in log["objects"]:
        c.execute("insert into object values (?, ?)", [o["id"], o["type"]])
        first = {a["name"]: a["value"] for a in o["attributes"] if a["time"] == CREATED}
        table = "object_" + o["type"].strip().title().replace(" ", "")
        insert(table, {"ocel_id": o["id"], "ocel_time": CREATED.replace("T", " "), **first})
        for a in o["attributes"]:
            if a["time"] != CREATED:
                insert(
                    table,
                    {
                        "ocel_id": o["id"],
                        "ocel_time": a["time"],
                        "ocel_changed_field": a["name"],
                        a["name"]: a["value"],
                    },
                )
        c.executemany(
            "insert into object_object values (?, ?, ?)",
            [(o["id"], r["objectId"], r["qualifier"]) for r in o["relationships"]],
        )
    c.commit()
    c.close()
