"""A failure's signature, and what it is: class, category, whether waiting helps, and the evidence for it.

Pure: no clock, no network, no database, so a verdict can be repeated and disputed. It is called once per distinct
signature; remembering verdicts is the caller's affair. The evidence itself is data (`catalogue.failure_rules`).

How a verdict comes about: the installation's own rules decide alone, the first that fits. Otherwise every rule that
fits votes for its class and category with the log-odds of its confidence; a further rule for the same outcome adds a
quarter of its own, so saying a thing twice does not prove it. Words after the first sentence of a message are usually
advice ("check the card and try again") and count for less. The shares of the vote, read off a table of how often such
a share was right on labelled codes, are the confidence: layers that disagree lower it by themselves.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from trace_model.catalogue.failure_rules import (
    CATEGORIES,
    Category,
    CompiledRule,
    FailureClass,
    FailureRule,
    Rules,
)

REPEATED_EVIDENCE = 0.25  # weight of a further rule for the same outcome
ADVICE = 0.4  # weight of words after a message's first sentence
BARE_STATUS = 0.5  # weight of a three-digit code that may or may not be an HTTP status
NO_EVIDENCE = 0.3  # log-odds that stand for "something else" in every vote
WORDS_READ = 300  # characters of a message that are read for words: what happened is said first
MESSAGE_KEPT = 1000  # characters of a message that tell one failure from another
FIRM = 2.0  # weight of a rule about a code, status or exception that is to be believed before words are
LEARNED_BESIDE_FIRM = 0.3  # power of a learned share where such a rule speaks
LEAST_SHARE = 0.005  # added to a learned share, which is never nothing
LEARNED_ALONE = 0.25  # share below which learned words alone say nothing
WORD_LEAST = 3  # letters of a word that may speak alone
LEARNED_RULE = "words.learned"
FACTS_SHOWN = 6


Outcome = tuple[FailureClass, Category]


@dataclass(frozen=True)
class Signature:
    """What is the same each time a failure happens again, as the failing system put it."""

    system: str
    code: str
    message: str = ""
    operation: str | None = None
    http_status: int | None = None
    exception: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What a failure is. `confidence` is the measured chance that class and category are both right, 0 to 1.

    `rule` is the rule that weighed most, "" if none fitted; `facts` says what was seen and which rule said so,
    heaviest first.
    """

    class_: FailureClass
    transient: bool
    category: Category
    confidence: float
    rule: str
    facts: tuple[str, ...]


UNKNOWN = Verdict("unknown", False, "unknown", 0.0, "", ("nothing seen that a rule knows: code, words or status",))


def classify(signature: Signature, rules: Rules) -> Verdict:
    """The verdict of `rules` on `signature`; class "unknown" when nothing in it is known."""
    speaking = rules.for_system(signature.system)
    seen = _Seen.of(signature, rules)
    for candidate in speaking.own:
        vote = _vote(candidate, seen)
        if vote is not None:
            then = vote.rule.then
            return Verdict(
                then.failure_class, then.is_transient, then.category, vote.rule.confidence, vote.rule.id, (vote.fact,)
            )
    candidates = (*speaking.by_code.get(seen.code, ()), *speaking.others)
    votes = [vote for candidate in candidates if (vote := _vote(candidate, seen)) is not None]
    return _counted(votes, seen, rules)


@dataclass(frozen=True)
class _Seen:
    """A signature as rules look at it: folded, its words written out, its status wherever it was given."""

    system: str
    code: str
    operation: str
    message: str
    exceptions: tuple[str, ...]
    status: int | None
    status_weight: float
    code_words: str
    headline: str
    words: str

    @classmethod
    def of(cls, signature: Signature, rules: Rules) -> _Seen:
        code = signature.code.strip()[:WORDS_READ]
        code_words = _words(_last_part(code), rules)
        if signature.exception:
            code_words = f"{code_words} {_words(_last_part(signature.exception), rules)}".strip()
        message = signature.message.strip()[:WORDS_READ]
        first, rest = _first_sentence(message)
        headline = f"{code_words} | {_words(first, rules)}"
        thrown = signature.exception or (code if _CLASS_LIKE.match(code) else "")
        status, status_weight = _status(signature)
        return cls(
            system=signature.system.casefold(),
            code=code.casefold(),
            operation=(signature.operation or "").casefold(),
            message=message,
            exceptions=(thrown.casefold(), _last_part(thrown).casefold()),
            status=status,
            status_weight=status_weight,
            code_words=code_words,
            headline=headline,
            words=f"{headline} | {_words(rest, rules)}" if rest else headline,
        )


