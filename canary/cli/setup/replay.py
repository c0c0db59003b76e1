"""`canary replay`: the console on what was recorded, with nothing live behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from canary.cli.opening import find_plan
from canary.cli.options import config_option
from canary.cli.recordings import open_recording, read_at, read_recording
from canary.cli.setup.console import demand_terminal
from canary.rollout.errors import Unavailable

if TYPE_CHECKING:
    from tui.engine_port import EnginePort


@click.command()
@click.argument("file", required=False)
@click.option("--at", metavar="TIME", help="Where to begin: 14:03, 2026-11-25 14:03, -2h.")
@config_option
def replay(file: str | None, at: str | None, config: str | None) -> int:
    """Show what the console showed: every panel and page as it was seen then.

    Nothing is asked of the cloud, and nothing can be changed. FILE is one that `canary recording
    export` wrote, on any host; without it what this host has recorded of the plan's rollout.
    """
    demand_terminal()
    if file is not None:
        recording, plan = read_recording(file)
    else:
        plan = find_plan(config).plan
        recording = open_recording(plan)
    moment = read_at(recording, at)
    from tui.app import run
    from tui.engine_port import Past

    def no_engine() -> EnginePort:
        raise Unavailable("This is a recording: there is nothing live behind it.")

    past = Past(lambda: recording, is_alone=True, at=moment)
    return run(plan, no_engine, read_only=True, past=past)
