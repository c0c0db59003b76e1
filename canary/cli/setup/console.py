"""`canary` and `canary demo` open the console: only here the shell imports the screen."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from canary.cli.opening import (
    DEFAULT_NAME,
    SCENARIO_LIST,
    SCENARIOS,
    PlanSource,
    demand_stage,
    find_plan,
    known_names,
)
from canary.cli.options import Number, WholeNumber, chosen_config, chosen_read_only, config_option
from canary.cli.output import say
from canary.cli.recordings import open_recording
from canary.rollout.errors import CanaryError, UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

if TYPE_CHECKING:
    from canary.cloud.embedded.process import Starting
    from canary.engine.console.console import ConsoleEngine
    from tui.engine_port import Past


def open_console(config: str | None, *, read_only: bool, from_list: bool = False) -> int:
    """Open the console on the plan; returns the exit code. Raises UsageError without a terminal.

    `from_list`: Esc goes back to the list of rollouts.
    LIST: it was left for the list of rollouts.
    """
    demand_terminal()
    source = find_plan(config)
    plan = source.plan
    read_only = read_only or plan.console.read_only
    from canary.paint.keeper import SeenKeeper
    from tui.app import run

    def build_engine() -> ConsoleEngine:
        """Called after the first frame: it brings Google's packages with it."""
        # First, so that the cloud comes up while the engine's modules are read. Not before the
        # first frame: on two cores that costs it a tenth of a second.
        starting = begin_local_cloud(plan)
        from canary.engine.console.console import ConsoleEngine

        return ConsoleEngine(
            plan, source.path, read_only=read_only, starting=starting, subject=source.subject
        )

    mark = source.distrust.mark if source.distrust is not None else ""
    return run(
        plan,
        build_engine,
        read_only=read_only,
        distrust=mark,
        past=find_past(plan),
        came_from_list=from_list,
        seen=SeenKeeper(source.subject, plan),
    )


def find_past(plan: Plan) -> Past:
    """What the console can replay of a plan's rollout: what was recorded on this host."""
    from tui.engine_port import Past

    return Past(lambda: open_recording(plan))


def begin_local_cloud(plan: Plan) -> Starting | None:
    """Begin to start the embedded cloud of a plan that has one.

    None: there is none, or it cannot be started: the console tries again itself, and says why.
    """
    if not plan.is_embedded:
        return None
    from canary.cloud.embedded.process import begin_embedded
    from canary.store.paths import state_dir

    try:
        return begin_embedded(plan, state_dir(plan))
    except CanaryError:
        return None


def demand_terminal() -> None:
    """Raise UsageError when there is no terminal to draw on, or none that can show what is drawn.

    It is drawn on standard error, so that a shell's `2>file` would leave a blind console behind.
    """
    remedy = "`canary status` says where the rollout stands; `canary --help` lists the rest."
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The console needs a terminal, and there is none here.", remedy=remedy)
    screen = sys.__stderr__
    if screen is None or not screen.isatty():
        raise UsageError(
            "The console is drawn on standard error, no terminal here: it would run blind.",
            remedy="Start it without `2>`; what it has to say it says on the screen.",
        )
    encoding = screen.encoding or ""
    if encoding.lower().replace("-", "").replace("_", "") != "utf8":
        raise UsageError(
            f"The console draws with characters that this locale ({sanitize(encoding, 40)}) lacks.",
            remedy="Set one with UTF-8, as LC_ALL=C.UTF-8; `canary status` does without.",
        )


def with_local(plan: Plan, **changes: float | str | None) -> Plan:
    """The plan on the embedded cloud, whatever it runs on else; None leaves a setting as it is."""
    import msgspec

    from canary.rollout.plan.plan import Endpoints, Health

    given = {name: value for name, value in changes.items() if value is not None}
    target = msgspec.structs.replace(
        plan.target, endpoints=Endpoints(), health=Health(path=plan.target.health.path)
    )
    local = msgspec.structs.replace(plan.local, **given)
    return msgspec.structs.replace(plan, provider="local", target=target, local=local)


