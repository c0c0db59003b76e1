"""What was recorded on this host, for the commands that read it: nothing is asked of a cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canary.rollout.plan.plan import Plan

if TYPE_CHECKING:
    from canary.rollout.recording.player import Recording, Shown
    from canary.store.recording import RecordingFile


def open_file(plan: Plan) -> RecordingFile:
    """The file of a plan's rollout, to be read."""
    from canary.store.paths import recording_path, state_dir
    from canary.store.recording import RecordingFile

    return RecordingFile(recording_path(state_dir(plan)), read_only=True)


def open_recording(plan: Plan) -> Recording:
    """The recording of a plan's rollout. Raises RecordError where there is none."""
    from canary.rollout.recording.player import Recording

    return Recording(open_file(plan))


def read_recording(path: str) -> tuple[Recording, Plan]:
    """The recording in a file that was exported, and its newest plan. Raises RecordError."""
    from canary.host.home import expand_home
    from canary.rollout.errors import RecordError
    from canary.rollout.plan.file import read_at_most
    from canary.rollout.recording.file import MOST_FILE, read_bundle
    from canary.rollout.recording.player import Recording
    from canary.rollout.text import sanitize

    name = sanitize(path, 200)
    try:
        data, _ = read_at_most(expand_home(path, "FILE"), MOST_FILE + 1)
    except OSError as error:
        raise RecordError(f"{name} cannot be read: {error.strerror or error}.") from error
    if len(data) > MOST_FILE:
        raise RecordError(f"{name} is larger than any recording.")
    source = read_bundle(data, name)
    return Recording(source), source.plan()


def read_at(recording: Recording, at: str | None) -> float | None:
    """The moment that was typed, unix seconds; a length counts from the recording's end. None for
    none. Raises UsageError.
    """
    from canary.rollout.recording.playback import read_moment

    return None if at is None else read_moment(at, recording.end, recording.end)


def shown_at(plan: Plan, at: str) -> tuple[Shown, float]:
    """What was shown at a moment that was typed, and that moment. Raises RecordError where nothing
    was recorded by then, and UsageError.
    """
    from canary.rollout.errors import RecordError
    from canary.rollout.text import format_timestamp

    recording = open_recording(plan)
    moment = read_at(recording, at)
    assert moment is not None  # noqa: S101 - a text was given
    if not recording.begin <= moment:
        raise RecordError(
            f"Nothing was recorded by {format_timestamp(moment)}.",
            remedy=f"The recording begins at {format_timestamp(recording.begin)}.",
        )
    return recording.read(recording.find(moment)), moment
