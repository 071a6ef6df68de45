"""Stories of the replay service: planned, sent, and proven by the spans that come back."""

from __future__ import annotations

from tests.console.replay.conftest import OPERATOR, House, ended, until


def test_a_plan_sends_nothing_and_an_executed_one_is_proven_by_its_spans(house: House) -> None:
    (exception_id,) = house.fail(1)
    replays = house.replays()
    plan = replays.plan(OPERATOR, exception_ids=[exception_id], reason="the ERP is up again")
    assert [i.decision for i in plan.items] == ["send"]
    assert plan.items[0].writes == ("ERP sales order",)
    assert house.engine.posts == 0

    replays.execute(OPERATOR, plan.plan_id, plan.hash, "go")
    done = until(replays, plan, ended)

    assert done.state == "finished"
    assert done.totals() == {"milestone_reached": 1}
    assert house.engine.books == {"SO-1": 1}
    assert house.exceptions() == []
    assert house.audit(plan.plan_id) == ["plan", "execute", "finish"]
