"""`python -m tests.cli.cloud_host`: embedded clouds by request, all in this one process.

A process for each cloud spends half a second on the same imports. This one is told by lines of
JSON on its standard input, a cloud's configuration or the `http` address of one to close, answers
each with a line, and ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack, suppress
from typing import Any

import msgspec

from tests.embedded import Embedded, embed

SETTLES_EVERY_S = 0.5
"""As the embedded cloud's own process does."""


async def _settle(cloud: Embedded) -> None:
    while True:
        await asyncio.sleep(SETTLES_EVERY_S)
        cloud.world.settle()


async def _open(stack: AsyncExitStack, told: dict[str, Any]) -> dict[str, str]:
    cloud = await stack.enter_async_context(embed(http=True, monotonic=time.monotonic, **told))
    task = asyncio.create_task(_settle(cloud))

    async def stop() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(stop)
    return {"grpc": cloud.endpoints.run or "", "http": cloud.control_url}


async def serve() -> None:
    """Answer one line after the other until the input ends."""
    opened: dict[str, AsyncExitStack] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        told = msgspec.json.decode(line)
        answer: dict[str, str] = {}
        if isinstance(told, str):
            await opened.pop(told).aclose()
        else:
            stack = AsyncExitStack()
            answer = await _open(stack, told)
            opened[answer["http"]] = stack
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
