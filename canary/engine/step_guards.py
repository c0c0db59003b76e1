"""Whether a step may still be sent: the service is what the change was decided on."""

from __future__ import annotations

import msgspec

from canary.cloud.views import ServiceState
from canary.engine.outcomes import say_rival
from canary.engine.traces import find_trace
from canary.rollout.change import Guard, SetTraffic, Step
from canary.rollout.errors import Conflict, OutcomeUnknown
from canary.rollout.plan import Plan
from canary.rollout.words import plain


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
    by_program = plan.target.router.kind == "command"
    if not isinstance(step, SetTraffic) or by_program or not step.guard.etag:
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
    trace = find_trace(step, state, asked_at)
    in_flux = state.reconciling and state.served_percent not in (None, step.percent)
    if trace != "there" or in_flux:
        raise foreign_change(state)


def foreign_change(state: ServiceState) -> Conflict:
    """Somebody else's change is there: who made it, as far as Cloud Run and the record tell."""
    return Conflict(
        f"{plain(state.name, 60)} was changed meanwhile: {say_rival(state)}.",
        remedy="Look again, then ask again.",
    )
