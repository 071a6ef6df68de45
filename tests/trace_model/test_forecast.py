"""Chances to breach: the curves by themselves, the SQL against them, and the backtest on a history whose law is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path as File
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trace_model.catalogue
from trace_model import forecast
from trace_model.calendars import worked_s
from trace_model.catalogue.loader import load
from trace_model.forecast import DUE, EDGES, Count, Later, LaterCount, Stage, bin_of, fit, nearest, push_on
from trace_model.store.forecasts import Forecasts
from trace_model.store.store import Store

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
CATALOGUE = load(File(trace_model.catalogue.__file__).parent / "quote_to_cash.yaml")
EVERYTHING = {
    "promise": None,
    "region": None,
    "product_line": None,
    "legal_entity": None,
    "with_breached": True,
    "offset": 0,
    "limit": 1000,
}


def at(curve: forecast.Curve, age: float) -> float:
    return float(curve.chance(np.array(age)))


# -- curves ------------------------------------------------------------------------------------------------------------

counts = st.lists(
    st.builds(
        Count,
        promise=st.just("p"),
        path=st.sampled_from([("a",), ("a", "x"), ("b",)]),
        bin=st.integers(0, len(EDGES) - 1),
        ended=st.integers(0, 60).map(float),
        running=st.integers(0, 60).map(float),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(counts)
def test_a_chance_is_between_0_and_1_never_falls_with_age_and_is_1_at_the_due_instant(
    given_counts: list[Count],
) -> None:
    for curve in fit(given_counts).values():
        chances = curve.chance(np.linspace(0, 3, 61))
        assert ((chances >= 0) & (chances <= 1)).all()
        assert (np.diff(chances) >= -1e-12).all()
        assert at(curve, 1.0) == 1.0


def test_without_censoring_the_chance_is_the_share_of_those_that_lived_so_long() -> None:
    seen = [
        Count("p", (), bin_of(0.3), 6000, 0),
        Count("p", (), bin_of(0.7), 3000, 0),
        Count("p", (), DUE + 2, 1000, 0),
    ]
    curve = fit(seen)["p", ()]
    assert at(curve, 0.0) == pytest.approx(0.10, abs=0.005)
    assert at(curve, 0.5) == pytest.approx(0.25, abs=0.005)
    assert at(curve, 0.9) == pytest.approx(1.00, abs=0.005)


def test_clocks_that_still_run_count_for_as_long_as_they_ran() -> None:
    ended = [Count("p", (), bin_of(0.5), 50, 0), Count("p", (), DUE + 1, 50, 0)]
    young = Count("p", (), bin_of(0.05), 0, 900)
    old = Count("p", (), bin_of(0.9), 0, 900)
    alone, with_young, with_old = (fit([*ended, *more])["p", ()] for more in ([], [young], [old]))
    assert at(with_young, 0.1) == pytest.approx(at(alone, 0.1), abs=0.01), "the young say nothing of later ages"
    assert at(with_old, 0.1) > at(alone, 0.1) + 0.3, "the old have lived through what ended the others"


def test_who_is_still_in_a_bin_counts_for_half_of_it() -> None:
    place = bin_of(0.03)
    curve = fit([Count("p", (), place, 10, 10), Count("p", (), DUE + 1, 80, 0)])["p", ()]
    assert np.exp(-curve.within[place]) == pytest.approx(1 - 10 / (100 - 10 / 2 + forecast.ROOT))
    assert curve.like[place] == 100
    assert curve.like[place + 1] == 80


def test_a_narrow_segment_speaks_for_itself_once_it_is_large_and_leans_on_the_wider_one_until_then() -> None:
    wide = [Count("p", ("a",), bin_of(0.5), 1000, 0)]
    late = lambda n: [*wide, Count("p", ("b",), DUE + 1, n, 0)]  # noqa: E731
    large, small, tiny = (fit(late(n)) for n in (1000, forecast.LEAST, forecast.LEAST - 1))
    assert at(large["p", ("b",)], 0.1) > 0.95
    assert 0.4 < at(small["p", ("b",)], 0.1) < at(large["p", ("b",)], 0.1)
    assert ("p", ("b",)) not in tiny
    assert nearest(tiny, "p", ("b", "anything")) is tiny["p", ()]
    assert nearest(tiny, "q", ()) is None


def test_where_nobody_lived_so_long_the_chance_is_the_elapsed_share() -> None:
    curve = fit([Count("p", (), bin_of(0.1), 500, 0)])["p", ()]
    assert at(curve, 0.5) == pytest.approx(0.5)
    assert at(curve, 0.8) == pytest.approx(0.8, abs=0.001)


def test_a_later_promise_is_late_because_the_one_before_it_is() -> None:
    hour = 3600.0
    stages = [Stage("accept", "submitted", "accepted", 2 * hour), Stage("invoice", "accepted", "invoiced", 4 * hour)]
    seen = [
        Count("accept", (), bin_of(0.1), 900, 0),
        Count("accept", (), bin_of(8.0), 100, 0),
        Count("invoice", (), bin_of(0.5), 1000, 0),
    ]
    later = {x.bin: x for x in push_on(fit(seen), stages)}
    fresh, overdue = later[0], later[bin_of(2.0)]
    assert fresh.chance < 0.15
    assert overdue.chance > 0.9, "eight times two hours is more than the slack of the second promise"
    assert overdue.p50_s > fresh.p50_s
    assert fresh.after_due_s == 4 * hour


def test_the_part_of_later_promises_asked_for_is_the_same_as_in_the_whole() -> None:
    stages = [Stage("a", "1", "2", 60), Stage("b", "2", "3", 60), Stage("c", "3", "1", 60)]
    curves = fit([Count(name, (), bin_of(share), 40, 5) for name in "abc" for share in (0.1, 0.7, 1.5)])
    whole = {(x.promise, x.bin, x.later): x for x in push_on(curves, stages)}
    assert {(k[0], k[2]) for k in whole} == {("a", "b"), ("a", "c"), ("b", "c"), ("b", "a"), ("c", "a"), ("c", "b")}, (
        "a ring ends"
    )
    assert all(whole[x.promise, x.bin, x.later] == x for x in push_on(curves, stages, [3, DUE]))


def test_the_ways_to_later_promises_are_those_that_are_told() -> None:
    stages = [
        Stage("a", "1", "2", 60),
        Stage("fast", "1", "2", 6),
        Stage("b", "2", "3", 60, 4.2),
        Stage("c", "3", "1", 60),
    ]
    curves = fit([Count(s.promise, (), bin_of(share), 40, 5) for s in stages for share in (0.1, 0.7, 1.5)])
    told = {(x.promise, x.later, x.after_due_s) for x in push_on(curves, stages, [3])}
    assert told == set(forecast.chains(stages))


def _told(chance: float, path: forecast.Path = (), bin: int = 0) -> Later:
    return Later("a", path, bin, "b", chance, 60.0, 1.0, 1.0)


def test_chances_that_were_too_sure_are_moved_to_what_came() -> None:
    said = [_told(0.02, ("calm",)), _told(0.98, ("wild",))]
    counts = [LaterCount("a", ("calm",), "b", 60.0, 0, 4000, 800), LaterCount("a", ("wild",), "b", 60.0, 0, 4000, 3200)]
    calm, wild = forecast.recalibrate(said, counts, [0])
    assert calm.chance == pytest.approx(0.2, abs=0.01)
    assert wild.chance == pytest.approx(0.8, abs=0.01)
    assert (calm.path, wild.path) == (("calm",), ("wild",))


def test_little_evidence_moves_chances_little_and_none_not_at_all() -> None:
    said = [_told(0.02)]
    assert forecast.recalibrate(said, [], [0]) == said
    (moved,) = forecast.recalibrate(said, [LaterCount("a", ("x",), "b", 60.0, 0, 3, 3)], [0])
    assert 0.02 < moved.chance < 0.3


def test_who_never_reached_an_age_says_nothing_of_it() -> None:
    said = [_told(0.5, bin=5)]
    assert forecast.recalibrate(said, [LaterCount("a", (), "b", 60.0, 4, 1000, 1000)], [5]) == said


def test_calibration_error_is_the_weighted_distance_of_the_bins() -> None:
    chance, came = np.array([0.05, 0.05, 0.95, 0.95]), np.array([0.0, 1.0, 1.0, 1.0])
    assert forecast.calibration_error(chance, came) == pytest.approx(0.5 * 0.45 + 0.5 * 0.05)
    assert [b.count for b in forecast.reliability(chance, came)] == [2, 2]
    assert np.isnan(forecast.brier(np.array([]), np.array([])))


# -- the store's counts and answers ------------------------------------------------------------------------------------


class History:
    """Orders written straight into the derived tables: what a projection would have made of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.orders: list[dict[str, Any]] = []
        self.clocks: list[dict[str, Any]] = []

    def order(self, number: int, started_at: datetime, **facts: Any) -> None:
        self.orders.append(
            {"lead_key": number, "lead_type": "order", "lead_id": f"SO-{number}", "started_at": started_at} | facts
        )

    def clock(
        self, number: int, promise: str, started_at: datetime, due_at: datetime, stopped_at: datetime | None
    ) -> None:
        variant = next(p for p in reversed(CATALOGUE.variants()[promise]))
        assert variant.within_s
        self.clocks.append(
            {
                "lead_key": number,
                "promise": promise,
                "variant": variant.variant,
                "target_s": float(variant.within_s),
                "started_at": started_at,
                "holds_from": started_at,
                "due_at": due_at,
                "stopped_at": stopped_at,
            }
        )

    def write(self) -> None:
        stops = {p.name: p.stop for p in CATALOGUE.promises}
        reached = {
            (clock["lead_key"], stops[clock["promise"]]): clock["stopped_at"]
            for clock in self.clocks
            if clock["stopped_at"]
        }
        milestones = [{"lead_key": k, "milestone": name, "reached_at": at} for (k, name), at in reached.items()]
        with self.store.database.reading() as c:
            for table, rows in (
                ("timelines", self.orders), ("clocks", self.clocks), ("timeline_milestones", milestones)
            ):  # fmt: skip
                if not rows:
                    continue
                c.register("given", pa.Table.from_pylist(rows))
                c.execute(f"delete from {table}")
                c.execute(f"insert into {table} by name select * from given")
                c.unregister("given")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    opened = Store(None, CATALOGUE, clock=lambda: NOW, threads=1)
    yield opened
    opened.close()


