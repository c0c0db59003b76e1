"""Health checks over HTTP: is a side well, asked from here, without credentials."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from canary.cloud.connection.endpoints import is_loopback
from canary.cloud.connection.tls import verification_for
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
    loopback = is_loopback(parts.hostname)
    if parts.scheme == "http" and not loopback:
        return _unasked(service, target, now, "plain http is for loopback only: use https")
    import httpx

    begun = time.perf_counter()
    try:
        async with (
            asyncio.timeout(timeout_s),
            # A proxy is never asked for loopback, whatever the environment says.
            httpx.AsyncClient(
                trust_env=not loopback, verify=verification_for(target), timeout=timeout_s
            ) as client,
            client.stream("GET", target) as response,
        ):
            body = await _read_some(response)
    except TimeoutError:
        return _unasked(service, target, now, f"no answer within {timeout_s:g} s")
    except httpx.TimeoutException:
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


async def _read_some(response: object) -> str:
    """The beginning of the body: it is shown, never trusted."""
    import httpx

    assert isinstance(response, httpx.Response)  # noqa: S101 - for the type checker
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= _BODY_LIMIT:
            break
    return sanitize(body[:_BODY_LIMIT].decode(errors="replace"), 120)


def _describe(status: int, reason: str, body: str) -> str:
    if status in (401, 403):
        return f"{status} {sanitize(reason)}: it does not let callers without an identity in"
    said = f": {body}" if body and not 200 <= status < 300 else ""
    return f"{status} {sanitize(reason)}{said}"


def _unasked(service: str, url: str, now: float, message: str) -> HealthReport:
    return HealthReport(service, url, False, None, None, message, now)
