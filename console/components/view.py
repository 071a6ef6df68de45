"""What a page looks at: one moment, one viewer, one time zone. Pages ask the store only through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import streamlit as st

from console.access import Principal
from console.components import rooms, wording
from console.components.answers import Answers, Moment, answers_of
from console.components.markup import Html, tag
from console.resources import current
from console.sessions import COOKIE
from trace_model.errors import Refused

PRINCIPAL = "principal"
"""The key under which a script that runs without a browser says who looks."""
_STANDS_AT = "stands_at"
"""The key under which a run of a standing page keeps its moment: all of its parts show that one, also those that run again alone."""


@dataclass(frozen=True)
class View:
    moment: Moment
    live: bool
    zone: ZoneInfo
    who: Principal
    answers: Answers
    reporting_currency: str
    page: str
    """The address that shows this, without the moment."""
    stands: bool = False
    """It is live, but stands still until somebody looks again."""

    @property
    def as_of(self) -> datetime:
        return self.moment.as_of

    def ask(self, question: str, **parameters: Any) -> pa.Table:
        self.answers.remember(self.page, question, parameters)
        return self.answers.ask(question, self.moment, **parameters)

    def soon(self, *questions: str, **parameters: Any) -> None:
        """Says which questions, with these parameters, the page is about to ask one by one: they are answered side by side.
        For pages opened for the first time; of others it is remembered what they ask."""
        for question in questions:
            self.answers.ask_soon(question, self.moment, **parameters)

    def rows(self, question: str, **parameters: Any) -> list[dict[str, Any]]:
        """As `ask`, as plain rows: instants aware UTC, amounts Decimal."""
        return list(self.ask(question, **parameters).to_pylist())

    def later(self) -> View:
        """The same look at the moment when it is called, where the page follows the world. A file is made outside the script
        that offered it, where neither address nor session can be read: what it holds is settled when it is offered."""
        return replace(self, moment=self.answers.moment(None)) if self.live and not self.stands else self

    def following(self) -> View:
        """The same look at the live moment: for what surrounds a page, and follows the world also where the page stands."""
        return replace(self, moment=self.answers.moment(None)) if self.stands else self

    # -- words ---------------------------------------------------------------------------------------------------

    def link(self, path: str, **parameters: object) -> str:
        """The address of a room that shows the same moment as this one."""
        return rooms.link(path, **parameters, as_of=None if self.live else wire(self.as_of))

    def order(self, row: Mapping[str, Any], of: str = "lead", **parameters: object) -> str:
        """The timeline of what a row names by `lead_type`, `lead_id`, `lead_scope` (or `object_type` ...): two systems may use one id."""
        return self.link("order", type=row[f"{of}_type"], id=row[f"{of}_id"], scope=row[f"{of}_scope"], **parameters)

    def money(self, amount: Decimal | float | None, currency: str | None = None, *, cents: bool = False) -> str:
        """An amount, in reporting currency unless another is named."""
        return wording.money(amount, currency or self.reporting_currency, cents=cents)

    def at(self, instant: datetime | None) -> Html:
        """An instant on the viewer's clock, its title exact."""
        shown = wording.instant(instant, self.zone, self.as_of)
        return tag("span", shown, class_="nowrap", title=wording.exact(instant, self.zone))

    def ago(self, instant: datetime | None) -> Html:
        return tag("span", wording.ago(instant, self.as_of), class_="nowrap", title=wording.exact(instant, self.zone))

    def due(self, instant: datetime | None, *, done: bool = False) -> Html:
        """What a due instant means now; overdue reads red unless it no longer matters."""
        late = instant is not None and instant < self.as_of and not done
        title = wording.exact(instant, self.zone)
        return tag("span", wording.due(instant, self.as_of), class_="nowrap red" if late else "nowrap", title=title)

    def now_words(self) -> str:
        """The moment as sentences name it: `14:02`, or the day and the time."""
        return wording.instant(self.as_of, self.zone, current().store.clock())


def coverage_words(view: View) -> str:
    """What captions add where covered amounts are shown as of an earlier instant: they are not of then. Empty on a live screen."""
    return (
        ""
        if view.live
        else " How much of an order a document covers is as known today; whether it was there, as of then."
    )


def look() -> View:
    """The view that the address asks for: live, or as of `?as_of=`. An unreadable instant shows live; the shell says so."""
    resources = current()
    answers = answers_of(resources.store)
    fixed = fixed_instant()[0]
    who, page = _viewer(), _address()
    stands = fixed is None and rooms.of_path(st.session_state.get("room", "")).stands
    return View(
        moment=_stands_at(answers, page, who) if stands else answers.moment(fixed),
        live=fixed is None,
        zone=wording.zone_named(st.context.timezone),
        who=who,
        answers=answers,
        reporting_currency=resources.store.catalogue.reporting_currency,
        page=page,
        stands=stands,
    )


def look_anew() -> View:
    """As `look`, at the beginning of a run of the whole page: where it stands, it may have moved on since the run before."""
    st.session_state.pop(_STANDS_AT, None)
    return look()


def _stands_at(answers: Answers, page: str, who: Principal) -> Moment:
    at: tuple[str, Moment] | None = st.session_state.get(_STANDS_AT)
    if at is None or at[0] != page:
        at = st.session_state[_STANDS_AT] = page, answers.standing.moment(page, who.name)
    return at[1]


def _address() -> str:
    asked = sorted((name, st.query_params.get_all(name)) for name in st.query_params if name != "as_of")
    return f"{st.session_state.get('room')}?{asked}"


def _viewer() -> Principal:
    """Who looks. Raises Refused where a sign-in is needed and has not happened: nothing falls back to a right."""
    found = signed_in()
    if found is None:
        raise Refused("sign in first: this console shows nothing without a login")
    return found


def signed_in() -> Principal | None:
    """Who looks, by the cookie that the sign-in page gave this browser; None where the session has run out."""
    held = st.session_state.get(PRINCIPAL)
    return held if isinstance(held, Principal) else current().sessions.opened(st.context.cookies.get(COOKIE))


def fixed_instant() -> tuple[datetime | None, str | None]:
    """The instant that `?as_of=` fixes, or None, and what is wrong with it, or None."""
    text = st.query_params.get("as_of")
    if not text:
        return None, None
    try:
        return wording.parse_instant(text), None
    except ValueError as fault:
        return None, str(fault)


def wire(at: datetime) -> str:
    """An instant as addresses write it.

    >>> from datetime import UTC
    >>> wire(datetime(2026, 3, 2, 9, 5, 7, 250000, tzinfo=UTC))
    '2026-03-02T09:05:07Z'
    """
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
