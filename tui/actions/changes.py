"""The wishes that change the cloud: name of the action → a pending change, or why not.

A pending change is pinned to the guard (etag, share, revision) of the moment its strip opens. When
the world is another by the time a snapshot arrives, or by the time it is confirmed, it is dead:
what the person read is no longer what would happen.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TypeVar, get_args

import msgspec

from canary.rollout.change import moves
from canary.rollout.change.change import (
    Author,
    Change,
    Guard,
    Kind,
    Request,
    Side,
    Standing,
    goes_on,
)
from canary.rollout.change.hold import split_until
from canary.rollout.change.timing import why_expired
from canary.rollout.errors import CanaryError, GateNotMet, UsageError
from canary.rollout.permit import permit
from canary.rollout.permit.approval import evidence_of, name_to_type
from canary.rollout.permit.standstill import why_held
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_percent, sanitize
from widgets.bars.header import data_age_s


def new_id() -> str:
    """A new change's identity."""
    return uuid.uuid4().hex


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
        typed_name=name_to_type(
            situation.plan, change, standing.percent, snapshot.irreversible, standing.served
        ),
        data_age_s=data_age_s(snapshot, situation.now),
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


def cause_of_death(
    pending: Pending, snapshot: Snapshot, plan: Plan, now: float, *, read_only: bool
) -> str | None:
    """Why a pending change may no longer be confirmed at `now`; None while it may.

    A cloud that has stopped answering kills nothing: the guard is checked again when the change is
    sent, and a rollback must not depend on what can be read.
    """
    standing = snapshot.standing
    kind = pending.change.kind
    if standing is not None and not permit.holds(kind, pending.guard, standing.guard):
        held = snapshot.hold is not None and goes_on(pending.change)
        return why_held(snapshot) if held else _what_changed(pending, snapshot)
    expired = why_expired(pending.change, plan, now, snapshot.speed)
    return expired or permit.why_not_change(pending.change, snapshot, read_only)


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


COMPLETE = "Complete the final approval"


def is_half_way(situation: Situation) -> bool:
    """Whether Canary is production, and a scale that belongs to it is missing."""
    snapshot = situation.snapshot
    if snapshot is None or snapshot.standing is None:
        return False
    request = Request("", situation.author, situation.now)
    try:
        moves.complete_approval(situation.plan, snapshot.standing, request)
    except CanaryError:
        return False
    return True


def prepare_completion(situation: Situation, new_id: Callable[[], str]) -> Pending:
    """What is missing of a final approval, as a change. Raises CanaryError when it may not be."""
    snapshot = situation.snapshot
    reason = permit.why_not_completed(snapshot, situation.read_only)
    if reason is not None or snapshot is None or snapshot.standing is None:
        raise GateNotMet(reason or "Cloud Run has not answered yet.")
    request = make_request(situation, snapshot, new_id)
    change = moves.complete_approval(situation.plan, snapshot.standing, request)
    return msgspec.structs.replace(pin(situation, snapshot, change), title=COMPLETE)


KINDS: dict[str, Kind] = {
    "promote": "promote",
    "step_back": "step_back",
    "rollback_all": "rollback_all",
    "adopt": "adopt",
    "revert": "revert",
    "scale": "scale",
    "hold": "hold",
    "note": "note",
}
"""Actions that change the cloud → the kind of change they ask for."""

NOT_LOOKED: str = "Cloud Run has not answered yet: nothing can be changed until it has."


def why_not(action: str, situation: Situation) -> str | None:
    """Why an action can do nothing now; None when it can. Actions that only look always can."""
    if action.startswith("stage_"):
        return _why_not_stage(int(action.removeprefix("stage_")), situation)
    kind = KINDS.get(action)
    if kind is None:
        return None
    if situation.snapshot is None:
        return NOT_LOOKED
    if action == "promote" and is_half_way(situation):
        return permit.why_not_completed(situation.snapshot, situation.read_only)
    return permit.why_not(kind, situation.snapshot, situation.read_only)


def prepare(action: str, situation: Situation, new_id: Callable[[], str]) -> Pending:
    """Build the change of an action that moves the split (`stage_N` included).

    Raises CanaryError with the reason when it is not permitted or not possible.
    """
    reason = why_not(action, situation)
    snapshot = situation.snapshot
    if reason is not None or snapshot is None or snapshot.standing is None:
        raise GateNotMet(reason or NOT_LOOKED)
    if action == "promote" and is_half_way(situation):
        return prepare_completion(situation, new_id)
    request = make_request(situation, snapshot, new_id)
    change = _build(action, situation, snapshot.standing, request)
    return pin(situation, snapshot, change)


