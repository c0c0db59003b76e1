"""The state file."""

import sqlite3
import stat

import pytest

from canary.simulator.world.saved import Saved, StateError, remove_state
from canary.simulator.world.timeline import NewRevision, Removed, Scale, ScenarioOn, Split

EVENTS = [
    Split(1.0, 5),
    Scale(2.0, "a", 0, 1),
    NewRevision(3.0, "a", "a-1", "legacy"),
    ScenarioOn(4.0, "latency", {"factor": 2.0}),
    Removed(5.0, "a"),
]


def test_values_and_events_come_back(tmp_path):
    saved = Saved(tmp_path / "state.db")
    saved.put("key", b"value")
    for event in EVENTS:
        saved.append_event(event)
    saved.close()
    again = Saved(tmp_path / "state.db")
    assert again.get("key") == b"value"
    assert again.events() == EVENTS
    again.close()


def test_what_was_not_saved_is_lost_as_a_whole(tmp_path):
    saved = Saved(tmp_path / "state.db")
    saved.put("first", b"1")
    saved.save()
    saved.put("second", b"2")
    saved.append_event(EVENTS[0])
    # What another connection sees is what a kill in this moment would leave.
    other = sqlite3.connect(tmp_path / "state.db")
    assert other.execute("SELECT key FROM saved").fetchall() == [("first",)]
    assert other.execute("SELECT * FROM event").fetchall() == []
    other.close()
    saved.close()


def test_a_key_nobody_set_is_none():
    saved = Saved(None)
    assert saved.get("key") is None
    saved.close()


def test_the_state_file_is_its_owners_only(tmp_path):
    saved = Saved(tmp_path / "deep" / "state.db")
    assert stat.S_IMODE((tmp_path / "deep" / "state.db").stat().st_mode) == 0o600
    saved.close()


def test_a_file_that_is_no_state_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(b"these are somebody's notes, not a database at all" * 30)
    before = path.read_bytes()
    with pytest.raises(StateError, match="start over"):
        Saved(path)
    assert path.read_bytes() == before


def test_a_state_of_another_schema_is_refused(tmp_path):
    path = tmp_path / "state.db"
    Saved(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="schema 99"):
        Saved(path)


def test_a_directory_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="state file"):
        Saved(tmp_path / "file" / "state.db")


def test_removing_a_state_takes_its_journals_too(tmp_path):
    path = tmp_path / "state.db"
    saved = Saved(path)
    saved.put("key", b"value")
    saved.save()
    remove_state(path)
    assert list(tmp_path.iterdir()) == []
    saved.close()


def test_arrivals_before_a_time_can_be_dropped():
    saved = Saved(None)
    saved.put_arrivals(60, "a", "a-1", b"x")
    saved.put_arrivals(120, "a", "a-1", b"y")
    saved.drop_arrivals(120)
    assert list(saved.arrivals()) == [(120, "a", "a-1", b"y")]
    saved.close()


def test_a_link_in_the_place_of_a_state_is_not_followed(tmp_path):
    """In /tmp anybody lays one, to another file of the person's."""
    (tmp_path / "state.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StateError):
        Saved(tmp_path / "state.db")
    assert not (tmp_path / "elsewhere.db").exists()
