"""The console's side of the executor: starts it, rings it, and lets it go.

The process is in a session of its own and is never killed from here: when the console ends, by
whatever means, the pipe closes, and the executor finishes what is open.

Rejected: asyncio's subprocess. Closing its transport, or the loop, kills the child.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from canary.engine.change.executor_process import READY_LINE, Order
from canary.host.children import child_environment, python_command
from canary.host.logs import open_log
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan

log = logging.getLogger(__name__)

COMMAND = tuple(python_command("canary.cli.background", "executor"))
LOG_FILE = "executor.log"
LONGEST_PAUSE_S = 30.0
"""Between starts of an executor that keeps ending; the pause doubles from one second."""

_left: list[subprocess.Popen[bytes]] = []
"""Executors that were let go while they were still finishing, kept so that they are reaped."""


def begin_process(command: Sequence[str], directory: Path) -> subprocess.Popen[bytes]:
    """Start an executor in a session of its own, which stands in `directory` and writes its log
    there. Raises OSError.
    """
    log_fd = open_log(directory / LOG_FILE)
    try:
        return subprocess.Popen(
            command,
            cwd=directory,
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_fd,
            bufsize=0,
            start_new_session=True,
        )
    finally:
        os.close(log_fd)


class ExecutorSupervisor:
    """One executor process for `plan`, whose files are in `directory`.

    Not thread-safe: used from the engine's thread. All methods return at once.
    """

    def __init__(
        self,
        plan: Plan,
        plan_path: Path,
        directory: Path,
        *,
        command: Sequence[str] = COMMAND,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        order = Order(plan, str(plan_path.absolute()), str(directory.absolute()))
        self._order = msgspec.json.encode(order) + b"\n"
        self._directory = directory.absolute()
        self._command = command
        self._monotonic = monotonic
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""
        self._failures = 0
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The process, None when none runs."""
        return self._process.pid if self._process is not None and self.is_alive else None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it is warm: connected, with a first answer of Cloud Run tried for."""
        if self._process is None or self._process.stdout is None or not self.is_alive:
            return False
        with contextlib.suppress(BlockingIOError, OSError):
            self._said += os.read(self._process.stdout.fileno(), 64)
        return self._said.startswith(READY_LINE)

    def start(self) -> None:
        """Start the process unless it runs. Raises RecordError when it cannot be started."""
        if self.is_alive:
            return
        self._forget()
        try:
            self._process = self._spawn()
        except OSError as exc:
            raise RecordError(
                f"The executor cannot be started: {exc.strerror or exc}.",
                remedy="Changes can be made from the shell meanwhile: `canary rollback --all`.",
            ) from exc
        self._tell(self._order)

    def wake(self) -> None:
        """Have it look into the journal. One that is gone is started anew and looks by itself.

        Raises RecordError when it cannot be started; the intent stays in the journal.
        """
        if not self.is_alive or not self._tell(b"\n"):
            self.start()

    def tend(self) -> None:
        """Start it again if it has ended by itself, with growing pauses. Never raises."""
        now = self._monotonic()
        if self.is_alive:
            if self.is_ready:
                self._failures = 0
            return
        if now < self._not_before:
            return
        self._failures += 1
        self._not_before = now + min(2.0 ** (self._failures - 1), LONGEST_PAUSE_S)
        try:
            self.start()
        except RecordError as error:
            log.warning("%s", error)

    def stop(self) -> None:
        """Let it go: it finishes what is open and ends. Nothing is waited for."""
        if self._process is not None:
            self._close_pipes(self._process)
            if self._process.poll() is None:
                _left.append(self._process)
            self._process = None
        _left[:] = [process for process in _left if process.poll() is None]

    def _spawn(self) -> subprocess.Popen[bytes]:
        process = begin_process(self._command, self._directory)
        self._said = b""
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        return process

    def _tell(self, text: bytes) -> bool:
        """Write to its standard input; False when it does not listen any more."""
        if self._process is None or self._process.stdin is None:
            return False
        try:
            os.write(self._process.stdin.fileno(), text)
        except BlockingIOError:
            return True  # thousands of rings lie there unheard: one more says nothing new
        except OSError:
            return False
        return True

    def _forget(self) -> None:
        if self._process is not None:
            log.warning("the executor has ended (exit code %s)", self._process.poll())
            self._close_pipes(self._process)
            self._process = None

    @staticmethod
    def _close_pipes(process: subprocess.Popen[bytes]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
