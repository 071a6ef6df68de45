"""The ground floor's errors. Callers branch on three kinds: permanent, retryable, uncertain.

What a constructor takes stands in `args`, since that is what pickle makes an error of another process from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class CashtrailError(Exception):
    """Root of every error this product raises on purpose; its text is fit for an operator."""


class PermanentError(CashtrailError):
    """The same call will fail again: something has to be changed first."""


class RetryableError(CashtrailError):
    """The same call may succeed later; `retry_after_s` says when to try."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return str(self.args[0])


class UncertainError(CashtrailError):
    """It may have happened. Never try again blindly: ask the target first."""


class StoreUnavailable(RetryableError):
    """The store cannot be written or read now (disk full, locked, closing). Nothing was kept."""


class CatalogueError(PermanentError):
    """The catalogue is wrong; `problems` lists every fault as `file, line N: what; what to do`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class AmbiguousThing(PermanentError):
    """The words name more than one thing; `choices` are what each may be named by, fit for a query."""

    def __init__(self, message: str, choices: Sequence[Mapping[str, str]]) -> None:
        super().__init__(message, choices)
        self.choices = choices

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownThing(PermanentError):
    """What was asked for does not exist (a timeline, a group, a plan)."""


class Refused(PermanentError):
    """A deed that the rules do not allow now; the text says why and what would allow it."""


class Forbidden(Refused):
    """A deed that this principal may not do, whoever else may."""
