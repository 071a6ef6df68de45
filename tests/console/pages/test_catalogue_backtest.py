"""The page and the API that try a catalogue before it is published."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.access import Principal
from console.catalogue_trials import NAME, CatalogueTrials, trials_of
from tests.console.pages.conftest import NOON, House, Open, markup, rows, shown
from trace_model.catalogue import loader
from trace_model.errors import CatalogueError, Forbidden, Refused, UnknownThing

SHIPPED = loader.text_of(None)[1]
SHORTER = SHIPPED.replace("within_s: 7200", "within_s: 60")
ANALYST = Principal("ana", "analyst")


def tried(house: House, text: str) -> str:
    trials = trials_of(house.store)
    run = trials.start(ANALYST, text, as_of=NOON)
    until = time.monotonic() + 120
    while run.state == "running" and time.monotonic() < until:
        time.sleep(0.05)
    assert run.state == "done", run.fault
    return run.trial_id


def test_a_trial_shows_orders_alerts_and_links_to_them(business: House, page: Open) -> None:
    trial = tried(business, SHORTER)
    at = page("catalogue_backtest", trial=trial)
    said = shown(at)
    assert "Orders that differ at all" in said
    assert "Order acceptance time" in said
    assert any(row.startswith("SO-3") for row in rows(at))
    assert "./order?type=order&amp;id=SO-3" in markup(at)
    alerts = page("catalogue_backtest", trial=trial, part="alerts")
    assert any("Breach" in row and "Would be raised" in row for row in rows(alerts))
    none = page("catalogue_backtest", trial=trial, change="goes")
    assert "None differs in this way." in shown(none)


def test_problems_are_told_with_their_line_and_nothing_runs(business: House, page: Open) -> None:
    at = page("catalogue_backtest")
    at.text_area(key="catalogue_text").set_value(
        SHIPPED.replace("stop: order_accepted, within_s: 7200", "stop: order_acepted, within_s: 7200")
    )
    at.button[0].click().run()
    [row] = [row for row in rows(at) if "order_acepted" in row]
    line = next(n for n, text in enumerate(SHIPPED.splitlines(), 1) if "name: order_acceptance" in text)
    assert row.startswith(f"{line} ")
    assert "which is not declared" in row
    assert "trial" not in at.query_params


def test_a_trial_that_is_gone_is_said_and_asked_for_again(business: House, page: Open) -> None:
    at = page("catalogue_backtest", trial="abc")
    assert "There is no trial 'abc'" in shown(at)
    assert at.text_area(key="catalogue_text").value == SHIPPED


def test_who_only_reads_starts_none_and_foreign_files_are_not_read(business: House) -> None:
    trials = CatalogueTrials(business.store)
    with pytest.raises(Forbidden):
        trials.start(Principal("vera", "viewer"), SHIPPED)
    with pytest.raises(CatalogueError, match=f"{NAME}, line .*names '/etc/passwd'"):
        trials.start(ANALYST, SHIPPED.replace("packs: shipped", "packs: [/etc/passwd]"))
    with pytest.raises(Refused, match="between 1 and"):
        trials.start(ANALYST, SHIPPED, days=0)
    with pytest.raises(UnknownThing):
        trials.run("abc")


def test_the_api_tries_a_catalogue_and_tells_its_problems(listening: Callable[..., Any]) -> None:
    here = listening()
    wrong = here.post("/catalogue-trials", {"catalogue": "catalogue: q"})
    assert wrong.status_code == 422
    assert any(problem.startswith("new catalogue, line 1: version") for problem in wrong.json()["problems"])
    begun = here.post("/catalogue-trials", {"catalogue": SHORTER, "days": 7})
    assert begun.status_code == 202
    path = begun.headers["Location"]

    def done() -> Any:
        told = httpx.get(here.url + path, timeout=30).json()
        assert told["state"] != "failed", told["fault"]
        return told if told["state"] == "done" else None

    told = here.until(done, 120)
    assert (told["changes_anything"], told["order_changes"], told["days"]) == (False, [], 7)
    assert told["published"]["fingerprint"] != told["proposed"]["fingerprint"]


def test_the_command_ends_as_it_says(tmp_path: Path) -> None:
    def run(*given: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "console.cli", *given]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)

    (tmp_path / "wrong.yaml").write_text("catalogue: q\n", "utf-8")
    (tmp_path / "shorter.yaml").write_text(SHORTER, "utf-8")
    wrong = run("backtest", "--catalogue", "wrong.yaml", "--database", "kept.duckdb")
    assert (wrong.returncode, "wrong.yaml, line 1: version" in wrong.stderr) == (1, True)
    missing = run("backtest", "--catalogue", "shorter.yaml", "--database", "kept.duckdb")
    assert (missing.returncode, "there is no such database" in missing.stderr) == (1, True)
    assert run("rebuild", "--database", "kept.duckdb").returncode == 0
    same = run(
        "backtest", "--catalogue", "shorter.yaml", "--database", "kept.duckdb", "--output", "out", "--fail-on-change"
    )
    assert same.returncode == 0, same.stderr
    assert "Nothing would change" in same.stdout
    assert len(list((tmp_path / "out").glob("*.csv"))) == 6
