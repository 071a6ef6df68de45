"""What a replay plan shows beside its list: how far it is, what a patch changes, and how replays have ended before. Pure markup."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from console.components import wording
from console.components.blocks import bar, empty, head, two_lines
from console.components.filter_bar import team
from console.components.markup import Html, join, tag
from console.components.signs import CLASS, OUTCOME, badge, known
from console.components.table import Column, table
from console.components.view import View
from trace_model.patches import at, merge_patch, patched_paths

Row = dict[str, Any]
OUTSTANDING = ("sent", "accepted", "uncertain")
UNCHANGED_MOST = 40


def progress(plan: Row, *, words: bool = True) -> Html:
    """A bar of outcomes, as wide as their shares, and in words how many have ended of how many."""
    counts = dict(plan["send_totals"] or {})
    total = plan["send_count"]
    if not total:
        return join([])
    parts = [
        tag(
            "i",
            style=f"flex-grow:{counts[name]};background:var(--st-{sign.tone}-color)",
            title=f"{sign.word}: {counts[name]}",
        )
        for name, sign in OUTCOME.items()
        if counts.get(name) and name != "planned"
    ]
    waiting, open_ = counts.get("planned", 0), sum(counts.get(name, 0) for name in OUTSTANDING)
    told = f"{wording.count(total - waiting - open_)} of {wording.plural(total, 'item')} ended"
    if open_:
        told += f", {wording.count(open_)} under way"
    if waiting and plan["state"] in ("running", "paused"):
        told += f", {wording.count(waiting)} to go"
    rest = tag("i", style=f"flex-grow:{waiting};background:transparent") if waiting else None
    shown = tag("div", [*parts, rest], class_="progress", role="img", aria_label=told, title=told)
    return join([shown, tag("span", told, class_="small") if words else None])


def comparison(original: Mapping[str, Any] | None, patch: Mapping[str, Any], may_see: Callable[[str], bool]) -> Html:
    """Field by field what was sent and what will be; changed ones first, in the patch's order, then the rest as it was."""
    changed = patched_paths(patch)
    after = merge_patch(original or {}, patch)
    kept = [path for path in patched_paths(original or {}) if path not in changed][:UNCHANGED_MOST]

    def value(document: Any, path: str) -> Html:
        if not may_see(path):
            return tag("span", "hidden from your role", class_="quiet")
        found = at(document, path)
        if found is None:
            return tag("span", "—", class_="quiet")
        return tag("span", found if isinstance(found, str) else json.dumps(found, ensure_ascii=False), class_="mono")

    def result(path: str) -> Html:
        gone = path in changed and at(after, path) is None
        shown = tag("span", "removed", class_="quiet") if gone else value(after, path)
        return tag("span", shown, class_="changed") if path in changed else shown

    columns = [
        Column(
            "Field", lambda f: tag("span", f["path"], class_="mono changed" if f["path"] in changed else "mono"), "fit"
        ),
        Column("Was sent" if original else "Was sent (not known)", lambda f: value(original, f["path"]), "before"),
        Column("Will be sent", lambda f: result(f["path"]), "after"),
    ]
    return table(columns, [{"path": path} for path in [*changed, *kept]])


def results(view: View, by: str, rows: Sequence[Row], days: int) -> Html:
    """How the replays of those days ended, by cause, runbook or engine."""
    title = head("How replays ended", note=f"sent in the last {days} days")
    if not rows:
        return join(
            [title, empty("None was sent.", f"No replay left the house in the {days} days before {view.now_words()}.")]
        )

    def named(row: Row) -> Html:
        if by == "cause":
            words = row["name"].replace("_", " ").capitalize()
            return two_lines(words, badge(known(CLASS, row["class"])) if row["class"] else None)
        return join(team(row["name"]) if by == "runbook" else row["name"])

    ends = ("milestone_reached", "failed_same", "failed_other", "rejected", "no_evidence")
    words = ("Reached", "Same cause", "Other cause", "Rejected", "No evidence")
    columns = [
        Column({"cause": "Cause", "runbook": "Runbook of", "engine": "Engine"}[by], named, "fit"),
        Column("Sent", lambda r: wording.count(r["sent_count"]), "number"),
        Column("Success", lambda r: bar(r["success_share"], tone="green"), "number"),
        *(
            Column(word, lambda r, end=end: wording.count(r[end]) if r[end] else "—", "number", wide=end != ends[0])  # type: ignore[misc]
            for end, word in zip(ends, words, strict=True)
        ),
        Column("Under way", lambda r: wording.count(r["open_count"]) if r["open_count"] else "—", "number", wide=True),
        Column(
            "Was in doubt",
            lambda r: wording.count(r["doubted_count"]) if r["doubted_count"] else "—",
            "number",
            wide=True,
        ),
        Column("To milestone, half", lambda r: wording.span_of(r["p50_s"]), "number"),
        Column("9 of 10", lambda r: wording.span_of(r["p90_s"]), "number"),
    ]
    return join(
        [
            title,
            table(
                columns,
                rows,
                caption="Most sent first. Success counts those that have ended, by traces or by the target's own answer.",
            ),
        ]
    )
