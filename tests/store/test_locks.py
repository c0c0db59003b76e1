"""An owner is alive exactly as long as its process holds the lock."""

import os
import subprocess
import sys

from canary.store.locks import Owner, is_alive


def test_an_owner_is_alive_until_it_is_released(tmp_path):
    owner = Owner(tmp_path)
    assert is_alive(tmp_path, owner.token)
    owner.release()
    assert not is_alive(tmp_path, owner.token)


def test_an_owner_whose_process_was_killed_is_dead(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from canary.store.locks import Owner;"
        "print(Owner(Path(sys.argv[1])).token, flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        token = process.stdout.readline().strip()
        # The object is dropped at once in that process; the descriptor is what holds the lock.
        assert is_alive(tmp_path, token)
        process.kill()
        process.wait()
    assert not is_alive(tmp_path, token)


def test_what_dead_owners_left_is_swept_and_living_ones_stay(tmp_path):
    with Owner(tmp_path) as living:
        (tmp_path / "owners" / "1-dead").touch()
        with Owner(tmp_path) as newest:
            names = {path.name for path in (tmp_path / "owners").iterdir()}
            assert names == {living.token, newest.token}


def test_tokens_that_were_never_made_are_dead(tmp_path):
    assert not is_alive(tmp_path, "")
    assert not is_alive(tmp_path, "1-abc")
    assert not is_alive(tmp_path, f"..{os.sep}owners")
