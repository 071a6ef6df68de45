"""Threads stand back for those that answer people: screens and doors come first. On Linux, where a priority is a thread's own."""

from __future__ import annotations

import os
import sys
import threading
from enum import IntEnum


class Niceness(IntEnum):
    """How far a thread stands back, as `nice` counts."""

    FOLLOWS = 5
    """It follows the world, and somebody is soon to see what it does."""
    BACKGROUND = 10
    """It shows how far it is, or nobody waits for it."""


def stand_back(by: Niceness) -> None:
    """The calling thread leaves the processor to others that want it, from now on."""
    if sys.platform == "linux":  # elsewhere a priority is the whole process's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), by)
