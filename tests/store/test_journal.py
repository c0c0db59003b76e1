"""The journal: the intent before the act, one owner, one outcome."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from canary.rollout.change.change import Outcome
from canary.rollout.change.life import IllegalEvent
from canary.rollout.errors import RecordError
from canary.rollout.evidence.dismissal import Dismissal
from canary.store import journal as journal_module
from canary.store.journal import Journal, Note
from canary.store.locks import Owner

DONE = Outcome("done", "Canary has 5 %.", 1010.0, 5)
FAILED = Outcome("failed", "No.", 1011.0)


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db", wall=lambda: 77.0) as opened:
        yield opened


def test_an_intent_is_there_for_another_console_at_once(journal, make_change, tmp_path):
    change = make_change()
    assert journal.intend(change)
    with Journal(tmp_path / "journal.db") as other:
        (entry,) = other.open_changes()
    assert entry.change == change
    assert (entry.outcome, entry.owner, entry.acknowledged) == (None, "", False)
    assert entry.intended_at == 77.0


def test_an_intent_is_on_the_disk_before_it_returns(journal):
    with journal._database.reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_same_change_twice_is_one_change(journal, make_change):
    assert journal.intend(make_change())
    assert not journal.intend(make_change())
    assert len(journal.recent(10)) == 1


def test_another_change_with_the_same_id_is_refused(journal, make_change):
    journal.intend(make_change())
    with pytest.raises(RecordError, match="the id c1"):
        journal.intend(make_change(reason="other"))


def test_a_claimed_intent_is_not_taken_by_a_living_other(journal, make_change, tmp_path):
    journal.intend(make_change())
    with Owner(tmp_path) as first, Owner(tmp_path) as second:
        assert journal.claim("c1", first.token)
        assert not journal.claim("c1", second.token)
        assert journal.claim("c1", first.token)


def test_a_dead_owners_claim_is_free(journal, make_change, tmp_path):
    journal.intend(make_change())
    first = Owner(tmp_path)
    journal.claim("c1", first.token)
    first.release()
    with Owner(tmp_path) as second:
        assert journal.claim("c1", second.token)


def test_an_intent_can_be_claimed_as_it_is_written(journal, make_change, tmp_path):
    with Owner(tmp_path) as mine, Owner(tmp_path) as other:
        journal.intend(make_change(), mine.token)
        assert not journal.claim("c1", other.token)


def test_a_settled_change_is_not_claimed_again(journal, make_change):
    journal.intend(make_change())
    journal.settle("c1", FAILED)
    assert not journal.claim("c1", "somebody")
    assert journal.open_changes() == ()


def test_the_first_outcome_stays(journal, make_change):
    journal.intend(make_change())
    assert journal.settle("c1", FAILED)
    assert not journal.settle("c1", DONE)
    assert journal.entry("c1").outcome == FAILED


def test_notes_are_kept_in_order_and_tell_how_far_a_step_is(journal, make_change):
    journal.intend(make_change())
    assert journal.entry("c1").state_of(0) == "to_do"
    assert journal.note("c1", 0, "sent", "", 1001.0)
    assert journal.note("c1", 0, "accepted", "operations/7", 1002.0)
    assert journal.note("c1", 0, "remark", "slow", 1003.0)
    entry = journal.entry("c1")
    assert entry.notes[0] == Note(0, "sent", "", 1001.0)
    assert entry.state_of(0) == "accepted"
    assert entry.operation(0) == "operations/7"
    assert entry.state_of(1) == "to_do"


def test_nothing_is_noted_for_a_change_that_has_ended(journal, make_change):
    journal.intend(make_change())
    journal.settle("c1", FAILED)
    assert not journal.note("c1", 0, "sent", "", 1001.0)
    assert not journal.note("unknown", 0, "sent", "", 1001.0)
    assert journal.entry("c1").notes == ()


def test_a_verification_is_kept_with_a_change_that_has_ended_and_moves_it_nowhere(
    journal, make_change
):
    change = make_change()
    journal.intend(change)
    journal.note(change.id, 0, "sent", "", 1.0)
    journal.note(change.id, 0, "settled", "", 2.0)
    journal.settle(change.id, Outcome("done", "Canary has 5 %.", 3.0))
    assert journal.remark(change.id, "not_verified", "split 0 %", 4.0)
    assert not journal.remark("nobody", "verified", "", 4.0)
    entry = journal.entry(change.id)
    assert entry.notes[-1] == Note(0, "not_verified", "split 0 %", 4.0)
    assert (entry.state_of(0), entry.last.state, entry.state) == ("settled", "settled", "done")


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        ((), "settled"),
        (("sent",), "sent"),
        (("sent", "accepted"), "waiting"),
        (("sent", "unknown"), "sent"),
        (("sent", "settled"), "sent"),
    ],
)
def test_what_cannot_follow_is_refused_loudly_and_nothing_is_noted(
    journal, make_change, before, refused
):
    journal.intend(make_change())
    for state in before:
        journal.note("c1", 0, state, "", 1.0)
    with pytest.raises(IllegalEvent):
        journal.note("c1", 0, refused, "", 2.0)
    with pytest.raises(IllegalEvent, match="the present one is"):
        journal.note("c1", 2, "sent", "", 2.0)
    assert [n.state for n in journal.entry("c1").notes] == list(before)


def test_a_change_is_not_done_before_its_steps_are(journal, make_change):
    journal.intend(make_change())
    for state in ("sent", "accepted"):
        journal.note("c1", 0, state, "", 1.0)
        with pytest.raises(IllegalEvent):
            journal.settle("c1", DONE)
    assert journal.entry("c1").outcome is None
    journal.note("c1", 0, "settled", "", 2.0)
    with pytest.raises(IllegalEvent):
        journal.settle("c1", Outcome("not_begun", "No.", 2.0))
    assert journal.settle("c1", DONE)


def test_only_an_outcome_can_be_acknowledged(journal, make_change):
    journal.intend(make_change())
    journal.acknowledge("c1")
    assert not journal.entry("c1").acknowledged
    journal.settle("c1", FAILED)
    journal.acknowledge("c1")
    assert journal.entry("c1").acknowledged


def test_recent_changes_come_newest_first(journal, make_change):
    for n in range(5):
        journal.intend(make_change(f"c{n}"))
    assert [e.change.id for e in journal.recent(3)] == ["c4", "c3", "c2"]
    assert [e.change.id for e in journal.open_changes()] == [f"c{n}" for n in range(5)]


def test_the_version_differs_after_a_write_of_ones_own_and_of_anothers(
    journal, make_change, tmp_path
):
    seen = {journal.version()}
    journal.intend(make_change())
    seen.add(journal.version())
    with Journal(tmp_path / "journal.db") as other:
        other.settle("c1", FAILED)
        seen.add(journal.version())
        assert journal.version() in seen
    assert len(seen) == 3


def test_the_oldest_settled_changes_are_dropped_and_open_ones_are_not(
    journal, make_change, monkeypatch
):
    monkeypatch.setattr(journal_module, "KEPT_CHANGES", 2)
    for n in range(5):
        journal.intend(make_change(f"c{n}"))
        if n:
            journal.note(f"c{n}", 0, "sent", "", 1.0)
            journal.settle(f"c{n}", FAILED)
    assert [e.change.id for e in journal.recent(10)] == ["c4", "c3", "c0"]


def test_an_entry_that_cannot_be_read_is_never_carried_out(journal, make_change, tmp_path):
    journal.intend(make_change("bad"))
    journal.intend(make_change("good"))
    with sqlite3.connect(tmp_path / "journal.db") as db:
        db.execute("UPDATE changes SET body = '{\"id\": 3' WHERE id = 'bad'")
    db.close()
    assert [e.change.id for e in journal.open_changes()] == ["good"]


def test_the_files_are_for_their_owner_alone(journal, make_change, tmp_path):
    journal.intend(make_change())
    modes = {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir() if p.is_file()}
    assert modes == {0o600}


def test_reading_only_writes_nothing(make_change, tmp_path):
    path = tmp_path / "journal.db"
    with Journal(path, read_only=True) as journal:
        assert journal.recent(10) == ()
    assert not path.exists()
    with Journal(path) as journal:
        journal.intend(make_change())
    with Journal(path, read_only=True) as journal:
        assert len(journal.recent(10)) == 1
        with pytest.raises(RecordError, match="reading only"):
            journal.settle("c1", DONE)


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()


def _foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE songs (title)")
    db.close()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _scribble(path: Path) -> None:
    path.write_bytes(b"not a database, " * 100)


def _become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_newer, "newer console"),
        (_foreign, "but not the journal"),
        (_truncate, "damaged"),
        (_scribble, "damaged"),
        (_become_a_directory, "cannot be opened"),
    ],
)
def test_a_file_that_cannot_be_used_gives_one_clear_sentence(make_change, tmp_path, harm, said):
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        journal.intend(make_change())
    harm(path)
    with pytest.raises(RecordError, match=said) as caught, Journal(path) as journal:
        journal.recent(10)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_locked_journal_says_so(journal, make_change, tmp_path, monkeypatch):
    with journal._database.reading() as db:
        db.execute("PRAGMA busy_timeout = 1")
    holder = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordError, match="locked by another process"):
        journal.intend(make_change())
    holder.execute("ROLLBACK")
    holder.close()
    assert journal.intend(make_change())


def test_a_full_disk_says_so_and_leaves_the_journal_whole(journal, make_change):
    with journal._database.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RecordError, match="disk is full"):
        journal.intend(make_change(reason="x" * 20_000))
    assert journal.open_changes() == ()
    journal.check()


def test_dismissals_come_back_oldest_first_and_others_see_them(journal, tmp_path):
    first = Dismissal(1000.0, "bob@bastion", ("errors",), "known")
    second = Dismissal(1060.0, "ann@laptop", ("slow", "score"))
    other = Journal(journal.path)
    before = other.version()
    assert journal.dismissals() == ()
    journal.dismiss(second)
    journal.dismiss(first)
    assert other.version() != before
    assert other.dismissals() == (first, second)
    other.close()
    with Journal(journal.path, read_only=True) as looked:
        assert looked.dismissals() == (first, second)


ANOTHER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("SELECT count(*) FROM changes").fetchone()[0])
db.close()
"""


def count_elsewhere(path: Path) -> int:
    """What another program finds there, which then closes it as SQLite does."""
    command = [sys.executable, "-I", "-c", ANOTHER, str(path)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_opened_twice_in_one_process_nobody_elsewhere_cuts_it_off(make_change, tmp_path):
    """The list of rollouts reads the journal of the console that is opened from it. Other programs
    (`canary log`, an executor) come and go: who closes last removes SQLite's log, and must not take
    itself for the last while these have it open.
    """
    path = tmp_path / "journal.db"
    Journal(path).close()
    with Journal(path, read_only=True) as listing, Journal(path) as console:
        assert console.intend(make_change("first"))
        assert count_elsewhere(path) == 1
        assert console.intend(make_change("second"))
        assert count_elsewhere(path) == 2
        assert len(listing.recent(10)) == 2
