"""Every clock state of a large installation as of now: `python -m bench clocks`, or `python -m bench.clocks --orders 1000000`.

The derived tables are written directly, by the shipped catalogue: orders of a year, of which the last month's are mostly open, five clocks
each, one in thirty of the decided ones late and one in two hundred of the open ones breached. What is timed is what screens ask, of a file on
disk as an installation has it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trace_model.catalogue.loader import load
from trace_model.store import Store

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
ROUNDS = 7

TIMELINES = """
insert into timelines by name
select hash(n) as lead_key, 'order' as lead_type, 'SO-' || n as lead_id, 'C-' || n % 5000 as customer_id, 'Customer ' || n % 5000 as customer_name,
    (100 + hash(n, 1) % 50000)::decimal(18, 4) as amount, 'EUR' as currency, (100 + hash(n, 1) % 50000)::decimal(18, 2) as reporting_amount,
    ['EMEA', 'AMER', 'APAC'][1 + n % 3] as region, ['hardware', 'subscription', 'services'][1 + n % 3] as product_line,
    ['DE01', 'US01', 'SG01'][1 + n % 3] as legal_entity, ['smb', 'midmarket', 'enterprise'][1 + n // 3 % 3] as tier, 'event' as workflow,
    $now - to_seconds(31536000 * (1 - n / $orders)) as started_at, started_at + interval 1 day as last_progress_at, 'order_accepted' as last_milestone,
    last_progress_at + interval 3 day as stuck_at, case when started_at < $now - interval 30 day then started_at + interval 20 day end as completed_at
from range($orders) t(n)
"""
CLOCKS = """
insert into clocks by name
with made as (
    select t.lead_key, t.completed_at, p.*,
        {'region': t.region, 'product_line': t.product_line, 'legal_entity': t.legal_entity, 'tier': t.tier, 'workflow': t.workflow} as segment,
        t.started_at + to_hours(6 * p.step) as started_at,
        to_microseconds((p.target_s * 1000000 * (hash(t.lead_key, p.step, 1) % 1000) / 970)::bigint) as lasts
    from timelines t
    cross join (values
        ('order_submission', 'standard', 0, 14400.0), ('order_acceptance', 'standard', 1, 7200.0), ('invoice_latency', 'standard', 2, 604800.0),
        ('invoice_posting', 'standard', 3, 28800.0), ('revenue_posting', 'standard', 4, 172800.0)
    ) p(promise, variant, step, target_s)
)
select lead_key, promise, variant, started_at, started_at as holds_from, target_s, segment,
    started_at + to_microseconds((target_s * 750000)::bigint) as at_risk_at, started_at + to_microseconds((target_s * 1000000)::bigint) as due_at,
    case
        when completed_at is null and hash(lead_key, step) % 200 = 0 then null
        when started_at + lasts <= $now then started_at + lasts
    end as stopped_at
from made
"""
SILENCES = """
insert into silences by name
select t.lead_key, t.last_milestone as milestone, t.last_progress_at as since_at, t.last_progress_at as from_at, worked_us(o, t.last_progress_at) as since_us
from timelines t
join cat_milestones c on c.milestone = t.last_milestone
asof join cat_openings o on o.calendar = c.stuck_calendar and o.opens_at <= t.last_progress_at
where t.completed_at is null and t.lead_key not in (select lead_key from clocks where stopped_at is null)
"""
FILTERS: dict[str, Any] = {
    "promise": None, "region": None, "product_line": None, "legal_entity": None, "milestone": None, "min_amount": None,
    "with_exception": None, "q": None, "offset": 0, "limit": 50,
}  # fmt: skip
QUESTIONS: tuple[tuple[str, str, dict[str, Any], float], ...] = (
    ("breach list, first page", "timelines", FILTERS | {"states": ["breached"]}, 0.3),
    ("breaches by promise", "breaches", {}, 0.3),
    ("attainment by region, all time", "promises", {"segment": "region", "period": "all", "days": 400}, 0.5),
    ("attainment by tier and month, a year", "promises", {"segment": "tier", "period": "month", "days": 365}, 0.5),
    ("states with count and money", "standing", {"region": None, "product_line": None, "legal_entity": None}, 0.3),
)


def run(orders: int = 1_000_000) -> list[dict[str, Any]]:
    """One row per question: median and best of ROUNDS, warm, the processor time over all cores (what tells on a busy machine), and the bar."""
    directory = tempfile.TemporaryDirectory(prefix="cashtrail-bench-")
    store = Store(Path(directory.name) / "clocks.duckdb", load(), clock=lambda: NOW, threads=2)
    try:
        with store.database.reading() as c:
            c.execute(TIMELINES, {"now": NOW, "orders": orders})
            c.execute(CLOCKS, {"now": NOW})
            c.execute(SILENCES)
            c.execute("checkpoint")
            [(clocks, open_clocks)] = c.execute(
                "select count(*), count(*) filter (stopped_at is null) from clocks"
            ).fetchall()
        rows = []
        for label, question, parameters, bar_s in QUESTIONS:
            taken, cpu = [], []
            for _ in range(ROUNDS + 1):
                began, spent = time.perf_counter(), time.process_time()
                found = store.ask(question, as_of=NOW, **parameters)
                taken.append(time.perf_counter() - began)
                cpu.append(time.process_time() - spent)
            rows.append(
                {
                    "question": label, "timelines": orders, "clocks": clocks, "open_clocks": open_clocks, "rows": found.num_rows,
                    "median_s": round(statistics.median(taken[1:]), 3), "best_s": round(min(taken[1:]), 3), "cpu_s": round(statistics.median(cpu[1:]), 3), "bar_s": bar_s,
                }
            )  # fmt: skip
        return rows
    finally:
        store.close()
        directory.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    for row in run(parser.parse_args().orders):
        print(row)
