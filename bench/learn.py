"""Learning what words stand for: `python -m bench.classification --learn` writes `packs/learned.json` with it.

Multinomial logistic regression by stochastic gradient descent, from three bodies of labelled texts: `errors_dev.jsonl`
where it is, `bench/data/errors_public.jsonl`, and `bench/data/phrases.jsonl`: how systems usually put things, written
by hand. The same bodies give the same weights. No outcome has a weight of its own: how often one was labelled says
nothing of how often it will be met.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

from trace_model.catalogue.failure_rules import Rules
from trace_model.signatures import Signature, words_of
from trace_model.word_weights import WordWeights, features

EPOCHS = 15
SEED = 0
RATE = 0.3
KEPT = 0.2  # weights closer to nothing are left out of the file

Text = tuple[Signature, tuple[str, str]]  # a signature and its (class, category)


def learned(texts: Iterable[Text], rules: Rules, provenance: str) -> WordWeights:
    """The weights that tell the outcomes of `texts` apart."""
    bodies = [(list(features(words_of(signature, rules))), outcome) for signature, outcome in texts]
    outcomes = sorted({outcome for _, outcome in bodies})
    place = {outcome: i for i, outcome in enumerate(outcomes)}
    weights: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(outcomes))
    order = random.Random(SEED)
    for epoch in range(EPOCHS):
        order.shuffle(bodies)
        rate = RATE / (1 + epoch * RATE)
        for found, outcome in bodies:
            rows = [weights[feature] for feature in found]
            scale = 1 / math.sqrt(len(found) + 1)
            for i, chance in enumerate(_chances(rows, scale, len(outcomes))):
                error = (i == place[outcome]) - chance
                for row in rows:
                    row[i] += rate * error * scale
    kept = {feature: {i: round(w, 2) for i, w in enumerate(row) if abs(w) >= KEPT} for feature, row in weights.items()}
    return WordWeights(
        provenance,
        tuple(outcomes),
        {feature: row for feature, row in kept.items() if row},
    )


def _chances(rows: Sequence[Sequence[float]], scale: float, outcomes: int) -> list[float]:
    scores = [scale * sum(row[i] for row in rows) for i in range(outcomes)]
    highest = max(scores)
    odds = [math.exp(score - highest) for score in scores]
    total = sum(odds)
    return [odd / total for odd in odds]
