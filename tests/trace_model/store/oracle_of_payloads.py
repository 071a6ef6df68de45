"""How payloads are compared along the flow of one order, worked out slowly in plain loops. Shares no code with the SQL; docs/checks.md states the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

HOPS = ("quote", "order", "erp_order", "invoice")
FIELDS = ("amount", "quantity", "currency", "tax", "terms")
TOLERANCE = {"amount": Decimal("0.01"), "quantity": Decimal(0)}
"""Of the fields that are numbers; as the shipped catalogue declares them."""


@dataclass(frozen=True)
class Sent:
    """A payload that was taken. `may_be_less`: it is for a part (an invoice, an order of several of one quote)."""

    number: int
    at: float
    hop: str
    object: str
    version: str
    said: dict[str, str]
    may_be_less: bool = False
    is_shared: bool = False


@dataclass(frozen=True)
class Comparison:
    sent: Sent
    before: Sent
    states: dict[str, str]

    @property
    def is_different(self) -> bool:
        return "different" in self.states.values()


Finding = tuple[str, float, float | None]
"""Operation, from when, until when."""


def comparisons(payloads: Sequence[Sent]) -> list[Comparison]:
    """Each payload with the one it is compared with, in the order of sending."""
    found: dict[int, Comparison] = {}
    for sent in sorted(payloads, key=lambda p: (HOPS.index(p.hop), p.at)):
        before = _before(sent, payloads)
        if before:
            states = {name: _state(name, before, sent, found) for name in FIELDS}
            found[sent.number] = Comparison(sent, before, states)
    return sorted(found.values(), key=lambda c: c.sent.at)


def _before(sent: Sent, payloads: Sequence[Sent]) -> Sent | None:
    """The latest payload of the nearest hop that sent one before; an order's of its own version."""
    for hop in reversed(HOPS[: HOPS.index(sent.hop)]):
        earlier = [p for p in payloads if p.hop == hop and p.at <= sent.at]
        if sent.hop in ("order", "erp_order"):
            earlier = [p for p in earlier if p.version == sent.version]
        if earlier:
            return max(earlier, key=lambda p: p.at)
    return None


def _state(name: str, before: Sent, sent: Sent, found: dict[int, Comparison]) -> str:
    was, now = before.said.get(name), sent.said.get(name)
    if was is None or now is None or (name in TOLERANCE and sent.is_shared):
        return "unknown"
    if name in TOLERANCE:
        more = Decimal(now) - Decimal(was)
        is_same = more <= TOLERANCE[name] and (sent.may_be_less or -more <= TOLERANCE[name])
    else:
        is_same = was.lower() == now.lower()
    if is_same:
        return "same"
    origin = was
    while before.number in found:
        before = found[before.number].before
        origin = before.said.get(name, origin)
    if name in TOLERANCE:
        return "corrected" if abs(Decimal(origin) - Decimal(now)) <= TOLERANCE[name] else "different"
    return "corrected" if origin.lower() == now.lower() else "different"


def mismatches(payloads: Sequence[Sent]) -> set[Finding]:
    """When a hop began to say something else, and until when: it said it right, or later hops put every field right."""
    compared = comparisons(payloads)
    found = set()
    for place, c in enumerate(compared):
        like = [
            o
            for o in compared
            if (o.sent.hop, o.sent.object, o.sent.version) == (c.sent.hop, c.sent.object, c.sent.version)
        ]
        before = [o for o in compared[:place] if o in like]
        if not c.is_different or (before and before[-1].is_different):
            continue
        ends = [o.sent.at for o in compared[place + 1 :] if o in like and not o.is_different][:1]
        right = [_put_right(name, c, compared) for name, state in c.states.items() if state == "different"]
        if None not in right:
            ends.append(max(at for at in right if at is not None))
        found.add((f"check.mismatch_{c.sent.hop}", c.sent.at, min(ends, default=None)))
    return found


def _put_right(name: str, wrong: Comparison, compared: Sequence[Comparison]) -> float | None:
    """When a later hop said again of a field what the first one had said; of the same order in the same version."""
    return min(
        (
            o.sent.at
            for o in compared
            if o.states[name] == "corrected"
            and HOPS.index(o.sent.hop) > HOPS.index(wrong.sent.hop)
            and o.sent.at >= wrong.sent.at
            and (o.sent.object != wrong.sent.object or o.sent.version == wrong.sent.version)
        ),
        default=None,
    )
