"""Screen, API and command line are one service: whoever clicks and however often, one send; and the same refusals."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from console import replay_cli
from console.access import Principal
from tests.console.replay.estate import SmallEngine, failed_order, listening, table
from trace_model.errors import CashtrailError
from trace_model.store import Store

LOGINS = ("ana:operator:t-ana", "ben:approver:t-ben", "vi:viewer:t-vi")


class Doors:
    """A whole house that listens, with three logins, a small engine behind it, and failed orders in it."""

    def __init__(self, here: Any, engine: SmallEngine) -> None:
        self.here = here
        self.engine = engine
        self.store: Store = here.house.store

    def fail(self, count: int) -> list[str]:
        self.store.record(table([row for number in range(1, count + 1) for row in failed_order(number)]))
        assert self.store.settle(60)
        found = self.ask("GET", "/exceptions?limit=1000").json()["exceptions"]
        assert len(found) == count
        return [e["exception_id"] for e in found]

    def ask(self, method: str, path: str, body: Any = None, token: str = "t-ana") -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.request(method, f"{self.here.url}/api/v1{path}", json=body, headers=headers, timeout=30)

    def plan(self, ids: list[str], **more: Any) -> dict[str, Any]:
        answer = self.ask("POST", "/replay-plans", {"exception_ids": ids, "reason": "the ERP is up again"} | more)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def cli(self, *words: str, token: str = "t-ana") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "console.cli", "replay", *words, "--url", self.here.url, "--token", token]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def doors(request: pytest.FixtureRequest) -> Iterator[Doors]:
    with listening(SmallEngine(lambda rows: None)) as engine:
        here = request.getfixturevalue("listening")(
            logins=LOGINS, ingest_tokens=("s",), engine_urls=(f"sync-engine={engine.url}",)
        )
        engine.said = lambda rows: here.house.store.record(table(rows))
        yield Doors(here, engine)


def test_fifty_clicks_by_screen_api_and_command_line_are_one_send(doors: Doors) -> None:
    plan = doors.plan(doors.fail(3))
    together = threading.Barrier(50)
    faults: list[Any] = []

    def by_api(token: str) -> None:
        said = {"hash": plan["hash"], "reason": "go"}
        answer = doors.ask("POST", f"/replay-plans/{plan['plan_id']}/execute", said, token)
        assert answer.status_code == 200, answer.text

    def by_screen(name: str) -> None:
        doors.here.house.resources.replays.execute(Principal(name, "operator"), plan["plan_id"], plan["hash"], "go")

    def by_command() -> None:
        replay_cli.execute(plan["plan_id"], plan["hash"], "go", False, doors.here.url, "t-ana")

    def click(number: int) -> None:
        together.wait()
        try:
            if number % 5 == 0:
                by_command()
            elif number % 2:
                by_api("t-ana" if number % 3 else "t-ben")
            else:
                by_screen("ana" if number % 4 else "ben")
        except Exception as fault:  # noqa: BLE001 any fault fails the story
            faults.append(fault)

    threads = [threading.Thread(target=click, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    done = doors.here.until(lambda: finished(doors, plan["plan_id"]), 60)
    assert done["totals"] == {"milestone_reached": 3}
    assert doors.engine.posts == 3
    assert set(doors.engine.books.values()) == {1}
    deeds = doors.ask("GET", f"/audit?subject_id={plan['plan_id']}").json()["actions"]
    assert sorted(a["deed"] for a in deeds) == ["execute", "finish", "plan"]


def finished(doors: Doors, plan_id: str) -> dict[str, Any] | None:
    now: dict[str, Any] = doors.ask("GET", f"/replay-plans/{plan_id}?limit=0").json()
    return now if now["state"] == "finished" else None


def test_the_command_line_plans_sends_and_watches_to_the_milestone(doors: Doors) -> None:
    ids = doors.fail(2)
    planned = doors.cli("plan", *ids, "--reason", "the ERP is up again")
    assert planned.returncode == 0, planned.stderr
    assert "To send it" in planned.stdout
    assert doors.engine.posts == 0
    plan = doors.ask("GET", "/replay-plans").json()["plans"][0]
    assert (plan["created_by"], plan["send_count"], "items" in plan) == ("ana", 2, False)
    for item in doors.ask("GET", f"/replay-plans/{plan['plan_id']}").json()["items"]:
        assert item["idempotency_key"][:11] in planned.stdout
    sent = doors.cli("execute", plan["plan_id"], "--hash", plan["hash"], "--reason", "go", "--watch")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "finished: 2 milestone reached" in sent.stdout
    assert set(doors.engine.books.values()) == {1}


def test_a_watch_of_a_plan_that_ends_badly_says_why_and_fails(doors: Doors) -> None:
    doors.engine.mischief.fails_again = 1.0
    plan = doors.plan(doors.fail(1))
    sent = doors.cli("execute", plan["plan_id"], "--hash", plan["hash"], "--reason", "go", "--watch")
    assert sent.returncode == 1
    assert "order SO-1: failed_again: same cause: 503 Service Unavailable" in sent.stdout


def test_the_command_line_is_refused_what_the_service_refuses(doors: Doors) -> None:
    ids = doors.fail(1)
    plan = doors.plan(ids)
    other = doors.plan(ids, reason="of another look")
    refusals = [
        (("plan", *ids, "--reason", "r"), "t-vi", "403", "may not replay"),
        (("plan", *ids, "--reason", "r"), "wrong", "401", "access token"),
        (("plan", *ids), "t-ana", "409", "a reason is needed"),
        (("plan", "nope", "--reason", "r"), "t-ana", "404", "no exception 'nope'"),
        (("plan", *ids, "--reason", "r" * 100_000), "t-ana", "409", "100,000 characters; at most 2,000"),
        (("plan", *ids, "--reason", "r", "--patch", '{"quote": "Q-2"}'), "t-ana", "409", "locks 'quote'"),
        (("plan", *ids, "--reason", "r", "--patch", '{"quantity": "many"}'), "t-ana", "409", "quantity: 'many' is not"),
        (("execute", plan["plan_id"], "--hash", "0" * 64, "--reason", "r"), "t-ana", "409", "look at the plan again"),
        (
            ("execute", plan["plan_id"], "--hash", other["hash"], "--reason", "r"),
            "t-ana",
            "409",
            "look at the plan again",
        ),
        (("execute", "plan-0", "--hash", plan["hash"], "--reason", "r"), "t-ana", "404", "no replay plan 'plan-0'"),
    ]
    for words, token, status, said in refusals:
        answer = doors.cli(*words, token=token)
        assert answer.returncode == 1
        assert status in answer.stderr, answer.stderr
        assert said in answer.stderr, answer.stderr
    assert doors.engine.posts == 0
    with pytest.raises(CashtrailError, match="cashtrail serve"):
        replay_cli.watch(plan["plan_id"], "http://127.0.0.1:9", None)


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"exception_ids": ["nope"]}, 404, "no exception 'nope'"),
        ({"exception_ids": []}, 409, "exception_ids is empty"),
        ({"reason": ""}, 409, "a reason is needed"),
        ({"reason": "x" * 100_000}, 409, "the reason has 100,000 characters; at most 2,000"),
        ({"patch": {"order": "SO-2"}}, 409, "locks 'order'"),
        ({"patch": {"quote": "Q-2"}}, 409, "locks 'quote'"),
        ({"patch": {"quantity": "many"}}, 409, "quantity: 'many' is not"),
        ({"patch": {}}, 409, "the patch is empty"),
        ({"patch": ["po"]}, 422, "patch"),
        ({"pacth": {}}, 422, "pacth"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_sent(
    doors: Doors, more: dict[str, Any], status: int, said: str
) -> None:
    ids = doors.fail(1)
    answer = doors.ask("POST", "/replay-plans", {"exception_ids": ids, "reason": "r"} | more)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert said in answer.json()["detail"]
    assert doors.ask("GET", "/replay-plans").json()["plans"] == []
    assert doors.engine.posts == 0


def test_a_foreign_or_stale_hash_moves_no_plan(doors: Doors) -> None:
    ids = doors.fail(2)
    mine, other = doors.plan(ids[:1]), doors.plan(ids)
    for said in (other["hash"], mine["hash"][:-1], "", "ü"):
        answer = doors.ask("POST", f"/replay-plans/{mine['plan_id']}/execute", {"hash": said, "reason": "go"})
        assert answer.status_code == 409
        assert "look at the plan again" in answer.json()["detail"]
    for reason, said in (("", "a reason is needed"), ("x" * 100_000, "100,000 characters; at most 2,000")):
        answer = doors.ask("POST", f"/replay-plans/{mine['plan_id']}/execute", {"hash": mine["hash"], "reason": reason})
        assert (answer.status_code, said in answer.json()["detail"]) == (409, True)
    gone = doors.ask("POST", "/replay-plans/plan-0/execute", {"hash": mine["hash"], "reason": "go"})
    assert gone.status_code == 404
    assert doors.engine.posts == 0


def test_a_plan_s_items_come_by_page_and_by_outcome(doors: Doors) -> None:
    plan = doors.plan(doors.fail(5))
    seen, cursor = [], ""
    while True:
        page = doors.ask("GET", f"/replay-plans/{plan['plan_id']}?limit=2{cursor}").json()
        seen += [item["exception_id"] for item in page["items"]]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [item["exception_id"] for item in plan["items"]]
    assert (page["total"], page["totals"], page["hash"]) == (5, {"planned": 5}, plan["hash"])
    assert doors.ask("GET", f"/replay-plans/{plan['plan_id']}?outcome=sent").json()["items"] == []
    assert doors.ask("GET", "/replay-plans/plan-0?limit=1").status_code == 404


def test_results_and_patches_are_told_to_whom_they_may_be(doors: Doors) -> None:
    plan = doors.plan(doors.fail(2), patch={"po_number": "PO-1"})
    for token, seen in (("t-ana", "PO-1"), ("t-vi", "hidden from your role")):
        for path in ("", "?limit=1"):
            told = doors.ask("GET", f"/replay-plans/{plan['plan_id']}{path}", token=token).json()
            assert [told["patch"], told["items"][0]["patch"]] == [{"po_number": seen}] * 2
        assert doors.ask("GET", "/replay-plans", token=token).json()["plans"][0]["patch"] == {"po_number": seen}
    doors.ask("POST", f"/replay-plans/{plan['plan_id']}/execute", {"hash": plan["hash"], "reason": "go"})
    doors.here.until(lambda: finished(doors, plan["plan_id"]), 60)
    told = doors.ask("GET", "/replay-results?by=engine&days=7", token="t-vi").json()
    assert [(r["name"], r["sent_count"], r["milestone_reached"], r["success_share"]) for r in told["results"]] == [
        ("sync-engine", 2, 2, 1.0)
    ]
    assert doors.ask("GET", "/replay-results?by=star").status_code == 422
