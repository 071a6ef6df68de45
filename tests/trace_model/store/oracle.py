"""What the projection must say of a handful of spans, worked out slowly in plain loops. Shares no code with the SQL.

Objects are named (type, id, scope). Every function reads like the rule it checks; docs/timelines.md states the rules.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from tests.trace_model.store.spans_of import Span
from trace_model.catalogue.schema import SEGMENTS, Catalogue, Promise

Mention = tuple[str, str, str, str]
"""An id as said: object type, the system whose id it is ('' the object's own), scope, id."""
MINOR_DIGITS = {"JPY": 0}


def text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None


def as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


@dataclass(eq=False)
class Said:
    """One span with what it says, and the spans it stands among."""

    span: Span
    system: str
    operation: str | None
    milestone: str | None
    subject_type: str | None
    own: dict[Mention, str] = field(default_factory=dict)
    """Ids the span speaks under -> 'id' or 'alias'."""
    repeated: set[Mention] = field(default_factory=set)
    """Aliases beside the object's own id."""
    parents: list[tuple[str, Mention, str, Decimal | None, Decimal | None]] = field(default_factory=list)
    """(child type, parent, kind, amount, quantity) that the span names."""
    above: list[Said] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return self.span.error is not None

    def attribute(self, name: str) -> Any:
        return self.span.attributes.get(name)


class Oracle:
    def __init__(
        self,
        spans: list[Span],
        catalogue: Catalogue,
        deeds: dict[tuple[str, str], list[tuple[float, bool, str]]] | None = None,
        tied_by_hand: Sequence[tuple[str, str]] = (),
        won: Mapping[tuple[str, str, str], Mapping[str, Any]] | None = None,
    ) -> None:
        """`tied_by_hand`: child and parent of each link that a person made and nobody took back, as `invoice:INV-1`.

        `won`: by (type, id, scope), what won where two spans of one instant say different things of an object and either may win.
        """
        self.won = won or {}
        self.c = catalogue
        self.deeds = deeds or {}
        self.tied_by_hand = tied_by_hand
        self.rank = {t.name: i for i, t in enumerate(catalogue.object_types)}
        self.traversed = {t.name for t in catalogue.object_types if t.traversed}
        self.milestones_by_name = {m.name: m for m in catalogue.milestones}
        distinct = {(s.trace, s.span): s for s in spans}
        self.said = {key: self.read(span) for key, span in distinct.items()}
        for key, said in self.said.items():
            said.above = self.ancestors(key)
        self.resolutions = self.resolve()
        self.facts = self.find_facts()
        self.objects = self.find_objects()
        self.links = self.find_links()
        self.members = self.find_members()
        self.milestones = {lead: self.find_milestones(lead) for lead in self.members}
        self.pauses = {lead: self.find_pauses(lead) for lead in self.members}
        self.failures = self.find_failures()

    # -- one span ------------------------------------------------------------------------------------------------

    def role(self, span: Span, role: str) -> str | None:
        for name in self.c.role_attributes(role):
            if span.attributes.get(name) is not None:
                return text(span.attributes[name])
        return None

    def system_named(self, name: str) -> str:
        for system in self.c.systems:
            if name == system.name or name in system.also_known_as:
                return system.name
        return name

    def read(self, span: Span) -> Said:
        kinds = {s.name: s.kind for s in self.c.systems}
        system = self.system_named(span.service)
        dependency = self.role(span, "dependency")
        if kinds.get(system) == "integration" and dependency:
            system = self.system_named(dependency)
        operation = self.role(span, "operation")
        declared = self.role(span, "milestone")
        by_operation = next((m for m in self.c.milestones if operation in m.operations), None)
        milestone = self.milestones_by_name.get(declared or "") or by_operation
        subject = (
            milestone.object if milestone else next((o.object for o in self.c.operations if o.name == operation), None)
        )
        said = Said(span, system, operation, milestone.name if milestone and span.error is None else None, subject)
        for t in self.c.object_types:
            ids = [
                (t.name, "", self.scope(t.scope, said), i) for a in t.id_attributes for i in as_list(said.attribute(a))
            ]
            said.own |= dict.fromkeys(ids, "id")
            for alias in t.aliases:
                for i in as_list(said.attribute(alias.attribute)):
                    mention = (t.name, alias.system, self.scope(alias.scope, said), i)
                    if ids:
                        said.repeated.add(mention)
                    else:
                        said.own[mention] = "alias"
        for r in self.c.relations:
            amounts, quantities = (
                as_list(said.attribute(r.amount_attribute)),
                as_list(said.attribute(r.quantity_attribute)),
            )
            for at, i in enumerate(as_list(said.attribute(r.id_attribute))):
                amount = number(amounts[at]) if at < len(amounts) else None
                quantity = number(quantities[at]) if at < len(quantities) else None
                said.parents.append((r.child, (r.parent, "", "", i), r.kind, amount, quantity))
        return said

    def scope(self, scope: str, said: Said) -> str:
        return {"global": "", "system": said.system, "legal_entity": said.attribute("q2c.legal_entity") or ""}[scope]

    def ancestors(self, key: tuple[int, int]) -> list[Said]:
        trace, at = key
        found: list[Said] = []
        while True:
            parent = self.said[trace, at].span.parent
            if (
                parent is None
                or parent == at
                or (trace, parent) not in self.said
                or parent == key[1]
                or len(found) > 63
            ):
                return found
            found.append(self.said[trace, parent])
            at = parent

    def traversed_ids(self, said: Said) -> list[Mention]:
        return [m for m in said.own if m[0] in self.traversed]

    def keyed_above(self, said: Said) -> Said | None:
        return next((s for s in said.above if self.traversed_ids(s)), None)

    # -- objects -------------------------------------------------------------------------------------------------

    def resolve(self) -> dict[Mention, Mention | None]:
        seen: dict[Mention, set[Mention]] = defaultdict(set)
        for said in self.said.values():
            for alias in said.repeated:
                canonical = {m for m, role in said.own.items() if m[0] == alias[0] and role == "id"}
                if len(canonical) == 1:
                    seen[alias] |= canonical
        return {alias: next(iter(c)) if len(c) == 1 else None for alias, c in seen.items()}

    def object_of(self, mention: Mention) -> Mention:
        return self.resolutions.get(mention) or mention

    def find_facts(self) -> list[dict[str, Any]]:
        """Every span's word on every object: how it came to speak of it, and whether it is the span's subject."""
        facts = []
        for said in self.said.values():
            via = dict(said.own)
            if (said.operation or said.milestone) and not self.traversed_ids(said):
                keyed = self.keyed_above(said)
                via |= dict.fromkeys(self.traversed_ids(keyed) if keyed else [], "parent")
            fitness = {
                m: (1000 if m[0] == said.subject_type else 0) + (self.rank[m[0]] if m[0] in self.traversed else -1)
                for m in via
            }
            subjects = [m for m in via if fitness[m] == max(fitness.values())]
            for m in {*via, *said.repeated, *(p[1] for p in said.parents)}:
                how = via.get(m) or ("alias" if m in said.repeated else "relation")
                single = subjects == [m]
                facts.append(
                    {
                        "said": said,
                        "object": self.object_of(m),
                        "mention": m,
                        "via": how,
                        "subject": m in subjects,
                        "amount": number(self.role(said.span, "amount")) if single else None,
                        "currency": self.role(said.span, "currency") if m in subjects else None,
                        "quantity": number(self.role(said.span, "quantity")) if single else None,
                    }
                )
        return facts

    def find_objects(self) -> dict[Mention, dict[str, Any]]:
        """Each object with what may be said of it: sets, since two spans of one instant may differ and either may win."""
        has_alias = {t.name for t in self.c.object_types if t.aliases}
        objects: dict[Mention, dict[str, Any]] = {}
        for key in {f["object"] for f in self.facts}:
            facts = [f for f in self.facts if f["object"] == key]
            own = [f | {"region": f["said"].attribute("q2c.region")} for f in facts if f["via"] != "relation"]
            priced = [f for f in facts if f["amount"] is not None and f["currency"] is not None]
            bystander = key[0] not in self.traversed | has_alias
            first = min(((f["via"] == "relation" and not bystander), f["said"].span.at) for f in facts)
            objects[key] = {
                "first_seen": min(f["said"].span.at for f in facts),
                "last_seen": max(f["said"].span.until for f in facts),
                "system": {
                    f["said"].system
                    for f in facts
                    if ((f["via"] == "relation" and not bystander), f["said"].span.at) == first
                },
                "amount": {None} if bystander else self.last_said(facts, "amount"),
                "currency": {None} if bystander else self.last_said(priced or facts, "currency"),
                "quantity": {None} if bystander else self.last_said(facts, "quantity"),
                "region": {None} if bystander else self.last_said(own, "region"),
            }
        return objects

    @staticmethod
    def last_said(facts: list[dict[str, Any]], what: str) -> set[Any]:
        known = [f for f in facts if f[what] is not None]

        def standing(fact: dict[str, Any]) -> tuple[bool, bool, float]:
            return fact["subject"], not fact["said"].failed, fact["said"].span.until

        best = max(map(standing, known), default=None)
        return {f[what] for f in known if standing(f) == best} or {None}

    # -- links ---------------------------------------------------------------------------------------------------

    def relation(self, child: str, parent: str, kind: str = "part_of") -> int | None:
        found = [i for i, r in enumerate(self.c.relations) if (r.child, r.parent, r.kind) == (child, parent, kind)]
        return found[0] if found else None

    def evidence(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def add(
            said: Said, child: Mention, parent: Mention, kind: str, source: str, confidence: float, **more: Any
        ) -> None:
            c, p = self.object_of(child), self.object_of(parent)
            if c != p:
                found.append(
                    {
                        "child": c,
                        "parent": p,
                        "kind": kind,
                        "source": source,
                        "confidence": confidence,
                        "at": said.span.until,
                    }
                    | {"amount": None, "quantity": None}
                    | more
                )

        for below, above in self.tied_by_hand:
            (child_type, _, child_id), (parent_type, _, parent_id) = below.partition(":"), above.partition(":")
            child, parent = (
                self.object_of((child_type, "", "", child_id)),
                self.object_of((parent_type, "", "", parent_id)),
            )
            if {child, parent} <= set(self.objects):
                found.append(
                    {"child": child, "parent": parent, "kind": "part_of", "source": "operator", "confidence": 1.0}
                    | {"at": 0, "amount": None, "quantity": None}
                )
        for said in self.said.values():
            own = list(said.own)
            for child_type, parent, kind, amount, quantity in said.parents:
                for child in own:
                    if child[0] == child_type and child != parent:
                        add(said, child, parent, kind, "explicit", 1.0, amount=amount, quantity=quantity)
            keyed = self.keyed_above(said)
            for child in own:
                for parent in own:
                    single = 1 in (self.count(own, child[0]), self.count(own, parent[0]))
                    if child[0] != parent[0] and single and self.relation(child[0], parent[0]) is not None:
                        add(said, child, parent, "part_of", "same_span", 0.9)
                for parent in keyed.own if keyed else ():
                    single = self.count(list(keyed.own), parent[0]) == 1 if keyed else False
                    if child[0] != parent[0] and single and self.relation(child[0], parent[0]) is not None:
                        add(said, child, parent, "part_of", "trace_parent", 0.8)
            near = [(said.span.trace, said.span.span)]
            pairs = {
                pair
                for far in said.span.links
                if far in self.said
                for a in self.ids_at(near[0])
                for b in self.ids_at(far)
                for pair in ((a, b), (b, a))
                if pair[0][0] != pair[1][0] and self.relation(pair[0][0], pair[1][0]) is not None
            }
            for child, parent in pairs:
                alike = [(c, p) for c, p in pairs if c[0] == child[0] and p[0] == parent[0]]
                if len({c for c, _ in alike}) == 1 or len({p for _, p in alike}) == 1:
                    add(said, child, parent, "part_of", "span_link", 0.8)
        return found

    @staticmethod
    def count(mentions: list[Mention], object_type: str) -> int:
        return sum(1 for m in mentions if m[0] == object_type)

    def ids_at(self, key: tuple[int, int]) -> set[Mention]:
        """The ids that one end of a span link stands for: its own, else those above, else the first ones below."""
        said = self.said[key]
        holder = said if self.traversed_ids(said) else self.keyed_above(said)
        if holder:
            return set(self.traversed_ids(holder))
        below: set[Mention] = set()
        for other in self.said.values():
            if other.span.trace == key[0] and said in other.above and self.keyed_above(other) is None:
                below |= set(self.traversed_ids(other))
        return below

    def correlated(self, tied: set[Mention]) -> list[dict[str, Any]]:
        on: dict[str, set[Mention]] = defaultdict(set)
        for fact in self.facts:
            correlation = self.role(fact["said"].span, "correlation_id")
            if correlation and fact["via"] != "relation" and fact["object"][0] in self.traversed:
                on[correlation].add(fact["object"])
        found = []
        for child in self.objects:
            candidates = []
            for objects in on.values() if child not in tied else ():
                leads = sum(1 for o in objects if o[0] == self.c.lead_types[0])
                for parent in objects if child in objects and len(objects) <= 200 and leads <= 1 else ():
                    position = self.relation(child[0], parent[0])
                    if parent != child and position is not None and self.count(list(objects), parent[0]) == 1:
                        candidates.append((position, parent))
            for parent in {p for position, p in candidates if position == min(candidates)[0]}:
                found.append(
                    {"child": child, "parent": parent, "kind": "part_of", "source": "correlation", "confidence": 0.6}
                    | {"at": self.objects[child]["first_seen"], "amount": None, "quantity": None}
                )
        return found

    def find_links(self) -> dict[tuple[Mention, Mention, str], dict[str, Any]]:
        evidence = self.evidence()
        evidence += self.correlated({e["child"] for e in evidence if e["kind"] == "part_of"})
        links: dict[tuple[Mention, Mention, str], dict[str, Any]] = {}
        for e in evidence:
            rivals = [
                o
                for o in evidence
                if (o["child"], o["parent"][0], o["kind"]) == (e["child"], e["parent"][0], e["kind"])
            ]
            best = max(o["confidence"] for o in rivals)
            if e["confidence"] < best:
                continue
            same = [o for o in rivals if o["parent"] == e["parent"] and o["confidence"] == best]
            links[e["child"], e["parent"], e["kind"]] = {
                "source": min(same, key=lambda o: (o["at"], o["source"]))["source"],
                "confidence": best,
                "amount": self.latest(same, "amount"),
                "quantity": self.latest(same, "quantity"),
            }
        for (child, parent, kind), link in links.items():
            siblings = [k for k in links if (k[0], k[1][0], k[2]) == (child, parent[0], kind)]
            weights = self.weights(links, siblings)
            link["share"] = weights[child, parent, kind] / sum(weights.values())
            positions = [self.relation(child[0], k[1][0]) for k in links if k[0] == child and k[2] == "part_of"]
            link["allocating"] = kind == "part_of" and self.relation(child[0], parent[0]) == min(
                p for p in positions if p is not None
            )
        return links

    @staticmethod
    def latest(evidence: list[dict[str, Any]], what: str) -> Decimal | None:
        known = [(e["at"], e[what]) for e in evidence if e[what] is not None]
        value: Decimal | None = max(known)[1] if known else None
        return value

    def weights(self, links: dict[Any, Any], siblings: list[Any]) -> dict[Any, Fraction]:
        """How much each of the parents of one child and type counts, by its link."""
        for measure in ("amount", "quantity"):
            known = {s: links[s][measure] for s in siblings if links[s][measure] is not None}
            if len(known) == len(siblings) and sum(known.values()) > 0:
                return {s: Fraction(n) for s, n in known.items()}
        measure = "quantity" if self.settled(siblings[0][0], "amount") is None else "amount"
        worth = {s: self.settled(s[1], measure) for s in siblings}
        currencies = {s: self.settled(s[1], "currency") for s in siblings}
        if measure == "amount" and len(set(currencies.values())) > 1:
            rates = {s: Decimal(str(self.c.rates[c])) if c in self.c.rates else None for s, c in currencies.items()}
            worth = {
                s: None
                if n is None or (rate := rates[s]) is None
                else (n * rate).quantize(Decimal("0.0001"), ROUND_HALF_UP)
                for s, n in worth.items()
            }
        known = {s: n for s, n in worth.items() if n is not None and n > 0}
        if len(known) == len(siblings):
            return {s: Fraction(n) for s, n in known.items()}
        return dict.fromkeys(siblings, Fraction(1))

    def settled(self, mention: Mention, what: str) -> Any:
        """What is said of an object; where either of two may win, the one that did. Nothing of one that only links speak of."""
        may_be = self.objects[mention][what] if mention in self.objects else {None}
        if len(may_be) == 1:
            return next(iter(may_be))
        object_type, _, scope, object_id = mention
        value = self.won[object_type, object_id, scope][what]
        assert value in may_be, (mention, what)
        return value

    # -- timelines -----------------------------------------------------------------------------------------------

    def find_members(self) -> dict[Mention, dict[Mention, dict[str, Any]]]:
        part_of = {k: v for k, v in self.links.items() if k[2] == "part_of"}
        timelines = {}
        for lead in self.objects:
            if lead[0] not in self.c.lead_types:
                continue
            preferred = self.c.lead_types[: self.c.lead_types.index(lead[0])]
            if any(p == lead and c[0] in preferred for c, p, _ in part_of):
                continue
            members: dict[Mention, dict[str, Any]] = {}
            paths: list[tuple[Mention, str, int, Fraction]] = [(lead, "self", 0, Fraction(1))]
            while paths:
                at, direction, depth, share = paths.pop()
                seen = members.setdefault(at, {"depth": depth, "direction": direction, "share": Fraction(0)})
                if (depth, direction) < (seen["depth"], seen["direction"]):
                    seen |= {"depth": depth, "direction": direction}
                seen["share"] += share
                for (child, parent, _), link in part_of.items() if depth < 16 else ():
                    if parent == at and direction != "up" and child[0] in self.traversed and child[0] != lead[0]:
                        paths.append((child, "down", depth + 1, share * link["share"] * link["allocating"]))
                    if child == at and direction != "down" and parent[0] in self.traversed and parent[0] != lead[0]:
                        paths.append((parent, "up", depth + 1, share))
            for member in members.values():
                if member["direction"] != "down":
                    member["share"] = Fraction(1)
            timelines[lead] = members
        return timelines

    def find_milestones(self, lead: Mention) -> dict[str, dict[str, Any]]:
        """Reached, taken back, and by how much; amounts only where no share or rate blurs them."""
        events: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for member, place in self.members[lead].items():
            if place["share"] == 0:
                continue
            earliest: dict[str, float] = {}
            for fact in self.facts:
                name = fact["said"].milestone
                if fact["object"] == member and fact["subject"] and name:
                    earliest[name] = min(earliest.get(name, 1e9), fact["said"].span.until)
            for name, at in earliest.items():
                events[name].append((at, 1))
                undone = self.milestones_by_name[name].undoes
                if undone:
                    events[undone].append((at, -1))
        found = {}
        for name, changes in events.items():
            reached = [at for at, sign in changes if sign > 0]
            if reached:
                found[name] = {
                    "reached": min(reached),
                    "last": max(reached),
                    "undone": max((at for at, sign in changes if sign < 0), default=None),
                    "net": sum(sign for _, sign in changes),
                }
        return found

    # -- pauses and clocks ---------------------------------------------------------------------------------------

    def signs_on(self, member: Mention) -> list[tuple[float, bool, str]]:
        """What spans say of pauses on one object: (instant, opens, pause)."""
        found = []
        named = {(s.span.trace, s.span.span): name for s, name in self.runs()}
        for fact in self.facts:
            said: Said = fact["said"]
            if fact["object"] != member or not fact["subject"]:
                continue
            run = named.get((said.span.trace, said.span.span))
            for pause in self.c.pauses:
                for opens, signs in ((True, pause.opens), (False, pause.closes)):
                    by_success = run in signs.operations and not said.failed
                    if by_success or said.milestone in signs.milestones or self.role(said.span, "pause") in signs.words:
                        found.append((said.span.until, opens, pause.name))
        return found

    def find_pauses(self, lead: Mention) -> list[tuple[str, float, float | None]]:
        """(pause, from, until) of a timeline, by walking through what was said in order of time; deeds say likewise."""
        signs = {
            sign
            for member, place in self.members[lead].items()
            if place["share"] > 0
            for sign in [*self.signs_on(member), *self.deeds.get((member[0], member[3]), [])]
        }
        found = []
        for name in {s[2] for s in signs}:
            since: float | None = None
            for at, opens, _ in sorted((s for s in signs if s[2] == name), key=lambda s: (s[0], not s[1])):
                if opens and since is None:
                    since = at
                elif not opens and since is not None:
                    found.append((name, since, at))
                    since = None
            if since is not None:
                found.append((name, since, None))
        return found

    def variant(self, promise: str, order: dict[str, Any], started_at: datetime) -> Promise | None:
        """The variant that counts for an order (a row of timelines): of those that hold, the most specific."""
        holding = []
        for p in self.c.promises:
            lists = [(getattr(p.when, name), order[name]) for name in SEGMENTS]
            lists.append((p.when.customer, order["customer_id"]))
            amount = order["reporting_amount"]
            fits = all(not values or value in values for values, value in lists)
            fits &= p.when.min_amount is None or (amount is not None and amount >= p.when.min_amount)
            fits &= p.when.below_amount is None or (amount is not None and amount < p.when.below_amount)
            fits &= p.valid_from is None or started_at.date() >= p.valid_from
            fits &= p.valid_until is None or started_at.date() <= p.valid_until
            if p.name == promise and fits:
                holding.append(p)
        return max(holding, key=lambda p: p.when.specificity, default=None)

    # -- failures ------------------------------------------------------------------------------------------------

    def runs(self) -> list[tuple[Said, str]]:
        """The spans that are runs of something, and of what; a run that failed only since one inside it did is none."""
        named = [s for s in self.said.values() if s.operation or (s.own and not any(a.operation for a in s.above))]
        acting = [s for s in named if any(f["said"] is s and f["subject"] for f in self.facts)]

        def run_above(said: Said) -> Said | None:
            return next((a for a in said.above if a.operation), None) or self.keyed_above(said)

        def failed_inside(said: Said) -> bool:
            inner = [s for s in acting if run_above(s) is said]
            for name in {s.operation or s.span.name for s in inner}:
                last = max((s.span.until, s.failed) for s in inner if (s.operation or s.span.name) == name)
                if last[1]:
                    return True
            return False

        return [(s, s.operation or s.span.name) for s in acting if not (s.failed and failed_inside(s))]

    def find_failures(self) -> dict[tuple[str, Mention], list[dict[str, Any]]]:
        tried: dict[tuple[str, Mention], list[Said]] = defaultdict(list)
        for said, name in self.runs():
            for o in {f["object"] for f in self.facts if f["said"] is said and f["subject"]}:
                tried[name, o].append(said)
        milestone_of = {o: m.name for m in self.c.milestones for o in m.operations}
        found = {}
        for (name, o), runs in tried.items():
            successes = [s.span.until for s in runs if not s.failed]
            failed_traces = {s.span.trace for s in runs if s.failed}
            successes += [
                f["said"].span.until
                for f in self.facts
                if f["object"] == o
                and f["subject"]
                and f["said"].milestone
                and f["said"].milestone == milestone_of.get(name)
                and f["said"].span.trace not in failed_traces
            ]
            episodes: dict[float | None, list[Said]] = defaultdict(list)
            for failed in (s for s in runs if s.failed):
                episodes[min((at for at in successes if at >= failed.span.until), default=None)].append(failed)
            opened = []
            for resolved, attempts in episodes.items():
                ends = [s.span.until for s in attempts]
                final = [s.span.until for s in attempts if self.role(s.span, "outcome") not in self.c.retries.outcomes]
                opens = min([*final, min(ends) + self.gives_up_after(name)])
                if resolved is None or opens <= resolved:
                    opened.append((opens, min(ends), max(ends), resolved, len(ends)))
            if opened:
                found[name, o] = [
                    {"opened": opens, "first": first, "last": last, "resolved": resolved, "attempts": attempts}
                    for opens, first, last, resolved, attempts in sorted(opened)
                ]
        return found

    def gives_up_after(self, operation: str) -> int:
        own = next((o.give_up_after_s for o in self.c.operations if o.name == operation), None)
        return self.c.retries.give_up_after_s if own is None else own
