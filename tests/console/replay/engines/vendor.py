"""A strict server that stands for a vendor: it takes just the requests that the vendor's documentation describes.

Whatever it did not expect is kept in `faults` and answered 599, so that a wrong path, header, body or signature fails the test.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None


Reply = tuple[int, Any]


@dataclass
class Vendor:
    """The server; `answer` is the vendor: it raises AssertionError for what its documentation does not know."""

    answer: Callable[[Seen], Reply]
    seen: list[Seen] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    is_silent: bool = False
    retry_after: str | None = None
    url: str = ""

    def sent(self, method: str = "POST") -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method]


@contextmanager
def standing_for(answer: Callable[[Seen], Reply]) -> Iterator[Vendor]:
    vendor = Vendor(answer)

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, parts.path, dict(parse_qsl(parts.query)), headers, raw)
            vendor.seen.append(seen)
            if vendor.is_silent:
                time.sleep(1.0)
                return
            try:
                status, body = vendor.answer(seen)
            except (AssertionError, KeyError, ValueError, TypeError) as fault:
                vendor.faults.append(f"{seen.method} {seen.path}: {type(fault).__name__} {fault}")
                status, body = 599, {"message": "not what the documentation says"}
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            if vendor.retry_after:
                self.send_header("retry-after", vendor.retry_after)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = _take  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    vendor.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def signature_v4(seen: Seen, secret_key: str, service: str, region: str) -> str:
    """The AWS Signature Version 4 that `seen` must bear, made as the documentation says and without any library.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
    """
    scheme, _, rest = seen.headers["authorization"].partition(" ")
    assert scheme == "AWS4-HMAC-SHA256"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    _, date, in_region, in_service, ending = parts["Credential"].split("/")
    assert (in_region, in_service, ending) == (region, service, "aws4_request")
    stamp = seen.headers["x-amz-date"]
    assert stamp.startswith(date)
    signed = parts["SignedHeaders"].split(";")
    assert {"host", "x-amz-date", "x-amz-target"} <= set(signed)
    query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(seen.query.items()))
    canonical = "\n".join(
        [seen.method, quote(seen.path, safe="/-_.~"), query,
         *(f"{name}:{' '.join(seen.headers[name].split())}" for name in signed), "",
         ";".join(signed), hashlib.sha256(seen.raw).hexdigest()]
    )  # fmt: skip
    scope = f"{date}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    made = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    assert parts["Signature"] == made, "the signature does not fit the request"
    return parts["Credential"].split("/")[0]
