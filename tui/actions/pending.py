"""A change built and pinned, waiting for its confirmation.

It is pinned to the guard (etag, share, revision) of the moment its strip opens. When the world is
another by the time a snapshot arrives, or by the time it is confirmed, it is dead: what
the person read is no longer what would happen.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from canary.rollout.change.change import Author, Change, Guard, Request
from canary.rollout.permit import permit
from canary.rollout.permit.approval import evidence_of, name_to_type
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_percent, sanitize


class Situation(msgspec.Struct, frozen=True):
    """What a wish is judged by: the plan, the newest snapshot, and the cloud's time now.

    `snapshot` is None until the engine has looked once.
    """

    plan: Plan
    snapshot: Snapshot | None
    read_only: bool
    now: float
    author: Author


class Pending(msgspec.Struct, frozen=True):
    """A change as data, what it was decided on, and what has to be typed for it.

    `typed_name` is the service whose name must be typed; "" when the confirming key is enough.
    `data_age_s` is how old the newest data was when the strip opened. `title` is the heading where
    the change's own does not say what it is for.
    """

    change: Change
    guard: Guard
    typed_name: str = ""
    title: str = ""
    data_age_s: float | None = None


def pin(situation: Situation, snapshot: Snapshot, change: Change) -> Pending:
    """Pin a change to the moment. `snapshot` must hold a standing: the change was built from it."""
    standing = snapshot.standing
    assert standing is not None  # noqa: S101 – a change cannot be built without one
    return Pending(
        change=change,
        guard=standing.guard,
        typed_name=name_to_type(situation.plan, change, standing.percent),
        data_age_s=age_now_s(snapshot, situation.now),
    )


def make_request(situation: Situation, snapshot: Snapshot, new_id: Callable[[], str]) -> Request:
    """What a change carries besides its target, from the situation."""
    return Request(
        id=new_id(),
        author=situation.author,
        now=situation.now,
        evidence=evidence_of(snapshot, situation.now),
        dry_run_shown=True,
    )


def age_now_s(snapshot: Snapshot, now: float) -> float | None:
    """Age of the newest data at `now`, not at the snapshot; None when there is none."""
    age_s = snapshot.data_age_s
    return None if age_s is None else age_s + max(0.0, now - snapshot.as_of)


def cause_of_death(pending: Pending, snapshot: Snapshot, *, read_only: bool) -> str | None:
    """Why a pending change may no longer be confirmed; None while it may.

    A cloud that has stopped answering kills nothing: the guard is checked again when the change is
    sent, and a rollback must not depend on what can be read.
    """
    standing = snapshot.standing
    if standing is not None and standing.guard.etag != pending.guard.etag:
        return _what_changed(pending, snapshot)
    return permit.why_not(pending.change.kind, snapshot, read_only)


def _what_changed(pending: Pending, snapshot: Snapshot) -> str:
    service = sanitize(pending.guard.service)
    before, after = pending.guard.percent, snapshot.traffic.canary_percent
    by = sanitize(snapshot.traffic.last_modifier, 60)
    who = f" by {by}" if by else ""
    if before != after:
        return (
            f"{service} was changed meanwhile{who}: the split is now {format_percent(after)},"
            f" it was {format_percent(before)}."
        )
    return f"{service} was changed meanwhile{who}; the split is still {format_percent(after)}."
