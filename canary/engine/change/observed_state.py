"""What a service shows of a step that was sent to it, and whether a step may still be sent.

A split is recognised by the id of its change, which rides in the stage record in the same guarded
update; a scale by its value.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

import msgspec

from canary.cloud.views import ServiceState
from canary.engine.change.outcomes import describe_rival
from canary.rollout.change.change import (
    Annotate,
    DeleteImages,
    DeleteService,
    Guard,
    KeepRecord,
    SetScale,
    SetTraffic,
    Step,
)
from canary.rollout.errors import Conflict, OutcomeUnknown
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_percent, sanitize
from canary.store.entries import Entry


class ServiceReader(Protocol):
    """What is read of Cloud Run (`cloud.router.router.Router`)."""

    async def service(self, name: str) -> ServiceState:
        """Read one service. Raises CanaryError."""


ObservedState = Literal["there", "overtaken", "foreign", "absent"]
"""What the service shows of a step: it is as wanted; it was, and has been changed since; somebody
else's change is there instead, and the guard keeps ours out; nothing (yet)."""


def find_observed_state(step: Step, state: ServiceState, asked_at: float) -> ObservedState:
    """What `state` shows of `step`, which was asked for at `asked_at` (cloud time)."""
    if isinstance(step, SetScale):
        # What it is set to: a template's own limits may let less of it run.
        return "there" if step.after in (state.limits, state.scale) else "absent"
    if isinstance(step, KeepRecord):
        return "there" if state.record == step.record else "absent"
    if isinstance(step, Annotate):
        return _find_annotation(step, state)
    if not isinstance(step, SetTraffic):
        return "absent"  # what is to be deleted is still there
    record = state.record
    if record is not None and record.change == step.record.change:
        return "there" if state.percent == step.percent else "overtaken"
    if record is None and state.percent == step.percent != step.guard.percent:
        return "there"  # a server that keeps no annotations
    if any(entry.change == step.record.change for entry in state.history):
        return "overtaken"  # it was in effect, and others have moved the split since
    newer = record is not None and record.written_at > asked_at
    # A share that cannot be read is nobody's.
    if newer or state.percent not in (None, step.guard.percent, step.percent):
        return "foreign"
    return "absent"


def _find_annotation(step: Annotate, state: ServiceState) -> ObservedState:
    """By the id of the change that wrote what is there."""
    if step.topic == "marks":
        return "there" if any(m.change == step.change for m in state.marks) else "absent"
    writer = state.writer_of(step.topic)
    if writer == step.change:
        return "there"
    return "absent" if writer == step.before else "foreign"


def is_served(step: Step, state: ServiceState) -> bool:
    """Whether what a step set is what serves, as far as the router tells; scales and records are.

    All on Legacy is served only when nothing else has traffic either. A share that cannot be told
    (`split_trouble`) is not served: nobody knows.
    """
    if not isinstance(step, SetTraffic):
        return True
    if state.split_trouble or state.served_percent not in (None, step.percent):
        return False
    return step.percent != 0 or not state.others or step.record.move == "adopt"


def format_not_served(state: ServiceState) -> str:
    """What serves instead of what is set, and why, as far as is known."""
    why = state.split_trouble
    if not why and state.served_percent is not None:
        why = f"Canary is served {format_percent(state.served_percent)}."
    if state.pinned:
        why += f" Traffic is pinned to {', '.join(state.pinned)}."
    for other in state.others:
        why += f" {other.name} has {format_percent(other.percent)}, and is neither side."
    return sanitize(why.strip(), 400)


# Whether a step may still be sent: the service is what the change was decided on.


def check_guard(guard: Guard, state: ServiceState) -> None:
    """Raise Conflict when the service is not what the change was decided on.

    What the guard does not know (an empty etag, a share of None) is not compared.
    """
    other_etag = guard.etag not in ("", state.etag)
    other_share = guard.percent is not None and guard.percent != state.percent
    if other_etag or other_share:
        raise foreign_change(state)


def check_split(step: SetTraffic, state: ServiceState) -> None:
    """Raise Conflict unless share and record are what a step back was decided on.

    What is set or serves may not be raised by the step, whether it was known then or not.
    """
    guard, percent = step.guard, step.guard.percent
    raised = gives_more(step, state)
    record = state.record.change if state.record is not None else ""
    known = guard.record is not msgspec.UNSET
    decided_anew = known and record not in (guard.record, step.record.change)
    if raised or decided_anew or percent not in (None, state.percent):
        raise foreign_change(state)


