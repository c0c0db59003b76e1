"""The certificates that HTTPS is checked by, read once a process and only when HTTPS is spoken."""

from __future__ import annotations

import ssl
from functools import cache


def verification_for(url: str) -> ssl.SSLContext | bool:
    """What httpx's `verify` is to be for requests to `url`.

    httpx reads all certificates anew for each client, 30 ms in which nothing else runs, also for
    plain http; the console asks for health every few seconds. No redirect is followed by the
    clients here, so that plain http stays plain.
    """
    return _certificates() if not url.lower().startswith("http://") else False


@cache
def _certificates() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()
