"""Parts of a page that follow the world by themselves, without losing what is selected, typed or scrolled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from console.components.view import View, look
from trace_model.errors import CashtrailError

REFRESH_S = 4
log = logging.getLogger("cashtrail.console")


def live(part: Callable[[View], None], *, every_s: float = REFRESH_S, stands: bool = True) -> None:
    """Runs `part` now, and again every few seconds while the screen is live; an instant that is fixed stays still.

    `stands`: it stands where the page does.
    """
    view = look()

    @st.fragment(run_every=every_s if view.live and not (stands and view.stands) else None)
    def again() -> None:
        with guarded(part.__qualname__):
            part(look())

    again()


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """A fault inside is said on the page in one sentence; what is not fit for an operator goes to the log."""
    try:
        yield
    except CashtrailError as fault:
        st.error(str(fault), icon=":material/error:")
    except Exception:
        log.exception("%s failed", what)
        st.error(
            "This part could not be shown. The reason is in the console's log; reloading may help.",
            icon=":material/error:",
        )
