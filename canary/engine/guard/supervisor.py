"""What a console observes beside the rollout: readiness, automatic rollback, other operators.

Its polls run in the engine's loop, never the screen's.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec

from canary.engine.guard.guard import AutomaticRollback, Say
from canary.engine.notify import Notifier
from canary.engine.observe.event_log import Severity
from canary.engine.observe.poll_loop import Beside
from canary.engine.observe.transitions import readiness_notice
from canary.engine.session import Session
from canary.host.clock import read_steady_clock
from canary.rollout.change.change import Author, Change
from canary.rollout.decision.guard import GuardView
from canary.rollout.errors import ReadOnly, Unavailable
from canary.rollout.export.notification import Notification, place_of
from canary.rollout.snapshot.snapshot import OperatorSession, SessionKind, Snapshot
from canary.rollout.text import sanitize
from canary.store.presence import OperatorSessionHolder

READINESS_S: Final = 15.0
GUARD_IDLE_S, GUARD_ARMED_S, GUARD_COUNTING_S = 5.0, 1.0, 0.25
PRESENCE_S: Final = 2.0
BEAT_S: Final = 2.0
"""Pauses in real seconds."""

InLoop = Callable[[Callable[[], object]], object]


def _hear(severity: Severity, text: str) -> None:
    """While nobody listens."""


class GuardSupervisor:
    """Automatic rollback of one session, in a console or in `canary guard`.

    `submit` takes a change down the one path; `in_loop` reaches the loop that observes from any
    thread; `on_change` sends a snapshot out; `notifier` None: others are not notified. `also_say`
    hears at once what goes into the event log.
    """

    def __init__(
        self,
        session: Session,
        author: Author,
        submit: Callable[[Change], None],
        in_loop: InLoop,
        on_change: Callable[[], object],
        notifier: Notifier | None,
        *,
        read_only: bool = False,
        kind: SessionKind = "console",
        also_say: Say = _hear,
        monotonic: Callable[[], float] = read_steady_clock,
    ) -> None:
        self._session = session
        self._author = author
        self._in_loop = in_loop
        self._on_change = on_change
        self._notifier = notifier
        self._read_only = read_only
        self._monotonic = monotonic
        self._rollback: AutomaticRollback | None = None
        if session.journal is not None:
            self._rollback = AutomaticRollback(
                session.plan, session.journal, author, submit, self.say, monotonic=monotonic
            )
        self._also_say = also_say
        self._shown = operator_session_of(author, read_only, kind=kind)
        self._presence = OperatorSessionHolder(session.directory, self._shown)
        self._beat_at = float("-inf")
        self._others: tuple[OperatorSession, ...] = ()
        self._others_at = float("-inf")

    def begin(self) -> None:
        """Arm automatic rollback if the plan has it so. In the engine's loop."""
        if self._rollback is not None and self._session.plan.guard.armed and not self._read_only:
            self._rollback.arm("the plan")
            self._show_guard()

    def end(self) -> None:
        """Be present no longer."""
        self._presence.release()

    @property
    def is_counting(self) -> bool:
        """Whether a countdown runs."""
        return self._rollback is not None and self._rollback.is_counting

    def arm(self, countdown_s: float | None = None) -> None:
        """Arm automatic rollback. Raises ReadOnly, or Unavailable before the cloud is there."""
        if self._read_only:
            raise ReadOnly("This console is read-only: automatic rollback cannot be armed here.")
        self._guard().arm(str(self._author), countdown_s)
        self._show_guard()

    def disarm(self) -> None:
        """Disarm it; holds when this returns."""
        self._guard().disarm(str(self._author))
        self._show_guard()

    def cancel(self) -> bool:
        """Stop its countdown; holds when this returns. False: none runs."""
        cancelled = self._guard().cancel(str(self._author))
        self._show_guard()
        return cancelled

    async def poll_readiness(self) -> float:
        """Ask what a rollback rests on."""
        if await self._session.observer.read_readiness():
            self._on_change()
        return READINESS_S

    async def poll(self) -> float:
        """Let automatic rollback look at what is known now."""
        rollback = self._rollback
        self._beat()
        self._show_guard()  # again: it was armed or disarmed from another thread
        if rollback is None or not rollback.view.armed:
            return GUARD_IDLE_S
        session = self._session
        if rollback.look(session.observer.snapshot(*self.beside()), session.clock.now()):
            self._show_guard()
            self._on_change()
        return GUARD_COUNTING_S if rollback.is_counting else GUARD_ARMED_S

    def _beat(self) -> None:
        """Show others that this process does not only live, but looks."""
        now = read_steady_clock()
        if now - self._beat_at >= BEAT_S:
            self._beat_at = now
            self._shown = msgspec.structs.replace(self._shown, beat=now)
            self._presence.change(self._shown)

    def look(self, snapshot: Snapshot) -> None:
        """Tell others when roll back all has become impossible, or possible again."""
        readiness = snapshot.readiness
        if readiness is not None and not readiness.is_only_unknown and self._notifier is not None:
            self._notifier.turned(
                "readiness", readiness.state, lambda before: readiness_notice(before, snapshot)
            )

    def _show_guard(self) -> None:
        """Let others on this host see whether automatic rollback is armed here, and counts down."""
        if self._rollback is not None:
            self._shown = show_guard(self._presence, self._shown, self._rollback.view)

    def _guard(self) -> AutomaticRollback:
        if self._rollback is None:
            raise self._session.journal_error or Unavailable(
                "The cloud is not connected yet.", remedy="Wait a moment."
            )
        return self._rollback

    def beside(self) -> Beside:
        """For the snapshot: other operators, looked up every few seconds, and what is armed."""
        now = self._monotonic()
        if now - self._others_at >= PRESENCE_S:
            self._others, self._others_at = self._presence.others(), now
        return Beside(self._others, self._rollback.view if self._rollback is not None else None)

    def say(self, severity: Severity, text: str) -> None:
        """In the event log and by webhook; from any thread."""
        plan = self._session.plan
        self._also_say(severity, text)

        def say() -> None:
            self._session.observer.log.say(self._session.clock.now(), severity, text)
            if self._notifier is not None:
                place = place_of(plan.name, plan.target.project, plan.provider)
                self._notifier.tell(Notification("", f"{place}: {text}", severity))
            self._on_change()

        self._in_loop(say)


def show_guard(
    holder: OperatorSessionHolder, shown: OperatorSession, view: GuardView
) -> OperatorSession:
    """Show others what automatic rollback does here; the operator session as it is shown then."""
    counts = (view.armed, view.left_s is not None)
    if counts == (shown.armed, shown.due_at is not None):
        return shown
    due_at = None if view.left_s is None else time.time() + view.left_s
    due_beat = None if view.left_s is None else read_steady_clock() + view.left_s
    cause = sanitize(view.cause, 200)
    changed = msgspec.structs.replace(
        shown, armed=view.armed, due_at=due_at, due_beat=due_beat, cause=cause
    )
    holder.change(changed)
    return changed


def operator_session_of(
    author: Author, read_only: bool, *, kind: SessionKind = "console"
) -> OperatorSession:
    """This process as others see it: its terminal, and where its SSH session comes from."""
    terminal = ""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        terminal = os.ttyname(sys.stdin.fileno())
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return OperatorSession(
        pid=os.getpid(),
        user=author.user,
        host=author.host,
        since=time.time(),
        kind=kind,
        terminal=sanitize(terminal.removeprefix("/dev/"), 40),
        client=sanitize(client, 60),
        read_only=read_only,
        armed=kind == "guard",
    )
