"""A rule as a person would write it, made from one failure that was named: YAML ready for `failure_rules.rules`.

Pure: text in, text out. What it writes is read back by the loader's own model, so a proposal is never a rule that would
be refused.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from ruamel.yaml import YAML

from trace_model.catalogue.failure_rules import CATEGORIES, Category, FailureClass, FailureRule

WORDS_KEPT = 6
CONFIDENCE = 0.97
_VARIES = re.compile(r"\d|['\"`“”‘’<>]|https?:|@")


@dataclass(frozen=True)
class Named:
    """A failure as it was seen, and what a person says it is."""

    system: str
    code: str
    message: str
    http_status: int | None
    class_: FailureClass
    category: Category
    why: str


def proposal(named: Named) -> str:
    """The rule that would have said so: by the code where there is one, else by the steady words of the message, else by the status.

    Raises ValueError where nothing was seen that a rule could hold on to.

    >>> print(proposal(Named("sap", "ZX 12", "Order 4711 lacks a route", None, "business", "order_validation", "Routes are sales' work.")))
    - id: own.sap.zx_12
      when:
        system: [sap]
        code: [ZX 12]
      then: {category: order_validation}
      confidence: 0.97
      why: Routes are sales' work.
    <BLANKLINE>
    """
    when: dict[str, list[str | int]] = {"system": [named.system]}
    if named.code:
        when["code"] = [named.code]
        name = named.code
    elif words := _steady_words(named.message):
        when["message"] = [r"\W+".join(re.escape(word) for word in words)]
        name = " ".join(words)
    elif named.http_status:
        when["http_status"] = [named.http_status]
        name = str(named.http_status)
    else:
        raise ValueError("the failure has neither code nor words nor status: a rule would fit everything")
    then: dict[str, object] = {"category": named.category}
    if CATEGORIES[named.category].class_ != named.class_:
        then["class"] = named.class_
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:60] or "failure"
    rule = {"id": f"own.{named.system}.{slug}", "when": when, "then": then, "confidence": CONFIDENCE}
    if named.why:
        rule["why"] = " ".join(named.why.split())
    FailureRule.model_validate(rule)
    return _written(rule)


def _steady_words(message: str) -> list[str]:
    """The longest run of words that carry no number, quote or address: what does not vary from one time to the next."""
    best: list[str] = []
    run: list[str] = []
    for word in [*message[:300].split(), "0"]:
        if _VARIES.search(word):
            best, run = max(best, run, key=len), []
        elif plain := re.sub(r"^\W+|\W+$", "", word):
            run.append(plain)
    return best[:WORDS_KEPT] if len(best) > 1 else []


def _written(rule: dict[str, object]) -> str:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.default_flow_style = None
    yaml.width = 4096
    text = io.StringIO()
    yaml.dump([rule], text)
    lines = text.getvalue().splitlines()
    cut = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[cut:] for line in lines) + "\n"
