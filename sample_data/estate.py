"""The estate put together: systems, engine, clock, telemetry and truth; and what people in the business put right."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

import httpx
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, SpanKind

from sample_data.business import Customer, Line, Numbers, Order, customers
from sample_data.clock import Clock
from sample_data.deals import Deal
from sample_data.engine.app import ReplayDesk
from sample_data.engine.flow import Flow, Parked, Timing
from sample_data.engine.releases import CHANGES
from sample_data.engine.runner import Runner
from sample_data.scenarios import SCENARIOS, Scenario
from sample_data.systems.billing import Billing
from sample_data.systems.cpq import Cpq
from sample_data.systems.crm import Crm
from sample_data.systems.erp import Erp
from sample_data.systems.logistics import Logistics
from sample_data.systems.psp import Psp
from sample_data.systems.system import Booking, System
from sample_data.systems.tax import Tax
from sample_data.telemetry import Feed, Telemetry
from sample_data.truth import Truth
from sample_data.wire import HOST, Listener, Wire

ENGINE = "sync-engine"
_CONDITIONS = {"downtime": "down", "throttling": "throttled"}


class Books:
    """What the systems have booked, for a test to compare with what it was told."""

    def __init__(self, systems: Mapping[str, System]) -> None:
        self._systems = systems

    def bookings(self, operation: str, object_id: str) -> list[tuple[str, Booking]]:
        """(system, entry) for every time any system did `operation` on this object; two are a double booking."""
        return [
            (name, booking) for name, system in self._systems.items() for booking in system.booked(operation, object_id)
        ]

    def erp_orders(self, order: str) -> list[tuple[str, str]]:
        """(ERP, sales order number) for every sales order that stands for `order`."""
        return [(name, booking.number) for name, booking in self.bookings("erp.create_order", order)]


class PaymentRun:
    """The nightly payment run, at two in the morning UTC: one trace and one correlation id over many orders."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._waiting: list[asyncio.Future[None]] = []
        self.correlation_id = ""
        self.context: SpanContext | None = None

    async def turn(self) -> None:
        """Returns when the next run begins."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(ready)
        await ready

    async def every_night(self) -> None:
        clock = self._estate.clock
        while True:
            now = clock.now()
            start = now.replace(hour=2, minute=0, second=0, microsecond=0)
            start += timedelta(days=1) if start <= now else timedelta()
            await asyncio.sleep((start - now).total_seconds())
            if self._waiting:
                await self._run()

    async def _run(self) -> None:
        clock = self._estate.clock
        self.correlation_id = f"PAYRUN-{clock.now():%Y%m%d}"
        span = self._estate.runner.tracer.start_span(
            "payment run",
            context=Context(),
            kind=SpanKind.INTERNAL,
            attributes={"messaging.message.conversation_id": self.correlation_id, "q2c.workflow": "batch"},
            start_time=clock.now_ns(),
        )
        self.context = span.get_span_context()
        waiting, self._waiting = self._waiting, []
        for ready in waiting:
            if not ready.done():
                ready.set_result(None)
            await asyncio.sleep(1.5)
        span.end(clock.now_ns())


class Estate:
    """All systems and the engine, in one event loop. Everything in here must be called in that loop."""

    def __init__(
        self,
        clock: Clock,
        feed: Feed,
        *,
        seed: int,
        first_number: int = 1001,
        backfill_timing: Timing | None = None,
        live_timing: Timing | None = None,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.truth = Truth()
        self.telemetry = Telemetry(feed, f"{seed}:{clock.started_at.isoformat()}")
        self.numbers = Numbers(first_number)
        self.customers = customers(seed)
        self.backfill_timing = backfill_timing or Timing()
        self.live_timing = live_timing or Timing(timeout_s=2.0, schedule_s=(20.0, 45.0))
        self.systems = self._build_systems(first_number)
        self.books = Books(self.systems)
        self._wire = Wire(clock, {name: system.app() for name, system in self.systems.items()})
        self._client = httpx.AsyncClient(transport=self._wire, trust_env=False)
        self.runner = Runner(self.telemetry.tracer(ENGINE), clock, self.truth, self._client)
        self._engine_app = ReplayDesk(self.runner, self._client, list(self.systems)).app()
        self.payment_run = PaymentRun(self)
        self._listeners: list[Listener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.engine_url = ""

    def _build_systems(self, first_number: int) -> dict[str, System]:
        tracer = self.telemetry.tracer
        self.crm = Crm(tracer("crm"), self.clock, self.truth, first_number)
        self.cpq = Cpq(tracer("cpq"), self.clock, self.truth)
        self.tax = Tax(tracer("tax"), self.clock, self.truth)
        self.erps = {
            name: Erp(name, tracer(name), self.clock, self.truth, first_number) for name in ("erp-de", "erp-us")
        }
        self.billing = Billing(tracer("billing"), self.clock, self.truth)
        self.psp = Psp(tracer("psp"), self.clock, self.truth)
        self.logistics = Logistics(tracer("logistics"), self.clock, self.truth)
        self.tax.registrations.update(customer.tax_id for customer in self.customers)
        systems: list[System] = [self.crm, self.cpq, self.tax, *self.erps.values()]
        systems += [self.billing, self.psp, self.logistics]
        return {system.name: system for system in systems}

    def erp(self, name: str) -> Erp:
        return self.erps[name]

    # -- sockets ------------------------------------------------------------------------------------------------------

    async def open_sockets(self, engine_port: int = 0) -> None:
        """The engine listens on `engine_port` (0: a free one), and reaches every system over loopback from now on.

        Raises OSError where the port is taken.
        """
        engine = Listener(self._engine_app, engine_port)
        self.engine_url = f"http://{HOST}:{await engine.open()}"
        self._listeners.append(engine)
        for name, system in self.systems.items():
            listener = Listener(system.app())
            self._wire.ports[name] = await listener.open()
            self._listeners.append(listener)

    async def close(self) -> None:
        """All tasks are cancelled and all ports closed. Spans still open are not sent; the feed is its owner's."""
        self.clock.go_live()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()
        await asyncio.gather(*(listener.close() for listener in self._listeners))

    # -- deals --------------------------------------------------------------------------------------------------------

    def start(self, story: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Runs a coroutine as one of the estate's own; an unexpected error in it is shown and ends only it."""
        task = asyncio.get_running_loop().create_task(story, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{task.get_name()} ended in an error", "exception": error, "task": task}
            )

    def deal(
        self, scenario: Scenario, rng: Random, *, is_brisk: bool, pace: float = 1.0, customer: Customer | None = None
    ) -> Deal:
        """A new deal of a customer (any, by default) and a product line that suit the scenario."""
        customer = customer or rng.choice([customer for customer in self.customers if scenario.suits(customer)])
        return self._deal(scenario.name, customer, _product_line(scenario, rng, is_brisk), rng, is_brisk, pace)

    def sibling(self, deal: Deal, *, order_lines: tuple[Line, ...] | None = None) -> Deal:
        """Another deal of the same customer, in the same scenario; with a random stream of its own."""
        rng = Random(deal.rng.getrandbits(64))
        line = deal.order.product_line
        return self._deal(deal.scenario, deal.order.customer, line, rng, deal.is_brisk, deal.pace, order_lines)

    def _deal(
        self,
        scenario: str,
        customer: Customer,
        product_line: str,
        rng: Random,
        is_brisk: bool,
        pace: float,
        order_lines: tuple[Line, ...] | None = None,
    ) -> Deal:
        return Deal(
            self, scenario, customer, product_line, rng=rng, is_brisk=is_brisk, pace=pace, order_lines=order_lines
        )

    def flow(self, orders: tuple[Order, ...], rng: Random, *, is_brisk: bool, batch: PaymentRun | None = None) -> Flow:
        """A flow with a correlation id of its own, or with that of the batch run whose turn it is."""
        correlation_id = batch.correlation_id if batch else f"{rng.getrandbits(128):032x}"
        timing = self.live_timing if is_brisk else self.backfill_timing
        return Flow(correlation_id, orders, rng, timing, batch=batch.context if batch else None)

    # -- bad days, and what people put right --------------------------------------------------------------------------

    def release(self, version: str) -> None:
        """The sync engine is that release from now on; nothing if it is already."""
        if version != self.runner.release:
            self.runner.deploy(version, self.telemetry.tracer(ENGINE, version))
            changes = [change.as_json() for change in CHANGES[version]]
            self.truth.released(ENGINE, version, changes, self.clock.now_ns())

    def begin_outage(self, dependency: str, cause: str) -> None:
        """`cause` is downtime or throttling. An outage that is already there goes on."""
        system = self.systems[dependency]
        if system.condition == "up":
            system.condition = _CONDITIONS[cause]
            self.truth.outage_started(dependency, cause, self.clock.now_ns())

    def end_outage(self, dependency: str) -> None:
        self.systems[dependency].condition = "up"
        self.truth.outage_ended(dependency, self.clock.now_ns())

    def repair(self, order: str | None = None, *, dependency: str | None = None) -> list[str]:
        """What a person in the business would put right so that what stands still can succeed.

        For one order, for one dependency that is down, or, with neither, for everything. Repairs causes only: nothing
        is run again. Returns what was done, a sentence each; empty if there was nothing to do.
        """
        done = []
        for name, system in self.systems.items():
            if system.condition != "up" and dependency in (None, name) and order is None:
                self.end_outage(name)
                done.append(f"{name} is up again")
        if dependency is None:
            for parked in list(self.runner.parked.values()):
                if order is None or any(one.number == order for one in parked.flow.orders):
                    done += self.put_right(parked)
        return done

    def put_right(self, parked: Parked) -> list[str]:
        """Removes the cause of one failure, for this order and whoever else it stops."""
        order, customer = parked.flow.order, parked.flow.order.customer.id
        erp = self.erps.get(parked.step.system) or self.erp(order.erp)
        match parked.error.code if parked.error else None:
            case "TaxpayerNumberRequired":
                self.tax.registrations.add(order.tax_id)
                return [f"tax id {order.tax_id} registered"]
            case "V1 382":
                erp.inactive_items.difference_update(line.sku for line in order.lines)
                return [f"items of {order.number} activated in {erp.name}"]
            case "V1 154":
                erp.blocked_customers.discard(customer)
                return [f"credit hold of {customer} released"]
            case "card_declined":
                self.psp.declined_customers.discard(customer)
                return [f"{customer} has a new card"]
            case "FIELD_CUSTOM_VALIDATION_EXCEPTION":
                self.crm.po_mandatory.discard(customer)
                return [f"blanket purchase order recorded for {customer}"]
            case "RECIPIENTS.ADDRESS.INVALID":
                self.logistics.undeliverable_customers.discard(customer)
                return [f"address of {customer} corrected"]
            case "F5 201":
                erp.closed_periods.discard(order.legal_entity)
                return [f"posting period of {order.legal_entity} opened"]
            case "UNABLE_TO_LOCK_ROW" | "DPCM1 003":
                self.systems[parked.step.system].locked.pop(parked.step.ref.id, None)
                return [f"{parked.step.ref.id} unlocked"]
            case "INVALID_SESSION_ID":
                self.crm.session_expired = False
                return ["the engine's CRM session renewed"]
            case "param_unknown":
                self.billing.unmapped_fields.clear()
                return ["field mapping to billing corrected"]
        return []


def _product_line(scenario: Scenario, rng: Random, is_brisk: bool) -> str:
    weights = {"hardware": 2 if is_brisk else 5, "subscription": 7 if is_brisk else 3, "services": 1 if is_brisk else 2}
    return rng.choices(scenario.product_lines, [weights[line] for line in scenario.product_lines])[0]


def scenario_named(name: str) -> Scenario:
    """Raises ValueError naming the scenarios there are."""
    if name not in SCENARIOS:
        raise ValueError(f"There is no scenario {name!r}. Known: {', '.join(SCENARIOS)}.")
    return SCENARIOS[name]


def midnight(days_ago: int) -> datetime:
    """Midnight UTC, so many days before now."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days_ago)
