"""Who orders what, and when: a back-fill that looks like a real month, then live traffic.

Every arrival has a random stream of its own, named by seed, day and place in the day: the same seed gives the same
orders on the same day, however long the back-fill.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime, time, timedelta
from random import Random

from sample_data.business import Customer
from sample_data.deals import ZONES
from sample_data.estate import Estate
from sample_data.scenarios import SCENARIOS, Scenario

_WEEKDAYS = (1.25, 1.28, 1.27, 1.22, 1.13, 0.5, 0.35)
_HOURS = (1, 1, 1, 1, 1, 2, 4, 9, 20, 34, 38, 34, 22, 28, 36, 33, 26, 17, 10, 7, 5, 4, 3, 2)  # local, from midnight
_LIVE_GAP_S = (2.0, 6.0)
_TROUBLE_IN_LIVE = 1.6
_PLAIN = {"happy_path", "partial_shipments", "several_invoices"}


class Traffic:
    """Starts deals. `started_count` counts them."""

    def __init__(self, estate: Estate, orders_per_day: int) -> None:
        self._estate = estate
        self._orders_per_day = orders_per_day
        self._stories = [scenario for scenario in SCENARIOS.values() if scenario.share]
        self.started_count = 0

    async def day_by_day(self) -> None:
        """The business of every day from the clock's day on: `orders_per_day` on average, fewer at weekends."""
        clock = self._estate.clock
        day = clock.now().date()
        while True:
            for at, scenario, customer, rng in self._arrivals(day):
                await asyncio.sleep(max(0.0, (at - clock.now()).total_seconds()))
                self._start(scenario, customer, rng, is_brisk=False)
            day += timedelta(days=1)

    async def live(self) -> None:
        """An order every few seconds, mostly digital ones that are paid within minutes."""
        started_at = self._estate.clock.now().isoformat()
        for index in range(10**9):
            rng = Random(f"{self._estate.seed}:{started_at}:{index}")
            await asyncio.sleep(rng.uniform(*_LIVE_GAP_S))
            scenario = self._draw(rng, _TROUBLE_IN_LIVE)
            self._start(scenario, self._customer(scenario, rng), rng, is_brisk=rng.random() < 0.85)

    def _start(self, scenario: Scenario, customer: Customer, rng: Random, *, is_brisk: bool) -> None:
        deal = self._estate.deal(scenario, rng, is_brisk=is_brisk, customer=customer)
        self.started_count += 1
        self._estate.start(scenario.play(deal), f"{scenario.name} {self.started_count}")

    def _arrivals(self, day: date) -> list[tuple[datetime, Scenario, Customer, Random]]:
        count = round(self._orders_per_day * _WEEKDAYS[day.weekday()] * Random(f"{day}").uniform(0.9, 1.1))
        arrivals = []
        for index in range(count):
            rng = Random(f"{self._estate.seed}:{day}:{index}")
            scenario = self._draw(rng, 1.0)
            customer = self._customer(scenario, rng)
            hour = rng.choices(range(24), _HOURS)[0]
            local = datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)), ZONES[customer.region])
            arrivals.append((local, scenario, customer, rng))
        return sorted(arrivals, key=lambda arrival: arrival[0])

    def _draw(self, rng: Random, trouble: float) -> Scenario:
        weights = [story.share * (1.0 if story.name in _PLAIN else trouble) for story in self._stories]
        return rng.choices(self._stories, weights)[0]

    def _customer(self, scenario: Scenario, rng: Random) -> Customer:
        return rng.choice([customer for customer in self._estate.customers if scenario.suits(customer)])
