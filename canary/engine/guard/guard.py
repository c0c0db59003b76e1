"""Automatic rollback at work: looks at snapshots, counts down where all can see it, and acts by the
one path.

It belongs to whoever observes (the console's engine on its thread, `canary guard`), never to the
screen. `arm`, `disarm` and `cancel` may be called from any thread and hold the moment they return:
what is cancelled before it acts does not act.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from canary.engine.observe.event_log import Severity
from canary.host.clock import read_steady_clock
from canary.rollout.change import moves
from canary.rollout.change.change import Author, Change, Request, SetTraffic
from canary.rollout.change.text import ACT_WORDS
from canary.rollout.decision import guard as rules
from canary.rollout.decision.guard import Act, Attempt, Cause, GuardState, GuardView
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.permit.approval import evidence_of
from canary.rollout.permit.permit import AUTOMATIC, authorize, find_cause
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_duration, sanitize
from canary.store.journal import Entry, Journal

log = logging.getLogger(__name__)

LOOKED_BACK: Final = 200
"""So many changes of the journal are looked through for earlier attempts."""

Say = Callable[[Severity, str], None]


class AutomaticRollback:
    """Automatic rollback of one plan. `submit` takes a change down the one path.

    `say` makes it heard (event log, webhook). `monotonic` counts down, `wall` ages the journal.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        author: Author,
        submit: Callable[[Change], None],
        say: Say,
        *,
        monotonic: Callable[[], float] = read_steady_clock,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._author = author
        self._submit = submit
        self._say = say
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.RLock()
        self._dated: dict[str, float] = {}
        """When each attempt was made, on the clock that counts down."""
        self._state = GuardState(countdown_s=plan.guard.countdown_s)

    @property
    def view(self) -> GuardView:
        """For the snapshot."""
        return rules.view_guard(self._state, self._monotonic())

    @property
    def is_counting(self) -> bool:
        """Whether a countdown runs."""
        return self._state.due_at is not None

    def arm(self, by: str, countdown_s: float | None = None) -> None:
        """Arm it; `countdown_s` None is the plan's."""
        countdown_s = self._plan.guard.countdown_s if countdown_s is None else countdown_s
        with self._lock:
            self._state = rules.arm(self._state, by, countdown_s)
        self._say(
            "warning",
            f"automatic rollback is ARMED by {sanitize(by, 80)}: it acts "
            f"{format_duration(countdown_s)} after"
            " the decision tree calls for a rollback, unless cancelled",
        )

    def disarm(self, by: str) -> None:
        """Disarm it; a countdown ends."""
        with self._lock:
            was, self._state = self._state, rules.disarm(self._state)
        if was.armed:
            self._say("warning", f"automatic rollback is disarmed by {sanitize(by, 80)}")

    def cancel(self, by: str) -> bool:
        """Stop the countdown, and do not begin another for this cause. False: none runs."""
        with self._lock:
            was, self._state = self._state, rules.cancel(self._state)
        if was.cause is not None:
            said = f"automatic rollback was cancelled by {sanitize(by, 80)}: {was.cause.said}"
            self._say("warning", said)
        return was.cause is not None

    def look(self, snapshot: Snapshot, now: float) -> bool:
        """Look at the newest snapshot (`now` is cloud time), and act when it is time.

        True when what is shown has changed. Never raises for a change that cannot be made.
        """
        before = self._state
        if not before.armed:
            return False
        seen = find_cause(self._plan, snapshot)
        try:
            past = self._attempts() if seen.cause is not None else ()
        except RecordError as error:
            # Without the journal it is not known whether it has acted: then it does not.
            return self._take(rules.Seen(None, sanitize(error.message)), (), snapshot, now)
        return self._take(seen, past, snapshot, now)

    def _take(
        self, seen: rules.Seen, past: tuple[Attempt, ...], snapshot: Snapshot, now: float
    ) -> bool:
        with self._lock:
            was = self._state
            self._state, act = rules.advance(
                was, seen, past, self._monotonic(), self._plan.guard.max_per_day
            )
            cause = seen.cause if act != "called_off" else was.cause
            if act == "fire" and cause is not None:
                self._act(cause, past, snapshot, now)
        if act not in ("none", "fire") and cause is not None:
            self._tell(act, cause, seen.held or seen.stands_down, past)
        return act != "none" or was.held != self._state.held

    def _tell(self, act: Act, cause: Cause, held: str, past: tuple[Attempt, ...]) -> None:
        what = ACT_WORDS[cause.kind]
        if act == "begun":
            left = format_duration(self.view.left_s)
            refused = sum(a.cause == cause.key for a in past)
            times = "once" if refused == 1 else f"{refused} times"
            again = f" (anew: refused {times}, nothing was changed)" if refused else ""
            self._say("critical", f"AUTOMATIC ROLLBACK in {left}{again}: {what}: {cause.said}")
        elif act == "slept":
            left = format_duration(self.view.left_s)
            said = "nobody watched when the countdown ended (this program slept)"
            self._say("critical", f"AUTOMATIC ROLLBACK in {left}, anew: {said}: {cause.said}")
        elif act == "called_off":
            why = held or "what caused it is gone"
            self._say("warning", f"automatic rollback is called off: {why}")
        elif act == "spent":
            said = f"automatic rollback has acted for this and does not again: {cause.said}"
            self._say("critical", f"{said} A person must decide.")
        elif act == "stood_down":
            said = f"AUTOMATIC ROLLBACK STANDS DOWN: {held}. It would {what}: {cause.said}"
            self._say("critical", f"{said} A person must decide.")
        elif act == "limited":
            most = self._plan.guard.max_per_day
            said = f"automatic rollback has acted {most} times in 24 hours and does not again"
            self._say("critical", f"{said}: {cause.said} A person must decide.")

    def _act(self, cause: Cause, past: tuple[Attempt, ...], snapshot: Snapshot, now: float) -> None:
        try:
            change = self._build(cause, past, snapshot, now)
            authorize(change, snapshot, read_only=False)
            self._submit(change)
        except CanaryError as error:
            # Also when another guard of this host was faster: the same cause has the same id.
            log.warning("automatic rollback: %s", error)
            self._say("critical", f"automatic rollback did not act: {sanitize(error, 300)}")
        else:
            said = f"AUTOMATIC ROLLBACK acts: {ACT_WORDS[cause.kind]}: {cause.said}"
            self._say("critical", said)

    def _build(
        self, cause: Cause, past: tuple[Attempt, ...], snapshot: Snapshot, now: float
    ) -> Change:
        if snapshot.standing is None:
            raise RecordError("What is set is not known.")
        before = sum(a.cause == cause.key for a in past)
        name = f"{self._plan.target.project}|{self._plan.name}|{cause.key}|{before}"
        request = Request(
            id=hashlib.sha256(name.encode()).hexdigest()[:32],
            author=self._author,
            now=now,
            reason=f"{AUTOMATIC}{cause.said}",
            evidence=evidence_of(snapshot, now),
            cause=cause.key,
        )
        build = moves.rollback_all if cause.kind == "rollback_all" else moves.step_back
        return build(self._plan, snapshot.standing, request)

    def _attempts(self) -> tuple[Attempt, ...]:
        entries = [e for e in self._journal.recent(LOOKED_BACK) if e.change.cause]
        now, wall = self._monotonic(), self._wall()
        # Each is dated once: a clock that is set afterwards makes it neither older nor younger.
        self._dated = {
            # One that was set back before must not make an attempt count for ever, nor never.
            e.change.id: self._dated.get(e.change.id, now - max(0.0, wall - e.intended_at))
            for e in entries
        }
        return tuple(_attempt(e, now - self._dated[e.change.id]) for e in entries)


def _attempt(entry: Entry, age_s: float) -> Attempt:
    state = entry.outcome.state if entry.outcome is not None else None
    split = next((i for i, s in enumerate(entry.change.steps) if isinstance(s, SetTraffic)), 0)
    # "sent" alone, in a change that has ended, was refused at once.
    reached = entry.state_of(split) in ("accepted", "unanswered", "resumed", "settled")
    return Attempt(entry.change.cause, age_s, state, reached)