@dataclass(frozen=True)
class _Vote:
    rule: FailureRule
    weight: float
    seen: str

    @property
    def fact(self) -> str:
        then = self.rule.then
        fact = f"{self.seen}: {CATEGORIES[then.category].label.lower()}, {then.failure_class} (rule {self.rule.id})"
        return f"{fact}; {self.rule.why}" if self.rule.why else fact


def _vote(candidate: CompiledRule, seen: _Seen) -> _Vote | None:
    """The vote of one rule, or None if it does not fit. The system is already known to fit."""
    facts: list[str] = []
    weight = math.log(candidate.rule.confidence / (1 - candidate.rule.confidence))
    if candidate.statuses:
        if seen.status not in candidate.statuses:
            return None
        weight *= seen.status_weight
        facts.append(f"status {seen.status}")
    if candidate.codes or candidate.code_globs:
        if seen.code not in candidate.codes and not (candidate.code_globs and candidate.code_globs.match(seen.code)):
            return None
        facts.append(f"code {seen.code!r}")
    if candidate.operations:
        if not candidate.operations.match(seen.operation):
            return None
        facts.append(f"operation {seen.operation!r}")
    if candidate.exceptions:
        if not any(candidate.exceptions.match(name) for name in seen.exceptions):
            return None
        facts.append(f"exception {seen.exceptions[1]!r}")
    if candidate.message:
        found = candidate.message.search(seen.message)
        if not found:
            return None
        facts.append(f"message {found.group(0)!r}")
    if candidate.code_words:
        found = candidate.code_words.search(seen.code_words)
        if not found:
            return None
        facts.append(f"words {found.group(0)!r}")
    if candidate.words:
        found = candidate.words.search(seen.words)
        if not found:
            return None
        facts.append(f"words {found.group(0)!r}")
        if found.start() > len(seen.headline):
            weight *= ADVICE
    if candidate.unless and candidate.unless.search(seen.words):
        return None
    return _Vote(candidate.rule, weight, " and ".join(facts) or f"system {seen.system!r}")


def _counted(votes: Sequence[_Vote], seen: _Seen, rules: Rules) -> Verdict:
    """The verdict that the most weight of `votes`, and of what the words have stood for, is for."""
    by_outcome: dict[Outcome, list[_Vote]] = defaultdict(list)
    for vote in sorted(votes, key=lambda vote: -vote.weight):
        by_outcome[vote.rule.then.failure_class, vote.rule.then.category].append(vote)
    odds = {
        outcome: math.exp(said[0].weight + REPEATED_EVIDENCE * sum(vote.weight for vote in said[1:]))
        for outcome, said in by_outcome.items()
    }
    told, words = rules.learned.shares(seen.words.split()) if rules.learned else ({}, [])
    shares = cast("dict[Outcome, float]", told)
    firm = any(vote.weight >= FIRM and vote.rule.layer in ("system", "protocol") for vote in votes)
    power = LEARNED_BESIDE_FIRM if firm else 1.0
    for outcome, share in shares.items():
        odds[outcome] = odds.get(outcome, 1.0) * (len(shares) * (share + LEAST_SHARE)) ** power
    if not odds:
        return UNKNOWN
    total = sum(odds.values()) + math.exp(NO_EVIDENCE)
    by_class: dict[FailureClass, float] = defaultdict(float)
    for (class_, _), odd in odds.items():
        by_class[class_] += odd / total
    winner = max(by_class, key=lambda class_: by_class[class_])
    outcome = max((outcome for outcome in odds if outcome[0] == winner), key=lambda outcome: odds[outcome])
    share = (by_class[winner] + odds[outcome] / total) / 2
    # pieces of words and initials say something beside others, and nothing alone: a verdict has a fact that can be shown
    if not votes and (share < LEARNED_ALONE or not any(len(word) >= WORD_LEAST for word in words)):
        return UNKNOWN
    deciding = by_outcome[outcome][0].rule if outcome in by_outcome else None
    shown = sorted(votes, key=lambda vote: (vote.rule.then.category != outcome[1], -vote.weight))
    facts = [vote.fact for vote in shown[:FACTS_SHOWN]]
    if words and (not deciding or shares.get(outcome, 0.0) > 1 / 2):
        known = CATEGORIES[outcome[1]].label.lower()
        facts.append(f"words {', '.join(map(repr, words[:3]))}: as in known codes of {known} (rule {LEARNED_RULE})")
    return Verdict(
        class_=winner,
        transient=deciding.then.is_transient
        if deciding
        else winner == "dependency" or CATEGORIES[outcome[1]].transient,
        category=outcome[1],
        confidence=round(rules.calibration.confidence(share), 3),
        rule=deciding.id if deciding else LEARNED_RULE,
        facts=tuple(facts) or UNKNOWN.facts,
    )


