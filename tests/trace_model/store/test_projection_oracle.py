"""Set-based SQL agrees with a slow, obvious reading of the same spans."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.trace_model.store.derived_rows import Rows, catalogue, impatient, told
from tests.trace_model.store.oracle import Mention, Oracle
from tests.trace_model.store.random_estates import Deed, deeds, estates
from tests.trace_model.store.spans_of import Span, Story, instant
from tests.trace_model.store.test_projection_properties import TIES, quick
from trace_model.calendars import Pause, close_after, due_at, worked_s

NAME = "(o.object_type, o.object_id, o.scope)"


@quick
@given(estates(), deeds(), st.lists(st.sampled_from(TIES), max_size=2, unique=True))
def test_sql_derives_what_a_slow_reading_derives(
    spans: list[Span], done: list[Deed], ties: list[tuple[str, str]]
) -> None:
    rows = told(spans, by=impatient())
    derived = objects_of(rows)
    oracle = Oracle(spans, impatient(), said_by_people(done), ties, derived)
    for deed in done:
        rows.do(deed)
    spoken_of = {f"{object_type}:{object_id}" for object_type, _, _, object_id in oracle.objects}
    for child, parent in ties:
        if {child, parent} <= spoken_of:  # others are refused before they are kept (console.linking)
            rows.tie(child, parent)
    assert set(derived) == {short(o) for o in oracle.objects}
    for mention, may_be in oracle.objects.items():
        for name, value in derived[short(mention)].items():
            assert value in may_be[name] if isinstance(may_be[name], set) else value == may_be[name], (mention, name)
    assert links_of(rows) == {
        (short(c), short(p), kind): (
            link["source"],
            link["confidence"],
            link["amount"],
            link["quantity"],
            link["allocating"],
            round(float(link["share"]), 9),
        )
        for (c, p, kind), link in oracle.links.items()
    }
    assert members_of(rows) == {
        (short(lead), short(member)): (place["depth"], place["direction"], round(float(place["share"]), 9))
        for lead, members in oracle.members.items()
        for member, place in members.items()
    }
    assert milestones_of(rows) == {
        (short(lead), name): (at(reached["reached"]), at(reached["last"]), at(reached["undone"]))
        for lead, milestones in oracle.milestones.items()
        for name, reached in milestones.items()
    }
    assert pauses_of(rows) == sorted(
        (
            (short(lead), name, at(since), at(until))
            for lead, pauses in oracle.pauses.items()
            for name, since, until in pauses
        ),
        key=repr,
    )
    positions = [m.name for m in impatient().milestones]
    assert {named(r, "l"): r["last_milestone"] for r in timelines_of(rows)} == {
        short(lead): max(
            milestones, key=lambda name, m=milestones: (m[name]["last"], positions.index(name)), default=None
        )
        for lead, milestones in oracle.milestones.items()
    }
    assert clocks_of(rows) == expected_clocks(rows, oracle)
    for second in (4, 9, 16, 60, 70):
        assert stuck_of(rows, second) == expected_stuck(rows, oracle, second), second
    assert failures_of(rows) == {
        (operation, short(o), number): (
            at(e["opened"]),
            at(e["first"]),
            at(e["last"]),
            at(e["resolved"]),
            e["attempts"],
        )
        for (operation, o), episodes in oracle.failures.items()
        for number, e in enumerate(episodes, 1)
    }


WEEK_S = 7 * 86_400
ABOUT_TO_CLOSE = st.integers(0, 4).map(lambda day: day * 86_400 + 12 * 3600)
"""Weekdays, when the office in Berlin has one hour left."""


@quick
@given(
    st.lists(st.integers(0, 5 * WEEK_S) | ABOUT_TO_CLOSE, min_size=1, max_size=6),
    st.integers(60, 200_000),
    st.sampled_from(["europe_office", "us_office", "any_office", "always", None]),
    st.lists(st.integers(0, 6 * WEEK_S), min_size=1, max_size=4),
)
def test_an_order_stands_still_once_its_calendar_has_worked_for_as_long(
    instants: list[int], stuck_after_s: int, calendar: str | None, asked: list[int]
) -> None:
    """Five weeks from T0 on, with the clock changes of both continents in them."""
    story = Story()
    for number, second in enumerate(instants):
        story.does("cpq.validate_quote", second, quote=f"Q-{number}", amount="10")
    rule = {"stuck_after_s": stuck_after_s, "stuck_calendar": calendar}
    rows = told(story.spans, by=impatient().model_copy(update=rule | {"milestones": catalogue().milestones}))
    counts_in = {c.name: c for c in catalogue().calendars}[calendar or "always"]
    expected = {f"Q-{n}": due_at(instant(second + 1), stuck_after_s, counts_in) for n, second in enumerate(instants)}
    assert {r["lead_id"]: r["stuck_at"] for r in timelines_of(rows)} == expected
    for second in asked:
        found = rows.ask("select lead_key, opened_at from stuck_flows(?)", [instant(second)])
        names = {r["lead_key"]: r["lead_id"] for r in timelines_of(rows)}
        assert {names[r["lead_key"]]: r["opened_at"] for r in found} == {
            name: at for name, at in expected.items() if at is not None and at <= instant(second)
        }


def short(mention: Mention) -> tuple[str, str, str]:
    object_type, _, scope, object_id = mention
    return object_type, object_id, scope


def at(seconds: float | None) -> Any:
    return None if seconds is None else instant(seconds)


def named(row: dict[str, Any], prefix: str) -> tuple[str, str, str]:
    return row[f"{prefix}_type"], row[f"{prefix}_id"], row[f"{prefix}_scope"]


def name_columns(alias: str, prefix: str) -> str:
    return f"{alias}.object_type as {prefix}_type, {alias}.object_id as {prefix}_id, {alias}.scope as {prefix}_scope"


def objects_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(f"select {name_columns('o', 'o')}, o.* from objects o")
    return {
        named(r, "o"): {
            "amount": r["amount"],
            "currency": r["currency"],
            "first_seen": (r["first_seen_at"] - instant(0)).total_seconds(),
            "last_seen": (r["last_seen_at"] - instant(0)).total_seconds(),
            "system": r["system"],
            "quantity": r["quantity"],
            "region": r["region"],
        }
        for r in found
    }


def links_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(
        f"select {name_columns('c', 'c')}, {name_columns('p', 'p')}, k.* from links k "
        "join objects c on c.object_key = k.child_key join objects p on p.object_key = k.parent_key"
    )
    return {
        (named(r, "c"), named(r, "p"), r["kind"]): (
            r["source"],
            float(r["confidence"]),
            r["amount"],
            r["quantity"],
            r["is_allocating"],
            round(r["share"], 9),
        )
        for r in found
    }


def members_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(
        f"select {name_columns('l', 'l')}, {name_columns('o', 'o')}, m.* from timeline_members m "
        "join objects l on l.object_key = m.lead_key join objects o on o.object_key = m.object_key"
    )
    return {(named(r, "l"), named(r, "o")): (r["depth"], r["direction"], round(r["share"], 9)) for r in found}


def milestones_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(
        f"select {name_columns('l', 'l')}, m.* from timeline_milestones m join objects l on l.object_key = m.lead_key "
        "where m.reached_at is not null"
    )
    return {(named(r, "l"), r["milestone"]): (r["reached_at"], r["last_at"], r["undone_at"]) for r in found}


def said_by_people(done: list[Deed]) -> dict[tuple[str, str], list[tuple[float, bool, str]]]:
    found: dict[tuple[str, str], list[tuple[float, bool, str]]] = {}
    for type_, id_, pause, opens, seconds in done:
        found.setdefault((type_, id_), []).append((float(seconds), opens, pause))
    return found


def pauses_of(rows: Rows) -> list[Any]:
    found = rows.ask(
        f"select {name_columns('l', 'l')}, p.* from timeline_pauses p join objects l on l.object_key = p.lead_key"
    )
    return sorted(((named(r, "l"), r["pause"], r["from_at"], r["until_at"]) for r in found), key=repr)


def clocks_of(rows: Rows) -> dict[Any, Any]:
    """Every clock as it stands long after everything: variant, due instant, what pauses it."""
    found = rows.ask(
        f"select {name_columns('l', 'l')}, k.* from clocks k join objects l on l.object_key = k.lead_key where holds_until is null"
    )
    return {(named(r, "l"), r["promise"]): (r["variant"], r["started_at"], r["stopped_at"], r["due_at"]) for r in found}


def timelines_of(rows: Rows) -> list[dict[str, Any]]:
    return rows.ask(
        f"select {name_columns('l', 'l')}, t.* from timelines t join objects l on l.object_key = t.lead_key"
    )


def expected_clocks(rows: Rows, oracle: Oracle) -> dict[Any, Any]:
    calendars = {k.name: k for k in oracle.c.calendars}
    orders = timelines_of(rows)
    expected = {}
    for order in orders:
        lead = next(m for m in oracle.members if short(m) == named(order, "l"))
        reached = {name: at(m["reached"]) for name, m in oracle.milestones[lead].items()}
        for name in {p.name for p in oracle.c.promises}:
            start, stop = next((p.start, p.stop) for p in oracle.c.promises if p.name == name)
            started_at = order["started_at"] if start == "start" else reached.get(start)
            variant = oracle.variant(name, order, started_at) if started_at else None
            if variant is None:
                continue
            ends = [reached.get(stop), order["cancelled_at"], order["completed_at"] if stop not in reached else None]
            stopped_at = min((e for e in ends if e), default=None)
            calendar = calendars[variant.calendar]
            if variant.due:
                due = close_after(calendar, started_at)
            else:
                declared = {p.name: p for p in oracle.c.pauses}
                pauses = [
                    Pause(at(since), at(until))
                    for pause, since, until in oracle.pauses[lead]
                    if not declared[pause].promises or name in declared[pause].promises
                ]
                if stopped_at:  # what comes after the end is of no interest
                    pauses = [p for p in pauses if p.from_at < stopped_at or p.from_at <= started_at]
                    pauses = [
                        Pause(
                            p.from_at,
                            p.until_at
                            if p.until_at and (p.until_at < stopped_at or p.until_at <= started_at)
                            else None,
                        )
                        for p in pauses
                    ]
                due = due_at(started_at, float(variant.within_s or 0), calendar, pauses)
            expected[named(order, "l"), name] = (variant.variant, started_at, stopped_at, due)
    return expected


def stuck_of(rows: Rows, second: int) -> set[Any]:
    """Every standstill as of half a second after `second`: whose, since when nothing moves, from when to when, and what ended it."""
    found = rows.ask(
        f"select {name_columns('l', 'l')}, e.* from stuck_episodes(?) e join objects l on l.object_key = e.lead_key",
        [instant(second + 0.5)],
    )
    return {
        (named(r, "l"), r["operation"], r["since_at"], r["episode"], r["opened_at"], r["resolved_at"], r["ended_by"])
        for r in found
    }


def expected_stuck(rows: Rows, oracle: Oracle, second: int) -> set[Any]:
    """The same, by asking of the middle of every second whether the order moved of late, whether a promise ran and whether a failure was open."""
    positions = [m.name for m in oracle.c.milestones]
    calendars = {c.name: c for c in oracle.c.calendars}
    counts_in = {m.name: calendars[m.stuck_calendar or oracle.c.stuck_calendar or ""] for m in oracle.c.milestones}
    counts_in["start"] = calendars[oracle.c.stuck_calendar or ""]
    clocks, expected = expected_clocks(rows, oracle), set()
    checks = rows.ask(
        f"select {name_columns('o', 'o')}, f.opened_at, f.resolved_at from failures f join objects o using (object_key) where trace_id is null"
    )
    for order in timelines_of(rows):
        lead = next(m for m in oracle.members if short(m) == named(order, "l"))
        below = {short(m): m for m, place in oracle.members[lead].items() if place["direction"] != "up"}
        steps = [(order["started_at"], -1, "start")]
        steps += [
            (at(fact["said"].span.until), positions.index(fact["said"].milestone), fact["said"].milestone)
            for fact in first_facts(oracle, lead)
        ]
        ends = min((e for e in (order["completed_at"], order["cancelled_at"]) if e), default=None)
        promised = [(c[1], c[2]) for (whose, _), c in clocks.items() if whose == short(lead)]
        failing = [
            (at(e["opened"]), min((at(x) for x in (e["resolved"], later) if x is not None), default=None))
            for (_, o), episodes in oracle.failures.items()
            if short(o) in below
            for e, later in zip(episodes, [*(n["opened"] for n in episodes[1:]), None], strict=True)
        ]
        failing += [(c["opened_at"], c["resolved_at"]) for c in checks if named(c, "o") in below]
        seen: dict[Any, list[int]] = {}
        for n in range(second + 1):
            middle = at(n + 0.5)
            if middle < order["started_at"] or (ends and ends <= middle):
                continue
            since, _, name = max(s for s in steps if s[0] <= middle)
            covered = any(a <= middle and (b is None or middle < b) for a, b in promised + failing)
            if not covered and worked_s(counts_in[name], since, middle) >= oracle.c.stuck_after_s:
                seen.setdefault((since, name), []).append(n)
        for (since, name), seconds in seen.items():
            starts = [n for n in seconds if n - 1 not in seconds]
            for episode, start in enumerate(starts, 1):
                end = next(n for n in range(start, second + 2) if n not in seconds)
                over = at(end) if end <= second else None
                if over is None:
                    by = None
                elif any(s[0] == over for s in steps):
                    by = "milestone"
                elif over == ends:
                    by = "completed"
                else:
                    by = "failure"
                operation = "check.stuck_at_start" if name == "start" else f"check.stuck_after_{name}"
                expected.add((short(lead), operation, since, episode, at(start), over, by))
    return expected


def first_facts(oracle: Oracle, lead: Mention) -> list[dict[str, Any]]:
    """The first sign of each milestone on each object of a timeline."""
    found: dict[Any, dict[str, Any]] = {}
    for member, place in oracle.members[lead].items():
        for fact in oracle.facts if place["share"] else ():
            key = (member, fact["said"].milestone)
            if fact["object"] == member and fact["subject"] and key[1]:
                found[key] = min(found.get(key, fact), fact, key=lambda f: f["said"].span.until)
    return list(found.values())


def failures_of(rows: Rows) -> dict[Any, Any]:
    found = rows.ask(
        f"select {name_columns('o', 'o')}, f.* from failures f join objects o using (object_key) where trace_id is not null"
    )
    return {
        (r["operation"], named(r, "o"), r["episode"]): (
            r["opened_at"],
            r["first_failed_at"],
            r["last_failed_at"],
            r["resolved_at"],
            r["attempt_count"],
        )
        for r in found
    }
