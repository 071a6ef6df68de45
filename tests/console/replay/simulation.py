"""Chaos without sockets, threads or waiting: a clock that is turned by hand, an engine that lies by the dice, deaths at any step.

The process dies by an exception at a step boundary: all that was in memory is gone, and a new service takes up the ledger; every
so often the database file itself is closed and opened again. The same seed plays the same story. The engine keeps the two promises
that replays rest on (a key starts one run; a probe that says `absent` is true) and no other.
"""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from console.access import Principal
from console.replay.circuits import Circuits
from console.replay.dispatcher import Dispatcher
from console.replay.engine import (
    Accepted,
    AlreadyTaken,
    AlreadyThere,
    Answer,
    DependencyState,
    Engines,
    Probe,
    Refused,
    ReplayRequest,
    RetryLater,
    RunState,
    Uncertain,
)
from console.replay.recovery import Recovery
from console.replay.replays import Replays
from console.replay.settlement import Settlement
from tests.console.replay.estate import span, table
from trace_model.catalogue.loader import load
from trace_model.replays import Plan, ReplayLimits
from trace_model.store import Store
from trace_model.store.ledger import Ledger
from trace_model.store.store import rules_of

OPERATOR = Principal("ana", "operator")
BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROUNDS_MOST = 3_000


class Death(BaseException):
    """The process is gone."""


class Clock:
    """Turned by hand; each look moves it on by a microsecond, so that no two instants are the same."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def seconds(self) -> float:
        return (self.now - BEGAN).total_seconds()

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Inline(Executor):
    """Runs what it is given at once, in the caller's thread; a death goes through to the top."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@dataclass(frozen=True)
class Odds:
    """How often (0 to 1) a call or a run goes that way; the rest goes well."""

    busy: float = 0.06
    busy_after_taking: float = 0.03
    refuses: float = 0.02
    refuses_after_taking: float = 0.02
    never_arrives: float = 0.06
    answer_lost: float = 0.10
    takes_and_does_nothing: float = 0.02
    late: float = 0.20
    fails_again: float = 0.08
    silent: float = 0.03
    told_twice: float = 0.15
    state_lies: float = 0.10
    probe_mute: float = 0.05


@dataclass
class LyingEngine:
    """Takes a key once, books at its target, and tells of it in spans: when, how often and whether at all is up to the dice."""

    clock: Clock
    dice: random.Random
    odds: Odds
    name: str = "sync-engine"
    keeps_keys: bool = True
    can_probe: bool = True
    settles_by_key: bool = False
    is_broken: bool = False
    is_down: bool = False
    runs: Counter[str] = field(default_factory=Counter)
    books: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    taken: dict[str, ReplayRequest] = field(default_factory=dict)
    ran: dict[str, str] = field(default_factory=dict)
    due: list[tuple[datetime, ReplayRequest]] = field(default_factory=list)
    untold: list[dict[str, Any]] = field(default_factory=list)

    def submit(self, request: ReplayRequest) -> Answer:
        key, odds = request.idempotency_key, self.odds
        self.calls[key] += 1
        if key in self.taken:
            return Uncertain("connection reset") if self._is(odds.answer_lost) else AlreadyTaken("r")
        if self._is(odds.never_arrives):
            return Uncertain("connection reset")
        if self._is(odds.busy):
            return RetryLater(0.5, "busy")
        if self._is(odds.refuses):
            return Refused("no mapping")
        if self.books[request.object_id]:
            return AlreadyThere("the ERP has it")
        self.taken[key] = request
        if not self._is(odds.takes_and_does_nothing):
            delay_s = self.dice.uniform(1, 40) if self._is(odds.late) else self.dice.uniform(0, 0.5)
            self.due.append((self.clock() + timedelta(seconds=delay_s), request))
        if self._is(odds.busy_after_taking):
            return RetryLater(0.5, "busy, or so it says")
        if self._is(odds.refuses_after_taking):
            return Refused("refused, or so it says")
        return Uncertain("no answer in time") if self._is(odds.answer_lost) else Accepted("r")

    def work(self) -> None:
        """What is due by now has been done, and is told or not."""
        now = self.clock()
        ready = [request for at, request in self.due if at <= now]
        self.due = [(at, request) for at, request in self.due if at > now]
        for request in ready:
            failed = self.is_broken or self._is(self.odds.fails_again)
            self.runs[request.object_id] += 1
            if not failed:
                self.books[request.object_id] += 1
            self.ran[request.replay_id] = "failed" if failed else "succeeded"
            if not self._is(self.odds.silent):
                told = stamped(self.clock, *run_of(request, failed))
                self.untold += [told, told] if self._is(self.odds.told_twice) else [told]

    def state(self, request: ReplayRequest, run_id: str | None) -> RunState:
        known = request.idempotency_key in self.taken
        if self._is(self.odds.state_lies) and known:
            return RunState(self.dice.choice(["accepted", "running", "succeeded", "failed"]), "or so it says")
        if not known:
            return RunState("unknown") if not self._is(0.1) else RunState("unknown", "no answer", is_answer=False)
        return RunState("succeeded" if self.ran.get(request.replay_id) == "succeeded" else "running")

    def probe(self, operation: str, object_type: str, object_id: str) -> Probe:
        if self._is(self.odds.probe_mute):
            return Probe("unknown", "no answer")
        coming = any(request.object_id == object_id for _, request in self.due)
        if self.books[object_id]:
            return Probe("present", "in the books")
        return Probe("unknown", "a run is under way") if coming else Probe("absent", "not in the books")

    def dependency(self, name: str) -> DependencyState:
        return "down" if self.is_down else "up"

    def close(self) -> None:
        """Nothing is held."""

    def _is(self, share: float) -> bool:
        return self.dice.random() < share


