"""What others were told: one of many tells, and not again too soon."""

from pathlib import Path

import pytest

from canary.rollout.errors import RecordError
from canary.store.paths import sent_notifications_path
from canary.store.sent_notifications import SentNotifications


@pytest.fixture
def told(tmp_path: Path):
    opened = SentNotifications(sent_notifications_path(tmp_path))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("later_s", "again"), [(0.0, False), (899.9, False), (900.0, True), (5000.0, True)]
)
def test_the_same_thing_is_told_again_only_after_a_while(
    told: SentNotifications, later_s: float, again: bool
):
    assert told.claim("verdict watch", 1000.0, 900.0)
    assert told.claim("verdict watch", 1000.0 + later_s, 900.0) is again


def test_another_thing_is_told_at_once(told: SentNotifications):
    assert told.claim("a", 1000.0, 900.0)
    assert told.claim("b", 1000.0, 900.0)


def test_a_clock_set_back_does_not_silence_for_ever(told: SentNotifications):
    assert told.claim("a", 1_000_000.0, 900.0)
    assert told.claim("a", 1000.0, 900.0)


def test_of_two_processes_one_tells(tmp_path: Path, told: SentNotifications):
    other = SentNotifications(sent_notifications_path(tmp_path))
    assert [told.claim("a", 1.0, 900.0), other.claim("a", 1.0, 900.0)] == [True, False]
    assert told.turn("continue") is None
    assert other.turn("watch") == "continue"
    assert told.turn("watch") is None
    other.close()


def test_it_is_for_its_owners_eyes(tmp_path: Path, told: SentNotifications):
    assert sent_notifications_path(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    sent_notifications_path(tmp_path).write_bytes(
        b"not a database, but long enough to be looked at" * 30
    )
    with pytest.raises(RecordError):
        SentNotifications(sent_notifications_path(tmp_path))
