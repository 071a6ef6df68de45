"""The ledger of replays: plans and items as frozen, the keys reserved before any call, and each move with its audit deed.

The only place that writes the replay tables. Every method is one transaction under the recording lock, durable when it
returns; moves compare before they set, so two threads or two browsers never both win. What a legal move is stands in
`trace_model/replays.py`; who may make it is the caller's to check. Any method may raise StoreUnavailable: nothing was
kept, trying again may help.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from trace_model.errors import UnknownThing
from trace_model.patches import patched_paths
from trace_model.replays import LEGAL_OUTCOMES, LEGAL_STATES, OUTSTANDING, Outcome, Plan, PlanItem, PlanState
from trace_model.store import actions
from trace_model.store.database import Database, transaction

WORKER = "replay worker"
"""The actor of deeds that follow from a rule: a brake, an end."""

_ITEM = tuple(f.name for f in fields(PlanItem))
_PLAN = tuple(f.name for f in fields(Plan) if f.name != "items")
_UTC = pa.timestamp("us", tz="UTC")
_ARROW: dict[str, pa.DataType] = {
    "item_no": pa.int32(),
    "object_key": pa.uint64(),
    "episode": pa.int32(),
    "amount": pa.decimal128(18, 4),
    "due_at": _UTC,
    "writes": pa.list_(pa.string()),
    "requires_absent": pa.bool_(),
    "reconciles": pa.bool_(),
    "doubted_at": _UTC,
    "tries": pa.int32(),
    "not_before": _UTC,
    "sent_at": _UTC,
    "sent_seq": pa.int64(),
    "settled_at": _UTC,
}


class Ledger:
    """The replay tables of one database. Threads may share it."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._writer = database.cursor()

    # -- plans ---------------------------------------------------------------------------------------------------

    def save(self, plan: Plan) -> None:
        """The plan is frozen: its items and hash never change from here on."""
        columns = {
            name: pa.array([_kept(getattr(item, name)) for item in plan.items], _ARROW.get(name, pa.string()))
            for name in _ITEM
        }
        table = pa.table({"plan_id": pa.array([plan.plan_id] * len(plan.items), pa.string()), **columns})
        with self._writing() as c:
            kept = [_kept(getattr(plan, n)) for n in _PLAN]
            marks = ", ".join("?" * len(_PLAN))
            c.execute(f"insert into replay_plans ({', '.join(_PLAN)}) values ({marks})", kept)  # noqa: S608 our own names
            c.register("frozen_items", table)
            try:
                c.execute("insert into replay_items by name select * from frozen_items")
            finally:
                c.unregister("frozen_items")
            self._audit(c, plan.plan_id, "plan", plan.created_by, plan.reason, _told(plan))

    def plan(self, plan_id: str) -> Plan:
        """The plan with its items in the order of sending. Raises UnknownThing if there is none of that id."""
        found = self._plans("plan_id = ?", [plan_id])
        if not found:
            raise UnknownThing(f"there is no replay plan '{plan_id}'")
        return found[0]

    def head(self, plan_id: str) -> Plan:
        """The plan without its items, which may be thousands. Raises UnknownThing if there is none of that id."""
        with self._database.reading() as c:
            rows = _dicts(c, "from replay_plans where plan_id = ?", [plan_id])
        if not rows:
            raise UnknownThing(f"there is no replay plan '{plan_id}'")
        return _plan(rows[0], [])

    def recent(self, limit: int) -> list[Plan]:
        """The newest plans, newest first."""
        return self._plans("true", [], limit)

    def in_state(self, *states: PlanState) -> list[Plan]:
        """The plans in one of `states`, oldest first."""
        return self._plans("list_contains(?, state)", [list(states)])[::-1]

    def move(
        self,
        plan_id: str,
        state: PlanState,
        *,
        deed: str,
        actor: str,
        reason: str,
        expected: Iterable[PlanState] | None = None,
        **columns: Any,
    ) -> bool:
        """True if this call moved the plan to `state` (and audited it); False if it no longer stood where it could.

        `expected` narrows the legal states it may come from; `columns` are set with it.
        """
        legal = [s for s, following in LEGAL_STATES.items() if state in following]
        sources = [s for s in legal if expected is None or s in set(expected)]
        with self._writing() as c:
            before = c.execute("select state, hash from replay_plans where plan_id = ?", [plan_id]).fetchone()
            if before is None or before[0] not in sources:
                return False
            values = {"state": state, **columns}
            assignments = ", ".join(f"{name} = ?" for name in values)
            c.execute(f"update replay_plans set {assignments} where plan_id = ?", [*values.values(), plan_id])  # noqa: S608
            detail = {"before": {"state": before[0]}, "after": {"state": state}, "hash": before[1], **columns}
            if state == "cancelled":
                gone = c.execute(
                    "update replay_items set outcome = 'skipped', detail = ?, settled_at = ? "
                    "where plan_id = ? and outcome = 'planned' returning item_no",
                    [f"cancelled by {actor}: {reason}", self._clock(), plan_id],
                ).fetchall()
                detail["cancelled_items"] = len(gone)
            self._audit(c, plan_id, deed, actor, reason, detail)
            return True

    def explain(self, plan_id: str, state_reason: str | None) -> None:
        """The plan's screen line says why it waits; no deed, no state."""
        with self._writing() as c:
            c.execute(
                "update replay_plans set state_reason = ? where plan_id = ? and state_reason is distinct from ?",
                [state_reason, plan_id, state_reason],
            )

    # -- items ---------------------------------------------------------------------------------------------------

    def reserve(self, plan_id: str, item: PlanItem, sent_seq: int) -> str | None:
        """None if the item is now 'sent' and its key reserved: the caller, and nobody else, may call the engine once.

        Else why not: the plan no longer runs, the item is no longer planned, or the same thing is reserved or
        outstanding elsewhere.
        """
        with self._writing() as c:
            row = c.execute(
                "select p.state, i.outcome from replay_plans p join replay_items i using (plan_id) "
                "where plan_id = ? and item_no = ?",
                [plan_id, item.item_no],
            ).fetchone()
            if row is None or row[0] != "running":
                return "the plan does not run"
            if row[1] != "planned":
                return f"the item is {row[1]} already"
            taken = c.execute(
                "select plan_id from replay_ledger where idempotency_key = ? union all "
                "select plan_id from replay_items where operation = ? and object_key = ? and list_contains(?, outcome) limit 1",
                [item.idempotency_key, item.operation, item.object_key, sorted(OUTSTANDING)],
            ).fetchone()
            if taken:
                why = f"already sent by plan {taken[0]}"
                self._set(c, plan_id, item.item_no, {"outcome": "skipped", "detail": why, "settled_at": self._clock()})
                return why
            now = self._clock()
            c.execute(
                "insert into replay_ledger values (?, ?, ?, ?)", [item.idempotency_key, plan_id, item.item_no, now]
            )
            sent = {"outcome": "sent", "sent_at": now, "sent_seq": sent_seq, "tries": item.tries + 1, "detail": None}
            self._set(c, plan_id, item.item_no, sent)
            return None

    def reserve_again(self, plan_id: str, item: PlanItem) -> bool:
        """True if an uncertain item is 'sent' again under the key it holds: the caller may call the engine once more."""
        with self._writing() as c:
            return self._advance(c, plan_id, item.item_no, "sent", {"sent_at": self._clock(), "tries": item.tries + 1})

    def release(self, plan_id: str, item: PlanItem, not_before: datetime, detail: str) -> bool:
        """True if a sent item is planned again, its key free: only for a call that the engine said it did not take."""
        with self._writing() as c:
            columns = {
                "outcome": "planned",
                "sent_at": None,
                "sent_seq": None,
                "not_before": not_before,
                "detail": detail,
            }
            if not self._set(c, plan_id, item.item_no, columns, among=["sent"]):
                return False
            c.execute(
                "delete from replay_ledger where idempotency_key = ? and plan_id = ? and item_no = ?",
                [item.idempotency_key, plan_id, item.item_no],
            )
            return True

    def postpone(self, plan_id: str, item: PlanItem, not_before: datetime, detail: str) -> None:
        """A planned item waits until `not_before`; one more try is counted."""
        with self._writing() as c:
            columns = {"not_before": not_before, "detail": detail, "tries": item.tries + 1}
            self._set(c, plan_id, item.item_no, columns, among=["planned"])

    def advance(self, plan_id: str, item_no: int, outcome: Outcome, detail: str | None, **columns: Any) -> bool:
        """True if the item moved to `outcome`; False if it stood where that is no legal move (someone was first)."""
        with self._writing() as c:
            return self._advance(c, plan_id, item_no, outcome, {"detail": detail, **columns})

    def doubt_unanswered(self, held: Sequence[tuple[str, int]] = ()) -> int:
        """Items that were sent and that nobody waits for are uncertain; returns how many.

        `held` are the items (plan, number) of which a worker still awaits the answer.
        """
        names = [f"{plan_id}/{item_no}" for plan_id, item_no in held]
        with self._database.reading() as c:
            if not c.execute("select 1 from replay_items where outcome = 'sent' limit 1").fetchone():
                return 0
        with self._writing() as c:
            rows = c.execute(
                "update replay_items set outcome = 'uncertain', detail = 'nobody heard the answer', doubted_at = ? "
                "where outcome = 'sent' and not list_contains(?::varchar[], plan_id || '/' || item_no) returning item_no",
                [self._clock(), names],
            ).fetchall()
            return len(rows)

    def is_running(self) -> bool:
        """True while a plan runs: asked several times a second, so it costs next to nothing."""
        with self._database.reading() as c:
            return bool(c.execute("select 1 from replay_plans where state = 'running' limit 1").fetchone())

    def open_ends(self, late_since: datetime) -> list[tuple[str, PlanItem]]:
        """The sent items whose evidence is still looked for, with their plan's id; as in `reads/replay_evidence.sql`."""
        looked_for = (
            "from replay_items where sent_at is not null and (outcome in ('sent', 'accepted', 'uncertain') "
            "or outcome in ('no_evidence', 'rejected') and sent_at > ?)"
        )
        with self._database.reading() as c:
            if not c.execute(f"select 1 {looked_for} limit 1", [late_since]).fetchall():
                return []
            rows = _dicts(c, f"{looked_for} order by plan_id, item_no", [late_since])
        return [(row["plan_id"], item_of(row)) for row in rows]

    # -- below ---------------------------------------------------------------------------------------------------

    def _advance(
        self, c: duckdb.DuckDBPyConnection, plan_id: str, item_no: int, outcome: Outcome, columns: Mapping[str, Any]
    ) -> bool:
        sources = [o for o, following in LEGAL_OUTCOMES.items() if outcome in following]
        settled = {} if outcome in OUTSTANDING else {"settled_at": self._clock()}
        if outcome == "uncertain":
            settled = {"doubted_at": self._clock()}
        return self._set(c, plan_id, item_no, {"outcome": outcome, **settled, **columns}, among=sources)

    @staticmethod
    def _set(
        c: duckdb.DuckDBPyConnection,
        plan_id: str,
        item_no: int,
        columns: Mapping[str, Any],
        among: Sequence[str] | None = None,
    ) -> bool:
        assignments = ", ".join(f"{name} = ?" for name in columns)
        rows = c.execute(
            f"update replay_items set {assignments} "  # noqa: S608 our own names
            "where plan_id = ? and item_no = ? and (? is null or list_contains(?, outcome)) returning item_no",
            [*columns.values(), plan_id, item_no, among, among],
        ).fetchall()
        return bool(rows)

    def _audit(
        self, c: duckdb.DuckDBPyConnection, plan_id: str, deed: str, actor: str, reason: str, detail: Mapping[str, Any]
    ) -> None:
        actions.append(
            c,
            acted_at=self._clock(),
            actor=actor,
            deed=deed,
            subject_type="replay_plan",
            subject_id=plan_id,
            reason=reason,
            detail=detail,
        )

    def _plans(self, where: str, parameters: list[Any], limit: int | None = None) -> list[Plan]:
        newest = f"from replay_plans where {where} order by created_at desc, plan_id limit ?"
        with self._database.reading() as c:
            c.begin()  # plans and items of one snapshot
            plans = _dicts(c, newest, [*parameters, limit])
            ids = [row["plan_id"] for row in plans]
            rows = _dicts(c, "from replay_items where list_contains(?, plan_id) order by plan_id, item_no", [ids])
            c.rollback()
        items: dict[str, list[PlanItem]] = {plan_id: [] for plan_id in ids}
        for row in rows:
            items[row["plan_id"]].append(item_of(row))
        return [_plan(row, items[row["plan_id"]]) for row in plans]

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._database.recording, transaction(self._writer) as c:
            yield c


