"""Retiring Legacy: the calendar from the last stage's entry, and what forbids a deletion now. Pure.

Day 1 is the first 24 hours after Canary became production. That Legacy takes no requests must have
been measured: a Legacy that reports nothing at all may be idle, or its metrics may be away.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET

from canary.rollout.change.change import (
    Basis,
    Change,
    DeleteImages,
    DeleteService,
    KeepRecord,
    Request,
    Step,
)
from canary.rollout.errors import UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.routing import routing_digest
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import format_count, format_duration

DAY_S: Final = 86_400.0
DELETE_FROM_DAY: Final = 31
COVERED: Final = 0.8
"""The part of the window in which Legacy must have reported for its zero to count."""

ReasonId = Literal["stage", "day", "share", "requests"]


class Phase(msgspec.Struct, frozen=True):
    """Some days of the calendar. `last_day` None: without end."""

    first_day: int
    last_day: int | None
    meaning: str

    def holds(self, day: int) -> bool:
        """Whether a day lies in it."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


PHASES: Final = (
    Phase(1, 7, "Legacy is the backup, ready for an emergency rollback"),
    Phase(8, 30, "prepare to switch Legacy off"),
    Phase(DELETE_FROM_DAY, None, "delete Legacy and its container images"),
)


class Calendar(msgspec.Struct, frozen=True):
    """Where a moment stands in the calendar.

    `began_at` is when the last stage was entered, `day` the day of the moment (1…); both None when
    Canary is not production. `delete_at` is when day 31 begins.
    """

    began_at: float | None = None
    day: int | None = None

    @property
    def delete_at(self) -> float | None:
        """Unix seconds from which Legacy may be deleted."""
        return None if self.began_at is None else self.day_start(DELETE_FROM_DAY)

    def day_start(self, day: int) -> float:
        """When a day begins. Raises ValueError when Canary is not production."""
        if self.began_at is None:
            raise ValueError("the calendar has not begun")
        return self.began_at + (day - 1) * DAY_S


class Reason(msgspec.Struct, frozen=True):
    """Why Legacy must not be deleted now: what is so, and what to do."""

    id: ReasonId
    text: str
    remedy: str


