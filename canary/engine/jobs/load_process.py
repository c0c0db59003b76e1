"""The process that makes the load: started in a session of its own, read line by line, ended.

Locust is never imported here: it would replace this process's sockets. Whatever happens to the one
who waits (an exception, the end of the loop), the process does not outlive it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from canary.host.children import child_environment, python_command, safe_directory
from canary.rollout.errors import ToolFailed
from canary.rollout.text import quote_command, sanitize

NO_OUTPUT_S = 60.0
"""A process that says nothing for so long hangs: it reports each second."""
STOP_WITHIN_S = 20.0
"""From SIGTERM to the last line; after that it is killed."""

LONGEST_LINE = 1_000_000
LOCUST: Final = "locust>=2.32,<3"
"""As the extra `loadtest` asks for it. Locust by its own name, into this interpreter's environment:
canary-console is in no index, and whoever took that name there would be installed.
"""
INSTALL: Final = quote_command([sys.executable, "-m", "pip", "install", LOCUST])


def demand_locust() -> None:
    """Raise ToolFailed when Locust is not installed, with the command that installs it."""
    if find_spec("locust") is None:
        raise ToolFailed("Locust (it makes the load) is not installed.", remedy=f"Run `{INSTALL}`.")


class LoadProcess:
    """One run of `python -m canary.loadtest`. `lines` may be read once."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._said: deque[str] = deque(maxlen=20)
        self._killing: asyncio.TimerHandle | None = None
        self._stopping = False
        self.without_output = False

    async def lines(self, settings: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Start it and yield what it says, until it ends. Raises ToolFailed: it cannot be started.

        A line that is no JSON object is taken for the noise of a library and left out.
        """
        demand_locust()
        try:
            with tempfile.TemporaryFile() as given:
                given.write(msgspec.json.encode(settings))
                given.seek(0)
                process = await asyncio.create_subprocess_exec(
                    *python_command("canary.loadtest"),
                    cwd=safe_directory(),
                    env=child_environment(),
                    stdin=given,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                    limit=LONGEST_LINE,
                )
        except OSError as exc:
            raise ToolFailed(f"The load test cannot be started: {exc.strerror or exc}.") from exc
        self._process = process
        if self._stopping:
            self.stop()
        listening = asyncio.create_task(self._listen(process))
        try:
            while line := await self._next_line(process):
                document = _parse(line)
                if document is not None:
                    yield document
            await process.wait()
        finally:
            await self._end(process, listening)

    def stop(self) -> None:
        """Ask it to stop; it is killed when it does not. Can be called at any time, repeatedly."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None or self._killing is not None:
            return
        _signal_group(process, signal.SIGTERM)
        loop = asyncio.get_running_loop()
        self._killing = loop.call_later(STOP_WITHIN_S, _signal_group, process, signal.SIGKILL)

    @property
    def pid(self) -> int | None:
        """The process's id, which is its group's; None before it was started."""
        return self._process.pid if self._process is not None else None

    @property
    def last_words(self) -> str:
        """The last thing it said on standard error, or how it ended; on one line."""
        if self.without_output:
            return f"it said nothing for {NO_OUTPUT_S:g} s"
        if self._said:
            return sanitize(self._said[-1], 300).rstrip(".")
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            return f"it was ended by signal {-code}"
        return f"it ended with exit code {code}"

    async def _next_line(self, process: asyncio.subprocess.Process) -> bytes:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            return await asyncio.wait_for(process.stdout.readline(), NO_OUTPUT_S)
        except TimeoutError:
            self.without_output = True
        except ValueError:  # a line beyond the limit: nothing of ours
            self._said.append("it said a line without end")
        return b""

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101 - a pipe was asked for
        while piece := await process.stderr.read(4096):
            self._said.extend(
                line for line in piece.decode(errors="replace").splitlines() if line.strip()
            )

    async def _end(
        self, process: asyncio.subprocess.Process, listening: asyncio.Task[None]
    ) -> None:
        if self._killing is not None:
            self._killing.cancel()
        if process.returncode is None:
            _signal_group(process, signal.SIGKILL)
            await process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(listening, 1.0)


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        document = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
