"""Whose program is about to run, or may be running: a note on the service beside the record.

It is an annotation of its own, there from before the program runs until its result is recorded. As
long as a program may be running nobody begins another: of two at once the one that ends last wins,
and that could be the promotion. How long that is nobody can know whose process was killed, so that
it is bounded by the plan's `timeout_s`. A program that has ended and is not recorded is noted in a
second annotation: nobody waits for that one.
"""

from __future__ import annotations

from typing import Any

from canary.cloud.router.program import KILL_AFTER_S
from canary.rollout.change.change import GOING_BACK, SetTraffic
from canary.rollout.change.stage_record import StageRecord, decode_record
from canary.rollout.change.text import PROGRAM_RUNS
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Malformed,
    OperationFailed,
    Unavailable,
)
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_clock, format_duration, format_timestamp, sanitize

BEGIN_S = 30.0
"""Real seconds from the intent until the program must have been started, else it is not."""


def intent_key(plan: Plan) -> str:
    """The annotation that is there from before the program runs until its result is recorded."""
    return f"{plan.record.annotation}-intent"


def ended_key(plan: Plan) -> str:
    """The annotation that names the change whose program has ended without being recorded."""
    return f"{plan.record.annotation}-intent-ended"


def read_intent(plan: Plan, service: Any) -> StageRecord | None:
    """What the program that was begun last is to set; None without one that can be read."""
    return decode_or_none(service.annotations.get(intent_key(plan), ""))


def decode_or_none(text: str) -> StageRecord | None:
    """A record; None where the text is none."""
    try:
        return decode_record(text)
    except Malformed:
        return None


def describe_begun(plan: Plan, service: Any) -> str:
    """Whose change was begun and not recorded; "" without one."""
    if intent_key(plan) not in service.annotations:
        return ""
    intent = read_intent(plan, service)
    if intent is None:
        return "A change of the split was begun and not recorded."
    return (
        f"A change to {intent.percent} % by {_who(intent)} was begun at"
        f" {format_timestamp(intent.entered_at)} and is not recorded yet."
    )


def turn_s(plan: Plan) -> float:
    """For how many seconds of the cloud's time from its intent a program may be running."""
    return BEGIN_S + plan.target.router.timeout_s + 2 * KILL_AFTER_S


def demand_turn(plan: Plan, service: Any, step: SetTraffic) -> None:
    """Raise where another change's program may be running at the moment that `step` is dated at.

    Unavailable for what goes back, which waits for its turn; Conflict for all else.
    """
    intent = read_intent(plan, service)
    if intent is None or intent.change == step.record.change:
        return
    since_s = step.record.written_at - intent.written_at
    ended = service.annotations.get(ended_key(plan), "") == intent.change
    if ended or abs(since_s) >= turn_s(plan):
        return
    until = format_clock(intent.written_at + turn_s(plan))
    said = (
        f"{PROGRAM_RUNS} {intent.percent} % for {_who(intent)} was begun"
        f" {format_duration(max(0.0, since_s))} ago and may be running until {until} at the latest."
    )
    if goes_back(step):
        raise Unavailable(said, source="the router's program")
    raise Conflict(said, remedy="Nothing was changed. Wait until it has ended, and look again.")


def goes_back(step: SetTraffic) -> bool:
    """Whether a step is of a change that takes traffic off Canary."""
    return step.record.move in GOING_BACK


def demand_share(step: SetTraffic, now: int | None, decided: int | None) -> None:
    """Raise Conflict where the share was moved since it was `decided` on (None: not known), or
    where what goes back would raise it. `now` None: it cannot be read.
    """
    shown = "cannot be read" if now is None else f"is {now} %"
    if decided is not None and now != decided:
        said = f"Canary's share {shown}; this was decided at {decided} %."
    elif now is not None and goes_back(step) and now < step.percent:
        said = f"Canary's share {shown}: setting {step.percent} % would give it more."
    else:
        return
    raise Conflict(said, remedy="Nothing was changed. Look again, and decide anew.")


def demand_no_more(plan: Plan, service: Any, step: SetTraffic, share: int | None) -> None:
    """Raise Conflict where what goes back would raise the share, or, where that cannot be read,
    what a program that was begun may have set.
    """
    begun = read_intent(plan, service)
    if share is not None or begun is None:
        demand_share(step, share, None)
    elif goes_back(step) and begun.percent < step.percent:
        raise Conflict(
            f"A change to {begun.percent} % was begun, and may be set: setting {step.percent} %"
            " would give Canary more.",
            remedy="Nothing was changed. Roll back all: `canary rollback --all`.",
        )


def left_behind(step: SetTraffic, refused: CanaryError, why: CanaryError) -> CanaryError:
    """What to raise where an intent could not be taken back: it is no longer true that nothing was
    changed. What goes back waits, and takes its own intent up again.
    """
    said = (
        f"{refused.message} The program was not run; the note on {sanitize(step.service, 60)} that"
        f" it was begun could not be taken away: {why.message}"
    )
    if goes_back(step):
        return Unavailable(said, source="Cloud Run")
    return OperationFailed(said, remedy="Look again, then ask again.", source="Cloud Run")


def _who(intent: StageRecord) -> str:
    return sanitize(f"{intent.by}@{intent.host}", 100)