@pytest.fixture
def history(store: Store) -> History:
    """An empty history, never fitted."""
    Forecasts(store)
    with store.database.reading() as c:
        for table in ("timelines", "clocks", "timeline_milestones", "forecast_curves", "forecast_later"):
            c.execute(f"delete from {table}")
    return History(store)


def month(history: History, orders: int = 700) -> None:
    """A month of orders of two tiers: small ones are accepted within minutes, half of the large ones takes days; one is open."""
    rng = np.random.default_rng(11)
    for number in range(orders):
        large = number % 4 == 0
        began = NOW - timedelta(days=30) + timedelta(days=30) * number / orders
        wait = timedelta(seconds=float(rng.exponential(90_000 if large and rng.random() < 0.5 else 600)))
        history.order(
            number,
            began,
            tier="enterprise" if large else "smb",
            region="EMEA",
            product_line="hardware",
            reporting_amount=1000 + number,
        )
        history.clock(
            number, "order_acceptance", began, began + timedelta(hours=2), began + wait if began + wait <= NOW else None
        )
    history.order(
        8000, NOW - timedelta(minutes=20), tier="smb", region="EMEA", product_line="hardware", reporting_amount=100
    )
    history.clock(8000, "order_acceptance", NOW - timedelta(minutes=20), NOW + timedelta(minutes=100), None)
    history.write()


