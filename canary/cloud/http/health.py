"""Health checks over HTTP: is a side well, asked from here, without credentials."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from canary.cloud.connection.endpoints import is_loopback
from canary.cloud.connection.http import open_http, read_at_most
from canary.cloud.views import HealthReport
from canary.rollout.text import sanitize

_BODY_LIMIT = 4096


async def probe(
    url: str, path: str, timeout_s: float, now: float, *, service: str = ""
) -> HealthReport:
    """Ask `url` + `path` once; `now` is the cloud's time and goes into the report.

    ok: answered 2xx within `timeout_s` (the whole exchange). Redirects are not followed: what
    answers elsewhere is not what was asked. Nothing is raised; what went wrong is the message.
    Plain http goes to loopback only.
    """
    target = url.rstrip("/") + "/" + path.lstrip("/")
    parts = urlsplit(target)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return _unasked(service, target, now, "no address to ask")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return _unasked(service, target, now, "plain http is for loopback only: use https")
    import httpx

    begun = time.perf_counter()
    try:
        async with (
            asyncio.timeout(timeout_s),
            open_http(target, timeout=timeout_s) as client,
            client.stream("GET", target) as response,
        ):
            body = await read_at_most(response, _BODY_LIMIT)
    except (TimeoutError, httpx.TimeoutException):
        return _unasked(service, target, now, f"no answer within {timeout_s:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return _unasked(service, target, now, sanitize(exc) or type(exc).__name__)
    latency_ms = (time.perf_counter() - begun) * 1000.0
    return HealthReport(
        service=service,
        url=target,
        ok=response.is_success,
        status=response.status_code,
        latency_ms=latency_ms,
        message=_describe(response.status_code, response.reason_phrase, body),
        at=now,
    )


def _describe(status: int, reason: str, body: bytes) -> str:
    if status in (401, 403):
        return f"{status} {sanitize(reason)}: it does not let callers without an identity in"
    # The beginning of the body is shown, never trusted.
    text = sanitize(body[:_BODY_LIMIT].decode(errors="replace"), 120)
    said = f": {text}" if text and not 200 <= status < 300 else ""
    return f"{status} {sanitize(reason)}{said}"


def _unasked(service: str, url: str, now: float, message: str) -> HealthReport:
    return HealthReport(service, url, False, None, None, message, now)
