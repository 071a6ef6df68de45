"""The `cashtrail` command: every door that is not HTTP. Errors are one clear line on standard error, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from console import replay_cli
from console import settings as configuration
from trace_model.allocator import restart_with_mimalloc
from trace_model.catalogue import loader
from trace_model.errors import CashtrailError, CatalogueError, StoreUnavailable

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Quote-to-cash, watched."
)
app.add_typer(replay_cli.app, name="replay")
out = Console()
err = Console(stderr=True, highlight=False)

Database = Annotated[Path | None, typer.Option(help="The DuckDB file; made if it is not there.")]
CatalogueFile = Annotated[str | None, typer.Option("--catalogue", help="The catalogue YAML; default the shipped one.")]


@app.command()
def serve(
    database: Database = None,
    catalogue: CatalogueFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of console, OTLP/HTTP door and API.")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="Port of the OTLP/gRPC door; 0 for none.")] = None,
    headless: Annotated[bool, typer.Option(help="Doors and API only, no screen.")] = False,
) -> None:
    """Run the console, the doors and the API until stopped."""
    restart_with_mimalloc()
    from console.server import serve as run

    given = configuration.read(database=database, catalogue=catalogue, host=host, port=port, grpc_port=grpc_port)
    grpc = f"{given.host}:{given.grpc_port}" if given.grpc_port else "off"
    err.print(
        f"Cashtrail {given.url}   OTLP/HTTP {given.url}/v1/traces   OTLP/gRPC {grpc}   data {given.database}",
        soft_wrap=True,
    )
    with _bar() as progress:
        run(given, screen=not headless, on_progress=progress)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="OTLP JSON lines or protobuf, or an object-centric log.")],
    database: Database = None,
    catalogue: CatalogueFile = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Print a first catalogue for an event log; load nothing.")
    ] = False,
) -> None:
    """Keep the spans of files; a bad line is reported and never stops the rest. Exit 1 if any was bad."""
    from collectors.files import READERS
    from collectors.files import Progress as FileProgress
    from collectors.files import load as load_files
    from collectors.ingest import Ingest
    from collectors.ocel import EventLogs

    if suggest:
        logs = EventLogs(loader.load(catalogue))
        sys.stdout.writelines(logs.suggestion(file) for file in files)
        return
    store = _store(database, catalogue)
    logs = EventLogs(store.catalogue)
    ingest = Ingest(store)
    try:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
            console=err,
        ) as bar:  # fmt: skip
            tasks: dict[Path, Any] = {}

            def read_on(at: FileProgress) -> None:
                if at.path not in tasks:
                    tasks[at.path] = bar.add_task(at.path.name, total=max(at.total_bytes, 1))
                bar.update(tasks[at.path], completed=at.done_bytes)

            report = load_files(files, ingest, read_on, (*logs.readers, *READERS))
            ingest.close()
            deriving = bar.add_task("deriving", total=1)
            store.project()
            bar.update(deriving, completed=1)
        spans = store.recorded_seq
    finally:
        store.close()
    for line in (line for each in logs.reports for line in each.lines()):
        err.print(line, soft_wrap=True, markup=False)
    for path in report.empty_files:
        err.print(f"{path.name}: empty, nothing to keep", soft_wrap=True, markup=False)
    for fault in report.faults:
        err.print(str(fault), soft_wrap=True, markup=False)
    for reason, count in report.refused.items():
        err.print(f"refused {count:,}: {reason}", soft_wrap=True, markup=False)
    out.print(
        f"{report.kept_count:,} spans kept ({spans:,} in all, known ones counted once), {report.refused_count:,} refused, "
        f"{report.fault_count:,} faults.", highlight=False, soft_wrap=True,
    )  # fmt: skip
    if report.fault_count or report.refused_count:
        raise typer.Exit(1)


@app.command()
def check(catalogue: Annotated[str, typer.Argument(help="A catalogue YAML.")]) -> None:
    """Name every problem of a catalogue with file and line; exit 1 if there is any."""
    from trace_model.store.catalogue_tables import fingerprint

    found = loader.load(catalogue)
    out.print(
        f"{catalogue}: no problems. {len(found.systems)} systems, {len(found.object_types)} object types, "
        f"{len(found.milestones)} milestones, "
        f"{len(found.promises)} promises. Fingerprint {fingerprint(found)}.", highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def rebuild(database: Database = None, catalogue: CatalogueFile = None) -> None:
    """Derive everything again from the kept spans; readers see the old rows or the new."""
    store = _store(database, catalogue, rebuilds="always")
    spans = store.projected_seq
    store.close()
    out.print(f"Derived again from {spans:,} spans.", highlight=False)


@app.command()
def backtest(
    catalogue: Annotated[str, typer.Option(help="The new catalogue YAML, not yet published.")],
    database: Database = None,
    published: Annotated[
        str | None, typer.Option(help="The catalogue that the database is derived by; default the configured one.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days of alerts to look at.")] = 30,
    as_of: Annotated[str | None, typer.Option(help="Compare at this instant, RFC 3339; default now.")] = None,
    output: Annotated[Path | None, typer.Option(help="A folder for every difference as CSV files; made.")] = None,
    fail_on_change: Annotated[bool, typer.Option(help="Exit 3 if anything would change.")] = False,
) -> None:
    """Say what a new catalogue would change on history: orders, clocks, exceptions, alerts. Live rows are not touched.

    Exit 0: compared. 1: a fault, the catalogue's problems among them. 3: something would change, with --fail-on-change.
    """
    from console.export import instant_of
    from console.trial_report import report, write
    from trace_model.store import Store
    from trace_model.store.store import utc_now
    from trace_model.store.trial import compare

    proposed = loader.load(catalogue)
    at = instant_of(as_of)
    given = configuration.read(database=database, catalogue=published)
    if not given.database.exists():
        raise CashtrailError(f"{given.database}: there is no such database; name the one to look at by --database")
    try:
        store = Store(given.database, loader.load(given.catalogue), clock=utc_now, rebuilds="never")
    except StoreUnavailable as fault:
        raise CashtrailError(f"{fault}; a running console tries catalogues on its Catalogue backtest page") from None
    try:
        with _bar("trying") as progress:
            trial = compare(store, proposed, as_of=at or store.clock(), days=days, on_progress=progress)
    finally:
        store.close()
    report(trial, out)
    if output is not None:
        for file in write(trial, output):
            out.print(str(file), soft_wrap=True, markup=False, highlight=False)
    if fail_on_change and trial.changes_anything:
        raise typer.Exit(3)


@app.command()
def export(
    output: Annotated[Path, typer.Option(help="The file to write for OCEL, the folder for Parquet and CSV; replaced.")],
    file_format: Annotated[
        str, typer.Option("--format", help="ocel-sqlite, ocel-json, ocel-xml, parquet or csv.")
    ] = "ocel-sqlite",
    as_of: Annotated[
        str | None, typer.Option(help="What was so at this instant, RFC 3339; default now, and all of a loaded log.")
    ] = None,
    log: Annotated[
        str | None, typer.Option(help="A loaded log by name, or 'live'; needed where there are several.")
    ] = None,
    database: Database = None,
    catalogue: CatalogueFile = None,
) -> None:
    """Write what the store holds: OCEL 2.0 for process mining, Parquet or CSV for tables."""
    from console.export import export as write
    from console.export import instant_of

    at = instant_of(as_of)
    store = _store(database, catalogue)
    try:
        with _bar("writing") as progress:
            told = write(
                store, output, file_format, as_of=at, log=log, on_progress=lambda share: progress("records", share)
            )
    finally:
        store.close()
    out.print(str(told), soft_wrap=True, markup=False, highlight=False)


@app.command()
def classify(
    file: Annotated[str, typer.Argument(help="JSON lines of failures; '-' is standard input.")],
    catalogue: CatalogueFile = None,
) -> None:
    """One verdict per line: class, category, whether it may heal by itself, confidence, and the facts.

    A line that cannot be judged is reported on standard error and never stops the rest. Exit 1 if any was.
    """
    from trace_model.catalogue.failure_rules import load_rules
    from trace_model.verdict_lines import classify_lines

    given = loader.load(catalogue).failure_rules
    rules = load_rules(None if given.packs == "shipped" else [Path(p) for p in given.packs], given.rules)
    name = "standard input" if file == "-" else file
    faults = 0

    def told(fault: str) -> None:
        nonlocal faults
        faults += 1
        err.print(f"{name}, {fault}", soft_wrap=True, markup=False)

    opened: Any = sys.stdin if file == "-" else _opened(Path(file))
    with opened as lines:
        lines.reconfigure(errors="replace")
        for verdict in classify_lines(lines, rules, told):
            # Half a surrogate pair cannot be written; its escape is JSON too.
            sys.stdout.write(verdict.encode("utf-8", "backslashreplace").decode() + "\n")
    if faults:
        raise typer.Exit(1)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the console.")] = 8501,
    days: Annotated[int, typer.Option(help="Days of history to play in first.")] = 30,
    directory: Annotated[Path, typer.Option(help="Where the demo keeps its data; emptied at each start.")] = Path(
        "demo-data"
    ),
    seed: Annotated[int, typer.Option(help="The same seed plays the same orders.")] = 7,
) -> None:
    """Start the simulated estate and the console, and watch orders move."""
    from console.demo import run

    raise typer.Exit(run(port=port, days=days, directory=directory, seed=seed))


def main() -> None:
    """The entry point: one line per error, exit code 1 for a fault, 2 for a wrong call."""
    try:
        app()
    except CatalogueError as fault:
        for problem in fault.problems:
            err.print(problem, soft_wrap=True, markup=False)
        sys.exit(1)
    except CashtrailError as fault:
        err.print(str(fault), soft_wrap=True, markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _store(
    database: Path | None, catalogue: str | None, rebuilds: Literal["when stale", "always"] = "when stale"
) -> Any:
    restart_with_mimalloc()
    from trace_model.store import Store
    from trace_model.store.store import utc_now

    given = configuration.read(database=database, catalogue=catalogue)
    with _bar() as progress:
        return Store(
            given.database, loader.load(given.catalogue), clock=utc_now, on_progress=progress, rebuilds=rebuilds
        )


def _opened(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8")
    except OSError as fault:
        raise CashtrailError(f"{path}: cannot be read: {fault.strerror}") from None


@contextmanager
def _bar(doing: str = "deriving") -> Iterator[Any]:
    """A progress callback that draws a bar on standard error once there is something to tell."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err, transient=True
    ) as bar:
        tasks: list[Any] = []

        def told(what: str, share: float) -> None:
            if not tasks:
                tasks.append(bar.add_task(what, total=1.0))
            bar.update(tasks[0], description=f"{doing}: {what}", completed=share)

        yield told


if __name__ == "__main__":
    main()
