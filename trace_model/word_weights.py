"""What words have stood for in labelled error codes: one more voice beside the rules, for words that no rule foresees.

Pure, and data as the rules are: a weight per word, pair of words or word's beginning and outcome, learned by
`python -m bench.classification --learn` (multinomial logistic regression) and kept in `packs/learned.json`. A rule says
what somebody knows; this says what words usually go with, so it shifts a vote and seldom decides one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

BEGINNING = 5  # letters of a longer word that stand for its family: "authori" of authorised, authorization


def features(words: Sequence[str]) -> Iterator[str]:
    """Each feature of `words` once: the words themselves, neighbours, and the beginnings of long words.

    >>> sorted(features(["tax", "registration", "missing", "7"]))
    ['missing', 'missi~', 'registration', 'registration missing', 'regis~', 'tax', 'tax registration']
    """
    told = [word for word in words if word != "|" and not word.isdigit()]
    seen = dict.fromkeys(told)
    seen.update(dict.fromkeys(f"{one} {next_}" for one, next_ in pairwise(told)))
    seen.update(dict.fromkeys(f"{word[:BEGINNING]}~" for word in told if len(word) > BEGINNING + 1))
    yield from seen


@dataclass(frozen=True)
class WordWeights:
    """`weights` of a feature go by outcome: its place in `outcomes`, pairs of class and category."""

    provenance: str
    outcomes: tuple[tuple[str, str], ...]
    weights: Mapping[str, Mapping[int, float]]

    def shares(self, words: Sequence[str]) -> tuple[dict[tuple[str, str], float], list[str]]:
        """The share of each outcome, 0 to 1, and the known words, heaviest first; both empty if no word is known."""
        found = list(features(words))
        known = [(feature, self.weights[feature]) for feature in found if feature in self.weights]
        if not known:
            return {}, []
        scale = 1 / math.sqrt(len(found) + 1)
        scores = [0.0] * len(self.outcomes)
        for _, weights in known:
            for outcome, weight in weights.items():
                scores[outcome] += weight * scale
        highest = max(scores)
        odds = [math.exp(score - highest) for score in scores]
        total = sum(odds)
        likeliest = max(range(len(odds)), key=odds.__getitem__)
        known.sort(key=lambda one: -one[1].get(likeliest, 0.0))
        return (
            {outcome: odd / total for outcome, odd in zip(self.outcomes, odds, strict=True)},
            [feature for feature, weights in known if weights.get(likeliest, 0.0) > 0 and not feature.endswith("~")],
        )

    @classmethod
    def read(cls, path: Path) -> WordWeights:
        """The weights at `path`. Raises OSError if it cannot be read, ValueError if it is not what `written` wrote."""
        return _weights(path.read_text(encoding="utf-8"))

    def written(self) -> str:
        """The text of a file of these weights, one word a line so that two of them can be compared."""
        head = {"provenance": self.provenance, "outcomes": self.outcomes}
        lines = (f"{json.dumps(word)}: {json.dumps(by, sort_keys=True)}" for word, by in sorted(self.weights.items()))
        return json.dumps(head)[:-1] + ', "weights": {\n' + ",\n".join(lines) + "\n}}\n"


@lru_cache(maxsize=4)
def _weights(text: str) -> WordWeights:
    """The weights of a file's text; what every store of a process shares."""
    try:
        kept = json.loads(text)
        return WordWeights(
            provenance=kept["provenance"],
            outcomes=tuple((class_, category) for class_, category in kept["outcomes"]),
            weights={
                word: {int(outcome): weight for outcome, weight in by.items()} for word, by in kept["weights"].items()
            },
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as fault:
        raise ValueError(f"not a file of word weights ({fault}); make it with bench.classification --learn") from None
