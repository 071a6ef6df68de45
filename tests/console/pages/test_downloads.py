"""Files that people take away: the same rows in three formats, and nothing in them that a spreadsheet would run."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
from openpyxl import load_workbook

from console.components import downloads

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
