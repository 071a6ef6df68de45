"""A real `cashtrail serve` for benchmarks: its own process, its own database, stopped and removed afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass
class Served:
    """A running server: where it listens, its process, its database."""

    url: str
    process: subprocess.Popen[bytes]
    database: Path

    def memory_mb(self) -> float:
        """Resident memory of the server's process now, in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def cpu_s(self) -> float:
        """User and system time of the server's process so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def start(
    database: Path,
    port: int,
    *,
    headless: bool = False,
    wait_s: float = 60,
    environment: dict[str, str] | None = None,
) -> Served:
    """A server on `database`, ready to answer."""
    command = [
        sys.executable,
        "-m",
        "console.cli",
        "serve",
        "--database",
        str(database),
        "--port",
        str(port),
        "--grpc-port",
        "0",
    ]
    process = subprocess.Popen(
        command + (["--headless"] if headless else []),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | (environment or {}),
    )
    served = Served(f"http://127.0.0.1:{port}", process, database)
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(served.url + "/readyz", timeout=2).status_code == 200:
                return served
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"the server was not ready within {wait_s} s")


@contextmanager
def running(database: Path, *, headless: bool = False, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """A server on `database`, stopped afterwards."""
    served = start(database, free_port(), headless=headless, environment=environment)
    try:
        yield served
    finally:
        served.process.send_signal(signal.SIGTERM)
        try:
            served.process.wait(20)
        except subprocess.TimeoutExpired:
            served.process.kill()
            served.process.wait()


@contextmanager
def server(*, headless: bool = False, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """A server on an empty database; both are gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="cashtrail-bench-"))
    try:
        with running(directory / "bench.duckdb", headless=headless, environment=environment) as served:
            yield served
    finally:
        shutil.rmtree(directory, ignore_errors=True)
