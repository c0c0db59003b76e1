"""What a service shows of a step that was sent to it.

A split is recognised by the id of its change, which rides in the stage record in the same guarded
update; a scale by its value.
"""

from __future__ import annotations

from typing import Literal

from canary.cloud.views import ServiceState
from canary.rollout.change import KeepRecord, SetScale, SetTraffic, Step

Trace = Literal["there", "overtaken", "foreign", "absent"]
"""What the service shows of a step: it is as wanted; it was, and has been changed since; somebody
else's change is there instead, and the guard keeps ours out; nothing (yet)."""


def find_trace(step: Step, state: ServiceState, asked_at: float) -> Trace:
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
    if any(deed.change == step.record.change for deed in state.history):
        return "overtaken"  # it was in effect, and others have moved the split since
    newer = record is not None and record.entered_at > asked_at
    if newer or state.percent not in (step.guard.percent, step.percent):
        return "foreign"
    return "absent"
