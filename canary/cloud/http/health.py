"""Health checks over HTTP: is a side well, asked from here.

Without credentials, but for an ID token where the plan asks for one. What was answered by Google's
front, or by nobody, because we may not or cannot reach the side, is "not reachable from here": that
says nothing of its health.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final
from urllib.parse import urlsplit

from canary.cloud.connection.endpoints import is_loopback
from canary.cloud.connection.http import open_http, read_at_most
from canary.cloud.http.front import FRONT_BODY, find_barrier
from canary.cloud.views import HealthReport
from canary.rollout.errors import HostProblem
from canary.rollout.text import sanitize

UNREACHED: Final = "not reachable from here"


async def probe(
    url: str, path: str, timeout_s: float, now: float, *, service: str = "", token: str = ""
) -> HealthReport:
    """Ask `url` + `path` once; `now` is the cloud's time and goes into the report.

    ok: answered 2xx within `timeout_s` (the whole exchange). Redirects are not followed: what
    answers elsewhere is not what was asked. Nothing is raised; what went wrong is the message.
    Plain http goes to loopback only. `token`: an ID token to be sent along, "" for none.
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
            client.stream("GET", target, headers=bearer(token)) as response,
        ):
            body = await read_at_most(response, FRONT_BODY)
    except HostProblem as error:
        return _unasked(service, target, now, error.message)
    except (TimeoutError, httpx.TimeoutException):
        return _unanswered(service, target, now, f"no answer within {timeout_s:g} s")
    except httpx.ConnectError as exc:
        return _unconnected(service, target, now, exc)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return _unanswered(service, target, now, sanitize(exc) or type(exc).__name__)
    latency_ms = (time.perf_counter() - begun) * 1000.0
    barrier = find_barrier(response.status_code, response.headers, body)
    message = _describe(response.status_code, response.reason_phrase, body)
    if barrier:
        status = f"{response.status_code} {sanitize(response.reason_phrase)}".rstrip()
        message = f"{UNREACHED}: {status}, {barrier}"
    return HealthReport(
        service=service,
        url=target,
        ok=response.is_success,
        status=response.status_code,
        latency_ms=latency_ms,
        message=message,
        at=now,
        reached=not barrier,
    )


def _describe(status: int, reason: str, body: bytes) -> str:
    # The beginning of the body is shown, never trusted.
    text = sanitize(body[:FRONT_BODY].decode(errors="replace"), 120)
    said = f": {text}" if text and not 200 <= status < 300 else ""
    return f"{status} {sanitize(reason)}{said}"


def bearer(token: str) -> dict[str, str]:
    """The header that says who asks; none without a token."""
    return {"authorization": f"Bearer {token}"} if token else {}


def _unasked(service: str, url: str, now: float, message: str) -> HealthReport:
    return HealthReport(service, url, False, None, None, message, now, reached=False)


def _unanswered(service: str, url: str, now: float, message: str) -> HealthReport:
    return HealthReport(service, url, False, None, None, message, now)


def _unconnected(service: str, url: str, now: float, error: Exception) -> HealthReport:
    """Google's front takes every connection: one that fails is this host's, or on the way.

    On loopback (the embedded cloud) it is the side's own.
    """
    said = sanitize(error) or type(error).__name__
    if is_loopback(urlsplit(url).hostname or ""):
        return _unanswered(service, url, now, said)
    return _unasked(service, url, now, f"{UNREACHED}: {said}")
