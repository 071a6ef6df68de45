"""Files that people take away: the same rows in three formats, and nothing in them that a spreadsheet would run."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet
import pytest
from openpyxl import load_workbook

from bench.served import running
from console.components import downloads
from tests.console.pages.conftest import House, Open
from trace_model.forecast import Bin

FOUND = pa.table(
    {
        "reference": ["SO-1", "=cmd|' /C calc'!A0", "+49 30", None],
        "amount": [Decimal("1234.50"), Decimal("-2.00"), None, Decimal("0.10")],
        "due_at": pa.array([datetime(2026, 3, 2, 12, tzinfo=UTC), None, None, None], pa.timestamp("us", "UTC")),
    }
)


def test_csv_holds_every_row_and_no_formula() -> None:
    lines = downloads.as_csv(FOUND).decode().splitlines()
    assert lines[0] == '"reference","amount","due_at"'
    assert lines[1].startswith('"SO-1",1234.50,2026-03-02 12:00:00')
    assert lines[2].startswith("\"'=cmd|")
    assert lines[3].startswith('"\'+49 30"')


def test_excel_keeps_numbers_and_instants_and_runs_nothing() -> None:
    sheet = load_workbook(io.BytesIO(downloads.as_xlsx(FOUND))).active
    assert [cell.value for cell in sheet[1]] == ["reference", "amount", "due_at"]
    assert sheet["B2"].value == 1234.5
    assert sheet["C2"].value == datetime(2026, 3, 2, 12)  # noqa: DTZ001 - spreadsheets know no zones; the file says UTC
    assert sheet["A3"].data_type == "s", "text that looks like a formula is text"


def test_parquet_is_exact() -> None:
    read = pyarrow.parquet.read_table(io.BytesIO(downloads.as_parquet(FOUND)))
    assert read.equals(FOUND)


@pytest.mark.parametrize(
    ("room", "address", "names"),
    [
        ("kpis", {"kpi": "order_acceptance"}, "durations backlog orders"),
        ("kpis", {"part": "interfaces"}, "interfaces interface-weeks resolutions runs"),
        ("kpis", {"part": "promises"}, "promises drivers"),
        ("kpis", {"part": "ageing"}, "unbilled-ageing unpaid-ageing unpaid"),
        ("invoice_latency", {}, "latency latency-days latency-bands unbilled unbilled-ageing"),
        ("completeness", {}, "completeness differences"),
        ("forecast", {}, "forecast-now"),
        ("forecast", {"part": "later"}, "forecast-later"),
        ("dependencies", {}, "systems outages"),
        ("stitching", {}, "stitching orphans links"),
        ("classes", {}, "classes classes-by-system rules"),
        ("ingest", {}, "sources"),
        ("order", {"type": "order", "id": "SO-2"}, "milestones promises exceptions objects"),
    ],
)
def test_whatever_a_page_shows_can_be_taken_away(
    business: House, page: Open, room: str, address: dict[str, str], names: str
) -> None:
    offered = [one.proto.id for one in page(room, **address).get("download_button")]
    wanted = [f"download_{name}_{kind}" for name in names.split() for kind in ("csv", "xlsx", "parquet")]
    assert [next((key for key in wanted if id_.endswith(key)), id_) for id_ in offered] == wanted


def test_a_file_of_plain_rows_has_their_fields() -> None:
    made = downloads.of_rows("calibration", "Calibration", [Bin(0.0, 0.1, 7, 0.05, 0.0), Bin(0.9, 1.0, 3, 0.95, 1.0)])
    lines = downloads.as_csv(made.make()).decode().splitlines()
    assert lines == ['"low","high","count","mean_chance","came_share"', "0,0.1,7,0.05,0", "0.9,1,3,0.95,1"]


@pytest.mark.browser
def test_a_file_holds_what_the_page_was_asked_for(tmp_path: Path, browser: Any) -> None:
    """Clicked in a real Chromium, signed in: the file is made outside the script, with neither address nor session."""
    with running(tmp_path / "cashtrail.duckdb", environment={"CASHTRAIL_LOGINS": "ana:viewer:let-me-in"}) as served:
        spans = [_order(number, region) for number, region in ((1, "EMEA"), (2, "AMER"))]
        sent = httpx.post(
            f"{served.url}/v1/traces", json={"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}, timeout=20
        )
        assert sent.status_code == 200, sent.text
        page = browser.new_page()
        page.goto(f"{served.url}/orders?region=EMEA")
        page.locator("input[type=password]").fill("let-me-in")
        page.keyboard.press("Enter")
        page.get_by_text("1 to 1 of 1").wait_for()
        page.reload()
        page.get_by_text("1 to 1 of 1").wait_for()
        page.get_by_role("button", name="Download").click()
        with page.expect_download() as given:
            page.get_by_role("button", name="CSV", exact=True).click()
        lines = Path(given.value.path()).read_text("utf-8").splitlines()
        page.close()
    assert len(lines) == 2, "a header and the one order in EMEA"
    assert '"SO-1"' in lines[1]


def _order(number: int, region: str) -> dict[str, Any]:
    said = {
        "q2c.operation": "crm.submit_order",
        "q2c.order.id": f"SO-{number}",
        "q2c.region": region,
        "q2c.amount": "10.00",
        "q2c.currency": "EUR",
    }
    began = time.time_ns() - 60_000_000_000
    return {
        "traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "crm.submit_order", "kind": 3, "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(began + 1_000_000), "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in said.items()],
    }  # fmt: skip
