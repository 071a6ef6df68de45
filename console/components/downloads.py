"""Lists as files: CSV, Excel and Parquet, made when asked for, with every row that matches and not only the page shown."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import streamlit as st

from console.components.view import View

MOST_ROWS = 50_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class File:
    """A table that can be taken away: `name` of the file, `label` in words, and what makes the table once it is clicked."""

    name: str
    label: str
    make: Callable[[], pa.Table]


def asked(
    name: str, label: str, view: View, question: str, parameters: Mapping[str, Any], columns: Mapping[str, str]
) -> File:
    """The whole answer of `question`; `columns` maps its columns to headings, in order.

    The file is made outside the script, when it is clicked: what it holds is settled here, but for the moment of a live view.
    """
    given = {**parameters, "offset": 0, "limit": MOST_ROWS}

    def chosen() -> pa.Table:
        found = view.later().ask(question, **given)
        kept = [column for column in columns if column in found.column_names]
        return found.select(kept).rename_columns([columns[column] for column in kept])

    return File(name, label, chosen)


def held(name: str, label: str, table: pa.Table, columns: Mapping[str, str]) -> File:
    """A table that is there already; `columns` maps its columns to headings, in order."""
    return File(name, label, lambda: table.select(list(columns)).rename_columns(list(columns.values())))


def of_rows(name: str, label: str, rows: Sequence[Any]) -> File:
    """Plain dataclasses that a page has counted itself, one a row."""
    return File(name, label, lambda: pa.Table.from_pylist([asdict(row) for row in rows]))


def menu(*files: File, label: str = "Download") -> None:
    """One menu with every table of a page, each as CSV, Excel and Parquet."""
    with st.popover(label, icon=":material/download:", width="content"):
        st.caption(f"All rows that match, up to {MOST_ROWS:,}, in the order shown. Instants in UTC.")
        for file in files:
            if len(files) > 1:
                st.markdown(f"**{file.label}**")
            with st.container(horizontal=True, gap="xsmall"):
                for suffix, mime, make in _KINDS:
                    st.download_button(
                        suffix.upper(),
                        data=partial(_made, make, file.make),
                        file_name=f"{file.name}.{suffix}",
                        mime=mime,
                        on_click="ignore",
                        key=f"download_{file.name}_{suffix}",
                    )


def offer(
    name: str,
    view: View,
    question: str,
    parameters: Mapping[str, Any],
    columns: Mapping[str, str],
    *,
    label: str = "Download",
) -> None:
    """A menu that gives the whole answer of one question; see `asked`."""
    menu(asked(name, label, view, question, parameters, columns), label=label)


def _made(make: Callable[[pa.Table], bytes], chosen: Callable[[], pa.Table]) -> bytes:
    return make(chosen())


def columns(told: str) -> dict[str, str]:
    """The columns of a file in order: `name`, or `name=heading`.

    >>> columns("lead_id=reference amount")
    {'lead_id': 'reference', 'amount': 'amount'}
    """
    return {name: heading or name for name, _, heading in (word.partition("=") for word in told.split())}


def as_csv(found: pa.Table) -> bytes:
    """UTF-8 with a header; text that a spreadsheet would run as a formula is quoted off with an apostrophe."""
    out = io.BytesIO()
    pyarrow.csv.write_csv(_inert(found), out)
    return out.getvalue()


def as_parquet(found: pa.Table) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(found, out)
    return out.getvalue()


def as_xlsx(found: pa.Table) -> bytes:
    """One sheet with a frozen header. Amounts are numbers, instants dates in UTC; text is never a formula."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Cashtrail")
    sheet.freeze_panes = "A2"
    sheet.append(found.column_names)
    for row in zip(*(column.to_pylist() for column in found.columns), strict=True):
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet, value=_plain(value))
            if isinstance(value, str):
                cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.replace(tzinfo=None)
        case Decimal():
            return float(value)
        case list() | dict() | tuple():
            return str(value)
        case str():
            return "".join(character for character in value if character >= " " or character in "\t\n")
        case _:
            return value


def _inert(found: pa.Table) -> pa.Table:
    columns = []
    for column in found.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pa.array(
                [f"'{text}" if text and text.startswith(_FORMULA) else text for text in column.to_pylist()], pa.string()
            )
        elif pa.types.is_nested(column.type):
            column = pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
        columns.append(column)
    return pa.Table.from_arrays(columns, names=found.column_names)


_KINDS: tuple[tuple[str, str, Callable[[pa.Table], bytes]], ...] = (
    ("csv", "text/csv", as_csv),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_xlsx),
    ("parquet", "application/vnd.apache.parquet", as_parquet),
)
