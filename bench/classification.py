"""How well failures are told apart: `python -m bench.classification [DATA_DIRECTORY] [--misses]`.

Two bodies of labelled error codes are read, each scored twice: *blind* (every rule that names the code's own system
left out, so that only general evidence speaks, as for a system nobody foresaw) and *shipped* (all packs).

- `errors_dev.jsonl` in DATA_DIRECTORY (default `../shared/data` beside the repository; passed over where absent);
- `bench/data/errors_public.jsonl`: codes of systems that `errors_dev.jsonl` does not have, from public documents.

A category counts as right when it is the label's or one of its `also_ok`; entries marked ambiguous are left out. As in
`errors_dev.jsonl`, a label that would also accept a category of the other of business and technical is ambiguous.
`errors_public.jsonl` grew sample by sample: each was drawn and labelled before it was judged, judged once, and only then
learned from. What was said that first time is kept in `bench/data/first_judgements.jsonl`, as vote share and right or
wrong; it is the honest estimate for systems to come, and `--fit` makes the share-to-confidence table of
`packs/calibration.yaml` from it. `--first FILE` judges a new sample and puts it on record; a system or part that is on
record is refused. A judgement is `clear` unless its label was found ambiguous later. The mode `blind, again` is what today's
way of learning and voting makes of a sample with the packs, and the labelled codes, as they stood before it was drawn.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.learn import learned
from trace_model.catalogue.calibration import Calibration
from trace_model.catalogue.failure_rules import LEARNED_FILE, SHIPPED_PACKS, Rules, load_rules
from trace_model.signatures import Signature, Verdict, classify
from trace_model.word_weights import WordWeights

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
PUBLIC = REPOSITORY / "bench" / "data" / "errors_public.jsonl"
PHRASES = REPOSITORY / "bench" / "data" / "phrases.jsonl"
FIRST_JUDGEMENTS = REPOSITORY / "bench" / "data" / "first_judgements.jsonl"
LEARNED_SINCE = "eleventh"  # the first part that was judged first with learned words beside the rules
VOTED_AS_NOW_SINCE = "twenty-second"  # the first part that was judged first by today's way of learning and voting
GROUPS = 8
AGAIN = "blind, again"
SURE = 0.9
BANDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.01)


@dataclass(frozen=True)
class Judged:
    """One labelled code and what the rules said of it."""

    entry: dict[str, Any]
    verdict: Verdict

    @property
    def class_right(self) -> bool:
        return str(self.entry["class"]) == self.verdict.class_

    @property
    def category_right(self) -> bool:
        return self.verdict.category in {self.entry["category"], *self.entry.get("also_ok", ())}

    @property
    def right(self) -> bool:
        return self.class_right and self.category_right


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The labelled codes that are not marked ambiguous, in file order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [entry for line in lines if not (entry := json.loads(line)).get("ambiguous")]


def judge(entries: Sequence[dict[str, Any]], rules: Rules, *, blind: bool) -> list[Judged]:
    """Each entry with its verdict; blind leaves out what the rules know of the entry's own system."""
    general = {entry["system"]: rules.without_knowledge_of(entry["system"]) for entry in entries} if blind else {}
    return [Judged(entry, classify(_signature(entry), general.get(entry["system"], rules))) for entry in entries]


def _signature(entry: dict[str, Any]) -> Signature:
    return Signature(
        system=entry["system"],
        code=entry["code"],
        message=entry.get("message") or "",
        http_status=entry.get("http_status"),
        exception=entry.get("exception"),
    )


def score(judged: Sequence[Judged]) -> dict[str, Any]:
    """Shares (0 to 1) of one body of judged codes; `sure_*` are those with a confidence above 0.9."""
    count = len(judged)
    sure = [one for one in judged if one.verdict.confidence > SURE]
    return {
        "codes": count,
        "class_right": _share(sum(one.class_right for one in judged), count),
        "category_right": _share(sum(one.category_right for one in judged), count),
        "transient_right": _share(sum(one.verdict.transient == one.entry["transient"] for one in judged), count),
        "unknown": _share(sum(one.verdict.class_ == "unknown" for one in judged), count),
        "sure": _share(len(sure), count),
        "sure_class_right": _share(sum(one.class_right for one in sure), len(sure)),
        "sure_both_right": _share(sum(one.right for one in sure), len(sure)),
    }


