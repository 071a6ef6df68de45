"""HTTP pollers: asks interfaces that do not push, item by item into events, by the same door as everyone (`Ingest.accept`).

A round reads every page from the watermark on; the watermark moves only once all of it is durable, so a crash reads again
and never too little, and what is read again is counted once. 429 and 503 say when to come back; other failures wait longer
each time. A poller that fails says so and goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import httpx
import orjson

from collectors.access import source_name
from collectors.cloudevents import BATCHED, Form, decode_events
from collectors.ingest import Ingest
from trace_model.catalogue.poller_schema import EventMapping, Poller, Watermark
from trace_model.errors import PermanentError, RetryableError

log = logging.getLogger("cashtrail.pollers")
LONGEST_PAUSE_S = 900.0
RETRY_AFTER_MOST_S = 3600.0


class NotRead(RetryableError):
    """The interface did not answer as it should now; `retry_after_s` is 0 where it does not say when to come back."""


class NotReadable(PermanentError):
    """The interface refuses, or answers what cannot be read; somebody has to change something first."""


class Watermarks(Protocol):
    """Where pollers keep how far they have read; the store's."""

    def of(self, poller: str) -> str | None: ...
    def keep(self, poller: str, watermark: str) -> None: ...


@dataclass(frozen=True)
class Status:
    """How one poller does. Instants aware UTC; counts since the start. `state`: waiting (not asked yet), ok, failing."""

    name: str
    label: str
    host: str
    state: str = "waiting"
    fault: str | None = None
    watermark: str | None = None
    polled_at: datetime | None = None
    succeeded_at: datetime | None = None
    next_at: datetime | None = None
    round_count: int = 0
    item_count: int = 0
    refused_count: int = 0
    failed_in_a_row: int = 0

    def plain(self) -> dict[str, Any]:
        return asdict(self)


class Pollers:
    """The pollers of one house, each in a thread of its own: a slow interface holds up only itself."""

    def __init__(
        self,
        declared: Iterable[Poller],
        ingest: Ingest,
        watermarks: Watermarks,
        environment: Mapping[str, str],
        clock: Callable[[], datetime],
    ) -> None:
        self._clock = clock
        self._stopping = threading.Event()
        self._polls = [Poll(one, ingest, watermarks, environment, clock, self._stopping) for one in declared]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Every poller is asked from now on."""
        if self._polls:
            # httpx writes whole addresses, which may hold secrets
            logging.getLogger("httpx").setLevel(logging.WARNING)
        for poll in self._polls:
            thread = threading.Thread(target=self._follow, args=(poll,), name=f"poller-{poll.status.name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """No further request is made; a round under way ends without moving its watermark."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def statuses(self) -> list[Status]:
        return [poll.status for poll in self._polls]

    def _follow(self, poll: Poll) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(poll.round())