def run_of(request: ReplayRequest, failed: bool) -> tuple[str, dict[str, Any], str | None]:
    keys = {"q2c.order.id": request.object_id, "q2c.operation": request.operation, "q2c.replay.id": request.replay_id}
    if not failed:
        return request.operation, keys | {"peer.service": "erp-de"}, None
    refused = {
        "q2c.error.code": "503",
        "http.response.status_code": 503,
        "q2c.outcome": "gave_up",
        "peer.service": "erp-de",
    }
    return request.operation, keys | refused, "503 Service Unavailable"


def stamped(clock: Clock, name: str, attributes: dict[str, Any], failed: str | None) -> dict[str, Any]:
    ended = int(clock().timestamp() * 1e6) * 1000
    return span(name, attributes, failed=failed) | {"start_unix_ns": ended - 5_000, "end_unix_ns": ended}


LIMITS = ReplayLimits(
    evidence_timeout_s=60.0, uncertain_for_s=2.0, ask_again_s=1.0, calls_per_s=1e9, calls_per_target=10**6, wave_size=250,
    outstanding_per_target=10**6, canary_above=10**6, brake_share=1.0, approval_count=10**6, approval_amount=10**12,  # type: ignore[arg-type]
    tries=12, quiet_s=0.0, recovery="off", approval_window_s=0,
)  # fmt: skip
"""No canary, no brake: the sending itself is what is tried."""


@dataclass
class Ended:
    """A plan that is over, the engine that did it, and how often the process died on the way."""

    plan: Plan
    engine: LyingEngine
    deaths: int
    reopened: int
    whole_chain: bool
    told: frozenset[str]

    def faults(self) -> list[str]:
        """What must never be: booked twice, lost, not final, or told otherwise than the books have it."""
        found = [f"{thing} booked {count} times" for thing, count in self.engine.books.items() if count > 1]
        for item in self.plan.items:
            booked = self.engine.books[item.object_id]
            told = f"{item.object_id}: {item.outcome}, {item.detail}; booked {booked}"
            if item.outcome in ("planned", "sent", "accepted", "uncertain"):
                found.append(f"not final: {told}")
            if item.outcome == "milestone_reached" and booked != 1:
                found.append(f"claimed: {told}")
            if item.outcome in ("failed_again", "rejected") and booked and self._was_told(item.replay_id):
                found.append(f"denied: {told}")
            if item.outcome == "skipped" and not item.detail:
                found.append(f"without a word: {told}")
        if sum(self.plan.totals().values()) != len(self.plan.items):
            found.append("totals do not add up")
        return found if self.whole_chain else [*found, "the audit chain is broken"]

    def _was_told(self, replay_id: str) -> bool:
        return self.engine.ran.get(replay_id) == "succeeded" and replay_id in self.told


@dataclass
class Flapped:
    """What a flapping dependency has cost: the engine's counts, the watch's plans, calls by flap, and what is still open."""

    engine: LyingEngine
    plans: list[Plan]
    calls_by_flap: list[int]
    calls_while_down: int
    open_ids: list[str]

    def tries(self) -> Counter[str]:
        """How often each exception was sent to be replayed, by the ledger."""
        return Counter(i.exception_id for p in self.plans for i in p.items if i.sent_at is not None)

    def unexplained(self) -> list[str]:
        """Exceptions still open of which no plan says why nothing more is done for them, and items or plans that hang."""
        said = {i.exception_id for p in self.plans for i in p.items if i.outcome == "skipped" and i.detail}
        waits = {
            i.exception_id for p in self.plans if p.state == "paused" and "waits for a person" in (p.state_reason or "")
            for i in p.items
        }  # fmt: skip
        hang = [f"{p.plan_id} is {p.state}: {p.state_reason}" for p in self.plans if p.state == "running"]
        hang += [
            f"{i.object_id} is {i.outcome}"
            for p in self.plans
            for i in p.items
            if i.outcome in ("sent", "accepted", "uncertain")
        ]
        return hang + [f"{one} is open" for one in self.open_ids if one not in said | waits]


