"""A drill is never taken for the real cloud, nor the real one for a drill."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import pytest

from canary.cli.setup.drill import drill_plan
from canary.rollout.errors import Unavailable
from canary.rollout.plan.file import load_plan
from canary.rollout.plan.plan import Endpoints, Plan, Record
from canary.rollout.plan.tables import Notify
from canary.rollout.recording.drills import DRILLS
from canary.store.paths import drills_dir
from canary.store.paths import state_dir as directory_of
from tests.cli.commands import ROOT
from tests.cli.conftest import Command
from tests.tui import scenes
from tests.tui.scripted import staged
from tui.pages.summary import terminal_title

REAL: Plan = msgspec.structs.replace(
    load_plan(ROOT / "canary.toml"),
    provider="gcp",
    notify=Notify(webhook="https://hooks.example.com/x"),
    record=Record(git=True, push=True),
)


@pytest.mark.parametrize("drill", DRILLS, ids=lambda d: d.name)
def test_whatever_the_plan_runs_on_a_drill_reaches_nothing_of_it(drill: object) -> None:
    endpoints = Endpoints(run="https://run.example.com")
    real = msgspec.structs.replace(
        REAL, target=msgspec.structs.replace(REAL.target, endpoints=endpoints)
    )
    plan = drill_plan(real, drill, 10.0, 1)  # type: ignore[arg-type]
    assert plan.is_embedded
    assert plan.target.endpoints == Endpoints()
    assert not plan.notify.is_on
    assert not (plan.record.git)
    assert not (plan.record.push)
    assert plan.identity != real.identity
    assert plan.stages == real.stages
    assert plan.alerts == real.alerts
    msgspec.convert(msgspec.to_builtins(plan), Plan)  # an executor reads it so


def test_its_files_lie_apart(state_dir: Path) -> None:
    drills = drills_dir()
    assert drills.stat().st_mode & 0o777 == 0o700
    assert not directory_of(REAL).is_relative_to(drills)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_the_screen_of_a_drill_says_so_and_a_real_one_never_does(
    size: tuple[int, int],
) -> None:
    drill = drill_plan(scenes.plan(), DRILLS[0], 60.0, 1)
    shown = scenes.snapshot(drill)
    async with staged(size, shown, plan=drill) as stage:
        assert "DRILL" in stage.frame()
        assert "LOCAL" in stage.frame()
    assert terminal_title(shown, drill).startswith("DRILL ")

    odd = msgspec.structs.replace(drill, provider="gcp")
    real = scenes.snapshot(odd, provider="gcp", scenario="")
    async with staged(size, real, plan=odd) as stage:
        assert "DRILL" not in stage.frame()
    assert "DRILL" not in terminal_title(real, odd)


@pytest.mark.usefixtures("state_dir")
def test_a_host_without_drills_says_how_to_begin(command: Command) -> None:
    ended = command("drill", "--history")
    assert ended.code == 0
    assert "canary drill" in ended.out
    assert command("drill", "--history", "--json").document == []


@pytest.mark.usefixtures("state_dir")
def test_the_list_has_names_and_no_causes(command: Command) -> None:
    ended = command("drill", "--list")
    assert ended.out.count("\n") == 12
    assert not any(drill.cause in ended.out for drill in DRILLS)


@pytest.mark.usefixtures("state_dir")
def test_without_a_terminal_there_is_no_drill(command: Command) -> None:
    assert command("drill", "1").code == 2


async def test_nobody_is_told_what_a_drill_plays(state_dir: Path) -> None:
    from canary.engine.session import Session

    plan = drill_plan(load_plan(ROOT / "canary.toml"), DRILLS[0], 60.0, 1)
    async with await Session.open(plan, state_dir / "canary.toml") as session:
        assert session.embedded is not None
        for _ in range(10):  # a process of its own, on a machine that may be busy
            with contextlib.suppress(Unavailable):
                await session.embedded.set_scenario("error-spike")
                break
        snapshot = await session.observer.refresh()
        assert session.embedded.scenario == "error-spike"
        assert snapshot.scenario == ""
        assert not any("error-spike" in event.text for event in snapshot.events)
