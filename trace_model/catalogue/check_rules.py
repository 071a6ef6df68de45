"""Faults that no system reports: the facts contradict each other (docs/checks.md).

What is compared is SQL of the projection; what may be compared is declared here. Each check is an operation `check.*` of
its own in the exception queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from trace_model.catalogue.failure_rules import Category, FailureClass

if TYPE_CHECKING:
    from trace_model.catalogue.schema import Catalogue


class Identity(BaseModel):
    """What is one object's alone: the attributes that say it, on spans about that object, compared together without regard to
    case, accents and punctuation."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    object: str
    name: str
    label: str
    attributes: list[str] = Field(min_length=1)


def whole_path(attribute: str) -> str:
    """The JSON path of an attribute, dots and all.

    >>> whole_path("q2c.customer.tax_id")
    '$."q2c.customer.tax_id"'
    """
    return f'$."{attribute}"'


class Checks(BaseModel):
    """`not_over` names milestones that must not cover more than there is; `billed_by` the one that bills the customer.

    `recurring` are object types (a subscription) whose orders bill for years: they are paid too much when they are paid
    more than was billed, and billed twice when the same amount comes again within a day. `identities` tell two objects of
    one type for one. `drift_after`: so many payloads of a new release must lack a field before it is called gone (null: never).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    not_over: list[str] = []
    over_tolerance: Decimal = Field(default=Decimal("0.005"), ge=0, lt=1)
    billed_by: str | None = None
    recurring: list[str] = []
    identities: list[Identity] = []
    drift_after: int | None = Field(default=5, ge=2, le=20)

    @property
    def identity_paths(self) -> list[str]:
        """The JSON paths of every attribute that an identity is read from, each once."""
        return list(dict.fromkeys(whole_path(name) for i in self.identities for name in i.attributes))


ExceptionKind = Literal[
    "failed_operation", "unknown_status", "duplicate", "over_coverage", "mismatch", "schema_drift", "stuck_flow"
]
"""What sort of exception it is: the first two are told by a failing span, the others found by a check."""

ADVICE: dict[str, str] = {
    "unknown_status": "Ask the target whether it is there, before anything is sent again.",
    "duplicate": "Decide which of the two stands, and cancel or merge the other. There is nothing to replay.",
    "over_coverage": "Find which document is too much, and credit, return or refund it. There is nothing to replay.",
    "mismatch": "Find which system is right, correct the other, and let it send the document again.",
    "schema_drift": "Ask who released the change; map the field anew, or take the release back.",
    "stuck_flow": "Look for it in the system whose move it is, and resume the flow there. Nothing failed, so there is nothing to replay.",
}
"""By kind: what to do where no system refused anything that could be tried again."""


def advice(kind: str, runbook: str | None) -> str | None:
    """What to do about an exception of this kind: its own advice, else the owner's runbook; None where there is neither.

    >>> advice("duplicate", "Replay it."), advice("failed_operation", "Replay it."), advice("failed_operation", "")
    ('Decide which of the two stands, and cancel or merge the other. There is nothing to replay.', 'Replay it.', None)
    """
    return ADVICE.get(kind, runbook) or None


@dataclass(frozen=True)
class Check:
    """One check as the queue shows it: the operation it stands for, and the verdict it gives."""

    operation: str
    kind: ExceptionKind
    label: str
    category: Category
    why: str
    class_: FailureClass = "business"
    system: str | None = None
    milestone: str | None = None
    """Of a stuck flow: the latest milestone, and its system."""


def checks_of(c: Catalogue) -> Iterator[Check]:
    """Every check that the catalogue asks for, each operation once."""
    by_name = {m.name: m for m in c.milestones}
    labels = {t.name: t.label for t in c.object_types}
    duplicated = set(c.lead_types)
    for name in c.checks.not_over:
        m = by_name[name]
        category: Category = (
            "credit_payment" if m.name != c.checks.billed_by and m.covers == "amount" else "invoice_billing"
        )
        yield Check(
            f"check.over_{name}",
            "over_coverage",
            f"{m.label}: too much",
            category,
            f"it must not cover more than there is ({m.label})",
        )
        if m.object not in duplicated:
            duplicated.add(m.object)
            why = f"another {labels[m.object].lower()} of the same amount makes it too much ({m.label})"
            label = f"the same {labels[m.object].lower()} twice"
            yield Check(f"check.duplicate_{m.object}", "duplicate", label, "duplicate", why)
    for hop in c.payloads.hops[1:]:
        why = f"a field of the {hop.label} that the catalogue compares differs from the hop before it"
        yield Check(
            f"check.mismatch_{hop.name}",
            "mismatch",
            f"{hop.label} differs from the hop before",
            "contract_schema",
            why,
            "technical",
        )
    for identity in c.checks.identities:
        if identity.object not in duplicated:
            duplicated.add(identity.object)
            named = " or ".join(i.label for i in c.checks.identities if i.object == identity.object)
            label = f"the same {labels[identity.object].lower()} twice"
            why = f"another {labels[identity.object].lower()} has the same {named}"
            yield Check(f"check.duplicate_{identity.object}", "duplicate", label, "duplicate", why)
    if c.checks.drift_after is not None:
        yield Check(
            "check.schema_drift",
            "schema_drift",
            "payloads changed with a release",
            "contract_schema",
            "every payload of the release before had the field, and none of the new one's first has it so",
            "technical",
        )
    why = "nothing failed, nothing is promised, and nothing has moved for longer than like orders ever stood there"
    first = Check(
        "check.stuck_at_start", "stuck_flow", "stuck before its first milestone", "stalled_flow", why, "technical"
    )
    yield first
    for m in c.milestones:
        label = f"stuck after {m.label[:1].lower()}{m.label[1:]}"
        yield replace(first, operation=f"check.stuck_after_{m.name}", label=label, system=m.system, milestone=m.name)
    lead = c.lead_types[0]
    yield Check(
        f"check.duplicate_{lead}", "duplicate", f"the same {labels[lead].lower()} twice", "duplicate",
        "orders of one quote have the same amount and quantity, and together more than the quote",
    )  # fmt: skip
    yield Check(
        "check.booked_twice", "duplicate", "booked twice", "duplicate", "one object has two numbers in one system"
    )