class Poll:
    """One poller's rounds."""

    def __init__(
        self,
        declared: Poller,
        ingest: Ingest,
        watermarks: Watermarks,
        environment: Mapping[str, str],
        clock: Callable[[], datetime],
        stopping: threading.Event,
    ) -> None:
        self._declared = declared
        self._ingest = ingest
        self._watermarks = watermarks
        self._environment = environment
        self._clock = clock
        self._stopping = stopping
        host = urlsplit(declared.url).netloc.rpartition("@")[2]
        self.status = Status(declared.name, declared.label or declared.name, host)

    def round(self) -> float:
        """One round has been made; returns the seconds until the next. Never raises: what went wrong stands in `status`."""
        polled_at = self._clock()
        try:
            watermark, items, refused = self._read()
            pause_s, fault = self._declared.every_s, None
        except Exception as caught:
            fault = str(caught) if isinstance(caught, RetryableError | PermanentError) else f"{type(caught).__name__}"
            if not isinstance(caught, RetryableError | PermanentError):
                log.exception("poller %s failed", self._declared.name)
            watermark, items, refused = self.status.watermark, 0, 0
            pause_s = self._pause_s(caught)
        failed = self.status.failed_in_a_row + 1 if fault else 0
        if fault and failed == 1:
            log.warning("poller %s: %s", self._declared.name, fault)
        self.status = replace(
            self.status, state="failing" if fault else "ok", fault=fault, watermark=watermark, polled_at=polled_at,
            succeeded_at=self.status.succeeded_at if fault else polled_at, next_at=self._clock() + timedelta(seconds=pause_s),
            round_count=self.status.round_count + 1, item_count=self.status.item_count + items,
            refused_count=self.status.refused_count + refused, failed_in_a_row=failed,
        )  # fmt: skip
        return pause_s

    def _pause_s(self, fault: Exception) -> float:
        if isinstance(fault, RetryableError) and fault.retry_after_s > 0:
            return min(fault.retry_after_s, RETRY_AFTER_MOST_S)
        longer = self._declared.every_s * 2.0 ** min(self.status.failed_in_a_row, 20)
        return max(self._declared.every_s, min(longer, LONGEST_PAUSE_S))

    def _read(self) -> tuple[str | None, int, int]:
        """Everything newer than the watermark is durable, and so is the new watermark; items kept and refused."""
        declared = self._declared
        before = self._watermarks.of(declared.name)
        newest, kept, refused = before, 0, 0
        source = source_name("poller", declared.name)
        with httpx.Client(timeout=declared.timeout_s, follow_redirects=False, headers=self._headers()) as client:
            for items in self._pages(client, before):
                events = [event_of(item, declared.event) for item in items]
                body = orjson.dumps(events)
                with self._ingest.admitted(len(body)):
                    decoded = decode_events(
                        body, Form(BATCHED, {}), source=source, received_ns=self._ingest.clock_ns(), limits=self._ingest.limits
                    )  # fmt: skip
                receipt = self._ingest.accept_blocking(decoded)
                kept, refused = kept + receipt.kept_count, refused + receipt.refused_count
                if declared.watermark:
                    newest = newest_of(newest, items, declared.watermark)
        if newest is not None and newest != before:
            self._watermarks.keep(declared.name, newest)
        return newest, kept, refused

    def _pages(self, client: httpx.Client, watermark: str | None) -> Iterator[list[Any]]:
        """The items of each page. Raises NotRead or NotReadable; ends early when the house closes, without a further request."""
        declared, paging = self._declared, self._declared.paging
        url: str = declared.url
        parameters: dict[str, str] = dict(declared.parameters)
        if declared.watermark and (since := asked_from(watermark, declared.watermark)) is not None:
            parameters[declared.watermark.parameter] = since
        number = paging.first
        if paging.kind == "page":
            parameters[paging.parameter] = str(number)
        for _ in range(paging.pages_most):
            if self._stopping.is_set():
                raise NotRead("the house is closing")
            document, answer = self._page(client, url, parameters)
            items = at(document, declared.items)
            if not isinstance(items, list):
                where = f"at '{declared.items}'" if declared.items else "in the answer"
                raise NotReadable(f"{where} is {_kind(items)}, not a list; set `items` to the path of the list")
            yield items
            following: Any = None
            match paging.kind:
                case "cursor":
                    following = at(document, paging.next)
                    parameters = {**parameters, paging.parameter: str(following)}
                case "page":
                    number += 1
                    following = number if items else None
                    parameters = {**parameters, paging.parameter: str(number)}
                case "link":
                    following = at(document, paging.next) if paging.next else answer.links.get("next", {}).get("url")
                    if following:
                        url, parameters = self._followed(str(following)), {}
            if following in (None, "", False):
                return
        raise NotReadable(f"more than {paging.pages_most} pages; raise `pages_most` or ask for less at a time")

    def _followed(self, given: str) -> str:
        """The next page's address, on the same host only: another one must not get our secret."""
        url = urljoin(self._declared.url, given)
        if urlsplit(url)[:2] != urlsplit(self._declared.url)[:2]:
            raise NotReadable(f"the next page is on another host, {urlsplit(url).netloc}; it is not followed")
        return url

    def _page(self, client: httpx.Client, url: str, parameters: Mapping[str, str]) -> tuple[Any, httpx.Response]:
        most = self._ingest.limits.decompressed_bytes
        body = bytearray()
        try:
            # httpx takes an empty mapping for "no query at all" and would cut off the one of a link
            with client.stream("GET", url, params=dict(parameters) or None) as answer:
                if not answer.is_success:
                    raise _refusal(answer, self._clock())
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > most:
                        raise NotReadable(f"a page has more than {most:,} bytes; ask for less at a time")
        except httpx.HTTPError as fault:
            raise NotRead(f"no answer: {type(fault).__name__}", 0) from None
        try:
            return orjson.loads(bytes(body)), answer
        except orjson.JSONDecodeError as fault:
            raise NotReadable(f"the answer is not JSON: {fault}") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "cashtrail", **self._declared.headers}
        if self._declared.auth:
            secret = self._environment.get(self._declared.auth.value_from, "").strip()
            if not secret:
                raise NotReadable(
                    f"set {self._declared.auth.value_from}: it holds the {self._declared.auth.header} header"
                )
            headers[self._declared.auth.header] = self._declared.auth.prefix + secret
        return headers


