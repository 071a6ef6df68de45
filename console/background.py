"""How work ends that a page has begun and nobody's call waits for: whoever looks later must hear of it, also of a fault."""

from __future__ import annotations

import logging
from collections.abc import Callable

from trace_model.errors import CashtrailError

log = logging.getLogger("cashtrail.console")


def fault_of(work: Callable[[], None], what: str) -> str | None:
    """Does `work`; returns what went wrong, fit for an operator, or None. `what` names it: "the backtest".

    What is not fit for an operator goes to the log.
    """
    try:
        work()
    except CashtrailError as fault:
        return str(fault)
    except Exception as fault:
        log.exception("%s failed", what)
        return f"{what} failed: {type(fault).__name__}; the console's log says more"
    return None
