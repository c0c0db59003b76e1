"""Opening the console: the only place of the shell that imports the screen, and only when asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from canary.cli.plan_source import find_plan
from canary.rollout.errors import CanaryError, UsageError
from canary.rollout.plan.plan import Plan

if TYPE_CHECKING:
    from canary.cloud.embedded.process import Starting
    from canary.engine.console.console import ConsoleEngine


def open_console(config: str | None, *, read_only: bool) -> int:
    """Open the console on the plan; returns the exit code. Raises UsageError without a terminal."""
    demand_terminal()
    source = find_plan(config)
    plan = source.plan
    read_only = read_only or plan.console.read_only
    from tui.launch import run

    def build_engine() -> ConsoleEngine:
        """Called after the first frame: it brings Google's packages with it."""
        # First, so that the cloud comes up while the engine's modules are read. Not before the
        # first frame: on two cores that costs it a tenth of a second.
        starting = begin_local_cloud(plan)
        from canary.engine.console.console import ConsoleEngine

        return ConsoleEngine(plan, source.path, read_only=read_only, starting=starting)

    return run(plan, source.path, read_only, build_engine)


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
    """Raise UsageError when there is no terminal to draw on."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return
    raise UsageError(
        "The console needs a terminal, and there is none here.",
        remedy="`canary status` says where the rollout stands; `canary --help` lists the rest.",
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
