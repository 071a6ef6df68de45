"""Learning what words stand for: `python -m bench.classification --learn` writes `packs/learned.json` with it.

Multinomial logistic regression from three bodies of labelled texts: `errors_dev.jsonl` where it is,
`bench/data/errors_public.jsonl`, and `bench/data/phrases.jsonl`: how systems usually put things, written by hand. Each
weight has a step of its own that shrinks as it is moved (Duchi, Hazan and Singer 2011), so that a word seen a few times
is learned as well as one seen often. The same bodies give the same weights. No outcome has a weight of its own: how often
one was labelled says nothing of how often it will be met.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable

import numpy as np

from trace_model.catalogue.failure_rules import Rules
from trace_model.signatures import Signature, words_of
from trace_model.word_weights import WordWeights, features

EPOCHS = 20
SEED = 0
STEP = 0.3
DECAY = 0.001
LEAST_SEEN = 2  # texts that a pair of words or a piece of one is in; whole words are kept if seen once
DECIMALS = 1  # of a weight in the file

Text = tuple[Signature, tuple[str, str]]  # a signature and its (class, category)


def learned(texts: Iterable[Text], rules: Rules, provenance: str) -> WordWeights:
    """The weights that tell the outcomes of `texts` apart."""
    bodies = [(list(features(words_of(signature, rules))), outcome) for signature, outcome in texts]
    seen = Counter(feature for found, _ in bodies for feature in found)
    kept = [feature for feature, count in seen.items() if count >= LEAST_SEEN or _is_word(feature)]
    row = {feature: i for i, feature in enumerate(kept)}
    outcomes = sorted({outcome for _, outcome in bodies})
    known = [
        (np.array([row[feature] for feature in found if feature in row], dtype=np.intp), outcomes.index(outcome))
        for found, outcome in bodies
    ]
    weights = np.zeros((len(kept), len(outcomes)))
    moved = np.full_like(weights, 1e-8)
    order = random.Random(SEED)
    for _ in range(EPOCHS):
        order.shuffle(known)
        for rows, outcome in known:
            scale = 1 / math.sqrt(len(rows) + 1)
            now = weights[rows]
            scores = scale * now.sum(axis=0)
            error = np.exp(scores - scores.max())
            error /= error.sum()
            error[outcome] -= 1
            slope = scale * error + DECAY * now
            moved[rows] += slope**2
            weights[rows] -= STEP * slope / np.sqrt(moved[rows])
    rounded = np.round(weights, DECIMALS) + 0.0  # no -0.0
    return WordWeights(
        provenance,
        tuple(outcomes),
        {feature: tuple(map(float, rounded[i])) for i, feature in enumerate(kept) if rounded[i].any()},
    )


def _is_word(feature: str) -> bool:
    return not feature.startswith("~") and " " not in feature
