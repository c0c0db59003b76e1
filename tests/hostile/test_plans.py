"""A plan that others could have written is looked at, and nothing of it acts."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canary.cli.commands import run
from canary.cli.opening import find_plan
from canary.cli.setup.fleet import choose_like, find_plans, like_shipped
from canary.cloud.router.program import run_command
from canary.host.owners import find_weakness
from canary.host.trust import Trust, change_trust, read_trust
from canary.rollout.errors import CanaryError, ReadOnly, ToolFailed
from tests.cli.commands import Cloud, Ended, run_process, running_cloud
from tests.hostile.other import (
    OTHER_UID,
    needs_root,
    open_way,
    run_as_other,
    share_with_group,
)

ACTING = (
    ["promote", "--yes"],
    ["rollback", "--yes"],
    ["rollback", "--all", "--yes"],
    ["scale", "canary", "--min", "1", "--yes"],
    ["adopt", "--yes"],
    ["revert", "--yes"],
    ["guard", "--once"],
    ["verify"],
    ["compare"],
    ["load-test"],
    ["ab-test"],
    ["monitor"],
    ["monitor", "--detach"],
    ["alerts", "apply", "--yes"],
    ["checklist", "--tick", "x"],
    ["recover", "x", "--resume"],
    ["recover", "x", "--abandon"],
    ["log", "--withdraw", "x"],
    ["retire", "apply", "--yes", "--confirm", "ion-api"],
)
LOOKING = (["status"], ["log"], ["evidence"], ["checklist"], ["recover"], ["export", "grafana"])

LOOKED = (0, 3, 10, 20, 30)
"""Exit codes of a look; 3: without its program the share is not known."""

Weaken = Callable[[Path], object]


def loosen_group(plan: Path) -> None:
    share_with_group(plan, 0o664)


def loosen_all(plan: Path) -> None:
    plan.chmod(0o602)


def loosen_directory(plan: Path) -> None:
    plan.parent.chmod(0o777)


def loosen_above(plan: Path) -> None:
    share_with_group(plan.parent.parent, 0o770)


def give_away(plan: Path) -> None:
    os.chown(plan, OTHER_UID, OTHER_UID)


def link_there(plan: Path) -> None:
    """The plan is a link to a file in a directory of everybody's."""
    place = plan.parent.parent / "shared"
    place.mkdir()
    plan.rename(place / "kept.toml")
    place.chmod(0o777)
    plan.symlink_to(place / "kept.toml")


WEAK = (
    pytest.param(loosen_group, marks=needs_root),
    loosen_all,
    loosen_directory,
    pytest.param(loosen_above, marks=needs_root),
    link_there,
    pytest.param(give_away, marks=needs_root),
)


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    monkeypatch.setenv("CANARY_CONFIG_DIR", str(path))
    return path


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as opened:
        yield opened


@pytest.fixture
def plan(cloud: Cloud, tmp_path: Path) -> Path:
    """A plan of one's own whose router is a program, which leaves a trace when it runs."""
    place = tmp_path / "team" / "rollout"
    place.mkdir(parents=True, mode=0o755)
    program = tmp_path / "share"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho 5\n")
    program.chmod(0o755)
    text = cloud.plan_path.read_text()
    router = f'kind = "command"\nset = ["{program}", "{{percent}}"]\nread = ["{program}"]\n'
    head, _, tail = text.partition("[target.router]\n")
    rest = tail[tail.index("\n[") :]
    path = place / "canary.toml"
    path.write_text(f"{head}[target.router]\n{router}{rest}")
    path.chmod(0o644)
    return path


def ask(plan: Path, tmp_path: Path, *arguments: str) -> Ended:
    return run_process([*arguments, "--config", str(plan)], tmp_path, tmp_path / "state")


def test_ones_own_plan_acts(plan: Path, tmp_path: Path):
    assert find_plan(str(plan)).distrust is None
    assert ask(plan, tmp_path, "status").code in LOOKED
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("weaken", WEAK)
def test_looking_at_a_plan_that_others_can_write_runs_none_of_its_programs(
    plan: Path, tmp_path: Path, weaken: Weaken
):
    weaken(plan)
    assert ask(plan, tmp_path, "status").code in LOOKED
    assert not (tmp_path / "ran").exists()
    refused = ask(plan, tmp_path, "rollback", "--all", "--yes")
    assert refused.code == 4
    assert "only looked at" in refused.err
    assert "canary trust plan" in refused.err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("weaken", WEAK)
