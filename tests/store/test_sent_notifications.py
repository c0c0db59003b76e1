"""What others were told: one of many tells, and not again too soon."""

import sqlite3
import time
from pathlib import Path

import pytest

from canary.rollout.errors import RecordError
from canary.rollout.export.notification import Notification, Tone
from canary.store.paths import sent_notifications_path
from canary.store.sent_notifications import (
    KEPT_S,
    MOST_WAITING,
    VERDICT,
    Backlog,
    SentNotifications,
)


@pytest.fixture
def told(tmp_path: Path):
    opened = SentNotifications(sent_notifications_path(tmp_path))
    yield opened
    opened.close()


def notice(key: str, text: str = "worse", tone: Tone = "critical") -> Notification:
    return Notification(key, text, tone)


def tell_all(memory: SentNotifications, now: float) -> list[tuple[str, int]]:
    """Take and tell all that is due; texts and counts."""
    said = []
    while (what := memory.take(now, 60.0)) is not None:
        memory.told(what, now)
        said.append((what.notification.text, what.count))
    return said


@pytest.mark.parametrize(
    ("later_s", "again"), [(0.0, False), (899.9, False), (900.0, True), (5000.0, True)]
)
def test_the_same_thing_is_told_again_only_after_a_while(
    told: SentNotifications, later_s: float, again: bool
):
    told.put(notice("verdict watch"), 1000.0, 900.0)
    assert tell_all(told, 1000.0) == [("worse", 1)]
    told.put(notice("verdict watch"), 1000.0 + later_s, 900.0)
    assert bool(tell_all(told, 1000.0 + later_s)) is again


def test_what_was_so_again_within_a_while_is_told_at_its_end_as_so_many(told: SentNotifications):
    for at in (1000.0, 1100.0, 1200.0, 1300.0):
        told.put(notice("verdict watch", f"at {at:g}"), at, 900.0)
        if at == 1000.0:
            assert tell_all(told, at) == [("at 1000", 1)]
    assert tell_all(told, 1899.0) == []
    assert told.next_due_s(1899.0) == 1.0
    assert tell_all(told, 1900.0) == [("at 1300", 3)]


def test_what_turns_worse_while_the_same_is_being_sent_is_not_lost(told: SentNotifications):
    told.put(notice("a", "first"), 1000.0, 900.0)
    sending = told.take(1000.0, 60.0)
    assert sending is not None
    told.put(notice("a", "second"), 1001.0, 900.0)
    told.told(sending, 1002.0)
    assert tell_all(told, 1002.0) == []
    assert tell_all(told, 1901.0) == [("second", 1)]


def test_another_thing_is_told_at_once(told: SentNotifications):
    told.put(notice("a", "a"), 1000.0, 900.0)
    told.put(notice("b", "b"), 1000.0, 900.0)
    assert tell_all(told, 1000.0) == [("a", 1), ("b", 1)]


def test_a_clock_set_back_does_not_silence_for_ever(told: SentNotifications):
    told.put(notice("a"), 1_000_000.0, 900.0)
    assert tell_all(told, 1_000_000.0)
    told.put(notice("a"), 1000.0, 900.0)
    assert tell_all(told, 1000.0)
    told.put(notice("b"), 1_000_000.0, 900.0)
    refused = told.take(1_000_000.0, 60.0)
    assert refused is not None
    told.refused(refused, 1_000_000.0, "503", all_of_it=True)
    assert tell_all(told, 2000.0)


def test_of_two_processes_one_tells(tmp_path: Path, told: SentNotifications):
    other = SentNotifications(sent_notifications_path(tmp_path))
    heard: list[tuple[str, str | None]] = []

    def turn(memory: SentNotifications, verdict: str) -> None:
        def tell(before: str | None) -> Notification | None:
            heard.append((verdict, before))
            return notice(verdict, verdict) if before else None

        memory.turn(VERDICT, verdict, tell, 1.0, 900.0)

    for memory, verdict in ((told, "continue"), (other, "watch"), (told, "watch")):
        turn(memory, verdict)
    assert heard == [("continue", None), ("watch", "continue")]
    assert [tell_all(told, 1.0), tell_all(other, 1.0)] == [[("watch", 1)], []]
    other.close()


