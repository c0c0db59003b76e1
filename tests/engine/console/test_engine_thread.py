"""The engine's thread ends all that it does; its log is bounded, and its owner's alone."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import threading
from collections.abc import Coroutine
from pathlib import Path

import pytest

from canary.engine.console import engine_thread
from canary.engine.console.engine_thread import LOG_FILE, EngineLog, LoopThread


def test_it_is_its_owners_alone_also_when_it_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_thread, "MOST_BYTES", 400)
    before = os.umask(0)
    try:
        log = EngineLog(tmp_path)
        log.open()
        for number in range(20):
            logging.getLogger("canary.engine").warning("the cloud failed %d", number)
        log.close()
    finally:
        os.umask(before)
    files = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert files == {LOG_FILE: 0o600, f"{LOG_FILE}.1": 0o600}
    assert all(p.stat().st_size <= 400 for p in tmp_path.iterdir())


def test_what_was_made_in_the_moment_of_the_end_begins_before_it_is_cancelled() -> None:
    ready, cancelled = threading.Event(), []

    async def connect() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("connect")
            raise

    async def wrap(work: Coroutine[object, object, None]) -> None:
        await work

    async def make_late() -> None:
        await asyncio.sleep(0)
        made.append(asyncio.create_task(wrap(connect())))

    made: list[asyncio.Task[None]] = []

    async def main() -> None:
        ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            made.append(asyncio.create_task(make_late()))

    async def close() -> None:
        """Nothing is open."""

    thread = LoopThread(main, close, lambda: None, cancelled.append)
    thread.start()
    assert ready.wait(30.0)
    thread.stop()
    thread._thread.join(30.0)
    assert cancelled == ["connect"]