def _dicts(c: duckdb.DuckDBPyConnection, text: str, parameters: list[Any]) -> list[dict[str, Any]]:
    table: pa.Table = c.sql(text, params=parameters).to_arrow_table()
    return list(table.to_pylist())


def _kept(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(value)
    return list(value) if isinstance(value, tuple) else value


def item_of(row: Mapping[str, Any]) -> PlanItem:
    """The item of a row of replay_items."""
    values: dict[str, Any] = {name: row[name] for name in _ITEM}
    patch = json.loads(row["patch"]) if row["patch"] else None
    return PlanItem(**(values | {"writes": tuple(row["writes"]), "patch": patch}))


def _plan(row: Mapping[str, Any], items: Sequence[PlanItem]) -> Plan:
    values = {name: row[name] for name in _PLAN}
    values["patch"] = json.loads(row["patch"]) if row["patch"] else None
    return Plan(items=tuple(items), **values)


def _told(plan: Plan) -> dict[str, Any]:
    return {
        "before": None,
        "after": {"state": plan.state},
        "hash": plan.hash,
        "items": len(plan.items),
        "to_send": len(plan.sends),
        "needs_approval": plan.needs_approval,
        "approval_reason": plan.approval_reason,
        "replaces": plan.replaces,
        "patched": patched_paths(plan.patch) if plan.patch else None,
        "from_step": plan.from_step,
        "data_fixed": plan.data_fixed,
    }
