"""The process that owns the store runs with mimalloc, as the same process, unless it is told not to."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from trace_model.allocator import CHOICE, PRELOAD, RESTARTED

TOLD = f"""
import json, os, sys
from pathlib import Path
from trace_model.allocator import restart_with_mimalloc
restart_with_mimalloc()
print(json.dumps({{
    "pid": os.getpid(), "arguments": sys.argv[1:], "mimalloc": "libmimalloc" in Path("/proc/self/maps").read_text(),
    "left": [name for name in {(PRELOAD, RESTARTED)!r} if name in os.environ],
}}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator is chosen on Linux only")
@pytest.mark.parametrize(
    ("choice", "expected"), [({}, True), ({CHOICE: "system"}, False), ({PRELOAD: "libc.so.6"}, False)]
)
def test_a_process_starts_again_with_mimalloc_once(choice: dict[str, str], expected: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in (CHOICE, PRELOAD)} | choice
    process = subprocess.Popen(
        [sys.executable, "-c", TOLD, "one", "two words"], stdout=subprocess.PIPE, text=True, env=environment
    )
    told = json.loads(process.communicate(timeout=60)[0])
    assert told["mimalloc"] is expected
    assert told["pid"] == process.pid
    assert told["arguments"] == ["one", "two words"]
    assert told["left"] == ([PRELOAD] if PRELOAD in choice else [])
