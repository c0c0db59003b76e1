"""The stage record and the transitions it allows. An illegal one raises and changes nothing.

The record rides as an annotation on the service that carries the split, in the same guarded update
as the split itself: two people on two hosts see one truth, and of two changes one wins.
Stage 0 means "all traffic is on Legacy": before stage 1, or after all was rolled back.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from canary.rollout.errors import IllegalTransition, Malformed
from canary.rollout.measure.times import NotATime, read_time
from canary.rollout.plan.plan import Plan

RECORD_VERSION = 1

Move = Literal["promote", "step_back", "rollback_all", "adopt", "revert"]
"""The changes that move the record; scaling leaves it alone."""


class StageRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the rollout stands and who last moved it, in the annotation and in rollout.toml.

    `entered_at` is when the stage was entered (the soak counts from it), unix seconds UTC.
    `change` is the id of the change that wrote it; `previous_*` is where it came from. `moved_at`
    is when it was written, where that is not when the stage was entered (a revert). `revision` is
    Canary's at that moment, "" where it was not known. `beside`: what else is known of who `by` is,
    or claimed (`Author.beside`). `lost_s` are the seconds since `entered_at` in which another share
    was set: they are no soak.
    """

    stage: int
    percent: int
    entered_at: float
    by: str = ""
    host: str = ""
    change: str = ""
    move: str = ""
    reason: str = ""
    previous_stage: int | None = None
    previous_percent: int | None = None
    enabled: bool = True
    production_service: str = ""
    version: int = RECORD_VERSION
    moved_at: float | None = None
    revision: str = ""
    beside: str = ""
    lost_s: float = 0.0

    @property
    def written_at(self) -> float:
        """When the record was written, cloud time."""
        return self.entered_at if self.moved_at is None else self.moved_at


def encode_record(record: StageRecord) -> str:
    """The record as the annotation's text: compact JSON."""
    return msgspec.json.encode(record).decode()


def decode_record(text: str) -> StageRecord:
    """Read an annotation. Raises Malformed when it is not a record, or of a newer version.

    A record whose numbers no rollout could have (120 %, stage −1, milliseconds) is none.
    """
    try:
        record = msgspec.json.decode(text.encode(), type=StageRecord)
    except (msgspec.DecodeError, UnicodeEncodeError) as exc:
        raise _unreadable(str(exc)) from exc
    if not (0 <= record.percent <= 100 and record.stage >= 0 and record.entered_at >= 0):
        raise _unreadable(
            f"stage {record.stage}, {record.percent} %, since {record.entered_at:.0f}"
        )
    try:
        read_time(record.entered_at, None)
        read_time(record.written_at, None)
    except NotATime as exc:
        raise _unreadable(str(exc)) from exc
    if record.version > RECORD_VERSION:
        raise Malformed(
            f"The stage record is of version {record.version}; this console knows "
            f"{RECORD_VERSION}.",
            remedy="Use a newer console.",
            source="Cloud Run",
        )
    return record


def _unreadable(why: str) -> Malformed:
    return Malformed(
        f"The stage record on the service cannot be read: {why}.",
        remedy="Adopt the present split to write a new one.",
        source="Cloud Run",
    )


def next_stage(plan: Plan, stage: int) -> int | None:
    """The stage after `stage`; None after the last."""
    return stage + 1 if stage < len(plan.stages) else None


def infer_stage(plan: Plan, percent: int | None) -> int:
    """The highest stage whose share is not above `percent`; 0 when none is, or nothing is known."""
    if percent is None:
        return 0
    return max((i for i, s in enumerate(plan.stages, 1) if s.percent <= percent), default=0)


def find_plan_drift(plan: Plan, record: StageRecord) -> str:
    """What the present plan has where the record stands, if that is another share than recorded:
    the plan was edited since. "" when the two agree.

    A share that no stage has is adopted as the stage below it, and agrees from then on.
    """
    if not 0 <= record.stage <= len(plan.stages):
        return f"no stage {record.stage}"
    planned = plan.percent_of(record.stage)
    adopted = record.move == "adopt" and infer_stage(plan, record.percent) == record.stage
    return "" if record.percent == planned or adopted else f"{planned} % at stage {record.stage}"


def check_transition(plan: Plan, move: Move, at: int, to: int) -> None:
    """Raise IllegalTransition unless `move` may take the rollout from stage `at` to `to`.

    ==============  ======================================
    move            allowed
    ==============  ======================================
    promote         to = at + 1, at most the last stage
    step_back       1 ≤ to < at
    rollback_all    to = 0 (from anywhere, even 0)
    adopt, revert   to any stage, 0 included
    ==============  ======================================
    """
    last = len(plan.stages)
    allowed = {
        "promote": to == at + 1 and to <= last,
        "step_back": 1 <= to < at,
        "rollback_all": to == 0,
        "adopt": 0 <= to <= last,
        "revert": 0 <= to <= last,
    }[move]
    if not allowed:
        raise IllegalTransition(
            f"{move.replace('_', ' ').capitalize()} cannot go from stage {at} to stage {to}.",
            remedy=_transition_remedy(move, at, last),
        )


def _transition_remedy(move: Move, at: int, last: int) -> str:
    if move == "promote":
        return (
            f"Stage {last} is the last one."
            if at >= last
            else f"The next stage is {at + 1}; stages are entered one at a time."
        )
    if move == "step_back":
        return (
            "Below stage 1 there is only roll back all."
            if at <= 1
            else f"Choose a stage from 1 to {at - 1}."
        )
    return f"Choose a stage from 0 to {last}."


def soaked_hours(record: StageRecord, now: float) -> float:
    """Hours since the stage was entered, at its share; 0 when the record is from the future (clock
    skew).
    """
    return max(0.0, now - record.entered_at - max(0.0, record.lost_s)) / 3600.0
