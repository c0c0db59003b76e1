"""Who else has this rollout open on this host."""

import subprocess
import sys
from pathlib import Path

import msgspec

from canary.rollout.snapshot.snapshot import OperatorSession
from canary.store.presence import SESSIONS_DIR, OperatorSessionHolder, read_operator_sessions

ANN = OperatorSession(1, "ann", "bastion", 100.0, terminal="pts/1")
BOB = OperatorSession(2, "bob", "bastion", 50.0, read_only=True)

OTHER = """
import os, signal, sys
from pathlib import Path
from canary.store.presence import OperatorSessionHolder
from canary.rollout.snapshot.snapshot import OperatorSession
me = OperatorSession(os.getpid(), "eve", "bastion", 1.0)
holder = OperatorSessionHolder(Path(sys.argv[1]), me)
print("here", flush=True)
signal.pause()
"""


def test_others_are_seen_and_oneself_is_not(tmp_path: Path):
    first, second = OperatorSessionHolder(tmp_path, ANN), OperatorSessionHolder(tmp_path, BOB)
    assert first.others() == (BOB,)
    assert second.others() == (ANN,)
    assert read_operator_sessions(tmp_path) == (BOB, ANN)
    first.release()
    second.release()


def test_who_has_gone_is_not_shown(tmp_path: Path):
    first, second = OperatorSessionHolder(tmp_path, ANN), OperatorSessionHolder(tmp_path, BOB)
    second.release()
    second.release()
    assert first.others() == ()
    first.release()


def test_who_was_killed_is_not_shown(tmp_path: Path):
    mine = OperatorSessionHolder(tmp_path, ANN)
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "here\n"
    assert [session.user for session in mine.others()] == ["eve"]
    other.kill()
    other.wait()
    other.stdout.close()
    assert mine.others() == ()
    assert len(list((tmp_path / SESSIONS_DIR).iterdir())) == 1
    mine.release()


def test_files_are_for_their_owner_alone(tmp_path: Path):
    mine = OperatorSessionHolder(tmp_path, ANN)
    (path,) = (tmp_path / SESSIONS_DIR).iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    mine.release()


def test_rubbish_is_nobody(tmp_path: Path):
    mine = OperatorSessionHolder(tmp_path, ANN)
    (tmp_path / SESSIONS_DIR / "rubbish").write_text("{")
    assert mine.others() == ()
    mine.release()


def test_a_place_that_cannot_be_written_shows_nobody_and_harms_nothing(tmp_path: Path):
    (tmp_path / SESSIONS_DIR).write_text("")
    mine = OperatorSessionHolder(tmp_path, ANN)
    assert mine.others() == ()
    mine.release()
    assert (tmp_path / SESSIONS_DIR).is_file()


def test_a_seat_that_is_written_anew_is_seen_whole(tmp_path: Path):
    session = OperatorSession(1, "bob", "bastion-3", 1.0)
    holder = OperatorSessionHolder(tmp_path, session)
    for armed in (True, False):
        changed = msgspec.structs.replace(session, armed=armed)
        holder.change(changed)
        assert read_operator_sessions(tmp_path) == (changed,)
    holder.release()
    holder.change(session)
    assert read_operator_sessions(tmp_path) == ()