def test_every_way_in_is_seen(plan: Path, weaken: Weaken):
    weaken(plan)
    source = find_plan(str(plan))
    assert source.distrust is not None
    assert source.is_read_only
    assert source.plan.target.router.read == ()
    assert not source.plan.notify.is_on
    with pytest.raises(ReadOnly, match="only looked at"):
        find_plan(str(plan), acts=True)


@pytest.mark.parametrize("arguments", ACTING, ids=" ".join)
def test_every_command_that_acts_refuses_it(
    plan: Path,
    tmp_path: Path,
    state_dir: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
):
    loosen_directory(plan)
    assert run([*arguments, "--config", str(plan)]) == 4
    said = capsys.readouterr().err
    assert "can be written by others, so this plan is only looked at" in said
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_looking_goes_on(plan: Path, tmp_path: Path, arguments: list[str]):
    loosen_directory(plan)
    ended = ask(plan, tmp_path, *arguments)
    assert ended.code in LOOKED, ended
    assert not (tmp_path / "ran").exists()


def test_a_program_that_others_can_write_makes_the_plan_look_only(plan: Path, tmp_path: Path):
    (tmp_path / "share").chmod(0o777)
    assert ask(plan, tmp_path, "status").code in LOOKED
    said = ask(plan, tmp_path, "doctor").out
    assert "share can be written by others" in said
    assert f"canary trust plan {plan}" in said
    assert not (tmp_path / "ran").exists()


def test_a_script_that_a_program_is_given_counts_as_one(plan: Path, tmp_path: Path):
    script = tmp_path / "script"
    script.write_text("touch ran\n")
    script.chmod(0o666)
    plan.write_text(
        plan.read_text().replace(f'read = ["{tmp_path}/share"]', f'read = ["sh", "{script}"]')
    )
    assert find_plan(str(plan)).distrust is not None


def test_trusted_as_it_is_it_acts_and_changed_it_asks_again(plan: Path, tmp_path: Path):
    loosen_directory(plan)
    trusted = run_process(["trust", "plan", str(plan)], tmp_path, tmp_path / "state")
    assert trusted.code == 0, trusted
    assert f"it may run {tmp_path}/share" in trusted.out
    assert find_plan(str(plan), acts=True).distrust is None
    plan.write_text(plan.read_text() + "\n# one more line\n")
    source = find_plan(str(plan))
    assert source.distrust is not None
    assert "has changed since you trusted it" in source.distrust.said
    with pytest.raises(ReadOnly, match="has changed"):
        find_plan(str(plan), acts=True)


def test_a_trusted_program_that_changes_asks_again(plan: Path, tmp_path: Path):
    program = tmp_path / "share"
    program.chmod(0o777)
    run_process(["trust", "plan", str(plan)], tmp_path, tmp_path / "state")
    assert find_plan(str(plan), acts=True).distrust is None
    program.write_text("#!/bin/sh\ntouch other\n")
    assert find_plan(str(plan)).distrust is not None


async def test_a_program_is_looked_at_again_right_before_it_runs(plan: Path, tmp_path: Path):
    """The console has run for days when the file is made writable, and another one."""
    program = tmp_path / "share"
    assert (await run_command([str(program)], 10.0)).code == 0
    (tmp_path / "ran").unlink()
    program.chmod(0o777)
    with pytest.raises(ToolFailed, match="is not run"):
        await run_command([str(program)], 10.0)
    with pytest.raises(ToolFailed, match="is not run"):
        await run_command(["sh", str(program)], 10.0)
    assert not (tmp_path / "ran").exists()


def test_trust_is_for_one_plan_and_can_be_removed(plan: Path, tmp_path: Path):
    loosen_directory(plan)
    other = plan.with_name("other.toml")
    other.write_text(plan.read_text() + "\n# other\n")
    run_process(["trust", "plan", str(plan)], tmp_path, tmp_path / "state")
    assert find_plan(str(other)).distrust is not None
    assert str(plan) in run_process(["trust", "list"], tmp_path, tmp_path / "state").out
    assert run_process(["trust", "remove", str(plan)], tmp_path, tmp_path / "state").code == 0
    assert find_plan(str(plan)).distrust is not None
    assert read_trust() == Trust()


