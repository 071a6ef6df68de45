"""Answers of the store, shared by everyone who looks at the same moment. Knows no Streamlit.

A live screen shows a *moment*: an instant that moves on when something new is shown or done, or the minute turns, yet at
most every `LIVE_EVERY_S`, and less often where answering takes long. Within a moment a question with the same parameters
is asked once, however many are looking. What a page was shown by is remembered: at its next opening all of it is asked at
once, side by side, while its script goes through it one by one.

A room that reads the whole history shows a moment of its own (`Standing`), which moves on about once a minute while
somebody looks, and is answered before it is shown (docs/decisions/008-rooms-of-the-whole-history-stand.md).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import pyarrow as pa

from trace_model.priorities import Niceness, stand_back
from trace_model.store import Store

LIVE_EVERY_S = 2.0
SHARE_OF_A_CORE = 0.2
"""How much of one core the answers of live moments may take; the larger the history, the slower screens follow."""
KEPT_ANSWERS = 400
REMEMBERED_S = 600.0
"""How long it is remembered that a page asked something."""
REMEMBERED_PAGES = 200
STANDS_S = 60.0
"""For how long at least a room of the whole history shows one moment."""
log = logging.getLogger("cashtrail.console")


@dataclass(frozen=True)
class Moment:
    """What a screen shows: the world as of `as_of`, from what was known at `projected_seq` and done by `action_no`."""

    as_of: datetime
    projected_seq: int
    action_no: int


class Answers:
    """Moments and answers of one store. Threads may share it."""

    def __init__(self, store: Store, timer: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._timer = timer
        self._lock = threading.Lock()
        self._live: Moment | None = None
        self._live_since = 0.0
        self._live_cost_s = 0.0
        self._answers: OrderedDict[Any, Future[pa.Table]] = OrderedDict()
        self._shown_by: OrderedDict[str, dict[Any, tuple[float, str, dict[str, Any]]]] = OrderedDict()
        self._ahead = ThreadPoolExecutor(os.cpu_count(), "answers-ahead")
        self.standing = Standing(self, store, timer)

    def moment(self, as_of: datetime | None) -> Moment:
        """The moment to show: `as_of` where it is fixed, else the live one."""
        action_no = int(self._store.rows("last_action")[0]["action_no"])
        seq = self._store.projected_seq
        if as_of is not None:
            return Moment(as_of, seq, action_no)
        now = self._store.clock()
        with self._lock:
            held = self._live
            if (
                held is None
                or held.action_no != action_no
                or held.as_of.replace(second=0, microsecond=0) != now.replace(second=0, microsecond=0)
                or (held.projected_seq != seq and self._timer() - self._live_since >= self._rest_s())
            ):
                held = self._live = Moment(now, seq, action_no)
                self._live_since = self._timer()
                self._live_cost_s = 0.0
            return held

    def ask(self, question: str, moment: Moment, **parameters: Any) -> pa.Table:
        """The answer of `reads/<question>.sql` at `moment`; who asks while another is asking waits for that answer.

        Raises what the store raises; a failed question is asked again the next time.
        """
        key = (question, moment, _frozen_all(parameters))
        with self._lock:
            answer = self._answers.get(key)
            mine = answer is None
            if answer is None:
                answer = self._answers[key] = Future()
                while len(self._answers) > KEPT_ANSWERS:
                    self._answers.popitem(last=False)
            else:
                self._answers.move_to_end(key)
        if mine:
            begun = self._timer()
            try:
                answer.set_result(self._store.ask(question, as_of=moment.as_of, **parameters))
            except BaseException as fault:  # noqa: BLE001 - whoever waits for this answer must get the same fault
                with self._lock:
                    self._answers.pop(key, None)
                answer.set_exception(fault)
            with self._lock:
                if moment == self._live:
                    self._live_cost_s += self._timer() - begun
        return answer.result()

    def remember(self, page: str, question: str, parameters: dict[str, Any]) -> None:
        """The page of this address was shown by this question, among others."""
        with self._lock:
            shown_by = self._shown_by.setdefault(page, {})
            shown_by[question, _frozen_all(parameters)] = (self._timer(), question, parameters)
            self._shown_by.move_to_end(page)
            while len(self._shown_by) > REMEMBERED_PAGES:
                self._shown_by.popitem(last=False)

    def ask_ahead(self, page: str, moment: Moment) -> int:
        """What the page of this address was lately shown by is being asked at `moment`; returns how many questions that are.

        Does not wait.
        """
        lately = self.shown_by(page, self._timer() - REMEMBERED_S)
        for question, parameters in lately:
            self.ask_soon(question, moment, **parameters)
        return len(lately)

    def ask_soon(self, question: str, moment: Moment, **parameters: Any) -> None:
        """Somebody is about to ask this: it is being answered from now on. A fault is told to whoever needs the answer."""
        self._ahead.submit(self.ask, question, moment, **parameters)

    def shown_by(self, page: str, since: float) -> list[tuple[str, dict[str, Any]]]:
        """The questions by which the page of this address was shown since that instant of the timer; older ones are forgotten."""
        with self._lock:
            lately = {key: seen for key, seen in self._shown_by.get(page, {}).items() if seen[0] >= since}
            if page in self._shown_by:
                self._shown_by[page] = lately
        return [(question, parameters) for _, question, parameters in lately.values()]

    def _rest_s(self) -> float:
        return max(LIVE_EVERY_S, self._live_cost_s / SHARE_OF_A_CORE)


@dataclass
class _Page:
    """What the page of one address shows, since when, when it was last looked at, and when it may move on (of the timer)."""

    moment: Moment
    since: float
    looked: float
    due: float


class Standing:
    """The moments of pages that read the whole history, one an address. Threads may share it.

    A page shows its last moment whose answers are all there. The next one begins when that has stood for `STANDS_S`, or
    longer where answering takes long; its questions are asked one after the other by a thread that nobody waits for, as
    long as somebody looked within `REMEMBERED_S`. Who has done something since the moment gets a new one at once.
    """

    def __init__(self, answers: Answers, store: Store, timer: Callable[[], float]) -> None:
        self._answers = answers
        self._store = store
        self._timer = timer
        self._lock = threading.Lock()
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._thread: threading.Thread | None = None

    def moment(self, page: str, who: str) -> Moment:
        """The moment that the page of this address shows to this person: never older than their last deed, nor than `REMEMBERED_S`."""
        deed = int(self._store.rows("last_action", actor=who)[0]["action_no"])
        with self._lock:
            now = self._timer()
            held = self._pages.get(page)
            if held is None or held.moment.action_no < deed or now - held.since >= REMEMBERED_S:
                held = self._pages[page] = _Page(self._answers.moment(None), now, now, now + STANDS_S)
            held.looked = now
            self._pages.move_to_end(page)
            while len(self._pages) > REMEMBERED_PAGES:
                self._pages.popitem(last=False)
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, name="answers-coming", daemon=True)
                self._thread.start()
            return held.moment

    def renew(self, page: str) -> None:
        """The page of this address shows the live moment at its next opening."""
        with self._lock:
            self._pages.pop(page, None)

    def move_on(self) -> float | None:
        """The page that is due first is answered at a new moment, and shows it from then on.

        Returns the seconds until the next page is looked after, so that all of it takes `SHARE_OF_A_CORE`; None when
        nobody has looked lately. A moment that cannot be answered is left out: the page goes on to show the one before.
        """
        begun = self._timer()
        with self._lock:
            seen = {page: held for page, held in self._pages.items() if begun - held.looked < REMEMBERED_S}
            if not seen or not self._store.writable():
                self._thread = None
                return None
            page, held = min(seen.items(), key=lambda one: one[1].due)
            if held.due > begun:
                return held.due - begun
            looked = held.looked
        coming = None
        try:
            asked = self._answers.moment(self._store.clock())
            for question, parameters in self._answers.shown_by(page, looked):
                self._answers.ask(question, asked, **parameters)
            coming = asked
        except Exception:  # whoever opens the page once its moment is too old asks for themselves, and is told
            log.warning("the next moment of %s could not be answered", page, exc_info=True)
        took = self._timer() - begun
        with self._lock:
            if self._pages.get(page) is held:
                held.due = begun + max(STANDS_S, took / SHARE_OF_A_CORE)
                if coming is not None:
                    held.moment, held.since = coming, begun
        return took / SHARE_OF_A_CORE - took

    def _follow(self) -> None:
        stand_back(Niceness.BACKGROUND)
        while (rest := self.move_on()) is not None:
            time.sleep(rest)


_of_store: WeakKeyDictionary[Store, Answers] = WeakKeyDictionary()
_opening = threading.Lock()


def answers_of(store: Store) -> Answers:
    """The one `Answers` of `store` in this process."""
    with _opening:
        return _of_store.setdefault(store, Answers(store))


def _frozen_all(parameters: dict[str, Any]) -> Any:
    return tuple(sorted((name, _frozen(value)) for name, value in parameters.items()))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
