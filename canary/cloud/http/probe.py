"""Requests through the router, spaced out: who answered, how, and how fast as measured from here.

Each request begins at its own time whether or not the one before has been answered, so that a slow
side is neither spared nor asked less often. Cookies are not kept: a router that pins a caller to a
side would be measured as 0 or 100 %.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from canary.cloud.connection.endpoints import is_loopback
from canary.cloud.connection.http import open_http, read_at_most
from canary.cloud.http.front import FRONT_BODY, find_barrier
from canary.cloud.http.health import UNREACHED, bearer
from canary.rollout.errors import PlanError
from canary.rollout.text import sanitize
from canary.rollout.trials.comparison import ProbeAnswer

MOST_IN_FLIGHT = 20
_BODY_LIMIT = 262_144

OnAnswer = Callable[[ProbeAnswer], None]


class ProbeOrder(msgspec.Struct, frozen=True):
    """What to ask: `requests` times GET `url`, begun `delay_ms` (real time) apart.

    `header` and `field` (of a JSON object) tell who answered, the header first; `confidence_field`
    is the answer's own score.
    """

    url: str
    requests: int
    delay_ms: float
    timeout_s: float
    header: str
    field: str
    confidence_field: str
    token: str = ""
    """An ID token to be sent along; "" for none."""


async def ask_router(
    order: ProbeOrder,
    on_answer: OnAnswer,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[ProbeAnswer, ...]:
    """Make the requests; all answers in the order of their requests. `on_answer` gets each as it
    comes.

    At most MOST_IN_FLIGHT wait at once; behind them the next ones begin later. Redirects are not
    followed. Nothing that one request meets is raised. Raises PlanError for an address that may
    not be asked.
    """
    _check_address(order.url)
    import httpx

    room = asyncio.Semaphore(MOST_IN_FLIGHT)
    limits = httpx.Limits(max_connections=MOST_IN_FLIGHT)
    async with open_http(order.url, timeout=order.timeout_s, limits=limits) as client:

        async def ask() -> ProbeAnswer:
            try:
                answer = await _ask_once(client, order)
            finally:
                room.release()
            on_answer(answer)
            return answer

        async with asyncio.TaskGroup() as group:
            tasks = []
            begun = time.perf_counter()
            for index in range(order.requests):
                due_s = index * order.delay_ms / 1000.0 - (time.perf_counter() - begun)
                if due_s > 0:
                    await sleep(due_s)
                await room.acquire()
                tasks.append(group.create_task(ask()))
    return tuple(task.result() for task in tasks)


async def _ask_once(client: Any, order: ProbeOrder) -> ProbeAnswer:
    import httpx

    begun = time.perf_counter()
    try:
        async with (
            asyncio.timeout(order.timeout_s),
            client.stream("GET", order.url, headers=bearer(order.token)) as response,
        ):
            # Cut off where it is longer than any answer that names its side.
            body = await read_at_most(response, _BODY_LIMIT)
    except (TimeoutError, httpx.TimeoutException):
        return ProbeAnswer(error=f"no answer within {order.timeout_s:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return ProbeAnswer(error=sanitize(exc) or type(exc).__name__)
    finally:
        client.cookies.clear()
    latency_ms = (time.perf_counter() - begun) * 1000.0
    barrier = find_barrier(response.status_code, response.headers, body[:FRONT_BODY])
    document = _parse(body)
    name = response.headers.get(order.header, "") or document.get(order.field)
    if barrier and not name:
        return ProbeAnswer(error=f"{UNREACHED}: {response.status_code}, {barrier}", is_barred=True)
    return ProbeAnswer(
        name=sanitize(name, 100) if isinstance(name, str) else "",
        status=response.status_code,
        latency_ms=latency_ms,
        confidence=_score(document.get(order.confidence_field)),
    )


def _parse(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _score(value: object) -> float | None:
    """A confidence is a number in 0…1; what is anything else is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= 1 else None


def _check_address(url: str) -> None:
    """Raise PlanError unless it is https, or plain http to loopback."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as exc:
        raise PlanError(f"The router's address {sanitize(url, 80)!r} is none.") from exc
    if parts.scheme not in ("https", "http") or not host:
        raise PlanError(
            f"The router's address {sanitize(url, 80)!r} is none.", remedy="Set target.router.url."
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise PlanError(
            f"The router's address {sanitize(url, 80)!r} is plain http to another host.",
            remedy="Use https.",
        )
