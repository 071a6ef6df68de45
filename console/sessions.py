"""Who is signed in to the console: a signed, dated name in a cookie. Nothing is kept on the server; no Starlette, no Streamlit here."""

from __future__ import annotations

import hashlib

from itsdangerous import BadSignature, URLSafeTimedSerializer

from console.access import Access, Principal

COOKIE = "cashtrail_session"
LASTS_S = 12 * 3600
"""A working day and the evening after; then the token is asked for again."""


class Sessions:
    """Seals a signed-in person's name, and opens what it sealed. Threads may share it.

    The key is made of the logins themselves: sessions survive a restart, and whoever loses or changes a token is signed out
    everywhere. The role is never in the cookie; it is looked up anew each time.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        digest = hashlib.sha256("\n".join(access.secrets()).encode())
        self._serializer = URLSafeTimedSerializer(digest.hexdigest(), salt="cashtrail-session")

    def sealed(self, who: Principal) -> str:
        return self._serializer.dumps(who.name)

    def opened(self, cookie: str | None) -> Principal | None:
        """Who was sealed in `cookie`; None where it is missing, forged, older than LASTS_S, or of nobody known any more."""
        if self._access.is_open:
            return self._access.principal(None)
        try:
            name = self._serializer.loads(cookie or "", max_age=LASTS_S)
        except BadSignature:
            return None
        return self._access.named(name)
