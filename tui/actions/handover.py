"""The handover of a shift, written beside the screen: reading a shift takes a moment."""

from __future__ import annotations

from collections.abc import Callable

from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.handover import SHIFT_S, make_handover
from canary.rollout.recording.player import Recording
from canary.rollout.recording.timeline import read_timeline
from canary.rollout.recording.timeline_changes import Row
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import JobsView


def write_handover(
    snapshot: Snapshot,
    plan: Plan,
    now: float,
    jobs: JobsView,
    open_past: Callable[[], Recording],
) -> str:
    """The Markdown at `now` (cloud time); without a recording it says that the shift is not known.

    Any thread may call.
    """
    rows: list[Row] = []
    unrecorded = ""
    try:
        recording = open_past()
        rows = read_timeline(recording, now - SHIFT_S, now)
        recording.close()
    except RecordError as error:
        unrecorded = str(error)
    return make_handover(
        snapshot, plan, rows, now=now, since=now - SHIFT_S, jobs=jobs, unrecorded=unrecorded
    )