def test_what_is_trusted_is_never_beside_the_plan(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Who writes a plan brings a trust.toml along; a clone makes both one's own."""
    monkeypatch.setenv("CANARY_CONFIG_DIR", str(plan.parent))
    change_trust(lambda _: Trust(hosts=("evil.example",)))
    with pytest.raises(CanaryError, match="beside the plan"):
        find_plan(str(plan))


@needs_root
def test_the_second_user_plants_a_plan_in_tmp(plan: Path, tmp_path: Path):
    """What is typed in a directory like /tmp: everybody's, sticky, with somebody's canary.toml."""
    place = tmp_path / "tmp"
    place.mkdir()
    place.chmod(0o1777)
    open_way(place / "x")
    done = run_as_other('cat > "$1"; chmod 644 "$1"', place / "canary.toml")
    assert done.returncode == 0, done
    (place / "canary.toml").write_text(plan.read_text())
    ended = run_process(["status"], place, tmp_path / "state")
    assert ended.code in LOOKED
    refused = run_process(["rollback", "--all", "--yes"], place, tmp_path / "state")
    assert refused.code == 4
    assert "belongs to nobody" in refused.err
    assert not (tmp_path / "ran").exists()


@needs_root
def test_the_second_user_cannot_swap_what_is_believed(plan: Path, tmp_path: Path):
    """Believed in a sticky directory, because there only its owner can rename it."""
    place = tmp_path / "tmp"
    place.mkdir()
    place.chmod(0o1777)
    open_way(place / "x")
    (place / "canary.toml").write_bytes(plan.read_bytes())
    assert find_weakness(place / "canary.toml") is None
    swapped = run_as_other('echo bad > "$1.new" && mv -f "$1.new" "$1"', place / "canary.toml")
    assert swapped.returncode != 0
    assert (place / "canary.toml").read_bytes() == plan.read_bytes()


def test_a_plan_through_a_pipe_of_ones_own_is_read(plan: Path, tmp_path: Path):
    with plan.open("rb") as given:
        done = subprocess.run(
            [sys.executable, "-m", "canary.cli.main", "log", "--config", "/dev/stdin"],
            stdin=given,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done


@needs_root
@pytest.mark.parametrize(("group", "may_act"), [("private", True), ("other", False)])
def test_a_plan_that_a_group_can_write_acts_only_when_the_group_is_ones_own(
    plan: Path, group: str, may_act: bool
):
    """A fresh clone under umask 002 is writable by the person's private group, and acts."""
    os.chown(plan, os.geteuid(), 0 if group == "private" else OTHER_UID)
    plan.chmod(0o664)
    assert (find_plan(str(plan)).distrust is None) is may_act


def test_a_plan_that_everybody_can_write_never_acts(plan: Path):
    plan.chmod(0o666)
    assert find_plan(str(plan)).distrust is not None


def test_another_name_for_an_old_plan_is_not_believed_in_tmp(tmp_path: Path):
    """Where fs.protected_hardlinks is off anybody gives a file of the person a name in /tmp."""
    place, old = tmp_path / "tmp", tmp_path / "old.toml"
    old.write_text("")
    place.mkdir()
    os.link(old, place / "canary.toml")
    assert find_weakness(place / "canary.toml") is None
    place.chmod(0o1777)
    found = find_weakness(place / "canary.toml")
    assert found is not None
    assert "another name" in found.said
    assert find_weakness(old) is None


def test_a_plan_of_others_gives_no_limits_to_what_no_plan_names(tmp_path: Path):
    """`canary fleet --project` judges that by the first plan that is nobody else's."""
    text = (Path(__file__).resolve().parents[2] / "canary.toml").read_text()
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(text.replace("ion-api", name))
    (tmp_path / "a.toml").chmod(0o666)
    named, _ = find_plans([str(tmp_path / "a.toml"), str(tmp_path / "b.toml")], must=True)
    assert [each.is_own for each in named] == [False, True]
    assert choose_like(named) == named[1].plan
    assert choose_like(named[:1]) == like_shipped()


@pytest.mark.parametrize("path", ["a file", "a directory above"])
def test_an_access_list_is_no_private_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
):
    """The group's bits stand for what others, who are named in it, may have."""
    monkeypatch.setattr("canary.host.owners._is_private_group", lambda *_: True)
    plan = tmp_path / "canary.toml"
    plan.write_text("")
    weak = plan if path == "a file" else tmp_path
    weak.chmod(0o770)
    assert find_weakness(plan) is None
    named = ((1, 7, -1), (2, 6, OTHER_UID), (4, 0, -1), (16, 7, -1), (32, 0, -1))
    entries = b"".join(struct.pack("<HHi", *entry) for entry in named)
    try:
        os.setxattr(weak, "system.posix_acl_access", struct.pack("<I", 2) + entries)
    except OSError:
        pytest.skip("a file system without access lists")
    found = find_weakness(plan)
    assert found is not None
    assert found.path == weak
