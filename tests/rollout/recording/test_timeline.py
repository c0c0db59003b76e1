"""What stood on the services has not ended because Cloud Run was away."""

from __future__ import annotations

from random import Random

import msgspec

from canary.rollout.recording.frames import Frame
from canary.rollout.recording.player import Recording
from canary.rollout.recording.timeline import read_timeline
from canary.rollout.snapshot.snapshot import Drift
from tests.rollout.build import NOW
from tests.rollout.recording.shown import frame_of, minute, record

DRIFT = Drift(recorded_percent=10, actual_percent=25, at=NOW, by="lead")


def shown(at: float, *, is_seen: bool = True, revision: str = "can-1") -> Frame:
    """A frame, `is_seen` False: before Cloud Run has answered."""
    samples = tuple(minute(NOW - 60 * n, Random(4)) for n in range(9, 2, -1))
    frame = frame_of(at, at, samples, samples)
    traffic, canary = frame.snapshot.traffic, frame.snapshot.canary
    traffic = msgspec.structs.replace(
        traffic, canary_percent=25 if is_seen else None, drift=DRIFT if is_seen else None
    )
    canary = msgspec.structs.replace(canary, revision=revision if is_seen else "")
    changed = msgspec.structs.replace(frame.snapshot, traffic=traffic, canary=canary)
    return frame._replace(snapshot=changed)


def told(*frames: Frame) -> list[str]:
    recording = Recording(record(frames))
    return [row.event for row in read_timeline(recording, recording.begin, recording.end)]


def test_a_start_in_which_cloud_run_has_not_answered_ends_nothing_on_the_services() -> None:
    said = told(shown(NOW), shown(NOW + 60, is_seen=False), shown(NOW + 120))
    assert not [s for s in said if "revision" in s or "drift" in s]


def test_what_became_another_meanwhile_is_told_when_it_is_seen() -> None:
    after = shown(NOW + 120, revision="can-2")
    said = told(shown(NOW), shown(NOW + 60, is_seen=False), after)
    assert [s for s in said if "revision" in s] == ["Canary's revision is can-2"]
    assert not [s for s in said if "drift" in s]