def at(document: Any, path: str | None) -> Any:
    """What stands at a path, None where nothing does; the document itself without a path. A key with dots is found whole.

    >>> at({"data": {"items": [{"id": 7}]}}, "data.items.0.id"), at({"a": 1}, "b.c"), at({"a.b": 2}, "a.b")
    (7, None, 2)
    """
    if path is None:
        return document
    if isinstance(document, dict) and path in document:
        return document[path]
    for name in path.split("."):
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def event_of(item: Any, mapping: EventMapping) -> dict[str, Any]:
    """The item as a CloudEvent. An item without a name has no id, and is refused as an event would be.

    >>> mapping = EventMapping(source="crm", type="order.changed", id=["id", "rev"], attributes={"q2c.order.id": "number"})
    >>> event_of({"id": 1, "rev": 3, "number": "SO-1"}, mapping)["id"], event_of({"rev": 3}, mapping)["id"]
    ('1:3', '')
    """
    named = [at(item, path) for path in mapping.id]
    given = {name: at(item, path) for name, path in mapping.attributes.items()} | mapping.constants
    told = {name: value for name, value in given.items() if isinstance(value, str | int | float)}
    event = {name: value for name, value in told.items() if not name.startswith("q2c.")} | {
        "specversion": "1.0",
        "id": "" if any(part is None for part in named) else ":".join(map(str, named)),
        "source": mapping.source,
        "type": mapping.type,
        "data": {name: value for name, value in told.items() if name.startswith("q2c.")},
    }
    time = at(item, mapping.time) if mapping.time else None
    return event if time is None else event | {"time": time}


def newest_of(before: str | None, items: Iterable[Any], watermark: Watermark) -> str | None:
    """The newest of `before` and what the items say, as the interface wrote it; what cannot be read is passed over.

    >>> mark = Watermark(path="at", parameter="since")
    >>> newest_of("2026-03-01T09:00:00Z", [{"at": "2026-03-01T11:00:00+03:00"}, {"at": "2026-03-01T09:00:01Z"}], mark)
    '2026-03-01T09:00:01Z'
    """
    newest = before
    for item in items:
        said = at(item, watermark.path)
        if isinstance(said, str | int | float) and _rank(str(said), watermark.kind) > _rank(newest, watermark.kind):
            newest = str(said)
    return newest


def asked_from(watermark: str | None, declared: Watermark) -> str | None:
    """The value to ask with: the watermark less the overlap, or the start.

    >>> asked_from("2026-03-01T09:00:00Z", Watermark(path="at", parameter="since", overlap_s=60))
    '2026-03-01T08:59:00Z'
    >>> asked_from(None, Watermark(path="at", parameter="since"))
    """
    if watermark is None:
        return declared.start
    if declared.kind == "number" or not declared.overlap_s:
        return watermark
    since = datetime.fromisoformat(watermark) - timedelta(seconds=declared.overlap_s)
    return since.isoformat().replace("+00:00", "Z")


def _rank(value: str | None, kind: str) -> float:
    try:
        if value is None:
            return float("-inf")
        if kind == "number":
            return float(value)
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        return float("-inf")


def _refusal(answer: httpx.Response, now: datetime) -> Exception:
    words = f"HTTP {answer.status_code}"
    if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
        wait_s = _retry_after_s(answer.headers.get("Retry-After", ""), now)
        asked = f"; it asks us to wait {wait_s:.0f} s" if wait_s else ""
        return NotRead(f"it answered {words}{asked}", wait_s)
    hint = "; look at `auth`" if answer.status_code in (401, 403) else ""
    hint = "; redirects are not followed, give the final address" if answer.is_redirect else hint
    return NotReadable(f"it answered {words}{hint}")


def _retry_after_s(given: str, now: datetime) -> float:
    """Seconds that a `Retry-After` header asks for; 0 where it does not say.

    >>> noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> _retry_after_s("7", noon), _retry_after_s("Mon, 02 Mar 2026 12:00:30 GMT", noon), _retry_after_s("soon", noon)
    (7.0, 30.0, 0.0)
    """
    if given.strip().isdigit():
        return float(given)
    try:
        return max((parsedate_to_datetime(given) - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
