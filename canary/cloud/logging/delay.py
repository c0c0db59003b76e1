"""How late entries of the request log are, and whether they have what is read of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.errors import foreign_errors, translate
from canary.cloud.logging.entries import INSTANCE_LABEL, tail_requests
from canary.rollout.plan.plan import Plan


class LogSeen(msgspec.Struct, frozen=True):
    """The first entries of a tail. `delay_s`: from a request's end until its entry was here, the
    median; None without any entry. `with_instance` of `entries` name the instance.
    """

    entries: int
    delay_s: float | None
    with_instance: int


async def measure_log_delay(
    connection: Connection, plan: Plan, now: Callable[[], float], within_s: float
) -> LogSeen:
    """Tail the request log for at most `within_s` real seconds. Raises CanaryError."""
    client, types = await connection.api("logs")
    requests, done = tail_requests(types, plan, 1.0)
    delays: list[float] = []
    instances = 0
    call: Any = None
    try:
        async with asyncio.timeout(within_s):
            call = await client.tail_log_entries(requests, retry=None, timeout=None)
            async for response in call:
                for entry in type(response).pb(response).entries:
                    at, latency = entry.timestamp, entry.http_request.latency
                    ended = at.seconds + latency.seconds + (at.nanos + latency.nanos) / 1e9
                    delays.append(now() - ended)
                    instances += bool(entry.labels.get(INSTANCE_LABEL))
                if delays:
                    break
    except TimeoutError:
        pass
    except foreign_errors() as exc:
        raise translate(exc, "Cloud Logging", "tailing the request log") from exc
    finally:
        done.set()
        if call is not None:
            call.cancel()
    middle = sorted(delays)[len(delays) // 2] if delays else None
    return LogSeen(len(delays), middle, instances)