def test_the_sql_says_what_the_curves_say(history: History) -> None:
    month(history)
    forecasts = Forecasts(history.store)
    assert forecasts.refresh(NOW) > 1
    curves = forecasts.fit(NOW)
    young = NOW - timedelta(minutes=37)
    history.order(9001, young, tier="enterprise", region="EMEA", product_line="hardware", reporting_amount=500)
    history.order(9002, young, tier="nonesuch", region=None, product_line=None, reporting_amount=400)
    for number in (9001, 9002):
        history.clock(number, "order_acceptance", young, young + timedelta(hours=2), None)
    history.write()
    rows = {r["lead_id"]: r for r in history.store.rows("forecast_clocks", as_of=NOW, **EVERYTHING)}
    narrow, wide = curves["order_acceptance", ("enterprise", "hardware", "EMEA")], curves["order_acceptance", ()]
    assert rows["SO-9001"]["chance"] == pytest.approx(at(narrow, 37 / 120), abs=1e-9)
    assert rows["SO-9001"]["segment"] == "enterprise / hardware / EMEA"
    assert rows["SO-9001"]["like_count"] > 0
    assert rows["SO-9002"]["chance"] == pytest.approx(at(wide, 37 / 120), abs=1e-9)
    assert rows["SO-9002"]["segment"] == ""
    assert all(r["chance"] == 1 for r in rows.values() if r["state"] == "breached")
    stakes = [r["at_stake"] for r in rows.values()]
    assert stakes == sorted(stakes, reverse=True)


def test_without_a_fit_the_elapsed_share_is_said_with_nothing_behind_it(history: History) -> None:
    month(history)
    Forecasts(history.store)
    past = NOW - timedelta(days=3)
    rows = history.store.rows("forecast_clocks", as_of=past, **(EVERYTHING | {"with_breached": False}))
    assert rows
    assert all(
        r["chance"] == pytest.approx(r["age_share"]) and r["like_count"] == 0 and r["fitted_as_of"] is None
        for r in rows
    )


