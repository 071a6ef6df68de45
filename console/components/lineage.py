"""What travelled with an order: its payload at each hop, and what changed on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from console.access import Right
from console.components import wording
from console.components.blocks import empty, head, two_lines
from console.components.markup import Child, Html, join, tag
from console.components.panel import panel
from console.components.signs import Sign, badge
from console.components.table import Column, table
from console.components.view import View
from trace_model.payload_diff import Difference, differences

Row = dict[str, Any]
DIFFERENT = Sign("alert", "Differs", "red", "A field that the catalogue compares is not the same.")
CORRECTED = Sign(
    "check", "Put right", "blue", "It differs from the hop before it, and says again what the first hop said."
)
SAME = Sign("check", "Agrees", "green", "Every field that the catalogue compares, and both say, is the same.")


def lineage(view: View, hops: Sequence[Row]) -> None:
    """The compared fields hop by hop, then every difference between consecutive payloads; for those who may read payloads."""
    if not may_read(view):
        return
    if not hops:
        why = "No span of this order carries a payload at a hop that the catalogue names under payloads."
        panel(empty("No payloads to compare.", why), key="no_lineage")
        return
    panel(_overview(view, hops), key="lineage")
    sent = {(hop["trace_id"], hop["span_id"]): hop for hop in hops}
    for number, hop in enumerate(hops):
        before = sent.get((hop["from_trace_id"], hop["from_span_id"]))
        if before is not None:
            panel(_step(before, hop), key=f"lineage_{number}")


def may_read(view: View) -> bool:
    """True if payloads are for this person; else it is said why not."""
    if view.who.may(Right.READ_PAYLOADS):
        return True
    why = f"{view.who.name} has the role {view.who.role}; operators, approvers and admins may read them."
    panel(empty("Payloads are not for your role.", why), key="no_right")
    return False


def changed(found: Sequence[Difference], before: str, after: str) -> Html:
    """Leaf by leaf what is not the same; `before` and `after` name the two payloads."""
    columns = [
        Column("Field", lambda d: tag("span", d["path"], class_="mono"), "fit"),
        Column(before, lambda d: _value(d["before"]), "clip"),
        Column(after, lambda d: _value(d["after"]), "clip"),
    ]
    return table(columns, [vars(d) for d in found])


def _overview(view: View, hops: Sequence[Row]) -> Html:
    compared = [hop for hop in hops if hop["compared"]]
    wrong = sum(hop["is_different"] for hop in compared)
    note = f"{wording.plural(wrong, 'hop')} differ" if wrong != 1 else "1 hop differs"
    columns = [
        Column("Hop", lambda h: two_lines(_title(h), f"{h['object_id']} in {h['system']}"), "fit"),
        Column("Sent", lambda h: view.at(h["sent_at"]), "fit"),
        Column("Against the hop before", _verdict),
    ]
    caption = "In the order of the flow. Compared: what the catalogue names; a part may be for less, not for more."
    return join(
        [head("Payload lineage", note=note if wrong else "all hops agree"), table(columns, hops, caption=caption)]
    )


def _verdict(hop: Row) -> Child:
    if hop["is_error"]:
        return tag("span", "refused; not compared", class_="quiet")
    if not hop["compared"]:
        return tag("span", "nothing before it", class_="quiet")
    fields = json.loads(hop["compared"])
    wrong = [f"{f['field']} {f['from_value']} became {f['to_value']}" for f in fields if f["state"] == "different"]
    right = [f"{f['field']} is {f['to_value']} again" for f in fields if f["state"] == "corrected"]
    same = [f["field"] for f in fields if f["state"] == "same"]
    if wrong:
        return two_lines(badge(DIFFERENT), "; ".join([*wrong, *right]))
    if right:
        return two_lines(badge(CORRECTED), "; ".join(right))
    return two_lines(badge(SAME), f"{hop['from_label']}: {', '.join(same)}" if same else "nothing both say")


def _step(before: Row, after: Row) -> Html:
    found = differences(before["payload"], after["payload"])
    title = f"{_title(before)} to {_title(after)}"
    if not found:
        return join([head(title, note="field by field"), empty("The same.", "Every field of the two payloads agrees.")])
    wrong = {f["to_value"] for f in json.loads(after["compared"]) if f["state"] == "different"}
    columns = [
        Column("Field", lambda d: tag("span", d["path"], class_="mono"), "fit"),
        Column(_title(before), lambda d: _value(d["before"]), "clip"),
        Column(
            _title(after),
            lambda d: tag("span", _value(d["after"]), class_="red") if d["after"] in wrong else _value(d["after"]),
            "clip",
        ),
    ]
    caption = "Red: compared by the catalogue. The others may rightly differ: a document has numbers of its own."
    return join(
        [
            head(title, note=wording.plural(len(found), "difference")),
            table(columns, [vars(d) for d in found], caption=caption),
        ]
    )


def _title(hop: Row) -> str:
    return str(hop["label"])[:1].upper() + str(hop["label"])[1:]


def _value(value: str | None) -> Child:
    return tag("span", value, class_="mono") if value is not None else tag("span", "not there", class_="quiet")
