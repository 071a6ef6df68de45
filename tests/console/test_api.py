"""The HTTP API keeps the contract: shapes, errors as problem details, as_of, paging, rights."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.otlp import Otlp

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def told(listening: Callable[..., Any]) -> Any:
    """A house that has seen SO-1001: accepted quote, submitted order, and an ERP that refuses it."""
    here = listening()
    story = Otlp(here.url)
    money = {"q2c.amount": "1250.50", "q2c.currency": "EUR"}
    story.span("crm.accept_quote", T0, {"q2c.quote.id": "Q-1", "q2c.operation": "crm.accept_quote", **money})
    story.span(
        "crm.submit_order", T0 + timedelta(minutes=5),
        {"q2c.order.id": "SO-1001", "q2c.order.quote.id": "Q-1", "q2c.operation": "crm.submit_order", "q2c.region": "EMEA",
         "q2c.product_line": "hardware", "q2c.legal_entity": "DE01", "q2c.customer.name": "Müller & Söhne", **money},
    )  # fmt: skip
    story.span(
        "erp.create_order", T0 + timedelta(minutes=6), {"q2c.order.id": "SO-1001", "q2c.operation": "erp.create_order", "peer.service": "erp-de", "q2c.error.code": "VP 201"},
        error="Customer 1234 has no tax registration number in DE",
    )  # fmt: skip
    story.send()
    return here


def test_an_order_is_found_and_told_in_the_contracts_shape(told: Any) -> None:
    found = told.get("/search", q="so-1001")
    assert found["matches"][0] | {"matched": "", "lead_count": 1} == {
        "type": "order", "id": "SO-1001", "matched": "", "lead": {"type": "order", "id": "SO-1001"}, "lead_count": 1,
    }  # fmt: skip
    timeline = told.get("/timelines/order/SO-1001", as_of=(T0 + timedelta(minutes=30)).isoformat())
    assert timeline["lead"] == {"type": "order", "id": "SO-1001"}
    assert (timeline["state"], timeline["amount"], timeline["currency"]) == ("on_track", "1250.50", "EUR")
    assert timeline["customer"] == "Müller & Söhne"
    assert timeline["segments"]["region"] == "EMEA"
    assert {(o["type"], o["id"]) for o in timeline["objects"]} == {("order", "SO-1001"), ("quote", "Q-1")}
    link = timeline["links"][0]
    assert (link["from"], link["to"], link["source"], link["confidence"]) == (
        {"type": "order", "id": "SO-1001"}, {"type": "quote", "id": "Q-1"}, "explicit", 1.0,
    )  # fmt: skip
    assert [m["name"] for m in timeline["milestones"]] == ["quote_accepted", "order_submitted"]
    clocks = {c["promise"]: c for c in timeline["clocks"]}
    assert clocks["order_submission"]["state"] == "met"
    assert clocks["order_acceptance"] | {"at_risk_at": ""} == {
        "promise": "order_acceptance", "started_at": "2026-03-02T09:05:00.100000Z", "at_risk_at": "",
        "due_at": "2026-03-02T11:05:00.100000Z", "stopped_at": None, "state": "running", "paused_by": None, "target_s": 7200.0,
        "calendar": "always", "withdrawn_at": None, "variant": {"name": "standard", "because": None, "outranks": []},
    }  # fmt: skip
    exception = timeline["exceptions"][0]
    assert (exception["class"], exception["category"], exception["operation"], exception["system"]) == (
        "business",
        "tax",
        "erp.create_order",
        "erp-de",
    )
    assert (exception["object"], exception["attempt_count"], exception["state"]) == (
        {"type": "order", "id": "SO-1001"},
        1,
        "open",
    )
    assert exception["advice"].startswith("Check tax registration")
    at = timeline["as_of"]
    listed = told.get("/exceptions", as_of=at)["exceptions"][0]
    detail = told.get(f"/exceptions/{exception['exception_id']}", as_of=at)
    group = told.get("/exception-groups", as_of=at)["groups"][0]
    assert {one["advice"] for one in (listed, detail, group)} == {exception["advice"]}, "the same wherever it is asked"
    assert timeline["next"]["milestone"] == "order_accepted"
    assert timeline["as_of"] == "2026-03-02T09:30:00Z"


@pytest.mark.parametrize(
    ("minutes", "state"),
    [(3, "missing"), (30, "on_track"), (96, "at_risk"), (126, "breached")],
    ids=["before", "early", "late", "too late"],
)
def test_the_state_is_that_of_the_instant_asked_for(told: Any, minutes: int, state: str) -> None:
    rows = told.get("/timelines", as_of=(T0 + timedelta(minutes=minutes)).isoformat(), q="SO-1001")["timelines"]
    if state == "missing":
        assert all(row["open_exception_count"] == 0 for row in rows)
    else:
        assert [row["state"] for row in rows] == [state]


def test_exceptions_and_their_groups_are_listed_with_money_and_owner(told: Any) -> None:
    page = told.get("/exceptions", state="open", **{"class": "business"})
    assert page["total"] == 1
    exception = page["exceptions"][0]
    assert (exception["blocked_amount"], exception["owner_team"]) == ("1250.50", "finance_operations")
    group = told.get("/exception-groups")["groups"][0]
    assert (group["group_id"], group["open_count"], group["order_count"]) == (exception["group_id"], 1, 1)
    assert told.get("/exceptions", **{"class": "dependency"})["exceptions"] == []


def test_a_deed_needs_a_reason_and_stands_in_the_audit(told: Any) -> None:
    group_id = told.get("/exception-groups")["groups"][0]["group_id"]
    refused = told.post(f"/exception-groups/{group_id}/acknowledge", {"reason": "  "})
    assert refused.status_code == 409
    assert "a reason is needed" in refused.json()["detail"]
    done = told.post(
        f"/exception-groups/{group_id}/reclassify",
        {"reason": "the master data is ours", "class": "technical", "category": "auth_config"},
    )
    assert done.status_code == 200, done.text
    assert told.get("/exception-groups")["groups"][0]["class"] == "technical"
    actions = told.get("/audit", subject_id=group_id)["actions"]
    assert [(a["deed"], a["actor"], a["reason"]) for a in actions] == [
        ("reclassify", "local", "the master data is ours")
    ]
    assert told.house.store.first_broken_action() is None
    unknown = told.post("/exception-groups/0000/acknowledge", {"reason": "x"})
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")


def test_classes_tell_verdicts_against_corrections_and_propose_what_was_named(told: Any) -> None:
    before = told.get("/classes", days=3660)
    assert [(c["judged_class"], c["class"], c["exception_count"]) for c in before["confusion"]] == [
        ("business", "business", 1)
    ]
    assert [(s["system"], s["unknown_count"]) for s in before["systems"]] == [("erp-de", 0)]
    assert [(r["exception_count"], r["reviewed_count"], r["kept_share"]) for r in before["rules"]] == [(1, 0, None)]
    assert before["proposals"] == []
    group_id = told.get("/exception-groups")["groups"][0]["group_id"]
    named = {"reason": "our mapping", "class": "technical", "category": "contract_schema"}
    assert "contract_schema" in told.post(f"/exception-groups/{group_id}/reclassify", named).json()["proposal"]
    after = told.get("/classes", days=3660)
    assert [(c["judged_class"], c["class"], c["corrected_count"]) for c in after["confusion"]] == [
        ("business", "technical", 1)
    ]
    assert [(r["reviewed_count"], r["corrected_count"], r["kept_share"]) for r in after["rules"]] == [(1, 1, 0.0)]
    assert [(p["group_id"], p["class"], p["category"]) for p in after["proposals"]] == [
        (group_id, "technical", "contract_schema")
    ]
    assert told.get("/classes", days=1, as_of=(T0 + timedelta(days=9)).isoformat())["confusion"] == []


def test_owner_rules_on_trial_say_who_would_have_got_what_and_change_nothing(told: Any) -> None:
    rules = {
        "rules": [
            {"team": "support", "person": "Bo", "customers": [], "legal_entities": ["DE01"]},
            {"team": "platform"},
        ]
    }
    at = (T0 + timedelta(days=1)).isoformat()
    answer = told.post(f"/owner-rules/trial?as_of={at.replace('+', '%2B')}", rules)
    assert answer.status_code == 200, answer.text
    [row] = answer.json()["owners"]
    assert (row["team"], row["trial_team"], row["trial_person"], row["is_moved"]) == (
        "finance_operations",
        "support",
        "Bo",
        True,
    )
    assert (row["trial_rule"], row["exception_count"], row["blocked_amount"]) == (1, 1, "1250.50")
    assert told.get("/exceptions")["exceptions"][0]["owner_team"] == "finance_operations"
    wrong = told.post("/owner-rules/trial", {"rules": [{"team": "nobody"}]})
    assert (wrong.status_code, wrong.headers["content-type"]) == (409, "application/problem+json")
    assert "nobody" in wrong.json()["detail"]


def test_what_no_answer_came_to_is_of_a_kind_of_its_own_and_may_be_asked_after(told: Any) -> None:
    story = Otlp(told.url)
    gone = {
        "q2c.order.id": "SO-1002",
        "q2c.operation": "erp.create_order",
        "peer.service": "erp-de",
        "error.type": "ReadTimeout",
    }
    story.span("erp.create_order", T0 + timedelta(minutes=9), gone, error="Read timed out")
    story.send()
    [unknown] = told.get("/exceptions", kind="unknown_status")["exceptions"]
    assert (unknown["object"]["id"], unknown["kind"], unknown["category"]) == ("SO-1002", "unknown_status", "timeout")
    assert [g["group_id"] for g in told.get("/exception-groups", kind="unknown_status")["groups"]] == [
        unknown["group_id"]
    ]
    assert [e["kind"] for e in told.get("/exceptions", kind="failed_operation")["exceptions"]] == ["failed_operation"]
    assert told.get(f"/exceptions/{unknown['exception_id']}")["is_uncertain"] is True
    asked = told.post(f"/exceptions/{unknown['exception_id']}/probe", {"reason": "the customer asks"})
    assert asked.status_code == 409
    assert "no engine serves erp-de" in asked.json()["detail"]


def test_an_operator_pauses_and_resumes_the_clocks_of_a_timeline(told: Any) -> None:
    def act(deed: str, **body: str) -> Any:
        return told.post(f"/timelines/order/SO-1001/{deed}", {"reason": "asked for the tax number"} | body)

    def clocks() -> dict[str, Any]:
        return {
            c["promise"]: c
            for c in told.get("/timelines/order/SO-1001", as_of=(T0 + timedelta(hours=1)).isoformat())["clocks"]
        }

    assert act("pause", pause="lunch").status_code == 409
    assert act("pause", pause="waiting_for_customer", reason=" ").status_code == 409
    assert act("resume", pause="waiting_for_customer").status_code == 409, "nothing stands"
    at = (T0 + timedelta(minutes=20)).isoformat()
    done = act("pause", pause="waiting_for_customer", at=at)
    assert done.status_code == 200, done.text
    assert (clocks()["order_acceptance"]["state"], clocks()["order_acceptance"]["paused_by"]) == (
        "paused",
        "Waiting for the customer",
    )
    assert act("pause", pause="waiting_for_customer").status_code == 409, "it stands already"
    assert act("resume", pause="waiting_for_customer", at=(T0 + timedelta(minutes=10)).isoformat()).status_code == 409
    assert act("resume", pause="waiting_for_customer", at=(T0 + timedelta(minutes=50)).isoformat()).status_code == 200
    assert (clocks()["order_acceptance"]["state"], clocks()["order_acceptance"]["due_at"]) == (
        "running",
        "2026-03-02T11:35:00.100000Z",
    )
    [pause] = told.get("/timelines/order/SO-1001")["pauses"]
    assert (pause["pause"], pause["opened_by"], pause["closed_by"]) == ("waiting_for_customer", "local", "local")
    assert [a["deed"] for a in told.get("/audit", subject_id="order:SO-1001")["actions"]] == ["resume", "pause"]
    assert told.post("/timelines/order/SO-9/pause", {"reason": "x", "pause": "dispute"}).status_code == 404


def test_lists_page_by_cursor_to_the_end(told: Any) -> None:
    story = Otlp(told.url)
    for number in range(25):
        story.span("crm.submit_order", T0, {"q2c.order.id": f"SO-2{number:03}", "q2c.operation": "crm.submit_order"})
    story.send()
    seen, cursor = [], None
    while True:
        page = told.get("/timelines", limit=10, **({"cursor": cursor} if cursor else {}))
        seen += [row["lead"]["id"] for row in page["timelines"]]
        if not (cursor := page["next_cursor"]):
            break
    assert len(seen) == len(set(seen)) == page["total"] == 26


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/timelines/order/SO-9999", 404, "no order 'SO-9999' is known"),
        ("/api/v1/timelines?limit=0", 422, "greater than or equal to 1"),
        ("/api/v1/timelines?state=lost", 422, "'lost' is none of on_track"),
        ("/api/v1/timelines?cursor=xyz", 409, "is no cursor of this API"),
        ("/api/v1/search?q=a&as_of=yesterday", 422, "as_of"),
        ("/api/v1/search?q=a&as_of=2026-03-01T10:00:00", 422, "timezone"),
        ("/api/v1/nothing", 404, "Not Found"),
        ("/api/v2/search", 404, "the API is /api/v1"),
        ("/v1/nothing", 404, "/v1/nothing"),
    ],
)
def test_errors_are_problem_details_that_name_the_thing(told: Any, path: str, status: int, said: str) -> None:
    answer = httpx.get(told.url + path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text


def test_every_kept_span_is_counted_and_tied_or_said_to_be_untied(told: Any) -> None:
    story = Otlp(told.url)
    story.span("GET /health", T0, {"http.request.method": "GET"})
    story.send()
    ingest = told.get("/ingest")
    assert ingest["spans_stored"] == 4
    assert ingest["unstitched_share"] == 0.25
    assert ingest["sources"][0]["source"] == "otlp_http"


def test_health_and_metrics_answer(told: Any) -> None:
    assert httpx.get(told.url + "/healthz").text == "ok\n"
    assert httpx.get(told.url + "/readyz").json()["projection"] == "ok"
    assert "cashtrail_spans_stored 3.0" in httpx.get(told.url + "/metrics").text
    assert httpx.post(told.url + "/healthz").status_code == 405


def test_a_login_bounds_what_a_token_may_do(listening: Callable[..., Any]) -> None:
    here = listening(logins=("ana:analyst:t1", "vi:viewer:t2"), ingest_tokens=("s3",))
    assert httpx.get(here.url + "/api/v1/kpis").status_code == 401
    assert httpx.get(here.url + "/api/v1/kpis", headers={"authorization": "Bearer t2"}).status_code == 200
    refused = httpx.post(
        here.url + "/api/v1/replay-plans",
        json={"exception_ids": ["x"], "reason": "y"},
        headers={"authorization": "Bearer t1"},
    )
    assert refused.status_code == 403
    assert "may not replay" in refused.json()["detail"]
    assert (
        httpx.post(here.url + "/v1/traces", content=b"{}", headers={"content-type": "application/json"}).status_code
        == 401
    )


def test_one_exception_is_told_with_its_attempts_and_what_it_holds_up(told: Any) -> None:
    listed = told.get("/exceptions")["exceptions"][0]
    one = told.get(f"/exceptions/{listed['exception_id']}")
    assert {key: one[key] for key in listed} == listed
    assert (one["customer"], one["lead_amount"], one["milestone"]) == ("Müller & Söhne", "1250.50", "order_accepted")
    assert [a["error_code"] for a in one["attempts"]] == ["VP 201"]
    assert (one["elsewhere"], one["fixes"], one["payloads"]) == ([], [], [])
    assert told.get("/exceptions", state="open")["exceptions"]


def test_the_payloads_of_an_order_are_told_hop_by_hop(told: Any) -> None:
    story = Otlp(told.url)
    for minute, operation, terms in ((10, "crm.submit_order", "NET30"), (20, "erp.create_order", "NET90")):
        sent = {
            "q2c.order.id": "SO-1001",
            "q2c.operation": operation,
            "q2c.payload": json.dumps({"payment_terms": terms}),
        }
        story.span(operation, T0 + timedelta(minutes=minute), sent)
    story.send()
    hops = told.get("/payloads/order/SO-1001")["hops"]
    assert [(h["hop"], h["compared_with"], h["mismatch"]) for h in hops] == [
        ("order", None, False),
        ("erp_order", "order", True),
    ]
    assert hops[1]["differences"] == [{"path": "payment_terms", "before": "NET30", "after": "NET90"}]
    found = [e for e in told.get("/exceptions")["exceptions"] if e["operation"] == "check.mismatch_erp_order"]
    assert [e["category"] for e in found] == ["contract_schema"]


def test_alerts_and_their_worker_are_told(told: Any) -> None:
    found = told.until(lambda: told.get("/alerts", state="open")["alerts"])
    assert {"kind", "owner_team", "since", "member_count", "delivered_count"} <= set(found[0])
    assert "total_count" not in found[0]
    ready = httpx.get(f"{told.url}/readyz", timeout=10).json()
    assert (ready["alerts"], ready["pollers"]) == ("ok", {})


def test_an_outage_is_told_with_whom_it_hit_and_its_exceptions_name_it(listening: Callable[..., Any]) -> None:
    here = listening()
    story = Otlp(here.url)
    for number in range(4):
        at = T0 + timedelta(seconds=10 * number)
        money = {"q2c.amount": "100.00", "q2c.currency": "EUR"}
        order = {"q2c.order.id": f"SO-{number}", "q2c.customer.id": f"C-{number % 2}"}
        story.span("crm.submit_order", at, {"q2c.operation": "crm.submit_order", **order, **money})
        story.span(
            "erp.create_order", at + timedelta(seconds=1), {"q2c.operation": "erp.create_order", "peer.service": "erp-de", "q2c.error.code": "503", **order},
            error="503 Service Unavailable",
        )  # fmt: skip
    story.span(
        "erp.create_order",
        T0 + timedelta(minutes=5),
        {"q2c.operation": "erp.create_order", "peer.service": "erp-de", "q2c.order.id": "SO-3"},
    )
    story.send()
    during = (T0 + timedelta(minutes=2)).isoformat()
    [outage] = here.get("/outages", as_of=during)["outages"]
    assert (outage["system"], outage["kind"], outage["state"], outage["ended_at"]) == (
        "erp-de",
        "downtime",
        "ongoing",
        None,
    )
    assert (outage["order_count"], outage["blocked_amount"], outage["exception_count"]) == (4, "400.00", 4)
    later = here.get("/outages", days=3660)["outages"][0]
    assert (later["state"], later["ended_at"]) == ("ended", "2026-03-02T09:05:00.100000Z")
    told = here.get(f"/outages/{outage['outage_id']}", as_of=during)
    assert sorted(m["lead_id"] for m in told["members"]) == ["SO-0", "SO-1", "SO-2", "SO-3"]
    exceptions = here.get("/exceptions", outage_id=outage["outage_id"])["exceptions"]
    assert {(e["class"], e["outage_id"]) for e in exceptions} == {("dependency", outage["outage_id"])}
    assert here.get("/dependencies", as_of=during)["outages"][0]["outage_id"] == outage["outage_id"]
    assert httpx.get(f"{here.url}/api/v1/outages/none").status_code == 404