def test_a_fit_uses_nothing_that_was_later(history: History) -> None:
    month(history)
    cut = NOW - timedelta(days=10)
    forecasts = Forecasts(history.store)
    before = forecasts.fit(cut)
    for clock in history.clocks:
        if clock["stopped_at"] is None or clock["stopped_at"] > cut:
            clock["stopped_at"] = NOW
    history.clocks = [c for c in history.clocks if c["started_at"] <= cut]  # what began later must not matter either
    history.write()
    after = forecasts.fit(cut)
    assert before.keys() == after.keys()
    assert all((before[key].before == after[key].before).all() for key in before)
    assert all((before[key].like == after[key].like).all() for key in before)


def test_a_past_instant_is_answered_with_the_curves_of_its_day(history: History) -> None:
    month(history)
    forecasts = Forecasts(history.store)
    for day in (5, 1):
        forecasts.refresh(NOW - timedelta(days=day))
    forecasts.refresh(NOW - timedelta(hours=2))
    forecasts.refresh(NOW)

    def fitted(as_of: datetime) -> set[datetime]:
        return {r["fitted_as_of"] for r in history.store.rows("forecast_clocks", as_of=as_of, **EVERYTHING)}

    assert fitted(NOW) == {NOW}
    assert fitted(NOW - timedelta(hours=1)) == {NOW - timedelta(days=1)}, (
        "the earlier fit of the same day has made room"
    )
    assert fitted(NOW - timedelta(days=2)) == {NOW - timedelta(days=5)}


def test_ages_are_working_time(history: History) -> None:
    friday, monday = datetime(2026, 3, 6, 15, tzinfo=UTC), datetime(2026, 3, 9, 9, 30, tzinfo=UTC)
    calendar = next(c for c in CATALOGUE.calendars if c.name == "europe_office")
    history.order(1, friday)
    history.clock(1, "shipment", friday, datetime(2026, 3, 12, 15, tzinfo=UTC), None)
    history.clocks[-1] |= {"variant": "emea", "target_s": 144_000.0}
    history.write()
    Forecasts(history.store)
    with history.store.database.reading() as c:
        [(age_s,)] = c.execute("select age_s from clock_ages($as_of)", {"as_of": monday}).fetchall()
    assert age_s == worked_s(calendar, friday, monday) == 4.5 * 3600


def test_later_promises_are_told_with_their_cause(history: History) -> None:
    month(history)
    for clock in [c for c in history.clocks if c["stopped_at"]]:
        began = clock["stopped_at"]
        history.clock(
            clock["lead_key"], "invoice_latency", began, began + timedelta(days=7), min(began + timedelta(days=1), NOW)
        )
    began = NOW - timedelta(hours=30)
    history.order(9001, began, tier="enterprise", region="EMEA", product_line="hardware", reporting_amount=10**6)
    history.clock(9001, "order_acceptance", began, began + timedelta(hours=2), None)
    history.write()
    Forecasts(history.store).refresh(NOW)
    [row] = history.store.rows("forecast_later", as_of=NOW, lead_key=9001, offset=0, limit=10)
    assert (row["promise"], row["because"], row["because_state"]) == ("invoice_latency", "order_acceptance", "breached")
    assert row["planned_at"] == began + timedelta(hours=2, days=7)
    assert NOW < row["expected_at"] < row["late_at"]
    assert 0 <= row["chance"] < 0.5, "a day late of a slack of six"


def test_what_came_of_later_promises_is_counted_once_they_were_planned(history: History) -> None:
    """Accepted two hours after its submission at the latest, invoiced four days after that: of three orders one was in time."""
    began = NOW - timedelta(days=10)
    plan = began + timedelta(hours=2) + timedelta(days=4)
    reached: list[dict[str, Any]] = []
    for number, invoiced_at in ((1, plan - timedelta(minutes=1)), (2, plan + timedelta(minutes=1)), (3, None)):
        history.order(number, began, tier="smb")
        history.clock(number, "order_acceptance", began, began + timedelta(hours=2), began + timedelta(hours=1))
        if invoiced_at:
            reached.append({"lead_key": number, "milestone": "invoice_issued", "reached_at": invoiced_at})
    history.write()
    with history.store.database.reading() as c:
        c.register("given", pa.Table.from_pylist(reached))
        c.execute("delete from timeline_milestones")
        c.execute("insert into timeline_milestones by name select * from given")
        c.unregister("given")
    asked: dict[str, Any] = {
        "since": began, "edges": [0.0, 0.5, 1.0], "per_mille": 1000,
        "promises": ["order_acceptance"], "laters": ["invoice_latency"], "after_due_s": [4 * 86400.0],
    }  # fmt: skip
    count = lambda as_of: history.store.rows("forecast_later_counts", as_of=as_of, **asked)  # noqa: E731
    assert count(plan - timedelta(minutes=2)) == []
    (row,) = count(NOW)
    assert (row["bin"], row["decided_count"], row["late_count"]) == (1, 3, 2)


