"""The Alerts page: what was raised, who was told, and the deeds, over a real ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from console import resources
from console.access import LOCAL, Access
from console.api import alerts as api
from console.deeds import Deeds
from console.linking import Linking
from console.replay.engine import Engines
from console.replay.replays import Replays
from console.settings import Settings
from tests.console.alerts.conftest import Alerting, Receiver
from tests.console.alerts.stories import Story
from tests.console.pages.conftest import CONSOLE, markup, rows, shown
from trace_model.errors import Refused, UnknownThing
from trace_model.store.ledger import Ledger

DUE = 7201


def provided(here: Alerting) -> None:
    """The page and the API answer from this house."""
    replays = Replays(here.store, Ledger(here.store.database, here.store.clock), Engines(), here.store.clock)
    resources.provide(
        resources.Resources(
            store=here.store,
            deeds=Deeds(here.store),
            linking=Linking(here.store),
            replays=replays,
            access=Access(),
            settings=Settings(),
            ingest_counters=dict,
            alerts_fault=lambda: here.worker.fault,
        )
    )


def opened(here: Alerting, **address: str) -> AppTest:
    provided(here)
    at = AppTest.from_file(str(CONSOLE / "app_pages" / "alerts.py"), default_timeout=20)
    for key, value in address.items():
        at.query_params[key] = value
    return at.run()


def test_no_alerts_says_why(alerting: Callable[..., Alerting]) -> None:
    assert "No alerts." in shown(opened(alerting()))


def test_a_worker_that_cannot_look_is_said_on_the_page(alerting: Callable[..., Alerting]) -> None:
    here = alerting()
    here.worker._faults["alerts could not be looked for"] = "alerts could not be looked for: disk full"
    assert (
        "Nobody may be told at the moment, and it is tried again: alerts could not be looked for: disk full"
        in shown(opened(here))
    )


def test_an_open_alert_says_who_is_told_and_when_it_escalates_until_someone_answers(
    alerting: Callable[..., Alerting],
) -> None:
    here = alerting(kinds=["breach"])  # the routes that the page shows are those of the catalogue
    story = Story()
    story.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    here.told(story)
    here.at(DUE + 1)  # Monday at noon in Berlin
    [alert] = here.alerts()
    [row] = [row for row in rows(opened(here)) if "Order acceptance time" in row]
    assert "nobody yet escalates 12:00" in row, "the platform team has an hour"
    said = " ".join(shown(opened(here, alert=alert["alert_id"])).split())
    assert "Whom it tells Platform channel" in said
    assert "unless answered, 12:00 , to Platform on call" in said
    here.deeds.acknowledge(LOCAL, alert["alert_id"], "calling the ERP team")
    here.at(DUE + 2)
    assert "escalates" not in shown(opened(here))


def test_an_alert_is_listed_and_its_page_shows_concerned_messages_and_turns(
    alerting: Callable[..., Alerting], receiver: Receiver
) -> None:
    receiver.answers = [404]
    hook = [{"name": "hook", "kind": "webhook"}]
    here = alerting([{"channels": ["hook"]}], hook, {"hook": receiver.url}, kinds=["breach"])
    story = Story()
    story.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    here.told(story)
    here.at(DUE + 1)
    listed = opened(here)
    assert "1 message did not reach the receiver" in shown(listed)
    [row] = [row for row in rows(listed) if "Order acceptance time" in row]
    assert "Open" in row
    assert "Given up" in row
    alert_id = here.alerts()[0]["alert_id"]
    one = opened(here, alert=alert_id)
    said = shown(one)
    assert "still concerned" in said
    assert "the receiver refused it with HTTP 404" in said
    assert 'href="./order?type=order&amp;id=SO-1' in markup(one)
    assert [button.label for button in one.button] == ["Acknowledge …", "Silence …", "Send again to hook …"]


def test_the_list_is_filtered_by_its_address(alerting: Callable[..., Alerting]) -> None:
    here = alerting(kinds=["breach", "at_risk"])
    story = Story()
    story.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    story.does("crm.submit_order", 1700, order="SO-2", amount="100.00")
    here.told(story)
    here.at(DUE + 1)
    assert len(rows(opened(here))) == 3, "a header, SO-1 breached, SO-2 at risk"
    assert "At risk" in rows(opened(here, kind="at_risk"))[1]
    assert "None with these filters." in shown(opened(here, state="ended"))
    assert [row.split()[-1] for row in rows(opened(here, owner_team="platform"))[1:]] == ["nobody", "nobody"]


def test_the_api_does_what_the_page_does(alerting: Callable[..., Alerting], receiver: Receiver) -> None:
    hook = [{"name": "hook", "kind": "webhook"}]
    here = alerting([{"channels": ["hook"]}], hook, {"hook": receiver.url}, kinds=["breach"])
    provided(here)
    until = here.now[0] + timedelta(hours=3)
    with pytest.raises(Refused, match="must say of what"):
        api.silence(LOCAL, api.Silence(until=until, reason="a known freeze"))
    kept = api.silence(LOCAL, api.Silence(until=until, kind="breach", reason="a known freeze"))
    [held] = api.silences(resources.current(), here.now[0])["silences"]
    assert (held["silence_id"], held["kind"], held["actor"]) == (str(kept["action_no"]), "breach", "local")
    story = Story()
    story.does("crm.submit_order", 0, order="SO-1", amount="100.00")
    here.told(story)
    here.at(DUE + 1)
    assert receiver.events == []
    with pytest.raises(Refused, match="a reason is needed"):
        api.lift(LOCAL, held["silence_id"], api.AlertDeed())
    assert api.lift(LOCAL, held["silence_id"], api.AlertDeed(reason="over"))["deed"] == "lift"
    receiver.answers = [404]
    here.at(DUE + 2)
    [alert] = api.alerts(resources.current(), here.now[0], state="open")["alerts"]
    assert alert["failed_count"] == 1
    [lost] = here.deliveries()
    api.send_again(LOCAL, lost["delivery_id"], api.AlertDeed(reason="the address was wrong"))
    here.at(DUE + 3)
    assert receiver.events == ["raised", "raised"]
    done = api.acknowledge(LOCAL, alert["alert_id"], api.AlertDeed(reason="calling the ERP team"))
    assert done["subject"] == {"type": "alert", "id": alert["alert_id"]}
    assert here.alerts()[0]["acknowledged_by"] == "local"
    with pytest.raises(UnknownThing):
        api.acknowledge(LOCAL, "nobody", api.AlertDeed(reason="me"))
