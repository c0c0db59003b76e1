"""The process that the monitoring loop runs in: one for a rollout, ended politely, started apart.

In a shell it is `canary monitor` itself; from the console, or with `--detach`, a process in a
session of its own that outlives whoever started it. A new loop replaces the one that runs: it asks
it to end, waits, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from canary.engine.jobs.monitoring_loop import (
    LoopOrder,
    MonitoringLoop,
    OnSnapshotTaken,
    TakenSnapshot,
    wait_for,
)
from canary.engine.metrics_port import MetricsPort, serving
from canary.engine.notify import telling
from canary.engine.signals import ended_by_signal
from canary.host.children import python_command, start_apart
from canary.host.logs import keep_short, mask, set_up_logging
from canary.paint.keeper import keeping
from canary.rollout.errors import CanaryError, Conflict, RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_count, format_duration, format_timestamp, sanitize
from canary.rollout.trials.jobs import MonitoringView
from canary.store.locks import SingleLock
from canary.store.monitoring import (
    LoopState,
    ask_to_end,
    holder,
    loop_lock,
    read_state,
)
from canary.store.paths import state_dir

COMMAND: Final = tuple(python_command("canary.cli.background", "monitoring"))
LOG_FILE: Final = "monitor.log"
PROBED_S: Final = 0.05
TAKE_OVER_WITHIN_S: Final = 20.0
TAKE_OVER_ROUND_S: Final = 0.2
TURN_ENDS_WITHIN_S: Final = 3.0
BEGINS_WITHIN_S: Final = 5.0

Say = Callable[[str], None]
Sleep = Callable[[float], Awaitable[None]]


class LoopJob(msgspec.Struct, frozen=True):
    """What a detached loop reads on its standard input.

    The plan itself rather than its file: a demonstration has none, and a file may be edited.
    """

    plan: Plan
    plan_path: str
    order: LoopOrder


class Monitoring(msgspec.Struct, frozen=True):
    """The loop as others see it. `state` None: there never was one here.

    `pid` None: none runs now; 0: one is just beginning.
    """

    pid: int | None
    state: LoopState | None

    @property
    def is_running(self) -> bool:
        """Whether a loop lives now."""
        return self.pid is not None


def state(plan: Plan) -> Monitoring:
    """What the rollout's loop on this host does; cheap. Raises RecordError without a state dir."""
    directory = state_dir(plan)
    return Monitoring(holder(directory), read_state(directory))


def stop(plan: Plan) -> int | None:
    """Ask the loop to end; returns its process at once, None when none runs.

    `state` shows when it has ended. Raises RecordError when it may not be asked.
    """
    return ask_to_end(state_dir(plan))


def start_detached(plan: Plan, plan_path: Path, order: LoopOrder) -> int:
    """Start a loop in a process of its own session; returns its number at once.

    It replaces the one that runs. Raises RecordError when it cannot be started.
    """
    directory = state_dir(plan)
    job = msgspec.json.encode(LoopJob(plan, str(plan_path.absolute()), order))
    try:
        return start_apart(COMMAND, directory, LOG_FILE, job)
    except OSError as exc:
        raise RecordError(
            f"The monitoring loop cannot be started: {exc.strerror or exc}.",
            remedy="Run `canary monitor` in a shell.",
        ) from exc


def has_begun(plan: Plan, pid: int, within_s: float = BEGINS_WITHIN_S) -> bool:
    """Wait until the loop of that process is the rollout's; False when it is not by then.

    It may be waiting for the one before it to end, or may have ended already.
    """
    directory, end = state_dir(plan), time.monotonic() + within_s
    while holder(directory) != pid:
        if time.monotonic() > end:
            return False
        time.sleep(PROBED_S)
    return True


def run_detached() -> int:
    """Be the detached loop: the job on standard input. Returns the exit code."""
    set_up_logging(bounded=True)
    try:
        job = msgspec.json.decode(sys.stdin.buffer.read(), type=LoopJob)
    except msgspec.DecodeError as error:
        logging.getLogger(__name__).warning("no job on standard input: %s", error)
        return 2

    def say(line: str) -> None:
        # The log may be on a full disk: the snapshots may be elsewhere, and go on.
        with contextlib.suppress(OSError):
            print(mask(line), flush=True)  # noqa: T201 - this is the loop's log
            keep_short(sys.stdout.fileno())

    def on_snapshot(taken: TakenSnapshot) -> None:
        say(taken.line)

    try:
        ended = asyncio.run(run_loop(job.plan, Path(job.plan_path), job.order, say, on_snapshot))
    except CanaryError as error:
        say(str(error))
        return error.exit_code
    say(last_line(ended))
    return 0