_STATUS_CODE = re.compile(r"(?:http[ _-]?)?([45]\d\d)", re.IGNORECASE)
_STATUS_TEXT = re.compile(
    r"\b([45]\d\d) (?:client|server) error|\berror '([45]\d\d)|\bstatus(?:[ _]?code)?[:= ]+([45]\d\d)\b|"
    r"\bHTTP(?:/[\d.]+)?(?: error)?[ :]+([45]\d\d)\b|\b([45]\d\d) (?:response|status)\b|\bresponse (?:code|status)[:= ]+([45]\d\d)\b",
    re.IGNORECASE,
)


def _status(signature: Signature) -> tuple[int | None, float]:
    """The HTTP status and how much it weighs: as given, as the message's own words have it, or as the code.

    Three digits may be a system's own numbering, so a bare code with a message beside it counts for half.
    """
    if signature.http_status is not None:
        return signature.http_status, 1.0
    if as_text := _STATUS_TEXT.search(signature.message[:WORDS_READ]):
        return int(next(number for number in as_text.groups() if number)), 1.0
    if as_code := _STATUS_CODE.fullmatch(signature.code.strip()):
        told = not signature.message or "http" in signature.system.casefold()
        return int(as_code.group(1)), 1.0 if told else BARE_STATUS
    return None, 0.0


_CLASS_LIKE = re.compile(r"[^\s_]*[.:\\$][^\s_]+$|[A-Z][^\s_]*[a-z][^\s_]*$|[a-z]+error$")
_CLASS_NAME = re.compile(r"\*?(?:[a-zA-Z_]\w*[.$:\\]+)+([A-Z]\w*[a-z]\w*)")


def _last_part(name: str) -> str:
    """The class of a dotted class name; any other code as it is.

    >>> _last_part("java.net.SocketTimeoutException"), _last_part("RECIPIENT.POSTALCODE.INVALID")
    ('SocketTimeoutException', 'RECIPIENT.POSTALCODE.INVALID')
    """
    dotted = _CLASS_NAME.fullmatch(name)
    return dotted.group(1) if dotted else name


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(-])|\n")


def _first_sentence(message: str) -> tuple[str, str]:
    end = _SENTENCE_END.search(message)
    return (message[: end.start()], message[end.end() :]) if end else (message, "")


# Addresses, hosts, long ids, and quoted single words: a name or a value given as an example, not what is said of it.
_NOISE = re.compile(
    r"(?<!\w)(['\"`])[^'\"`\s]{1,40}\1(?!\w)|\bfor url:|https?://\S+|\S+@\S+\.\w+|\b[0-9a-f]{8}-[0-9a-f-]{20,}\b|\b[0-9a-f]{16,}\b"
    r"|\b(?:[\w-]+\.)+(?:com|net|org|io|invalid|local|internal|example)(?::\d+)?(?![\w.])",
    re.IGNORECASE,
)
# Where one word of camelCase ends: "isOpen", "IdToken", "HTTPError"; not in "qTy_ReQd", whose case is at random.
_CAMEL = re.compile(r"(?<=[a-z0-9][a-z0-9])(?=[A-Z])|(?<=[A-Z][a-z0-9])(?=[A-Z][a-z]{2})|(?<=[A-Z])(?=[A-Z][a-z])")
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def _words(text: str, rules: Rules) -> str:
    """The words of a code or message: camelCase, SNAKE_CASE and kebab-case taken apart, abbreviations written out.

    Accents are taken off first, so that a dictionary of other languages can be abbreviations too.

    >>> rules = Rules((), abbreviations={"qty": "quantity", "reqd": "required"}, names=("AvaTax",))
    >>> _words("PRICE_LEVEL_QTY_REQD", rules), _words("Your AvaTax account can't read DuplicateInvoiceID", rules)
    ('price level quantity required', 'your account cant read duplicate invoice id')
    >>> _words("Ungültige Straße", rules), _words("qTy_ReQd", rules)
    ('ungultige strasse', 'quantity required')
    """
    plain = _NOISE.sub(" ", text if text.isascii() else _without_accents(text))
    if rules.noise:
        plain = rules.noise.sub(" ", plain)
    plain = _CAMEL.sub(" ", _APOSTROPHE.sub("", plain))
    return " ".join(rules.abbreviations.get(word, word) for word in _NOT_WORD.split(plain.lower()) if word)


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def words_of(signature: Signature, rules: Rules) -> list[str]:
    """The words that are read of a signature, `|` between code, first sentence and the rest."""
    return _Seen.of(signature, rules).words.split()


