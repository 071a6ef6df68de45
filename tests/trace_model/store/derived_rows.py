"""The derived rows of a store under the names a person would use: `order:SO-1` for an object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any

from tests.trace_model.store.spans_of import Span, instant, table
from trace_model.catalogue.calendar_schema import Calendar
from trace_model.catalogue.failure_rules import Rules, load_rules
from trace_model.catalogue.loader import load
from trace_model.catalogue.schema import Catalogue, Retries
from trace_model.store import Store
from trace_model.store.projector import DERIVED


@cache
def catalogue() -> Catalogue:
    """The shipped one, but an engine that says it will try again is believed for five seconds only."""
    return load().model_copy(update={"retries": Retries(give_up_after_s=5)})


@cache
def impatient() -> Catalogue:
    """That, and three seconds of silence are a standstill: for estates that last a minute.

    After some milestones they count at once, after all others in the working time of an office that opens a minute after T0.
    """
    c = catalogue()
    office = Calendar.model_validate({"name": "late_office", "time_zone": "UTC", "hours": {"monday": ["09:01-17:00"]}})
    at_once = ("quote_validated", "order_submitted", "order_accepted", "invoice_issued")
    milestones = [
        m.model_copy(update={"stuck_calendar": "always" if m.name in at_once else None}) for m in c.milestones
    ]
    return c.model_copy(
        update={
            "stuck_after_s": 3,
            "stuck_calendar": office.name,
            "milestones": milestones,
            "calendars": [*c.calendars, office],
        }
    )


@cache
def rules() -> Rules:
    return load_rules(None, [])


def opened(by: Catalogue | None = None) -> Store:
    """An empty store in memory with the shipped catalogue, or another."""
    return Store(None, by or catalogue(), clock=lambda: instant(0), rules=rules(), threads=1)


def told(*batches: Iterable[Span], by: Catalogue | None = None) -> Rows:
    """What a new store derives from the batches, each recorded and projected before the next."""
    rows = Rows(opened(by))
    for batch in batches:
        rows.hear(batch)
    return rows


class Rows:
    """Reads one store's derived tables; what it returns is sorted or keyed, never in table order."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def hear(self, spans: Iterable[Span]) -> None:
        self.store.record(table(spans))
        self.store.project()

    def do(self, deed: tuple[str, str, str, bool, int]) -> None:
        """An operator opens or closes a pause, and the clocks show it."""
        type_, id_, pause, opens, at = deed
        self.store.act(
            actor="ana", deed="pause" if opens else "resume", subject_type="timeline", subject_id=f"{type_}:{id_}", reason="said so",
            detail={"pause": pause, "at": instant(at).isoformat()},
        )  # fmt: skip
        self.store.project()

    def tie(self, child: str, parent: str, deed: str = "link") -> None:
        """A person ties `invoice:INV-1` to `order:SO-1`, or takes that back."""
        named = [dict(zip(("type", "id"), thing.split(":", 1), strict=True)) for thing in (child, parent)]
        for each in named:
            found = self.ask(
                "select md5_number_lower(concat_ws(chr(31), ?, '', '', ?)) as key", [each["type"], each["id"]]
            )
            each["key"] = str(found[0]["key"])
        self.store.tie(
            int(named[0]["key"]), actor="ada", deed=deed, subject_id=f"{child} in {parent}", reason="seen on paper",
            detail={"child": named[0], "parent": named[1]},
        )  # fmt: skip

    def ask(self, text: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        with self.store.database.reading() as c:
            answer = c.execute(text, parameters) if parameters else c.execute(text)
            names = [column[0] for column in answer.description]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def every_table(self) -> dict[str, list[str]]:
        """Every derived row but for the order of recording, as sorted texts by table."""
        rows = {}
        for name in DERIVED:
            found = self.ask(f"from {name}")
            rows[name] = sorted(repr({k: v for k, v in r.items() if k not in ("seq", "first_seq")}) for r in found)
        return rows

    def objects(self) -> dict[str, dict[str, Any]]:
        found = self.ask("select object_type || ':' || object_id as name, * from objects")
        return {f"{r['name']}{'@' + r['scope'] if r['scope'] else ''}": r for r in found}

    def links(self) -> dict[tuple[str, str], dict[str, Any]]:
        found = self.ask(
            "select c.object_type || ':' || c.object_id as child, p.object_type || ':' || p.object_id as parent, k.* "
            "from links k join objects c on c.object_key = k.child_key join objects p on p.object_key = k.parent_key"
        )
        return {(r["child"], r["parent"]): r for r in found}

    def links_of_all_kinds(self) -> list[dict[str, Any]]:
        return self.ask("from links")

    def leads(self) -> list[str]:
        return sorted(r["lead"] for r in self.ask("select lead_type || ':' || lead_id as lead from timelines"))

    def members(self, lead: str) -> dict[str, dict[str, Any]]:
        found = self.ask(
            "select o.object_type || ':' || o.object_id as name, m.*, o.scope from timeline_members m "
            "join objects o using (object_key) join timelines t using (lead_key) "
            "where t.lead_type || ':' || t.lead_id = ?",
            [lead],
        )
        return {r["name"]: r for r in found}

    def shares(self) -> dict[str, dict[str, float]]:
        """For each object below a lead, the share of each lead."""
        shares: dict[str, dict[str, float]] = defaultdict(dict)
        for lead in self.leads():
            for name, member in self.members(lead).items():
                if member["direction"] == "down":
                    shares[name][lead] = member["share"]
        return dict(shares)

    def milestones(self, lead: str) -> dict[str, dict[str, Any]]:
        found = self.ask(
            "select m.* from timeline_milestones m join timelines t using (lead_key) "
            "where t.lead_type || ':' || t.lead_id = ?",
            [lead],
        )
        return {r["milestone"]: r for r in found}

    def timeline(self, lead: str) -> dict[str, Any]:
        found = self.ask("from timelines where lead_type || ':' || lead_id = ?", [lead])
        assert len(found) == 1, f"{lead} leads {len(found)} timelines"
        return found[0]

    def clocks(self, lead: str) -> dict[str, dict[str, Any]]:
        found = self.ask(
            "select c.* from clocks c join timelines t using (lead_key) where t.lead_type || ':' || t.lead_id = ?",
            [lead],
        )
        return {r["promise"]: r for r in found}

    def failures(self) -> list[dict[str, Any]]:
        return self.ask(
            "select *, object_type || ':' || object_id as name from failures where trace_id is not null "
            "order by opened_at, operation"
        )

    def checks(self) -> list[tuple[str, str, Any, Any]]:
        """What the checks found: operation, object, when it opened and when it was resolved."""
        found = self.ask(
            "select operation, object_type || ':' || object_id as name, opened_at, resolved_at from failures "
            "where trace_id is null order by opened_at, operation, name"
        )
        return [(r["operation"], r["name"], r["opened_at"], r["resolved_at"]) for r in found]

    def warnings(self) -> list[tuple[str | None, str]]:
        found = self.ask(
            "select o.object_type || ':' || o.object_id as name, w.kind from warnings w left join objects o using (object_key)"
        )
        return sorted(((r["name"], r["kind"]) for r in found), key=repr)
