"""An event loop on a thread of its own, which ends in time even when what it waits for hangs."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import logging
import logging.handlers
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from canary.host.logs import set_up_logging
from canary.rollout.errors import CanaryError

log = logging.getLogger(__name__)

STOP_WITHIN_S = 1.0
CLOSE_WITHIN_S = 0.6
MOST_TURNS = 100
"""So often is looked for what has just been begun by what is being ended."""

Work = Callable[[], Coroutine[Any, Any, None]]


class LoopThread:
    """Runs `main` until it ends or `stop`; then awaits `close`, and calls `closed` last.

    `on_error` gets one or two sentences for a person, from this thread. A failure of `main` is
    said and logged, and ends the thread.
    """

    def __init__(
        self,
        main: Work,
        close: Work,
        closed: Callable[[], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._main = main
        self._close = close
        self._closed = closed
        self._on_error = on_error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main_task: asyncio.Task[None] | None = None
        self._stopping = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin; called once."""
        self._thread.start()

    def stop(self) -> None:
        """End it, within a second; what hangs is left."""
        self._stopping.set()
        self.call(self._cancel)
        if self._thread is not threading.current_thread():
            self._thread.join(STOP_WITHIN_S)

    def call(self, act: Callable[[], object]) -> None:
        """Let the thread do something; nothing when it has not begun, or has ended."""
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:  # the loop is closed
            log.debug("asked after the end")

    def begin(self, work: Work) -> None:
        """Begin work beside `main`; what it raises is said, and ends nothing else."""

        def begin() -> None:
            task = asyncio.get_running_loop().create_task(self._guard(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self.call(begin)

    def _run(self) -> None:
        loop = self._loop = asyncio.new_event_loop()
        try:
            self._main_task = loop.create_task(self._main(), name="main")
            if not self._stopping.is_set():
                loop.run_until_complete(self._main_task)
        except asyncio.CancelledError:
            pass
        except Exception:
            # The boundary of this thread. Each source has its own inside; this is our mistake.
            log.exception("the engine ended")
            self._on_error("The engine has failed and observes no more. See engine.log.")
        finally:
            loop.run_until_complete(self._end(loop))
            # Not `shutdown_default_executor`: it waits for threads that may hang in a call.
            loop.close()
            self._closed()

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        await _cancel_all(loop)
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._close()
        except TimeoutError:
            log.warning("closing took too long and was left")
        except Exception:
            log.exception("closing")

    def _cancel(self) -> None:
        if self._main_task is not None:
            self._main_task.cancel()

    async def _guard(self, work: Work) -> None:
        try:
            await work()
        except CanaryError as error:
            self._on_error(str(error))
        except Exception as error:
            log.exception("asked for by a key")
            self._on_error(f"That failed ({type(error).__name__}). See engine.log.")


async def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel all that the loop does, and wait for it a moment.

    What has not begun yet begins first: a task that is cancelled before leaves alone what it was to
    wait for (anyio makes its tasks of a coroutine so), and Python says on the terminal that this
    "was never awaited".
    """
    cancelled: set[asyncio.Task[Any]] = set()
    for _ in range(MOST_TURNS):
        tasks = asyncio.all_tasks(loop) - {asyncio.current_task()} - cancelled
        begun = {task for task in tasks if _has_begun(task)}
        for task in begun:
            task.cancel()
        cancelled |= begun
        if begun == tasks:
            break
        await asyncio.sleep(0)
    if cancelled:
        await asyncio.wait(cancelled, timeout=CLOSE_WITHIN_S / 2)


def _has_begun(task: asyncio.Task[Any]) -> bool:
    coroutine = task.get_coro()
    # Not every one is Python's own: gRPC's do not tell.
    return not inspect.iscoroutine(coroutine) or (
        inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED
    )


# The engine's log file: what went wrong, bounded, readable by its owner only. Without it,
# Python's logging writes warnings to stderr, in the middle of the screen.

LOG_FILE = "engine.log"
MOST_BYTES = 512 * 1024


class PrivateRotatingFileHandler(logging.handlers.RotatingFileHandler):
    """Rotates into files for their owner alone; the standard one goes by the umask."""

    def _open(self) -> io.TextIOWrapper:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        raw = io.FileIO(self.baseFilename, self.mode, opener=private)
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding=self.encoding)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: a full disk has no room for it, and the screen is no place for a traceback."""


class EngineLog:
    """From `open` to `close` everything from "warning" up goes to `directory`/engine.log."""

    def __init__(self, directory: Path) -> None:
        self._handler: logging.Handler = logging.NullHandler()
        with contextlib.suppress(OSError):  # a disk that cannot be written: then without a log
            path = directory / LOG_FILE
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            self._handler = PrivateRotatingFileHandler(
                path, maxBytes=MOST_BYTES, backupCount=1, encoding="utf-8", delay=True
            )
        self._handler.setLevel(logging.WARNING)

    def open(self) -> None:
        """Begin."""
        set_up_logging(self._handler)

    def close(self) -> None:
        """End; closing twice is fine."""
        logging.getLogger().removeHandler(self._handler)
        with contextlib.suppress(OSError):  # what a full disk has not taken is tried once more here
            self._handler.close()
