"""Automatic rollback: when it begins to count, when it stops, when it acts. Pure.

::

    disarmed ── arm ──→ armed ── a cause ──→ counting ── time is up ──→ acts, once for the cause
                          ↑                     │
                          └─ the cause is gone, no data any more, or a person cancels

- It never acts on missing, stale, thin or masked data: then there is no cause, and what was being
  counted is called off. When the cause is seen again, counting begins anew.
- A cause is one trigger (a critical limit, an overdue watch, the stage's own limits, a proven
  regression) on one entry into a stage (the stage record's change). It acts at most once for it.
  Only an attempt that certainly changed nothing (refused, not begun) may be followed by another.
- What a person cancelled is not begun again for that cause, until it is armed anew.
- Over a step that no rollback undoes it stands down, loudly: a count ends, a person decides.
- No more than `max_per_day` effects in 24 hours, by whichever guard of this host: the attempts are
  read from the journal, so that they outlive the process. What was refused, or changed nothing,
  uses nothing up: else three refusals would end automatic rollback without one rollback.

Rejected: telling one incident from the next within a stage by its begin. Two guards, or one before
and after a restart, would see it begin at different minutes, and both would act.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from canary.rollout.change.change import OutcomeState

DAY_S = 86_400.0

Trigger = Literal["critical", "overdue", "stage", "regression"]
Act = Literal["none", "begun", "called_off", "fire", "spent", "limited", "slept", "stood_down"]
"""Nothing new; counting began; it was called off; act now; it has acted for this cause already; it
has acted too often (these two are said once); nobody looked when it was due: counting began anew;
a step that no rollback undoes leaves it to a person (said once).
"""


class Cause(msgspec.Struct, frozen=True):
    """Why everybody, or a stage, should be rolled back. `key`: what counts as the same cause."""

    key: str
    kind: Literal["step_back", "rollback_all"]
    trigger: Trigger
    said: str


class Seen(msgspec.Struct, frozen=True):
    """One look: the cause (None: there is none, or nothing may be judged), and what holds it up.

    `stands_down`: why nothing but a person may act on the cause; "" for nothing.
    """

    cause: Cause | None
    held: str = ""
    stands_down: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """One automatic rollback of the journal. `age_s` by this host's clock; `state` None: open.

    `reached`: the cloud took its split, or may have.
    """

    cause: str
    age_s: float
    state: OutcomeState | None
    reached: bool = True

    @property
    def may_have_acted(self) -> bool:
        """Whether it has, or may have, moved the split."""
        if self.state in ("refused", "not_begun"):
            return False
        return self.reached or self.state in (None, "done", "unknown")

    @property
    def changed_nothing(self) -> bool:
        """Whether it was kept from acting by nobody's will, so that it is tried anew."""
        return self.state in ("refused", "not_begun")


SLEPT_S: Final = 5.0
"""So late after its end a countdown does not act, but begins anew: while it runs it is looked at
each quarter of a second."""


class GuardState(msgspec.Struct, frozen=True):
    """Where automatic rollback stands. `due_at` is on the clock that `now` is on (any steady one).

    `cancelled` are the causes that a person has stopped, `mute` the one that was said to be spent
    or limited already.
    """

    armed: bool = False
    by: str = ""
    countdown_s: float = 60.0
    cause: Cause | None = None
    due_at: float | None = None
    cancelled: frozenset[str] = frozenset()
    mute: str = ""
    held: str = ""


class GuardView(msgspec.Struct, frozen=True):
    """What the screen shows. `left_s` None: nothing is being counted. `held`: why nothing is done
    just now, although it is armed ("" when there is nothing to do).
    """

    armed: bool
    by: str = ""
    countdown_s: float = 60.0
    cause: str = ""
    kind: str = ""
    left_s: float | None = None
    held: str = ""


