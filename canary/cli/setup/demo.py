"""`canary demo`: the console on an embedded cloud that plays something."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from canary.cli.options import chosen_config, chosen_read_only, config_option
from canary.cli.plan_source import DEFAULT_NAME, PlanSource, find_plan
from canary.cli.setup.console import begin_local_cloud, demand_terminal, with_local
from canary.rollout.errors import UsageError
from canary.rollout.plan.plan import SCENARIOS, Plan

if TYPE_CHECKING:
    from canary.engine.console.console import ConsoleEngine


@click.command()
@click.option("--scenario", type=click.Choice(SCENARIOS), help="What happens.")
@click.option("--speed", type=click.FloatRange(0.1, 3600), help="Cloud seconds in a second; 60.")
@click.option("--seed", type=click.IntRange(0), help="Another traffic; starts over.")
@click.option("--stage", type=click.IntRange(0), help="Where it begins; starts over.")
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
    the default one is used.
    """
    demand_terminal()
    source = _find(chosen_config(config))
    if stage is not None and stage > len(source.plan.stages):
        raise UsageError(f"There is no stage {stage}: the plan has {len(source.plan.stages)}.")
    plan = with_local(source.plan, scenario=scenario, speed=speed, seed=seed, stage=stage)
    read_only = chosen_read_only() or plan.console.read_only
    starts_over = fresh or seed is not None or stage is not None
    steered = not starts_over and (scenario is not None or speed is not None)
    from tui.launch import run

    def build_engine() -> ConsoleEngine:
        """Called after the first frame: all of this takes a second."""
        if steered:
            asyncio.run(_steer(plan, scenario, speed))
        # One that starts over may have to end another first: not before the engine asks for it.
        starting = None if steered or starts_over else begin_local_cloud(plan)
        from canary.engine.console.console import ConsoleEngine

        return ConsoleEngine(
            plan, source.path, read_only=read_only, fresh=starts_over, starting=starting
        )

    return run(plan, source.path, read_only, build_engine)


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


def _find(config: str | None) -> PlanSource:
    if config is not None or Path(DEFAULT_NAME).exists():
        return find_plan(config)
    from canary.cli.setup.plan_template import Choices, render_plan
    from canary.rollout.plan.file import parse_plan

    plan = parse_plan(render_plan(Choices()), "the default plan")
    return PlanSource(plan, Path(DEFAULT_NAME).absolute())
