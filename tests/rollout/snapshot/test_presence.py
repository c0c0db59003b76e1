"""Who did what last, and what is in flight from elsewhere."""

from canary.rollout.change.history_entries import history_entry_of
from canary.rollout.snapshot.snapshot import OperatorSession, find_presence, format_history_entry
from tests.rollout.build import NOW, record

MOVED = record(
    3,
    move="promote",
    change="theirs",
    previous_percent=10,
    reason="soaked",
    by="bob",
    host="bastion-3",
    entered_at=NOW,
)
NOBODY: frozenset[str] = frozenset()


def test_the_last_move_is_told_by_the_record():
    found = find_presence((), MOVED, (), reconciling=False, ours=NOBODY)
    assert found.last == history_entry_of(MOVED)
    assert found.in_flight is None
    assert (
        format_history_entry(found.last)
        == "bob@bastion-3 promoted 10 % → 25 % at 14:03:22Z: soaked"
    )


def test_while_the_service_settles_on_anothers_move_it_is_in_flight():
    found = find_presence((), MOVED, (), reconciling=True, ours=NOBODY)
    assert found.in_flight == history_entry_of(MOVED)


def test_ones_own_move_is_in_the_journal_and_not_told_twice():
    found = find_presence((), MOVED, (), reconciling=True, ours=frozenset({"theirs"}))
    assert found.in_flight is None


def test_a_record_that_nobody_moved_tells_nothing():
    assert find_presence((), record(2), (), reconciling=False, ours=NOBODY).last is None


def test_without_a_readable_record_the_history_tells():
    entry = history_entry_of(MOVED)
    assert find_presence((), None, (entry,), reconciling=False, ours=NOBODY).last == entry


def test_others_on_this_host_are_passed_on():
    seat = OperatorSession(1, "ann", "bastion", 5.0)
    assert find_presence((seat,), None, (), reconciling=False, ours=NOBODY).others == (seat,)


def test_hostile_names_are_made_harmless():
    evil = record(3, move="promote", by="\x1b[31mbob", host="a\u202eb", change="x")
    assert format_history_entry(history_entry_of(evil)).startswith("bob@ab promoted")
