"""The application's own log lines about one failing request: asked for when a person wants them.

They go to whoever asked and nowhere else: no view keeps them, so no recording has them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from canary.engine.jobs.job import Host, attempt
from canary.rollout.failures.lines import LinesView
from canary.rollout.failures.requests import FailedRequest

OnLines = Callable[[LinesView], None]


class LogLinesJob:
    """Asks for the lines of one request at a time. In the engine's loop."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._task: asyncio.Task[None] | None = None

    def read(self, request: FailedRequest, on_lines: OnLines) -> None:
        """Ask for the lines of a request; one that is being asked for is let go of."""
        self.leave()
        on_lines(LinesView(request, running=True))
        work = self._read(request, on_lines)
        self._task = asyncio.get_running_loop().create_task(work, name="log lines")

    def leave(self) -> None:
        """Nobody waits for them any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _read(self, request: FailedRequest, on_lines: OnLines) -> None:
        found = LinesView(request)

        async def ask() -> None:
            nonlocal found
            from canary.cloud.logging.past import read_lines

            session = self._host.opening.session
            connection = session.cloud.connection
            found = LinesView(request, lines=await read_lines(connection, session.plan, request))

        trouble = await attempt("log lines", ask())
        on_lines(LinesView(request, trouble=trouble) if trouble else found)
