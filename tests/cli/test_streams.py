"""What cannot be said ends nothing that is being done, and is never a mistake of this program."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from canary.cli.output import Acting, Forgiving
from tests.cli.commands import ROOT, Cloud, environment
from tests.forked import begin_command

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")


def run_into_full(
    arguments: list[str], state: Path, *, both: bool = False, from_the_start: bool = False
) -> tuple[int, str]:
    """The command with a standard output, or both, that have no room: its code, and errors."""
    with (
        FULL.open("w") as full,
        Path(os.devnull).open() as nothing,
        TemporaryFile("w+", encoding="utf-8") as errors,
    ):
        streams = (nothing.fileno(), full.fileno(), (full if both else errors).fileno())
        if from_the_start:
            command = [sys.executable, "-m", "canary.cli.main", *arguments]
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(state),
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
            )
            code = process.wait(60)
        else:
            code = begin_command(arguments, ROOT, environment(state), streams).wait(60)
        errors.seek(0)
        return code, errors.read()


def test_what_a_reader_misses_is_one_sentence_and_3(tmp_path: Path) -> None:
    said = "canary: Standard output could not be written: No space left on device.\n"
    assert run_into_full(["--help"], tmp_path, from_the_start=True) == (3, said)


def test_with_nowhere_left_to_say_it_the_exit_code_still_does(tmp_path: Path) -> None:
    code, _ = run_into_full(["rolback"], tmp_path, both=True, from_the_start=True)
    assert code == 2


def test_the_exit_code_of_a_change_is_the_changes(tmp_path: Path, healthy_cloud: Cloud) -> None:
    config = ["--config", str(healthy_cloud.plan_path)]
    code, errors = run_into_full(["adopt", "--yes", *config], tmp_path)
    assert (code, "could not be written" in errors) == (0, True)


def test_automatic_rollback_looks_though_nobody_can_read_it(
    tmp_path: Path, healthy_cloud: Cloud
) -> None:
    config = ["--config", str(healthy_cloud.plan_path)]
    code, _ = run_into_full(["guard", "--once", *config], tmp_path, both=True)
    assert code == 0


def test_all_that_is_lost_counts_as_written() -> None:
    with FULL.open("wb") as full:
        raw = Forgiving(full.fileno())
        text = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
        text.write("é" * 100_000)
        text.flush()
        assert raw.lost is not None
        text.close()


def test_a_reader_that_goes_ends_a_look_and_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    raw = Forgiving(writer)
    monkeypatch.setattr(Acting, "now", False)
    with pytest.raises(BrokenPipeError):
        raw.write(b"a look")
    monkeypatch.setattr(Acting, "now", True)
    assert raw.write(b"a change") == 8
    raw.close()
    os.close(writer)
