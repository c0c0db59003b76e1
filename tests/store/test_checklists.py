"""The record of checklists: kept as written, for its owner, by several at once."""

from pathlib import Path

import pytest

from canary.rollout.errors import RecordError
from canary.rollout.trials.checklist import Tick, Visit
from canary.store.paths import checklists_path
from canary.store.procedure_records import ChecklistRecord
from canary.store.results import read_verification

TICK = Tick(2, "first_hour", True, "oncall@bastion", 1000.5, "quiet")
VISIT = Visit(2, "c1", 1000.0, "oncall@bastion", "promote")


def test_ticks_and_visits_come_back_as_they_were(tmp_path: Path):
    record = ChecklistRecord(checklists_path(tmp_path))
    record.add(TICK)
    record.add_visit(VISIT)
    record.close()
    again = ChecklistRecord(checklists_path(tmp_path), read_only=True)
    assert (again.ticks(), again.visits()) == ((TICK,), (VISIT,))
    again.close()


def test_a_visit_is_kept_once_and_as_it_was_first_known(tmp_path: Path):
    one, two = (ChecklistRecord(checklists_path(tmp_path)) for _ in range(2))
    one.add_visit(VISIT)
    two.add_visit(Visit(3, "c1", 9.0))
    assert two.visits() == (VISIT,)
    one.close()
    two.close()


def test_it_is_for_its_owners_eyes(tmp_path: Path):
    ChecklistRecord(checklists_path(tmp_path)).close()
    assert checklists_path(tmp_path).stat().st_mode & 0o777 == 0o600


def test_reading_makes_no_file_and_writes_nothing(tmp_path: Path):
    record = ChecklistRecord(checklists_path(tmp_path), read_only=True)
    assert record.ticks() == ()
    with pytest.raises(RecordError):
        record.add(TICK)
    record.close()
    assert not checklists_path(tmp_path).exists()


def test_a_broken_file_is_one_sentence(tmp_path: Path):
    checklists_path(tmp_path).write_bytes(b"SQLite format 3\0 and then nothing sensible" * 99)
    with pytest.raises(RecordError):
        ChecklistRecord(checklists_path(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"checks": 5}',
        '{"checks": [], "timestamp": "soon"}',
        '{"checks": [{"id": "split"}], "timestamp": "2026-03-01T14:03:22Z", "verdict": "passed"}',
    ],
)
def test_a_verification_that_cannot_be_read_is_no_evidence(tmp_path: Path, text: str):
    (tmp_path / "compare_stage2.json").write_text(text)
    assert read_verification(tmp_path, 2) is None


def test_a_verification_is_read_back(tmp_path: Path):
    (tmp_path / "compare_stage2.json").write_text(
        '{"timestamp": "2026-03-01T14:03:22Z", "verdict": "passed", "change": null,'
        ' "checks": [{"id": "split", "label": "x", "state": "passed", "said": "10.3 %"}]}'
    )
    seen = read_verification(tmp_path, 2)
    assert (seen.at, seen.verdict, seen.change) == (1_772_373_802.0, "passed", "")
    assert (seen.checks["split"].state, seen.checks["split"].said) == ("passed", "10.3 %")
    assert read_verification(tmp_path, 3) is None
