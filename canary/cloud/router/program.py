"""Running a program of the team's: arguments, no shell, bounded in time and in what is kept of it.

The program is in a session of its own: neither Ctrl-C at the terminal nor the end of the console
cuts it in half. It stands in the person's home: a directory that a console happens to be started
in must not lend it files. Its output goes to a file without a name, not to a pipe, which would
break under it when the reader goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import IO

import msgspec

from canary.host.children import child_environment, find_program_path, safe_directory
from canary.host.plans import distrust_of_argument
from canary.rollout.errors import ToolFailed
from canary.rollout.text import sanitize

OUTPUT_KEPT = 2_000
"""Bytes of the end of the output that are kept."""

KILL_AFTER_S = 3.0
"""What a program has to end by itself after it was asked to."""

LOOK_S = 0.05


class Ended(msgspec.Struct, frozen=True):
    """How a program ended. `code` None: it took too long and was ended; negative: by a signal.

    `said` is the end of its output and errors, as one plain line.
    """

    code: int | None
    said: str

    @property
    def words(self) -> str:
        """How it ended, in words: "ended with exit code 3, said: …"."""
        how = "took too long and was ended" if self.code is None else _exit_words(self.code)
        return f"{how}, said: {self.said}" if self.said else how


def find_program(arguments: Sequence[str]) -> str:
    """The program's path. Raises ToolFailed when there is none that can be run."""
    found = find_program_path(arguments[0])
    if found is None:
        raise ToolFailed(
            f"The program {sanitize(arguments[0], 120)} is not there, or cannot be run.",
            remedy="Check target.router in the plan, and PATH.",
        )
    return found


async def run_command(arguments: Sequence[str], timeout_s: float) -> Ended:
    """Run a program to its end, or for `timeout_s` (its process group is ended then).

    Cancelled meanwhile, the program goes on. Raises ToolFailed when it cannot be started, or when
    others could have written it (or a script among its arguments) and it is not trusted as it is.
    """
    program = find_program(arguments)
    for each in (program, *arguments[1:]):
        if said := distrust_of_argument(each):
            raise ToolFailed(said, remedy="`canary doctor` says whose it is, and how to trust it.")
    with _open_output() as output:
        process = _start([program, *arguments[1:]], output)
        ended = _watch(process)
        code: int | None
        try:
            code = await asyncio.wait_for(asyncio.shield(ended), timeout_s)
        except TimeoutError:
            code = None
            await _end(process, ended)
        return Ended(code, _tail(output))


def _open_output() -> IO[bytes]:
    """A file without a name. In memory where the system has such: /tmp is others' as well, and one
    that they have filled would end a program in the middle of what it sets.
    """
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("output"), "w+b")
    return tempfile.TemporaryFile()


def _start(arguments: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    # Not asyncio's subprocess: that kills the child when the loop closes.
    try:
        return subprocess.Popen(
            arguments,
            cwd=safe_directory(),
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as exc:
        raise ToolFailed(
            f"The program {sanitize(arguments[0], 120)} cannot be started: {exc.strerror}.",
            remedy="Check target.router in the plan.",
        ) from exc


def _watch(process: subprocess.Popen[bytes]) -> asyncio.Future[int]:
    """The exit code to come. A daemon thread waits: it never keeps this process from ending."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def tell(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def wait() -> None:
        code = process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody asks any more
            loop.call_soon_threadsafe(tell, code)

    threading.Thread(target=wait, name="command", daemon=True).start()
    return ended


async def _end(process: subprocess.Popen[bytes], ended: asyncio.Future[int]) -> None:
    """Ask the program and all that it started to end; kill what does not.

    That the program itself has ended is not enough: what it started could set the share later.
    """
    _signal(process.pid, signal.SIGTERM)
    for _ in range(max(1, round(KILL_AFTER_S / LOOK_S))):
        await asyncio.sleep(LOOK_S)
        if ended.done() and not _signal(process.pid, 0):
            return
    _signal(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(ended), KILL_AFTER_S)


def _signal(group: int, number: int) -> bool:
    """Send a signal (0: none) to a process group; whether anybody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - OUTPUT_KEPT))
    return sanitize(output.read().decode(errors="replace").strip(), OUTPUT_KEPT)


def _exit_words(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
