"""Failure rules: what a failure's code and words are evidence of, as data read from YAML packs.

A pack is a file of rules in one *layer*. The installation's own rules decide alone; all others are votes that
`trace_model.signatures.classify` counts. Nothing here opens a network, a database or a screen: packs are files,
read once at start, and a fault in one is a catalogue fault with file and line.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from trace_model.catalogue.calibration import Calibration
from trace_model.errors import CatalogueError
from trace_model.word_weights import WordWeights

FailureClass = Literal["business", "technical", "dependency", "unknown"]
Category = Literal[
    "customer_master",
    "pricing_product",
    "tax",
    "credit_payment",
    "order_validation",
    "invoice_billing",
    "duplicate",
    "contract_schema",
    "auth_config",
    "rate_limit",
    "timeout",
    "outage",
    "concurrency_lock",
    "internal_error",
    "stalled_flow",
    "unknown",
]
Layer = Literal["own", "system", "protocol", "words", "fallback"]

SHIPPED_PACKS = Path(__file__).parent / "packs"
CALIBRATION_FILE = "calibration.yaml"
LEARNED_FILE = "learned.json"
SYSTEMS_REMEMBERED = 1000


class CategoryFacts(NamedTuple):
    """What a category means to a reader, and what follows from it where a rule does not say otherwise."""

    label: str
    class_: FailureClass
    transient: bool
    sentence: str  # completes "<system> ..." when the message itself is not fit to show


CATEGORIES: Mapping[Category, CategoryFacts] = {
    "customer_master": CategoryFacts("Customer data", "business", False, "refused the customer's data"),
    "pricing_product": CategoryFacts("Price or product", "business", False, "refused the product or its price"),
    "tax": CategoryFacts("Tax", "business", False, "refused the tax data"),
    "credit_payment": CategoryFacts("Credit or payment", "business", False, "refused the payment or credit"),
    "order_validation": CategoryFacts("Order rule", "business", False, "refused the order"),
    "invoice_billing": CategoryFacts("Invoice or billing", "business", False, "refused the invoice or posting"),
    "duplicate": CategoryFacts("Duplicate", "business", False, "already has this record"),
    "contract_schema": CategoryFacts("Message format", "technical", False, "could not read what we sent"),
    "auth_config": CategoryFacts("Access or setup", "technical", False, "refused our access or is not set up for this"),
    "rate_limit": CategoryFacts("Rate limit", "dependency", True, "is limiting how fast we may call"),
    "timeout": CategoryFacts("Timeout", "dependency", True, "did not answer in time"),
    "outage": CategoryFacts("Outage", "dependency", True, "could not be reached"),
    "concurrency_lock": CategoryFacts("Record lock", "technical", True, "had the record locked by something else"),
    "internal_error": CategoryFacts("Internal error", "technical", False, "failed internally"),
    "stalled_flow": CategoryFacts("Stalled flow", "technical", False, "went no further"),
    "unknown": CategoryFacts("Not recognised", "unknown", False, "failed in a way that is not recognised"),
}
"""Business-readable label, usual class and usual transience of each category: the one table of them."""


def _regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as fault:
        raise ValueError(f"{pattern!r} is not a regular expression ({fault})") from None
    return pattern


def _status(text: int | str) -> int | str:
    if isinstance(text, str) and not re.fullmatch(r"[1-5]xx", text):
        raise ValueError(f"{text!r} is neither a status number nor a class of them such as 5xx")
    return text


Regex = Annotated[str, AfterValidator(_regex)]
Strings = tuple[str, ...]
Model = TypeVar("Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Strict):
    """What must be seen. Every field given must hold; within a field any one entry suffices.

    `system`, `operation`, `code` and `exception` are globs without regard to case; `exception` is tried on the whole
    class name and on its last part, of the exception or, failing that, of the code. `message` is a regular expression
    over the raw message; `words` and `unless` are regular expressions over the words of code and message, lower-case
    and single-spaced, abbreviations written out; `code_words` over those of the code alone.
    """

    system: Strings = ()
    operation: Strings = ()
    code: Strings = ()
    exception: Strings = ()
    message: tuple[Regex, ...] = ()
    words: tuple[Regex, ...] = ()
    code_words: tuple[Regex, ...] = ()
    unless: tuple[Regex, ...] = ()
    http_status: tuple[Annotated[int | str, AfterValidator(_status)], ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> When:
        if not self.model_dump(exclude={"unless"}, exclude_defaults=True):
            raise ValueError("`when` must name at least one thing that must be seen")
        return self


class Then(_Strict):
    """What it is evidence of. `class` and `transient` follow from the category where they are not given."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    category: Category
    class_: FailureClass | None = Field(default=None, alias="class")
    transient: bool | None = None

    @property
    def failure_class(self) -> FailureClass:
        return self.class_ or CATEGORIES[self.category].class_

    @property
    def is_transient(self) -> bool:
        if self.transient is not None:
            return self.transient
        return CATEGORIES[self.category].transient or self.failure_class == "dependency"


