"""The one request that opens the tail of the request log, and whether the caller has the right to.

The right cannot be asked for without one more API (Resource Manager); so the tail itself is opened
for a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from canary.cloud.connection import Connection
from canary.cloud.errors import foreign_errors, translate
from canary.cloud.log_entries import log_filter
from canary.rollout.plan import Plan

RIGHT: Final = "logging.logEntries.list"
ROLE: Final = "roles/logging.viewer on the project"

BUFFER_S: Final = 1
"""The service orders entries over so much; its default of 2 s is for people who read lines."""


def tail_requests(
    types: Any, plan: Plan, sampled: float
) -> tuple[AsyncIterator[Any], asyncio.Event]:
    """The request for a share `sampled` (0…1) of both sides' entries, as a stream of one message;
    our half of it stays open until the event is set.
    """
    request = types.TailLogEntriesRequest(
        resource_names=[f"projects/{plan.target.project}"],
        filter=log_filter(plan, sampled),
        buffer_window={"seconds": BUFFER_S},
    )
    done = asyncio.Event()

    async def ask() -> AsyncIterator[Any]:
        yield request
        await done.wait()

    return ask(), done


async def demand_log_right(connection: Connection, plan: Plan, within_s: float) -> None:
    """Open the tail for a moment; raises the refusal, translated.

    The service refuses at once, and keeps silent until there is an entry: what is not refused
    `within_s` real seconds may be read. Takes one of the project's ten streams for so long.
    """
    from canary.cloud.client_modules import logging_modules

    client = await connection.logs()
    requests, done = tail_requests(logging_modules().logging_types, plan, 1.0)
    call: Any = None
    try:
        async with asyncio.timeout(within_s):
            call = await client.tail_log_entries(requests, retry=None, timeout=None)
            await anext(aiter(call), None)
    except TimeoutError:
        return
    except foreign_errors() as exc:
        raise translate(exc, "Cloud Logging", "tailing the request log") from exc
    finally:
        done.set()
        if call is not None:
            call.cancel()
