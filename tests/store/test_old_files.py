"""What version 0.1 has written is read with the values that it meant.

The files in `old/0.1` were written by the code of that version, not by today's; the two JSON files
beside the databases hold what that version read back. A change that breaks one of these tests
takes somebody's journal away: give the file a new version and read both.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.rollout.change.history_entries import HistoryEntry, read_history
from canary.rollout.change.stage_record import StageRecord, decode_record
from canary.rollout.evidence.window import EvidenceWindow
from canary.rollout.export.monitor_document import monitor_document
from canary.rollout.export.notification import Notification
from canary.rollout.measure.samples import Distribution, Responses, Sample
from canary.rollout.snapshot.snapshot import OperatorSession
from canary.rollout.snapshot.status import status_document
from canary.rollout.trials.checklist import Tick, Visit
from canary.store import monitoring, presence
from canary.store.ab_results import read_ab_results
from canary.store.evidence import EvidenceRecord
from canary.store.history import History
from canary.store.journal import Journal
from canary.store.locks import Owner
from canary.store.monitor_files import find_newest, read_monitor_file
from canary.store.paths import (
    checklists_path,
    evidence_path,
    history_path,
    journal_path,
    sent_notifications_path,
)
from canary.store.procedure_records import AlertWriting, ChecklistRecord, read_alert_writings
from canary.store.results import read_results, read_verification
from canary.store.sent_notifications import SentNotifications
from canary.store.stage_file import read_stage_file
from tests.rollout.build import AUTHOR, NOW, PLAN, snapshot

OLD = Path(__file__).parent / "old" / "0.1"

REACHED = {"to_do": None, "waiting": None, "unanswered": "unknown"} | {
    state: state for state in ("sent", "accepted", "settled", "resumed")
}
"""A step's state as version 0.1 called it."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A rollout's directory as version 0.1 left it."""
    return Path(shutil.copytree(OLD, tmp_path / "rollout"))


def told(name: str) -> Any:
    return json.loads((OLD / name).read_text(encoding="utf-8"))


ADDED: dict[str, Any] = {"pinned": False, "place": "", "p95_at_least": False}
"""Fields that version 0.1 did not have, and what they are of a change that it wrote."""


def as_then(value: Any) -> Any:
    """A document without what was added since, where that says nothing new."""
    if isinstance(value, dict):
        known = {k: v for k, v in value.items() if k not in ADDED or v != ADDED[k]}
        return {key: as_then(part) for key, part in known.items()}
    return [as_then(part) for part in value] if isinstance(value, list) else value


def test_every_change_in_the_journal_with_its_notes_and_its_outcome(old: Path) -> None:
    with Journal(journal_path(old)) as journal:
        journal.check()
        entries = journal.recent(100)
    expected = told("journal.json")
    assert as_then(json.loads(msgspec.json.encode(entries))) == expected["entries"]
    derived = [
        {
            "id": e.change.id,
            "reached": [REACHED[e.state_of(i)] for i in range(len(e.change.steps))],
            "waiting_since": e.waiting_since,
            "settled_at": e.settled_at,
            "identity": e.cloud_identity,
            "operations": [e.operation(i) for i in range(len(e.change.steps))],
        }
        for e in entries
    ]
    assert derived == expected["derived"]
    assert len(entries) == 20


def test_an_old_journal_is_gone_on_with(old: Path) -> None:
    with Journal(journal_path(old)) as journal, Owner(old) as owner:
        open_ones = [e.change.id for e in journal.open_changes()]
        assert open_ones[:3] == ["c-not-begun", "c-begun-open", "c-sent"]
        for change_id in open_ones:
            assert journal.claim(change_id, owner.token), "its process has long ended"
        assert journal.note("c-sent", 0, "accepted", "operations/op-9", NOW + 20)
        entry = journal.entry("c-sent")
        assert entry is not None
        assert (entry.state_of(0), entry.operation(0)) == ("accepted", "operations/op-9")


@pytest.mark.parametrize("read_only", [True, False])
def test_an_old_journal_is_looked_into(old: Path, read_only: bool) -> None:
    with Journal(journal_path(old), read_only=read_only) as journal:
        states = {e.outcome.state for e in journal.recent(100) if e.outcome is not None}
    assert states == {"done", "failed", "refused", "unknown", "not_begun", "abandoned"}


def test_the_samples_of_both_sides(old: Path) -> None:
    bounds = (0.0, 1.0, 2.0, 3.0, 4.0)
    full = Sample(
        NOW - 60,
        NOW,
        Responses(90, 1, 2, 3, 4),
        Distribution(bounds, (1, 2, 3), 6, 1.5, 2.5),
        Distribution((0.25, 0.5, 0.75), (0, 1), 1, 0.3),
        0.4,
        None,
        3.0,
        2.0,
    )
    with History(history_path(old)) as history:
        assert history.load("canary", 0.0) == (Sample(NOW - 120, NOW - 60), full)
        legacy = Sample(NOW - 600, NOW, Responses(900, 0, 0, 1, 0), cpu=0.2)
        assert history.load("legacy", 0.0) == (legacy,)


def test_the_evidence_and_what_it_had_come_to(old: Path) -> None:
    record = EvidenceRecord(evidence_path(old))
    windows = record.load(0.0)
    # What they had come to was computed in another way: it is judged again from the windows.
    assert record.checkpoint() is None
    record.close()
    expected = msgspec.convert(told("evidence.json")["windows"], tuple[EvidenceWindow, ...])
    assert windows == expected
    assert [w.unfit for w in windows] == ["", "", "cut"]


def test_the_stage_file(old: Path) -> None:
    assert read_stage_file(old / "stage_file.toml") == StageRecord(
        stage=3,
        percent=25,
        entered_at=NOW - 17 * 3600,
        by="oncall",
        host="bastion-2",
        change="c-done",
        move="promote",
        reason="soaked",
        previous_stage=2,
        previous_percent=10,
    )


def test_the_annotations_on_the_service() -> None:
    texts = told("annotations.json")
    record = decode_record(texts["canary-console/stage"])
    assert (record.stage, record.percent, record.change, record.by) == (3, 25, "c-3", "oncall")
    assert (record.previous_stage, record.previous_percent, record.version) == (2, 10, 1)
    revert = decode_record(texts["revert"])
    assert (revert.move, revert.entered_at, revert.written_at) == ("revert", NOW - 17 * 3600, NOW)
    production = decode_record(texts["production"])
    assert (production.enabled, production.production_service) == (False, "ion-api-canary")
    history = read_history(texts["canary-console/history"])
    assert [entry.change for entry in history] == ["c-3", "c-2", "c-1"]
    assert history[0] == HistoryEntry(
        NOW - 17 * 3600, "promote", 25, 3, "oncall", "bastion-2", 10, 2, "soaked", "c-3"
    )


def test_a_monitor_file(old: Path) -> None:
    read = read_monitor_file(find_newest(str(old / "monitor_2026*.json")))
    assert (read.at, read.data, read.stage, read.soaked_hours) == (NOW, "ok", 2, 17.0)
    window = read.window
    assert (window.requests, window.error_ratio, window.success_ratio) == (1000, 0.003, 0.991)
    assert (window.p95_ms, window.confidence, window.confidence_count) == (610.0, 0.85, 1000)


def test_the_results_that_gates_go_by(old: Path) -> None:
    results = read_results(old)
    assert results.problems == ()
    load_test, ab_test = results.evidence.load_test, results.evidence.ab_test
    assert load_test is not None
    assert (load_test.status, load_test.finished_at) == ("PASSED", NOW)
    assert load_test.summary.startswith("PASSED: 50 users, 1 h, 2 000 requests")
    assert ab_test is not None
    assert (ab_test.improvement, ab_test.finished_at) == (pytest.approx(0.51111, abs=1e-5), NOW)


def test_an_analysis_that_is_read_again(old: Path) -> None:
    read = read_ab_results(old / "ab_test_analysis.json", "legacy", "canary")
    assert read.finished_at == NOW
    assert read.legacy is not None
    assert read.canary is not None
    assert (read.legacy.requests, read.canary.requests) == (150_000, 150_000)
    assert (read.legacy.p95_ms, read.canary.p95_ms) == (1200.0, 600.0)


def test_a_verification(old: Path) -> None:
    seen = read_verification(old, 2)
    assert seen is not None
    assert (seen.at, seen.verdict, seen.change) == (NOW, "passed", "c-2")
    assert seen.checks["health_legacy"].state == "passed"


def test_the_checklist(old: Path) -> None:
    record = ChecklistRecord(checklists_path(old))
    ticks, visits = record.ticks(), record.visits()
    record.close()
    assert ticks == (
        Tick(2, "dashboards", True, "ann", NOW - 60, "5 min"),
        Tick(2, "dashboards", False, "bob", NOW - 30, ""),
    )
    assert visits == (Visit(2, "c-2", NOW - 3600, "oncall", "promote"),)


def test_what_was_written_of_alert_policies(old: Path) -> None:
    wanted = ("create p95", "delete old")
    failed = ("create p95",), "failed", "Denied.", "Ask for the right.", NOW + 2
    assert read_alert_writings(old, 10) == (
        AlertWriting("a-2", "ion", AUTHOR, ("create p95",), NOW + 10, NOW + 11),
        AlertWriting("a-1", "ion", AUTHOR, wanted, NOW, NOW + 1, *failed),
    )


def test_what_was_said_to_others_is_not_said_again(old: Path) -> None:
    sent = SentNotifications(sent_notifications_path(old))
    sent.put(Notification("change c-1", "again", "info"), NOW + 60, 900.0)
    assert sent.take(NOW + 60, 60.0) is None
    assert sent.take(NOW + 901, 60.0) is not None
    before: list[str | None] = []
    sent.turn("verdict", "rollback", before.append, NOW + 60, 900.0)
    assert before == ["continue"]
    sent.close()


def test_the_monitoring_loops_last_word(old: Path) -> None:
    state = monitoring.read_state(old)
    assert state is not None
    assert (state.pid, state.since, state.every_s, state.until) == (
        4711,
        NOW - 3600,
        1800.0,
        NOW + 7200,
    )
    assert (state.next_at, state.files, state.last_at, state.verdict) == (
        NOW + 1800,
        3,
        NOW,
        "continue",
    )


def test_who_is_here_in_an_older_console(old: Path) -> None:
    """A session that an older console holds: the lock is taken here as that one takes it."""
    shown = OperatorSession(1, "me", "here", 1.0)
    holder = presence.OperatorSessionHolder(old, shown)
    (taken,) = (old / presence.SESSIONS_DIR).iterdir()
    taken.write_bytes((old / "presence.seat").read_bytes())
    (seen,) = presence.read_operator_sessions(old)
    holder.release()
    assert seen == OperatorSession(
        4711,
        "bob",
        "bastion-3",
        NOW,
        kind="guard",
        terminal="pts/3",
        client="10.0.0.7",
        armed=True,
        due_at=NOW + 30,
        cause="critical",
    )


def contains(new: Any, old: Any) -> bool:
    """Whether everything in `old` is in `new` with the same value; more keys are no harm."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(k in new and contains(new[k], old[k]) for k in old)
    if isinstance(old, list):
        same = isinstance(new, list) and len(new) == len(old)
        return same and all(contains(one, other) for one, other in zip(new, old, strict=True))
    return bool(new == old or (isinstance(old, str) and plain(new) == REWORDED.get(old)))


def plain(text: Any) -> Any:
    """A text with plain spaces: numbers have narrow ones between their thousands."""
    return re.sub(r"\s", " ", text) if isinstance(text, str) else text


REWORDED = {
    "7.0 h to go": "7 h to go",
    "1000 requests": "1 000 requests",
    "1000 scores": "1 000 scores",
    "continue": "none passed",
    "No limit of the tree is passed.": "All thresholds are OK.",
}
"""Words for people that are said otherwise since; no program may rest on them."""


def test_what_programs_read_of_us_has_what_it_had() -> None:
    """`status --json` and monitor files: the same moment gives the same document."""
    status = json.loads(json.dumps(status_document(snapshot())))
    assert contains(status, told("status.json"))
    monitor = json.loads(json.dumps(monitor_document(snapshot(), PLAN)))
    assert contains(monitor, told("monitor_20260301T140322Z.json"))