def test_what_is_being_sent_by_one_is_left_alone_until_that_one_is_gone(
    tmp_path: Path, told: SentNotifications
):
    told.put(notice("", "x"), 1000.0, 900.0)
    assert told.take(1000.0, 60.0) is not None
    other = SentNotifications(sent_notifications_path(tmp_path))
    assert other.take(1059.0, 60.0) is None
    assert tell_all(other, 1060.0) == [("x", 1)]
    other.close()


def test_what_is_refused_is_tried_again_less_and_less_often_and_no_longer_than_a_week(
    told: SentNotifications,
):
    told.put(notice("", "x"), 1000.0, 900.0)
    now, pauses = 1000.0, []
    for _ in range(6):
        what = told.take(now, 60.0)
        assert what is not None
        told.refused(what, now, "503", all_of_it=True)
        pause = told.next_due_s(now)
        assert pause is not None
        pauses.append(pause)
        now += pause
    assert pauses == [5.0, 15.0, 60.0, 300.0, 300.0, 300.0]
    assert told.backlog() == Backlog(1, 1000.0, "503")
    assert told.drop_old(now) == ()
    assert told.drop_old(1001.0 + KEPT_S) == ("x",)
    assert told.backlog() is None


def test_what_finds_no_room_takes_the_place_of_what_matters_least(told: SentNotifications):
    told.put(notice("", "info", "info"), 1000.0, 900.0)
    for number in range(MOST_WAITING + 1):
        told.put(notice("", f"bad {number}"), 1001.0, 900.0)
    assert told.drop_old(1002.0) == ("info", "bad 0")


def test_when_it_takes_again_what_was_refused_goes_out_at_once(told: SentNotifications):
    for text in ("a", "b"):
        told.put(notice("", text), 1000.0, 900.0)
    refused = told.take(1000.0, 60.0)
    assert refused is not None
    told.refused(refused, 1000.0, "503", all_of_it=True)
    assert told.take(1001.0, 60.0) is None
    told.put(notice("", "c"), 1001.0, 900.0)
    taken = told.take(1001.0, 60.0)
    assert taken is not None
    assert taken.notification.text == "c"
    told.told(taken, 1001.0)
    assert tell_all(told, 1001.0) == [("a", 1), ("b", 1)]


def test_an_end_is_told_once_whoever_finds_it_and_none_from_before(told: SentNotifications):
    now = time.time()
    for _ in range(2):
        told.put(notice("", "done"), now, 900.0, once="c1 done")
    told.put(notice("", "done"), now, 900.0, once="c1 done", as_of=now)
    told.put(notice("", "old"), now, 900.0, once="c0 done", as_of=now - 3600)
    told.put(notice("", "found"), now + 60, 900.0, once="c2 done", as_of=now + 30)
    assert tell_all(told, now + 60) == [("done", 1), ("found", 1)]


def test_a_spoiled_row_takes_no_other_with_it(tmp_path: Path, told: SentNotifications):
    told.put(notice("", "a"), 1000.0, 900.0)
    told.put(notice("", "b"), 1000.0, 900.0)
    with sqlite3.connect(sent_notifications_path(tmp_path)) as db:
        db.execute("UPDATE waiting SET body = ? WHERE id = 1", (b"{nothing",))
    assert tell_all(told, 1000.0) == [("b", 1)]


def test_it_is_for_its_owners_eyes(tmp_path: Path, told: SentNotifications):
    assert sent_notifications_path(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    sent_notifications_path(tmp_path).write_bytes(
        b"not a database, but long enough to be looked at" * 30
    )
    with pytest.raises(RecordError):
        SentNotifications(sent_notifications_path(tmp_path))
