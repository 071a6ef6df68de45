"""How long clocks run, learned from those that ran before: curves, chances to breach, and how good the chances were.

Pure: numpy only, no store and no clock. The store counts clocks by promise, segment and age (`store/forecasts.py`); here the
counts become curves. Ages are shares of what is promised, in the promise's own working time: 1 is the due instant. So one
grid of ages serves a promise of two hours and one of thirty days.

A curve is a life table: of the clocks still running at an age, what part stops before the next age. Clocks that are open
today count for as long as they have run (right censoring). A narrow segment starts from the curve of the wider one,
as if `LIKE` clocks had followed it (the beta process of Hjort, 1990); the widest starts from the rule "what has waited long
waits on", S(x) ~ 1/x, by which the chance to breach is the elapsed share. Reasons and measures: docs/forecast.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
Path: TypeAlias = tuple[str, ...]
"""A segment, widest name first: () is the whole promise, ("smb", "hardware") a part of ("smb",)."""

LIKE = 10.0
"""How many clocks' worth the wider segment's curve weighs in the narrower one."""
ROOT = 1.0
"""How many clocks' worth the elapsed-share rule weighs in the curve of a whole promise ..."""
YOUNG = 1 / 16
"""... from this age on: of younger clocks it knows nothing."""
LEAST = 30
"""A segment with fewer clocks than this has no curve of its own."""
LATER = 50.0
"""How many clocks' worth the chances pushed on along the chain weigh against what came of earlier ones."""
PARTS = 16
"""In how many equally likely parts a remaining time is cut to be added to the next."""

EDGES: Numbers = np.concatenate(
    [
        [0.0],
        2.0 ** np.arange(-14, -4, 0.25),
        np.arange(1, 17) / 16,
        2.0 ** np.arange(0.25, 4, 0.25),
        2.0 ** np.arange(4, 8.1, 0.5),
    ]
)
"""Ages at which bins begin, as shares of what is promised; the last bin has no end. 1.0 is one of them."""
DUE = int(np.searchsorted(EDGES, 1.0))
TOP = float(EDGES[-1])


@dataclass(frozen=True)
class Count:
    """Of one promise and segment, the clocks whose age ended in one bin: `ended` stopped there, `running` are there now."""

    promise: str
    path: Path
    bin: int
    ended: float
    running: float


@dataclass(frozen=True)
class Curve:
    """What is known of how long the clocks of one segment run. Arrays have one entry per bin of `EDGES`.

    `like`: clocks of the segment that were seen at that age. `before`: cumulative hazard at the bin's beginning;
    `within`: what the bin adds. Survival at the bin's beginning is exp(-before).
    """

    promise: str
    path: Path
    like: Numbers
    before: Numbers
    within: Numbers

    def hazard(self, age: Numbers) -> Numbers:
        """Cumulative hazard at these ages (shares); beyond the last bin it stays what it was."""
        return np.interp(age, EDGES, self.before)

    def chance(self, age: Numbers) -> Numbers:
        """The chance that a clock still running at `age` (shares) runs past its due instant; 1 from there on.

        >>> curve = fit([Count("p", (), 3, 90.0, 0.0), Count("p", (), DUE + 1, 10.0, 0.0)])[("p", ())]
        >>> [round(float(c), 2) for c in curve.chance(np.array([0.0, 0.5, 1.0]))]
        [0.09, 0.94, 1.0]
        """
        left = self.before[DUE] - self.hazard(np.asarray(age, dtype=float))
        return np.asarray(np.exp(-np.maximum(left, 0.0)))

    def remaining(self, age: float) -> Numbers:
        """`PARTS` equally likely ages at which a clock running at `age` stops, ascending. Beyond the last bin S(x) ~ 1/x."""
        target = self.hazard(np.array([age])) - np.log1p(-(np.arange(PARTS) + 0.5) / PARTS)
        beyond = np.maximum(target - self.before[-1], 0.0)
        return np.asarray(np.where(beyond > 0, max(age, TOP) * np.exp(beyond), np.interp(target, self.before, EDGES)))

    def survival_after(self, age: Numbers) -> Numbers:
        """The part of clocks that run longer than `age`; all of them where that is negative."""
        return np.asarray(np.where(age < 0, 1.0, np.exp(-self.hazard(np.maximum(age, 0.0)))))


Curves: TypeAlias = Mapping[tuple[str, Path], Curve]


