"""A change that a shell command carries out itself: the same path as the executor's, in-process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from canary.cloud.clock import CloudClock
from canary.engine.execute import carry_out, intend
from canary.engine.hands import Hands
from canary.engine.notify import Notifier
from canary.engine.settling import Pace
from canary.record.journal import Journal
from canary.record.owner import Owner
from canary.rollout.change import Change, Outcome
from canary.rollout.plan import Plan


async def carry_out_here(
    change: Change,
    hands: Hands,
    journal: Journal,
    *,
    plan: Plan,
    stage_file: Path | None = None,
    notifier: Notifier | None = None,
    pace: Pace | None = None,
) -> Outcome:
    """Write the intent and carry it out in this process: the shell's way, the same path.

    A hang-up does not stop it. An interrupt (Ctrl-C, SIGTERM) ends the waiting: what was not sent
    is abandoned, what was sent goes on in Cloud Run and is "unknown" here, to be looked up by the
    next executor. Raises RecordError when the intent cannot be written; nothing is changed then.
    """
    with Owner(journal.path.parent) as owner:
        intend(journal, change, plan, owner.token)
        if notifier is not None:
            notifier.begun(change)
        task = asyncio.ensure_future(
            carry_out(
                change,
                hands.writer,
                hands.reader,
                journal,
                hands.clock,
                plan=plan,
                stage_file=stage_file,
                pace=pace,
            )
        )
        with _interruptible(task):
            await asyncio.wait([task])
        if not task.cancelled():
            outcome = task.result()
        else:
            outcome = _interrupted(change, journal, hands.clock)
        if notifier is not None and _has_ended(change, journal):
            notifier.ended(change, outcome)
        return outcome


def _has_ended(change: Change, journal: Journal) -> bool:
    """Whether the change has its outcome; one that goes on is told of by who ends it."""
    entry = journal.entry(change.id)
    return entry is None or entry.outcome is not None


def _interrupted(change: Change, journal: Journal, clock: CloudClock) -> Outcome:
    entry = journal.entry(change.id)
    if entry is not None and entry.outcome is not None:
        return entry.outcome
    if entry is None or not entry.notes:
        outcome = Outcome(
            "abandoned", "Interrupted before anything was sent; nothing is changed.", clock.now()
        )
        journal.settle(change.id, outcome)
        return outcome
    return Outcome(
        "unknown",
        "Interrupted while waiting: the change was sent and goes on in Cloud Run.",
        clock.now(),
        remedy="Open the console, or run `canary log`: it is looked up there.",
    )


@contextlib.contextmanager
def _interruptible(task: asyncio.Future[Outcome]) -> Iterator[None]:
    """Cancel the waiting on SIGINT and SIGTERM, ignore SIGHUP; as before afterwards."""
    loop = asyncio.get_running_loop()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
    except (ValueError, RuntimeError):  # not in the main thread: signals are not ours there
        yield
        return
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
