"""`canary simulate`: the embedded cloud alone, for several consoles or a plan with endpoints."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from canary.cli.opening import SCENARIO_LIST, SCENARIOS, demand_stage, find_plan
from canary.cli.options import Number, WholeNumber, plan_options
from canary.cli.output import say
from canary.engine.signals import ended_by_signal
from canary.host.children import child_environment, python_command, safe_directory
from canary.rollout.errors import Unavailable
from canary.rollout.plan.plan import Plan


@click.command(epilog=SCENARIO_LIST)
@click.option("--port", type=WholeNumber(0, 65534), default=0, help="gRPC here, HTTP on the next.")
@click.option("--speed", type=Number(0.1, 3600), default=1.0, show_default=True)
@click.option("--seed", type=WholeNumber(0), help="Another one makes another traffic.")
@click.option(
    "--scenario",
    type=click.Choice(SCENARIOS),
    metavar="NAME",
    help="What happens from the start, by its name below.",
)
@click.option("--stage", type=WholeNumber(0), help="Where a fresh one starts.")
@click.option(
    "--rollouts",
    type=WholeNumber(1, 1000),
    default=1,
    show_default=True,
    help="So many, each with a history of its own; some are in trouble.",
)
@click.option("--state", metavar="FILE", help="Keep its state here; nowhere if not given.")
@click.option("--fresh", is_flag=True, help="Start over.")
@plan_options
def simulate(
    port: int,
    speed: float,
    seed: int | None,
    scenario: str | None,
    stage: int | None,
    rollouts: int,
    state: str | None,
    fresh: bool,
    as_json: bool,
    config: str | None,
) -> int:
    """Run the embedded cloud until Ctrl-C: Cloud Run, Cloud Monitoring and both services.

    It speaks the real protocols on this machine only. Its clock runs at --speed; a plan that
    reaches it through [target.endpoints] expects 1.
    """
    from canary.cloud.embedded.process import build_config

    plan = _with_choices(find_plan(config).plan, speed, seed, scenario, stage)
    settings = build_config(plan, Path(state).absolute() if state else None, fresh=fresh)
    settings.update(leases=False, grpc_port=port, http_port=port + 1 if port else 0)
    settings["rollouts"] = rollouts
    return _run(settings, as_json)


def _with_choices(
    plan: Plan, speed: float, seed: int | None, scenario: str | None, stage: int | None
) -> Plan:
    demand_stage(plan, stage)
    chosen = {"speed": speed, "seed": seed, "scenario": scenario, "stage": stage}
    given = {name: value for name, value in chosen.items() if value is not None}
    return msgspec.structs.replace(plan, local=msgspec.structs.replace(plan.local, **given))


def _run(settings: dict[str, Any], as_json: bool) -> int:
    child = subprocess.Popen(
        python_command("canary.simulator", json.dumps(settings)),
        cwd=safe_directory(),
        env=child_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None  # noqa: S101 - a pipe was asked for
    # It ends with us: by the terminal's own Ctrl-C, by this, or by seeing that we are gone.
    with ended_by_signal(child.terminate):
        line = child.stdout.readline()
        if line:
            _announce(json.loads(line), line, as_json)
        code = child.wait()
    if not line or code not in (0, -signal.SIGTERM):
        raise Unavailable("The embedded cloud did not come up; what it said is above.")
    return 0


def _announce(ready: dict[str, Any], line: str, as_json: bool) -> None:
    if as_json:
        say(line.strip())
    else:
        address = f"http://{ready['grpc']}"
        say(f"The embedded cloud runs at ×{ready['speed']:g}. Ctrl-C ends it.")
        for name, url in ready["services"].items():
            say(f"  {name}: {url}")
        say(f"  the router in front: {ready['router']}")
        say("To reach it from a plan:")
        say("  [target.endpoints]")
        say(f'  run = "{address}"')
        say(f'  monitoring = "{address}"')
    sys.stdout.flush()
