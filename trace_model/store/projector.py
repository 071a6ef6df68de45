"""Runs the projection: kept spans in, derived rows out, set by set. What each relation means stands in its SQL file.

A batch derives again whatever its traces touch, and nothing else; `rebuild` derives everything by the very same files.
Both happen in one transaction, so a reader sees the rows before or the rows after. Ordering and batching of the
spans never show in the result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from trace_model.catalogue.failure_rules import Rules
from trace_model.catalogue.schema import Catalogue
from trace_model.signatures import Signature, Verdict, classify, fingerprint, normalise_message, plain_sentence
from trace_model.store import catalogue_tables
from trace_model.store.database import SQL, sql

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Relation:
    """A derived table and the touched keys by which a batch replaces its rows."""

    file: str
    key: str
    """The column by whose touched values a batch replaces rows."""
    touched: str
    """The scratch table of those values."""
    keeps_seq: bool = False
    """Its rows carry the `seq` they were recorded at, which bounds the look-back."""

    @property
    def table(self) -> str:
        return self.file.split("_", 1)[1]


TRACE_GRAIN = tuple(
    Relation(file, "trace_id", "touched_traces", keeps_seq=True)
    for file in (
        "05_span_links",
        "10_object_facts",
        "11_alias_facts",
        "12_link_facts",
        "13_operation_runs",
        "14_trace_stitching",
        "15_trace_warnings",
    )
)
RESOLUTIONS = Relation("20_resolutions", "alias_key", "touched_aliases")
OBJECT_GRAIN = tuple(
    Relation(file, "object_key", "touched_objects")
    for file in ("22_objects", "23_object_correlations", "24_object_milestones")
)
FAILURES = Relation("26_failures", "object_key", "touched_objects")
LINKS = Relation("25_links", "child_key", "touched_children")
OBJECT_WARNINGS = Relation("25b_object_warnings", "object_key", "touched_children")
LEAD_GRAIN = tuple(
    Relation(file, "lead_key", "touched_leads")
    for file in ("30_timeline_members", "31_timeline_milestones", "32_timelines", "33_clocks")
)
DERIVED = tuple(
    r.table for r in (*TRACE_GRAIN, RESOLUTIONS, *OBJECT_GRAIN, FAILURES, LINKS, OBJECT_WARNINGS, *LEAD_GRAIN)
)
"""Every derived table, as compared between an incremental history and a rebuild."""


def projection_hash() -> str:
    """Changes whenever a projection file does: rows of another projection are stale."""
    digest = hashlib.sha256(sql("derived.sql").encode())
    for entry in sorted((SQL / "projection").iterdir(), key=lambda e: e.name):
        digest.update(entry.read_bytes())
    return digest.hexdigest()[:16]


class Projector:
    """Derives rows for one catalogue on one connection of its own; the store serialises its calls."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, rules: Rules) -> None:
        self._c = connection
        self._catalogue = catalogue
        self._rules = rules
        self._files = {
            e.name.removesuffix(".sql"): e.read_text("utf-8")
            for e in (SQL / "projection").iterdir()
            if e.name.endswith(".sql")
        }
        self._reading = {
            "role_structure": catalogue_tables.role_structure(catalogue),
            "object_paths": catalogue_tables.object_paths(catalogue),
            "odd_ids": catalogue_tables.has_odd_ids(catalogue),
        }

    def project(self, after_seq: int, until_seq: int) -> None:
        """The spans recorded in (`after_seq`, `until_seq`] show in every derived row they touch."""
        self._scratch(
            "touched_traces", self._files["00_touched_traces"], {"after_seq": after_seq, "until_seq": until_seq}
        )
        self._derive(replacing=True, progress=None)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Every derived row is made anew from the kept spans; `progress` hears the step's name and the share done."""
        self._c.execute(sql("derived.sql"))
        if not self._number("select count(*) from traces"):
            return
        self._scratch("touched_traces", "select trace_id, first_seq, last_seq from traces", {})
        self._derive(replacing=False, progress=progress)

    def _derive(self, *, replacing: bool, progress: Progress | None) -> None:
        steps = iter(range(1, 99))

        def told(what: str) -> None:
            if progress:
                progress(what, min(next(steps) / 17, 1.0))

        told("reading spans")
        self._read_spans()
        told("finding each span's place in its trace")
        self._scratch("span_context", self._files["03_span_context"], {})
        self._follow_span_links()
        stretch = self._stretch("touched_traces")
        for relation in TRACE_GRAIN[1:]:
            told(relation.table.replace("_", " "))
            self._scratch(f"{relation.table}_fresh", self._files[relation.file], {})
        self._scratch("touched_mentions", self._files["04_touched_mentions"], stretch)
        for relation in TRACE_GRAIN:
            self._replace(relation, stretch, replacing)

        told("resolving ids of other systems")
        self._scratch("touched_aliases", self._files["19_touched_aliases"], {})
        self._scratch("resolutions_fresh", self._files[RESOLUTIONS.file], {})
        self._scratch("touched_objects", self._files["20a_touched_objects"], {})
        self._scratch("changed_aliases", self._files["20c_changed_aliases"], {})
        self._replace(RESOLUTIONS, {}, replacing)
        objects_bound = {"min_object_seq": self._number(self._files["20b_first_seq_of_touched"]) if replacing else 0}
        self._scratch("resolved_facts", self._files["21_resolved_facts"], objects_bound)
        told("objects")
        for relation in OBJECT_GRAIN:
            self._scratch(f"{relation.table}_fresh", self._files[relation.file], {})
        self._scratch("touched_correlations", self._files["23a_touched_correlations"], {})
        told("failures")
        self._scratch("failures_fresh", self._files[FAILURES.file], objects_bound)
        self._judge()
        self._say()
        for relation in (*OBJECT_GRAIN, FAILURES):
            self._replace(relation, {}, replacing)

        told("links")
        self._scratch("touched_children", self._files["24a_touched_children"], {})
        self._scratch("said_links", self._files["24b_said_links"], {})
        self._scratch("correlated_links", self._files["24c_correlated_links"], {})
        self._scratch("links_fresh", self._files[LINKS.file], {})
        self._scratch("object_warnings_fresh", self._files[OBJECT_WARNINGS.file], {})
        self._c.execute(self._files["25a_relinked_objects"])
        self._replace(LINKS, {}, replacing)
        self._replace(OBJECT_WARNINGS, {}, replacing)

        told("timelines")
        self._scratch("touched_leads", self._files["27_touched_leads"], {})
        for relation in LEAD_GRAIN:
            told(relation.table.replace("_", " "))
            self._scratch(f"{relation.table}_fresh", self._files[relation.file], {})
        for relation in LEAD_GRAIN:
            self._replace(relation, {}, replacing)
        for scratch in ("trace_spans", "span_ids", "span_context", "resolved_facts", *(f"{t}_fresh" for t in DERIVED)):
            self._c.execute(f"drop table if exists temp.{scratch}")

    def _read_spans(self) -> None:
        """The spans of the touched traces, and of those that their span links point to, stand in trace_spans."""
        self._scratch("read_traces", self._files["00a_read_traces"], self._stretch("touched_traces"))
        self._scratch("trace_spans", self._files["01_trace_spans"], self._stretch("read_traces") | self._reading)
        self._scratch("span_ids", self._files["02_span_ids"], {})

    def _follow_span_links(self) -> None:
        """Span links have the ids at both their ends; what was read for that alone is let go."""
        self._scratch("span_links_fresh", self._files["05_span_links"], {})
        self._scratch("linked_ids", self._files["06_linked_ids"], {})
        if self._number("select count(*) from read_traces where is_context"):
            for scratch in ("span_ids", "span_context", "trace_spans"):
                self._c.execute(
                    f"delete from {scratch} where seq in"  # noqa: S608 - names of this module's own relations
                    " (select s.seq from trace_spans s semi join (from read_traces where is_context) using (trace_id))"
                )

    def _stretch(self, traces: str) -> dict[str, Any]:
        """The first and last record of `traces`, a scratch table."""
        row = self._c.execute(
            f"select coalesce(min(first_seq), 0), coalesce(max(last_seq), 0) from {traces}"  # noqa: S608
        ).fetchone()
        assert row is not None
        return {"min_seq": int(row[0]), "max_seq": int(row[1])}

    def _judge(self) -> None:
        """Every signature among the fresh failures has its verdict; each is judged once per catalogue."""
        unseen = self._c.execute(sql("projection/26a_unjudged.sql")).fetchall()
        rows = []
        for signature, system, operation, code, exception, http_status, message, product in unseen:
            seen = Signature(
                system=product,
                operation=operation,
                code=code or "",
                message=message or "",
                http_status=http_status,
                exception=exception,
            )
            verdict = classify(seen, self._rules)
            rows.append(
                (
                    signature,
                    fingerprint(verdict.class_, system, operation, code or "", normalise_message(message or "")),
                    verdict.class_,
                    verdict.transient,
                    verdict.category,
                    verdict.confidence,
                    verdict.rule,
                    json.dumps(verdict.facts, default=str),
                )
            )
        if rows:
            self._c.executemany("insert into signatures values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _say(self) -> None:
        """Every fresh failure has its sentence: the verdict of its signature in the words of its own message."""
        unsaid = self._c.execute(self._files["26b_unsaid"]).fetchall()
        if not unsaid:
            return
        sentences = [
            plain_sentence(
                Verdict(class_, transient, category, confidence, rule, ()),
                Signature(system=label, code=code or "", message=message or ""),
                label,
            )
            for _, message, label, code, class_, transient, category, confidence, rule in unsaid
        ]
        said = pa.table({"signature": [u[0] for u in unsaid], "message": [u[1] for u in unsaid], "sentence": sentences})
        self._c.register("said", said)
        self._c.execute(
            "update failures_fresh set sentence = said.sentence from said "
            "where said.signature = failures_fresh.signature and said.message is not distinct from failures_fresh.message"
        )
        self._c.unregister("said")

    def _scratch(self, name: str, text: str, parameters: dict[str, Any]) -> None:
        used = {key: value for key, value in parameters.items() if f"${key}" in text}
        self._c.execute(f"create or replace temp table {name} as {text}", used or None)

    def _replace(self, relation: Relation, bound: dict[str, Any], replacing: bool) -> None:
        # names of this module's own relations, never values
        if replacing:
            stretch = (
                f"seq between {int(bound['min_seq'])} and {int(bound['max_seq'])} and " if relation.keeps_seq else ""
            )
            touched = f"select {relation.key} from {relation.touched}"  # noqa: S608
            self._c.execute(f"delete from {relation.table} where {stretch}{relation.key} in ({touched})")  # noqa: S608
        self._c.execute(f"insert into {relation.table} select * from {relation.table}_fresh")  # noqa: S608

    def _number(self, text: str) -> int:
        row = self._c.execute(text).fetchone()
        return int(row[0]) if row and row[0] is not None else 0
