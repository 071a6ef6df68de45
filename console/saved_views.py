"""Saved views: a list's filters under a name, of one person or shared. Kept as deeds, so the audit knows of them too."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl, urlencode

from console.access import Principal, Right
from console.filters import EXCEPTION_GROUPS
from trace_model.errors import Forbidden, Refused, UnknownThing
from trace_model.store import Store
from trace_model.store.actions import Action

ROOM = "exceptions"
NAME_MOST = 60
NAMES = {one.name for one in EXCEPTION_GROUPS if one.name != "page"}


class SavedViews:
    """Saves and drops views of the exception queue; `store.rows("saved_views", ...)` lists them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, principal: Principal, name: str, query: str, *, shared: bool) -> Action:
        """The view holds `query`'s filters from now on; one's own of the same name is replaced. Sharing needs the right to triage.

        Raises Refused or Forbidden.
        """
        principal.require(Right.TRIAGE if shared else Right.READ)
        called = " ".join(name.split())
        if not called or len(called) > NAME_MOST:
            raise Refused(f"a view needs a name of at most {NAME_MOST} characters")
        filters = {key: value for key, value in parse_qsl(query) if key in NAMES}
        if not filters:
            raise Refused("no filter is set: the whole queue needs no name")
        view_id = hashlib.sha256(f"{ROOM}\x1f{principal.name}\x1f{called.lower()}".encode()).hexdigest()[:12]
        detail = {"room": ROOM, "name": called, "query": urlencode(sorted(filters.items())), "shared": shared}
        return self._act(principal, "save_view", view_id, "saved", detail)

    def drop(self, principal: Principal, view_id: str) -> Action:
        """The view is gone. Only who saved it, or an administrator, may. Raises UnknownThing or Forbidden."""
        found = self._store.rows("saved_views", room=ROOM, actor=principal.name, as_of=self._store.clock())
        view = next((row for row in found if row["view_id"] == view_id), None)
        if view is None:
            raise UnknownThing(f"there is no saved view '{view_id}'")
        if not view["is_mine"] and not principal.may(Right.ADMINISTER):
            raise Forbidden(f"'{view['name']}' was saved by {view['actor']}; only they or an administrator may drop it")
        return self._act(principal, "drop_view", view_id, "dropped", {"room": ROOM, "name": view["name"]})

    def _act(self, principal: Principal, deed: str, view_id: str, reason: str, detail: dict[str, object]) -> Action:
        return self._store.act(
            actor=principal.name, deed=deed, subject_type="saved_view", subject_id=view_id, reason=reason, detail=detail
        )
