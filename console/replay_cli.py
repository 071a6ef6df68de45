"""`cashtrail replay`: plan, approve, execute, pause, resume, cancel and watch replays of a running console, over its HTTP API.

One process owns the database, so these commands hold no rule of their own: rights, guards and audit are the server's, and the
token says who acts. Exit codes: 0 done, 1 refused, unreachable or ended badly, 2 a wrong call.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Column, Table

from trace_model.errors import CashtrailError

app = typer.Typer(no_args_is_help=True, help="Send failed operations again, through a running console.")
out = Console(highlight=False)

POLL_S = 1.0
SHOWN = 20
KEY_SHOWN = 11
"""So much of a key tells it from another; `--json` has all of it."""
ENDED = ("finished", "paused", "cancelled")

Url = Annotated[str, typer.Option(envvar="CASHTRAIL_API_URL", help="Where the console listens.")]
Token = Annotated[str | None, typer.Option(envvar="CASHTRAIL_API_TOKEN", help="Your login's token, if logins are set.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.")]
Hash = Annotated[str, typer.Option("--hash", help="The plan's hash, so that only what you looked at is acted on.")]
PlanId = Annotated[str, typer.Argument(help="The plan's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's answer instead of a table.")]
HERE = "http://127.0.0.1:8501"


class Server:
    """The HTTP API of one console. Raises CashtrailError with the server's own words for whatever it refuses."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._said("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._said("POST", path, json=body)

    def _said(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            address = f"{self._url.rstrip('/')}/api/v1{path}"
            answer = httpx.request(method, address, headers=self._headers, timeout=60, **more)
            said = answer.json()
        except httpx.HTTPError as fault:
            raise CashtrailError(
                f"{self._url}: no answer ({type(fault).__name__}). Start it with `cashtrail serve`, or name another with --url; "
                "a deed that got no answer may have been done: look with `cashtrail replay watch`"
            ) from None
        except ValueError:
            raise CashtrailError(f"{self._url} answered {answer.status_code} with something else than JSON") from None
        if not answer.is_success:
            raise CashtrailError(f"{answer.status_code}: {said.get('detail', said)}")
        found: dict[str, Any] = said
        return found


@app.command()
def plan(
    exception_ids: Annotated[list[str] | None, typer.Argument(help="Exceptions by id.")] = None,
    group: Annotated[str | None, typer.Option(help="Every open exception of this group.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with one exception id a line.")] = None,
    reason: Reason = "",
    patch: Annotated[str | None, typer.Option(help="A JSON merge patch, or @FILE with one.")] = None,
    from_step: Annotated[str | None, typer.Option(help="The operation to start from, if not the failed one.")] = None,
    data_fixed: Annotated[bool, typer.Option("--data-fixed", help="The data behind it has been put right.")] = False,
    replaces: Annotated[str | None, typer.Option(help="The plan that this one is an edit of; it is cancelled.")] = None,
    as_json: Json = False,
    url: Url = HERE,
    token: Token = None,
) -> None:
    """Say what would be sent, what not and why. Nothing is sent."""
    ids = [*(exception_ids or []), *(_lines(file) if file else [])]
    body = {
        "exception_ids": ids or None, "group_id": group, "reason": reason, "patch": _patch(patch), "from_step": from_step,
        "data_fixed": data_fixed, "replaces": replaces,
    }  # fmt: skip
    found = Server(url, token).post("/replay-plans", body)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    _show(found)
    sends = sum(item["decision"] != "skip" for item in found["items"])
    if found["needs_approval"]:
        out.print(f"A second person must approve it: {found['approval_reason']}.", soft_wrap=True, markup=False)
        out.print(f"  cashtrail replay approve {found['plan_id']} --hash {found['hash']} --reason ...", soft_wrap=True)
    elif sends:
        out.print("To send it:")
        out.print(f"  cashtrail replay execute {found['plan_id']} --hash {found['hash']} --reason ...", soft_wrap=True)
    else:
        out.print("Nothing would be sent.")


@app.command()
def execute(
    plan_id: PlanId,
    hash_: Hash,
    reason: Reason = "",
    then_watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    url: Url = HERE,
    token: Token = None,
) -> None:
    """Send exactly the plan's list; doing it again changes nothing."""
    server = Server(url, token)
    _told(server.post(f"/replay-plans/{plan_id}/execute", {"hash": hash_, "reason": reason}))
    if then_watch:
        _follow(server, plan_id)


def _deed(name: str, told: str) -> None:
    def act(plan_id: PlanId, hash_: Hash, reason: Reason = "", url: Url = HERE, token: Token = None) -> None:
        _told(Server(url, token).post(f"/replay-plans/{plan_id}/{name}", {"hash": hash_, "reason": reason}))

    app.command(name, help=told)(act)


_deed("approve", "Allow a plan above the limits, as the second person.")
_deed("pause", "Send nothing more until resumed; what was sent is followed to its end.")
_deed("resume", "Go on, with a canary first.")
_deed("cancel", "Never send what this plan has not sent yet.")


@app.command()
def watch(plan_id: PlanId, url: Url = HERE, token: Token = None) -> None:
    """Follow a plan until it ends; exit 1 unless every item that was to be sent reached its milestone."""
    _follow(Server(url, token), plan_id)


@app.command("list")
def recent(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: Json = False,
    url: Url = HERE,
    token: Token = None,
) -> None:
    """The newest plans."""
    found = Server(url, token).get("/replay-plans", limit=limit)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("plan", "state", "to send", "outcomes", "by", "reason", box=None)
    for one in found["plans"]:
        table.add_row(
            one["plan_id"], one["state"], str(one["send_count"]), _totals(one["send_totals"]), one["created_by"], one["reason"]
        )  # fmt: skip
    out.print(table)


def _follow(server: Server, plan_id: str) -> None:
    """Prints each change until the plan has ended and all that was sent has settled. Raises Exit(1) for a bad end."""
    said = ""
    while True:
        now = server.get(f"/replay-plans/{plan_id}", limit=0)
        why = f" ({now['state_reason']})" if now["state_reason"] else ""
        line = f"{now['state']}{why}: {_totals(now['send_totals'])}"
        if line != said:
            out.print(line, soft_wrap=True, markup=False)
            said = line
        open_ = sum(now["totals"].get(outcome, 0) for outcome in ("sent", "accepted", "uncertain"))
        if now["state"] in ("planned", "approved"):
            raise CashtrailError(f"{plan_id} has not been executed; there is nothing to watch yet")
        if now["state"] in ENDED and not open_:
            break
        time.sleep(POLL_S)
    good = now["send_totals"].get("milestone_reached", 0)
    if now["state"] != "finished" or good < now["send_count"]:
        bad = server.get(f"/replay-plans/{plan_id}", limit=1000)["items"]
        for item in [i for i in bad if i["outcome"] not in ("milestone_reached", "planned")][:SHOWN]:
            thing = f"{item['object']['type']} {item['object']['id']}"
            out.print(f"  {thing}: {item['outcome']}: {item['detail'] or item['why']}", soft_wrap=True, markup=False)
        raise typer.Exit(1)


def _show(plan: dict[str, Any]) -> None:
    table = Table(
        "object",
        Column("starts from", overflow="fold"),
        "writes",
        Column("key", no_wrap=True),
        "decision",
        "why",
        box=None,
    )
    for item in plan["items"][:SHOWN]:
        table.add_row(
            f"{item['object']['type']} {item['object']['id']}", item["starts_from"], ", ".join(item["writes"]) or "-",
            item["idempotency_key"][:KEY_SHOWN], item["decision"].replace("_", " "), item["why"],
        )  # fmt: skip
    out.print(table)
    left = len(plan["items"]) - SHOWN
    if left > 0:
        out.print(f"... and {left:,} more")
    counts: dict[str, int] = {}
    for item in plan["items"]:
        counts[item["decision"]] = counts.get(item["decision"], 0) + 1
    out.print(f"\n{plan['plan_id']}: {_totals(counts)}. Hash {plan['hash']}", soft_wrap=True)


def _told(plan: dict[str, Any]) -> None:
    out.print(f"{plan['plan_id']} is {plan['state']}: {_totals(plan['totals'])}", soft_wrap=True)


def _totals(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counts.items())) or "no items"


def _patch(text: str | None) -> Any:
    if text is None:
        return None
    if text.startswith("@"):
        text = _read(Path(text[1:]))
    try:
        return json.loads(text)
    except ValueError as fault:
        raise typer.BadParameter(f"--patch is no JSON: {fault}") from None


def _lines(file: Path) -> list[str]:
    return [line.strip() for line in _read(file).splitlines() if line.strip()]


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as fault:
        raise typer.BadParameter(f"{file}: cannot be read: {fault.strerror}") from None
