"""The one way in which HTTP is spoken: whose certificates, which proxy, how much of an answer."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from canary.cloud.connection.endpoints import is_loopback
from canary.cloud.connection.environment import build
from canary.host.listeners import find_stranger_at


def open_http(url: str, **settings: Any) -> Any:
    """An httpx.AsyncClient for `url` and what is beside it; `settings` are httpx's own.

    Redirects are not followed: what answers elsewhere is not what was asked, and a token is for who
    was asked. Raises HostProblem where the environment (certificates, proxies) is wrong. Asking
    raises ConnectError where another user of this host listens at an address of plain http.
    """
    import httpx

    # A proxy is never asked for loopback, whatever the environment says.
    trusts = not is_loopback(urlsplit(url).hostname or "")

    def make() -> Any:
        return httpx.AsyncClient(
            trust_env=trusts, verify=verification_for(url), follow_redirects=False, **settings
        )

    if trusts or not url.lower().startswith("http://"):
        return build(make, url)

    async def demand_nobody_else(request: Any) -> None:
        if said := find_stranger_at(str(request.url)):
            raise httpx.ConnectError(said, request=request)

    client = make()
    client.event_hooks = {"request": [demand_nobody_else]}
    return client


async def read_at_most(response: Any, limit: int) -> bytes:
    """The first bytes of a streamed answer; `limit` + 1 when there are more than `limit`."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            break
    return body[: limit + 1]


def verification_for(url: str) -> ssl.SSLContext | bool:
    """What httpx's `verify` is to be for requests to `url`.

    httpx reads all certificates anew for each client, 30 ms in which nothing else runs, also for
    plain http; the console asks for health every few seconds.
    """
    return _certificates() if not url.lower().startswith("http://") else False


@cache
def _certificates() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()
