"""How large this host's files are, and when one is too large."""

from pathlib import Path

import pytest

from canary.cli.setup.doctor_files import look_at_files
from canary.rollout.plan.file import load_plan
from canary.store.history import History
from canary.store.journal import Journal
from canary.store.paths import evidence_path, history_path, journal_path, recording_path
from tests.cli.commands import ROOT

PLAN = load_plan(ROOT / "canary.toml")


def test_each_is_told_with_what_it_keeps(tmp_path: Path) -> None:
    Journal(journal_path(tmp_path)).close()
    History(history_path(tmp_path)).close()
    found = look_at_files(PLAN, tmp_path)
    assert found.state == "ok"
    assert "journal 0.0 MB (10 000 changes), history 0.0 MB (7 days)" in found.said
    assert "recording" not in found.said


def test_nothing_kept_is_nothing_wrong(tmp_path: Path) -> None:
    assert look_at_files(PLAN, tmp_path).said.endswith(": nothing kept yet")


@pytest.mark.parametrize(
    ("place", "mb", "what"),
    [
        (history_path, 16, "delete it"),
        (evidence_path, 26, "delete it"),
        (journal_path, 101, "Keep a copy"),
        (recording_path, 31, "recording export"),
    ],
)
def test_one_that_has_passed_its_bound_is_wrong_and_what_to_do_is_said(
    tmp_path: Path, place, mb: int, what: str
) -> None:
    with place(tmp_path).open("wb") as file:
        file.truncate(mb * 1_000_000)
    found = look_at_files(PLAN, tmp_path)
    assert (found.state, found.needed) == ("wrong", False)
    assert "larger than ever needed" in found.said
    assert what in found.remedy
