"""A change that a shell command carries out itself: the same path as the executor's, in-process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from canary.cloud.connection.clock import CloudClock
from canary.engine.change.executor import Claim, CloudClients, Executor
from canary.engine.change.notes import without_journal
from canary.engine.change.recovery import end_unsent, withdraw
from canary.engine.change.settling import Pace
from canary.engine.notify import Notifier
from canary.engine.signals import ended_by_signal
from canary.rollout.change.change import Change, Outcome
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_duration, sanitize
from canary.store.entries import WAITS_FOR_PROGRAM, Entry
from canary.store.journal import Journal
from canary.store.locks import Owner, Unshared
from canary.store.paths import NOWHERE

LOOK_S = 0.5
"""So often is looked whether it waits, real seconds."""


async def carry_out_here(
    change: Change,
    cloud_clients: CloudClients,
    journal: Journal,
    *,
    plan: Plan,
    stage_file: Path | None = None,
    notifier: Notifier | None = None,
    on_wait: Callable[[float, str], None] | None = None,
    wait_s: float | None = None,
    pace: Pace | None = None,
) -> Outcome:
    """Write the intent and carry it out in this process: the shell's way, the same path.

    A hang-up does not stop it. An interrupt (Ctrl-C, SIGTERM) ends the waiting: what was not sent
    is abandoned, what was sent goes on in Cloud Run and is "unknown" here, to be looked up by the
    next executor, and a rollback that waits for Cloud Run is withdrawn. `on_wait` is told, once,
    since when it waits (cloud time), and for what; after `wait_s` real seconds of it the change is
    given up as failed (None: as the executor does it). A journal in memory alone is nobody else's:
    there the claim needs no lock. Raises RecordError when the intent cannot be written; nothing is
    changed then.
    """
    with _claim(journal, change, plan) as owner:
        executor = Executor(
            plan, cloud_clients, journal, owner, stage_file=stage_file, notifier=notifier, pace=pace
        )
        task = asyncio.ensure_future(executor.execute(change))
        with ended_by_signal(task.cancel, hang_up="ignored"):
            watch = _Wait(change, journal, on_wait, wait_s)
            while not task.done():
                await asyncio.wait([task], timeout=watch.pause_s)
                if not task.done():
                    with contextlib.suppress(RecordError):  # what is being done goes on unwatched
                        watch.look(cloud_clients.clock.now())
        if not task.cancelled():
            return task.result()
        try:
            outcome = _interrupted(change, journal, cloud_clients.clock)
        except RecordError as error:
            said = f"Interrupted, and the journal does not say how far it was: {error.message}"
            outcome = Outcome("unknown", said, cloud_clients.clock.now())
        if notifier is not None:
            with contextlib.suppress(RecordError):
                if _has_ended(change, journal):
                    notifier.ended(change, outcome)
        return outcome


@contextlib.contextmanager
def _claim(journal: Journal, change: Change, plan: Plan) -> Iterator[Claim]:
    """The identity that claims the change. Raises NotKept when its lock cannot be made."""
    if journal.path == NOWHERE:
        yield Unshared()
        return
    try:
        owner = Owner(journal.path.parent)
    except RecordError as error:
        raise without_journal(error, change, plan) from error
    with owner:
        yield owner


async def carry_on_here(
    change: Change,
    cloud_clients: CloudClients,
    journal: Journal,
    *,
    plan: Plan,
    stage_file: Path | None = None,
    pace: Pace | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Outcome:
    """Go on with a change that was handed back to executors (`Recovery.resume`).

    A console's own executor may be faster: then its outcome is waited for, as long as that process
    lives. What it leaves is taken up here.
    """
    with Owner(journal.path.parent) as owner:
        executor = Executor(plan, cloud_clients, journal, owner, stage_file=stage_file, pace=pace)
        while True:
            outcome = await executor.go_on(change.id)
            if outcome is not None:
                return outcome
            entry = journal.entry(change.id)
            if entry is None:
                raise RecordError(f"The change {change.id} is gone from the journal.")
            if entry.outcome is not None:
                return entry.outcome
            await sleep(LOOK_S)


class _Wait:
    """Says when a change waits for Cloud Run, and abandons it when that takes too long."""

    def __init__(
        self,
        change: Change,
        journal: Journal,
        on_wait: Callable[[float, str], None] | None,
        wait_s: float | None,
    ) -> None:
        self._change = change
        self._journal = journal
        self._on_wait = on_wait
        self._wait_s = wait_s
        self._began: float | None = None

    @property
    def pause_s(self) -> float | None:
        """How long until the next look, real seconds; None: there is nothing to look for."""
        return None if self._on_wait is None and self._wait_s is None else LOOK_S

    def look(self, now: float) -> None:
        """Look into the journal; `now` is cloud time."""
        entry = self._journal.entry(self._change.id)
        if entry is None or entry.waiting_since is None:
            self._began = None
            return
        if self._began is None:
            self._began = time.monotonic()
            if self._on_wait is not None and self._wait_s != 0:
                self._on_wait(entry.waiting_since, entry.waits_for)
                self._on_wait = None
        if self._wait_s is not None and time.monotonic() - self._began >= self._wait_s:
            why = why_given_up(entry, self._wait_s)
            with contextlib.suppress(CanaryError):  # it has just gone out after all
                end_unsent(self._journal, self._change.id, why, "failed", now)


def why_given_up(entry: Entry, wait_s: float) -> str:
    """Why a change that waited for `wait_s` real seconds is given up, one or two sentences."""
    if entry.waits_for == WAITS_FOR_PROGRAM:
        runs = sanitize(entry.last.detail if entry.last is not None else "", 300)
        longer = f" longer than {format_duration(wait_s)}" if wait_s else ""
        return f"{runs} It was not to wait{longer}."
    if wait_s == 0:
        return "Cloud Run does not answer, and it was not to wait."
    return f"Cloud Run did not answer within {format_duration(wait_s)}."


def _has_ended(change: Change, journal: Journal) -> bool:
    """Whether the change has its outcome; one that goes on is told of by who ends it."""
    entry = journal.entry(change.id)
    return entry is None or entry.outcome is not None


def _interrupted(change: Change, journal: Journal, clock: CloudClock) -> Outcome:
    entry = journal.entry(change.id)
    if entry is not None and entry.outcome is not None:
        return entry.outcome
    if entry is not None and entry.is_withdrawable:
        with contextlib.suppress(CanaryError):
            return withdraw(journal, change.id, str(change.author), clock.now())
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
