"""How states look: for each an icon, a word and a tone, never a colour alone. The words are the contract's, made readable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from console.components.markup import Html, tag
from trace_model.catalogue.failure_rules import CATEGORIES, Category

Tone = Literal["red", "orange", "yellow", "green", "blue", "gray"]

_PATHS = {
    "alert": "M8 1.8 15 14H1L8 1.8Zm0 4.4v3.6m0 1.7v.6",
    "pause": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM6.3 5.6v4.8m3.4-4.8v4.8",
    "clock": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM8 4.6V8l2.3 1.6",
    "dot": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM8 7.4a.6.6 0 1 0 0 1.2.6.6 0 0 0 0-1.2Z",
    "ring": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z",
    "check": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM5 8.2l2.1 2.1L11 6",
    "cross": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM5.7 5.7l4.6 4.6m0-4.6-4.6 4.6",
    "slash": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM3.6 12.4l8.8-8.8",
    "half": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM8 1.5v13M8 4h3.4M8 8h5.4M8 12h3.4",
    "send": "M1.8 8 14.2 2 10.4 14 7.6 9.2 1.8 8Zm5.8 1.2L14.2 2",
    "question": "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM6.2 6.2a1.9 1.9 0 1 1 2.6 1.7c-.6.3-.8.6-.8 1.2m0 2v.3",
    "person": "M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8Zm-5.4 6c.5-2.6 2.7-4 5.4-4s4.9 1.4 5.4 4",
    "wrench": "M14 4.6a3.6 3.6 0 0 1-4.9 4.2L4.6 13.4a1.4 1.4 0 0 1-2-2l4.6-4.5A3.6 3.6 0 0 1 11.4 2L9.2 4.2l.4 2.2 2.2.4L14 4.6Z",
    "plug": "M5.5 1.5v3.7m5-3.7v3.7M3.5 5.2h9v2.3a4.5 4.5 0 0 1-9 0V5.2ZM8 12v2.5",
    "silence": "M2 8h2.2m2 0h.8m2 0h.8m2 0H14",
    "skip": "M3 3.5 8.5 8 3 12.5v-9Zm6 0L14 8l-5 4.5m3.5-9v9",
}


@dataclass(frozen=True)
class Sign:
    """`about` says in a sentence what the state means; it is the sign's title on screen."""

    icon: str
    word: str
    tone: Tone
    about: str = ""