def gives_more(step: SetTraffic, state: ServiceState) -> bool:
    """Whether a step would give Canary more than is set, or than really serves, as far as that is
    known: a revision that traffic was bound to meanwhile may serve less than is set.
    """
    known = [share for share in (state.percent, state.served_percent) if share is not None]
    return any(share < step.percent for share in known)


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
    split or a deletion was decided on. A scale is told by its value alone (it may have been set
    and changed since), and a team's own program takes no guard. Raises OutcomeUnknown or Conflict.
    """
    if isinstance(step, Annotate):
        if find_observed_state(step, state, 0.0) == "foreign":
            raise foreign_change(state)
        return  # written twice by one change, it is written once
    if isinstance(step, KeepRecord | DeleteImages):
        return  # the same record, and images that are gone: twice does no harm
    if isinstance(step, DeleteService) and step.etag:
        if step.etag != state.etag:
            raise foreign_change(state)
        return
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
    observed = find_observed_state(step, state, asked_at)
    if observed != "there" or not is_served(step, state):
        raise foreign_change(state)


def foreign_change(state: ServiceState) -> Conflict:
    """Somebody else's change is there: who made it, as far as Cloud Run and the record tell."""
    return Conflict(
        f"{sanitize(state.name, 60)} was changed meanwhile: {describe_rival(state)}.",
        remedy="Look again, then ask again.",
    )


def check_share(step: DeleteService, state: ServiceState) -> None:
    """Raise Conflict when the split is not what the deletion was decided on."""
    served = state.served_percent
    if state.percent != step.percent or served not in (None, step.percent) or state.others:
        now = format_percent(state.percent if state.percent != step.percent else served)
        raise Conflict(
            f"Canary's share is {now} now; the deletion was decided at"
            f" {format_percent(step.percent)}.",
            remedy="Look again, then ask again.",
        )


# A step as it is sent: guarded by what the steps before it in the same change have led to.


class Preparation:
    """Prepares the steps of one change, of which `entry` may hold notes of an earlier process."""

    def __init__(self, entry: Entry, plan: Plan, reader: ServiceReader) -> None:
        self._change = entry.change
        self._plan = plan
        self._reader = reader
        self._generation: int | None = _noted_generation(entry)
        """The split's service's, just before a step of this change that alters it too."""
        self._renewed = False

    def renew(self) -> None:
        """From now on go by the split alone that the change was decided on: for what goes back, and
        was kept out by a touch of something else (`retries`).
        """
        self._renewed = True

    def follow(self, step: Step, before: ServiceState) -> None:
        """A service was just scaled for this change: if it carries the split, and was as it was
        when that was decided (`before` the scale), the guard goes along.
        """
        same = isinstance(step, SetTraffic) and before.etag == step.guard.etag
        if same and before.name == step.service:
            self._generation = before.generation

    async def prepare(self, index: int, step: Step) -> tuple[Step, str]:
        """The step as it is to be sent, and what to note of the service before it.

        Leaving production with router `env` both scales Legacy and sets its variable: the first
        step gives the service a new etag. So the guard is checked before it, and moved behind it.
        A scale behind the split (final approval) is sent only while that split holds.
        """
        if isinstance(step, SetScale):
            await self._check_split_ahead(index)
            behind = self._change.steps[index + 1 :]
            split = next((s for s in behind if isinstance(s, SetTraffic)), None)
            if split is None or split.service != step.service:
                return step, ""
            state = await self._reader.service(split.service)
            if self._renewed:
                check_split(split, state)
            else:
                check_guard(split.guard, state)
            self._generation = state.generation
            return step, f"{_GENERATION}{state.generation}"
        if isinstance(step, DeleteService):
            check_share(step, await self._reader.service(self._plan.router_service))
        if not isinstance(step, SetTraffic):
            return step, ""
        if self._renewed:
            return await self._renew_guard(step), ""
        if self._generation is None or not self._plan.target.router.is_guarded_by_service:
            return step, ""  # a URL map's fingerprint is not touched by any service
        after = await self._reader.service(step.service)
        guard = follow_guard(step.guard, self._generation, after)
        return msgspec.structs.replace(step, guard=guard), ""

    async def _renew_guard(self, step: SetTraffic) -> SetTraffic:
        """The same split, under the etag as it is now. Where the share is known, the router
        compares it with what it reads itself: nobody's touch in between costs a try.
        """
        if step.guard.percent is not None:
            guard = msgspec.structs.replace(step.guard, etag="")
            return msgspec.structs.replace(step, guard=guard)
        state = await self._reader.service(step.service)
        check_split(step, state)
        guard = msgspec.structs.replace(step.guard, etag=state.etag, percent=state.percent)
        return msgspec.structs.replace(step, guard=guard)

    async def _check_split_ahead(self, index: int) -> None:
        ahead = self._change.steps[:index]
        split = next((s for s in ahead if isinstance(s, SetTraffic)), None)
        if split is not None:
            state = await self._reader.service(split.service)
            check_holds(split, state, self._change.created_at)


_GENERATION: Final = "generation "


def _noted_generation(entry: Entry) -> int | None:
    """What an earlier process noted of the service before a step that alters it."""
    for note in entry.notes:
        number = note.detail.removeprefix(_GENERATION)
        if note.state == "sent" and number != note.detail and number.isdecimal():
            return int(number)
    return None