class FailureRule(_Strict):
    """One piece of evidence: seen this, it is that, with this confidence when nothing else is seen."""

    id: str
    when: When
    then: Then
    confidence: float = Field(default=0.9, gt=0.5, lt=1.0)
    why: str = ""
    layer: Layer = "own"


class RulePack(_Strict):
    """A file of rules: one layer, and defaults that hold for each of its rules."""

    pack: str
    layer: Layer
    provenance: str
    abbreviations: dict[str, str] = Field(default_factory=dict)
    names: Strings = ()
    rules: tuple[FailureRule, ...]

    @model_validator(mode="before")
    @classmethod
    def _layer_of_rules(cls, pack: Any) -> Any:
        if isinstance(pack, dict) and isinstance(pack.get("rules"), list):
            rules = [{**rule, "layer": pack.get("layer")} if isinstance(rule, dict) else rule for rule in pack["rules"]]
            return {**pack, "rules": rules}
        return pack


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its patterns compiled, so that classifying reads no text of rules."""

    rule: FailureRule
    codes: frozenset[str]
    code_globs: re.Pattern[str] | None
    systems: re.Pattern[str] | None
    operations: re.Pattern[str] | None
    exceptions: re.Pattern[str] | None
    message: re.Pattern[str] | None
    words: re.Pattern[str] | None
    code_words: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    statuses: frozenset[int]


def _globs(patterns: Strings) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(fnmatch.translate(pattern.casefold()) for pattern in patterns))


def _any(patterns: Sequence[str], flags: int = 0) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), flags) if patterns else None


def _statuses(entries: Sequence[int | str]) -> Iterator[int]:
    for entry in entries:
        if isinstance(entry, int):
            yield entry
        else:
            yield from range(int(entry[0]) * 100, int(entry[0]) * 100 + 100)


def compiled(rule: FailureRule) -> CompiledRule:
    """`rule` ready to be tried on signatures."""
    when = rule.when
    literal = not any(set(code) & set("*?[") for code in when.code)
    return CompiledRule(
        rule=rule,
        codes=frozenset(code.casefold() for code in when.code) if literal else frozenset(),
        code_globs=None if literal else _globs(when.code),
        systems=_globs(when.system),
        operations=_globs(when.operation),
        exceptions=_globs(when.exception),
        message=_any(when.message, re.IGNORECASE),
        words=_any([rf"\b(?:{pattern})\b" for pattern in when.words]),
        code_words=_any([rf"\b(?:{pattern})\b" for pattern in when.code_words]),
        unless=_any([rf"\b(?:{pattern})\b" for pattern in when.unless]),
        statuses=frozenset(_statuses(when.http_status)),
    )


class SystemRules(NamedTuple):
    """The rules that may speak of one system: its owner's in order, those for a code they name, and the rest."""

    own: tuple[CompiledRule, ...]
    by_code: Mapping[str, tuple[CompiledRule, ...]]
    others: tuple[CompiledRule, ...]


def _sorted_by_trial(rules: Sequence[CompiledRule]) -> SystemRules:
    by_code: dict[str, list[CompiledRule]] = {}
    shipped = [rule for rule in rules if rule.rule.layer != "own"]
    for rule in shipped:
        for code in rule.codes:
            by_code.setdefault(code, []).append(rule)
    return SystemRules(
        own=tuple(rule for rule in rules if rule.rule.layer == "own"),
        by_code={code: tuple(named) for code, named in by_code.items()},
        others=tuple(rule for rule in shipped if not rule.codes),
    )