def reliability(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """One row per band of confidence: how many verdicts, what they claimed on average and how many were right."""
    rows = []
    for low, high in pairwise(BANDS):
        band = [one for one in judged if low <= one.verdict.confidence < high]
        if band:
            rows.append(
                {
                    "from": low,
                    "codes": len(band),
                    "claimed": round(sum(one.verdict.confidence for one in band) / len(band), 3),
                    "right": _share(sum(one.right for one in band), len(band)),
                    "class_right": _share(sum(one.class_right for one in band), len(band)),
                }
            )
    return rows


def learn(data: Path) -> WordWeights:
    """What the words of every labelled text that is there have stood for."""
    texts = [entry for _, entries in bodies(data) for entry in entries]
    phrases = [json.loads(line) for line in PHRASES.read_text(encoding="utf-8").splitlines()]
    return learned(
        ((_signature({"system": "", **entry}), (entry["class"], entry["category"])) for entry in [*texts, *phrases]),
        load_rules(),
        f"python -m bench.classification --learn, {len(texts)} published codes and {len(phrases)} phrases",
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def parts() -> list[str]:
    """The parts of the public codes, in the order in which they were judged first."""
    return list(dict.fromkeys(entry["part"] for entry in read_entries(PUBLIC)))


def parts_since(first: str) -> list[str]:
    """The parts that were judged first since `first` was, with it, in that order; none if it is still to come."""
    in_order = parts()
    return in_order[in_order.index(first) :] if first in in_order else []


def bodies(data: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The labelled bodies that are there, by name."""
    dev = data / "errors_dev.jsonl"
    if dev.exists():
        yield "dev", read_entries(dev)
    public = read_entries(PUBLIC)
    for part in parts():
        yield f"public {part}", [entry for entry in public if entry["part"] == part]


def run(data: Path = SHARED_DATA) -> list[dict[str, Any]]:
    """One row per body (all public codes are one) and mode, with the time one signature takes; then one per mode of the
    fresh codes as first judged, by all labels they were drawn with and by those that are clear, with the worst sample.
    """
    rules = load_rules()
    rows = []
    dev = [(name, entries) for name, entries in bodies(data) if name == "dev"]
    for name, entries in [*dev, ("public, learned from", read_entries(PUBLIC))]:
        scores = {blind: score(judge(entries, rules, blind=blind)) for blind in (True, False)}
        duration = _duration_us(entries, rules)  # now that the patterns are compiled
        for blind, scored in scores.items():
            mode = "blind" if blind else "shipped"
            rows.append({"body": name, "mode": mode, **scored, "us_per_signature": duration})
    judges = dict.fromkeys(parts(), "rules alone")
    judges |= dict.fromkeys(parts_since(LEARNED_SINCE), "rules and words")
    judges |= dict.fromkeys(parts_since(VOTED_AS_NOW_SINCE), "today's vote")
    first: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for one in first_judgements():
        by = "today's vote on older packs" if one["mode"] == AGAIN else judges[one["part"]]
        for labels in ("all", "clear") if one["clear"] else ("all",):
            first[by, one["mode"], labels].append(one)
    for (by, mode, labels), judged_first in first.items():
        row = {"body": f"fresh, {by}", "mode": mode, "labels": labels}
        rows.append({**row, **first_scores(judged_first), **_worst(judged_first)})
    return rows


def _worst(judged_first: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How many samples there were, and the share of classes that was right in the worst of them."""
    samples: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in judged_first:
        samples[one["part"]].append(one)
    shares = [_share(sum(one["class_right"] for one in sample), len(sample)) for sample in samples.values()]
    return {"samples": len(shares), "worst_class_right": min(shares)}


def _duration_us(entries: Sequence[dict[str, Any]], rules: Rules) -> float:
    """Processor time per signature: it does not depend on what else the machine does."""
    signatures = [_signature(entry) for entry in entries]
    started = time.process_time()
    for signature in signatures:
        classify(signature, rules)
    return round((time.process_time() - started) / len(signatures) * 1e6, 1)


def first_judgements() -> list[dict[str, Any]]:
    """One row per fresh code and mode as first judged: part, mode, share (raw vote share), what was right, unknown, clear."""
    return [json.loads(line) for line in FIRST_JUDGEMENTS.read_text(encoding="utf-8").splitlines()]


def judge_first(fresh: Path) -> list[dict[str, Any]]:
    """The scores of a fresh body, whose codes and judgements are from now on on record: this can be done once.

    Raises ValueError if a system of it is on record already, or its part: it would not be a first judgement.
    """
    entries = read_entries(fresh)
    known = read_entries(PUBLIC)
    for field in ("system", "part"):
        seen = sorted({entry[field] for entry in entries} & {entry[field] for entry in known})
        if seen:
            raise ValueError(f"{fresh.name}: {field} {', '.join(seen)} has been judged before; bring one that has not")
    rules = load_rules()
    raw = replace(rules, calibration=Calibration(provenance="none: raw vote share"))
    with PUBLIC.open("a", encoding="utf-8") as codes, FIRST_JUDGEMENTS.open("a", encoding="utf-8") as judgements:
        codes.writelines(f"{line}\n" for line in fresh.read_text(encoding="utf-8").splitlines())
        for blind in (True, False):
            for one in judge(entries, raw, blind=blind):
                judgements.write(f"{json.dumps(_judgement(one, blind=blind))}\n")
    return [
        {"mode": "blind" if blind else "shipped", **score(judge(entries, rules, blind=blind))}
        for blind in (True, False)
    ]


def _judgement(one: Judged, *, blind: bool) -> dict[str, Any]:
    return {
        "part": one.entry["part"],
        "mode": "blind" if blind else "shipped",
        "share": one.verdict.confidence,
        "class_right": one.class_right,
        "category_right": one.category_right,
        "unknown": one.verdict.class_ == "unknown",
        "clear": True,
    }


def first_scores(judged: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares of fresh codes as first judged, at the confidence that the shipped table gives their vote shares."""
    calibration = load_rules().calibration
    sure = [one for one in judged if calibration.confidence(one["share"]) > SURE]
    return {
        "codes": len(judged),
        "class_right": _share(sum(one["class_right"] for one in judged), len(judged)),
        "category_right": _share(sum(one["category_right"] for one in judged), len(judged)),
        "unknown": _share(sum(one["unknown"] for one in judged), len(judged)),
        "sure": _share(len(sure), len(judged)),
        "sure_class_right": _share(sum(one["class_right"] for one in sure), len(sure)),
        "sure_both_right": _share(sum(one["class_right"] and one["category_right"] for one in sure), len(sure)),
    }


def fit() -> list[tuple[float, float]]:
    """The share-to-confidence points: eight groups of first judgements, pooled until rising, two wrong ones added.

    Only judgements by today's vote count, and of labels that are clear: other ways of voting share otherwise.
    """
    voted_as_now = parts_since(VOTED_AS_NOW_SINCE)
    known = sorted(
        (one["share"], one["class_right"] and one["category_right"])
        for one in first_judgements()
        if one["clear"]
        and not one["unknown"]
        and (one["mode"] == AGAIN or (one["mode"] == "blind" and one["part"] in voted_as_now))
    )
    pooled: list[list[tuple[float, bool]]] = []
    for i in range(GROUPS):
        pooled.append(known[len(known) * i // GROUPS : len(known) * (i + 1) // GROUPS])
        while len(pooled) > 1 and _rate(pooled[-2]) >= _rate(pooled[-1]):
            last = pooled.pop()
            pooled[-1] = pooled[-1] + last
    points = [(round(sum(share for share, _ in group) / len(group), 3), round(_rate(group), 3)) for group in pooled]
    return [(0.0, 0.0), *points, (1.0, round((points[-1][1] + 1) / 2, 3))]


def _rate(group: Sequence[tuple[float, bool]]) -> float:
    return sum(right for _, right in group) / (len(group) + 2)


def _table(rows: Sequence[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def main() -> None:
    """Print the scores, the reliability of blind verdicts, and on request what was missed or the fitted table."""
    parser = argparse.ArgumentParser(description="Score failure classification on labelled error codes.")
    parser.add_argument("data", nargs="?", type=Path, default=SHARED_DATA, help="directory of errors_dev.jsonl")
    parser.add_argument(
        "--misses",
        choices=["dev", *parts()],
        help="list what was missed in one body",
    )
    parser.add_argument("--shipped", action="store_true", help="with --misses: with all packs, not blind")
    parser.add_argument("--fit", action="store_true", help="print the share-to-confidence table")
    parser.add_argument("--learn", action="store_true", help="learn anew what words stand for, and write it")
    parser.add_argument("--first", type=Path, metavar="FILE", help="judge fresh labelled codes and put them on record")
    asked = parser.parse_args()
    if asked.learn:
        (SHIPPED_PACKS / LEARNED_FILE).write_text(learn(asked.data).written(), encoding="utf-8")
        return
    if asked.first:
        print(_table(judge_first(asked.first)))
        return
    if asked.fit:
        print(json.dumps(fit()))
        return
    rules = load_rules()
    if asked.misses:
        entries = next(entries for name, entries in bodies(asked.data) if name.endswith(asked.misses))
        for one in judge(entries, rules, blind=not asked.shipped):
            if not one.right:
                print(_miss(one))
        return
    if not (asked.data / "errors_dev.jsonl").exists():
        print(f"errors_dev.jsonl is not in {asked.data}: its scores are left out")
    print(f"machine: {platform.machine()}, Python {platform.python_version()}; command: python -m bench.classification")
    print(_table(run(asked.data)))
    for name, entries in bodies(asked.data):
        for mode in ("blind", "shipped"):
            print(f"\nreliability, {name}, {mode} (right: class and category)")
            print(_table(reliability(judge(entries, rules, blind=mode == "blind"))))


def _miss(one: Judged) -> str:
    entry, verdict = one.entry, one.verdict
    label = f"{entry['class']}/{entry['category']}"
    said = f"{verdict.class_}/{verdict.category} {verdict.confidence}"
    wrong = "CLASS" if not one.class_right else "category"
    text = f"{entry['system']} {entry['code']} {(entry.get('message') or '')[:90]!r}"
    return f"{wrong}: {text}\n    label {label}; said {said}\n    " + "\n    ".join(verdict.facts[:3])


if __name__ == "__main__":
    main()
