"""What words have stood for in labelled error codes: one more voice beside the rules, for words that no rule foresees.

Pure, and data as the rules are: a weight per word, pair of words or piece of a word and outcome, learned by
`python -m bench.classification --learn` (multinomial logistic regression) and kept in `packs/learned.json`. A rule says
what somebody knows; this says what words usually go with.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

PIECE = (
    4  # letters of a piece of a word: "auth" is in authorised and unauthorized, "-tax" begins a word, "tax-" ends one
)


def features(words: Sequence[str]) -> Iterator[str]:
    """Each feature of `words` once: the words themselves, neighbours, and the pieces of each word, marked by `~`.

    >>> sorted(features(["tax", "rate", "7"]))
    ['rate', 'tax', 'tax rate', '~-rat', '~-tax', '~ate-', '~rate', '~tax-']
    """
    told = [word for word in words if word != "|" and not word.isdigit()]
    seen = dict.fromkeys(told)
    seen.update(dict.fromkeys(f"{one} {next_}" for one, next_ in pairwise(told)))
    for word in told:
        bounded = f"-{word}-"
        seen.update(dict.fromkeys(f"~{bounded[i : i + PIECE]}" for i in range(len(bounded) - PIECE + 1)))
    yield from seen


@dataclass(frozen=True)
class WordWeights:
    """`weights` of a feature are as many as `outcomes`, pairs of class and category, and in their order."""

    provenance: str
    outcomes: tuple[tuple[str, str], ...]
    weights: Mapping[str, Sequence[float]]

    def shares(self, words: Sequence[str]) -> tuple[dict[tuple[str, str], float], list[str]]:
        """The share of each outcome, 0 to 1, and the known words, heaviest first; both empty if nothing is known."""
        found = list(features(words))
        known = [(feature, self.weights[feature]) for feature in found if feature in self.weights]
        if not known:
            return {}, []
        scale = 1 / math.sqrt(len(found) + 1)
        scores = [scale * sum(column) for column in zip(*(weights for _, weights in known), strict=True)]
        highest = max(scores)
        odds = [math.exp(score - highest) for score in scores]
        total = sum(odds)
        likeliest = max(range(len(odds)), key=odds.__getitem__)
        telling = [(weights[likeliest], feature) for feature, weights in known if not feature.startswith("~")]
        return (
            {outcome: odd / total for outcome, odd in zip(self.outcomes, odds, strict=True)},
            [feature for weight, feature in sorted(telling, reverse=True) if weight > 0],
        )

    @classmethod
    def read(cls, path: Path) -> WordWeights:
        """The weights at `path`. Raises OSError if it cannot be read, ValueError if it is not what `written` wrote."""
        return _weights(path.read_text(encoding="utf-8"))

    def written(self) -> str:
        """The text of a file of these weights, one word a line so that two of them can be compared."""
        head = {"provenance": self.provenance, "outcomes": self.outcomes}
        lines = (
            f"{json.dumps(word)}: [{','.join(f'{weight:g}' for weight in row)}]"
            for word, row in sorted(self.weights.items())
        )
        return json.dumps(head)[:-1] + ', "weights": {\n' + ",\n".join(lines) + "\n}}\n"


@lru_cache(maxsize=4)
def _weights(text: str) -> WordWeights:
    """The weights of a file's text; what every store of a process shares."""
    try:
        kept = json.loads(text)
        outcomes = tuple((class_, category) for class_, category in kept["outcomes"])
        weights = {word: tuple(map(float, row)) for word, row in kept["weights"].items()}
        if {len(row) for row in weights.values()} - {len(outcomes)}:
            raise ValueError("a word has more or fewer weights than there are outcomes")
        return WordWeights(kept["provenance"], outcomes, weights)
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise ValueError(f"not a file of word weights ({fault}); make it with bench.classification --learn") from None