TIMELINE: dict[str, Sign] = {
    "breached": Sign("alert", "Breached", "red", "A promise is past its due instant and not kept."),
    "stuck": Sign(
        "pause", "Stuck", "orange", "No progress for longer than the catalogue allows, and no open exception says why."
    ),
    "at_risk": Sign("clock", "At risk", "yellow", "A promise has used most of its time."),
    "on_track": Sign("dot", "On track", "gray", "Every running promise has time left."),
    "completed": Sign("check", "Completed", "green", "Every final milestone is reached."),
    "cancelled": Sign("slash", "Cancelled", "gray", "The order was cancelled."),
}
CLOCK: dict[str, Sign] = {
    "breached": Sign("alert", "Breached", "red"),
    "at_risk": Sign("clock", "At risk", "yellow"),
    "running": Sign("dot", "Running", "gray"),
    "paused": Sign("pause", "Paused", "blue", "It stands still: no working time is counted until the pause ends."),
    "met": Sign("check", "Met", "green"),
    "met_late": Sign("clock", "Met late", "orange"),
}
CLASS: dict[str, Sign] = {
    "business": Sign(
        "person",
        "Business exception",
        "gray",
        "Understood and refused: someone in the business has to correct the data.",
    ),
    "technical": Sign("wrench", "Technical failure", "gray", "Mapping, credentials or code of ours."),
    "dependency": Sign(
        "plug", "Dependency outage", "gray", "The other side or the network was down, slow or throttling."
    ),
    "unknown": Sign("question", "Unknown", "gray", "No rule knows this failure; reclassify it once you do."),
}
SYSTEM: dict[str, Sign] = {
    "down": Sign("cross", "Down", "red", "Half or more of the last ten minutes' calls failed."),
    "degraded": Sign("half", "Degraded", "orange", "A tenth or more of the last ten minutes' calls failed."),
    "silent": Sign(
        "silence",
        "No data",
        "yellow",
        "Nothing has been heard from it for longer than usual: not the same as no failures.",
    ),
    "up": Sign("check", "Up", "green", "It answers."),
    "unknown": Sign("question", "Never seen", "gray", "No span of it has ever come in."),
}
KIND: dict[str, Sign] = {
    "failed_operation": Sign("cross", "Failed operation", "gray", "A system was asked, and said no or failed."),
    "unknown_status": Sign(
        "question",
        "Unknown status",
        "yellow",
        "No answer came to a write: it may have happened. Look before it is sent again.",
    ),
    "duplicate": Sign("half", "Duplicate", "gray", "The same thing stands there twice."),
    "over_coverage": Sign("half", "More than there is", "gray", "More is shipped, billed or paid than was ordered."),
    "mismatch": Sign("half", "Mismatch", "gray", "What one system sent is not what the next one got."),
    "schema_drift": Sign(
        "wrench",
        "Schema drift",
        "gray",
        "Since its last release a system's payloads lack a field, or it has another type.",
    ),
    "stuck_flow": Sign(
        "pause", "Stuck flow", "gray", "It stopped: nothing failed, nothing is promised, and nothing moves."
    ),
}
EXCEPTION: dict[str, Sign] = {
    "open": Sign("alert", "Open", "red"),
    "resolved": Sign("check", "Resolved", "green"),
    "healed": Sign("check", "Healed", "gray", "The engine's own retries got through: it never became an exception."),
}
OUTAGE: dict[str, Sign] = {
    "ongoing": Sign("cross", "Ongoing", "red", "Calls fail and none has been answered since."),
    "silent": Sign(
        "silence", "No calls since", "yellow", "Nobody has called for two hours: whether it is over is not known."
    ),
    "recovering": Sign(
        "half", "Answers again", "orange", "It has answered again; a further failure would still belong to it."
    ),
    "ended": Sign("check", "Over", "green", "It has answered since."),
}
GROUP: dict[str, Sign] = {
    "new": Sign("dot", "New", "blue", "First seen within a day."),
    "ongoing": Sign("ring", "Ongoing", "gray", "Known for longer than a day, and no worse than before."),
    "escalating": Sign("alert", "Escalating", "red", "More in a day than in two usual days of the week before."),
    "regressed": Sign("clock", "Regressed", "orange", "It had succeeded, or been resolved by hand, and fails again."),
    "snoozed": Sign("pause", "Snoozed", "gray", "Out of the queue until what it was snoozed for comes true."),
    "resolved": Sign("check", "Resolved", "green", "None of it is open."),
}
OUTCOME: dict[str, Sign] = {
    "planned": Sign("ring", "Planned", "gray", "Nothing has been sent."),
    "sent": Sign("send", "Sent", "blue", "Handed to the engine; no answer yet."),
    "accepted": Sign("send", "Accepted", "blue", "The engine took it; the milestone has not been seen yet."),
    "rejected": Sign("cross", "Rejected", "orange", "The engine refused it; nothing was done."),
    "uncertain": Sign(
        "question",
        "Uncertain",
        "yellow",
        "It may have happened. It is settled by asking the target or by a trace, never sent again blindly.",
    ),
    "milestone_reached": Sign("check", "Milestone reached", "green", "A trace proves it."),
    "failed_again": Sign("alert", "Failed again", "red", "A trace shows the new failure."),
    "no_evidence": Sign("silence", "No evidence", "yellow", "No trace came in time. Look before sending again."),
    "skipped": Sign("skip", "Skipped", "gray", "Not sent; the plan says why."),
}
DECISION: dict[str, Sign] = {
    "send": Sign("send", "Send", "gray"),
    "skip": Sign("skip", "Skip", "gray"),
    "needs_approval": Sign("person", "Needs approval", "yellow"),
}
PLAN: dict[str, Sign] = {
    "planned": Sign("ring", "Planned", "gray", "Nothing has been sent."),
    "approved": Sign("person", "Approved", "blue", "A second person allowed it; nothing has been sent."),
    "running": Sign("send", "Running", "blue"),
    "paused": Sign("pause", "Paused", "yellow", "Nothing more is sent until someone resumes it."),
    "finished": Sign("check", "Finished", "green", "Every item has ended."),
    "cancelled": Sign("slash", "Cancelled", "gray"),
}
POLLER: dict[str, Sign] = {
    "waiting": Sign("clock", "Not asked yet", "gray"),
    "ok": Sign("check", "Reads", "green", "Its last round read everything there was."),
    "failing": Sign("alert", "Failing", "red", "Its last round failed; it is tried again."),
}
COVERAGE: dict[str, Sign] = {
    "none": Sign("ring", "Not reached", "gray"),
    "partial": Sign("half", "Partial", "yellow"),
    "complete": Sign("check", "Complete", "green"),
    "over": Sign("alert", "More than ordered", "orange"),
}


def known(signs: dict[str, Sign], state: str | None) -> Sign:
    """The sign of `state`; a state that is not in the table still shows its own word.

    >>> known(TIMELINE, "at_risk").word, known(TIMELINE, "new_one").word
    ('At risk', 'New one')
    """
    name = state or "unknown"
    return signs.get(name) or Sign("question", name.replace("_", " ").capitalize(), "gray")


def category(name: str) -> str:
    """The label of a failure category, as every screen says it; one that the product does not know shows its own word.

    >>> category("credit_payment"), category("new_one")
    ('Credit or payment', 'New one')
    """
    known_one = CATEGORIES.get(cast("Category", name))
    return known_one.label if known_one else name.replace("_", " ").capitalize()


def icon(name: str) -> Html:
    return tag(
        "svg",
        tag("path", d=_PATHS[name]),
        viewBox="0 0 16 16",
        class_="icon",
        aria_hidden="true",
        fill="none",
        stroke="currentColor",
    )


def badge(sign: Sign, *, title: str | None = None) -> Html:
    """The sign as icon and word in its tone."""
    return tag(
        "span", icon(sign.icon), tag("span", sign.word), class_=f"sign {sign.tone}", title=title or sign.about or None
    )
