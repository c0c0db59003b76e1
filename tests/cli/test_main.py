"""The command itself: what it loads, how it fails, how it ends."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from canary.cli import commands
from canary.cli.commands import COMMANDS, EXIT_CODES
from canary.cli.opening import SCENARIOS, known_names
from canary.cli.setup.plan_text import Choices, render_plan
from canary.simulator.world.traffic.scenarios import SCENARIOS as PLAYED
from tests.cli.commands import ROOT, run_at_terminal, run_process
from tests.cli.conftest import Command
from tests.rollout.build import BARE_PLAN

HEAVY = ("textual", "rich", "google", "grpc", "httpx", "aiohttp", "sqlite3", "asyncio", "tui")
LIST_LOADED = """
import sys
from canary.cli.commands import run
code = run(sys.argv[1:])
print("LOADED", *sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(code)
"""


def loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LIST_LOADED, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.rpartition("LOADED ")[2].split())


def test_windows_is_refused_in_a_sentence() -> None:
    started = "import sys; sys.platform = 'win32'; import canary.cli.main"
    done = subprocess.run(
        [sys.executable, "-c", started], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "run it in WSL" in done.stderr


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by("--help").isdisjoint(HEAVY)


@pytest.mark.parametrize("name", ["rollback", "status", "scale", "simulate"])
def test_the_help_of_a_command_loads_nothing_heavy(name: str) -> None:
    assert loaded_by(name, "--help").isdisjoint(set(HEAVY) - {"asyncio"})


def test_the_help_names_every_command_and_every_exit_code(command: Command) -> None:
    ended = command("--help")
    assert ended.code == 0
    for name in COMMANDS:
        assert f"  {name} " in ended.out
    for code in (0, 1, 2, 3, 4, 5, 10, 20, 30, 70, 130):
        assert f"  {code} " in ended.out
        assert f"  {code} " in EXIT_CODES


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_says_what_it_does(
    command: Command, name: str
) -> None:
    ended = command(name, "--help")
    assert (ended.code, f"canary {name}" in ended.out) == (0, True)


def test_an_unknown_command_is_told_with_the_nearest(command: Command) -> None:
    ended = command("rolback")
    assert (ended.code, 'Did you mean "rollback"?' in ended.err) == (2, True)


def test_without_a_terminal_the_console_points_to_status(tmp_path: Path) -> None:
    ended = run_process([], tmp_path, tmp_path, from_the_start=True)
    assert ended.code == 2
    assert "needs a terminal" in ended.err
    assert "canary status" in ended.err


@pytest.mark.parametrize(("asked", "is_said"), [((), False), (("-W", "default"), True)])
def test_what_python_warns_of_is_said_only_to_who_asks(
    asked: tuple[str, ...], is_said: bool
) -> None:
    lost = "async def lost(): pass"
    main = "from canary.cli import commands; commands.run = lambda: lost() and 0"
    done = subprocess.run(
        [sys.executable, *asked, "-c", f"{lost}\n{main}\ncommands.run_process()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("was never awaited" in done.stderr) is is_said


def test_without_a_plan_it_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    ended = run_process(["status"], tmp_path, tmp_path, from_the_start=True)
    assert ended.code == 2
    assert f"There is no canary.toml in {tmp_path}" in ended.err
    for way in ("--config", "canary init", "canary demo"):
        assert way in ended.err


def test_a_mistake_in_the_plan_is_one_sentence_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "canary.toml").write_text(
        render_plan(Choices()).replace("percent = 25", "percent = 8")
    )
    ended = run_process(["rollback", "--all", "--yes"], tmp_path, tmp_path, from_the_start=True)
    assert ended.code == 2
    assert ended.err.startswith("canary: canary.toml: stages[2].percent (stage 3) is 8")
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_an_error_is_a_document_as_well_where_json_was_asked_for(command: Command) -> None:
    ended = command("status", "--json", "--config", "/none/canary.toml")
    assert ended.code == 2
    assert ended.document["error"]["kind"] == "PlanError"
    assert "canary init" in ended.document["error"]["remedy"]


def test_a_mistake_of_the_program_is_said_and_written_down(
    command: Command, monkeypatch: pytest.MonkeyPatch, state_dir: Path
) -> None:
    def slip(ctx: click.Context) -> None:
        secret = "s3cret"  # noqa: F841
        raise RuntimeError("a slip")

    monkeypatch.setattr(commands.canary, "invoke", slip)
    ended = command("status")
    log = state_dir / "canary.log"
    assert ended.code == 70
    assert str(log) in ended.err
    assert "Traceback" not in ended.err
    assert "RuntimeError: a slip" in log.read_text()
    assert "s3cret" not in log.read_text().replace('secret = "s3cret"', "")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_an_interrupt_ends_with_130(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(ctx: click.Context) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.canary, "invoke", interrupt)
    ended = command("status")
    assert (ended.code, ended.err.strip()) == (130, "canary: Interrupted.")


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "canary.cli.main", "--help"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(30) == 0


def test_the_log_of_a_host_that_changed_nothing_says_so_and_makes_no_journal(
    command: Command, tmp_path: Path, state_dir: Path
) -> None:
    plan = tmp_path / "canary.toml"
    plan.write_text(render_plan(Choices()))
    ended = command("log", "--config", str(plan))
    assert (ended.code, ended.out) == (0, "No change was made from this host.\n")
    assert not list(state_dir.rglob("journal.db"))


def test_a_plan_may_name_every_scenario_of_the_embedded_cloud() -> None:
    assert tuple(PLAYED) == SCENARIOS


def test_a_plan_may_name_every_key_of_the_console() -> None:
    from tui.keys import ACTIONS

    assert known_names().actions() == tuple(action.name for action in ACTIONS)


def test_the_names_of_the_keys_come_without_textual() -> None:
    listed = "import sys, canary.cli.opening as k; k.known_names().actions(); print(*sys.modules)"
    program = [sys.executable, "-c", listed]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint(set(HEAVY) - {"tui"})


@pytest.mark.parametrize(
    "name", ["status", "validate", "log", "promote --yes", "rollback --all --dry-run", "guard"]
)
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('[console.keys]\nrolback_all = "x"', "console.keys.rolback_all is not an action"),
        ('[local]\nscenario = "calm"', 'local.scenario is "calm"; expected one of healthy'),
    ],
)
def test_every_command_refuses_a_key_or_scenario_that_nobody_knows(
    command: Command, tmp_path: Path, name: str, line: str, said: str
) -> None:
    plan = tmp_path / "canary.toml"
    plan.write_text(f"{BARE_PLAN}\n{line}\n")
    ended = command(*name.split(), "--config", str(plan))
    assert (ended.code, said in ended.err) == (2, True)


def test_demo_refuses_a_stage_that_the_plan_has_not(tmp_path: Path) -> None:
    ended = run_at_terminal(["demo", "--stage", "9"], tmp_path, tmp_path, "")
    assert (ended.code, "There is no stage 9" in ended.out) == (2, True)


def test_nothing_turns_the_collector_off() -> None:
    # With it off a guard of two days grows, and no command was faster by what a person notices.
    users = [path for path in (ROOT / "canary").rglob("*.py") if "gc.disable" in path.read_text()]
    assert users == []


def whole_help() -> list[str]:
    """What `--help` says of every command and of those below it, at 80 columns."""
    said = []
    todo: list[tuple[str, click.Command]] = [("canary", commands.canary)]
    while todo:
        name, command = todo.pop()
        context = click.Context(command, info_name=name, terminal_width=80)
        said.append(command.get_help(context))
        if isinstance(command, click.Group):
            below = (command.get_command(context, n) for n in command.list_commands(context))
            todo += [(f"{name} {each.name}", each) for each in below if each is not None]
    return said


def test_no_line_of_any_help_is_cut_or_wider_than_a_terminal() -> None:
    said = whole_help()
    assert len(said) > len(COMMANDS)
    lines = [line for each in said for line in each.splitlines()]
    usage = ("]...", "ARGS]...")
    assert [line for line in lines if line.endswith("...") and not line.endswith(usage)] == []
    assert [line for line in lines if len(line) > 80] == []
