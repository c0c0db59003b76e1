"""`canary ab-test` from a file: the table, the file for the gate, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import DEFAULT_PLAN
from tests.cli.conftest import Command


def group(mean_ms: float, p95_ms: float, confidence: float, success: float) -> dict[str, float]:
    return {
        "requests": 150_000,
        "avg_response_time_ms": mean_ms,
        "stddev_response_time_ms": mean_ms,
        "p95_response_time_ms": p95_ms,
        "avg_confidence_score": confidence,
        "stddev_confidence_score": 0.1,
        "success_rate": success,
    }


LEGACY, CANARY = group(450, 1200, 0.72, 0.988), group(220, 600, 0.85, 0.997)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "canary.toml").write_text(DEFAULT_PLAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def results(place: Path, **groups: object) -> str:
    (place / "results.json").write_text(json.dumps(groups))
    return "results.json"


def test_the_table_has_the_procedures_shape(command: Command, place: Path) -> None:
    ended = command("ab-test", "--from", results(place, legacy=LEGACY, canary=CANARY))
    assert ended.code == 0
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert "requests 150 000 150 000" in lines
    assert lines[3].startswith("mean response time 450 ms 220 ms 51.1 % ")
    assert lines[4] == "p95 response time 1.20 s 600 ms 50.0 %"
    assert lines[5].startswith("mean confidence 0.72 0.85 18.1 % ")
    assert lines[6].startswith("success ratio 98.8 % 99.7 % 0.91 % ")
    assert lines[7].startswith("✓ Approved: Canary is 51.1 % faster (95 % interval ")


def test_the_analysis_is_written_for_the_gate(command: Command, place: Path) -> None:
    command("ab-test", "--from", results(place, legacy=LEGACY, canary=CANARY))
    path = place / "outputs" / "ab_test_analysis.json"
    document = json.loads(path.read_text())
    assert (document["status"], document["approved"]) == ("APPROVED", True)
    assert path.stat().st_mode & 0o777 == 0o600


def test_approved_and_not_written_is_said_and_3(command: Command, place: Path) -> None:
    (place / "outputs").write_text("no directory")
    ended = command("ab-test", "--from", results(place, legacy=LEGACY, canary=CANARY))
    assert ended.code == 3
    assert "✓ Approved" in ended.out
    assert ended.err.startswith("canary: ")
    assert "could not be written" in ended.err


def test_as_json_it_is_the_document(command: Command, place: Path) -> None:
    ended = command("ab-test", "--from", results(place, legacy=LEGACY, canary=CANARY), "--json")
    assert ended.document == json.loads((place / "outputs" / "ab_test_analysis.json").read_text())


@pytest.mark.parametrize(
    ("groups", "code", "said"),
    [
        ({"legacy": LEGACY, "canary": CANARY}, 0, "✓ Approved"),
        ({"legacy": LEGACY, "canary": {**CANARY, "avg_response_time_ms": 405}}, 1, "10.0 % faster"),
        ({"legacy": LEGACY, "canary": {**CANARY, "avg_response_time_ms": 900}}, 1, "100 % slower"),
        ({"legacy": LEGACY, "canary": None}, 30, "? No data: Canary has no requests in the table."),
        ({"legacy": LEGACY, "canary": {**CANARY, "requests": 99}}, 30, "99 response times"),
        ({"legacy": {**LEGACY, "avg_response_time_ms": 0}, "canary": CANARY}, 30, "cannot be"),
        ({"other": 1}, 3, "neither `legacy` nor `canary`"),
    ],
)
def test_how_it_ends(
    command: Command, place: Path, groups: dict[str, object], code: int, said: str
) -> None:
    ended = command("ab-test", "--from", results(place, **groups))
    assert ended.code == code
    assert said in ended.out + ended.err


def test_an_uncertain_gain_is_approved_with_a_note(command: Command, place: Path) -> None:
    legacy, canary = ({**group(ms, 900, 0.8, 0.99), "requests": 200} for ms in (450, 380))
    ended = command("ab-test", "--from", results(place, legacy=legacy, canary=canary))
    assert ended.code == 0
    assert "Note: the interval reaches below the limit" in ended.out


def test_a_file_does_not_go_with_days(command: Command, place: Path) -> None:
    ended = command("ab-test", "--from", "x.json", "--days", "3")
    assert (ended.code, ended.out) == (2, "")


def test_a_broken_file_leaves_the_last_analysis(command: Command, place: Path) -> None:
    command("ab-test", "--from", results(place, legacy=LEGACY, canary=CANARY))
    (place / "cut.json").write_text('{"legacy": {"requ')
    ended = command("ab-test", "--from", "cut.json")
    assert (ended.code, ended.err.count("\n")) == (3, 1)
    document = json.loads((place / "outputs" / "ab_test_analysis.json").read_text())
    assert document["approved"] is True
