"""What the pages and the API work with, put together once by `console.server` and handed out here.

Pages know the store's reading methods and the deeds; they never open, start or stop anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from console.access import Access
from console.deeds import Deeds
from console.linking import Linking
from console.replay.replays import Replays
from console.sessions import Sessions
from console.settings import Settings
from trace_model.store import Store


@dataclass(frozen=True)
class Resources:
    store: Store
    deeds: Deeds
    linking: Linking
    replays: Replays
    access: Access
    settings: Settings
    ingest_counters: Callable[[], dict[str, Any]]
    """The doors' counters as plain data; empty where no door is open (tests, a report)."""
    alerts_fault: Callable[[], str | None] = lambda: None
    """Why alerts cannot be looked for or delivered now; None while they are, and where nobody looks."""

    @cached_property
    def sessions(self) -> Sessions:
        """Who is signed in to the console, by their cookie."""
        return Sessions(self.access)


_current: list[Resources] = []


def provide(resources: Resources) -> None:
    """Pages and API answer from `resources` from now on."""
    _current[:] = [resources]


def current() -> Resources:
    """The resources of this process. Raises RuntimeError before `provide`: a fault in the composition."""
    if not _current:
        raise RuntimeError("console.resources.provide has not been called; start the console with `cashtrail serve`")
    return _current[0]
