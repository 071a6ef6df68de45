"""Alerts: what was raised, who was told, who answers, and which messages did not get through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import streamlit as st

from console.access import Right
from console.alerts.deeds import AlertDeeds
from console.alerts.escalations import Escalates, escalates
from console.alerts.messages import WORDS, place, subject
from console.components import dialogs, downloads, filter_bar, wording
from console.components.blocks import amount, empty, facts, head, link, notice, two_lines
from console.components.dialogs import Done, Question
from console.components.live import live
from console.components.markup import Child, Html, join, tag
from console.components.panel import panel
from console.components.shell import heading
from console.components.signs import Sign, badge
from console.components.table import Column, Row, table
from console.components.view import View, look
from console.filters import ALERTS, PAGE_ROWS, Asked, read
from console.resources import current

MOST = 100
STATE = {
    "open": Sign("alert", "Open", "red", "Its cause holds."),
    "resolved": Sign("check", "Resolved", "green", "Its cause is gone."),
    "withdrawn": Sign("slash", "Withdrawn", "gray", "Later spans show that it should not have been raised."),
}
DELIVERY = {
    "pending": Sign("clock", "Waiting", "yellow", "It is sent as soon as it may be, and tried again if it fails."),
    "delivered": Sign("check", "Delivered", "green", "The receiver has taken it."),
    "failed": Sign("cross", "Given up", "red", "The receiver refused it, or did not answer for a day."),
    "dropped": Sign("skip", "Not needed", "gray", "It was over, or a later message said more, before it was sent."),
}
ALERTS_FILE = downloads.columns(
    "alert_id kind title state owner_team class category system promise member_count amount=amount_in_reporting_currency since "
    "raised_at acknowledged_by acknowledged_at escalated_at ended_at end_text delivered_count pending_count failed_count last_error"
)
MEMBERS_FILE = downloads.columns(
    "object_type object_id lead_scope=scope amount=amount_in_reporting_currency since joined_at left_at because detail"
)
MESSAGES_FILE = downloads.columns(
    "created_at channel event title state attempt_count settled_at next_attempt_at detail"
)
TURNS_FILE = downloads.columns("happened_at event detail")
SILENCES = {"an hour": 1, "four hours": 4, "a day": 24, "a week": 168}


def listed(view: View) -> None:
    ask = filter_bar.asked(ALERTS)
    rows = view.rows("alert_list", alert_id=None, **ask.parameters, limit=PAGE_ROWS)
    fault = current().alerts_fault()
    if fault:
        panel(notice("red", "alert", f"Nobody may be told at the moment, and it is tried again: {fault}"), key="fault")
    failed = view.rows("alert_deliveries", alert_id=None, state="failed", offset=0, limit=1)
    if failed:
        count = wording.plural(failed[0]["total_count"], "message")
        panel(
            notice("red", "cross", f"{count} did not reach the receiver. The alert says why, and can send it again."),
            key="failed",
        )
    _silences(view)
    if not rows:
        why = (
            "None with these filters."
            if ask.given
            else "Nothing has broken a promise, failed for long, gone down or fallen silent since alerts are kept."
        )
        panel(empty("No alerts.", why), key="alerts")
        return
    columns = [
        Column("What", lambda a: two_lines(subject(a), WORDS[a["kind"]]), "clip"),
        Column("Owner", lambda a: filter_bar.team(a["owner_team"]), "fit"),
        Column("State", lambda a: badge(STATE[a["state"]], title=a["end_text"]), "fit"),
        Column("Concerns", lambda a: wording.count(a["member_count"]), "number"),
        Column("Money", lambda a: amount(a["amount"], view.reporting_currency, cents=False), "number"),
        Column("Raised", lambda a: view.ago(a["raised_at"]), "fit"),
        Column("Answered", lambda a: _answered(view, a), "fit"),
        Column("Told", _told, "fit"),
    ]
    pages = filter_bar.pager(view, "alerts", ask, len(rows), rows[0]["total_count"])
    body = table(
        columns,
        rows,
        href=lambda a: view.link("alerts", alert=a["alert_id"]),
        caption="Open first, then the latest raised.",
    )
    panel(join([pages, body]), key="alerts")


def one(view: View) -> None:
    asked = {"alert_id": st.query_params["alert"], **read(ALERTS, {}).parameters}
    found = view.rows("alert_list", **asked, limit=1)
    if not found:
        panel(empty("No such alert.", "It may have been raised after the instant that this page shows."), key="alert")
        return
    alert = found[0]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        panel(_about(view, alert), key="about_alert")
        with st.container(horizontal=True, width="content"):
            _deeds(view, alert)
    members = view.rows("alert_members", alert_id=alert["alert_id"], offset=0, limit=MOST)
    panel(join([head("Concerns"), _members(view, members)]), key="members")
    deliveries = view.rows("alert_deliveries", alert_id=alert["alert_id"], state=None, offset=0, limit=MOST)
    panel(join([head("Messages"), _deliveries(view, deliveries)]), key="deliveries")
    _again(view, deliveries)
    turns = [
        Column("When", lambda e: view.at(e["happened_at"]), "fit"),
        Column("Turn", lambda e: e["event"].capitalize(), "fit"),
        Column("In words", lambda e: e["detail"]),
    ]
    events = view.rows("alert_events", alert_id=alert["alert_id"])
    panel(join([head("Turns"), table(turns, events, caption="In order.")]), key="turns")


def _about(view: View, alert: Row) -> Html:
    room, filters = place(alert)
    return facts(
        [
            ("What", join([subject(alert), ", ", link("show it", view.link(room, **filters))])),
            ("Kind", WORDS[alert["kind"]]),
            ("State", badge(STATE[alert["state"]])),
            ("Owner", filter_bar.team(alert["owner_team"])),
            ("Class", alert["class"]),
            ("Holds since", view.at(alert["since"])),
            ("Raised", view.at(alert["raised_at"])),
            ("Answered", _answered(view, alert)),
            ("Whom it tells", _route(alert)),
            ("Escalates", _escalates(view, alert)),
            ("Ended", join([view.at(alert["ended_at"]), ": ", alert["end_text"]]) if alert["ended_at"] else None),
        ]
    )


def _members(view: View, rows: list[Row]) -> Html:
    columns = [
        Column("Reference", lambda m: m["object_id"], "fit"),
        Column("Money", lambda m: amount(m["amount"], view.reporting_currency, cents=False), "number"),
        Column("Since", lambda m: view.at(m["since"]), "fit"),
        Column("Left", lambda m: view.at(m["left_at"]) if m["left_at"] else "—", "fit"),
        Column("Why", lambda m: m["detail"] or "still concerned"),
    ]
    caption = f"{len(rows)} of {wording.count(rows[0]['total_count'] if rows else 0)}: those still concerned first, the longest first."
    return table(columns, rows, href=lambda m: _order(view, m), caption=caption)


def _deliveries(view: View, rows: list[Row]) -> Html:
    if not rows:
        return empty(
            "Nobody was told.", "It is silenced, no route of the catalogue matches it, or its channels have no address."
        )
    columns = [
        Column("Channel", lambda d: filter_bar.channels([d["channel"]]), "fit"),
        Column("Says", lambda d: d["event"].capitalize(), "fit"),
        Column("State", lambda d: badge(DELIVERY[d["state"]]), "fit"),
        Column("Tries", lambda d: wording.count(d["attempt_count"]), "number"),
        Column("When", lambda d: _when(view, d), "fit"),
        Column("Answer", lambda d: d["detail"] or "—"),
    ]
    return table(columns, rows, caption="Given up first, then waiting, then the latest.")


def _silences(view: View) -> None:
    rows = view.rows("alert_silences")
    if not rows:
        return
    columns = [
        Column("Silenced", _matching),
        Column("Until", lambda s: view.at(s["until"]), "fit"),
        Column("By", lambda s: s["actor"], "fit"),
        Column("Reason", lambda s: s["reason"], "clip"),
    ]
    panel(join([head("Silences", note="raised and shown, nobody is told"), table(columns, rows)]), key="silences")
    if view.live and view.who.may(Right.TRIAGE):
        for silence in rows:
            if st.button(f"Lift: {_matching(silence)} …", key=f"lift_{silence['silence_id']}"):
                dialogs.ask(_lift(view, silence))


def _deeds(view: View, alert: Row) -> None:
    if not view.live or not view.who.may(Right.TRIAGE) or alert["state"] != "open":
        return
    if alert["acknowledged_at"] is None and st.button("Acknowledge …", key="acknowledge", type="primary"):
        dialogs.ask(_acknowledge(view, alert))
    if st.button("Silence …", key="silence"):
        dialogs.ask(_silence(view, alert))


def _again(view: View, deliveries: list[Row]) -> None:
    if not view.live or not view.who.may(Right.TRIAGE):
        return
    for delivery in deliveries:
        if delivery["state"] == "failed" and st.button(
            f"Send again to {delivery['channel']} …", key=delivery["delivery_id"]
        ):
            dialogs.ask(_send_again(view, delivery))


def _acknowledge(view: View, alert: Row) -> Question:
    def do(reason: str, particulars: Mapping[str, Any]) -> Done:
        AlertDeeds.of(current().store).acknowledge(view.who, alert["alert_id"], reason)
        return Done("Acknowledged.")

    return Question(
        f"Acknowledge: {alert['title']}", "You answer for it; it is not escalated any more.", "Acknowledge", do
    )


def _silence(view: View, alert: Row) -> Question:
    def particulars() -> dict[str, Any]:
        return {"hours": SILENCES[st.selectbox("For", list(SILENCES), key="silence_for") or "an hour"]}

    def do(reason: str, particulars: Mapping[str, Any]) -> Done:
        store = current().store
        until = store.clock() + timedelta(hours=particulars["hours"])
        AlertDeeds.of(store).silence(view.who, {"cause_key": alert["cause_key"]}, until, reason)
        return Done("Silenced.")

    told = "Nobody is told about this cause for that long, nor is it escalated. What still holds then is told then."
    return Question(f"Silence: {alert['title']}", told, "Silence", do, particulars)


def _lift(view: View, silence: Row) -> Question:
    def do(reason: str, particulars: Mapping[str, Any]) -> Done:
        AlertDeeds.of(current().store).lift(view.who, silence["silence_id"], reason)
        return Done("Lifted.")

    return Question("Lift the silence", "What holds now is told within seconds.", "Lift", do)


def _send_again(view: View, delivery: Row) -> Question:
    def do(reason: str, particulars: Mapping[str, Any]) -> Done:
        AlertDeeds.of(current().store).send_again(view.who, delivery["delivery_id"], reason)
        return Done("It is tried again within seconds.")

    return Question("Send again", f"The message is tried again on {delivery['channel']}.", "Send again", do)


def _answered(view: View, alert: Row) -> Child:
    if alert["acknowledged_by"]:
        return str(alert["acknowledged_by"])
    if alert["escalated_at"]:
        return tag("span", "nobody, escalated", class_="red")
    if alert["state"] != "open":
        return tag("span", "—", class_="quiet")
    ahead = _ahead(alert)
    return two_lines(
        tag("span", "nobody yet", class_="quiet"),
        join(["escalates ", view.at(ahead.at)]) if ahead else None,
    )


def _ahead(alert: Row) -> Escalates | None:
    """What comes of an alert that is open and not escalated yet, if nobody answers it."""
    if alert["state"] != "open" or alert["escalated_at"]:
        return None
    catalogue = current().store.catalogue
    return escalates(alert, catalogue.alerts.route(alert), {k.name: k for k in catalogue.calendars})


def _route(alert: Row) -> str:
    route = current().store.catalogue.alerts.route(alert)
    return filter_bar.channels(route.channels) if route and route.channels else "nobody: it is shown here only"


def _escalates(view: View, alert: Row) -> Html | None:
    if alert["escalated_at"]:
        return view.at(alert["escalated_at"])
    ahead = _ahead(alert)
    return (
        join(["unless answered, ", view.at(ahead.at), ", to ", filter_bar.channels(ahead.channels)]) if ahead else None
    )


def _told(alert: Row) -> Child:
    if alert["failed_count"]:
        return badge(DELIVERY["failed"], title=alert["last_error"])
    if alert["pending_count"]:
        return badge(DELIVERY["pending"], title=alert["last_error"])
    return (
        wording.plural(alert["delivered_count"], "message")
        if alert["delivered_count"]
        else tag("span", "nobody", class_="quiet")
    )


def _when(view: View, delivery: Row) -> Html:
    return view.at(delivery["settled_at"] or delivery["next_attempt_at"])


def _order(view: View, member: Row) -> str | None:
    return view.order(member) if member["lead_id"] else None


def _matching(silence: Row) -> str:
    fields = ("kind", "owner_team", "system", "promise", "group_id", "cause_key")
    return ", ".join(f"{field.replace('_', ' ')} {silence[field]}" for field in fields if silence[field])


def _files(view: View, alert_id: str | None, ask: Asked) -> list[downloads.File]:
    """The list, or of one alert all that its page lists."""
    if alert_id is None:
        return [
            downloads.asked("alerts", "Alerts", view, "alert_list", {**ask.parameters, "alert_id": None}, ALERTS_FILE)
        ]
    of = {"alert_id": alert_id, "state": None}
    return [
        downloads.asked("concerned", "What it concerns", view, "alert_members", of, MEMBERS_FILE),
        downloads.asked("messages", "Messages", view, "alert_deliveries", of, MESSAGES_FILE),
        downloads.asked("turns", "Turns", view, "alert_events", of, TURNS_FILE),
    ]


view = look()
ask = filter_bar.asked(ALERTS)
alert_id = st.query_params.get("alert")
with heading(
    view, "Alert" if alert_id else "Alerts", join([link("All alerts", view.link("alerts"))]) if alert_id else None
):
    downloads.menu(*_files(view, alert_id, ask))
if alert_id:
    live(one)
else:
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        filter_bar.choice("state", "State", {"open": "Open", "ended": "Ended"}, ask, width=110)
        filter_bar.choice("kind", "Kind", WORDS, ask, width=170)
        filter_bar.choice("owner_team", "Owner", filter_bar.teams(), ask, width=190)
        filter_bar.clear(ask, ALERTS)
    filter_bar.problems(ask)
    live(listed)