class Candidate(msgspec.Struct, frozen=True):
    """What a retirement would delete.

    `images` are Legacy's alone; `kept` are Legacy's that others run, too, and `elsewhere` those in
    registries that are not asked.
    """

    service: str
    etag: str
    images: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def calendar(plan: Plan, snapshot: Snapshot) -> Calendar:
    """The calendar at the snapshot's moment, from the stage record."""
    record = snapshot.traffic.record
    if record is None or record.stage != len(plan.stages):
        return Calendar()
    elapsed_s = max(0.0, snapshot.as_of - record.entered_at)
    return Calendar(record.entered_at, int(elapsed_s // DAY_S) + 1)


def find_reasons(plan: Plan, snapshot: Snapshot) -> tuple[Reason, ...]:
    """Every reason against deleting Legacy now; empty when it may go."""
    found = (_check_day(plan, snapshot), _check_share(snapshot), _check_requests(plan, snapshot))
    return tuple(reason for reason in found if reason is not None)


def check_retirable(plan: Plan) -> None:
    """Raise UsageError where Legacy is no service of its own: nothing could be forced there."""
    if plan.target.shares_one_service or plan.target.legacy == plan.target.canary:
        raise UsageError(
            "Both sides are revisions of one service: there is no Legacy service to delete.",
            remedy="Delete the old revisions in Cloud Run.",
        )


def retire(plan: Plan, candidate: Candidate, snapshot: Snapshot, request: Request) -> Change:
    """Delete Legacy, then its images. The reasons against it ride in the evidence as its gates.

    A record that rides on Legacy is written on Canary first, so that it outlives its holder.
    """
    check_retirable(plan)
    steps: tuple[Step, ...] = (
        *_save_record(plan, snapshot, request),
        DeleteService(candidate.service, candidate.etag, snapshot.traffic.canary_percent),
    )
    if candidate.images:
        steps += (DeleteImages(candidate.service, candidate.images),)
    against = tuple(reason.id for reason in find_reasons(plan, snapshot))
    return Change(
        id=request.id,
        kind="retire",
        rollout=plan.name,
        steps=steps,
        author=request.author,
        created_at=request.now,
        reason=request.reason,
        forced=request.forced,
        evidence=msgspec.structs.replace(request.evidence, gates_unmet=against),
        dry_run_shown=request.dry_run_shown,
        routing=routing_digest(plan),
        basis=UNSET if snapshot.traffic.guard is None else Basis(snapshot.traffic.guard, idle=True),
    )


def _save_record(plan: Plan, snapshot: Snapshot, request: Request) -> tuple[KeepRecord, ...]:
    record = snapshot.traffic.record
    if record is None or plan.router_service != plan.target.legacy:
        return ()
    kept = msgspec.structs.replace(
        record,
        by=request.author.user,
        host=request.author.host,
        beside=request.author.beside,
        change=request.id,
        move="retire",
        reason=request.reason,
    )
    return (KeepRecord(plan.target.canary, kept),)


def _check_day(plan: Plan, snapshot: Snapshot) -> Reason | None:
    at = calendar(plan, snapshot)
    if at.day is None:
        last = len(plan.stages)
        return Reason(
            "stage",
            f"Canary is not production: the record does not say stage {last}.",
            f"Promote into stage {last}; the calendar begins there.",
        )
    if at.day >= DELETE_FROM_DAY:
        return None
    left_s = at.day_start(DELETE_FROM_DAY) - snapshot.as_of
    return Reason(
        "day",
        f"It is day {at.day}; Legacy may be deleted from day {DELETE_FROM_DAY} on.",
        f"Wait for another {format_duration(left_s)}.",
    )


def _check_share(snapshot: Snapshot) -> Reason | None:
    percent, served = snapshot.traffic.canary_percent, snapshot.traffic.served_percent
    shares = {percent, *(() if served is None else (served,))}
    if shares == {100} and not snapshot.traffic.reconciling:
        return None
    if percent is None:
        return Reason("share", "Legacy's share is not known.", "See `canary status`.")
    if percent == 100:
        return Reason("share", "The split is still settling.", "Wait until it has settled.")
    return Reason("share", f"Legacy's share is {100 - percent} %.", "Promote to 100 % first.")


def _check_requests(plan: Plan, snapshot: Snapshot) -> Reason | None:
    """Zero is believed when Legacy reports and has no requests, while Canary's are seen beside it.

    Both sides' requests are read in one query: that Canary's are there shows that it was answered.
    """
    legacy = snapshot.legacy
    window = legacy.criteria_window
    spoken = format_duration(window.end - window.start)
    if window.requests:
        return Reason(
            "requests",
            f"Legacy took {format_count(window.requests)} requests in the last {spoken}.",
            "Find who still calls it, by its request log.",
        )
    age_s = snapshot.as_of - window.end
    reported = _covered(legacy) >= COVERED and age_s <= plan.metrics.stale_after_s
    if reported and snapshot.canary.criteria_window.requests:
        return None
    return Reason(
        "requests",
        "Whether Legacy takes requests is not known: no data is not zero.",
        "Let it keep one instance, so that it reports (`canary scale legacy --min 1`), and ask"
        f" again in {format_duration(plan.metrics.criteria_window_minutes * 60)}.",
    )


def _covered(side: SideView) -> float:
    """The part of the criteria window in which the side reported anything, 0…1."""
    window = side.criteria_window
    length_s = window.end - window.start
    if length_s <= 0:
        return 0.0
    reported_s = sum(
        sample.end - sample.start
        for sample in side.samples
        if sample.start >= window.start
        and sample.end <= window.end
        and (sample.instances is not None or sample.responses is not None)
    )
    return reported_s / length_s
