"""The record of alert policies written: on the disk before anything is sent, for its owner."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from canary.rollout.change.change import Author
from canary.store.paths import alert_writings_path
from canary.store.procedure_records import (
    KEPT_WRITINGS,
    AlertWriting,
    AlertWritings,
    read_alert_writings,
)

WRITING = AlertWriting("w1", "a → b", Author("ann", "bastion"), ("create x", "create y"), 5.0, 9.0)


def test_what_is_kept_again_stands_in_place_of_what_was(tmp_path: Path):
    ended = msgspec.structs.replace(WRITING, done=("create x",), state="failed", message="no")
    other = msgspec.structs.replace(WRITING, id="w2")
    with AlertWritings(alert_writings_path(tmp_path)) as kept:
        kept.keep(WRITING)
        kept.keep(other)
        kept.keep(ended)
    assert read_alert_writings(tmp_path, 10) == (other, ended)
    assert read_alert_writings(tmp_path, 1) == (other,)


def test_looking_makes_no_file(tmp_path: Path):
    assert read_alert_writings(tmp_path, 10) == ()
    assert list(tmp_path.iterdir()) == []


def test_it_is_for_its_owners_eyes_and_does_not_grow_for_ever(tmp_path: Path):
    path = alert_writings_path(tmp_path)
    with AlertWritings(path) as kept:
        kept.keep(WRITING)
        assert path.stat().st_mode & 0o777 == 0o600
        with sqlite3.connect(path) as db:
            db.execute("UPDATE writings SET sequence = 1")
            db.execute("UPDATE sqlite_sequence SET seq = ?", (KEPT_WRITINGS,))
        db.close()
        kept.keep(msgspec.structs.replace(WRITING, id="w2"))
        assert [one.id for one in kept.recent(10)] == ["w2"]


def test_one_that_cannot_be_read_hides_no_other(tmp_path: Path):
    path = alert_writings_path(tmp_path)
    with AlertWritings(path) as kept:
        kept.keep(WRITING)
        with sqlite3.connect(path) as db:
            db.execute("INSERT INTO writings (id, body) VALUES ('x', '{'), ('y', 7)")
        db.close()
        assert kept.recent(10) == (WRITING,)
