"""What deriving costs: `python -m bench projection`, or `python -m bench.projection --orders 1000000`.

The history is one of ordinary orders, about 20 spans each in five or six traces, twelve attributes on an operation's span,
every third invoice over three orders, every payment over four and of what they were billed; one payment in eighty never
comes. Six orders in a hundred fail at first; two minutes later nine in ten of these pass, and the tenth stays. It is recorded
in the order in which it would arrive: quotes of today's orders with shipments of last week's and payments of last month's.
A batch is 5,000 spans: the next hour of that estate, and 5 % of it about orders of any age. At last the store is opened with every
promise half as long, which is derived from what was read of spans. Machines are shared: medians.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from trace_model.allocator import restart_with_mimalloc
from trace_model.catalogue.loader import load
from trace_model.catalogue.schema import Catalogue
from trace_model.spans import SCHEMA
from trace_model.store import Store
from trace_model.store.store import utc_now

BATCH_SPANS = 5_000
ROUNDS = 5
MEMORY = "6.4GiB"
"""What DuckDB takes by itself where there are 8 GiB: four fifths; the rest of the process has the rest."""

STEPS = """
-- one row per span of an order: its trace (0 quote, 1 order, 2 shipment, 3 invoice, 4 payment), parent, and what it says
select * from (values
    (0, 1, null, 'cpq.validate_quote', 'sync-engine', 1, 'quote'), (0, 2, 1, 'POST', 'sync-engine', 3, 'call'),
    (0, 3, null, 'crm.accept_quote', 'sync-engine', 1, 'quote'), (0, 4, 3, 'POST', 'sync-engine', 3, 'call'),
    (1, 1, null, 'crm.submit_order', 'sync-engine', 1, 'order'), (1, 2, 1, 'POST', 'sync-engine', 3, 'call'),
    (1, 3, 2, 'POST /orders', 'crm', 2, 'served'), (1, 4, 1, 'erp.create_order', 'sync-engine', 1, 'order'),
    (1, 5, 4, 'POST', 'sync-engine', 3, 'call'), (1, 6, 5, 'POST /orders', 'erp-de', 2, 'booked'),
    (1, 7, null, 'erp.create_order', 'sync-engine', 1, 'again'),
    (2, 1, null, 'logistics.post_shipment', 'sync-engine', 1, 'shipment'), (2, 2, 1, 'POST', 'sync-engine', 3, 'call'),
    (2, 3, 2, 'POST /deliveries', 'logistics', 2, 'served'),
    (3, 1, null, 'billing.issue_invoice', 'sync-engine', 1, 'invoice'), (3, 2, 1, 'POST', 'sync-engine', 3, 'call'),
    (3, 3, null, 'erp.post_invoice', 'sync-engine', 1, 'posting'), (3, 4, 3, 'POST', 'sync-engine', 3, 'call'),
    (3, 5, null, 'erp.post_revenue', 'sync-engine', 1, 'posting'), (3, 6, 5, 'POST', 'sync-engine', 3, 'call'),
    (4, 1, null, 'psp.apply_payment', 'sync-engine', 1, 'payment'), (4, 2, 1, 'POST', 'sync-engine', 3, 'call'),
    (4, 3, 2, 'POST /payments', 'psp', 2, 'served')
) t(trace, span, parent, name, service, kind, says)
"""
LAGS = (0, 200, 5_000, 8_000, 40_000)
"""How many orders later the traces of an order come: quote, order, shipment, invoice, payment."""

SPANS = """
with steps as ({steps}),
arriving as (
    select t.trace, i.number
    from (values (0, $lag_0), (1, $lag_1), (2, $lag_2), (3, $lag_3), (4, $lag_4)) t(trace, lag),
        lateral (select unnest(range(greatest($first - t.lag, 0), greatest($last - t.lag, 0))) as number) i
    -- one invoice over three orders in every third group of three, one payment over four orders, and one in eighty never comes
    where (t.trace <> 3 or (i.number // 3) % 3 > 0 or i.number % 3 = 2) and (t.trace <> 4 or (i.number % 4 = 3 and i.number % 320 <> 319))
),
said as (
    select a.trace, a.number, s.* exclude (trace),
        -- six in a hundred fail; half of those the ERP booked all the same, and says so
        a.trace = 1 and s.span = 4 and a.number % 17 = 5 as fails,
        'c-' || a.number as correlation,
        {{'q2c.region': ['EMEA', 'AMER', 'APAC'][1 + a.number % 3], 'q2c.product_line': 'hardware', 'q2c.legal_entity': 'DE01',
          'q2c.customer.id': 'C-' || a.number % 5000, 'q2c.tier': 'smb'}} as segment,
        a.trace = 3 and (a.number // 3) % 3 = 0 as consolidated,
        list_filter(range(a.number - 3, a.number + 1), lambda n: (n // 3) % 3 > 0 or n % 3 = 2) as paid,
        [case when (n // 3) % 3 = 0 then 300 + (n - 1) % 900 * 3 else 100 + n % 900 end for n in paid] as owed
    from arriving a join steps s on s.trace = a.trace
    where s.says <> 'again' or (a.number % 17 = 5 and a.number % 10 <> 3)
)
select md5(number || '/' || trace)::uuid as trace_id, (number * 32 + trace * 8 + span)::ubigint as span_id,
    (number * 32 + trace * 8 + parent)::ubigint as parent_span_id, name, kind::utinyint as kind, service, null::varchar as scope,
    $epoch_ns + (number + [$lag_0, $lag_1, $lag_2, $lag_3, $lag_4][trace + 1]) * $every_ns + span * 200000000
        + case when says = 'again' then 120000000000 else 0 end as start_unix_ns,
    start_unix_ns + 150000000 as end_unix_ns, (case when fails then 2 else 1 end)::utinyint as status_code,
    case when fails then 'upstream answered 503' end as status_message, null::varchar as trace_state,
    case replace(says, 'again', 'order')
        when 'call' then to_json({{'server.address': 'erp-de', 'http.request.method': 'POST', 'http.response.status_code': 200,
            'url.full': 'https://erp-de.example/api/' || number, 'messaging.message.conversation_id': correlation}})
        when 'served' then to_json({{'http.request.method': 'POST', 'http.route': '/v1', 'messaging.message.conversation_id': correlation}})
        when 'booked' then to_json({{'q2c.order.id': 'SO-' || number, 'sap.sales_order.id': (4500000 + number)::varchar,
            'q2c.milestone': case when number % 2 = 0 then 'order_accepted' end}})
        when 'quote' then json_merge_patch(to_json(segment), to_json({{'q2c.quote.id': 'Q-' || number, 'q2c.operation': name,
            'messaging.message.conversation_id': correlation, 'q2c.amount': (100 + number % 900)::varchar, 'q2c.currency': 'EUR'}}))
        when 'order' then json_merge_patch(to_json(segment), to_json({{'q2c.order.id': 'SO-' || number, 'q2c.order.quote.id': 'Q-' || number,
            'q2c.operation': name, 'messaging.message.conversation_id': correlation, 'q2c.amount': (100 + number % 900)::varchar,
            'q2c.currency': 'EUR', 'q2c.quantity': 10, 'server.address': 'erp-de'}}))
        when 'shipment' then to_json({{'q2c.shipment.id': 'SH-' || number, 'q2c.shipment.order.id': 'SO-' || number, 'q2c.operation': name,
            'messaging.message.conversation_id': correlation, 'q2c.quantity': 10, 'q2c.region': 'EMEA'}})
        when 'invoice' then json_merge_patch(to_json(segment), to_json({{'q2c.invoice.id': 'INV-' || number, 'q2c.operation': name,
            'messaging.message.conversation_id': correlation, 'q2c.currency': 'EUR',
            'q2c.amount': (case when consolidated then 300 + (number - 1) % 900 * 3 else 100 + number % 900 end)::varchar,
            'q2c.invoice.order.id': case when consolidated then list_transform([number - 2, number - 1, number], lambda n: 'SO-' || n)
                else ['SO-' || number] end,
            'q2c.invoice.order.amount': case when consolidated then list_transform([number - 2, number - 1, number], lambda n: (100 + n % 900)::varchar)
                else [(100 + number % 900)::varchar] end}}))
        when 'posting' then to_json({{'q2c.invoice.id': 'INV-' || number, 'q2c.operation': name, 'messaging.message.conversation_id': correlation,
            'server.address': 'erp-de', 'q2c.region': 'EMEA'}})
        when 'payment' then to_json({{'q2c.payment.id': 'PAY-' || number, 'q2c.operation': name, 'q2c.currency': 'EUR',
            'q2c.amount': list_sum(owed)::varchar, 'q2c.payment.invoice.amount': owed::varchar[],
            'q2c.payment.invoice.id': list_transform(paid, lambda n: 'INV-' || n)}})
    end::varchar as attributes,
    '{{}}' as resource,
    case when fails then '[{{"name":"exception","attributes":{{"exception.type":"HTTPError","exception.message":"503 Service Unavailable"}}}}]' end as events,
    null::varchar as links, 'bench' as source
from said
"""
REPAIR = """
-- what comes about orders of any age: a payment is taken back, an order is changed
select md5('late/' || $round || '/' || i)::uuid as trace_id, (1000000000000 + $round::bigint * 1000000 + i)::ubigint as span_id,
    null::ubigint as parent_span_id, 'erp.create_order' as name, 1::utinyint as kind, 'sync-engine' as service, null::varchar as scope,
    $epoch_ns + ($last + 50000) * $every_ns as start_unix_ns, start_unix_ns + 150000000 as end_unix_ns, 1::utinyint as status_code,
    null::varchar as status_message, null::varchar as trace_state,
    to_json({'q2c.order.id': 'SO-' || number, 'q2c.operation': 'erp.create_order', 'q2c.amount': '500.00', 'q2c.currency': 'EUR'})::varchar as attributes,
    '{}' as resource, null::varchar as events, null::varchar as links, 'bench' as source
from (select i, hash(i, $round) % greatest($last - 50000, 1) as number from range($count) t(i))
"""
EPOCH_NS = 1_700_000_000_000_000_000
EVERY_NS = 30_000_000_000
"""How often an order begins."""


class Estate:
    """Spans of an endless estate, in the order in which they arrive."""

    def __init__(self, orders: int, epoch_ns: int = EPOCH_NS) -> None:
        self._epoch_ns = epoch_ns
        self._c = duckdb.connect(config={"threads": 2, "arrow_lossless_conversion": True})
        self._lags = {f"lag_{i}": min(lag, orders // 5) for i, lag in enumerate(LAGS)}
        self._next = 0
        self._rounds = 0

    def arrive(self, orders: int) -> pa.Table:
        """What comes in while `orders` more orders begin."""
        first, self._next = self._next, self._next + orders
        text = SPANS.format(steps=STEPS)
        parameters = {
            "first": first,
            "last": self._next,
            "epoch_ns": self._epoch_ns,
            "every_ns": EVERY_NS,
            **self._lags,
        }
        return _typed(self._c.sql(text, params=parameters).to_arrow_table())

    def history(self, orders: int) -> Iterator[pa.Table]:
        while self._next < orders:
            yield self.arrive(min(20_000, orders - self._next))

    def batch(self) -> pa.Table:
        """5,000 spans: progress on recent orders, and one in twenty about an order of any age."""
        self._rounds += 1
        old = BATCH_SPANS // 20
        recent = self.arrive(BATCH_SPANS // 19).slice(0, BATCH_SPANS - old)
        parameters = {
            "round": self._rounds,
            "count": old,
            "last": self._next,
            "epoch_ns": self._epoch_ns,
            "every_ns": EVERY_NS,
        }
        return pa.concat_tables([recent, _typed(self._c.sql(REPAIR, params=parameters).to_arrow_table())])


def _typed(table: pa.Table) -> pa.Table:
    columns = []
    for column in SCHEMA:
        values = table.column(column.name)
        columns.append(values if values.type == column.type else values.cast(column.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def measure(orders: int) -> dict[str, Any]:
    """Records a history of `orders`, derives it, then derives batches against it; one row of what that took."""
    estate = Estate(orders)
    with tempfile.TemporaryDirectory(prefix="cashtrail-bench-") as directory:
        store = Store(Path(directory) / "bench.duckdb", load(), clock=utc_now, threads=2, memory_limit=MEMORY)
        began = time.perf_counter()
        for table in estate.history(orders):
            store.record(table)
        recorded_s = time.perf_counter() - began
        began = time.perf_counter()
        store.rebuild(_show)
        rebuilt_s = time.perf_counter() - began
        spans = store.recorded_seq
        batches = []
        for _ in range(ROUNDS):
            store.record(estate.batch())
            began = time.perf_counter()
            store.project()
            batches.append(time.perf_counter() - began)
        size = sum(f.stat().st_size for f in Path(directory).iterdir() if f.is_file())
        store.close()
        began = time.perf_counter()
        store = Store(Path(directory) / "bench.duckdb", _halved(), clock=utc_now, threads=2, memory_limit=MEMORY)
        changed_s = time.perf_counter() - began
        assert store.projected_seq == store.recorded_seq
        store.close()
    return {
        "orders": orders,
        "spans": spans,
        "record_s": round(recorded_s, 1),
        "rebuild_s": round(rebuilt_s, 1),
        "rebuild_spans_per_s": round(spans / rebuilt_s),
        "changed_promises_s": round(changed_s, 1),
        "batch_ms_median": round(statistics.median(batches) * 1000),
        "batch_ms_worst": round(max(batches) * 1000),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "file_gib": round(size / 2**30, 2),
    }


def _halved() -> Catalogue:
    """The shipped catalogue, its promises half as long: a change that reads no span anew."""
    shipped = load()
    promises = [p.model_copy(update={"within_s": p.within_s and p.within_s // 2}) for p in shipped.promises]
    return shipped.model_copy(update={"promises": promises})


def small_batch() -> dict[str, Any]:
    """What the smallest batch costs: one trace of five spans against an empty history."""
    estate = Estate(10)
    store = Store(None, load(), clock=utc_now, threads=2)
    times = []
    for number in range(12):
        store.record(estate.arrive(1).slice(0, 5))
        began = time.perf_counter()
        store.project()
        if number >= 2:
            times.append(time.perf_counter() - began)
    store.close()
    return {
        "case": "5 spans, empty history",
        "batch_ms_median": round(statistics.median(times) * 1000),
        "batch_ms_worst": round(max(times) * 1000),
    }


_told: dict[str, float] = {}


def _show(step: str, share: float) -> None:
    _told[step] = time.perf_counter()


def run(orders: int = 100_000) -> list[dict[str, Any]]:
    """A small batch, then a history of a tenth of `orders` and one of `orders`."""
    rows = [measure(orders // 10), measure(orders)]
    rows[1] = rows[1] | {"batch_growth": round(rows[1]["batch_ms_median"] / rows[0]["batch_ms_median"], 2)}
    rows[0] = rows[0] | {"batch_growth": 1.0}
    return [small_batch(), *rows]


if __name__ == "__main__":
    restart_with_mimalloc()  # as the server runs
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--only", action="store_true", help="only this size, not a tenth of it as well")
    chosen = parser.parse_args()
    for row in [measure(chosen.orders)] if chosen.only else run(chosen.orders):
        print(json.dumps(row))
