"""Classes: how the rules' verdicts stood up to people, what nobody knows, which rule earns its keep, and rules proposed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from console.components import downloads, filter_bar, wording
from console.components.blocks import Tile, bar, empty, head, link, tiles, two_lines
from console.components.markup import Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import CLASS, badge, category, known
from console.components.table import Column, table
from console.components.view import View, look
from console.filters import CLASSES, JUDGED

Row = dict[str, Any]
CONFUSION_FILE = downloads.columns("judged_class class group_count exception_count corrected_count")
SYSTEMS_FILE = downloads.columns(
    "system label exception_count unknown_count unknown_share guess_count corrected_count confidence"
)
RULES_FILE = downloads.columns(
    "rule exception_count group_count systems confidence reviewed_count corrected_count kept_share"
)


def _days() -> int:
    return int(filter_bar.asked(JUDGED).parameters["days"])


def shares(view: View) -> None:
    rows = view.rows("class_confusion", days=_days())
    total = sum(row["exception_count"] for row in rows)
    unknown = sum(row["exception_count"] for row in rows if row["class"] == "unknown")
    corrected = sum(row["corrected_count"] for row in rows)
    moved = sum(row["exception_count"] for row in rows if row["judged_class"] != row["class"])
    shown = [
        Tile("Exceptions judged", wording.count(total), f"in {_days()} days"),
        Tile(
            "Unknown",
            wording.share(unknown / total) if total else "none",
            wording.plural(unknown, "exception"),
            view.link("exceptions", **{"class": "unknown"}),
        ),
        Tile("Looked at again by people", wording.count(corrected), "reclassified, to the same class or another"),
        Tile(
            "Put in another class",
            wording.share(moved / total) if total else "none",
            wording.plural(moved, "exception"),
        ),
    ]
    panel(tiles(shown), key="shares")


def confusion(view: View) -> None:
    rows = view.rows("class_confusion", days=_days())
    title = head("Verdicts against people's word")
    if not rows:
        panel(
            join(
                [
                    title,
                    empty(
                        "Nothing failed.", f"There is no failure in {_days()} days to judge, as of {view.now_words()}."
                    ),
                ]
            ),
            key="confusion",
        )
        return
    counts = {(row["judged_class"], row["class"]): row["exception_count"] for row in rows}
    judged = [{"judged": name} | {other: counts.get((name, other), 0) for other in CLASSES} for name in CLASSES]
    columns = [
        Column("The rules said", lambda r: badge(CLASS[r["judged"]])),
        *(Column(CLASS[name].word, _cell_of(name), "number") for name in CLASSES),
        Column("Left as judged", _kept, "fit"),
    ]
    caption = (
        "Rows: the rules' verdict. Columns: where people left it or put it. What nobody has corrected counts as left."
    )
    panel(join([title, table(columns, judged, caption=caption)]), key="confusion")


def systems(view: View) -> None:
    rows = view.rows("class_systems", days=_days())
    if not rows:
        return
    columns = [
        Column("System", lambda s: s["label"] or s["system"]),
        Column("Failures", lambda s: wording.count(s["exception_count"]), "number"),
        Column(
            "Unknown",
            lambda s: two_lines(wording.share(s["unknown_share"]), wording.count(s["unknown_count"])),
            "number",
        ),
        Column("Guessed", lambda s: wording.count(s["guess_count"]), "number"),
        Column("Confidence", lambda s: wording.share(s["confidence"]), "number"),
    ]
    caption = "Most unknown first. Guessed: judged with a confidence below 60 %."
    panel(
        join(
            [
                head("By system"),
                table(columns, rows, href=lambda s: view.link("exceptions", system=s["system"]), caption=caption),
            ]
        ),
        key="systems",
    )


def rules(view: View) -> None:
    rows = view.rows("class_rules", days=_days())
    if not rows:
        return
    columns = [
        Column("Rule", lambda r: tag("span", r["rule"] or "none fitted", class_="mono")),
        Column(
            "Failures",
            lambda r: two_lines(wording.count(r["exception_count"]), wording.plural(r["group_count"], "group")),
            "number",
        ),
        Column("Looked at", lambda r: wording.count(r["reviewed_count"]), "number"),
        Column("Corrected", lambda r: wording.count(r["corrected_count"]), "number"),
        Column(
            "Kept",
            lambda r: (
                wording.share(r["kept_share"])
                if r["kept_share"] is not None
                else tag("span", "nobody looked", class_="quiet")
            ),
            "fit",
        ),
        Column("Confidence", lambda r: wording.share(r["confidence"]), "number"),
    ]
    caption = "Most failures first. Looked at, corrected: groups. One kept less often than its confidence says does not earn its keep."
    panel(
        join([head("By rule"), table(columns, rows[:MOST], caption=f"{caption} {len(rows[:MOST])} of {len(rows)}.")]),
        key="rules",
    )


def proposals(view: View) -> None:
    rows = view.rows("rule_proposals")
    title = head("Rules proposed", note="each from a failure that somebody named")
    unknown = link("Unknown failures ask to be named once", view.link("exceptions", **{"class": "unknown"}))
    if not rows:
        panel(
            join(
                [
                    title,
                    empty(
                        "No rule is proposed.",
                        join(
                            [
                                unknown,
                                ": reclassify one with a category, and the rule that would have said so stands here.",
                            ]
                        ),
                    ),
                ]
            ),
            key="proposals",
        )
        return
    columns = [
        Column("Named", lambda p: two_lines(badge(known(CLASS, p["class"])), category(p["category"])), "fit"),
        Column("Rule", lambda p: tag("pre", p["proposal"], class_="mono small")),
        Column("Failures", lambda p: wording.count(p["exception_count"]), "number"),
        Column("By", lambda p: two_lines(p["named_by"], view.ago(p["named_at"])), "fit"),
    ]
    shown = table(
        columns,
        rows,
        href=lambda p: view.link("exceptions", group=p["group_id"]),
        caption="Latest first. Paste them under failure_rules.rules in the catalogue, then check and rebuild.",
    )
    panel(join([title, shown]), key="proposals")
    st.download_button(
        "Download the rules",
        "".join(row["proposal"] for row in rows),
        "proposed_rules.yaml",
        "application/yaml",
        icon=":material/download:",
        key="rules_file",
    )


MOST = 50


def _cell_of(name: str) -> Callable[[Row], Html]:
    def cell(r: Row) -> Html:
        count = r[name]
        return tag(
            "span", wording.count(count), class_="quiet" if not count else "strong" if r["judged"] == name else "orange"
        )

    return cell


def _kept(r: Row) -> Html:
    total = sum(r[name] for name in CLASSES)
    return bar(r[r["judged"]] / total, tone="green") if total else tag("span", "none judged so", class_="quiet")


view = look()
ask = filter_bar.asked(JUDGED)
heading(view, "Classes")
filter_bar.choice("days", "30 days", {"7": "7 days", "30": "30 days", "90": "90 days"}, ask, width=120)
shares(view)
confusion(view)
left, right = st.columns([2, 3], gap="medium")
with left:
    systems(view)
with right:
    rules(view)
proposals(view)
downloads.menu(
    downloads.asked("classes", "Verdicts and corrections", view, "class_confusion", {"days": _days()}, CONFUSION_FILE),
    downloads.asked("classes-by-system", "By system", view, "class_systems", {"days": _days()}, SYSTEMS_FILE),
    downloads.asked("rules", "Rules", view, "class_rules", {"days": _days()}, RULES_FILE),
)
