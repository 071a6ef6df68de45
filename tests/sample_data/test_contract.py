"""The engine keeps the replay contract: once a key, never twice at the target, and the flow goes on from there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sample_data import Rehearsal, run_scenario
from tests.sample_data.conftest import Receiver

Play = Callable[..., Rehearsal]


@pytest.fixture
def play(receiver: Receiver) -> Iterator[Play]:
    played: list[Rehearsal] = []

    def start(name: str, **options: Any) -> Rehearsal:
        played.append(run_scenario(name, seed=11, endpoint=receiver.url, **options))
        return played[-1]

    yield start
    for rehearsal in played:
        rehearsal.close()


def replay(played: Rehearsal, key: str = "key-1", index: int = 0, **changes: Any) -> httpx.Response:
    """Posts a replay of the one open failure of the order at `index`."""
    order = played.truth.orders[index]
    failure = order["failures"][0] if order["failures"] else {"operation": "credit.check", "object": {}}
    body = {
        "replay_id": f"replay-{key}",
        "operation": failure["operation"],
        "object": failure["object"],
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "from_step": None,
        "payload_patch": None,
        "requested_by": "ann",
        "reason": "tax id registered",
        "dry_run": False,
    } | changes
    headers = {"Idempotency-Key": key} if key else {}
    return httpx.post(f"{played.engine_url}/replays", json=body, headers=headers, timeout=5)


def state_of(played: Rehearsal, replay_id: str) -> str:
    answer = httpx.get(f"{played.engine_url}/replays/{replay_id}").json()
    return str(answer["state"])


def eventually(holds: Callable[[], bool], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_a_repaired_order_goes_on_to_cash_after_its_replay(play: Play, receiver: Receiver) -> None:
    played = play("invalid_tax_registration")
    number = played.truth.orders[0]["order"]
    assert played.repair(number) == [f"tax id {played.deals[0].order.tax_id} registered"]
    answer = replay(played)
    assert answer.status_code == 202
    assert answer.json()["run_id"]
    assert eventually(lambda: played.truth.orders[0]["state"] == "completed")
    assert state_of(played, "replay-key-1") == "succeeded"
    assert not played.truth.orders[0]["failures"][0]["open"]
    assert played.flush()
    replayed = [span for span in receiver.spans if span.attributes.get("q2c.replay.id") == "replay-key-1"]
    assert {span.kind for span in replayed} >= {1, 3, 5}
    assert all(span.attributes["q2c.replay.attempt"] == 1 for span in replayed)
    (run,) = [span for span in replayed if "q2c.operation" in span.attributes]
    assert run.attributes["q2c.order.id"] == number
    assert run.attributes["q2c.attempt"] == 2
    assert "00f067aa0ba902b7" in [link for span in replayed for link in span.links]


def test_a_replay_without_a_repair_fails_again(play: Play) -> None:
    played = play("credit_hold")
    assert replay(played).status_code == 202
    assert eventually(lambda: state_of(played, "replay-key-1") == "failed")
    (failure,) = played.truth.orders[0]["failures"]
    assert failure["open"]
    assert failure["attempts"] == 2


def test_the_same_key_is_one_run_also_at_the_same_moment(play: Play) -> None:
    played = play("invalid_tax_registration")
    played.repair()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: replay(played), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert eventually(lambda: played.truth.orders[0]["state"] == "completed")
    assert len(played.books.erp_orders(played.truth.orders[0]["order"])) == 1
    assert replay(played).status_code == 200
    assert replay(played, payload_patch={"tax_id": "DE1"}).status_code == 422


def test_what_is_already_there_is_not_sent_again_and_the_flow_goes_on(play: Play, receiver: Receiver) -> None:
    played = play("failed_acknowledgment")
    order = played.truth.orders[0]
    question = {"operation": "erp.create_order", "type": "order", "id": order["order"]}
    probe = httpx.get(f"{played.engine_url}/probe", params=question).json()
    assert probe["state"] == "present"
    assert "4500001" in probe["evidence"]
    answer = replay(played)
    assert answer.status_code == 409
    assert "already has" in answer.json()["reason"]
    assert eventually(lambda: played.truth.orders[0]["state"] == "completed")
    assert len(played.books.erp_orders(order["order"])) == 1
    assert [fact["name"] for fact in played.truth.orders[0]["milestones"]].count("order_accepted") == 1
    assert replay(played, "key-2").status_code == 409
    assert played.flush()
    adopted = [
        s for s in receiver.operations("erp.create_order") if s.attributes.get("q2c.outcome") == "already_present"
    ]
    assert [span.status for span in adopted] == [1]


def test_a_patch_changes_what_is_sent(play: Play, receiver: Receiver) -> None:
    played = play("purchase_order_missing")
    assert replay(played, payload_patch={"po_number": "PO-4711"}).status_code == 202
    assert eventually(lambda: played.truth.orders[0]["state"] == "completed")
    assert played.flush()
    assert "PO-4711" in receiver.operations("crm.submit_order")[-1].attributes["q2c.payload"]


def test_a_replay_can_begin_at_an_earlier_step(play: Play, receiver: Receiver) -> None:
    played = play("credit_hold")
    played.repair()
    assert replay(played, from_step="tax.determine").status_code == 202
    assert eventually(lambda: played.truth.orders[0]["state"] == "completed")
    assert played.flush()
    assert len(receiver.operations("tax.determine")) == 2
    refusal = replay(played, "key-2", from_step="psp.apply_payment")
    assert refusal.status_code == 409  # it has succeeded meanwhile


def test_a_step_that_is_not_on_the_way_is_refused(play: Play) -> None:
    refusal = replay(play("credit_hold"), from_step="psp.apply_payment")
    assert refusal.status_code == 422
    assert "is not on the way" in refusal.json()["reason"]


def test_a_dry_run_sends_nothing_and_keeps_no_key(play: Play) -> None:
    played = play("invalid_tax_registration")
    rehearsed = replay(played, dry_run=True, payload_patch={"tax_id": "DE1"}).json()
    assert rehearsed["dry_run"]
    assert rehearsed["would_run"] == ["tax.determine"]
    assert rehearsed["payload"]["tax_id"] == "DE1"
    assert played.truth.orders[0]["failures"][0]["attempts"] == 1
    assert replay(played).status_code == 202


def test_a_system_that_is_down_is_told_so_and_nothing_is_taken_on(play: Play) -> None:
    played = play("erp_downtime")
    erp = played.deals[0].order.erp
    dependency = f"{played.engine_url}/dependencies/{erp}"
    assert httpx.get(dependency).json() == {"state": "down"}
    answer = replay(played)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert played.repair(dependency=erp) == [f"{erp} is up again"]
    assert httpx.get(dependency).json() == {"state": "up"}
    assert replay(played).status_code == 202  # the key was not used up
    assert eventually(lambda: played.truth.orders[0]["state"] == "completed")
    assert played.truth.outages[0]["ended_at"] is not None
    assert played.truth.outages[0]["orders"] == [played.truth.orders[0]["order"]]


def test_a_throttling_system_is_degraded(play: Play) -> None:
    played = play("happy_path")
    played.begin_outage("psp", "throttling")
    assert httpx.get(f"{played.engine_url}/dependencies/psp").json() == {"state": "degraded"}
    assert httpx.get(f"{played.engine_url}/dependencies/nobody").status_code == 404


def test_a_stopped_flow_goes_on_when_its_next_step_is_replayed(play: Play) -> None:
    played = play("stopped_flow")
    order = played.truth.orders[0]
    assert order["state"] == "stopped"
    operation = played.deals[0].stops_before
    answer = replay(played, operation=operation, object={"type": "order", "id": order["order"]})
    assert answer.status_code == 202
    assert eventually(lambda: played.truth.orders[0]["state"] == "completed")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"operation": "erp.explode"}, "Unknown operation"),
        ({"object": {"type": "order", "id": "SO-999999"}}, "knows no order SO-999999"),
        ({"object": "SO-1001"}, "object must be"),
        ({"replay_id": ""}, "replay_id is missing"),
        ({"payload_patch": [1]}, "must be a JSON merge patch"),
        ({"payload_patch": {"order": "SO-1"}}, "must not change the order's own number"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_a_reason(play: Play, changes: dict[str, Any], reason: str) -> None:
    refusal = replay(play("credit_hold"), **changes)
    assert refusal.status_code == 422
    assert reason in refusal.json()["reason"]


def test_a_cancelled_order_is_not_run_again(play: Play) -> None:
    played = play("cancel_and_reorder")
    cancelled = next(order for order in played.truth.orders if order["state"] == "cancelled")
    refusal = replay(played, operation="erp.create_order", object={"type": "order", "id": cancelled["order"]})
    assert refusal.status_code == 422
    assert "was cancelled" in refusal.json()["reason"]


def test_a_replay_without_a_key_is_refused_and_an_unknown_one_is_unknown(play: Play) -> None:
    played = play("credit_hold")
    assert replay(played, key="").status_code == 422
    assert state_of(played, "nobody") == "unknown"
    question = {"operation": "credit.check", "type": "order", "id": played.truth.orders[0]["order"]}
    assert httpx.get(f"{played.engine_url}/probe", params=question).json()["state"] == "absent"
