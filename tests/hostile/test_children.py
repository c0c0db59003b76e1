"""A directory full of traps: no child of ours runs what is planted there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from canary.cli.inspect.p_values import ask_p_values
from canary.cloud.embedded.process import begin_process, build_config
from canary.cloud.router.program import run_command
from canary.engine.console.executor_supervisor import ExecutorSupervisor
from canary.engine.jobs.load_process import LoadProcess
from canary.engine.jobs.monitoring_loop import LoopOrder
from canary.engine.jobs.monitoring_process import start_detached, stop
from canary.host import children
from canary.host.children import (
    child_environment,
    find_own_program,
    find_program_path,
    own_path,
    python_command,
)
from canary.store.stage_file import read_standing
from tests.embedded import DEFAULT_PLAN
from tests.hostile.other import OTHER_UID, needs_root

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("msgspec", "canary", "sitecustomize", "usercustomize", "json", "locust", "click")
TOOLS = ("git", "tmux", "share")


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a directory where each module and program that a child may want has a namesake that
    leaves a file `pwned-NAME`; every PYTHON variable points there, and PATH begins with "".
    """
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in MODULES:
        (trap / name).mkdir()
        code = f"open({str(tmp_path / f'pwned-{name}')!r}, 'w').close()\nraise SystemExit(66)\n"
        (trap / name / "__init__.py").write_text(code)
        (trap / name / "__main__.py").write_text(code)
    for name in TOOLS:
        program = trap / name
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/pwned-{name}\n")
        program.chmod(0o755)
    monkeypatch.chdir(trap)
    monkeypatch.setenv("PATH", f":.:{os.environ['PATH']}")
    for name in ("PYTHONPATH", "PYTHONUSERBASE"):
        monkeypatch.setenv(name, str(trap))
    monkeypatch.setenv("PYTHONHOME", str(trap))
    monkeypatch.setenv("PYTHONSTARTUP", str(trap / "msgspec" / "__init__.py"))
    return tmp_path


def traps_sprung(place: Path) -> list[str]:
    return sorted(path.name for path in place.glob("pwned-*"))


def test_the_traps_are_real(planted: Path):
    """Started as before, a child runs what lies there."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONHOME"}
    subprocess.run([sys.executable, "-m", "canary.simulator", "{}"], env=environment, check=False)
    assert traps_sprung(planted)


def test_the_embedded_cloud_starts_past_them(planted: Path):
    config = build_config(DEFAULT_PLAN, None) | {"leases": False}
    ready = begin_process(config, planted / "cloud.log").wait()
    os.kill(ready.pid, 15)
    assert ready.services
    assert traps_sprung(planted) == []


def test_the_executor_reads_its_order_past_them(planted: Path, state_dir: Path):
    supervisor = ExecutorSupervisor(DEFAULT_PLAN, Path("canary.toml"), state_dir)
    supervisor.start()
    process = supervisor._process
    assert process is not None
    assert Path(f"/proc/{process.pid}/cwd").readlink() == state_dir
    supervisor.stop()  # its input ends: it finishes what is open, which is nothing
    assert process.wait(60) == 0, (state_dir / "executor.log").read_text()
    assert traps_sprung(planted) == []


def test_the_monitoring_loop_starts_past_them(planted: Path, state_dir: Path):
    pid = start_detached(DEFAULT_PLAN, Path("canary.toml"), LoopOrder(str(planted / "out")))
    stop(DEFAULT_PLAN)
    os.kill(pid, 15)
    os.waitpid(pid, 0)
    logs = [path.read_text() for path in state_dir.rglob("monitor.log")]
    assert logs
    assert not any("Error" in said for said in logs)
    assert traps_sprung(planted) == []


async def test_locust_starts_past_them(planted: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("canary.engine.jobs.load_process.demand_locust", lambda: None)
    process = LoadProcess()
    assert [line async for line in process.lines({"nonsense": True})] == []
    assert "settings cannot be read" in process.last_words or "Locust" in process.last_words
    assert traps_sprung(planted) == []


async def test_what_the_load_asks_for_is_on_no_command_line(monkeypatch: pytest.MonkeyPatch):
    """Everybody on the host can read those; a request's body may hold a key."""
    code = "import sys; print('{\"given\":', sys.stdin.read(), ', \"argv\":', len(sys.argv), '}')"
    asked: list[tuple[str, ...]] = []

    def command(*words: str) -> list[str]:
        asked.append(words)
        return [sys.executable, "-c", code, *words[1:]]

    monkeypatch.setattr("canary.engine.jobs.load_process.python_command", command)
    monkeypatch.setattr("canary.engine.jobs.load_process.demand_locust", lambda: None)
    lines = [line async for line in LoadProcess().lines({"requests": "a key"})]
    assert lines == [{"given": {"requests": "a key"}, "argv": 1}]
    assert asked == [("canary.loadtest",)]


