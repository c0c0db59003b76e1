"""The lines of the event log that come of the journal: the same whoever opens the console."""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.engine.observe.journal_view import journal_events
from canary.rollout.change.change import Author, Change, Outcome, SetScale
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Journal
from canary.store.journal import NoteState as State

CHANGE = Change(
    id="c1",
    kind="scale",
    rollout="r",
    steps=(SetScale("ion-api", None, ScalePreset(1, 3)),),
    author=Author("a", "b"),
    created_at=1000.0,
)


@pytest.mark.parametrize(
    ("state", "severity", "line"),
    [
        ("verified", "good", "✓ VERIFIED: split 10.3 %, intended 10 %"),
        ("not_verified", "critical", "✗ VERIFICATION NOT PASSED: the split is 30 %"),
        ("unverified", "warning", "? COULD NOT VERIFY: no address"),
    ],
)
def test_what_a_verification_found_is_there_when_it_is_opened_again(
    tmp_path: Path, state: State, severity: str, line: str
) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        journal.intend(CHANGE)
        journal.note("c1", 0, "sent", "", 1001.0)
        journal.note("c1", 0, "settled", "", 1009.0)
        journal.settle("c1", Outcome("done", "It is so.", 1010.0))
        journal.remark("c1", state, f"{line}\x1b[2J", 1020.0)
        journal.remark("c1", "remark", "something else", 1030.0)
    with Journal(tmp_path / "journal.db") as again:
        events = journal_events(again.recent(10))
    assert [(e.at, e.severity) for e in events] == [
        (1020.0, severity),
        (1010.0, "good"),
        (1000.0, "info"),
    ]
    assert events[0].text.startswith(line)
    assert "\x1b" not in events[0].text
