"""Who may do what: roles, rights, and the tokens that prove a person. Rights are checked by the deeds, not by widgets."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from trace_model.errors import Forbidden


class Right(StrEnum):
    READ = "read"
    READ_PAYLOADS = "read_payloads"
    TRIAGE = "triage"
    REPLAY = "replay"
    APPROVE = "approve"
    EDIT_SENSITIVE = "edit_sensitive"
    ADMINISTER = "administer"


ROLES: dict[str, frozenset[Right]] = {
    "viewer": frozenset({Right.READ}),
    "analyst": frozenset({Right.READ, Right.TRIAGE}),
    "operator": frozenset({Right.READ, Right.READ_PAYLOADS, Right.TRIAGE, Right.REPLAY}),
    "approver": frozenset(set(Right) - {Right.ADMINISTER}),
    "admin": frozenset(Right),
}
"""What each role may do. A person has one role."""


@dataclass(frozen=True)
class Principal:
    """A person or a program that acts, by name; the name is what the audit shows."""

    name: str
    role: str

    def may(self, right: Right) -> bool:
        return right in ROLES[self.role]

    def require(self, right: Right) -> None:
        """Raises Forbidden, naming the right and the roles that have it, unless this principal has it."""
        if not self.may(right):
            having = ", ".join(role for role, rights in ROLES.items() if right in rights)
            raise Forbidden(
                f"{self.name} has the role {self.role}, which may not {right.value}. Roles that may: {having}."
            )


LOCAL = Principal("local", "admin")
"""Whoever sits at this machine, where no login is configured; only ever on loopback."""


@dataclass(frozen=True)
class Login:
    """A person's access token; `serve` reads them from the settings."""

    name: str
    role: str
    token: str


class Access:
    """Turns a token into a principal. Without logins everyone is LOCAL: the composition root allows that on loopback only."""

    def __init__(self, logins: Sequence[Login] = ()) -> None:
        for login in logins:
            if login.role not in ROLES:
                raise ValueError(f"login '{login.name}' has role '{login.role}'. Known: {', '.join(ROLES)}")
        self._logins = tuple(logins)

    @property
    def is_open(self) -> bool:
        return not self._logins

    def secrets(self) -> list[str]:
        """Every login's name and token, in order: what sessions are signed with."""
        return [f"{login.name}:{login.token}" for login in self._logins]

    def named(self, name: str) -> Principal | None:
        """The principal of this name, or None."""
        return next((Principal(login.name, login.role) for login in self._logins if login.name == name), None)

    def principal(self, token: str | None) -> Principal | None:
        """The principal with this token, or None. Compares in constant time."""
        if self.is_open:
            return LOCAL
        found = None
        for login in self._logins:
            if token is not None and hmac.compare_digest(login.token.encode(), token.encode()):
                found = Principal(login.name, login.role)
        return found
