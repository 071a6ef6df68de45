"""One exception, part by part: what it holds up first, then why, what was tried, and what helped before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console import standstills
from console.components import dialogs, filter_bar, wording
from console.components.blocks import amount, empty, facts, head, link, notice, two_lines
from console.components.dialogs import Done, Question
from console.components.lineage import changed
from console.components.markup import Child, Html, join, tag
from console.components.panel import panel
from console.components.signs import CLASS, CLOCK, EXCEPTION, KIND, badge, category, known
from console.components.table import Column, table
from console.components.view import View
from console.resources import current
from trace_model.catalogue.check_rules import advice
from trace_model.payload_diff import differences
from trace_model.signatures import without_trace

Row = dict[str, Any]
OTHERS = 20
FIXES = {
    "replay": "A replay got it through",
    "engine": "The engine got it through itself",
    "target": "The system told that it was done",
    "facts": "The facts changed",
    "moved_on": "The flow moved on",
    "by_hand": "A person resolved it",
}


def at_stake(view: View, e: Row) -> Html:
    """The business facts: whom it concerns, what it is worth, what it holds up, and what was promised."""
    order = (
        link(
            wording.named(e["lead_type"], e["lead_id"]),
            view.order(e),
        )
        if e["lead_id"]
        else None
    )
    many = f", with {wording.plural(e['lead_count'] - 1, 'other order')}" if (e["lead_count"] or 0) > 1 else ""
    promise = (
        join([e["promise_label"], " ", badge(known(CLOCK, e["promise_state"])), " ", view.due(e["due_at"])])
        if e["promise_label"]
        else None
    )
    is_beside = e["object_type"] in ("customer", "interface")  # the orders: it holds none up
    waiting = "nothing in the flow" if not e["milestone_label"] else e["milestone_label"].lower()
    pairs: list[tuple[str, Child]] = [
        ("Customer", e["customer_name"] or e["customer_id"] or (None if is_beside else "not known")),
        ("Order", None if is_beside else join([order or "not known", many])),
        (
            "Amount",
            view.money(e["lead_amount"], e["lead_currency"], cents=True) if e["lead_amount"] is not None else None,
        ),
        ("Money held", view.money(e["blocked_amount"]) if e["blocked_amount"] is not None else None),
        ("Open orders touched", touched(view, e)),
        ("Holds up", waiting),
        ("Promise at stake", promise or "none runs"),
        (
            "State",
            join(
                [
                    badge(known(EXCEPTION, e["state"])),
                    ", ",
                    view.ago(e["resolved_at_then"] or e["opened_at"]),
                    _ended(e),
                ]
            ),
        ),
        ("Owner", two_lines(filter_bar.team(e["owner_team"]), e["assigned_person"])),
    ]
    doubt = None
    doing = ", ".join(e["writes"])
    if e["kind"] == "unknown_status" and e["state"] == "open":
        doubt = notice(
            "yellow",
            "question",
            f"No answer came: whether the {doing} is there is not known. Look before it is sent again.",
        )
    elif e["target_state"]:
        found = "It is there" if e["target_state"] == "present" else "It is not there"
        rest = "; the flow behind it did not go on" if e["target_state"] == "present" and e["state"] == "open" else ""
        word = f": {e['target_evidence']}" if e["target_evidence"] else ""
        doubt = notice("blue", "question", f"No answer came ({doing}), so the target was asked. {found}{rest}{word}")
    what = advice(e["kind"], e["runbook"])
    standstill = _standstill(view, e) if e["kind"] == "stuck_flow" and e["state"] == "open" else None
    to_do = tag("p", "What to do: ", what) if what and e["state"] == "open" and standstill is None else None
    return join([tag("p", e["sentence"], class_="strong"), doubt, standstill, facts(pairs), to_do])


def held(g: Row) -> Html:
    """The money that a group or an exception holds up; of one that only touches orders, what these are worth, and that it is that."""
    if g["touched_count"] and not g["blocked_amount"]:
        orders = wording.plural(g["touched_count"], "open order")
        return two_lines(amount(g["touched_amount"], g["reporting_currency"], cents=False), f"touches {orders}")
    return amount(g["blocked_amount"], g["reporting_currency"], cents=False)


def touched(view: View, e: Row) -> str | None:
    """The open orders that an exception, or a group, about a customer or an interface touches: how many, and what they are worth."""
    if not e["touched_count"]:
        return None
    return f"{e['touched_count']:,}, worth {view.money(e['touched_amount'])}; none of them waits for this"


def _standstill(view: View, e: Row) -> Html | None:
    """What the silence of a stuck flow looks like, and the next move."""
    rows = view.rows("standstills", lead_keys=[e["lead_key"]])
    words = standstills.explain(rows[0], view.as_of) if rows else None
    if words is None:
        return None
    return notice(
        "yellow", "pause", f"{words.reason} {words.action} It is the move of {filter_bar.team(words.owner_team)}."
    )


def offer_inquiry(view: View, e: Row) -> None:
    """A button that asks the target whether it has what no answer came to."""

    def do(reason: str, _: Mapping[str, Any]) -> Done:
        told = json.loads(current().replays.inquiries.ask(view.who, e["exception_id"], reason).detail)
        found = {"present": "It is there.", "absent": "It is not there.", "unknown": "The target cannot say."}
        return Done(f"{found[told['state']]} {told['evidence']}".rstrip())

    consequence = (
        f"Asks {filter_bar.system(e['system'])} whether it has {e['object_id']}. **Nothing is sent again**: "
        "where it is there and nothing is left to do, this is resolved; else it can be replayed."
    )
    if st.button("Ask the target …", icon=":material/search:", key="inquire"):
        dialogs.ask(Question("Ask the target", consequence, "Ask", do))


def cause(view: View, e: Row) -> Html:
    """Why: the verdict with its facts, and what the system itself said, without its stack trace."""
    told = [tag("li", fact) for fact in json.loads(e["facts"] or "[]")]
    said = without_trace(e["message"] or "") if not e["is_check"] else None
    answer = ", ".join(str(part) for part in (e["error_code"], e["http_status"] and f"HTTP {e['http_status']}") if part)
    pairs: list[tuple[str, Child]] = [
        ("Kind", badge(known(KIND, e["kind"]))),
        ("Operation", e["operation_label"]),
        ("On", wording.named(e["object_type"], e["object_id"])),
        ("System", filter_bar.system(e["system"])),
        ("Answer", answer or None),
        ("Heals by itself", "it may" if e["transient"] else "no"),
    ]
    note = f"{known(CLASS, e['class']).word}, {category(e['category'])}; confidence {wording.share(e['confidence'])}"
    return join(
        [
            head("Why", note=note),
            tag("p", "It said: ", tag("span", said, class_="mono")) if said else None,
            facts(pairs),
            tag("ul", told) if told else tag("p", "No rule knows this failure.", class_="quiet"),
        ]
    )


def _ended(e: Row) -> str | None:
    """What ended a stuck flow; nothing of any other, nor while it lasts."""
    return f": {e['ended_with']}" if e["ended_with"] else None


def standing(view: View, episodes: Sequence[Row]) -> Html:
    """How long a flow stood, from when to when, and what moved it on."""
    columns = [
        Column("Nothing moved since", lambda s: view.at(s["first_failed_at"]), "fit"),
        Column("Stuck from", lambda s: view.at(s["opened_at"]), "fit"),
        Column("Until", lambda s: view.at(s["resolved_at"]) if s["resolved_at"] else "it still stands", "fit"),
        Column(
            "For", lambda s: wording.span_of(((s["resolved_at"] or view.as_of) - s["opened_at"]).total_seconds()), "fit"
        ),
        Column("What ended it", lambda s: _capital(s["ended_with"]) if s["ended_with"] else "—", "clip"),
    ]
    caption = "Oldest first. Stuck from: when the silence was longer than that of like orders."
    return join([head("When it stood"), table(columns, episodes, caption=caption)])


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def attempts(view: View, rows: Sequence[Row], episodes: Sequence[Row]) -> Html:
    """Every run of the operation on the object, with what was answered; a regression says so."""
    if not rows:
        return join([head("Attempts"), empty("None.", "No system tried this: it was found by comparing facts.")])
    columns = [
        Column("Ended", lambda a: view.at(a["ended_at"]), "fit"),
        Column("Attempt", lambda a: wording.count(a["attempt"]), "number"),
        Column("Outcome", _outcome, "fit"),
        Column("Answer", _answer, "clip"),
        Column(
            "Endpoint", lambda a: tag("span", a["endpoint"] or a["dependency"] or "—", class_="mono"), "line", wide=True
        ),
        Column("Took", lambda a: wording.latency(a["duration_ms"]), "number", wide=True),
        Column("Retries within", lambda a: wording.count(a["retry_count"]), "number", wide=True),
    ]
    again = [e for e in episodes if e["resolved_at"] is not None]
    note = (
        f"{wording.plural(len(episodes), 'episode')}; it was resolved {wording.plural(len(again), 'time')}"
        if len(episodes) > 1
        else None
    )
    return join(
        [
            head("Attempts", note=note),
            table(columns, rows, caption="Oldest first. Retries within: calls made again inside the run."),
        ]
    )


def fixes(view: View, rows: Sequence[Row]) -> Html:
    """What ended exceptions of this group before, and how often it did where it was tried."""
    if not rows:
        return join(
            [head("What fixed it before"), empty("Nothing yet.", "No exception of this group has ended so far.")]
        )
    columns = [
        Column("What helped", lambda f: FIXES[f["fix"]]),
        Column("Worked", lambda f: _worked(f), "fit"),
        Column("Took", lambda f: wording.span_of(max(f["median_s"] or 0, 0)), "fit"),
        Column("Last", lambda f: two_lines(view.ago(f["last_at"]), f["last_object_id"]), "fit"),
    ]
    return join(
        [
            head("What fixed it before"),
            table(columns, rows, caption="What ended most first; took: the median from opening to end."),
        ]
    )


def elsewhere(view: View, e: Row, rows: Sequence[Row]) -> Html:
    """The same failure on other objects."""
    group = link("The group", view.link("exceptions", group=e["group_id"]))
    if not rows:
        return join(
            [head("The same elsewhere", more=group), empty("Nowhere else.", "No other object has failed like this.")]
        )
    columns = [
        Column("On", lambda o: wording.named(o["object_type"], o["object_id"]), "fit"),
        Column("State", lambda o: badge(known(EXCEPTION, o["state"])), "fit"),
        Column("Customer", lambda o: o["customer_name"] or "—", "line"),
        Column("Money held", lambda o: amount(o["blocked_amount"], view.reporting_currency, cents=False), "number"),
        Column("Since", lambda o: view.ago(o["opened_at"]), "fit"),
    ]
    note = f"{wording.count(rows[0]['open_count'])} open of {wording.count(rows[0]['total_count'])}"
    return join(
        [
            head("The same elsewhere", note=note, more=group),
            table(
                columns, rows, href=lambda o: view.link("exception", id=o["exception_id"]),
                caption=f"Open ones first, then latest first, at most {OTHERS}.",
            ),
        ]
    )  # fmt: skip


def payloads(rows: Sequence[Row]) -> None:
    """What was sent when it failed, and what differs from the last that the operation got through."""
    failed = next((row for row in rows if row["is_error"]), None)
    good = next((row for row in rows if not row["is_error"]), None)
    if failed is None:
        panel(empty("No payload.", "The span that failed carries none (q2c.payload)."), key="no_payload")
    elif good is None:
        panel(
            empty("Nothing to compare with.", "This operation has got no payload through at this system before."),
            key="no_good",
        )
    else:
        found = differences(good["payload"], failed["payload"])
        title = f"{failed['object_id']} against {good['object_id']}, the last that got through"
        body = (
            changed(found, f"Got through: {good['object_id']}", f"Failed: {failed['object_id']}")
            if found
            else empty("The same.", "The two payloads agree in every field.")
        )
        panel(join([head(title, note=wording.plural(len(found), "difference")), body]), key="payload_diff")
    if failed is not None:
        st.json(failed["payload"])


def stack_trace(spans: Sequence[Row], span_id: str | None) -> None:
    """The stack trace of the failure: of its own span, else of the latest in its trace that has one."""
    traced = [
        (span["span_id"] == span_id, span["ended_at"], span, text) for span in spans for text in _stack_traces(span)
    ]
    if not traced:
        panel(
            empty("No stack trace.", "No exception event of this trace carries one (exception.stacktrace)."),
            key="no_stack",
        )
        return
    _, _, span, text = max(traced, key=lambda found: found[:2])
    panel(head("Stack trace", note=f"{span['system']}: {span['name']}"), key="stack_head")
    st.code(text, language=None, wrap_lines=True)


def _stack_traces(span: Row) -> list[str]:
    said = [event.get("attributes") or {} for event in json.loads(span["events"] or "[]")]
    return [str(attributes["exception.stacktrace"]) for attributes in said if "exception.stacktrace" in attributes]


def _outcome(a: Row) -> Child:
    if not a["is_error"]:
        return tag("span", "succeeded", class_="green")
    word = (a["outcome"] or "failed").replace("_", " ")
    return two_lines(tag("span", word, class_="red"), "replay" if a["replay_id"] else None)


def _answer(a: Row) -> Child:
    if not a["is_error"]:
        return "—"
    code = ", ".join(str(part) for part in (a["error_code"], a["http_status"] and f"HTTP {a['http_status']}") if part)
    return two_lines(without_trace(a["message"] or "") or "no answer", code)


def _worked(f: Row) -> str:
    if f["fix"] != "replay":
        return wording.plural(f["ended_count"], "time")
    return f"{f['ended_count']:,} of {wording.plural(f['tried_count'], 'try', 'tries')}"
