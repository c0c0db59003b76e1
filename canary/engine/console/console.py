"""The console's engine: a thread with its own asyncio loop that observes and hands changes over.

It knows no screen. Snapshots and errors leave through two callbacks; wishes come in through
methods that any thread may call and that return at once. A stalled terminal blocks the screen's
loop for as long as it likes: this thread goes on. Changes are not carried out here either: the
intent is written to the journal, and an executor in a process of its own is woken.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from canary.engine.change.notes import intend, without_journal
from canary.engine.change.recovery import How
from canary.engine.console.background_jobs import BackgroundJobs, OnJobs, Recovering
from canary.engine.console.console_loop import ConsoleLoop, connect
from canary.engine.console.engine_thread import EngineLog, LoopThread, Work
from canary.engine.jobs.alert_policies import recall_writings
from canary.engine.observe.recorder import Recorder
from canary.engine.person import this_person
from canary.engine.session import SessionOpening
from canary.paint.last_seen import Subject
from canary.rollout.change.change import Change
from canary.rollout.errors import ReadOnly, RecordError, Unavailable
from canary.rollout.evidence.dismissal import Dismissal
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from canary.store.paths import find_state_dir

if TYPE_CHECKING:
    from canary.cloud.embedded.process import Starting

log = logging.getLogger(__name__)

OnSnapshot = Callable[[Snapshot], None]
OnError = Callable[[str], None]


class ConsoleEngine:
    """Observes one plan until `stop`. `plan_path` is canary.toml's; `fresh` starts the local cloud
    over; `starting`: it was begun already. `author` is who asks for the changes made here.
    `subject`: for which plan's file a guard or a loop that is left behind keeps what it sees.
    """

    def __init__(
        self,
        plan: Plan,
        plan_path: Path | None = None,
        *,
        read_only: bool = False,
        fresh: bool = False,
        starting: Starting | None = None,
        subject: Subject | None = None,
    ) -> None:
        self.plan = plan
        self.author = this_person(plan)
        self._plan_path = plan_path
        self._read_only = read_only or plan.console.read_only
        self._fresh = fresh
        self._starting = starting
        self._subject = subject
        self._log: EngineLog | None = None
        self._opening: SessionOpening | None = None
        self._observing: ConsoleLoop | None = None
        self._procedure: BackgroundJobs | None = None
        self._recovering: Recovering | None = None
        self._recorder: Recorder | None = None
        self._jobs = NOTHING_RUN
        self._thread: LoopThread | None = None

    def start(
        self,
        on_snapshot: OnSnapshot,
        on_error: OnError,
        on_procedure: OnJobs | None = None,
    ) -> None:
        """Begin to observe. The callbacks are called from the engine's thread.

        An error is one or two sentences for a person. Raises RecordError when the directory for
        this host's files cannot be used and the embedded cloud is kept there.
        """
        self._log = EngineLog(find_state_dir(self.plan)[0])
        self._log.open()
        # gRPC's C core writes to stderr, in the middle of the screen. Set before it is loaded.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        self._opening = opening = SessionOpening(
            self.plan, self._plan_path, fresh=self._fresh, starting=self._starting
        )

        def hear(jobs: JobsView) -> None:
            self._jobs = jobs
            if on_procedure is not None:
                on_procedure(jobs)
            if self._recorder is not None:
                self._recorder.take_jobs(jobs)

        self._procedure = procedure = BackgroundJobs(
            opening,
            self._in_loop,
            self._show_now,
            on_error,
            author=self.author,
            read_only=self._read_only,
            on_jobs=hear,
            subject=self._subject,
        )

        def show(snapshot: Snapshot) -> None:
            on_snapshot(snapshot)
            procedure.look(snapshot)
            if self._recorder is not None:
                self._recorder.take(snapshot)

        async def main() -> None:
            self._begin(procedure.watch)
            session = await connect(opening, on_error)
            recall_writings(session)
            self._recorder = Recorder(opening.directory, self.plan, self._say_unrecorded)
            self._recorder.take_jobs(self._jobs)
            self._observing = observing = ConsoleLoop(
                session,
                self.author,
                show,
                on_error,
                self.submit,
                self._in_loop,
                read_only=self._read_only,
            )
            self._recovering = Recovering(
                session, self.author, self._begin, observing.wake_executor
            )
            try:
                await observing.run()
            finally:
                self._recorder.close()

        self._thread = LoopThread(main, opening.close, self._log.close, on_error)
        self._thread.start()

    def stop(self) -> None:
        """End the observation, within a second even when the cloud hangs.

        Changes under way are the executor's, and go on.
        """
        if self._thread is not None:
            self._thread.stop()

    def submit(self, change: Change) -> None:
        """Write the intent of a confirmed change to the disk, and wake the executor.

        Raises ReadOnly, or RecordError when the intent cannot be kept: then nothing is changed.
        """
        if self._read_only:
            raise ReadOnly("This console is read-only: nothing can be changed from here.")
        try:
            journal = self._opened().demand_journal()
        except RecordError as error:
            raise without_journal(error, change, self.plan) from error
        if self._thread is None or not self._thread.is_alive:
            raise Unavailable(
                "The engine has ended, so nothing would carry the change out.",
                remedy="Open the console again, or use `canary rollback --all` in a shell.",
            )
        intend(journal, change, self.plan)
        self._in_loop(self._connected().wake_executor)
        self.procedure.verification.expect(change)

    @property
    def procedure(self) -> BackgroundJobs:
        """What it runs beside observing. Raises Unavailable before `start`."""
        if self._procedure is None:
            raise Unavailable("The engine has not started yet.", remedy="Wait a moment.")
        return self._procedure

    def recover(self, change_id: str, how: How) -> None:
        """Look up a change whose end is not known ("verify"), hand it to the executor again
        ("resume") or abandon it ("abandon"); what was found comes as an event. Raises ReadOnly.
        """
        self._recovery().start(change_id, how)

    def withdraw(self, change_id: str) -> None:
        """Withdraw a change of which nothing is on its way, above all one that waits for Cloud
        Run. It holds when this returns. Raises ReadOnly, UsageError, and Conflict when too late.
        """
        self._recovery().withdraw(change_id)
        if self._observing is not None:
            self._in_loop(self._observing.look_into_journal)

    def dismiss_proof(self, metrics: tuple[Metric, ...], reason: str) -> None:
        """Dismiss what is proven of these metrics for a reason; it holds when this returns, and
        others on this host see it. Raises ReadOnly, and RecordError when it cannot be kept.
        """
        if self._read_only:
            raise ReadOnly("This console is read-only: no proof is dismissed from here.")
        opening = self._opened()
        if opening.connected is None:
            raise Unavailable("The cloud is not connected yet.", remedy="Wait a moment.")
        now = opening.connected.clock.now()
        opening.demand_journal().dismiss(Dismissal(now, str(self.author), metrics, reason))
        if self._observing is not None:
            self._in_loop(self._observing.look_into_journal)

    def arm_guard(self, countdown_s: float | None = None) -> None:
        """Arm automatic rollback for as long as this console runs; None: the plan's countdown.

        Raises ReadOnly, and Unavailable before the cloud is there.
        """
        self._connected().guard.arm(countdown_s)
        self._look_at_guard()

    def disarm_guard(self) -> None:
        """Disarm automatic rollback; holds when this returns."""
        self._connected().guard.disarm()
        self._look_at_guard()

    def leave_guard(self) -> int:
        """Leave a guard behind that outlives this console, armed as it is; its process's number.
        Armed here no longer.

        Raises Unavailable before the cloud is there, and RecordError when none can be started.
        """
        from canary.engine.guard.left_behind import GuardJob, leave_guard

        session = self._opened().connected
        if session is None:
            raise Unavailable("The cloud is not connected yet.", remedy="Wait a moment.")
        path = str(session.plan_path.absolute())
        job = GuardJob(session.plan, path, self.author, subject=self._subject)
        pid = leave_guard(job, session.directory)
        self.disarm_guard()
        return pid

    def cancel_guard(self) -> bool:
        """Stop its countdown, for this cause; holds when this returns. False: none runs."""
        cancelled = self._connected().guard.cancel()
        self._look_at_guard()
        return cancelled

    def acknowledge(self, change_id: str) -> None:
        """Mark the outcome of a change as seen. Raises RecordError when that cannot be kept."""
        journal = self._opened().journal
        if journal is not None:
            journal.acknowledge(change_id)
        if self._observing is not None:
            self._in_loop(self._observing.look_into_journal)

    def refresh_now(self) -> None:
        """Look again without waiting for the next poll; a quota's pause is still kept."""
        if self._observing is not None:
            self._in_loop(self._observing.look_now)

    def probe(self) -> None:
        """Ask both sides for their health; the answers arrive as events."""

        async def probe() -> None:
            await self._connected().probe()

        self._begin(probe)

    def scenarios(self) -> Mapping[str, str]:
        """What the embedded cloud can play, each with a sentence; empty on a real cloud, and before
        it is up.
        """
        session = self._opening.connected if self._opening is not None else None
        embedded = session.embedded if session is not None else None
        if embedded is None or self.plan.local.drill:
            return {}
        return embedded.scenarios

    def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else."""

        async def play() -> None:
            await self._connected().set_scenario(name)

        self._begin(play)

    def _recovery(self) -> Recovering:
        if self._read_only:
            raise ReadOnly("This console is read-only: nothing can be changed from here.")
        self._connected()
        if self._recovering is None:
            raise Unavailable("The cloud is not connected yet.", remedy="Wait a moment.")
        return self._recovering

    def _say_unrecorded(self, why: str) -> None:
        """From the recorder's thread: once, as an event."""
        observing = self._observing
        if observing is not None:
            self._in_loop(lambda: observing.warn(why))

    def _look_at_guard(self) -> None:
        if self._observing is not None:
            self._in_loop(self._observing.look_at_guard)

    def _opened(self) -> SessionOpening:
        if self._opening is None:
            raise Unavailable("The engine has not started yet.", remedy="Wait a moment.")
        return self._opening

    def _connected(self) -> ConsoleLoop:
        self._opened()
        if self._observing is None:
            raise Unavailable("The cloud is not connected yet.", remedy="Wait a moment.")
        return self._observing

    def _show_now(self) -> None:
        if self._observing is not None:
            self._observing.show_now()

    def _in_loop(self, act: Callable[[], object]) -> None:
        """Let the engine's thread do something; nothing when it has ended."""
        if self._thread is not None:
            self._thread.call(act)

    def _begin(self, work: Work) -> None:
        if self._thread is not None:
            self._thread.begin(work)
