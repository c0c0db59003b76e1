"""Who did it: the kernel's word for it, and nothing that a terminal or a parser would act on."""

import json
import os
import pwd
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.change import Author, Change, Guard, Request, Standing
from canary.rollout.change.moves import promote
from canary.rollout.change.stage_record import encode_record
from tests.cli.commands import run_process, running_cloud
from tests.embedded import DEFAULT_PLAN

ME = pwd.getpwuid(os.getuid()).pw_name


def built(author: Author, reason: str) -> Change:
    standing = Standing(2, 10, Guard("ion-api", "etag-1", 10))
    return promote(DEFAULT_PLAN, standing, Request("c1", author, 1000.0, reason))


@given(st.text(), st.text(), st.text(), st.text())
def test_no_control_character_reaches_annotation_or_journal(
    user: str, host: str, beside: str, reason: str
):
    change = built(Author(user, host, beside), reason)
    record = next(step.record for step in change.steps if hasattr(step, "record"))
    texts = (record.by, record.host, record.beside, record.reason, change.reason)
    assert all(text.isprintable() for text in (*texts, str(change.author)))
    assert json.loads(encode_record(record))
    # and what an older version or somebody else has written is read as harmlessly
    again = msgspec.json.decode(msgspec.json.encode(change), type=Change)
    assert again == change


def test_the_environment_does_not_make_somebody_else_of_the_person(tmp_path: Path, monkeypatch):
    """`LOGNAME=ceo canary rollback` was recorded as the ceo's."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "ceo")
    monkeypatch.setenv("SUDO_USER", "ceo\x1b[2J\nroot")
    with running_cloud(tmp_path) as cloud:
        given = ["--yes", "--reason", "a\x1b[31mb\x07\x00c".replace("\x00", "")]
        config = ["--config", str(cloud.plan_path)]
        ended = run_process(["rollback", "--all", *given, *config], tmp_path, tmp_path / "state")
        assert ended.code == 0, ended
        log = run_process(["log", "--json", *config], tmp_path, tmp_path / "state").document
    entry = log[0]
    said = json.dumps(entry)
    assert entry["by"].startswith(f"{ME}@")
    assert "SUDO_USER claims ceo" in entry["by"]
    assert "\\u001b" not in said
    assert "\\u0007" not in said
    journal = next((tmp_path / "state").rglob("journal.db"))
    with closing(sqlite3.connect(journal)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM pragma_table_list")]
        rows = [row for name in tables for row in database.execute(f'SELECT * FROM "{name}"')]  # noqa: S608
    # Not the file's bytes: a checksum may be anything.
    kept = [v if isinstance(v, bytes) else str(v).encode() for row in rows for v in row]
    assert any(entry["id"].encode() in value for value in kept)
    assert not any(b"\\u001b" in value or b"\x1b" in value for value in kept)
