"""How much replays may do at once: the section `replays` of a catalogue, set by whoever owns the risk. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Count = Annotated[int, Field(ge=0)]
Many = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ReplayLimits:
    """Times in seconds, amounts in the reporting currency.

    A second person must look above `approval_count` or `approval_amount`, and wherever a patch changes money or tax
    (`two_keys_fields`). What the same person has sent without approval in the last `approval_window_s` counts towards
    both, so that cutting a plan into pieces gains nothing; 0 lets each plan count alone. Fields that match
    `sensitive_fields` may be changed, and read in a plan, only with the right edit_sensitive. The first `canary_count` of
    more than `canary_above` items go alone; from then on twice as many as have been proven may be under way, up to
    `wave_size`. A plan brakes when at least `brake_at_least` items and more than `brake_share` of those that ended did so
    badly. One failure is replayed at most `item_tries` times without anything having been changed. `quiet_s` is how long a
    dependency must be up before it is trusted; `recovery` what happens then to the failures it left behind: nothing, a
    plan that asks, or one that starts by itself where it needs no approval. Where such a plan brakes, it goes on by itself
    after twice the quiet period, then four times and so on up to `recovery_wait_most_s`, at most `recovery_resumes` times;
    after that it waits for a person.
    """

    approval_count: Count = 250
    approval_amount: Annotated[Decimal, Field(ge=0)] = Decimal("2000000")
    approval_window_s: Seconds = 24 * 3600
    approval_valid_s: Seconds = 8 * 3600
    plan_valid_s: Seconds = 24 * 3600
    two_keys_fields: tuple[str, ...] = ("*amount*", "*price*", "*total*", "*currency*", "*discount*", "*tax*", "*vat*")
    sensitive_fields: tuple[str, ...] = ("*iban*", "*bank*", "*account_number*", "*card*", "*email*", "*phone*")
    canary_above: Count = 3
    canary_count: Many = 1
    wave_size: Many = 25
    brake_share: Share = 0.2
    brake_at_least: Many = 2
    outstanding_per_target: Many = 40
    calls_per_target: Many = 4
    calls_per_s: Annotated[float, Field(gt=0)] = 20.0
    evidence_timeout_s: Seconds = 120.0
    uncertain_for_s: Seconds = 15.0
    ask_again_s: Seconds = 2.0
    tries: Many = 6
    item_tries: Many = 3
    in_flight_s: Seconds = 1800.0
    quiet_s: Seconds = 30.0
    recovery: Literal["off", "propose", "start"] = "propose"
    recovery_at_least: Many = 3
    recovery_at_most: Many = 100
    recovery_resumes: Count = 8
    recovery_wait_most_s: Seconds = 3600.0

    def recovery_wait_s(self, tries: int) -> float:
        """How long recovery leaves alone what it has tried so often without success.

        >>> [ReplayLimits().recovery_wait_s(tries) for tries in (0, 1, 2, 9)]
        [30.0, 60.0, 120.0, 3600.0]
        """
        return min(self.quiet_s * 2.0 ** min(tries, 30), max(self.recovery_wait_most_s, self.quiet_s))

    def needs_two_keys(self, path: str) -> bool:
        """True if changing this field needs a second person.

        >>> ReplayLimits().needs_two_keys("ship_to.tax_id"), ReplayLimits().needs_two_keys("po_number")
        (True, False)
        """
        return _is_named(path, self.two_keys_fields)

    def is_sensitive(self, path: str) -> bool:
        """True if only some roles may change or read this field.

        >>> ReplayLimits().is_sensitive("payer.IBAN"), ReplayLimits().is_sensitive("po_number")
        (True, False)
        """
        return _is_named(path, self.sensitive_fields)


def _is_named(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(part, pattern.lower()) for part in path.lower().split(".") for pattern in patterns)
