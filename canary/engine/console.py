"""The console's engine: a thread with its own asyncio loop that observes and hands changes over.

It knows no screen. Snapshots and troubles leave through two callbacks; wishes come in through
methods that any thread may call and that return at once. A stalled terminal blocks the screen's
loop for as long as it likes: this thread goes on. Changes are not carried out here either: the
intent is written to the journal, and an executor in a process of its own is rung.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canary.engine.checklist_desk import ChecklistDesk
from canary.engine.engine_log import EngineLog
from canary.engine.intents import intend
from canary.engine.observing import Observing
from canary.engine.procedure import OnProcedure, ProcedureWork
from canary.engine.recovering import Recovering
from canary.engine.recovery import How
from canary.engine.session import Session
from canary.engine.verifying import Verifying
from canary.engine.vigil import Vigil
from canary.record.paths import state_dir
from canary.rollout.change import Author, Change
from canary.rollout.errors import CanaryError, ReadOnly, Unavailable
from canary.rollout.plan import Plan
from canary.rollout.snapshot import Snapshot

if TYPE_CHECKING:
    from canary.cloud.embedded_process import Starting

log = logging.getLogger(__name__)

STOP_WITHIN_S = 1.0
CLOSE_WITHIN_S = 0.6

OnSnapshot = Callable[[Snapshot], None]
OnTrouble = Callable[[str], None]


class ConsoleEngine:
    """Observes one plan until `stop`. `plan_path` is canary.toml's; `fresh` starts the local cloud
    over; `starting`: it was begun already. `author` is who asks for the changes made here.
    """

    def __init__(
        self,
        plan: Plan,
        plan_path: Path | None = None,
        *,
        read_only: bool = False,
        fresh: bool = False,
        starting: Starting | None = None,
    ) -> None:
        self.plan = plan
        self.author = Author(_user(), socket.gethostname())
        self._plan_path = plan_path
        self._read_only = read_only or plan.console.read_only
        self._fresh = fresh
        self._starting = starting
        self._log: EngineLog | None = None
        self._session: Session | None = None
        self._observing: Observing | None = None
        self._procedure: ProcedureWork | None = None
        self._vigil: Vigil | None = None
        self._recovering: Recovering | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main_task: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_trouble: OnTrouble = log.warning

    def start(
        self,
        on_snapshot: OnSnapshot,
        on_trouble: OnTrouble,
        on_procedure: OnProcedure | None = None,
    ) -> None:
        """Begin to observe. The callbacks are called from the engine's thread.

        A trouble is one or two sentences for a person. Raises RecordError when the directory for
        this host's files cannot be made.
        """
        self._on_trouble = on_trouble
        self._log = EngineLog(state_dir(self.plan))
        self._log.open()
        # gRPC's C core writes to stderr, in the middle of the screen. Set before it is loaded.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        self._session = Session(
            self.plan,
            self._plan_path,
            read_only=self._read_only,
            fresh=self._fresh,
            starting=self._starting,
        )

        def show(snapshot: Snapshot) -> None:
            on_snapshot(snapshot)
            procedure.verifying.look(snapshot)
            procedure.checklists.look(snapshot)

        self._vigil = vigil = Vigil(
            self._session,
            self.author,
            self.submit,
            self._in_loop,
            lambda: observing.show_now(),
            read_only=self._read_only,
        )
        self._observing = observing = Observing(
            self._session, show, on_trouble, stands_by=not self._read_only, vigil=vigil
        )
        self._recovering = Recovering(self._session, self.author, self._begin, observing.ring)
        self._procedure = procedure = ProcedureWork(
            self._session,
            self._in_loop,
            observing.show_now,
            on_trouble,
            author=self.author,
            read_only=self._read_only,
        )
        if on_procedure is not None:
            procedure.listen(on_procedure)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the observation, within a second even when the cloud hangs.

        Changes under way are the executor's, and go on.
        """
        self._stopping.set()
        self._in_loop(self._cancel)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_WITHIN_S)

    def clock_now(self) -> float:
        """The cloud's time now, unix seconds; this host's until the cloud has come up."""
        return self._opened().clock.now()

    def submit(self, change: Change) -> None:
        """Write the intent of a confirmed change to the disk, and ring the executor.

        Raises ReadOnly, or RecordError when the intent cannot be kept: then nothing is changed.
        """
        if self._read_only:
            raise ReadOnly("This console is read-only: nothing can be changed from here.")
        session, observing = self._opened(), self._observing
        if session.journal is None or observing is None:
            raise session.journal_error or Unavailable(
                "The journal is not open yet.", remedy="Wait a moment."
            )
        if self._thread is None or not self._thread.is_alive():
            raise Unavailable(
                "The engine has ended, so nothing would carry the change out.",
                remedy="Open the console again, or use `canary rollback --all` in a shell.",
            )
        intend(session.journal, change, self.plan)
        self._in_loop(observing.ring)
        self.verifying.expect(change)

    @property
    def procedure(self) -> ProcedureWork:
        """What it runs beside observing. Raises Unavailable before `start`."""
        if self._procedure is None:
            raise Unavailable("The engine has not started yet.", remedy="Wait a moment.")
        return self._procedure

    @property
    def verifying(self) -> Verifying:
        """Its verifications: `start`, `stop`. Raises Unavailable before `start`."""
        return self.procedure.verifying

    @property
    def checklists(self) -> ChecklistDesk:
        """Its checklists: `read`, `tick`. Raises Unavailable before `start`."""
        return self.procedure.checklists

    def recover(self, change_id: str, how: How) -> None:
        """Look up a change whose end is not known ("verify"), hand it to the executor again
        ("resume") or give it up ("abandon"); what was found comes as an event. Raises ReadOnly.
        """
        self._recovery().start(change_id, how)

    def withdraw(self, change_id: str) -> None:
        """Take back a change of which nothing is on its way, above all one that waits for Cloud
        Run. It holds when this returns. Raises ReadOnly, UsageError, and Conflict when too late.
        """
        self._recovery().withdraw(change_id)
        if self._observing is not None:
            self._in_loop(self._observing.look_into_journal)

    def arm_guard(self, countdown_s: float | None = None) -> None:
        """Arm automatic rollback for as long as this console runs; None: the plan's countdown.

        Raises ReadOnly, and Unavailable before the cloud is there.
        """
        self._watch().arm(countdown_s)
        self._look_at_guard()

    def disarm_guard(self) -> None:
        """Disarm automatic rollback; holds when this returns."""
        self._watch().disarm()
        self._look_at_guard()

    def cancel_guard(self) -> bool:
        """Stop its countdown, for this cause; holds when this returns. False: none runs."""
        cancelled = self._watch().cancel()
        self._look_at_guard()
        return cancelled

    def acknowledge(self, change_id: str) -> None:
        """Mark the outcome of a change as seen. Raises RecordError when that cannot be kept."""
        session = self._opened()
        if session.journal is not None:
            session.journal.acknowledge(change_id)
        if self._observing is not None:
            self._in_loop(self._observing.look_into_journal)

    def refresh_now(self) -> None:
        """Look again without waiting for the next round; a quota's pause is still kept."""
        if self._observing is not None:
            self._in_loop(self._observing.look_now)

    def probe(self) -> None:
        """Ask both sides for their health; the answers arrive as events."""
        if self._observing is not None:
            self._begin(self._observing.probe)

    def scenarios(self) -> tuple[str, ...]:
        """What the embedded cloud can play; empty on a real cloud, and before it is up."""
        embedded = self._session.embedded if self._session is not None else None
        return embedded.scenarios if embedded is not None else ()

    def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else."""
        observing = self._observing
        if observing is not None:
            self._begin(lambda: observing.set_scenario(name))

    def _watch(self) -> Vigil:
        if self._vigil is None:
            raise Unavailable("The engine has not started yet.", remedy="Wait a moment.")
        return self._vigil

    def _recovery(self) -> Recovering:
        if self._read_only:
            raise ReadOnly("This console is read-only: nothing can be changed from here.")
        if self._recovering is None:
            raise Unavailable("The engine has not started yet.", remedy="Wait a moment.")
        return self._recovering

    def _look_at_guard(self) -> None:
        if self._observing is not None:
            self._in_loop(self._observing.look_at_guard)

    def _opened(self) -> Session:
        if self._session is None:
            raise Unavailable("The engine has not started yet.", remedy="Wait a moment.")
        return self._session

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        """The thread: a loop of its own, closed without waiting for what hangs."""
        session, observing = self._opened(), self._observing
        assert observing is not None  # noqa: S101 - for the type checker
        loop = self._loop = asyncio.new_event_loop()
        try:
            self._main_task = loop.create_task(observing.run(), name="observing")
            self._begin(self.procedure.watch)
            if not self._stopping.is_set():
                loop.run_until_complete(self._main_task)
        except asyncio.CancelledError:
            pass
        except Exception:
            # The boundary of this thread. Each source has its own inside; this is our mistake.
            log.exception("the engine ended")
            self._on_trouble("The engine has failed and observes no more. See engine.log.")
        finally:
            loop.run_until_complete(self._end(loop, session))
            # Not `shutdown_default_executor`: it waits for threads that may hang in a call.
            loop.close()
            if self._log is not None:
                self._log.close()

    async def _end(self, loop: asyncio.AbstractEventLoop, session: Session) -> None:
        tasks = [t for t in asyncio.all_tasks(loop) if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_WITHIN_S / 2)
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await session.close()
        except TimeoutError:
            log.warning("closing took too long and was left")
        except Exception:
            log.exception("closing")

    def _cancel(self) -> None:
        if self._main_task is not None:
            self._main_task.cancel()

    def _in_loop(self, act: Callable[[], object]) -> None:
        """Let the engine's thread do something; nothing when it has ended."""
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:  # the loop is closed
            log.debug("asked after the end")

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def begin() -> None:
            task = asyncio.get_running_loop().create_task(self._guard(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._in_loop(begin)

    async def _guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except CanaryError as error:
            self._on_trouble(str(error))
        except Exception as error:
            log.exception("asked for by a key")
            self._on_trouble(f"That failed ({type(error).__name__}). See engine.log.")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a name for this id
        return "unknown"
