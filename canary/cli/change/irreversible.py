"""`canary mark-irreversible`: say, for everybody, that a step was made which no rollback undoes."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from canary.cli.change.hold import annotating_options
from canary.cli.change.moves import options_of
from canary.cli.change.run_change import run_change
from canary.rollout.change import moves
from canary.rollout.change.change import Change, Request, Standing
from canary.rollout.errors import UsageError
from canary.rollout.plan.plan import Plan


@click.command("mark-irreversible")
@click.argument("what", required=False, default="")
@click.option("--clear", is_flag=True, help="Take the mark away; needs --reason.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask (--clear alone asks).")
@annotating_options
def mark_irreversible(what: str, clear: bool, yes: bool, **given: Any) -> int:
    """Mark that WHAT ("schema 42") was done, which no rollback undoes.

    It is written on Canary's service and shown all the time, to everybody. From then on a rollback
    asks for the service's name, and automatic rollback leaves the decision to a person. A deploy
    can set it too: the annotation canary-console/irreversible on service or revision.
    """
    if clear == bool(what.strip()):
        raise UsageError("Either WHAT or --clear.", remedy='As `mark-irreversible "schema 42"`.')
    options = options_of({**given, "yes": yes or not clear, "force": False})
    build = moves.clear_irreversible if clear else partial(_mark, what)
    return run_change(build, options, need_metrics=False)


def _mark(what: str, plan: Plan, standing: Standing, request: Request) -> Change:
    return moves.mark_irreversible(plan, standing, request, what)
