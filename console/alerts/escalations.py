"""Who is told of an alert that nobody answers, and when: by its route, in the working time of the route's calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trace_model import calendars
from trace_model.catalogue.alert_rules import Route
from trace_model.catalogue.calendar_schema import Calendar


@dataclass(frozen=True)
class Escalates:
    """Unless somebody answers, `channels` (names) are told too at `at` (aware UTC)."""

    at: datetime
    channels: tuple[str, ...]


def escalates(alert: Mapping[str, Any], route: Route | None, known: Mapping[str, Calendar]) -> Escalates | None:
    """What comes of `alert`, a row of `reads/alert_list.sql`, if nobody answers it; `known` are the calendars by name.

    None where its route escalates nothing, or somebody has answered.
    """
    if route is None or route.escalate is None or alert["acknowledged_at"] is not None:
        return None
    at = calendars.due_at(alert["raised_at"], route.escalate.after_s, known[route.escalate.calendar])
    return Escalates(at, tuple(route.escalate.channels)) if at is not None else None
