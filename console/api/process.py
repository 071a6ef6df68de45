"""The paths that orders really take, how they differ from the declared one, and the orders behind each step."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query

from console import process
from console.api.asking import AsOf, Cursor, Limit, Reading
from console.api.wire import instant, offset_of, page, plain, thing

router = APIRouter(tags=["process map"])
Days = Annotated[int, Query(ge=1, le=3660)]


@router.get("/process-map")
def process_map(
    r: Reading,
    at: AsOf,
    days: Days = 90,
    region: str | None = None,
    product_line: str | None = None,
    legal_entity: str | None = None,
) -> dict[str, Any]:
    """Steps from milestone to milestone of timelines that started in the last `days` days, and deviations from the declared path.

    `to_milestone` null: where they stand. Amounts in reporting currency, times in seconds.
    """
    asked = {"days": days, "region": region, "product_line": product_line, "legal_entity": legal_entity}
    steps, deviations = process.halves(r.store.rows("process_map", as_of=at, **asked))
    return {
        "declared": [m.name for m in r.store.catalogue.milestones if m.expected == "always"],
        "steps": plain(steps),
        "deviations": plain(deviations),
        "as_of": instant(at),
    }


@router.get("/process-map/orders")
def process_orders(
    r: Reading,
    at: AsOf,
    from_: Annotated[str | None, Query(alias="from", description="the milestone the step begins at")] = None,
    to: Annotated[str | None, Query(description="the next one; without it, those who stand at `from`")] = None,
    deviation: Literal["out_of_order", "skipped"] | None = None,
    milestone: str | None = None,
    other: str | None = None,
    days: Days = 90,
    region: str | None = None,
    product_line: str | None = None,
    legal_entity: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """The orders of one step (`from`, `to`) or one deviation (`deviation`, `milestone`, `other`), the slowest first."""
    if (from_ is None) == (deviation is None) or (deviation is not None and milestone is None):
        raise HTTPException(
            422, "name a step by 'from' and 'to', or a deviation by 'deviation', 'milestone' and 'other'"
        )
    offset = offset_of(cursor)
    rows = r.store.rows(
        "process_orders", as_of=at, days=days, region=region, product_line=product_line, legal_entity=legal_entity, deviation=deviation,
        milestone=milestone, other=other, limit=limit, offset=offset, **{"from": from_, "to": to},
    )  # fmt: skip
    shown = [
        {
            "lead": thing(row["lead_type"], row["lead_id"], row["lead_scope"]),
            "customer": row["customer"],
            "amount": row["amount"],
            "currency": row["currency"],
            "from_at": row["from_at"],
            "to_at": row["to_at"],
            "took_s": row["took_s"],
        }
        for row in rows
    ]
    return page("orders", shown, offset, limit, at, rows[0]["total_count"] if rows else 0)