def test_a_promise_that_has_begun_is_no_later_one(history: History) -> None:
    month(history)
    for clock in [c for c in history.clocks if c["stopped_at"]]:
        began = clock["stopped_at"]
        history.clock(clock["lead_key"], "invoice_latency", began, began + timedelta(days=7), None)
    began = NOW - timedelta(hours=3)
    history.order(9001, began, tier="smb", region="EMEA", product_line="hardware", reporting_amount=1)
    history.clock(9001, "order_acceptance", began, began + timedelta(hours=2), None)
    history.clock(9001, "invoice_latency", began, began + timedelta(days=7), None)
    history.write()
    Forecasts(history.store).refresh(NOW)
    assert history.store.rows("forecast_later", as_of=NOW, lead_key=9001, offset=0, limit=10) == []
    assert history.store.rows("forecast_later", as_of=NOW, lead_key=8000, offset=0, limit=10) != []


def test_only_promises_that_are_the_orders_own_are_told_as_later_ones(history: History) -> None:
    month(history)
    for clock in [c for c in history.clocks if c["stopped_at"]]:
        began = clock["stopped_at"]
        for promise in ("shipment", "subscription_activation"):
            history.clock(clock["lead_key"], promise, began, began + timedelta(days=5), began + timedelta(days=1))
    began = NOW - timedelta(hours=1)
    history.order(9001, began, region="APAC", product_line="hardware", reporting_amount=1)
    history.clock(9001, "order_acceptance", began, began + timedelta(hours=2), None)
    history.write()
    Forecasts(history.store).refresh(NOW)
    rows = history.store.rows("forecast_later", as_of=NOW, lead_key=9001, offset=0, limit=10)
    assert [row["promise"] for row in rows] == ["shipment"]


def test_a_backtest_is_as_surprised_by_a_change_as_the_forecast_would_have_been(history: History) -> None:
    turn = NOW - timedelta(days=20)
    for number in range(600):
        began = NOW - timedelta(days=30) + timedelta(minutes=72) * number
        wait = timedelta(minutes=90) if began < turn else timedelta(hours=9)
        history.order(number, began, tier="smb", region="EMEA", product_line="hardware", reporting_amount=1)
        history.clock(
            number, "order_acceptance", began, began + timedelta(hours=2), began + wait if began + wait <= NOW else None
        )
    history.write()
    forecasts = Forecasts(history.store)
    never, daily = (forecasts.backtest(NOW, step=step).scores[0] for step in (timedelta(days=30), timedelta(days=1)))
    assert never.brier > 0.4, "fitted once, before the change, it goes on saying that all will be well"
    assert daily.brier < never.brier


def test_the_backtest_finds_the_forecast_better_than_both_plain_rules_where_history_repeats_itself(
    history: History,
) -> None:
    month(history, 1500)
    told: list[float] = []
    result = Forecasts(history.store).backtest(NOW, on_progress=told.append)
    assert told[0] == 0
    assert told == sorted(set(told))
    assert told[-1] < 1
    scores = {s.rule: s for s in result.scores if s.promise == "all"}
    assert scores["forecast"].trial_count == result.trial_count > 500
    assert scores["forecast"].brier < min(scores["base rate"].brier, scores["elapsed share"].brier)
    assert scores["forecast"].calibration_error < 0.05
    assert sum(b.count for b in result.reliability) == result.trial_count


def test_an_empty_history_is_an_empty_backtest(history: History) -> None:
    forecasts = Forecasts(history.store)
    assert forecasts.refresh(NOW) == 0
    assert forecasts.backtest(NOW).trial_count == 0
    assert history.store.rows("forecast_clocks", as_of=NOW, **EVERYTHING) == []


def test_the_worker_fits_soon_after_its_start_and_ends_when_told(history: History) -> None:
    month(history, 200)
    forecasts = Forecasts(history.store)
    forecasts.start()
    try:
        for _ in range(200):
            if any(r["fitted_as_of"] for r in history.store.rows("forecast_clocks", as_of=NOW, **EVERYTHING)):
                break
            time.sleep(0.05)
        else:
            pytest.fail("no fit within ten seconds")
    finally:
        forecasts.close()
