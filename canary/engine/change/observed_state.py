"""What a service shows of a step that was sent to it.

A split is recognised by the id of its change, which rides in the stage record in the same guarded
update; a scale by its value.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from canary.cloud.views import ServiceState
from canary.engine.change.outcomes import describe_rival
from canary.rollout.change.change import Guard, KeepRecord, SetScale, SetTraffic, Step
from canary.rollout.errors import Conflict, OutcomeUnknown
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

Trace = Literal["there", "overtaken", "foreign", "absent"]
"""What the service shows of a step: it is as wanted; it was, and has been changed since; somebody
else's change is there instead, and the guard keeps ours out; nothing (yet)."""


def find_observed_state(step: Step, state: ServiceState, asked_at: float) -> Trace:
    """What `state` shows of `step`, which was asked for at `asked_at` (cloud time)."""
    if isinstance(step, SetScale):
        return "there" if state.scale == step.after else "absent"
    if isinstance(step, KeepRecord):
        return "there" if state.record == step.record else "absent"
    if not isinstance(step, SetTraffic):
        return "absent"  # what is to be deleted is still there
    record = state.record
    if record is not None and record.change == step.record.change:
        return "there" if state.percent == step.percent else "overtaken"
    if record is None and state.percent == step.percent != step.guard.percent:
        return "there"  # a server that keeps no annotations
    if any(entry.change == step.record.change for entry in state.history):
        return "overtaken"  # it was in effect, and others have moved the split since
    newer = record is not None and record.entered_at > asked_at
    if newer or state.percent not in (step.guard.percent, step.percent):
        return "foreign"
    return "absent"


# Whether a step may still be sent: the service is what the change was decided on.


def check_guard(guard: Guard, state: ServiceState) -> None:
    """Raise Conflict when the service is not what the change was decided on.

    What the guard does not know (an empty etag, a share of None) is not compared.
    """
    other_etag = guard.etag not in ("", state.etag)
    other_share = guard.percent is not None and guard.percent != state.percent
    if other_etag or other_share:
        raise foreign_change(state)


def follow_guard(guard: Guard, generation: int, after: ServiceState) -> Guard:
    """The guard for the split after an earlier step of the same change altered the same service.

    `generation` is the service's from just before that step, when `check_guard` had let it pass;
    `after` is read once the step is to be seen. Raises Conflict when anything but that one step
    has happened in between.
    """
    if after.generation - generation > 1:
        raise foreign_change(after)
    check_guard(msgspec.structs.replace(guard, etag=""), after)
    return msgspec.structs.replace(guard, etag=after.etag)


def check_resumable(step: Step, state: ServiceState, plan: Plan) -> None:
    """Raise unless a step that was sent, and shows no trace, may be sent once more.

    Only where the first sending can have no effect beside the second: both carry the etag that a
    split was decided on. A scale is told by its value alone (it may have been set and changed
    since), and a team's own program takes no guard. Raises OutcomeUnknown or Conflict.
    """
    guarded = plan.target.router.has_guard
    if not isinstance(step, SetTraffic) or not guarded or not step.guard.etag:
        raise OutcomeUnknown(
            "It was sent before, and nothing guards a second sending of it.",
            remedy="Look at what is set; abandon this change, and ask for a new one if needed.",
        )
    check_guard(msgspec.structs.replace(step.guard, etag=""), state)


def check_holds(step: SetTraffic, state: ServiceState, asked_at: float) -> None:
    """Raise Conflict unless the split that an earlier step of the same change set is still there.

    Asked before that which is only right under that split: Legacy must not be cut down to a backup
    when somebody has sent the requests back to it meanwhile.
    """
    trace = find_observed_state(step, state, asked_at)
    in_flux = state.reconciling and state.served_percent not in (None, step.percent)
    if trace != "there" or in_flux:
        raise foreign_change(state)


def foreign_change(state: ServiceState) -> Conflict:
    """Somebody else's change is there: who made it, as far as Cloud Run and the record tell."""
    return Conflict(
        f"{sanitize(state.name, 60)} was changed meanwhile: {describe_rival(state)}.",
        remedy="Look again, then ask again.",
    )
