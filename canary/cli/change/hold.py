"""`canary hold | release`: stop the rollout where it stands, for everybody, and let it go on."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from canary.cli.change.moves import options_of
from canary.cli.change.run_change import run_change
from canary.cli.options import plan_options
from canary.rollout.change import moves
from canary.rollout.change.change import Change, Request, Standing
from canary.rollout.change.hold import parse_until
from canary.rollout.errors import UsageError
from canary.rollout.plan.plan import Plan


def annotating_options(command: Any) -> Any:
    """The options of what is only written for people: no gates to override, nothing to verify."""
    for option in (
        plan_options,
        click.option("--reason", metavar="TEXT", default="", help="Why; everybody sees it."),
        click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing."),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--until", metavar="TIME", default="", help="09:00 (UTC), 09:00 ZONE, or 14h.")
@annotating_options
def hold(until: str, **given: Any) -> int:
    """Hold the rollout where it stands: nobody promotes until then. Needs --reason.

    It is written on the service, so that it holds for everybody, and it never stops a rollback.
    Without --until it holds until somebody releases it. A second one takes its place.
    """
    if not given["reason"].strip():
        raise UsageError("A hold says why, to whoever finds it.", remedy="Give --reason TEXT.")
    build = partial(_hold, until)
    return run_change(build, options_of({**given, "yes": True, "force": False}), need_metrics=False)


def _hold(until: str, plan: Plan, standing: Standing, request: Request) -> Change:
    at = parse_until(until, request.now) if until.strip() else None
    return moves.hold(plan, standing, request, at)


@click.command()
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@annotating_options
def release(**given: Any) -> int:
    """End the hold of the rollout, whoever set it; it is kept who did."""
    return run_change(moves.release, options_of({**given, "force": False}), need_metrics=False)
