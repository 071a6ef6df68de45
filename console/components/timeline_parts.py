"""The parts of an order's timeline: who acts next, the milestone track, what belongs to the order and why we think so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from console import standstills
from console.components import filter_bar, wording
from console.components.blocks import amount, bar, empty, facts, head, link, notice, two_lines
from console.components.markup import Child, Html, join, tag
from console.components.signs import CLASS, CLOCK, COVERAGE, EXCEPTION, TIMELINE, badge, icon, known
from console.components.table import Column, table
from console.components.view import View

Row = dict[str, Any]
DONE = ("completed", "cancelled")


def summary(view: View, t: Row, following: Row | None, teams: dict[str, str]) -> Html:
    """What it is, how it stands, and who acts next by when."""
    in_reporting = t["currency"] != view.reporting_currency and t["reporting_amount"] is not None
    worth = two_lines(
        view.money(t["amount"], t["currency"], cents=True), view.money(t["reporting_amount"]) if in_reporting else None
    )
    if following:
        team = t["exception_team"] or following["owner_team"]
        acts = two_lines(
            f"{teams.get(team, team)}: {following['label']}",
            view.due(following["due_at"])
            if following["due_at"]
            else following["paused_by"] or "no promise runs for it",
        )
    else:
        acts = join([tag("span", "Nobody: nothing is left to do.", class_="quiet")])
    segments = " · ".join(
        str(t[name]).replace("_", " ")
        for name in ("region", "product_line", "legal_entity", "tier", "workflow")
        if t[name]
    )
    return facts(
        [
            ("State", badge(known(TIMELINE, t["state"]))),
            ("Worth", worth),
            ("Next", acts),
            ("Customer", t["customer_name"] or t["customer_id"] or "not given"),
            ("Segment", segments or "not given"),
            ("Started", view.at(t["started_at"])),
            ("Last progress", view.ago(t["last_progress_at"])),
        ]
    )


def standstill(view: View, t: Row, row: Row, teams: dict[str, str]) -> Html:
    """Why a stuck order may stand and whose move it is; of any other, whether the system it waits for is heard of at all."""
    silence = standstills.silence(row, view.as_of)
    words = standstills.explain(row, view.as_of) if t["state"] == "stuck" else None
    if words is None:
        text = f"{silence}: what happens there is not seen. That is not the same as no progress."
        return notice("yellow", "silence", text) if silence else join([])
    limit = wording.span_of(t["like_limit_s"]) + (" of working time" if t["like_calendar"] else "")
    like = (
        f"{wording.count(t['like_count'])} like orders took at most {limit} (99 of 100)"
        if t["like_count"]
        else f"the catalogue allows {limit}"
    )
    since = f"No progress since {row['progress_label'] or 'the first sign'}, {wording.ago(row['progress_at'], view.as_of)}; {like}."
    seen = (
        f" Last seen: {row['last_operation']}, {wording.ago(row['last_run_at'], view.as_of)}."
        if row["last_operation"]
        else ""
    )
    team = teams.get(words.owner_team, words.owner_team)
    return notice("orange", "pause", join([since, seen, " ", words.reason, " ", tag("b", f"{team}: "), words.action]))


def track(view: View, t: Row, milestones: Sequence[Row]) -> Html:
    """The declared path: a stop a milestone, reached or still expected."""
    stops = []
    for _, same in groupby(milestones, key=lambda m: m["milestone"]):
        reached = list(same)
        first = reached[0]
        undone = first["undone_at"] is not None and first["undone_at"] <= view.as_of
        sign = (
            COVERAGE["complete"]
            if first["covers"] == "once" and first["reached_at"]
            else known(COVERAGE, first["coverage"])
        )
        late = first["planned_at"] is not None and (first["reached_at"] or view.as_of) > first["planned_at"]
        when: Child = (
            view.at(first["reached_at"])
            if first["reached_at"]
            else view.due(first["planned_at"])
            if first["planned_at"]
            else "expected"
        )
        words = [when, tag("span", ", late", class_="red") if late and first["reached_at"] else None]
        part = f"{sign.word}, {_of(t, first)}" if first["coverage"] in ("partial", "over") else None
        stops.append(
            tag(
                "div",
                tag("div", icon("slash" if undone else sign.icon), class_=f"line {sign.tone}", title=sign.word),
                tag("div", first["label"], class_="name"),
                tag("div", *words, class_="when"),
                tag("div", "taken back" if undone else part, class_="when") if undone or part else None,
                class_="stop reached" if first["reached_at"] else "stop",
            )
        )
    return tag("div", stops, class_="track")


def milestone_list(view: View, t: Row, milestones: Sequence[Row]) -> Html:
    columns = [
        Column("Milestone", lambda m: m["label"], "fit"),
        Column(
            "Reached",
            lambda m: view.at(m["reached_at"]) if m["reached_at"] else tag("span", "not yet", class_="quiet"),
            "fit",
        ),
        Column("Planned", lambda m: view.at(m["planned_at"]), "fit"),
        Column("Against plan", lambda m: _against_plan(view, m), "fit"),
        Column("By", lambda m: wording.named(m["object_type"], m["object_id"]) if m["object_id"] else "—"),
        Column("System", lambda m: filter_bar.system(m["system"]), "fit", wide=True),
        Column("Coverage", lambda m: _coverage(t, m), "fit"),
        Column("Owner", lambda m: filter_bar.team(m["owner_team"]), "fit", wide=True),
    ]
    return table(
        columns, milestones, caption="In the declared order. Planned: when the promise that waits for it falls due."
    )


def _against_plan(view: View, m: Row) -> Child:
    if m["planned_at"] is None:
        return badge(CLOCK["paused"]) if m["is_paused"] else tag("span", "no promise", class_="quiet")
    if m["reached_at"] is None:
        return view.due(m["planned_at"])
    seconds = (m["reached_at"] - m["planned_at"]).total_seconds()
    words = f"{wording.span_of(seconds)} {'late' if seconds > 0 else 'early'}"
    return tag("span", words, class_="red" if seconds > 0 else "quiet")


def _coverage(t: Row, m: Row) -> Child:
    if m["covers"] == "once":
        return tag("span", "—", class_="quiet")
    return two_lines(badge(known(COVERAGE, m["coverage"])), _of(t, m) if m["coverage"] != "none" else None)


def _of(t: Row, m: Row) -> str:
    """How much of the order a milestone covers, in the measure that the catalogue names."""
    if m["covers"] == "quantity" and t["quantity"]:
        return f"{(m['covered_quantity'] or 0):,.0f} of {t['quantity']:,.0f}"
    if m["covers"] == "amount" and t["amount"]:
        return f"{wording.money(m['covered_amount'] or 0, None)} of {wording.money(t['amount'], None)}"
    return "of an unknown whole"


def exceptions(view: View, rows: Sequence[Row]) -> Html:
    columns = [
        Column("What happened", lambda e: two_lines(e["sentence"], badge(known(CLASS, e["class"]))), "clip"),
        Column("State", lambda e: badge(known(EXCEPTION, e["state"])), "fit"),
        Column("On", lambda e: wording.named(e["object_type"], e["object_id"]), "fit"),
        Column("Operation", lambda e: e["operation_label"], wide=True),
        Column("System", lambda e: filter_bar.system(e["system"]), wide=True),
        Column("First", lambda e: view.ago(e["first_failed_at"]), "fit"),
        Column("Attempts", lambda e: wording.count(e["attempt_count"]), "number"),
        Column("Owner", lambda e: filter_bar.team(e["owner_team"]), "fit"),
    ]
    return table(
        columns,
        rows,
        href=lambda e: view.link("exception", id=e["exception_id"]),
        tick=lambda e: e["exception_id"] if e["state"] == "open" and e["replayable"] else None,
        caption="Open ones first, then latest first. Tick some to replay only those.",
    )


def objects(view: View, lead: Row, rows: Sequence[Row], links: Sequence[Row]) -> Html:
    """What belongs to the timeline; a shared object names the other orders that hold a share in it."""
    mine = {(row["object_type"], row["object_id"], row["scope"]) for row in rows}
    columns = [
        Column("Object", lambda o: two_lines(o["object_id"], o["label"]), "fit"),
        Column("System", lambda o: filter_bar.system(o["system"]), "fit"),
        Column("Amount", lambda o: amount(o["amount"], o["currency"]), "number"),
        Column(
            "Share",
            lambda o: wording.share(o["share"]) if o["shared_by"] > 1 or o["share"] < 0.9999 else "whole",
            "number",
        ),
        Column("This order's part", lambda o: amount(o["allocated_amount"], o["currency"]), "number"),
        Column("Also part of", lambda o: _others(view, lead, o, links, mine)),
        Column("First seen", lambda o: view.at(o["first_seen_at"]), "fit", wide=True),
    ]
    return join(
        [
            head("Objects", note=wording.plural(len(rows), "object")),
            table(columns, rows, caption="The lead first, then along the flow."),
        ]
    )


def _others(view: View, lead: Row, o: Row, links: Sequence[Row], mine: set[tuple[str, str, str]]) -> Child:
    if o["shared_by"] <= 1:
        return tag("span", "—", class_="quiet")
    outside = {
        (k["to_type"], k["to_id"], k["to_scope"])
        for k in links
        if (k["from_type"], k["from_id"], k["from_scope"]) == (o["object_type"], o["object_id"], o["scope"])
        and (k["to_type"], k["to_id"], k["to_scope"]) not in mine
    }
    named = [one for one in sorted(outside) if one[0] in (lead["lead_type"], "order")]
    if named:
        return join(
            [[link(id_, view.link("order", type=kind, id=id_, scope=scope)), "  "] for kind, id_, scope in named]
        )
    return link(wording.plural(o["shared_by"] - 1, "other order"), view.link("search", q=o["object_id"]))


def evidence(view: View, links: Sequence[Row], warnings: Sequence[Row]) -> Html:
    """Why we think that these belong together: each link with its source and how sure it is."""
    doubts = [
        notice("yellow", "question", f"{w['kind'].replace('_', ' ').capitalize()}: {w['detail']}.") for w in warnings
    ]
    if not links:
        return join(
            [doubts, head("Links"), empty("No links.", "Nothing else has been seen that belongs to this order.")]
        )
    columns = [
        Column("From", lambda k: wording.named(k["from_type"], k["from_id"])),
        Column("To", lambda k: wording.named(k["to_type"], k["to_id"])),
        Column("Kind", lambda k: k["kind"].replace("_", " "), "fit"),
        Column("Known from", lambda k: k["source"].replace("_", " "), "fit"),
        Column("Confidence", lambda k: wording.share(float(k["confidence"])), "number"),
        Column("Amount", lambda k: amount(k["amount"], None), "number"),
        Column("First seen", lambda k: view.at(k["seen_at"]), "fit", wide=True),
    ]
    return join(
        [
            tag("div", doubts, class_="stack") if doubts else None,
            head("Links", note="child to parent"),
            table(columns, links),
        ]
    )


def clocks(view: View, rows: Sequence[Row]) -> Html:
    if not rows:
        return join(
            [
                head("Promises"),
                empty("No promise runs.", "None of the catalogue's promises has started for this order."),
            ]
        )
    columns = [
        Column("Promise", lambda c: two_lines(c["label"], _variant(c))),
        Column("State", lambda c: two_lines(badge(known(CLOCK, c["state"])), _clock_note(view, c)), "fit"),
        Column("Started", lambda c: view.at(c["started_at"]), "fit"),
        Column("At risk from", lambda c: view.at(c["at_risk_at"]), "fit", wide=True),
        Column("Due", lambda c: view.at(c["due_at"]), "fit"),
        Column("Kept or left", lambda c: view.at(c["stopped_at"]) if c["stopped_at"] else view.due(c["due_at"]), "fit"),
        Column("Owner", lambda c: filter_bar.team(c["owner_team"]), "fit"),
    ]
    return join([head("Promises", note="in working time of each promise's calendar"), table(columns, rows)])


def ahead(view: View, running: Sequence[Row], later: Sequence[Row]) -> Html:
    """What is likely to come late: the promises that run, then those that come after them. `running` are rows of
    `reads/forecast_clocks.sql`, `later` of `reads/forecast_later.sql`."""
    told = [
        *(c | {"note": _like(c), "planned_at": c["due_at"], "expected_at": None} for c in running),
        *(c | {"note": f"because of: {c['because_label']}"} for c in sorted(later, key=lambda c: c["planned_at"])),
    ]
    columns = [
        Column("Promise", lambda c: two_lines(c["label"], c["note"])),
        Column("Planned", lambda c: view.at(c["planned_at"]), "fit"),
        Column(
            "Expected",
            lambda c: (
                two_lines(view.at(c["expected_at"]), join(["or by ", view.at(c["late_at"])]))
                if c["expected_at"]
                else tag("span", "—", class_="quiet")
            ),
            "fit",
        ),
        Column("Chance to be late", lambda c: bar(c["chance"], tone="red" if c["chance"] >= 0.5 else "gray"), "number"),
    ]
    caption = "Planned: every promise on the way kept to the second. Expected: in half of like orders; nine of ten come by the later one."
    return join([head("Forecast", note="will it be late?"), table(columns, told, caption=caption)])


def _like(c: Row) -> str:
    """What the chance of a running promise is learned from."""
    if c["state"] == "breached":
        return "late already"
    if not c["like_count"]:
        return "no like order was seen at this age: the share of its time that has passed"
    return f"as {wording.plural(c['like_count'], 'like order')} of {c['segment'] or 'all'}"


def _variant(c: Row) -> str | None:
    """Which variant of the promise counts, and why; nothing where it has one only."""
    if c["why"] is None and c["variant"] == "standard":
        return None
    over = f"; more specific than {', '.join(c['outranked'])}" if c["outranked"] else ""
    return f"{c['variant'].replace('_', ' ')}: {c['why'] or 'made to all'}{over}"


def _clock_note(view: View, c: Row) -> Child:
    if c["withdrawn_at"]:
        return join(["breach withdrawn: reported late, ", view.at(c["withdrawn_at"])])
    return c["paused_by"] if c["state"] == "paused" else None


def pauses(view: View, rows: Sequence[Row]) -> Html:
    columns = [
        Column("Pause", lambda p: p["label"]),
        Column("From", lambda p: view.at(p["from_at"]), "fit"),
        Column("Opened by", lambda p: p["opened_by"], "fit"),
        Column(
            "Until",
            lambda p: view.at(p["until_at"]) if p["until_at"] else badge(CLOCK["paused"], title="It stands."),
            "fit",
        ),
        Column("Closed by", lambda p: p["closed_by"] or "—", "fit"),
    ]
    return table(
        columns, rows, caption="While a pause stands, no working time is counted for the promises it holds up."
    )
