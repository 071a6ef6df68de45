"""Deeds on the screen: they ask first, need a reason, are done once, and are refused with the service's own words."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from console.access import LOCAL, Principal
from console.components.view import PRINCIPAL
from console.filters import EXCEPTION_GROUPS, read
from console.resources import current
from tests.console.pages.conftest import House, markup, shown, trade


def opened(house: House, console: AppTest, what: str) -> AppTest:
    """The exceptions page of the whole script, on the group of a failure whose sentence holds `what`."""
    asked = read(EXCEPTION_GROUPS, {"snoozed": "true"}).parameters
    groups = house.store.rows("exception_groups", **asked, limit=10, as_of=house.now)
    console.query_params["group"] = next(group["group_id"] for group in groups if what in group["sentence"])
    console.switch_page("app_pages/exceptions.py")
    return console.run()


def deeds_done(house: House) -> list[str]:
    found = house.store.rows(
        "audit", subject_type=None, subject_id=None, actor=None, deed=None, offset=0, limit=50, as_of=house.now
    )
    return [row["deed"] for row in found]


def test_a_deed_asks_for_a_reason_and_is_done_once(house: House, console: AppTest) -> None:
    trade(house)
    at = opened(house, console, "tax registration")
    at.button(key="deed_acknowledge").click().run()
    assert "stays in the queue" in at.markdown[-1].value
    at.button(key="question_confirm").click().run()
    assert "a reason is needed" in at.error[0].value
    assert deeds_done(house) == []

    at.text_area(key="reason").input("Asked the customer for the number")
    at.button(key="question_confirm").click().run()
    assert deeds_done(house) == ["acknowledge"]
    assert not [one for one in at.button if one.key == "question_confirm"], (
        "the dialog is closed: a second click finds no button"
    )
    assert "acknowledged by local" in shown(at)


def test_resolving_empties_the_queue_at_once(house: House, console: AppTest) -> None:
    trade(house)
    group = house.store.rows("exception_classes", owner_team=None, system=None, include_snoozed=True, as_of=house.now)
    assert {row["class"] for row in group} >= {"business"}
    at = opened(house, console, "tax registration")
    before = markup(at)
    current().deeds.on_group(LOCAL, "resolve", at.query_params["group"], "the customer cancelled")
    assert markup(at.run()) != before, "a deed done elsewhere shows with the next refresh, within the same minute"
    assert "None is open." in shown(at)


def test_a_replay_is_planned_first_and_nothing_is_sent(house: House, console: AppTest) -> None:
    trade(house)
    at = opened(house, console, "reached")
    at.button(key="replay_group").click().run()
    at.text_area(key="reason").input("The ERP is up again")
    at.button(key="question_confirm").click().run()
    (plan,) = current().replays.recent(5)
    assert {item.outcome for item in plan.items} <= {"planned", "skipped"}
    assert f"./replays?plan={plan.plan_id}" in str([one.proto.json for one in at.get("bidi_component")])


def test_what_a_replay_is_planned_with_is_judged_before_a_plan_is_made(house: House, console: AppTest) -> None:
    trade(house)
    at = opened(house, console, "reached")
    at.button(key="replay_group").click().run()
    for reason, patch, said in (
        ("", "", "a reason is needed"),
        ("The ERP is up", "{", "the patch is no JSON"),
        ("The ERP is up", "[1]", "the patch must be a JSON object"),
        ("The ERP is up", '{"quote": "Q-2"}', "locks 'quote'"),
        ("The ERP is up", '{"quantity": "many"}', "quantity: 'many' is not"),
    ):
        at.text_area(key="reason").input(reason)
        at.text_area(key="plan_patch").input(patch)
        at.button(key="question_confirm").click().run()
        assert said in at.error[0].value
    assert at.text_area(key="reason").max_chars == 2000, "the screen itself takes no longer reason"
    assert current().replays.recent(5) == []


def test_a_viewer_is_offered_no_deed(with_logins: House, console: AppTest) -> None:
    trade(with_logins)
    at = console.run()
    assert "Your session is over" in shown(at)
    assert "Where the money" not in shown(at), "nothing of the business without a sign-in"
    console.session_state[PRINCIPAL] = Principal("ana", "viewer")
    at = opened(with_logins, console, "tax registration")
    assert "ana, viewer" in shown(at)
    assert not [one for one in at.button if str(one.key).startswith(("deed_", "replay_"))]


def test_the_clocks_of_an_order_are_paused_and_resumed_on_its_timeline(house: House, console: AppTest) -> None:
    trade(house)
    console.query_params["type"], console.query_params["id"] = "order", "SO-1"
    console.switch_page("app_pages/order.py")
    at = console.run()
    at.button(key="deed_pause").click().run()
    assert "No working time is counted" in at.markdown[-1].value
    at.text_area(key="reason").input("The customer has to confirm the address")
    at.button(key="question_confirm").click().run()
    assert deeds_done(house) == ["pause"]
    assert "Paused Waiting for the customer" in " ".join(shown(at).split())
    at.button(key="deed_resume").click().run()
    at.text_area(key="reason").input("Confirmed")
    at.button(key="question_confirm").click().run()
    assert deeds_done(house) == ["resume", "pause"]
