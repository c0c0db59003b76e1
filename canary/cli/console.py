"""Opening the console: the only place of the shell that imports the screen, and only when asked."""

from __future__ import annotations

import sys

from canary.cli.plan_source import find_plan
from canary.rollout.errors import UsageError
from canary.rollout.plan import Plan


def open_console(config: str | None, *, read_only: bool) -> int:
    """Open the console on the plan; returns the exit code. Raises UsageError without a terminal."""
    demand_terminal()
    source = find_plan(config)
    read_only = read_only or source.plan.console.read_only
    from tui.app import run

    return run(source.plan, source.path, read_only)


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

    from canary.rollout.plan import Endpoints, Health

    given = {name: value for name, value in changes.items() if value is not None}
    target = msgspec.structs.replace(
        plan.target, endpoints=Endpoints(), health=Health(path=plan.target.health.path)
    )
    local = msgspec.structs.replace(plan.local, **given)
    return msgspec.structs.replace(plan, provider="local", target=target, local=local)