def arm(state: GuardState, by: str, countdown_s: float) -> GuardState:
    """Armed, with nothing cancelled. Armed already, only the countdown and the person change."""
    if state.armed:
        return msgspec.structs.replace(
            state, by=by, countdown_s=countdown_s, cancelled=frozenset(), mute=""
        )
    return GuardState(armed=True, by=by, countdown_s=countdown_s)


def disarm(state: GuardState) -> GuardState:
    """Disarmed; what was counted is called off."""
    return GuardState(countdown_s=state.countdown_s)


def cancel(state: GuardState) -> GuardState:
    """Stop what is being counted, for this cause; nothing happens when nothing is."""
    if state.cause is None:
        return state
    return msgspec.structs.replace(
        state,
        cause=None,
        due_at=None,
        cancelled=state.cancelled | {state.cause.key},
        held="cancelled",
    )


def advance(
    state: GuardState, seen: Seen, past: tuple[Attempt, ...], now: float, max_per_day: int
) -> tuple[GuardState, Act]:
    """One look further: the new state, and what there is to do or say."""
    if not state.armed:
        return state, "none"
    cause = seen.cause
    if cause is None:
        idle = msgspec.structs.replace(state, cause=None, due_at=None, held=seen.held)
        return idle, "none" if state.cause is None else "called_off"
    if seen.stands_down:
        return _refuse(state, cause, f"stands down: {seen.stands_down}", "stood_down")
    if cause.key in state.cancelled:
        return _hold(state, "cancelled"), "none"
    if any(a.cause == cause.key and not a.changed_nothing for a in past):
        return _refuse(state, cause, "it has acted for this cause", "spent")
    if sum(a.may_have_acted and 0 <= a.age_s < DAY_S for a in past) >= max_per_day:
        return _refuse(state, cause, f"{max_per_day} times in 24 hours is the limit", "limited")
    if state.due_at is not None and now >= state.due_at + SLEPT_S:
        # Nobody looked when it was due: this program, or its host, slept. A person must have the
        # whole countdown before their eyes, whatever the cause is by now.
        return _begin(msgspec.structs.replace(state, due_at=None), cause, now, 0), "slept"
    if state.cause is None or state.cause.key != cause.key:
        refused = sum(a.cause == cause.key for a in past)
        return _begin(state, cause, now, refused), "begun"
    if state.due_at is not None and now >= state.due_at:
        return _hold(state, "it has just acted"), "fire"
    return msgspec.structs.replace(state, cause=cause), "none"


def view_guard(state: GuardState, now: float) -> GuardView:
    """The state as it is shown."""
    cause = state.cause
    return GuardView(
        armed=state.armed,
        by=state.by,
        countdown_s=state.countdown_s,
        cause=cause.said if cause is not None else "",
        kind=cause.kind if cause is not None else "",
        left_s=None if state.due_at is None else max(0.0, state.due_at - now),
        held=state.held,
    )


RETRY_S, LONGEST_RETRY_S = 5.0, 60.0
"""The countdown after a refusal is at least so long, and doubles with each, up to the longest: a
service that refuses everything is not asked all the time."""


def _begin(state: GuardState, cause: Cause, now: float, refused: int) -> GuardState:
    """Count; a cause that takes the place of another is not given more time than was left."""
    pause_s = min(RETRY_S * 2.0 ** min(refused - 1, 10), LONGEST_RETRY_S) if refused else 0.0
    due_at = now + max(state.countdown_s, pause_s)
    if state.due_at is not None:
        due_at = min(due_at, state.due_at)
    return msgspec.structs.replace(state, cause=cause, due_at=due_at, held="", mute="")


def _hold(state: GuardState, why: str) -> GuardState:
    return msgspec.structs.replace(state, cause=None, due_at=None, held=why)


def _refuse(
    state: GuardState, cause: Cause, why: str, act: Literal["spent", "limited", "stood_down"]
) -> tuple[GuardState, Act]:
    told = state.mute == cause.key
    return msgspec.structs.replace(_hold(state, why), mute=cause.key), "none" if told else act
