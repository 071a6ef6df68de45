"""What must not be kept, taken out at the door: secrets by their key, card numbers and IBANs by their form.

A batch is searched by one regular expression a column, in Arrow; only texts that match are read in Python. Values
under a key that ends in `id` are spared from the search by form: an order number that happens to look like a card
would otherwise melt into others, and timelines with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

REDACTED = "[redacted]"

_SECRET_ENDINGS = tuple(
    tuple(term.split())
    for term in (
        "authorization", "cookie", "password", "passwd", "passphrase", "pwd", "secret", "token", "credential",
        "credentials", "api key", "apikey", "access key", "private key", "secret key", "signing key", "encryption key",
        "account key", "card number", "cvv", "cvc", "cvv2", "pan",
    )
)  # fmt: skip
_CARRIERS = {"value", "header", "raw", "text", "plain", "plaintext", "hash", "pem", "confirmation"}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# What a text must hold before it is worth reading: a word of a secret key (or an escape that could hide one), or the
# beginning of a secret's form. Decimals of a fraction are no card.
_ANY_KEY = (
    r"(?i)authorization|cookie|passw|passphrase|pwd|secret|token|credential|(?:api|access|private|signing|encryption"
    r"|account)[^a-z]?key|card[^a-z]?number|cvv|cvc|[^a-z]pan[^a-z]|bearer |basic |\\\\u00"
)
_ANY_FORM = r"(?:^|[^0-9.])[2-6](?:[ -]?[0-9]){12}|[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}|eyJ"
_EMAIL_HINT = "|@"

_CARD = re.compile(r"(?<![0-9A-Za-z.])[2-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")
_ISSUER = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"  # Diners Club
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # JCB
    r"|(?:6011|65[0-9]{2}|64[4-9][0-9])[0-9]{12}"  # Discover
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{12,15}"  # Maestro
)
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}")
_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        "(..)([0-9]+) ?",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 "
        "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
        "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 "
        "SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20",
    )
}
_BEARER = re.compile(r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/=-]{8,}")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_ASSIGNED = re.compile(r"""([A-Za-z0-9_.-]+)(["']? *[=:] *["']?)([^\s"'&,;<>]+)""")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")


@lru_cache(maxsize=8192)
def is_secret_key(key: str) -> bool:
    """Whether a value under this key is a secret whatever it looks like. The end of the key decides.

    >>> is_secret_key("http.request.header.Authorization"), is_secret_key("clientSecret"), is_secret_key("X-API-Key")
    (True, True, True)
    >>> is_secret_key("q2c.idempotency_key"), is_secret_key("authorization_id"), is_secret_key("gen_ai.token_count")
    (False, False, False)
    """
    words = tuple(word.lower() for word in _WORDS.findall(key))
    while words and (words[-1].isdigit() or (words[-1] in _CARRIERS and len(words) > 1)):
        words = words[:-1]
    return any(words[-len(ending) :] == ending for ending in _SECRET_ENDINGS)


@lru_cache(maxsize=8192)
def is_identifier(key: str) -> bool:
    """Whether the key names an identifier, whose value must stay as it is.

    >>> is_identifier("q2c.order.id"), is_identifier("invoiceId"), is_identifier("paid")
    (True, True, False)
    """
    words = _WORDS.findall(key)
    return bool(words) and words[-1].lower() in ("id", "ids")


@dataclass(frozen=True)
class Redaction:
    """The rules of this deployment: `emails` takes out e-mail addresses too, `extra_keys` are more secret keys."""

    emails: bool = False
    extra_keys: frozenset[str] = frozenset()

    def redact(self, spans: pa.Table) -> tuple[pa.Table, int]:
        """The batch without what must not be kept, and how many values were taken out of it.

        Same rows in the same order; a batch that needs nothing comes back as it is.
        """
        total = 0
        for name, read in (
            ("attributes", self._json),
            ("events", self._json),
            ("resource", self._json),
            ("links", self._json),
            ("status_message", self._text),
            ("name", self._text),
        ):
            column, count = self._column(spans.column(name), read, repeats=name == "resource")
            if count:
                place = spans.schema.get_field_index(name)
                spans = spans.set_column(place, spans.schema.field(place), column)
                total += count
        return spans, total

    def _column(
        self, column: pa.ChunkedArray, read: Callable[[str], tuple[str, int]], repeats: bool
    ) -> tuple[pa.ChunkedArray, int]:
        """`repeats`: many rows hold the same few texts, so each distinct one is read once."""
        if column.null_count == len(column):
            return column, 0
        if repeats:
            coded = pc.dictionary_encode(column).combine_chunks()
            texts, count = self._column(pa.chunked_array([coded.dictionary]), read, repeats=False)
            return (pc.take(texts, coded.indices), count) if count else (column, 0)
        hits = pc.fill_null(self._suspects(column), False)
        suspects = column.filter(hits)
        if not len(suspects):
            return column, 0
        pairs = [read(each) for each in suspects.to_pylist()]
        count = sum(pair[1] for pair in pairs)
        if not count:
            return column, 0
        clean = pa.array([pair[0] for pair in pairs], pa.string())
        return pa.chunked_array([pc.replace_with_mask(column.combine_chunks(), hits.combine_chunks(), clean)]), count

    def _suspects(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        keys = "|".join([_ANY_KEY, *map(re.escape, sorted(self.extra_keys))])
        forms = _ANY_FORM + (_EMAIL_HINT if self.emails else "")
        return pc.or_(pc.match_substring_regex(column, keys), pc.match_substring_regex(column, forms))

    def _json(self, text: str) -> tuple[str, int]:
        value, count = self._value("", orjson.loads(text))
        return (orjson.dumps(value).decode(), count) if count else (text, 0)

    def _value(self, key: str, value: Any) -> tuple[Any, int]:
        if value is None or isinstance(value, bool):
            return value, 0
        if (is_secret_key(key) or key in self.extra_keys) and value not in ("", [], {}):
            return (value, 0) if value == REDACTED else (REDACTED, 1)
        if isinstance(value, dict):
            pairs = {inner: self._value(inner, each) for inner, each in value.items()}
            return {inner: pair[0] for inner, pair in pairs.items()}, sum(pair[1] for pair in pairs.values())
        if isinstance(value, list):
            items = [self._value(key, each) for each in value]
            return [item[0] for item in items], sum(item[1] for item in items)
        if isinstance(value, str):
            if value[:1] in ("{", "["):
                return self._nested(key, value)
            return (value, 0) if is_identifier(key) else self._text(value)
        if isinstance(value, int) and not is_identifier(key):
            text, count = _without_cards(str(value))
            return (text, count) if count else (value, 0)
        return value, 0

    def _nested(self, key: str, text: str) -> tuple[str, int]:
        """A text that holds JSON, like `q2c.payload`, is redacted by its keys as well as by form."""
        try:
            inner = orjson.loads(text)
        except orjson.JSONDecodeError:
            return self._text(text)
        value, count = self._value(key, inner)
        return (orjson.dumps(value).decode(), count) if count else (text, 0)

    def _text(self, text: str) -> tuple[str, int]:
        """Free text without cards, IBANs, bearer tokens and `password=...`."""
        text, count = _without_cards(text)
        for pattern, replacement in (
            (_IBAN, _without_iban),
            (_JWT, lambda found: REDACTED),
            (_BEARER, lambda found: f"{found[1]} {REDACTED}"),
            (_ASSIGNED, self._without_assigned),
        ):
            text, found = _replaced(pattern, replacement, text)
            count += found
        if self.emails:
            text, found = _replaced(_EMAIL, lambda _: "[redacted e-mail]", text)
            count += found
        return text, count

    def _without_assigned(self, found: re.Match[str]) -> str:
        key, between, value = found.groups()
        done = value.startswith("[redacted") or value.lower() in ("bearer", "basic")
        if done or not (is_secret_key(key) or key in self.extra_keys):
            return found[0]
        return f"{key}{between}{REDACTED}"


def _replaced(pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str], text: str) -> tuple[str, int]:
    count = 0

    def counted(found: re.Match[str]) -> str:
        nonlocal count
        result = replacement(found)
        count += result != found[0]
        return result

    return pattern.sub(counted, text), count


def _without_cards(text: str) -> tuple[str, int]:
    return _replaced(_CARD, _without_card, text)


def _without_card(found: re.Match[str]) -> str:
    """The longest beginning of the match that is a card number gives way to its last four digits."""
    candidate = found[0]
    for end in range(len(candidate), 12, -1):
        if end < len(candidate) and candidate[end].isdigit():
            continue
        digits = candidate[:end].replace(" ", "").replace("-", "")
        if _ISSUER.fullmatch(digits) and passes_luhn(digits):
            return f"[redacted card ending {digits[-4:]}]{candidate[end:]}"
    return candidate


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1).

    >>> passes_luhn("4111111111111111"), passes_luhn("4111111111111112")
    (True, False)
    """
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(each // 10 + each % 10 for each in doubled)) % 10 == 0


def _without_iban(found: re.Match[str]) -> str:
    candidate = found[0]
    length = _IBAN_LENGTHS.get(candidate[:2], 0)
    end = 0
    for end, character in enumerate(candidate, 1):  # noqa: B007
        length -= character != " "
        if not length:
            break
    after = found.string[found.start() + end : found.start() + end + 1]
    packed = candidate[:end].replace(" ", "")
    if length or after.isalnum() or not passes_mod_97(packed):
        return candidate
    return f"[redacted IBAN ending {packed[-4:]}]{candidate[end:]}"


def passes_mod_97(iban: str) -> bool:
    """Whether the check digits of an IBAN without spaces are right (ISO 13616).

    >>> passes_mod_97("GB82WEST12345698765432"), passes_mod_97("GB83WEST12345698765432")
    (True, False)
    """
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1