# What varies from one occurrence of a failure to the next, in the order it has to be looked for.
_VARIABLE_PARTS = tuple(
    (re.compile(pattern, re.IGNORECASE), placeholder)
    for pattern, placeholder in (
        (r"[a-z][a-z0-9+.-]*://[^\s'\"<>)]+", "<url>"),
        (r"[\w.+-]+@[\w-]+\.[\w.-]+\w", "<email>"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", "<date>"),
        (r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d\d:\d\d:\d\d\b", "<date>"),
        (r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b", "<host>"),
        (r"\b0x[0-9a-f]+\b", "<number>"),
        (r"(['\"`“”‘’])(?:(?!\1).){1,200}?[\"'`“”‘’](?!\w)", "<value>"),
        (r"\b(?=[a-z0-9_/-]*\d)(?=[a-z0-9_/-]*[a-z])[a-z0-9]+(?:[_/-][a-z0-9]+)*\b", "<id>"),
        (r"\b(?:[A-Z]{3} )?[+-]?\d[\d.,]*(?: ?(?:USD|EUR|GBP|CHF|JPY|[€$£%]))?", "<number>"),
    )
)


def normalise_message(text: str) -> str:
    """The message with its variable parts replaced, so that two occurrences of one failure read the same.

    The first thousand characters count: what follows is a trace or a payload, and differs each time.

    >>> normalise_message("Order SO-1001 for jo@example.com: amount 1,250.00 EUR is over 'LIMIT-7' on 2026-03-06")
    'Order <id> for <email>: amount <number> is over <value> on <date>'
    """
    text = text[:MESSAGE_KEPT]
    for pattern, placeholder in _VARIABLE_PARTS:
        text = pattern.sub(placeholder, text)
    return " ".join(text.split())[:MESSAGE_KEPT].rstrip()


def fingerprint(class_: str, system: str, operation: str | None, code: str, message: str) -> str:
    """Sixteen hex characters that are the same for the same failure, in any process and on any day.

    `message` may be raw or normalised: normalising twice changes nothing.

    >>> one = fingerprint("business", "erp", "create_order", "V1 302", "Material A-1 does not exist")
    >>> one == fingerprint("business", "erp", "create_order", "V1 302", "Material B-27 does not exist"), len(one)
    (True, 16)
    """
    parts = json.dumps([class_, system, operation or "", code, normalise_message(message)], ensure_ascii=False)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


_TRACE = re.compile(r"\n|\s+at \w[\w.$]+\(|Traceback|\bClass\.\w|\s\(Caused by")
_SENTENCE_LENGTH = 200


def without_trace(message: str) -> str:
    """The message up to where a stack trace begins: what people may read.

    >>> without_trace("Ship-to has no tax id\\n    at com.acme.Tax.check(Tax.java:12)")
    'Ship-to has no tax id'
    """
    return _TRACE.split(message.strip(), maxsplit=1)[0].strip()


def plain_sentence(verdict: Verdict, signature: Signature, system_label: str) -> str:
    """One sentence for an operator: who, what kind of failure, and the system's own words where they can be read.

    >>> verdict = Verdict("business", False, "tax", 0.97, "words.tax", ())
    >>> plain_sentence(verdict, Signature("sap", "V1 099", "Ship-to has no tax registration in DE"), "ERP")
    'ERP refused the tax data: Ship-to has no tax registration in DE.'
    >>> plain_sentence(UNKNOWN, Signature("sap", "ZX 12"), "ERP")
    'ERP failed in a way that is not recognised: code ZX 12.'
    """
    said = _TRACE.split(_first_sentence(signature.message.strip())[0], maxsplit=1)[0].strip(" .:;\n")
    if len(said) > _SENTENCE_LENGTH:
        said = f"{said[:_SENTENCE_LENGTH].rsplit(' ', 1)[0]} ..."
    if " " not in said:
        said = f"code {signature.code}" if signature.code else said
    sentence = CATEGORIES[verdict.category].sentence
    if verdict.category == "internal_error" and verdict.class_ == "technical":
        sentence = "failed on a fault in the integration"
    return f"{system_label} {sentence}: {said}." if said else f"{system_label} {sentence}."
