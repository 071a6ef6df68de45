"""A console process that dies, killed by the system at a step of its choice: `python mortal.py DATABASE ENGINE PLAN STEP AFTER`.

It owns the database file, fetches the engine's spans as the door would get them, and runs the replay service until the plan is
over, which it says on standard output. STEP `never` lives to the end.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import httpx

from console.replay.engine import Engines
from console.replay.http_contract import HttpContract
from console.replay.replays import Replays
from tests.console.replay.conftest import MANY, ended
from tests.console.replay.estate import span, table
from trace_model.catalogue.loader import load
from trace_model.store import Store
from trace_model.store.ledger import Ledger
from trace_model.store.store import utc_now


def main(path: str, engine_url: str, plan_id: str, step: str, after: str) -> None:
    left = int(after)

    def at(reached: str) -> None:
        nonlocal left
        if reached == step:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    store = Store(path, load(), clock=utc_now, threads=2)
    store.start()
    engines = Engines([(HttpContract("sync-engine", engine_url), [])])
    service = Replays(store, Ledger(store.database, utc_now), engines, utc_now, MANY, at=at)
    service.start()
    while not ended(service.get(plan_id)):
        rows = [
            span(s["name"], s["attributes"], failed=s["failed"])
            for s in httpx.get(f"{engine_url}/spans").json()["spans"]
        ]
        if rows:
            store.record(table(rows))
        time.sleep(0.1)
    service.stop()
    store.close()
    print("ended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
