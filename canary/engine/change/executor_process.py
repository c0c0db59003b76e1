"""The process that an executor runs in: a session of its own, woken by its console, no terminal.

One stands by for each console, warm and connected, so that a confirmed rollback reaches Cloud Run
within milliseconds. It is handed nothing but the journal's place: a line on its standard input
wakes it, "look into the journal". The end of that input means that the console is gone, however it
went: then what is open is finished, and the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from canary.engine.signals import ended_by_signal, ignore_terminal
from canary.host.logs import set_up_logging
from canary.rollout.errors import CanaryError
from canary.rollout.plan.plan import Plan

if TYPE_CHECKING:
    from canary.cloud.embedded.embedded import EmbeddedCloud
    from canary.engine.change.executor import Executor

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""How often the journal is looked into without being woken: for what a killed executor left."""

WARM_EVERY_S = 30.0
COLD_EVERY_S = 5.0
"""So often is the service read, to keep warm; and while it does not answer."""

COLD_READS = 3
"""After so many reads without an answer the embedded cloud is taken for gone: the process ends, and
the console starts another, which starts or joins a new one."""

READY_LINE = b"ready\n"


class Order(msgspec.Struct, frozen=True):
    """The first line on standard input: for which plan, kept where, to stand by.

    The plan itself rather than its file: the file may be edited while the console runs.
    `directory` is the rollout's (record.paths.state_dir); `plan_path` where canary.toml is.
    """

    plan: Plan
    plan_path: str
    directory: str


def run_executor() -> int:
    """Be the executor: order, and to be woken, on standard input. Returns the exit code."""
    set_up_logging(own=logging.INFO, bounded=True)
    # No terminal and no console may end it half-way through a change; SIGTERM asks it to finish.
    ignore_terminal()
    try:
        order = msgspec.json.decode(_read_line(sys.stdin.fileno()), type=Order)
    except msgspec.DecodeError as error:
        log.warning("no order on standard input (this is started by the console): %s", error)
        return 2
    try:
        return asyncio.run(stand_by(order))
    except CanaryError as error:
        log.warning("%s", error)
        return error.exit_code


async def stand_by(order: Order) -> int:
    """Stand by until standard input ends, then finish what is open. Returns the exit code."""
    from canary.engine.change.executor import CloudClients, Executor
    from canary.engine.clients import open_cloud
    from canary.engine.notify import telling
    from canary.store.journal import Journal
    from canary.store.locks import Owner
    from canary.store.paths import journal_path
    from canary.store.stage_file import stage_file_path

    directory = Path(order.directory)
    stage_file = stage_file_path(Path(order.plan_path), order.plan.record.file)
    plan = order.plan
    # What a webhook refuses is in the log; nobody watches here.
    async with (
        open_cloud(plan, directory) as cloud,
        telling(plan, directory, log.warning) as told,
    ):
        with Journal(journal_path(directory)) as journal, Owner(directory) as owner:
            clients = CloudClients.of(cloud)
            executor = Executor(plan, clients, journal, owner, stage_file=stage_file, notifier=told)
            return await _Attendance(executor, cloud.embedded).run()


class _Attendance:
    """Looks when it is woken and now and then, and sees to it that everything open is finished."""

    def __init__(self, executor: Executor, embedded: EmbeddedCloud | None) -> None:
        self._executor = executor
        self._embedded = embedded
        self._woken = asyncio.Event()
        self._leaving = False
        self._cold_reads = 0

    async def run(self) -> int:
        with ended_by_signal(self._leave, by=(signal.SIGTERM,)):
            return await self._attend()

    async def _attend(self) -> int:
        _listen(sys.stdin.fileno(), self._woken.set, self._leave)
        # Beside the looking, not before it: while Cloud Run does not answer, a read takes long.
        warming = asyncio.create_task(self._keep_warm())
        while not self._leaving and not self._is_cut_off():
            # What waits in the journal goes first, woken or not.
            self._woken.clear()
            self._executor.take_up()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
        # The last intent may have been written just before the console went.
        self._executor.take_up()
        await self._executor.finish()
        warming.cancel()
        return 0 if self._leaving else 3

    def _leave(self) -> None:
        self._leaving = True
        self._woken.set()

    async def _keep_warm(self) -> None:
        """Read now and then, so that connection, caches and credentials are warm; say so once."""
        said = False
        while True:
            warm = await self._executor.warm()
            if self._embedded is not None and warm:
                with contextlib.suppress(CanaryError):
                    await self._embedded.refresh()  # its clock can be made to run faster, or jump
            self._cold_reads = 0 if warm else self._cold_reads + 1
            if not said:
                said = True
                _announce_ready()
            await asyncio.sleep(WARM_EVERY_S if warm else COLD_EVERY_S)

    def _is_cut_off(self) -> bool:
        embedded = self._embedded is not None
        return embedded and self._cold_reads >= COLD_READS and not self._executor.is_busy


def _listen(fd: int, woken: Callable[[], None], ended: Callable[[], None]) -> None:
    """Call `woken` for what comes in on `fd`, and `ended` once at its end."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)

    def read() -> None:
        try:
            said = os.read(fd, 65_536)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said:
            woken()
        else:
            loop.remove_reader(fd)
            ended()

    try:
        loop.add_reader(fd, read)
    except OSError:  # a file or /dev/null: there is nobody to wake it
        ended()


def _read_line(fd: int) -> bytes:
    """One line, unbuffered: what comes behind it is to wake us, and not ours to swallow."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(fd, 1)
        if not piece:
            break
        line += piece
    return bytes(line)


def _announce_ready() -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        os.write(sys.stdout.fileno(), READY_LINE)