class World:
    """A store, in memory or in a file, and its clock; plan after plan is played in it. Only a file can be closed and opened again."""

    def __init__(self, file: Path | None = None) -> None:
        self.clock = Clock()
        self._file = file
        self._catalogue = load()
        self._rules = rules_of(self._catalogue)
        self.store = self._open()
        self._next_order = 1

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def _open(self) -> Store:
        return Store(self._file, self._catalogue, clock=self.clock, rules=self._rules, threads=1)

    def fail(self, count: int) -> list[str]:
        """So many more orders have failed; their exceptions' ids."""
        first, self._next_order = self._next_order, self._next_order + count
        self.store.record(table([row for n in range(first, first + count) for row in failed(self.clock, n)]))
        self.store.project()
        self.clock.turn(1)
        mine = {f"SO-{n}" for n in range(first, first + count)}
        rows = self.store.rows("export_exceptions", as_of=self.clock())
        return [row["exception_id"] for row in rows if row["object_id"] in mine]

    def play(self, seed: int, items: int, odds: Odds | None = None, steps_to_death: int = 40) -> Ended:
        """One plan of `items` failed orders, sent through deaths and lies until it is over. Deterministic by `seed`."""
        dice, clock = random.Random(seed), self.clock
        engine = LyingEngine(clock, random.Random(seed + 1), odds or Odds())
        engines = Engines([(engine, [])])
        ids = self.fail(items)
        desk = Replays(self.store, Ledger(self.store.database, clock), engines, clock, LIMITS)
        plan = desk.plan(OPERATOR, exception_ids=ids, reason="chaos")
        desk.execute(OPERATOR, plan.plan_id, plan.hash, "chaos")
        desk.stop()
        told: set[str] = set()
        deaths = reopened = 0
        for _ in range(ROUNDS_MOST):
            life = _Life(self.store, engines, clock, _fatal(dice, steps_to_death))
            try:
                while self._state(plan.plan_id) != "finished":
                    life.go_on()
                    told |= _deliver(engine, self.store)
                    clock.turn(dice.uniform(3, 20))
                break
            except Death:
                deaths += 1
                clock.turn(dice.uniform(0, 3))
                if self._file and deaths % 10 == 0:
                    reopened += 1
                    self.store.close()
                    self.store = self._open()
        for _ in range(8):  # evidence that comes after the end still corrects what was taken on the engine's word
            clock.turn(10)
            told |= _deliver(engine, self.store)
            _Life(self.store, engines, clock, lambda step: None).go_on()
        done = Ledger(self.store.database, clock).plan(plan.plan_id)
        is_whole = self.store.first_broken_action() is None
        return Ended(done, engine, deaths, reopened, is_whole, frozenset(told))

    def flap(self, seed: int, items: int, flaps: int, limits: ReplayLimits, *, heals: bool = True) -> Flapped:
        """A dependency goes down and comes back `flaps` times, then stays up until recovery has nothing more to do.

        While it flaps, it says that it is up when it is, and yet three in four runs fail; where it never `heals`, all of them do,
        then and after. Recovery starts by itself. Each turn of a flap is some 45 seconds; after the last one half a minute goes
        by between two looks, for more than twice the longest wait of the limits.
        """
        dice = random.Random(seed)
        odds = Odds(
            fails_again=0.75 if heals else 1.0,
            takes_and_does_nothing=0,
            silent=0,
            state_lies=0,
            refuses=0,
            refuses_after_taking=0,
        )
        engine = LyingEngine(self.clock, random.Random(seed + 1), odds)
        engines, ids = Engines([(engine, [])]), self.fail(items)
        ledger = Ledger(self.store.database, self.clock)
        desk = Replays(self.store, ledger, engines, self.clock, limits)
        recovery = Recovery(self.store, engines, self.clock, limits, desk)
        life = _Life(self.store, engines, self.clock, lambda step: None, limits)
        calls_by_flap, calls_while_down = [], 0

        def go_on(turn_s: float) -> None:
            recovery.run_once()
            life.go_on()
            _deliver(engine, self.store)
            self.clock.turn(turn_s)

        for _ in range(flaps):
            before = sum(engine.calls.values())
            for engine.is_down in (True, False):
                called = sum(engine.calls.values())
                for _ in range(8):
                    go_on(dice.uniform(2, 10))
                calls_while_down += engine.is_down and sum(engine.calls.values()) - called
            calls_by_flap.append(sum(engine.calls.values()) - before)
        engine.odds = replace(odds, fails_again=0.0) if heals else odds
        left = int(2.5 * limits.recovery_wait_most_s / 30)
        while left > 0:
            left -= 1
            go_on(30)
        desk.stop()
        mine = set(ids)
        plans = [p for p in ledger.recent(1000) if any(i.exception_id in mine for i in p.items)]
        open_ids = {
            row["exception_id"]
            for row in self.store.rows("export_exceptions", as_of=self.clock())
            if row["state"] == "open"
        }
        return Flapped(engine, plans, calls_by_flap, calls_while_down, sorted(mine & open_ids))

    def send(self, engine: LyingEngine, limits: ReplayLimits, items: int, rounds: int = 40) -> Plan:
        """One plan of so many failed orders as it stands after `rounds` rounds, without any death."""
        engines, ids = Engines([(engine, [])]), self.fail(items)
        ledger = Ledger(self.store.database, self.clock)
        desk = Replays(self.store, ledger, engines, self.clock, limits)
        plan = desk.plan(OPERATOR, exception_ids=ids, reason="r")
        desk.execute(OPERATOR, plan.plan_id, plan.hash, "r")
        desk.stop()
        life = _Life(self.store, engines, self.clock, lambda step: None, limits)
        for _ in range(rounds):
            life.go_on()
            _deliver(engine, self.store)
            self.clock.turn(2)
        stands = ledger.plan(plan.plan_id)
        ledger.move(plan.plan_id, "cancelled", deed="cancel", actor=OPERATOR.name, reason="the story is over")
        return stands

    def under_way(self, items: int, limits: ReplayLimits = LIMITS) -> tuple[str, Callable[[], None]]:
        """A running plan of so many items whose first wave is out and never ends; the plan's id, and one more round of it."""
        engine = LyingEngine(self.clock, random.Random(1), Odds(*[0.0] * 5, takes_and_does_nothing=1.0))
        engines, ids = Engines([(engine, [])]), self.fail(items)
        desk = Replays(self.store, Ledger(self.store.database, self.clock), engines, self.clock, limits)
        plan = desk.plan(OPERATOR, exception_ids=ids, reason="r")
        desk.execute(OPERATOR, plan.plan_id, plan.hash, "r")
        desk.stop()
        life = _Life(self.store, engines, self.clock, lambda step: None, limits)
        life.go_on()
        return plan.plan_id, life.go_on

    def _state(self, plan_id: str) -> str:
        (row,) = self.store.rows("replay_plans", plan_id=plan_id, as_of=self.clock(), limit=1, offset=0)
        return str(row["state"])


