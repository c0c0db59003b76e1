"""When a change was made: when it is sent, however long its question stood open. Pure.

The soak of a stage, and day 1 of the retirement, count from the record's time.
"""

from __future__ import annotations

import msgspec

from canary.rollout.change.change import GOING_BACK, Change, SetTraffic, Step
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_duration


def date_step(step: Step, now: float) -> Step:
    """The step as it is sent at `now` (cloud time): its record begins then."""
    if not isinstance(step, SetTraffic):
        return step
    return msgspec.structs.replace(step, record=_date_record(step.record, now))


def date_change(change: Change, now: float) -> Change:
    """The change as it was confirmed at `now`; what it rests on stays as it was shown."""
    steps = tuple(date_step(step, now) for step in change.steps)
    return msgspec.structs.replace(change, created_at=now, steps=steps)


def _date_record(record: StageRecord, now: float) -> StageRecord:
    """A revert goes on with the soak of the stage that it returns to, less the time until then."""
    if record.moved_at is not None:
        lost_s = record.lost_s + max(0.0, now - record.moved_at)
        return msgspec.structs.replace(record, moved_at=now, lost_s=lost_s)
    return msgspec.structs.replace(record, entered_at=now)


def why_expired(change: Change, plan: Plan, now: float, speed: float = 1.0) -> str | None:
    """Why a question may not be answered with yes any more; None while it may.

    It rests on the numbers of when it was asked (`created_at`), which grow old as all numbers do:
    after `metrics.stale_after_s` seconds of the person's time, of which the cloud's clock makes
    `speed` times as many. Going back rests on no numbers, and never expires.
    """
    if change.kind in GOING_BACK:
        return None
    open_s = (now - change.created_at) / max(1.0, speed)
    if open_s <= plan.metrics.stale_after_s:
        return None
    return (
        f"This was asked {format_duration(open_s)} ago, and the numbers below it are of then:"
        " look again, then ask again."
    )
