"""What of the request log is still on its way to a tail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from canary.cloud.logging.tail import LogTail
from canary.simulator.api.logging import LoggingApi, Stream

PATIENCE_S = 60.0


class Wire:
    """Notes how far the other end has looked, and how many entries are still on their way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._looked_at = 0.0
        self._on_its_way = 0
        self._news = asyncio.Event()
        messages, take = LoggingApi._messages, LogTail._take

        def sent(api: LoggingApi, stream: Stream) -> list[Any]:
            found = messages(api, stream)
            self._on_its_way += sum(len(message.entries) for message in found)
            self._looked_at = api._world.clock.now()
            self._news.set()
            return found

        def taken(tail: LogTail, answer: Any, *others: Any) -> None:
            take(tail, answer, *others)
            self._on_its_way -= len(answer.entries)
            self._news.set()

        monkeypatch.setattr(LoggingApi, "_messages", sent)
        monkeypatch.setattr(LogTail, "_take", taken)

    async def all_taken(self, now: float) -> None:
        """Wait until what is in the log by `now` has arrived."""
        async with asyncio.timeout(PATIENCE_S):
            while self._looked_at < now or self._on_its_way:
                self._news.clear()
                await self._news.wait()