@click.command(epilog=SCENARIO_LIST)
@click.option(
    "--scenario",
    type=click.Choice(SCENARIOS),
    metavar="NAME",
    help="What happens, by its name below.",
)
@click.option(
    "--speed",
    type=Number(0.1, 3600),
    help="Cloud seconds in a second; 60. Lowered where this machine cannot hold it.",
)
@click.option("--seed", type=WholeNumber(0), help="Another traffic; starts over.")
@click.option("--stage", type=WholeNumber(0), help="Where it begins; starts over.")
@click.option("--fresh", is_flag=True, help="Start over: the cloud as it was on the first day.")
@config_option
def demo(
    scenario: str | None,
    speed: float | None,
    seed: int | None,
    stage: int | None,
    fresh: bool,
    config: str | None,
) -> int:
    """Open the console on an embedded cloud; nothing real is touched.

    It goes on where it was left, unless --fresh, --seed or --stage start it over. Without a plan
    it has a cloud of its own, the project `canary-demo`.
    """
    demand_terminal()
    source = find_demo_plan(chosen_config(config))
    demand_stage(source.plan, stage)
    plan = with_local(source.plan, scenario=scenario, speed=speed, seed=seed, stage=stage)
    read_only = chosen_read_only() or plan.console.read_only
    starts_over = fresh or seed is not None or stage is not None
    steered = not starts_over and (scenario is not None or speed is not None)
    subject = source.subject._replace(is_demo=True)
    from canary.paint.keeper import SeenKeeper
    from canary.store.paths import state_dir
    from canary.store.tips import TipsFile
    from tui.app import run
    from tui.terminal.app import LIST

    def build_engine() -> ConsoleEngine:
        """Called after the first frame: all of this takes a second."""
        if steered:
            asyncio.run(_steer(plan, scenario, speed))
        # One that starts over may have to end another first: not before the engine asks for it.
        starting = None if steered or starts_over else begin_local_cloud(plan)
        from canary.engine.console.console import ConsoleEngine

        return ConsoleEngine(
            plan,
            source.path,
            read_only=read_only,
            fresh=starts_over,
            starting=starting,
            subject=subject,
        )

    mark = source.distrust.mark if source.distrust is not None else ""
    code = run(
        plan,
        build_engine,
        read_only=read_only,
        distrust=mark,
        past=find_past(plan),
        tips=TipsFile(state_dir(plan)),
        seen=SeenKeeper(subject, plan, starts_over=starts_over),
    )
    if code == LIST:
        say("The demonstration has one rollout; `canary fleet --watch` lists those of your plans.")
        return 0
    return code


async def _steer(plan: Plan, scenario: str | None, speed: float | None) -> None:
    """Tell a cloud that goes on where it was left: what it is started with counts on day one only.

    It lives on for some seconds after this, until the console holds it.
    """
    from canary.cloud.embedded.embedded import open_embedded
    from canary.store.paths import state_dir

    cloud = await open_embedded(plan, state_dir(plan))
    try:
        if speed is not None:
            await cloud.set_clock(speed=speed)
        if scenario is not None:
            await cloud.set_scenario(scenario)
    finally:
        await cloud.close()


DEMO_PROJECT = "canary-demo"
"""The project of a demo without a plan."""


def find_demo_plan(config: str | None) -> PlanSource:
    """The plan that was asked for or lies here; without one the default plan."""
    if config is not None or Path(DEFAULT_NAME).exists():
        return find_plan(config)
    from canary.cli.setup.plan_text import Choices, render_plan
    from canary.rollout.plan.file import parse_plan

    # A name of its own: the clouds and the journal of a plan elsewhere are left alone.
    text = render_plan(Choices(project=DEMO_PROJECT))
    plan = parse_plan(text, "the default plan", known_names())
    return PlanSource(plan, Path(DEFAULT_NAME).absolute())
