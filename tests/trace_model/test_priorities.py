"""A thread stands back alone; the process goes on as before."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from trace_model.priorities import Niceness, stand_back


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a priority of its own on Linux only")
def test_only_the_thread_that_stands_back_does() -> None:
    before, seen = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), []

    def work() -> None:
        stand_back(Niceness.BACKGROUND)
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [10]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
