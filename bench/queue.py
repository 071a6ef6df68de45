"""The exception queue at a million failed spans in 200,000 exceptions and 5,000 groups: `python -m bench queue`.

Derived rows are written directly: what is measured is the asking, and what a batch of 5,000 spans costs beside them. Each
question is asked as the page asks it, warm; medians count. The money of an exception is that of the orders its object
stands in, as in a real history; every order that failed has a promise that runs or is broken. cpu_ms is the processor's time of all
threads, which a busy machine blurs less.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from typing import Any

from bench.projection import BATCH_SPANS, Estate
from trace_model.catalogue.loader import load
from trace_model.store import Store
from trace_model.store.database import sql

EXCEPTIONS, GROUPS, RUNS = 200_000, 5_000, 1_000_000
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROUNDS = 9
BAR_MS = 300

# every order failed once, and is the lead of its own timeline; one exception in ten has been resolved, one in fifty is a regression
ROWS = (
    """insert into signatures select md5(g::varchar), left(md5('g' || g), 16), ['business', 'technical', 'dependency', 'unknown'][1 + g % 4],
        g % 4 = 2, ['tax', 'auth_config', 'timeout', 'unknown'][1 + g % 4], 0.9, 'words.' || g % 97, '["words"]', left(md5('o' || g), 16), ['erp-de', 'erp-us', 'tax', 'billing'][1 + g % 4], 'erp.create_order'
        from range($groups) t(g)""",
    """insert into failures select left(md5('e' || i), 16), e, ['erp.create_order', 'tax.determine', 'billing.issue_invoice'][1 + i % 3], i::ubigint, 'order',
        'SO-' || i, ['erp-de', 'erp-us', 'tax', 'billing'][1 + i % 4], null, opened_at, opened_at + interval 4 minute,
        case when i % 10 = 3 or e = 1 and i % 50 = 7 then opened_at + interval 5 minute end, opened_at, 5, 0, 'gave_up', 'E' || i % $groups, null, 503, 'failed for SO-' || i, null,
        uuid(), i::ubigint, null, md5((i % $groups)::varchar), 'ERP refused the order: reason ' || i % $groups || '.',
        case when e = 1 and i % 50 = 7 then opened_at + interval 8 minute end, $now - to_seconds(1000 + (i * 7919) % 2500000)
        from (select i, e, $now - to_seconds(1000 + (i * 7919) % 2500000) + to_minutes(8 * (e - 1)) as opened_at
            from range($exceptions) t(i), range(1, 3) u(e) where e = 1 or i % 50 = 7)""",
    """insert into timelines by name select i::ubigint as lead_key, 'order' as lead_type, 'SO-' || i as lead_id, '' as lead_scope,
        'C-' || i % 4000 as customer_id, 'Customer ' || i % 4000 as customer_name, 100 + i % 9000 as amount, 'EUR' as currency,
        100 + i % 9000 as reporting_amount, 10 as quantity, ['EMEA', 'AMER', 'APAC'][1 + i % 3] as region, 'hardware' as product_line,
        ['DE01', 'US01'][1 + i % 2] as legal_entity, 'smb' as tier, $now - interval 40 day as started_at, $now - interval 20 day as last_progress_at,
        'order_submitted' as last_milestone, case when i % 10 = 3 then $now - interval 20 day end as completed_at
        from range($exceptions) t(i)""",
    """insert into clocks by name select i::ubigint as lead_key, 'order_acceptance' as promise, 'standard' as variant, $now - interval 40 day as started_at,
        $now - interval 40 day as holds_from, $now + to_seconds((i * 7919) % 500000 - 250000) as at_risk_at, $now + to_seconds((i * 7919) % 500000) as due_at,
        case when i % 10 = 3 then $now - interval 20 day end as stopped_at, 7200 as target_s from range($exceptions) t(i)""",
    """insert into timeline_members by name select i::ubigint as lead_key, i::ubigint as object_key, 'order' as object_type, 0 as depth,
        'self' as direction, 1.0 as share, 100 as amount, 10 as quantity from range($exceptions) t(i)""",
    """insert into operation_runs select uuid(), i::ubigint, i - $runs, ['erp.create_order', 'tax.determine', 'billing.issue_invoice'][1 + i % 3], (i % $exceptions)::ubigint,
        ['erp-de', 'erp-us', 'tax', 'billing'][1 + i % 4], null, $now - to_seconds((i * 7919) % 2500000), $now - to_seconds((i * 7919) % 2500000), true, 1, 'gave_up', null, 0,
        'E', null, 503, 'failed', null, md5((i % $groups)::varchar) from range($runs) t(i)""",
    """insert into outages select left(md5('outage' || i), 16), ['erp-de', 'erp-us', 'tax', 'billing'][1 + i % 4], 'downtime', $now - to_hours(24 + i), $now - to_hours(24 + i),
        $now - to_hours(24 + i), $now - to_hours(24 + i) + interval 30 minute, $now - to_hours(24 + i) + interval 31 minute, $now - to_hours(24 + i) + interval 40 minute, 40, 120, 0
        from range(200) t(i)""",
)  # fmt: skip


def filled(exceptions: int = EXCEPTIONS, groups: int = GROUPS, runs: int = RUNS) -> Store:
    """A store in memory that holds the derived rows of the bar."""
    store = Store(None, load(), clock=lambda: NOW, threads=2)
    given = {"groups": groups, "exceptions": exceptions, "runs": runs, "now": NOW}
    with store.database.reading() as c:
        for text in ROWS:
            c.execute(text, {name: value for name, value in given.items() if f"${name}" in text})
        c.execute("create temp view touched_stakes as select distinct object_key from failures")
        c.execute(f"insert into object_stakes {sql('projection/45_object_stakes.sql')}")
    return store


QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "first page of the queue": ("exception_groups", {}),
    "first page, one class and owner": ("exception_groups", {"class": "technical", "owner_team": "platform"}),
    "first page, least time first": ("exception_groups", {"sort": "time"}),
    "tabs by class": ("exception_classes", {}),
    "exceptions, first page": ("exceptions", {"state": "open"}),
    "one group": ("exception_group", {"group_id": None}),
    "exceptions of one group": ("exceptions", {"state": "open", "group_id": None}),
}


def run() -> list[dict[str, Any]]:
    """One row per question: the median and the worst of what it took."""
    store = filled()
    try:
        with store.database.reading() as c:
            row = c.execute("select group_id from signatures order by signature limit 1").fetchone()
        assert row is not None
        rows = []
        for label, (question, asked) in QUESTIONS.items():
            given = EVERYTHING | asked | ({"group_id": row[0]} if "group_id" in asked else {})
            took, spent = zip(*(_ms(store, question, given) for _ in range(ROUNDS)), strict=True)
            rows.append(
                {
                    "question": label,
                    "median_ms": round(statistics.median(took)),
                    "worst_ms": round(max(took)),
                    "cpu_ms": round(statistics.median(spent)),
                    "bar_ms": BAR_MS,
                }
            )
        beside = _batch_cpu_ms(store)
    finally:
        store.close()
    empty = Store(None, load(), clock=lambda: NOW, threads=2)
    try:
        alone = _batch_cpu_ms(empty)
    finally:
        empty.close()
    return [
        *rows,
        {
            "case": f"a batch of {BATCH_SPANS:,} spans",
            "empty_cpu_ms": alone,
            "beside_cpu_ms": beside,
            "ratio": round(beside / alone, 2),
            "bar": 1.5,
        },
    ]


def _batch_cpu_ms(store: Store) -> int:
    """The processor's time that deriving a batch takes, of all threads; the median of some, after a first one."""
    estate = Estate(10, int(NOW.timestamp() * 1e9) - 86_400_000_000_000)
    spent = []
    for _ in range(ROUNDS + 1):
        store.record(estate.batch())
        began = time.process_time()
        store.project()
        spent.append((time.process_time() - began) * 1000)
    return round(statistics.median(spent[1:]))


EVERYTHING: dict[str, Any] = {
    "class": None,
    "category": None,
    "owner_team": None,
    "system": None,
    "state": None,
    "group_id": None,
    "owner_person": None,
    "group_state": None,
    "outage_id": None,
    "tag": None,
    "kind": None,
    "min_amount": None,
    "sort": "money",
    "include_snoozed": False,
    "offset": 0,
    "limit": 50,
}


def _ms(store: Store, question: str, given: dict[str, Any]) -> tuple[float, float]:
    """How long it took, and the processor's time that it took."""
    began, cpu = time.perf_counter(), time.process_time()
    assert store.ask(question, as_of=NOW, **given).num_rows > 0
    return (time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000


if __name__ == "__main__":
    for row in run():
        print(row)
