"""Signs requests to AWS (Signature Version 4) with botocore's own signer. Needs the extra `cashtrail[aws]`."""

from __future__ import annotations

from collections.abc import Generator

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from console.replay.credentials import Secrets

SIGNED = ("content-type", "x-amz-target", "host")


class AwsSigning(httpx.Auth):
    """Every request bears a signature made with the secrets `access_key` and `secret_key`, and `session_token` if there is one."""

    requires_request_body = True

    def __init__(self, service: str, region: str, secrets: Secrets) -> None:
        credentials = Credentials(secrets["access_key"], secrets["secret_key"], secrets.get("session_token"))
        self._signer = SigV4Auth(credentials, service, region)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        headers = {name: request.headers[name] for name in SIGNED if name in request.headers}
        signed = AWSRequest(request.method, str(request.url), headers=headers, data=request.content)
        self._signer.add_auth(signed)
        for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            if name in signed.headers:
                request.headers[name] = signed.headers[name]
        yield request
