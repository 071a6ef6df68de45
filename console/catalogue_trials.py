"""Trials of a catalogue before it is published: one at a time in the background, the last few kept to be looked at.

The same service for page and API. A trial changes nothing; it costs a rebuild, so whoever only reads may not start one.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from console.access import Principal, Right
from console.background import fault_of
from trace_model.catalogue import loader
from trace_model.catalogue.schema import Catalogue
from trace_model.errors import CatalogueError, Refused, UnknownThing
from trace_model.priorities import Niceness, stand_back
from trace_model.store import Store
from trace_model.store.store import rules_of
from trace_model.store.trial import DAYS_MOST, Trial, compare

NAME = "new catalogue"
TEXT_MOST = 2_000_000
KEPT = 5


@dataclass
class Run:
    """One trial: how far it is, and then what it found or why it could not be made."""

    trial_id: str
    started_by: str
    as_of: datetime
    days: int
    step: str = "waiting"
    share: float = 0.0
    trial: Trial | None = None
    fault: str | None = None

    @property
    def state(self) -> str:
        return "done" if self.trial else "failed" if self.fault else "running"


class CatalogueTrials:
    """The trials of one store. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def start(self, who: Principal, text: str, *, days: int = 30, as_of: datetime | None = None) -> Run:
        """The trial runs, or ran already: the same text, days and instant are one trial.

        Raises Forbidden, CatalogueError (every problem with its line) or Refused (another one runs, too large).
        """
        who.require(Right.TRIAGE)
        if not 1 <= days <= DAYS_MOST:
            raise Refused(f"{days} days of alerts cannot be looked at; between 1 and {DAYS_MOST}")
        if len(text) > TEXT_MOST:
            raise Refused(f"the catalogue has {len(text):,} characters; at most {TEXT_MOST:,}")
        catalogue = loader.read(NAME, text)
        self._check_packs(catalogue, text)
        at = as_of or self._store.clock()
        trial_id = hashlib.sha256(f"{at.isoformat()}|{days}|{text}".encode()).hexdigest()[:12]
        with self._lock:
            known = self._runs.get(trial_id)
            if known and known.state != "failed":
                return known
            if any(run.state == "running" for run in self._runs.values()):
                raise Refused("another catalogue is being tried; wait until it is done")
            run = self._runs[trial_id] = Run(trial_id, who.name, at, days)
            while len(self._runs) > KEPT:
                self._runs.popitem(last=False)
        threading.Thread(target=self._work, args=(run, catalogue), name="catalogue-trial", daemon=True).start()
        return run

    def run(self, trial_id: str) -> Run:
        """The trial of that id. Raises UnknownThing: only the last few are kept, and none over a restart."""
        with self._lock:
            found = self._runs.get(trial_id)
        if found is None:
            raise UnknownThing(f"there is no trial '{trial_id[:40]}'; the last {KEPT} are kept until a restart")
        return found

    def _check_packs(self, catalogue: Catalogue, text: str) -> None:
        """Rule packs are files of the server: only those that the published catalogue names may be read for a visitor."""
        packs = catalogue.failure_rules.packs
        allowed = self._store.catalogue.failure_rules.packs
        foreign = [pack for pack in packs if pack not in allowed] if packs != "shipped" and packs != allowed else []
        if foreign:
            line = next((n for n, told in enumerate(text.splitlines(), 1) if foreign[0] in told), 1)
            raise CatalogueError(
                [f"{NAME}, line {line}: failure_rules.packs names '{foreign[0]}', which the published catalogue does not; "
                 "try it by `cashtrail backtest` on the server"]
            )  # fmt: skip
        rules_of(catalogue)

    def _work(self, run: Run, catalogue: Catalogue) -> None:
        stand_back(Niceness.BACKGROUND)

        def told(step: str, share: float) -> None:
            run.step, run.share = step, share

        def tried() -> None:
            run.trial = compare(self._store, catalogue, as_of=run.as_of, days=run.days, on_progress=told)

        run.fault = fault_of(tried, "the trial")


_of_store: WeakKeyDictionary[Store, CatalogueTrials] = WeakKeyDictionary()
_opening = threading.Lock()


def trials_of(store: Store) -> CatalogueTrials:
    """The one `CatalogueTrials` of `store` in this process."""
    with _opening:
        return _of_store.setdefault(store, CatalogueTrials(store))
