"""Failures as JSON lines in, verdicts as JSON lines out: what `cashtrail classify` reads and writes.

Pure: lines are handed in and out; opening files and saying what was wrong are the caller's affair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from trace_model.catalogue.failure_rules import Rules
from trace_model.signatures import Signature, Verdict, classify

LONGEST_LINE = 1_000_000  # characters of one line of input
SIGNATURES_REMEMBERED = 100_000
BYTE_ORDER_MARK = "\ufeff"  # what some editors put before a file's first line


def classify_lines(lines: Iterable[str], rules: Rules, on_fault: Callable[[str], None]) -> Iterator[str]:
    """One JSON line for each JSON line in: its keys as they came, and the verdict's beside them.

    A line that cannot be judged gives no verdict: `on_fault` is told `line 3: what` and the rest goes on. Blank lines
    are passed over, and counted as lines.
    """
    remembered: dict[Signature, Verdict] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = _entry(line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line)
            signature = _signature(entry)
        except ValueError as fault:
            on_fault(f"line {number}: {fault}")
            continue
        verdict = remembered.get(signature)
        if verdict is None:
            verdict = classify(signature, rules)
            if len(remembered) < SIGNATURES_REMEMBERED:
                remembered[signature] = verdict
        yield json.dumps({**entry, **verdict_fields(verdict)}, ensure_ascii=False)


def verdict_fields(verdict: Verdict) -> dict[str, Any]:
    """The verdict as the public contract names its fields."""
    fields = asdict(verdict)
    return {"class": fields.pop("class_"), **fields, "facts": list(verdict.facts)}


def _entry(line: str) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise ValueError(
            f"{len(line)} characters, at most {LONGEST_LINE} are read; leave out what is not part of the error"
        )
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as fault:
        raise ValueError(f"not JSON ({fault.msg} at column {fault.colno})") from None
    except RecursionError:
        raise ValueError("not readable: nested too deeply") from None
    if not isinstance(entry, dict):
        raise ValueError(f"a JSON object is needed, found {type(entry).__name__}")
    return entry


def _signature(entry: Mapping[str, Any]) -> Signature:
    """The signature in one entry. Raises ValueError saying which field is wrong and what it should be."""
    texts = {name: _text(entry, name) for name in ("system", "code", "message", "operation", "exception")}
    status = entry.get("http_status")
    if not texts["code"] and not texts["message"] and not texts["exception"] and status is None:
        raise ValueError("nothing to judge by; give at least one of code, message, http_status and exception")
    if isinstance(status, str) and status.strip().isdigit():
        status = int(status)
    if isinstance(status, float) and status.is_integer():
        status = int(status)
    if status is not None and (isinstance(status, bool) or not isinstance(status, int)):
        raise ValueError(f"http_status must be a whole number, found {status!r}")
    return Signature(
        system=texts["system"],
        code=texts["code"],
        message=texts["message"],
        operation=texts["operation"] or None,
        http_status=status,
        exception=texts["exception"] or None,
    )


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{name} must be text, found {type(value).__name__}")