def fit(counts: Iterable[Count], like: float = LIKE, root: float = ROOT) -> dict[tuple[str, Path], Curve]:
    """A curve for every promise, and for each of its segments that holds at least `LEAST` clocks.

    Every count adds to its segment and to all that are wider. Empty in, empty out.
    """
    ended: dict[tuple[str, Path], Numbers] = {}
    running: dict[tuple[str, Path], Numbers] = {}
    for count in counts:
        for depth in range(len(count.path) + 1):
            key = (count.promise, count.path[:depth])
            ended.setdefault(key, np.zeros(len(EDGES)))[count.bin] += count.ended
            running.setdefault(key, np.zeros(len(EDGES)))[count.bin] += count.running
    curves: dict[tuple[str, Path], Curve] = {}
    parts: dict[tuple[str, Path], Numbers] = {}
    for key in sorted(ended, key=lambda k: (k[0], len(k[1]), k[1])):
        promise, path = key
        seen = ended[key] + running[key]
        if path and (seen.sum() < LEAST or (promise, path[:-1]) not in curves):
            continue
        wider = parts[promise, path[:-1]] if path else _PRIOR
        at_risk = seen[::-1].cumsum()[::-1]
        exposed = np.maximum(
            at_risk - running[key] / 2, ended[key]
        )  # the actuarial rule: who left in a bin was there for half
        weight = like if path else root
        part = (ended[key] + weight * wider) / (exposed + weight)
        added = -np.log1p(-np.minimum(part, 1 - 1e-9))
        parts[key] = part
        curves[key] = Curve(promise, path, at_risk, np.concatenate([[0.0], added[:-1].cumsum()]), added)
    return curves


def bin_of(age: float) -> int:
    """The bin of `EDGES` that holds an age (share)."""
    return int(np.searchsorted(EDGES, age, side="right")) - 1


def nearest(curves: Curves, promise: str, path: Path) -> Curve | None:
    """The curve of the narrowest segment around `path` that has one; None for a promise never seen."""
    wider = (curves.get((promise, path[:depth])) for depth in range(len(path), -1, -1))
    return next((curve for curve in wider if curve is not None), None)


_PRIOR = np.append(np.where(EDGES[:-1] < YOUNG, 0.0, 1 - EDGES[:-1] / EDGES[1:]), 0.5)


@dataclass(frozen=True)
class Stage:
    """A promise as a link of a chain: from milestone `start` to milestone `stop`.

    `within_s` in working seconds; `elapsed_per_s`: real seconds that pass, on average, for one working second.
    """

    promise: str
    start: str
    stop: str
    within_s: float
    elapsed_per_s: float = 1.0

    @property
    def within_elapsed_s(self) -> float:
        return self.within_s * self.elapsed_per_s


@dataclass(frozen=True)
class Later:
    """What a clock of `promise` running at an age (share) says of `later`, a promise that has not begun.

    The planned stop of `later` is `after_due_s` elapsed seconds after the running clock falls due: every promise of the chain
    kept to the second. `chance`: to come after it. `p50_s`, `p90_s`: elapsed seconds from now to the stop.
    """

    promise: str
    path: Path
    bin: int
    later: str
    chance: float
    after_due_s: float
    p50_s: float
    p90_s: float


@dataclass(frozen=True)
class LaterCount:
    """Of one promise, segment and later promise, the clocks whose age ended in one bin, and whose later milestone was
    planned by now: how many there are (`decided`), and of how many it came after its planned instant. Several ways may lead to
    one later promise; `after_due_s` tells them apart."""

    promise: str
    path: Path
    later: str
    after_due_s: float
    bin: int
    decided: float
    late: float


def chains(stages: Sequence[Stage]) -> Iterator[tuple[str, str, float]]:
    """Every promise with each that follows it, at once or later, and the elapsed seconds from the due instant of the first
    to the planned stop of the other.

    >>> list(chains([Stage("a", "x", "y", 10.0), Stage("b", "y", "z", 20.0, 2.0), Stage("c", "z", "w", 5.0)]))
    [('a', 'b', 40.0), ('a', 'c', 45.0), ('b', 'c', 5.0)]
    """
    following = {s.promise: [t for t in stages if t.start == s.stop] for s in stages}

    def on(passed: tuple[Stage, ...]) -> Iterator[tuple[str, float]]:
        for stage in following[passed[-1].promise]:
            if stage not in passed:
                yield stage.promise, sum(s.within_elapsed_s for s in (*passed[1:], stage))
                yield from on((*passed, stage))

    for first in stages:
        for later, after_due_s in on((first,)):
            yield first.promise, later, after_due_s


def recalibrate(said: Iterable[Later], counts: Iterable[LaterCount], bins: Sequence[int]) -> list[Later]:
    """What was said of later promises, each chance as far from even odds as what came of like orders bears out.

    Sums of durations that are taken as independent are too sure of themselves, since what delays one stage (an outage, a holiday)
    delays the next. So the log odds are moved by one line for all promises, logistic recalibration (Cox, 1958). Its two
    numbers are fitted on the clocks decided so far, asked at the ages of `bins`; they start from what was said, as if `LATER`
    clocks had kept to it.
    """
    chances = list(said)
    known = {(x.promise, x.path, x.later, x.after_due_s, x.bin): x.chance for x in chances}
    cells = [
        (chance, count.decided / len(bins), count.late / len(bins))
        for count in counts
        for b in bins
        if b <= count.bin and (chance := _said_of(known, count, b)) is not None
    ]
    if not cells:
        return chances
    chance, decided, late = np.array(cells).T
    line = _line(_log_odds(chance), decided, late)
    moved = _chance(line[0] + line[1] * _log_odds(np.array([x.chance for x in chances])))
    return [replace(x, chance=float(c)) for x, c in zip(chances, moved, strict=True)]


