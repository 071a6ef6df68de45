"""`cashtrail demo`: the estate and the console as two processes, started together and stopped together.

The only place that names `sample_data`, and only to start it as a process of its own: nothing of it is imported.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import httpx
from rich.console import Console

ENGINE_PORT = 8601
GRPC_PORT = 4317
START_S = 60
STOP_S = 8
out = Console(highlight=False)


def run(*, port: int, days: int, directory: Path, seed: int) -> int:
    """Plays the demo until Ctrl-C, then stops all it started. Returns the exit code.

    `directory` is emptied first: each demo begins afresh. It is refused if it holds anything but an earlier demo.
    """
    problem = _not_ours(directory) or _port_taken(port, "--port") or _port_taken(ENGINE_PORT, None)
    if problem:
        out.print(problem, markup=False)
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / ".cashtrail-demo").touch()
    grpc_port = GRPC_PORT if not _port_taken(GRPC_PORT, None) else 0
    url = f"http://127.0.0.1:{port}"
    running: list[subprocess.Popen[bytes]] = []

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        with (directory / "console.log").open("wb") as log:
            console = _start(
                [sys.executable, "-m", "console.cli", "serve", "--database", str(directory / "cashtrail.duckdb"),
                 "--port", str(port), "--grpc-port", str(grpc_port)],
                {"CASHTRAIL_ENGINE_URLS": f"sync-engine=http://127.0.0.1:{ENGINE_PORT}"}, log,
            )  # fmt: skip
            running.append(console)
            with out.status("starting the console"):
                _wait_until_ready(url, console, directory / "console.log")
        out.print(f"\n  Console   [bold]{url}[/bold]\n  API       {url}/api/v1/docs\n  Ctrl-C stops everything.\n")
        out.print(f"Playing {days} days of history in; the pages fill while it runs, then live traffic goes on.")
        estate = [sys.executable, "-m", "sample_data", "--endpoint", f"{url}/v1/traces", "--days", str(days)]
        estate += ["--seed", str(seed), "--engine-port", str(ENGINE_PORT), "--truth", str(directory / "truth.jsonl")]
        running.append(_start(estate, {}, None))
        while all(process.poll() is None for process in running):
            time.sleep(0.3)
        name = "console" if running[0].poll() is not None else "estate"
        out.print(f"The {name} ended by itself; see {directory / 'console.log'}.")
        return 1
    except KeyboardInterrupt:
        out.print("\nStopping ...")
        return 0
    except TimeoutError as fault:
        out.print(str(fault), markup=False)
        return 1
    finally:
        _stop(running)


def _start(command: list[str], environment: dict[str, str], log: BinaryIO | None) -> subprocess.Popen[bytes]:
    # a session of its own: Ctrl-C comes to this process alone, which then stops each in order
    return subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=log,
        stderr=subprocess.STDOUT if log else None,
        start_new_session=True,
    )


def _stop(running: list[subprocess.Popen[bytes]]) -> None:
    """Every process has ended; the estate first, so that its last spans find the door open."""
    for process in reversed(running):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TimeoutError(f"the console did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        try:
            if httpx.get(f"{url}/readyz", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError(f"the console was not ready within {START_S} s; see {log}")


def _port_taken(port: int, option: str | None) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return f"port {port} is in use: is another demo running? Stop it" + (
                f", or choose another with {option}." if option else "."
            )
    return None


def _not_ours(directory: Path) -> str | None:
    if directory.exists() and any(directory.iterdir()) and not (directory / ".cashtrail-demo").exists():
        return f"{directory} is not empty and is no earlier demo's; choose another with --directory."
    return None