async def run_loop(
    plan: Plan, plan_path: Path, order: LoopOrder, say: Say, on_snapshot: OnSnapshotTaken
) -> LoopState | None:
    """Replace the loop that runs, and be the loop until the time is over or a signal comes.

    Returns the last state; None when it was ended before the first snapshot. Raises Conflict when
    the other does not end, and RecordError.
    """
    directory = state_dir(plan)
    asked = asyncio.Event()
    lock = loop_lock(directory)
    with ended_by_signal(asked.set), contextlib.ExitStack() as kept:
        try:
            if not await take_over(directory, lock, say, asked):
                return None

            told = MetricsPort(plan)

            keep = kept.enter_context(keeping(order.subject, plan))

            def on_taken(taken: TakenSnapshot) -> None:
                lock.sign()
                if taken.snapshot is not None:
                    told.show(taken.snapshot)
                    keep(taken.snapshot)
                on_snapshot(taken)

            async with (
                serving(order.metrics_port, told),
                telling(plan, directory, say) as notifier,
            ):
                ended = await _run_until(plan, plan_path, directory, order, on_taken, asked)
                notifier.monitored(last_line(ended), ended_by_time=_is_over(ended))
            return ended
        finally:
            lock.release()


async def take_over(
    directory: Path,
    lock: SingleLock,
    say: Say,
    asked: asyncio.Event,
    *,
    sleep: Sleep = asyncio.sleep,
) -> bool:
    """Get the lock, from the loop that has it if there is one. False: asked to end meanwhile."""
    if lock.acquire():
        return True
    # Somebody may only be looking whether a loop lives: that holds it for microseconds.
    await sleep(PROBED_S)
    if lock.acquire():
        return True
    before, pid = read_state(directory), None
    for _ in range(int(TAKE_OVER_WITHIN_S / TAKE_OVER_ROUND_S)):
        now_held_by = holder(directory)
        if now_held_by and now_held_by != pid:
            pid = ask_to_end(directory)
            say(f"A monitoring loop runs already (process {pid}): it is asked to end.")
        await sleep(TAKE_OVER_ROUND_S)
        if asked.is_set():
            return False
        if lock.acquire():
            say(f"Replaced {_describe(before, pid)}.")
            return True
    raise Conflict(
        f"The monitoring loop of process {pid or 'unknown'} did not end within"
        f" {TAKE_OVER_WITHIN_S:g} s; no second one was begun.",
        remedy="End that process, then begin again.",
    )


def last_line(ended: LoopState | None) -> str:
    """How a loop says good-bye."""
    if ended is None:
        return "Monitoring ended before the first snapshot."
    why = {"time": "its time is over", "signal": "it was asked to end"}.get(ended.ended_by, "")
    files = "1 file" if ended.files == 1 else f"{format_count(ended.files)} files"
    since = format_timestamp(ended.since)
    newest = f", the newest {sanitize(ended.last_file)}" if ended.last_file else ""
    return f"Monitoring ended ({why}): {files} since {since}{newest}."


async def _run_until(
    plan: Plan,
    plan_path: Path,
    directory: Path,
    order: LoopOrder,
    on_snapshot: OnSnapshotTaken,
    asked: asyncio.Event,
) -> LoopState | None:
    """Run the loop; once asked to end, a turn that hangs is given up after a few seconds."""
    loop = MonitoringLoop(
        plan, plan_path, directory, order, on_snapshot, wait=lambda pause: wait_for(asked, pause)
    )
    running = asyncio.ensure_future(loop.run())
    waiting = asyncio.ensure_future(asked.wait())
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=TURN_ENDS_WITHIN_S)
        if running.done():
            return running.result()
        running.cancel()
        await asyncio.wait({running})
        return loop.end_early("signal")
    finally:
        waiting.cancel()


def _is_over(ended: LoopState | None) -> bool:
    return ended is not None and ended.ended_by == "time"


def _describe(before: LoopState | None, pid: int | None) -> str:
    if before is None or before.pid != pid:
        return f"the monitoring loop of process {pid}"
    files = "1 file" if before.files == 1 else f"{format_count(before.files)} files"
    return (
        f"the monitoring loop of process {pid} (since {format_timestamp(before.since)}, {files},"
        f" every {format_duration(before.every_s)})"
    )


# The monitoring loop as the screen shows it, from its state file and the process that runs.


def view_monitoring(found: Monitoring) -> MonitoringView:
    """The loop as the screen shows it."""
    said = found.state
    if said is None:
        return MonitoringView(found.is_running, found.pid)
    # A state file of another process is the last word of a loop that is no more.
    if found.is_running and said.pid != found.pid:
        return MonitoringView(True, found.pid)
    known = msgspec.structs.asdict(said)
    shared = {name: known[name] for name in MonitoringView.__struct_fields__ if name in known}
    return MonitoringView(**{**shared, "running": found.is_running, "pid": found.pid})