@dataclass(frozen=True)
class Rules:
    """Every rule that may speak, in order: the installation's own first, then the shipped packs."""

    rules: tuple[FailureRule, ...]
    abbreviations: Mapping[str, str] = field(default_factory=dict)
    names: Strings = ()
    calibration: Calibration = field(default_factory=lambda: Calibration(provenance="none: raw vote share"))
    learned: WordWeights | None = None

    @cached_property
    def compiled(self) -> tuple[CompiledRule, ...]:
        return tuple(compiled(rule) for rule in self.rules)

    @cached_property
    def noise(self) -> re.Pattern[str] | None:
        """The names of products that are taken out of a text before its words are read."""
        longest_first = sorted(self.names, key=len, reverse=True)
        return _any([rf"\b{re.escape(name)}\b" for name in longest_first])

    @cached_property
    def _by_system(self) -> dict[str, SystemRules]:
        return {}

    def for_system(self, system: str) -> SystemRules:
        """The rules that may speak of `system`, sorted by how they are tried."""
        name = system.casefold()
        known = self._by_system.get(name)
        if known is None:
            known = _sorted_by_trial([r for r in self.compiled if r.systems is None or r.systems.match(name)])
            if len(self._by_system) < SYSTEMS_REMEMBERED:
                self._by_system[name] = known
        return known

    def without_knowledge_of(self, system: str) -> Rules:
        """The same rules less all that name `system`: general evidence only, for measuring on systems not foreseen."""
        name = system.casefold()

        def names_it(rule: FailureRule) -> bool:
            systems = _globs(rule.when.system)
            return rule.layer in ("own", "system") and systems is not None and systems.match(name) is not None

        return replace(self, rules=tuple(rule for rule in self.rules if not names_it(rule)))


def load_rules(paths: Sequence[Path] | None = None, own_rules: Sequence[FailureRule] = ()) -> Rules:
    """`own_rules` (the catalogue's) and then the packs at `paths`; None means the packs that are shipped.

    A directory stands for every `*.yaml` in it, by name; `calibration.yaml` beside them gives measured confidences, and
    `learned.json` what words have stood for.
    Raises CatalogueError with every fault as `file, line N: what`: permanent, mend the file.
    """
    problems: list[str] = []
    rules = [rule.model_copy(update={"layer": "own"}) for rule in own_rules]
    abbreviations: dict[str, str] = {}
    names: list[str] = []
    calibration = Calibration(provenance="none: raw vote share")
    learned: WordWeights | None = None
    for path in _pack_files(paths if paths is not None else [SHIPPED_PACKS]):
        if path.name == CALIBRATION_FILE:
            calibration = _read(path, Calibration, problems) or calibration
            continue
        if path.name == LEARNED_FILE:
            learned = _read_learned(path, problems)
            continue
        pack = _read(path, RulePack, problems)
        if pack is not None:
            rules.extend(pack.rules)
            abbreviations.update(pack.abbreviations)
            names.extend(pack.names)
    problems.extend(_twice_named(rules))
    if problems:
        raise CatalogueError(problems)
    return Rules(tuple(rules), abbreviations, tuple(names), calibration, learned)


def _pack_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted([*path.glob("*.yaml"), *path.glob(LEARNED_FILE)]) if path.is_dir() else [path]


def _twice_named(rules: Sequence[FailureRule]) -> Iterator[str]:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            yield f"failure rule {rule.id!r} is defined twice; give each rule its own id"
        seen.add(rule.id)


def _read(path: Path, model: type[Model], problems: list[str]) -> Model | None:
    """The file as a `model`, or None after adding its faults, with lines, to `problems`."""
    try:
        text = path.read_text(encoding="utf-8")
        parsed = _parsed(text, model)
        assert isinstance(parsed, model)
        return parsed
    except OSError as fault:
        problems.append(f"{path.name}: cannot be read ({fault.strerror}); check the path")
    except MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        problems.append(f"{path.name}, line {line}: not YAML: {fault.problem}")
    except ValidationError as invalid:
        tree = YAML(typ="rt").load(text)
        for error in invalid.errors():
            where = ".".join(str(part) for part in error["loc"])
            problems.append(f"{path.name}, line {_line(tree, error['loc'])}: {where or 'file'}: {error['msg']}")
    return None


@lru_cache(maxsize=64)
def _parsed(text: str, model: type[BaseModel]) -> BaseModel:
    """`text` as a `model`; models are frozen, so that every store of a process may share what the same text says."""
    return model.model_validate(YAML(typ="safe").load(text))


def _read_learned(path: Path, problems: list[str]) -> WordWeights | None:
    try:
        learned = WordWeights.read(path)
        strange = {category for _, category in learned.outcomes} - set(CATEGORIES)
        if not strange:
            return learned
        problems.append(f"{path.name}: {', '.join(sorted(strange))} are no categories; learn it anew")
    except OSError as fault:
        problems.append(f"{path.name}: cannot be read ({fault.strerror}); check the path")
    except ValueError as fault:
        problems.append(f"{path.name}: {fault}")
    return None


def _line(tree: Any, location: Sequence[int | str]) -> int:
    """The line, counted from 1, of the deepest part of `location` that the file has."""
    line = 1
    for part in location:
        if isinstance(tree, CommentedMap) and part in tree:
            line = tree.lc.key(part)[0] + 1
        elif isinstance(tree, CommentedSeq) and isinstance(part, int) and part < len(tree):
            line = tree.lc.item(part)[0] + 1
        else:
            break
        tree = tree[part]
    return line
