"""Runs the projection: kept spans in, derived rows out, set by set. What each relation means stands in its SQL file.

A batch derives again whatever its traces touch, and nothing else; `rebuild` derives everything by the very same files.
Both happen in one transaction, so a reader sees the rows before or the rows after. Ordering and batching of the
spans never show in the result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from trace_model.catalogue.failure_rules import Rules
from trace_model.catalogue.schema import NAMES_PER_ROLE, ROLES, Catalogue
from trace_model.signatures import Signature, Verdict, classify, fingerprint, normalise_message, plain_sentence
from trace_model.store import catalogue_schemas, catalogue_tables
from trace_model.store.database import SQL, sql

Progress = Callable[[str, float], None]
CHUNK_SPANS = 500_000
"""A rebuild reads about this many spans at a time, so that its memory does not grow with the history."""
FACTS_SHARE = 0.55
"""The part of a rebuild that is reading spans."""
FIRST_BEYOND_FACTS = "16"
"""The projection files before it read spans; those from it on read what was read."""


@dataclass(frozen=True)
class Relation:
    """A derived table and the touched keys by which a batch replaces its rows."""

    file: str
    key: str
    """The column by whose touched values a batch replaces rows."""
    touched: str
    """The scratch table of those values, in a column of the same name or the one given after a colon."""

    @property
    def table(self) -> str:
        return self.file.split("_", 1)[1]


TRACE_GRAIN = tuple(
    Relation(file, "trace_id", "touched_traces")
    for file in (
        "05_span_links",
        "09_payload_facts",
        "09a_identity_facts",
        "09b_payload_shapes",
        "10_object_facts",
        "11_alias_facts",
        "12_link_facts",
        "13_operation_runs",
        "14_trace_stitching",
        "15_trace_warnings",
    )
)
RESOLUTIONS = Relation("20_resolutions", "alias_key", "changed_aliases")
OBJECTS = Relation("22_objects", "object_key", "objects_before")
CORRELATIONS = Relation("23_object_correlations", "object_key", "correlation_changes")
MILESTONES = Relation("24_object_milestones", "object_key", "touched_mentions:mention_key")
PAUSE_SIGNS = Relation("24e_object_pause_signs", "object_key", "touched_mentions:mention_key")
FAILURES = Relation("26_failures", "object_key", "touched_mentions:mention_key")
LINKS = Relation("25_links", "child_key", "changed_links")
OUTAGES = Relation("26d_outages", "outage_id", "stirred_outages")
OBJECT_WARNINGS = Relation("25b_object_warnings", "object_key", "touched_children:child_key")
RELEASES = Relation("47b_payload_releases", "(system, operation)", "stirred_interfaces")
DRIFTS = Relation("47c_schema_drifts", "(system, operation)", "stirred_interfaces")
STAKES = Relation("45_object_stakes", "object_key", "touched_stakes")
LEAD_GRAIN = tuple(
    Relation(file, "lead_key", "touched_leads")
    for file in (
        "30_timeline_members",
        "31_timeline_milestones",
        "32_timelines",
        "32a_timeline_pauses",
        "32b_payload_comparisons",
        "34_clocks",
        "35_silences",
    )
)
FACTS = frozenset(r.table for r in TRACE_GRAIN)
"""The tables of what spans say: they stand while another catalogue reads spans alike."""
REACHED = tuple(r for r in LEAD_GRAIN if r.table in ("timeline_members", "payload_comparisons"))
"""What a rebuild derives of all leads at once, since it follows links; the rest it derives of LEADS_AT_ONCE."""
LEADS_AT_ONCE = 100_000
KEYS = 2**64
DERIVED = tuple(
    r.table
    for r in (
        *TRACE_GRAIN, RESOLUTIONS, OBJECTS, CORRELATIONS, MILESTONES, PAUSE_SIGNS, FAILURES, OUTAGES, LINKS, OBJECT_WARNINGS,
        *LEAD_GRAIN, STAKES, RELEASES, DRIFTS,
    )
)  # fmt: skip
"""Every derived table, as compared between an incremental history and a rebuild."""


FACTS_READ: Mapping[str, tuple[str, ...]] = {
    "cat_id_paths": tuple(catalogue_schemas.ID_PATHS.names),
    "cat_identities": ("object_type", "identity", "path_positions"),
    "cat_milestones": ("milestone", "object_type"),
    "cat_object_types": ("object_type", "rank", "traversed"),
    "cat_operations": ("operation", "object_type", "system", "milestone", "milestone_object_type"),
    "cat_payload_hops": ("hop", "operations", "path_positions"),
    "cat_payload_values": tuple(catalogue_schemas.PAYLOAD_VALUES.names),
    "cat_rates": ("currency",),
    "cat_relations": ("child_type", "parent_type", "kind"),
    "cat_system_names": ("spoken_name", "name", "kind"),
    "cat_systems": ("name", "kind"),
}
"""What the trace grain reads of the catalogue, beside its roles and paths: a change of anything else leaves the facts as they are."""


def projection_hash() -> str:
    """Changes whenever a projection file does: rows of another projection are stale."""
    return _digest_of(lambda _file: True)


def facts_hash(catalogue: Catalogue) -> str:
    """Changes whenever anything does that decides what a span says: facts read by another are stale.

    Most changes of a catalogue (promises, calendars, checks, owners, rates) leave them standing.
    """
    read = [
        [name, columns, [[row.get(column) for column in columns] for row in rows]]
        for name, rows, _schema in catalogue_tables.tables(catalogue)
        for columns in [FACTS_READ.get(name)]
        if columns
    ]
    parts = (_digest_of(lambda file: file < FIRST_BEYOND_FACTS), _reading(catalogue), read)
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _digest_of(is_meant: Callable[[str], bool]) -> str:
    """Of the derived tables' columns, the macros, and the projection files of the names that `is_meant`."""
    digest = hashlib.sha256(sql("facts.sql").encode() + sql("derived.sql").encode())
    for entry in sorted((SQL / "projection").iterdir(), key=lambda e: e.name):
        if is_meant(entry.name):
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
        self._reading = _reading(catalogue)
        self._made: set[str] = set()
        self._statements: dict[str, duckdb.Statement] = {}

    def project(self, after_seq: int, until_seq: int) -> None:
        """The spans recorded in (`after_seq`, `until_seq`] show in every derived row they touch."""
        self._scratch("00_touched_traces", {"after_seq": after_seq, "until_seq": until_seq})
        stretch = self._derive_facts(replacing=True)
        self._derive_objects(stretch["min_seq"])
        self._derive_outages(stretch)
        self._derive_links()
        self._derive_timelines()
        self._derive_standing_checks(stretch)

    def relink(self, child_key: int) -> None:
        """The links upward of one object, and every timeline they lead to, follow what people tied by hand."""
        self._table("touched_mentions", "select mention_key from object_facts limit 0")
        self._table("touched_children", "select $child_key::ubigint as child_key", {"child_key": child_key})
        self._derive_links_of_touched()
        self._derive_timelines()

    def rebuild(self, progress: Progress | None = None, *, facts_stand: bool = False) -> None:
        """Every derived row is made anew from the kept spans; `progress` hears the step's name and the share done.

        Where `facts_stand` (they were read by the same `facts_hash`), they are kept, and all else is made anew from them.
        """
        told = progress or (lambda _step, _share: None)
        begins = 0.0 if facts_stand else FACTS_SHARE
        if not facts_stand:
            self.read_spans(lambda step, share: told(step, FACTS_SHARE * share))
        self._forget()
        self._c.execute(sql("derived.sql"))
        if not self._number("select count(*) from traces"):
            return
        for step, share in self._rebuild_steps():
            told(step, begins + (1 - begins) * share)
        self._forget()

    def read_spans(self, progress: Progress) -> None:
        """The facts of all kept spans are read anew; what else is derived stays as it is."""
        self._forget()
        self._c.execute(sql("facts.sql"))
        spans = self._number("select max(last_seq) from traces")
        for after in range(0, spans, CHUNK_SPANS):
            progress("reading spans", after / spans)
            self._c.execute(
                "create or replace temp table touched_traces as from traces where first_seq between $1 and $2",
                [after + 1, after + CHUNK_SPANS],
            )
            self._derive_facts(replacing=False)

    # -- the trace grain -------------------------------------------------------------------------------------------

    def _derive_facts(self, *, replacing: bool) -> dict[str, int]:
        """The facts of the touched traces are in; returns the first and last record of those traces.

        When `replacing`, what they touch is found first, from the facts of before and of now.
        """
        stretch = self._read_spans()
        for scratch in ("07_span_objects", "08_span_runs", "11_alias_facts"):
            self._scratch(scratch)
        if replacing:
            for scratch in (
                "16_spoken_ids",
                "17_touched_resolutions",
                "18_touched_mentions",
                "19_stirred_aliases",
                "21_bystander_facts",
                "12a_runs_before",
                "12b_identities_before",
                "12c_shapes_before",
            ):
                self._scratch(scratch, stretch)
        for relation in TRACE_GRAIN:
            if replacing:
                self._delete(relation, "seq between $min_seq and $max_seq and", stretch)
            known = relation.file in ("05_span_links", "11_alias_facts")
            text = f"from {relation.table}_fresh" if known else self._files[relation.file]
            self._insert(relation, text, stretch | self._reading)
        return stretch

    def _read_spans(self) -> dict[str, int]:
        """trace_spans, span_ids and span_context hold the touched traces; span_links_fresh and linked_ids what ties them to others.

        The traces that span links point to are read along, and let go once the ids at both ends are known.
        """
        touched = self._stretch("touched_traces")
        linked = self._number(
            "select count(*) from spans where links is not null and seq between $min_seq and $max_seq", touched
        )
        if linked:
            self._scratch("00a_read_traces", touched)
        else:
            self._c.execute(
                "create or replace temp table read_traces as select *, false as is_context from touched_traces"
            )
        read = self._stretch("read_traces") if linked else touched
        for scratch in ("01_trace_spans", "02_span_ids", "03_span_context"):
            self._scratch(scratch, read | self._reading)
        self._scratch("05_span_links", empty=not linked)
        self._scratch("06_linked_ids", empty=not linked)
        if linked and self._number("select count(*) from read_traces where is_context"):
            for scratch in ("span_ids", "span_context", "trace_spans"):
                self._c.execute(
                    f"delete from {scratch} where seq in"  # noqa: S608 - names of this module's own relations
                    " (select s.seq from trace_spans s semi join (from read_traces where is_context) using (trace_id))"
                )
        return touched

    # -- the object grain ------------------------------------------------------------------------------------------

    def _derive_objects(self, first_seq: int) -> None:
        """What the touched traces speak of is derived again from everything ever said of it."""
        self._scratch("20_resolutions", empty=not self._number("select count(*) from stirred_aliases"))
        self._scratch("20a_changed_aliases")
        if self._number("select count(*) from changed_aliases"):
            self._delete(RESOLUTIONS)
            self._insert(RESOLUTIONS, "from resolutions_fresh semi join changed_aliases using (alias_key)")
            self._c.execute(
                "delete from touched_resolutions where alias_key in (select alias_key from changed_aliases)"
            )
            self._c.execute(
                "insert into touched_resolutions from resolutions_fresh semi join changed_aliases using (alias_key)"
            )
        self._scratch("21a_objects_before")
        bound = {"min_object_seq": self._number(self._files["21c_first_seq_of_touched"], {"min_seq": first_seq})}
        self._scratch("21b_resolved_facts", bound)
        self._scratch("21d_object_names")
        for relation in (OBJECTS, CORRELATIONS, MILESTONES, PAUSE_SIGNS):
            self._scratch(relation.file)
        self._scratch("25c_failed_runs")
        failed = self._number("select count(*) from failed_runs")
        self._scratch(FAILURES.file, empty=not failed)
        if failed:
            self._judge()
            self._say()
        for relation in (OBJECTS, MILESTONES, PAUSE_SIGNS, FAILURES):
            self._delete(relation)
            self._insert(relation)
        self._scratch("23a_correlation_changes")
        if self._number("select count(*) from correlation_changes where change < 0"):
            self._run(self._files["23b_lost_correlations"])
        self._insert(CORRELATIONS, "select * exclude (change) from correlation_changes where change > 0")

    def _derive_outages(self, stretch: Mapping[str, int]) -> None:
        """Every outage that a touched run belongs to, belonged to or ends; mostly none does, and nothing is read."""
        self._scratch("26c_outage_windows", stretch)
        bounds = self._window_bounds()
        if bounds is None:
            return
        self._table(
            "stirred_outages",
            "select o.outage_id from outages o semi join outage_windows w"
            " on w.system = o.system and w.kind = o.kind and o.first_failed_at between w.from_at and w.until_at",
        )
        self._scratch(OUTAGES.file, bounds)
        self._delete(OUTAGES)
        self._insert(OUTAGES)

    def _window_bounds(self) -> dict[str, Any] | None:
        row = self._c.execute("select min(from_at), max(until_at) from outage_windows").fetchone()
        return {"from_at": row[0], "until_at": row[1]} if row and row[0] is not None else None

    def _derive_links(self) -> None:
        """Links upward of every child that may have gained or lost one."""
        self._scratch("24a_touched_children")
        self._derive_links_of_touched()

    def _derive_links_of_touched(self) -> None:
        self._scratch("24b_link_evidence")
        self._scratch("24b_said_links")
        self._scratch("24c_untied_children")
        self._scratch("24d_correlated_links", empty=not self._number("select count(*) from untied_children"))
        self._scratch(LINKS.file)
        self._scratch(OBJECT_WARNINGS.file)
        self._scratch("25a_changed_links")
        if self._number("select count(*) from changed_links where was_linked"):
            self._delete(LINKS)
        self._insert(LINKS, "from links_fresh where child_key in (select child_key from changed_links)")
        self._delete(OBJECT_WARNINGS)
        self._insert(OBJECT_WARNINGS)

    # -- the lead grain --------------------------------------------------------------------------------------------

    def _derive_timelines(self) -> None:
        """Every timeline that holds, held or may hold a touched object."""
        self._scratch("27_touched_objects")
        self._derive_timelines_of_touched()

    def project_deeds(self, after_no: int, until_no: int) -> None:
        """The deeds of people numbered in (`after_no`, `until_no`] show in the clocks of the timelines they name."""
        self._table(
            "touched_objects", self._files["27e_objects_of_deeds"], {"after_no": after_no, "until_no": until_no}
        )
        if self._number("select count(*) from touched_objects"):
            self._derive_timelines_of_touched()

    def _derive_timelines_of_touched(self) -> None:
        self._scratch("27a_holding_leads")
        self._scratch("27b_near_objects")
        while True:
            for scratch in (
                "27c_near_links",
                "27d_near_rows",
                "28_touched_leads",
                "29_timeline_reach",
                "29a_outside_objects",
            ):
                self._scratch(scratch)
            if not self._number("select count(*) from outside_objects"):
                break
            self._c.execute("insert into near_objects from outside_objects")
        self._scratch("29b_near_milestones")
        for relation in LEAD_GRAIN:
            self._before(relation)
            self._scratch(relation.file)
        for relation in LEAD_GRAIN:
            self._delete(relation)
            self._insert(relation)
        self._scratch("41_touched_parents")
        self._run(self._files["43_outdated_checks"])
        self._find_contradictions()
        self._find_duplicates()
        self._keep_check_failures()
        self._derive_stakes()

    def _derive_stakes(self) -> None:
        self._scratch("45a_touched_stakes")
        if self._number("select count(*) from touched_stakes"):
            self._scratch(STAKES.file)
            self._delete(STAKES)
            self._insert(STAKES)

    def _before(self, relation: Relation) -> None:
        """What a relation of the lead grain is made of is there before the first of them."""
        if relation.table == "timeline_milestones":
            self._scratch("30a_coverage_steps")
        elif relation.table == "clocks":
            self._scratch("33_clock_starts")
            self._scratch("33a_clock_targets")
            self._scratch("33b_clock_stretches", empty=not self._number("select count(*) from timeline_pauses_fresh"))

    def _find_contradictions(self) -> None:
        """What contradicts itself among the fresh timelines is a failure too."""
        self._scratch("39_doubtful_leads")
        self._scratch("40_check_failures", empty=not self._number("select count(*) from doubtful_leads"))

    def _find_duplicates(self) -> None:
        """So is what repeats another below a touched parent."""
        self._scratch("42_duplicate_leads", empty=not self._number(self._files["41a_shared_parents"]))
        self._c.execute("insert into check_failures by name from duplicate_leads")

    def _derive_standing_checks(self, stretch: Mapping[str, int]) -> None:
        """What is wrong with no timeline: an object that repeats another (a customer), and payloads that lost a field with a release."""
        self._scratch("46_stirred_identities")
        self._scratch("47_stirred_interfaces", stretch)
        identities = self._number("select count(*) from stirred_identities")
        interfaces = self._number("select count(*) from stirred_interfaces")
        self._find_standing_checks(identities=identities, interfaces=interfaces)
        if identities or interfaces:
            self._derive_stakes()

    def _find_standing_checks(self, *, identities: int, interfaces: int) -> None:
        """The failures of stirred identities and interfaces are found anew, where there are any."""
        if identities:
            for scratch in ("46a_identity_holders", "46b_duplicate_identities"):
                self._scratch(scratch)
            self._run(self._files["46c_outdated_identities"])
            self._table("check_failures", "from duplicate_identities")
            self._keep_check_failures()
        if interfaces:
            for relation in (RELEASES, DRIFTS):
                self._scratch(relation.file)
                self._delete(relation)
                self._insert(relation)
            self._scratch("47e_drift_failures")
            self._run(self._files["47d_outdated_drifts"])
            self._table("check_failures", "from drift_failures")
            self._keep_check_failures()
        self._made.discard("check_failures")  # of other columns than the checks of timelines have

    def _keep_check_failures(self) -> None:
        if not self._number("select count(*) from check_failures"):
            return
        self._run(f"insert into signatures by name {self._files['40a_check_signatures']}")
        self._run("insert into failures by name from check_failures")

    # -- everything ------------------------------------------------------------------------------------------------

    def _rebuild_steps(self) -> Iterator[tuple[str, float]]:
        """Derives all objects, links and timelines; each step is told before it is taken."""
        yield "objects", 0.0
        self._table("stirred_aliases", "select distinct alias_key from alias_facts")
        self._insert(RESOLUTIONS, self._files[RESOLUTIONS.file])
        self._view("resolved_facts", self._files["21b_all_resolved_facts"])
        self._view("object_names", self._files["21d_all_object_names"])
        self._view("bystander_facts", self._files["21_all_bystander_facts"])
        self._view("touched_resolutions", "from resolutions")
        self._table("objects_before", "from objects limit 0")
        self._table("touched_mentions", "select distinct mention_key from object_facts")
        for relation in (OBJECTS, CORRELATIONS, MILESTONES, PAUSE_SIGNS):
            self._insert(relation, self._files[relation.file])
            self._view(f"{relation.table}_fresh", f"from {relation.table}")
        yield "failures", 0.2
        self._table("failed_runs", self._files["25c_all_failed_runs"])
        self._scratch(FAILURES.file)
        self._judge()
        self._say()
        self._insert(FAILURES)
        self._table("outage_windows", self._files["26c_all_outage_windows"])
        if bounds := self._window_bounds():
            self._scratch(OUTAGES.file, bounds)
            self._insert(OUTAGES)
        yield "links", 0.3
        self._table("touched_children", "select object_key as child_key from objects")
        self._view("link_evidence", self._files["24b_all_link_evidence"])
        for scratch in ("24b_said_links", "24c_untied_children", "24d_correlated_links"):
            self._scratch(scratch)
        self._insert(LINKS, self._files[LINKS.file])
        self._insert(OBJECT_WARNINGS, self._files[OBJECT_WARNINGS.file])
        yield "timelines", 0.45
        self._view("near_links", "from links where kind = 'part_of'")
        self._view("near_rows", "from objects")
        self._view("near_milestones", "from object_milestones")
        self._table(
            "touched_leads", "select object_key as lead_key from objects semi join cat_lead_types using (object_type)"
        )
        self._scratch("29_timeline_reach")
        for relation in REACHED:
            self._insert(relation, self._files[relation.file])
            self._view(f"{relation.table}_fresh", f"from {relation.table}")
        stretches = 1 + self._number("select count(*) from timeline_reach where depth = 0") // LEADS_AT_ONCE
        for number in range(stretches):
            yield "timelines", 0.55 + 0.4 * number / stretches
            self._derive_stretch_of_leads(number * KEYS // stretches, (number + 1) * KEYS // stretches - 1)
        yield "checks", 0.95
        self._table(
            "touched_parents",
            "select object_key as parent_key from objects"
            " where object_type in (select object_type from cat_object_types where above_lead)",
        )
        self._c.execute("delete from check_failures")
        self._find_duplicates()
        self._keep_check_failures()
        self._table("identities_before", "select mention_key, object_type, identity, value from identity_facts limit 0")
        self._scratch("46_stirred_identities")
        self._table("stirred_interfaces", self._files["47a_all_stirred_interfaces"])
        self._find_standing_checks(identities=1, interfaces=1)
        self._view("touched_stakes", "select distinct object_key from failures")
        self._insert(STAKES, self._files[STAKES.file])

    def _derive_stretch_of_leads(self, first_key: int, last_key: int) -> None:
        """The timelines of the leads of those keys: some at a time, so that what is made of them fits into memory."""
        for relation in REACHED:
            self._view(
                f"{relation.table}_fresh", f"from {relation.table} where lead_key between {first_key} and {last_key}"
            )
        for relation in LEAD_GRAIN:
            if relation not in REACHED:
                self._before(relation)
                self._scratch(relation.file)
                self._insert(relation)
        self._find_contradictions()
        self._keep_check_failures()

    def _judge(self) -> None:
        """Every signature among the fresh failures has its verdict; each is judged once per catalogue."""
        unseen = self._run(self._files["26a_unjudged"]).fetchall()
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
                    fingerprint("dependency", system, operation, code or "", normalise_message(message or "")),
                    system,
                    operation,
                )
            )
        if rows:
            self._c.executemany("insert into signatures values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _say(self) -> None:
        """Every fresh failure has its sentence: the verdict of its signature in the words of its own message."""
        unsaid = self._run(self._files["26b_unsaid"]).fetchall()
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

    # -- the relations of this module: names below are its own, never values -------------------------------------------

    def _scratch(self, file: str, parameters: Mapping[str, Any] | None = None, *, empty: bool = False) -> None:
        """The scratch table of `file` is made anew; left without rows, cheaply, when it is known to be `empty`.

        It is called as the file is, without its number; what belongs in a derived table ends in `_fresh`.
        """
        name = file.split("_", 1)[1]
        name = f"{name}_fresh" if name in DERIVED else name
        if empty and name in self._made:
            self._c.execute(f"delete from {name}")  # noqa: S608
            return
        self._table(name, self._files[file], parameters)
        self._made.add(name)

    def _table(self, name: str, text: str, parameters: Mapping[str, Any] | None = None) -> None:
        self._run(f"create or replace temp table {name} as {text}", parameters)

    def _view(self, name: str, text: str) -> None:
        self._c.execute(f"create or replace temp view {name} as {text}")

    def _insert(self, relation: Relation, text: str | None = None, parameters: Mapping[str, Any] | None = None) -> None:
        text = text or f"from {relation.table}_fresh"
        self._run(f"insert into {relation.table} {text}", parameters)

    def _delete(self, relation: Relation, where: str = "", parameters: Mapping[str, Any] | None = None) -> None:
        touched, _, column = relation.touched.partition(":")
        keys = f"select {column or relation.key} from {touched}"  # noqa: S608
        text = f"delete from {relation.table} where {where} {relation.key} in ({keys})"  # noqa: S608
        self._run(text, parameters)

    def _stretch(self, traces: str) -> dict[str, int]:
        """The first and last record of `traces`, a scratch table."""
        text = f"select coalesce(min(first_seq), 0), coalesce(max(last_seq), 0) from {traces}"  # noqa: S608
        row = self._run(text).fetchone()
        assert row is not None
        return {"min_seq": int(row[0]), "max_seq": int(row[1])}

    def _number(self, text: str, parameters: Mapping[str, Any] | None = None) -> int:
        row = self._run(text, parameters).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def _run(self, text: str, parameters: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        """Executes one statement with those of the parameters that it names; it is parsed once in this projector's life."""
        statement = self._statements.get(text)
        if statement is None:
            [statement] = self._c.extract_statements(text)
            self._statements[text] = statement
        return self._c.execute(statement, _used(text, parameters))

    def _forget(self) -> None:
        """No scratch table or view is left."""
        found = self._c.execute(
            "select 'table', table_name from duckdb_tables() where temporary"
            " union all select 'view', view_name from duckdb_views() where temporary and not internal"
        ).fetchall()
        for kind, name in sorted(found, reverse=True):
            self._c.execute(f"drop {kind} if exists temp.{name}")
        self._made.clear()


def _used(text: str, parameters: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {key: value for key, value in (parameters or {}).items() if f"${key}" in text} or None


def _reading(catalogue: Catalogue) -> dict[str, Any]:
    """The parameters by which 01_trace_spans and 02_span_ids read what the catalogue names."""
    parameters: dict[str, Any] = {}
    names: dict[str, str] = {}
    for role in ROLES:
        attributes = catalogue.role_attributes(role)
        if role != "payload":  # as long as it may be, it is read where one is asked for only
            names |= dict.fromkeys(attributes, "VARCHAR")
        for slot in range(NAMES_PER_ROLE):
            parameters[f"{role}_{slot + 1}"] = attributes[slot] if slot < len(attributes) else attributes[0]
    asked = [row for row in catalogue_tables.id_paths(catalogue) if row["role"] != "share"]
    return parameters | {
        "role_structure": json.dumps(names),
        "id_positions": [row["position"] for row in asked],
        "id_paths": [f'$."{row["attribute"]}"' for row in asked],
        "payload_attributes": [f'$."{name}"' for name in catalogue.role_attributes("payload")],
        "payload_paths": catalogue.payloads.paths,
        "identity_paths": catalogue.checks.identity_paths,
        "looks_for_drift": catalogue.checks.drift_after is not None,
        "odd_ids": not all(row["attribute"].endswith(".id") for row in asked),
    }
