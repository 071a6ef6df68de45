"""The clock raises and ends alerts, and whom it tells: stories with an injected clock, against a real receiver."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.access import Principal
from tests.console.alerts.conftest import Alerting, Receiver
from tests.console.alerts.stories import Story, instant
from trace_model.catalogue.alert_rules import AlertRules
from trace_model.catalogue.loader import load
from trace_model.errors import CatalogueError, Forbidden, Refused, UnknownThing

HOUR = 3600
DUE = 7201
"""An order submitted by a span from 0 to 1 s must be accepted within two hours."""
ANALYST = Principal("ana", "analyst")
HOOK = [{"name": "hook", "kind": "webhook"}]
ONLY_BREACH = [{"kinds": ["breach"], "channels": ["hook"], "throttle_s": 600}]
Make = Callable[..., Alerting]


@pytest.fixture
def house(alerting: Make, receiver: Receiver) -> Make:
    """As `alerting`, with one webhook channel that leads to the receiver, and only breaches unless told otherwise."""

    def make(routes: Any = ONLY_BREACH, **rules: Any) -> Alerting:
        given = {"kinds": ["breach"], "channels": HOOK, "addresses": {"hook": receiver.url}, **rules}
        return alerting(routes, **given)

    return make


def submitted(*orders: str, at: float = 0) -> Story:
    story = Story()
    for order in orders:
        story.does("crm.submit_order", at, order=order, amount="100.00")
    return story


def test_a_deadline_fires_without_any_span_coming_in(house: Make, receiver: Receiver) -> None:
    here = house()
    here.told(submitted("SO-1"))
    assert here.at(DUE - 1).alerts() == []
    here.at(DUE + 1)
    [alert] = here.alerts()
    assert (alert["kind"], alert["promise"], alert["owner_team"], alert["state"]) == (
        "breach", "order_acceptance", "platform", "open",
    )  # fmt: skip
    assert alert["since"] == instant(DUE)
    [message] = receiver.bodies
    assert message["title"] == "Breached: Order acceptance time, 1 order"
    assert message["url"] == f"https://cashtrail.test/order?type=order&id=SO-1&as_of={_address(DUE + 1)}"
    assert message["as_of"] == instant(DUE + 1).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_late_span_that_shows_it_was_on_time_withdraws_the_breach_and_says_so(
    house: Make, receiver: Receiver
) -> None:
    here = house()
    story = submitted("SO-1")
    here.told(story)
    here.at(DUE + 1)
    story.does("erp.create_order", 7000, order="SO-1")
    here.told(story)
    here.at(DUE + 600)
    [alert] = here.alerts()
    assert (alert["state"], alert["member_count"], alert["withdrawn_count"]) == ("withdrawn", 0, 1)
    assert "SO-1 was on time: done 2026-03-02 10:56:41 UTC" in alert["end_text"]
    assert receiver.events == ["raised", "withdrawn"]
    assert "the report of it came late" in receiver.bodies[1]["lines"][0]


def test_a_breach_that_ends_late_is_resolved_not_withdrawn(house: Make, receiver: Receiver) -> None:
    here = house()
    story = submitted("SO-1")
    here.told(story)
    here.at(DUE + 1)
    story.does("erp.create_order", 8000, order="SO-1")
    here.told(story)
    here.at(9000)
    assert here.alerts()[0]["state"] == "resolved"
    assert "SO-1 is done, late" in receiver.bodies[1]["lines"][0]


def test_a_span_that_is_kept_before_the_look_never_reads_as_late(house: Make) -> None:
    here = house()
    story = submitted("SO-1")
    story.does("erp.create_order", 7000, order="SO-1")
    here.told(story)
    assert here.at(DUE + 1).alerts() == []


def test_orders_with_one_cause_are_one_alert_and_one_message(house: Make, receiver: Receiver) -> None:
    here = house()
    here.told(submitted(*(f"SO-{n}" for n in range(1, 6))))
    here.at(DUE + 1)
    assert [a["member_count"] for a in here.alerts()] == [5]
    assert len(receiver.got) == 1
    assert receiver.bodies[0]["lines"][:2] == ["EUR 500.00 concerned.", "SO-1, SO-2, SO-3 and 2 more"]
    assert "/orders?state=breached&promise=order_acceptance&as_of=" in receiver.bodies[0]["url"]


def test_what_joins_within_the_throttle_waits_and_is_told_as_one(house: Make, receiver: Receiver) -> None:
    here = house()
    story = submitted("SO-1")
    here.told(story)
    here.at(DUE + 1)
    for number in (2, 3, 4):
        story.does("crm.submit_order", 10 * number, order=f"SO-{number}")
    here.told(story)
    for seconds in (30, 40, 50, 60):
        here.at(DUE + seconds)
    assert receiver.events == ["raised"]
    here.at(DUE + 602)
    assert receiver.events == ["raised", "updated"]
    assert receiver.bodies[1]["member_count"] == here.alerts()[0]["member_count"] == 4


def test_looking_again_and_again_says_nothing_twice(house: Make, receiver: Receiver) -> None:
    here = house()
    here.told(submitted("SO-1"))
    for seconds in range(1, 8000, 1000):
        here.at(DUE + seconds)
    assert receiver.events == ["raised"]
    assert here.events(here.alerts()[0]["alert_id"]) == ["raised"]


def test_a_transient_failure_that_heals_wakes_nobody(house: Make, receiver: Receiver) -> None:
    routes = [{"channels": ["hook"]}]
    here = house(routes, kinds=["exception"], grace={"transient_s": 900, "other_s": 60})
    story = submitted("SO-1")
    failing = {"q2c.error.code": "503", "http.response.status_code": 503, "peer.service": "erp-de"}
    story.does("erp.create_order", 100, order="SO-1", error="503 Service Unavailable", more=failing)
    here.told(story)
    here.at(800)
    story.does("erp.create_order", 850, order="SO-1")
    here.told(story)
    here.at(2000)
    assert here.alerts() == []
    assert receiver.got == []
    story.does("erp.create_order", 2100, order="SO-2", error="503 Service Unavailable", more=failing)
    here.told(story)
    here.at(3002)
    assert [(a["kind"], a["class"], a["member_count"]) for a in here.alerts()] == [("exception", "dependency", 1)]


def test_business_exceptions_go_to_the_business_and_the_rest_to_platform(alerting: Make, receiver: Receiver) -> None:
    here = alerting(
        [{"classes": ["business"], "channels": ["business"]}, {"channels": ["platform"]}],
        [{"name": "business", "kind": "webhook"}, {"name": "platform", "kind": "webhook"}],
        {"business": receiver.url + "/business", "platform": receiver.url + "/platform"},
        kinds=["exception"],
    )
    story = submitted("SO-1", "SO-2")
    story.does(
        "erp.create_order", 100, order="SO-1", error="Customer 1234 has no tax registration number in DE",
        more={"q2c.error.code": "VP 201"},
    )  # fmt: skip
    story.does("erp.create_order", 100, order="SO-2", error="invalid_client: client authentication failed")
    here.told(story)
    here.at(1200)
    channels = {
        (d["channel"], next(a["class"] for a in here.alerts() if a["alert_id"] == d["alert_id"]))
        for d in here.deliveries()
    }
    assert channels == {("business", "business"), ("platform", "technical")}
    said = {body["class"]: body["lines"][-1] for body in receiver.bodies}
    runbooks = {team.name: team.runbook for team in here.store.catalogue.teams}
    assert said["business"] == f"What to do: {runbooks['finance_operations']}"


def test_an_outage_is_one_alert_and_takes_its_failures_with_it(house: Make, receiver: Receiver) -> None:
    here = house([{"channels": ["hook"]}], kinds=["outage", "exception"])
    story = Story()
    down = {"http.response.status_code": 503, "peer.service": "erp-de"}
    for number in range(1, 9):
        story.does("crm.submit_order", 0, order=f"SO-{number}", amount="10")
        story.does("erp.create_order", 10 * number, order=f"SO-{number}", error="503 Service Unavailable", more=down)
    here.told(story)
    here.at(200)
    assert [(a["kind"], a["system"], a["class"]) for a in here.alerts()] == [("outage", "erp-de", "dependency")]
    assert receiver.bodies[0]["severity"] == "critical"
    assert "/dependencies?as_of=" in receiver.bodies[0]["url"]


def test_a_system_not_heard_from_is_silent_until_it_speaks(house: Make, receiver: Receiver) -> None:
    here = house([{"channels": ["hook"]}], kinds=["silent"])
    here.told(submitted("SO-1"))
    here.at(1000)
    assert here.alerts() == []
    here.at(3 * HOUR)
    assert {a["state"] for a in here.alerts()} == {"open"}
    here.told(submitted("SO-9", at=3 * HOUR))
    story = Story()
    story.does(None, 0)
    story.does("crm.submit_order", 3 * HOUR, order="SO-9")
    here.told(story)
    here.at(3 * HOUR + 10)
    assert {a["state"] for a in here.alerts()} == {"resolved"}
    assert receiver.events == ["raised", "resolved"]


COLLECTORS = {"kinds": ["collector"], "collectors": {"silent_after_s": 900, "owner_team": "platform"}}


def test_a_sender_that_used_to_be_heard_is_silent_until_it_speaks(house: Make, receiver: Receiver) -> None:
    here = house([{"channels": ["hook"]}], **COLLECTORS)
    story = Story("otlp_http:erp")
    for minutes in (0, 20, 40):
        story.does("erp.create_order", minutes * 60, order=f"SO-{minutes}")
        here.at(minutes * 60).told(story)
    assert here.at(54 * 60).alerts() == []
    [alert] = here.at(56 * 60).alerts()
    assert (alert["kind"], alert["owner_team"], alert["example_id"], alert["since"]) == (
        "collector", "platform", "otlp_http:erp", instant(40 * 60),
    )  # fmt: skip
    assert receiver.bodies[0]["title"] == "Collector silent: otlp_http:erp"
    assert receiver.bodies[0]["url"].startswith("https://cashtrail.test/ingest?")
    story.does("erp.create_order", 57 * 60, order="SO-57")
    here.at(57 * 60).told(story)
    here.at(58 * 60)
    assert [a["end_text"] for a in here.alerts()] == ["otlp_http:erp brings data again."]


def test_who_sends_at_times_only_and_what_was_loaded_from_files_is_never_silent(house: Make) -> None:
    here = house(**COLLECTORS)
    rare, loaded = Story("otlp_http:nightly"), Story("month.jsonl")
    rare.does("erp.post_revenue", 0, invoice="INV-1")
    here.told(rare)
    for minutes in (0, 20, 40):
        loaded.does("erp.create_order", minutes * 60, order=f"SO-{minutes}")
        here.at(minutes * 60).told(loaded)
    assert here.at(5 * HOUR).alerts() == []


def test_a_poller_that_fails_for_long_is_silent_and_one_that_finds_nothing_new_is_not(alerting: Make) -> None:
    status = {"name": "crm_cases", "state": "ok", "succeeded_at": instant(0)}
    here = alerting(pollers=lambda: [status], **COLLECTORS)
    assert here.at(2 * HOUR).alerts() == [], "it was asked, and had nothing to tell"
    status |= {"state": "failing", "succeeded_at": instant(2 * HOUR)}
    assert here.at(2 * HOUR + 600).alerts() == []
    [alert] = here.at(2 * HOUR + 1000).alerts()
    assert (alert["kind"], alert["example_id"]) == ("collector", "poller:crm_cases")
    status |= {"state": "ok", "succeeded_at": instant(2 * HOUR + 1000)}
    assert [a["state"] for a in here.at(2 * HOUR + 1100).alerts()] == ["resolved"]


def test_a_long_queue_is_an_alert_and_a_short_one_ends_it(house: Make) -> None:
    here = house(
        [{"channels": ["hook"]}], kinds=["queue_depth"], queue_depth={"more_than": 50, "teams": {"platform": 2}}
    )
    story = Story()
    for number in (1, 2, 3):
        story.does(
            "erp.create_order", number, order=f"SO-{number}", error="invalid_client: client authentication failed"
        )
    here.told(story)
    here.at(100)
    assert [(a["kind"], a["owner_team"], a["state"]) for a in here.alerts()] == [("queue_depth", "platform", "open")]
    story.does("erp.create_order", 150, order="SO-1")
    here.told(story)
    here.at(200)
    assert here.alerts()[0]["state"] == "resolved"


def test_a_quote_without_progress_that_no_promise_waits_for_is_stuck(house: Make) -> None:
    here = house([], kinds=["stuck"])
    story = Story()
    story.does("cpq.validate_quote", 0, quote="Q-1", amount="10")
    here.told(story)
    assert here.at(2 * 24 * HOUR).alerts() == []
    here.at(4 * 24 * HOUR)
    assert [(a["kind"], a["title"], a["member_count"]) for a in here.alerts()] == [
        ("stuck", "after Quote validated", 1)
    ]


def test_what_was_at_risk_and_is_breached_moves_on(house: Make) -> None:
    here = house([], kinds=["at_risk", "breach"])
    here.told(submitted("SO-1"))
    here.at(6000)
    assert [(a["kind"], a["state"]) for a in here.alerts()] == [("at_risk", "open")]
    here.at(DUE + 1)
    assert [(a["kind"], a["state"]) for a in here.alerts()] == [("breach", "open"), ("at_risk", "resolved")]


def test_a_silence_keeps_quiet_and_what_still_holds_at_its_end_is_told(house: Make, receiver: Receiver) -> None:
    here = house()
    here.told(submitted("SO-1"))
    here.deeds.silence(ANALYST, {"promise": "order_acceptance"}, instant(DUE + 1000), "a known freeze")
    here.at(DUE + 1)
    assert [a["state"] for a in here.alerts()] == ["open"]
    assert receiver.got == []
    here.at(DUE + 1001)
    assert receiver.events == ["raised"]


def test_a_silence_that_is_lifted_ends_at_once(house: Make, receiver: Receiver) -> None:
    here = house()
    here.told(submitted("SO-1"))
    silence = here.deeds.silence(ANALYST, {"kind": "breach"}, instant(DUE + 1000), "a known freeze")
    here.at(DUE + 1)
    here.deeds.lift(ANALYST, str(silence.action_no), "over early")
    here.at(DUE + 5)
    assert receiver.events == ["raised"]
    with pytest.raises(UnknownThing):
        here.deeds.lift(ANALYST, str(silence.action_no), "once more")


ESCALATING = [
    {
        "kinds": ["breach"], "channels": ["hook"],
        "escalate": {"after_s": HOUR, "calendar": "europe_office", "channels": ["pager"]},
    }
]  # fmt: skip
BOTH = [{"name": "hook", "kind": "webhook"}, {"name": "pager", "kind": "webhook"}]


def escalating(alerting: Make, receiver: Receiver, at: float) -> Alerting:
    here = alerting(ESCALATING, BOTH, {"hook": receiver.url, "pager": receiver.url}, kinds=["breach"])
    here.told(submitted("SO-1", at=at))
    return here


def test_an_unanswered_alert_is_escalated_in_business_hours_only(alerting: Make, receiver: Receiver) -> None:
    # submitted on Monday at 17:00 Berlin time: due at 19:00, when the office is closed; it opens on Tuesday at 8:00
    here = escalating(alerting, receiver, at=7 * HOUR)
    here.at(9 * HOUR + 2)
    here.at(12 * HOUR)
    assert receiver.events == ["raised"]
    tuesday_at_nine = (datetime(2026, 3, 3, 8, tzinfo=UTC) - instant(0)).total_seconds()
    here.at(tuesday_at_nine - 1)
    assert receiver.events == ["raised"]
    here.at(tuesday_at_nine)
    here.at(tuesday_at_nine + 60)
    assert receiver.events == ["raised", "escalated"]
    assert receiver.bodies[1]["title"].startswith("Unanswered: Breached")
    assert here.alerts()[0]["escalated_at"] is not None


def test_the_shipped_routes_tell_a_lead_of_what_nobody_answers(alerting: Make, receiver: Receiver) -> None:
    """Finance's promise is broken on Tuesday at noon in Berlin: its mail at once, the leads' after four hours of office time."""
    shipped = load().alerts
    assert [r.kinds for r in shipped.routes if r.channels and not r.escalate] == [], "who is told can be silent"
    names = [channel.name for channel in shipped.channels]
    here = alerting(
        [route.model_dump(exclude_defaults=True) for route in shipped.routes],
        [{"name": name, "kind": "webhook"} for name in names],
        dict.fromkeys(names, receiver.url),
        kinds=["breach"],
    )
    story = Story()
    due = (datetime(2026, 3, 3, 11, tzinfo=UTC) - instant(0)).total_seconds()
    story.does("billing.issue_invoice", due - 8 * HOUR, order="SO-1", invoice="INV-1", amount="100.00")
    here.told(story)
    here.at(due + 2)
    [alert] = here.alerts(kind="breach")
    assert (alert["promise"], alert["owner_team"]) == ("invoice_posting", "finance_operations")
    here.at(due + 4 * HOUR)
    assert [d["channel"] for d in here.deliveries()] == ["business_mail"]
    here.at(due + 4 * HOUR + 60)
    assert sorted(d["channel"] for d in here.deliveries()) == ["business_mail", "leads_mail"]
    assert receiver.events == ["raised", "escalated"]


def test_by_the_shipped_routes_business_goes_to_the_business_and_no_data_to_who_runs_the_systems() -> None:
    shipped = load().alerts
    finance = {"owner_team": "finance_operations", "system": "billing"}

    def told(**alert: str) -> list[str]:
        route = shipped.route(finance | alert)
        return list(route.channels) if route else []

    assert told(kind="exception", **{"class": "business"}) == ["business_mail"]
    assert told(kind="silent", **{"class": "dependency"}) == ["platform_chat"]
    assert told(kind="outage", **{"class": "dependency"}) == ["platform_pager", "platform_chat"]
    assert told(kind="at_risk") == []


def test_an_acknowledged_alert_is_not_escalated(alerting: Make, receiver: Receiver) -> None:
    here = escalating(alerting, receiver, at=0)
    here.at(2 * HOUR + 2)
    here.deeds.acknowledge(ANALYST, here.alerts()[0]["alert_id"], "calling the ERP team")
    here.at(6 * HOUR)
    assert receiver.events == ["raised"]
    assert here.alerts()[0]["acknowledged_by"] == "ana"


def test_deeds_need_a_right_a_reason_and_something_to_act_on(house: Make) -> None:
    here = house()
    here.told(submitted("SO-1"))
    here.at(DUE + 1)
    alert_id = here.alerts()[0]["alert_id"]
    with pytest.raises(Forbidden):
        here.deeds.acknowledge(Principal("vera", "viewer"), alert_id, "me")
    with pytest.raises(Refused, match="a reason is needed"):
        here.deeds.acknowledge(ANALYST, alert_id, " ")
    with pytest.raises(UnknownThing):
        here.deeds.acknowledge(ANALYST, "nothing", "me")
    with pytest.raises(Refused, match="at least one of"):
        here.deeds.silence(ANALYST, {}, instant(DUE + 1000), "all of it")
    with pytest.raises(Refused, match="30 days"):
        here.deeds.silence(ANALYST, {"kind": "breach"}, instant(0) + timedelta(days=400), "for ever")
    assert here.store.first_broken_action() is None


def test_a_crash_between_raising_and_delivering_loses_and_repeats_nothing(
    house: Make, receiver: Receiver, tmp_path: Path
) -> None:
    path = tmp_path / "kept.duckdb"
    here = house(path=path)
    here.told(submitted("SO-1"))
    here.now[0] = instant(DUE + 1)
    here.worker.look()
    here.worker.stop()
    here.store.close()
    assert receiver.got == []
    again = house(path=path)
    again.at(DUE + 10)
    again.at(DUE + 20)
    assert receiver.events == ["raised"]
    assert len(again.alerts()) == 1


def test_a_crash_between_noting_and_planning_is_made_up_for(house: Make, receiver: Receiver) -> None:
    here = house()
    story = submitted("SO-1")
    here.told(story)
    here.at(DUE + 1)
    story.does("erp.create_order", 7000, order="SO-1")
    here.told(story)
    here.now[0] = instant(DUE + 60)
    here.store.project()
    here.worker.note(here.now[0])
    assert here.alerts()[0]["state"] == "withdrawn"
    here.at(DUE + 70)
    assert receiver.events == ["raised", "withdrawn"]


def test_what_is_over_before_it_was_sent_is_never_sent(house: Make, receiver: Receiver) -> None:
    here = house()
    story = submitted("SO-1")
    here.told(story)
    here.now[0] = instant(DUE + 1)
    here.worker.look()
    story.does("erp.create_order", 7000, order="SO-1")
    here.told(story)
    here.at(DUE + 60)
    assert receiver.got == []
    assert [d["state"] for d in here.deliveries()] == ["dropped"]


def test_without_an_address_alerts_are_raised_and_nobody_is_told(alerting: Make) -> None:
    here = alerting(ONLY_BREACH, HOOK, {}, kinds=["breach"])
    here.told(submitted("SO-1"))
    here.at(DUE + 1)
    assert [a["state"] for a in here.alerts()] == ["open"]
    assert here.deliveries() == []


def test_rules_that_name_what_is_not_declared_stop_the_start(alerting: Make) -> None:
    with pytest.raises(CatalogueError, match="alerts name team 'revop', which is not declared"):
        alerting([{"teams": ["revop"]}])
    with pytest.raises(ValueError, match="names channel 'hok', which is not declared"):
        AlertRules.model_validate({"channels": HOOK, "routes": [{"channels": ["hok"]}]})


def test_the_running_worker_fires_within_five_seconds_with_no_span_coming_in(house: Make, receiver: Receiver) -> None:
    here = house()
    here.told(submitted("SO-1"))
    here.store.project()
    began = time.monotonic()
    here.worker._clock = lambda: instant(DUE - 1) + timedelta(seconds=time.monotonic() - began)
    here.worker.start()
    while not receiver.got and time.monotonic() - began < 6:
        time.sleep(0.05)
    assert receiver.events == ["raised"]
    assert time.monotonic() - began - 1 < 30


def test_a_look_that_fails_is_said_until_one_succeeds_however_well_deliveries_go(
    house: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = house().worker
    monkeypatch.setattr(worker._stopping, "wait", lambda seconds: False)

    def broken() -> None:
        raise RuntimeError("no such table")

    worker._guard(broken, "alerts could not be looked for")
    worker._guard(worker.deliver, "alerts could not be delivered")
    assert worker.fault == "alerts could not be looked for: no such table"
    worker._guard(worker.look, "alerts could not be looked for")
    assert worker.fault is None


def _address(seconds: float) -> str:
    return instant(seconds).strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")