def test_the_p_values_are_reckoned_past_them(planted: Path):
    pairs = [((1.0, 2.0, 3.0), (2.0, 3.0, 4.0))]
    values, said = ask_p_values(pairs)
    assert values[0] is not None or "SciPy, the optional extra" in said
    assert traps_sprung(planted) == []


def test_simulate_starts_its_cloud_past_them(planted: Path, monkeypatch: pytest.MonkeyPatch):
    """The command itself is the person's own start: from there on nothing of the place counts."""
    code = (
        "import sys; sys.path[:0] = [sys.argv.pop(1)]; from canary.cli.main import main;"
        "sys.exit(main())"
    )
    command = [sys.executable, "-E", "-P", "-c", code, str(ROOT), "simulate", "--json"]
    command += ["--config", str(ROOT / "canary.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["services"]
        process.terminate()
    assert traps_sprung(planted) == []


def test_a_program_of_the_team_is_not_taken_from_here(planted: Path):
    assert find_program_path("share") is None
    assert find_program_path("./share") is None
    git = find_program_path("git")
    assert git is None or Path(git).parent != planted / "trap"


def test_git_is_not_taken_from_here(planted: Path):
    read_standing(planted / "trap" / "rollout.toml")
    assert traps_sprung(planted) == []


@needs_root
@pytest.mark.parametrize("weaken", ["the program", "its directory", "sticky"])
def test_no_program_runs_that_others_put_first_on_path(
    planted: Path, monkeypatch: pytest.MonkeyPatch, weaken: str
):
    """Neither git nor tmux, nor what git starts in its turn (ssh, gpg)."""
    trap = planted / "trap"
    monkeypatch.setenv("PATH", f"{trap}:{os.environ['PATH']}")
    assert find_own_program("git") == str(trap / "git")
    if weaken == "the program":
        os.chown(trap / "git", OTHER_UID, OTHER_UID)
    else:
        trap.chmod(0o1777 if weaken == "sticky" else 0o777)
    assert find_own_program("git") not in (None, str(trap / "git"))
    assert (str(trap) in own_path().split(":")) == (weaken == "the program")
    (trap / "rollout.toml").write_text("")
    read_standing(trap / "rollout.toml")
    assert traps_sprung(planted) == []


async def test_a_program_stands_in_the_persons_home(planted: Path, monkeypatch: pytest.MonkeyPatch):
    home = planted / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    assert (await run_command(["pwd"], 10.0)).said == str(home)
    home.chmod(0o777)
    assert (await run_command(["pwd"], 10.0)).said == "/"


def test_places_named_from_here_are_the_same_for_a_child(
    planted: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in children.PATH_VARIABLES:
        monkeypatch.setenv(name, "kept")
    monkeypatch.setenv("GRPC_TRACE", "all")
    known = child_environment()
    assert "GRPC_TRACE" not in known
    assert {known[name] for name in children.PATH_VARIABLES} == {str(planted / "trap" / "kept")}


@pytest.mark.parametrize("module", ["canary.simulator", "canary.loadtest"])
def test_every_command_line_is_absolute_and_isolated(module: str):
    command = python_command(module, "{}")
    assert Path(command[0]).is_absolute()
    assert command[1:] == ["-E", "-P", "-m", module, "{}"]