def _deliver(engine: LyingEngine, store: Store) -> set[str]:
    """What is due has been done, and what the engine tells of it is derived; the replay ids that were told."""
    engine.work()
    said, engine.untold = engine.untold, []
    if said:
        store.record(table(said))
        store.project()
    return {json.loads(s["attributes"])["q2c.replay.id"] for s in said}


class _Life:
    """One life of the process: everything that is in memory."""

    def __init__(
        self, store: Store, engines: Engines, clock: Clock, at: Callable[[str], None], limits: ReplayLimits = LIMITS
    ) -> None:
        self._ledger = Ledger(store.database, clock)
        self._ledger.doubt_unanswered()
        circuits = Circuits(clock, limits.quiet_s)
        self._dispatcher = Dispatcher(
            store, self._ledger, engines, clock, limits, circuits, at, Inline(), clock.seconds
        )
        self._settlement = Settlement(store, self._ledger, engines, clock, limits, self._dispatcher, at)

    def go_on(self) -> None:
        self._dispatcher.run_once()
        self._settlement.run_once()


def _fatal(dice: random.Random, steps: int) -> Callable[[str], None]:
    """A hook that dies at a step of the dice's choice, at most 2 * `steps` on."""
    left = dice.randrange(2 * steps)

    def at(step: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Death(step)

    return at


def failed(clock: Clock, number: int) -> list[dict[str, Any]]:
    """An order that was submitted, and that the ERP did not take."""
    keys = {"q2c.order.id": f"SO-{number}", "correlation_id": f"c-{uuid.UUID(int=number).hex}"}
    value = {"q2c.amount": "100.00", "q2c.currency": "EUR", "q2c.operation": "crm.submit_order"}
    refused = {
        "q2c.operation": "erp.create_order", "q2c.error.code": "503", "http.response.status_code": 503,
        "peer.service": "erp-de", "q2c.outcome": "gave_up",
    }  # fmt: skip
    return [
        stamped(clock, "crm.submit_order", keys | value, None),
        stamped(clock, "erp.create_order", keys | refused, "503 Service Unavailable"),
    ]
