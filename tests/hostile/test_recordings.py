"""A recording's file as somebody else has left it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from canary.cli.recordings import read_recording
from canary.rollout.errors import RecordError
from tests.hostile.other import OTHER_UID, needs_root


@needs_root
def test_a_pipe_of_somebody_else_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "week.recording"
    os.mkfifo(path, 0o666)
    os.chown(path, OTHER_UID, OTHER_UID)
    with pytest.raises(RecordError, match="pipe of somebody else"):
        read_recording(str(path))


@pytest.mark.parametrize("name", ["/dev/zero", "/", "/dev/null", "/dev/ptmx"])
def test_what_is_no_recording_is_one_sentence(name: str) -> None:
    with pytest.raises(RecordError):
        read_recording(name)
