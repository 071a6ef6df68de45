"""People in the business, and bad days: who puts right what went wrong, and what goes down when.

Everything is drawn from streams of its own (per failure, per system and day), so that one event never moves another.
"""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from random import Random

from sample_data.causes import verdict
from sample_data.deals import DAY, HOUR, MINUTE, next_opening
from sample_data.engine.flow import Parked, Resume
from sample_data.estate import Estate

_MEDIAN_S = {"business": 5 * HOUR, "technical": 2 * HOUR, "dependency": 40 * MINUTE, "stopped": 3 * DAY}
_CHANCE = {"business": 0.64, "technical": 0.6, "dependency": 0.62, "stopped": 0.3}
_CHANCE_LIVE = {"business": 0.45, "technical": 0.5, "dependency": 0.5, "stopped": 0.0}
_LATER_CHANCE = 0.2


class People:
    """Watch what stands still; most of it they put right after some hours, some of it they leave."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def notice(self, parked: Parked) -> None:
        """One of them will see to it, or not."""
        self._estate.start(self._see_to(parked), f"people: {parked.step.operation.name} {parked.step.ref.id}")

    async def _see_to(self, parked: Parked) -> None:
        estate, step = self._estate, parked.step
        rng = Random(f"{estate.seed}:{step.operation.name}:{step.ref.id}:{step.runs}")
        kind = verdict(parked.error.code)[0] if parked.error else "stopped"
        chance = (_CHANCE_LIVE if estate.clock.live else _CHANCE)[kind]
        await self._take_time(parked, kind, rng)
        while rng.random() >= chance:
            chance = _LATER_CHANCE
            await asyncio.sleep(rng.uniform(1.5, 4.0) * DAY)
        while estate.systems[step.system].condition != "up":
            await asyncio.sleep(5.0 if estate.clock.live else 5 * MINUTE)
        if estate.runner.parked.get(step.key) is parked:
            estate.put_right(parked)
            parked.resume(Resume())

    async def _take_time(self, parked: Parked, kind: str, rng: Random) -> None:
        clock = self._estate.clock
        if clock.live:
            await asyncio.sleep(rng.uniform(60.0, 480.0))
            return
        now = clock.now()
        then = now + timedelta(seconds=_MEDIAN_S[kind] * math.exp(rng.gauss(0.0, 0.8)))
        if kind != "dependency":
            then = next_opening(then, parked.flow.order.customer.region)
        await asyncio.sleep((then - now).total_seconds())


# -- bad days ---------------------------------------------------------------------------------------------------------

_DAILY = (  # system, cause, chance on a day, minutes from - to
    ("erp-de", "downtime", 0.16, (25, 70)),
    ("erp-us", "downtime", 0.16, (25, 70)),
    ("psp", "downtime", 0.04, (15, 40)),
    ("logistics", "downtime", 0.05, (30, 90)),
    ("tax", "downtime", 0.03, (10, 30)),
    ("crm", "throttling", 0.12, (20, 60)),
    ("billing", "throttling", 0.08, (30, 60)),
    ("psp", "throttling", 0.08, (20, 60)),
)


class BadDays:
    """Outages and lapses of the systems: a few a week in the back-fill, some every few minutes in live traffic."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    async def in_backfill(self) -> None:
        """Every day gets its share, until the estate is live; and an ERP was down not long before that.

        Thirty hours before that the engine had a release, which has not been mended since.
        """
        clock = self._estate.clock
        recently_s = (datetime.now(UTC) - clock.now()).total_seconds() - 2.5 * HOUR
        if recently_s > 0:
            self._estate.start(self._outage("erp-us", "downtime", recently_s, 70 * MINUTE), "recent downtime")
        since_release_s = (datetime.now(UTC) - clock.now()).total_seconds() - 30 * HOUR
        if since_release_s > 0:
            self._estate.start(self._release("1.1.0", since_release_s), "release")
        while not clock.live:
            now = clock.now()
            for index, (system, cause, chance, minutes) in enumerate(_DAILY):
                rng = Random(f"{self._estate.seed}:{now.date()}:{index}")
                if rng.random() < chance:
                    start_s = rng.uniform(6, 20) * HOUR
                    outage = self._outage(system, cause, start_s, rng.uniform(*minutes) * MINUTE)
                    self._estate.start(outage, f"{cause} of {system}")
            rng = Random(f"{self._estate.seed}:{now.date()}:lapses")
            if rng.random() < 0.07:
                self._estate.start(self._expired_session(rng.uniform(7, 18) * HOUR, 25 * MINUTE), "expired session")
            if rng.random() < 0.05:
                self._estate.start(self._unmapped_field(rng.uniform(8, 16) * HOUR, 80 * MINUTE), "unmapped field")
            if now.day == 1:
                entity = rng.choice(("DE01", "GB01", "US01"))
                self._estate.start(self._closed_period(entity, 8 * HOUR, rng.uniform(1, 4) * HOUR), "closed period")
            tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            await asyncio.sleep((tomorrow - now).total_seconds())

    async def live_downtimes(self) -> None:
        """One of the ERPs is down for a minute and a half, every six minutes."""
        await asyncio.sleep(60)
        while True:
            for system in ("erp-de", "erp-us"):
                await self._outage(system, "downtime", 0, 90)
                await asyncio.sleep(270)

    async def live_lapses(self) -> None:
        """Throttling here and there, and an expired session now and then."""
        await asyncio.sleep(150)
        while True:
            for system in ("crm", "psp", "billing"):
                await self._outage(system, "throttling", 0, 45)
                await asyncio.sleep(150)
            await self._expired_session(0, 20)
            await asyncio.sleep(90)

    async def _outage(self, system: str, cause: str, after_s: float, duration_s: float) -> None:
        await asyncio.sleep(after_s)
        if self._estate.systems[system].condition != "up":
            return
        self._estate.begin_outage(system, cause)
        await asyncio.sleep(duration_s)
        self._estate.end_outage(system)

    async def _release(self, version: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._estate.release(version)

    async def _expired_session(self, after_s: float, duration_s: float) -> None:
        await asyncio.sleep(after_s)
        self._estate.crm.session_expired = True
        await asyncio.sleep(duration_s)
        self._estate.crm.session_expired = False

    async def _unmapped_field(self, after_s: float, duration_s: float) -> None:
        await asyncio.sleep(after_s)
        self._estate.billing.unmapped_fields.add("legal_entity")
        await asyncio.sleep(duration_s)
        self._estate.billing.unmapped_fields.clear()

    async def _closed_period(self, entity: str, after_s: float, duration_s: float) -> None:
        await asyncio.sleep(after_s)
        for erp in self._estate.erps.values():
            erp.closed_periods.add(entity)
        await asyncio.sleep(duration_s)
        for erp in self._estate.erps.values():
            erp.closed_periods.discard(entity)