def _build(action: str, situation: Situation, standing: Standing, request: Request) -> Change:
    plan = situation.plan
    if action.startswith("stage_"):
        target = int(action.removeprefix("stage_"))
        if target == standing.stage + 1:
            return moves.promote(plan, standing, request)
        return moves.step_back(plan, standing, request, target)
    match KINDS[action]:
        case "promote":
            return moves.promote(plan, standing, request)
        case "step_back":
            return moves.step_back(plan, standing, request)
        case "rollback_all":
            return moves.rollback_all(plan, standing, request)
        case "adopt":
            return moves.adopt(plan, standing, request)
        case "revert":
            return moves.revert(plan, standing, request)
        case kind:
            raise AssertionError(f"{kind} does not move the split")


def _why_not_stage(target: int, situation: Situation) -> str | None:
    snapshot: Snapshot | None = situation.snapshot
    if snapshot is None or snapshot.standing is None:
        return NOT_LOOKED
    at = snapshot.standing.stage
    if target == at:
        return f"The rollout is at stage {target} already."
    if target > at + 1:
        return f"Stage {target} is entered from stage {target - 1}: the next one is {at + 1}."
    kind: Kind = "promote" if target == at + 1 else "step_back"
    return permit.why_not(kind, snapshot, situation.read_only)


def prepare_hold(text: str, situation: Situation, new_id: Callable[[], str]) -> Pending:
    """The hold that was typed, as "09:00 the database moves". Raises CanaryError as the others."""
    snapshot, request = _annotating("hold", situation, new_id)
    until, reason = split_until(text, situation.now)
    request = msgspec.structs.replace(request, reason=reason)
    assert snapshot.standing is not None  # noqa: S101 - asked before
    change = moves.hold(situation.plan, snapshot.standing, request, until)
    return pin(situation, snapshot, change)


def prepare_note(text: str, situation: Situation, new_id: Callable[[], str]) -> Pending:
    """A mark of this moment, with what was typed. Raises CanaryError as the others."""
    snapshot, request = _annotating("note", situation, new_id)
    assert snapshot.standing is not None  # noqa: S101 - asked before
    change = moves.note(situation.plan, snapshot.standing, request, text.strip())
    return pin(situation, snapshot, change)


def prepare_release(situation: Situation, new_id: Callable[[], str]) -> Pending:
    """The end of the hold. Raises CanaryError as the others."""
    snapshot, request = _annotating("release", situation, new_id)
    assert snapshot.standing is not None  # noqa: S101 - asked before
    change = moves.release(situation.plan, snapshot.standing, request)
    return pin(situation, snapshot, change)


def _annotating(
    kind: Kind, situation: Situation, new_id: Callable[[], str]
) -> tuple[Snapshot, Request]:
    snapshot = situation.snapshot
    reason = permit.why_not(kind, snapshot, situation.read_only)
    if reason is not None or snapshot is None or snapshot.standing is None:
        raise GateNotMet(reason or NOT_LOOKED)
    return snapshot, make_request(situation, snapshot, new_id)


_Name = TypeVar("_Name", bound=str)

SIDES: tuple[Side, ...] = get_args(Side)


def parse_scale(text: str, plan: Plan) -> tuple[Side, ScalePreset]:
    """Read "SIDE MIN MAX" or "SIDE PRESET"; a side may be shortened to its first letter.

    Raises UsageError saying what was expected.
    """
    parts = text.lower().replace("–", " ").replace("…", " ").split()
    presets = {"backup": plan.scale.backup, "production": plan.scale.production}
    side = _named(parts[0], SIDES) if parts else None
    if side is None:
        raise UsageError(f"{sanitize(text, 40)!r} does not begin with a side.", remedy=_EXPECTED)
    if len(parts) == 2 and (preset := _named(parts[1], tuple(presets))) is not None:
        return side, presets[preset]
    if len(parts) == 3 and all(p.isascii() and p.isdigit() and len(p) < 6 for p in parts[1:]):
        return side, ScalePreset(int(parts[1]), int(parts[2]))
    raise UsageError(f"{sanitize(text, 40)!r} is not a scale.", remedy=_EXPECTED)


_EXPECTED = 'Write "canary 2 8" or "legacy backup" (presets: backup, production).'


def prepare_scale(text: str, situation: Situation, new_id: Callable[[], str]) -> Pending:
    """The pending change for what was typed. Raises CanaryError when it cannot be."""
    reason = why_not("scale", situation)
    snapshot = situation.snapshot
    if reason is not None or snapshot is None or snapshot.standing is None:
        raise GateNotMet(reason or NOT_LOOKED)
    side, after = parse_scale(text, situation.plan)
    request = make_request(situation, snapshot, new_id)
    change = moves.scale(situation.plan, snapshot.standing, request, side, after)
    return pin(situation, snapshot, change)


def _named(text: str, names: tuple[_Name, ...]) -> _Name | None:
    return next((name for name in names if name.startswith(text)), None)
