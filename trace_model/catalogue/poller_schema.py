"""How to ask an HTTP interface that does not push: the catalogue's `pollers` section, strict to the last key.

Pure. Secrets never stand here: `auth` names the environment variable that holds the value. Paths into an answer are
names joined by dots, numbers for places in lists: `data.items`, `lines.0.id`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Path = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
PollerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Auth(_Part):
    """A header whose value stands in an environment variable, after `prefix`."""

    header: str = "Authorization"
    prefix: str = "Bearer "
    value_from: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class Watermark(_Part):
    """What of an item says how new it is, and the query parameter that asks for what is newer.

    `start` is asked for the first time. Items are read again from `overlap_s` seconds before (instants) on, for what
    came late; known ones are counted once.
    """

    path: Path
    parameter: str
    kind: Literal["instant", "number"] = "instant"
    start: str | None = None
    overlap_s: int = Field(default=0, ge=0)


class Paging(_Part):
    """How to the next page: a cursor in the answer, a page number, or the address of the next page (in the answer, else in `Link`).

    Without a `next` path, `cursor` cannot be; `page` ends at the first page without items.
    """

    kind: Literal["none", "cursor", "page", "link"] = "none"
    parameter: str = "cursor"
    next: Path | None = None
    first: int = 1
    pages_most: int = Field(default=1000, ge=1)

    @model_validator(mode="after")
    def _a_cursor_has_a_path(self) -> Self:
        if self.kind == "cursor" and self.next is None:
            raise ValueError("paging by cursor needs `next`, the path of the next cursor in the answer")
        return self


class EventMapping(_Part):
    """What an item means: one event of no length, as a CloudEvent would be.

    `source` is the system's name; `id` the paths that together name the item and its state (the same again is a duplicate);
    `type` the event's name; `attributes` give attributes of the span (`q2c.order.id`) the path of their value, `constants`
    the value itself. What an item does not have is left out.
    """

    source: str
    type: str
    id: list[Path] = Field(min_length=1)
    time: Path | None = None
    attributes: dict[str, Path] = Field(min_length=1)
    constants: dict[str, str] = {}


class Poller(_Part):
    """One interface that is asked every `every_s` seconds. `items` is the path of the list in its answer, if any."""

    name: PollerName
    label: str = ""
    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+")]
    every_s: float = Field(default=60, ge=0.05)
    timeout_s: float = Field(default=30, gt=0, le=600)
    parameters: dict[str, str] = {}
    headers: dict[str, str] = {}
    auth: Auth | None = None
    items: Path | None = None
    paging: Paging = Paging()
    watermark: Watermark | None = None
    event: EventMapping