def _said_of(known: Mapping[tuple[str, Path, str, float, int], float], count: LaterCount, b: int) -> float | None:
    """What was said of the narrowest segment around the counted one that anything was said of."""
    for depth in range(len(count.path), -1, -1):
        chance = known.get((count.promise, count.path[:depth], count.later, count.after_due_s, b))
        if chance is not None:
            return chance
    return None


def _log_odds(chance: Numbers) -> Numbers:
    kept = np.clip(chance, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(kept / (1 - kept)))


def _chance(odds: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30.0, 30.0))))


def _line(odds: Numbers, decided: Numbers, late: Numbers) -> Numbers:
    """Intercept and slope of the most likely line through log odds, by Newton's method in short steps.

    Drawn to intercept 0 and slope 1 where little is known.
    """
    line = np.array([0.0, 1.0])
    prior = np.diag([LATER / 10, LATER])
    columns = np.stack([np.ones_like(odds), odds])
    for _ in range(200):
        came = _chance(line @ columns)
        slope = columns @ (late - decided * came) - prior @ (line - [0.0, 1.0])
        step = np.linalg.solve((columns * (decided * came * (1 - came))) @ columns.T + prior, slope)
        line = line + step / max(1.0, float(np.abs(step).max()) / 0.2)
        if np.abs(step).max() < 1e-9:
            break
    return line


def push_on(curves: Curves, stages: Sequence[Stage], bins: Sequence[int] = range(len(EDGES))) -> Iterator[Later]:
    """For every segment, promise and age (of these bins): how late what comes after it will be.

    Remaining time and later durations are cut into `PARTS` equally likely parts each, added pairwise, and cut again;
    durations of successive stages are taken as independent. A later promise belongs to a segment if clocks of it were seen there.
    """
    following = {s.promise: [t for t in stages if t.start == s.stop] for s in stages}
    ages = EDGES[list(bins)]
    for stage in stages:
        for (promise, path), curve in curves.items():
            if promise == stage.promise and following[promise]:
                waits = np.stack([curve.remaining(age) - age for age in ages]) * stage.within_elapsed_s
                slack = (1 - ages) * stage.within_elapsed_s
                chain = _on(curves, following, (stage,), path, waits, slack)
                for later, after_due_s, late, p50, p90 in chain:
                    for row, b in enumerate(bins):
                        yield Later(
                            promise, path, b, later, float(late[row]), after_due_s, float(p50[row]), float(p90[row])
                        )


def _on(
    curves: Curves,
    following: Mapping[str, list[Stage]],
    passed: tuple[Stage, ...],
    path: Path,
    waits: Numbers,
    slack: Numbers,
) -> Iterator[tuple[str, float, Numbers, Numbers, Numbers]]:
    """`waits`: one row per age, `PARTS` equally likely elapsed seconds until the last stage passed stops; `slack`: the planned ones."""
    for stage in following[passed[-1].promise]:
        curve = curves.get((stage.promise, path))
        if curve is None or stage in passed:
            continue
        planned = slack + stage.within_elapsed_s
        late = curve.survival_after((planned[:, None] - waits) / stage.within_elapsed_s).mean(axis=1)
        durations = curve.remaining(0.0) * stage.within_elapsed_s
        sums = np.sort((waits[:, :, None] + durations).reshape(len(waits), -1), axis=1)
        p50, p90 = np.quantile(sums, [0.5, 0.9], axis=1)
        yield stage.promise, sum(s.within_elapsed_s for s in (*passed[1:], stage)), late, p50, p90
        yield from _on(curves, following, (*passed, stage), path, sums[:, PARTS // 2 :: PARTS], planned)


# -- how good they were ------------------------------------------------------------------------------------------------


def brier(chance: Numbers, came: Numbers) -> float:
    """Mean squared distance between chance and what came (0 or 1): 0 is perfect, lower is better. NaN of nothing.

    >>> brier(np.array([0.9, 0.2]), np.array([1.0, 0.0]))
    0.025
    """
    return round(float(np.mean((chance - came) ** 2)), 9) if len(chance) else float("nan")


@dataclass(frozen=True)
class Bin:
    """Forecasts between `low` and `high`: how many, their mean, and the part that came true."""

    low: float
    high: float
    count: int
    mean_chance: float
    came_share: float


def reliability(chance: Numbers, came: Numbers, bins: int = 10) -> list[Bin]:
    """Equal-width bins of the chance that hold any forecast, ascending."""
    place = np.minimum((chance * bins).astype(int), bins - 1)
    return [
        Bin(b / bins, (b + 1) / bins, int(held.sum()), float(chance[held].mean()), float(came[held].mean()))
        for b in range(bins)
        if (held := place == b).any()
    ]


def calibration_error(chance: Numbers, came: Numbers, bins: int = 10) -> float:
    """Expected calibration error: the mean distance, over all forecasts, between what a bin said and what came of it.

    >>> calibration_error(np.array([0.1, 0.1, 0.9]), np.array([0.0, 0.0, 1.0]))
    0.1
    """
    if not len(chance):
        return float("nan")
    found = reliability(chance, came, bins)
    return round(sum(b.count * abs(b.mean_chance - b.came_share) for b in found) / len(chance), 9)
