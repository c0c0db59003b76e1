"""Damaged files of this host: what cannot be read is said, and never taken for "nothing there"."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from canary.cli.commands import run
from canary.cli.output import Acting
from canary.rollout.change.change import Author, Change, Guard, Outcome, Request, Standing
from canary.rollout.change.moves import step_back
from canary.rollout.errors import RecordError
from canary.rollout.plan.file import load_plan
from canary.store.journal import Journal
from canary.store.paths import journal_path, rollout_slug
from tests.cli.commands import Cloud, Ended, running_cloud
from tests.hostile.text import is_harmless
from tests.long import examples

CODES = {0, 1, 2, 3, 4, 5, 10, 20, 30}
"""The documented exit codes without 70, a mistake in this program, and 130."""


def change(plan_path: Path, change_id: str) -> Change:
    standing = Standing(stage=2, percent=10, guard=Guard("ion-api", "e1", 10))
    request = Request(change_id, Author("oncall", "b"), 1_760_000_000.0, "a reason")
    return step_back(load_plan(plan_path), standing, request)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("damage")) as running:
        yield running


@pytest.fixture
def directory(state_dir: Path, cloud: Cloud) -> Path:
    """The rollout's directory, with one change that is done and one that is open."""
    path = state_dir / rollout_slug(load_plan(cloud.plan_path))
    path.mkdir(mode=0o700)
    with Journal(journal_path(path)) as journal:
        for name in ("finished", "pending"):
            journal.intend(change(cloud.plan_path, name))
            journal.note(name, 0, "sent", "", 1_760_000_001.0)
        journal.note("finished", 0, "settled", "", 1_760_000_002.0)
        journal.settle("finished", Outcome("done", "Canary has 5 %.", 1_760_000_003.0, 5))
    return path


@pytest.fixture
def command(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(Acting, "now", False)
        capsys.readouterr()
        code = run((*arguments, "-c", str(cloud.plan_path)))
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


DAMAGE = {
    "no JSON": "UPDATE changes SET body = 'x' || body WHERE id = 'pending'",
    "a body that is a number": "UPDATE changes SET body = CAST(7 AS BLOB) WHERE id = 'pending'",
    "an outcome that is none": "UPDATE changes SET outcome = '{}' WHERE id = 'pending'",
    "an unknown note": "UPDATE notes SET state = 'zent' WHERE change_id = 'pending'",
    "a note of no step": "UPDATE notes SET step = 9 WHERE change_id = 'pending'",
    "a step that is a text": "UPDATE notes SET step = 'one' WHERE change_id = 'pending'",
    "a time that is none": "UPDATE notes SET at = 9e999 WHERE change_id = 'pending'",
    "an intent at no time": "UPDATE changes SET intended_at = 'x' WHERE id = 'pending'",
    "a text that is none": "UPDATE changes SET owner = CAST(x'ff' AS TEXT) WHERE id = 'pending'",
    "another change's body": (
        "UPDATE changes SET body = (SELECT body FROM changes WHERE id = 'finished')"
        " WHERE id = 'pending'"
    ),
}


def spoil(directory: Path, statement: str) -> None:
    with sqlite3.connect(journal_path(directory)) as db:
        db.execute(statement)
    db.close()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_row_that_cannot_be_read_is_an_unknown_outcome(
    directory: Path, command: Callable[..., Ended], damage: str
):
    spoil(directory, DAMAGE[damage])
    listed, logged, doctor = command("recover"), command("log"), command("doctor")
    assert "No pending changes" not in listed.out
    assert "No change was made" not in logged.out
    assert listed.code == 5
    assert "pending  unreadable: unknown outcome" in listed.out
    assert "pending  unreadable: unknown outcome" in logged.out
    assert "finished" in logged.out or "roll back one stage" in logged.out
    assert "1 is unreadable: unknown outcome" in doctor.out
    document = command("recover", "--json").document
    assert [(d["id"], d["kind"], d["outcome"]) for d in document] == [
        ("pending", "unreadable", "unknown")
    ]
    asked = command("recover", "pending")
    assert (asked.code, "unreadable: unknown outcome" in asked.err) == (3, True)


def test_a_row_that_cannot_be_read_is_told_to_whoever_watches(
    directory: Path, command: Callable[..., Ended]
):
    from canary.engine.observe.event_log import EventLog
    from canary.engine.observe.source import JournalFeed

    spoil(directory, DAMAGE["no JSON"])
    with Journal(journal_path(directory)) as journal:
        events = EventLog()
        feed = JournalFeed(journal, events)
        feed.read(1_760_000_100.0)
        feed.read(1_760_000_101.0)
    said = [e.text for e in events.events if "cannot be read: unknown outcome" in e.text]
    assert len(said) == 1
    assert [entry.change.id for entry in feed.entries] == ["finished"]


def test_a_row_that_cannot_be_read_hinders_no_rollback_and_is_never_carried_out(
    directory: Path, command: Callable[..., Ended]
):
    spoil(directory, DAMAGE["no JSON"])
    assert command("rollback", "--all", "--dry-run").code == 0
    with Journal(journal_path(directory)) as journal:
        assert journal.open_changes() == ()
        with pytest.raises(RecordError, match="unreadable"):
            journal.entry("pending")


def test_damage_whose_message_cannot_be_decoded_gives_the_sentence_and_the_command(
    directory: Path, command: Callable[..., Ended]
):
    """SQLite quotes the damaged schema in its message, byte by byte."""
    path = journal_path(directory)
    body = path.read_bytes()
    at = body.index(b"CREATE TABLE notes")
    path.write_bytes(body[:at] + b"\xff\xfe\xfd" + body[at + 3 :])
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    ended = command("rollback", "--all", "--yes")
    assert ended.code == 3, ended
    assert "The journal" in ended.err
    assert "By hand: gcloud run services update ion-api" in ended.err
    assert is_harmless(ended.err.replace("\n", ""))


@examples(8, 60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(["journal.db", "history.db", "evidence.db"]),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=12),
    in_text=st.booleans(),
)
def test_flipped_bytes_end_every_command_with_a_documented_code_and_a_sentence(
    directory: Path,
    command: Callable[..., Ended],
    tmp_path: Path,
    file: str,
    places: list[tuple[float, int]],
    in_text: bool,
):
    whole = tmp_path / "whole"
    if not whole.exists():
        assert command("status").code in CODES  # it fills the caches
        shutil.copytree(directory, whole)
    shutil.rmtree(directory)
    shutil.copytree(whole, directory)
    path = directory / file
    body = bytearray(path.read_bytes())
    first = body.find(b'{"id"') if in_text and file == "journal.db" else 0
    for share, bits in places:
        body[max(first, 0) + int(share * (len(body) - 1 - max(first, 0)))] ^= bits
    path.write_bytes(bytes(body))
    for arguments in (
        ("status",),
        ("status", "--json"),
        ("log",),
        ("log", "--json"),
        ("recover",),
        ("doctor",),
        ("rollback", "--all", "--dry-run"),
        ("recover", "pending", "--json"),
    ):
        ended = command(*arguments)
        assert ended.code in CODES, (arguments, ended)
        assert (ended.out + ended.err).strip(), arguments
        if "--json" in arguments:
            json.loads(ended.out)
    listed = command("recover")
    if "No pending changes" in listed.out:
        with Journal(path.parent / "journal.db", read_only=True) as journal:
            assert journal.unreadable() == ()
