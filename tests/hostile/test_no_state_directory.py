"""No usable directory for this host's files: looking goes on, and a rollback still goes out.

Left by `sudo -E` (it belongs to root), a home that is read-only, a full disk, a path that is none.
"""

import asyncio
import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canary.cloud.connection.clients import Connection
from canary.cloud.router.choice import open_router
from canary.cloud.views import ServiceState
from canary.rollout.plan.file import load_plan
from tests.cli.commands import ROOT, Cloud, Ended, running_cloud
from tests.forked import run_forked

NOBODY = 65534
LOOKED = (0, 10, 20, 30)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a second user needs root")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that any user of this host may enter (pytest's own may not be)."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def cloud(place: Path) -> Iterator[Cloud]:
    with running_cloud(place) as running:
        yield running


Run = Callable[..., Ended]


BOUND = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""A root that other people's files are closed to, as they are to everybody else."""


def _runner(place: Path, cloud: Cloud, state: str, *before: str) -> Run:
    environment = {
        **os.environ,
        "CANARY_STATE_DIR": state,
        "CANARY_CONFIG_DIR": str(place / "config"),
        "HOME": str(place),
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "GRPC_VERBOSITY": "NONE",
    }

    plan = ("-c", str(cloud.plan_path))

    def run(*arguments: str) -> Ended:
        if not before:
            forked = run_forked([*arguments, *plan], place, environment)
            return Ended(forked.returncode, forked.stdout.decode(), forked.stderr.decode())
        done = subprocess.run(
            [*before, sys.executable, "-m", "canary.cli.main", *arguments, *plan],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(params=["a file", "nowhere", "left by another", "not to be written"])
def run(request: pytest.FixtureRequest, place: Path, cloud: Cloud) -> Run:
    """A command with a state directory that cannot be used in one of the ways."""
    if request.param == "nowhere":
        return _runner(place, cloud, "/dev/null/state")
    if request.param == "a file":
        (place / "state").write_text("not a directory")
        return _runner(place, cloud, str(place / "state"))
    if os.geteuid() != 0 or shutil.which(BOUND[0]) is None:
        pytest.skip("another user's directory needs root, and setpriv")
    state = place / "state"
    state.mkdir(mode=0o755)
    if request.param == "left by another":
        assert _runner(place, cloud, str(state))("status").code in LOOKED
        (left,) = [path for path in state.iterdir() if path.is_dir()]
        assert stat.S_IMODE(left.stat().st_mode) == 0o700
        os.chown(left, NOBODY, NOBODY)
    os.chown(state, NOBODY, NOBODY)
    return _runner(place, cloud, str(state), *BOUND)


def kept(cloud: Cloud) -> ServiceState:
    """What the service itself keeps: its share, and of the last change the record."""
    plan = load_plan(cloud.plan_path)

    async def read() -> ServiceState:
        connection = Connection(plan.target.endpoints)
        try:
            return await open_router(plan, connection).service(plan.router_service)
        finally:
            await connection.close()

    return asyncio.run(read())


def kept_reason(cloud: Cloud) -> str:
    """Why the last change was made, as the service itself keeps it."""
    record = kept(cloud).record
    return record.reason if record is not None else ""


def test_a_look_is_possible(run: Run):
    ended = run("status")
    assert ended.code in LOOKED, ended.err
    assert "Canary" in ended.out


def test_a_rollback_says_why_and_gives_the_command_to_type(run: Run, cloud: Cloud):
    ended = run("rollback", "--all", "--yes")
    assert ended.code == 3
    assert "Without a journal nothing is changed from here." in ended.err
    assert "By hand: gcloud run services update ion-api" in ended.err
    assert "--no-journal --reason" in ended.err
    assert kept(cloud).percent == 10
    as_json = run("rollback", "--all", "--yes", "--json")
    assert as_json.code == 3
    assert "By hand: gcloud" in as_json.document["error"]["remedy"]


def test_a_person_may_send_it_all_the_same_and_it_is_told_in_the_cloud(run: Run, cloud: Cloud):
    assert run("rollback", "--all", "--yes", "--no-journal").code == 2
    ended = run("rollback", "--all", "--yes", "--no-journal", "--reason", "canary fails")
    assert ended.code == 0, ended.err
    assert "SENT WITHOUT A JOURNAL" in ended.err
    assert "nobody checks its status" in ended.err
    assert kept(cloud).percent == 0
    assert kept_reason(cloud) == "[in no journal] canary fails"


def test_sent_without_a_journal_it_is_guarded_as_ever(place: Path, cloud: Cloud):
    run = _runner(place, cloud, "/dev/null/state")
    cloud.post("scenario", {"name": "conflict"})
    ended = run("rollback", "--all", "--yes", "--no-journal", "--reason", "x", "--json")
    assert ended.code == 4
    assert (ended.document["outcome"]["state"], ended.document["in_journal"]) == ("refused", False)


def test_nothing_but_going_back_goes_out_without_a_journal(place: Path, cloud: Cloud):
    run = _runner(place, cloud, "/dev/null/state")
    ended = run("promote", "--yes", "--no-journal", "--reason", "x", "--force")
    assert ended.code == 2
    assert kept(cloud).percent == 10


def test_a_journal_that_can_be_used_is_used(place: Path, cloud: Cloud):
    run = _runner(place, cloud, str(place / "fine"))
    ended = run("rollback", "--all", "--yes", "--no-journal", "--reason", "x", "--json")
    assert (ended.code, ended.document["in_journal"]) == (0, True)
    assert "WITHOUT A JOURNAL" not in ended.err


@as_root
def test_on_a_full_disk_it_still_goes_out(place: Path, cloud: Cloud):
    disk = place / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        run = _runner(place, cloud, str(disk))
        assert run("status").code in LOOKED
        filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while os.write(filler, b"x" * 4096):
                pass
        os.close(filler)
        refused = run("rollback", "--all", "--yes")
        assert (refused.code, "By hand: gcloud" in refused.err) == (3, True)
        ended = run("rollback", "--all", "--yes", "--no-journal", "--reason", "full")
        assert ended.code == 0, ended.err
        assert kept(cloud).percent == 0
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
