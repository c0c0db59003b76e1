"""A result that others could have written opens no gate, and is said to be theirs."""

import contextlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from canary.cli.commands import run
from canary.rollout.errors import RecordError
from canary.rollout.trials.verification import output_name
from canary.store.ab_results import read_ab_results
from canary.store.monitor_files import read_monitor_file
from canary.store.results import AB_TEST_FILE, LOAD_TEST_FILE, read_results, read_verification
from tests.hostile.other import OTHER_UID, needs_root, open_way, run_as_other, share_with_group

NOW = 1_780_000_000
LOAD_TEST = {"status": "PASSED", "finished_at": NOW, "users": 500, "elapsed_s": 900}
AB_TEST = {
    "legacy": {"avg_response_time_ms": 900.0, "requests": 5000},
    "canary": {"avg_response_time_ms": 300.0, "requests": 5000},
    "finished_at": NOW,
}
MONITOR = {
    "timestamp": "2026-11-26T06:00:00Z",
    "canary": {
        "error_rate": 0.0,
        "success_rate": 1.0,
        "p95_response_time_ms": 100.0,
        "avg_confidence_score": 0.99,
    },
}
VERIFICATION = {
    "timestamp": "2026-11-26T06:00:00Z",
    "verdict": "passed",
    "checks": [{"id": "errors", "state": "passed", "said": "none"}],
}
MONITOR_FILE = "monitor_20261126_060000Z.json"
FILES = {
    LOAD_TEST_FILE: LOAD_TEST,
    AB_TEST_FILE: AB_TEST,
    output_name(2): VERIFICATION,
    MONITOR_FILE: MONITOR,
}


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    place = tmp_path / "plan" / "outputs"
    place.mkdir(parents=True)
    for name, document in FILES.items():
        (place / name).write_text(json.dumps(document))
    return place


def believed(outputs: Path) -> list[str]:
    """The files of which anything counts."""
    found = read_results(outputs)
    seen = [
        (LOAD_TEST_FILE, found.evidence.load_test),
        (AB_TEST_FILE, found.evidence.ab_test),
        (output_name(2), read_verification(outputs, 2)),
        (MONITOR_FILE, quietly(lambda: read_monitor_file(outputs / MONITOR_FILE))),
        ("ab-test --from", quietly(lambda: read_ab_results(outputs / AB_TEST_FILE, "l", "c"))),
    ]
    return [name for name, value in seen if value is not None]


def quietly(read: Callable[[], object]) -> object:
    with contextlib.suppress(RecordError):
        return read()
    return None


def test_ones_own_results_are_believed(outputs: Path):
    assert len(believed(outputs)) == 5


def give_away(outputs: Path) -> None:
    for each in outputs.iterdir():
        os.chown(each, OTHER_UID, OTHER_UID)


def loosen_files(outputs: Path) -> None:
    for each in outputs.iterdir():
        each.chmod(0o606)


def loosen_group(outputs: Path) -> None:
    for each in outputs.iterdir():
        share_with_group(each, 0o660)


def loosen_directory(outputs: Path) -> None:
    outputs.chmod(0o777)


def loosen_above(outputs: Path) -> None:
    outputs.parent.chmod(0o777)


def link_elsewhere(outputs: Path) -> None:
    place = outputs.parent.parent / "shared"
    outputs.rename(place)
    place.chmod(0o777)
    outputs.symlink_to(place)


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(give_away, marks=needs_root),
        pytest.param(loosen_group, marks=needs_root),
        loosen_files,
        loosen_directory,
        loosen_above,
        link_elsewhere,
    ],
)
def test_what_others_could_have_written_is_no_result(outputs: Path, attack: Callable[[Path], None]):
    attack(outputs)
    assert believed(outputs) == []
    load_test, ab_test = read_results(outputs).problems
    assert "is not believed" in load_test
    assert "is not believed" in ab_test


@needs_root
def test_the_second_user_forges_a_result_in_tmp(tmp_path: Path):
    place = tmp_path / "outputs"
    place.mkdir()
    open_way(place)
    place.chmod(0o1777)
    for name, document in FILES.items():
        done = run_as_other('printf %s "$1" > "$2"', json.dumps(document), place / name)
        assert done.returncode == 0, done.stderr
    assert believed(place) == []


def test_a_monitor_file_of_others_is_said_and_validates_nothing(
    outputs: Path, capsys: pytest.CaptureFixture[str]
):
    loosen_files(outputs)
    plan = Path(__file__).parents[2] / "canary.toml"
    asked = ("validate", "--config", str(plan), "--stage", "2", "--from", str(outputs / "m*.json"))
    assert run(asked) == 3
    said = capsys.readouterr()
    assert "is not believed" in said.out + said.err


def test_a_pipe_in_the_place_of_a_result_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / LOAD_TEST_FILE)
    found: list[tuple[str, ...]] = []
    reader = threading.Thread(target=lambda: found.append(read_results(tmp_path).problems))
    reader.daemon = True
    reader.start()
    reader.join(20)
    assert found, "still waiting for the pipe"
    assert "no plain file" in found[0][0]
