"""`canary promote | rollback | adopt | revert`: the changes that move the stage record."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from canary.cli.change.run_change import Build, run_change
from canary.cli.opening import demand_stage, find_plan
from canary.cli.options import (
    WAITS_S,
    ChangeOptions,
    WholeNumber,
    change_options,
    chosen_config,
    chosen_read_only,
    no_journal_option,
    ungated_options,
    verify_option,
    wait_options,
)
from canary.cli.output import complain
from canary.rollout.change import moves
from canary.rollout.change.basis import needs_raising
from canary.rollout.change.change import Change, Request, Side, Standing
from canary.rollout.errors import GateNotMet, UsageError
from canary.rollout.plan.plan import Plan, ScalePreset


@click.command()
@verify_option
@change_options
def promote(**given: Any) -> int:
    """Go on to the next stage. Every gate must be met, or --force and --reason given.

    Into the last stage it is the final approval. One that ended half-way is completed by asking
    again.
    """
    return run_change(_promote, options_of(given), need_metrics=True)


def _promote(plan: Plan, standing: Standing, request: Request) -> Change:
    if standing.percent == 100 and moves.is_final(plan, standing.stage):
        return moves.complete_approval(plan, standing, request)
    return moves.promote(plan, standing, request)


@click.command()
@click.option("--to", type=WholeNumber(0), metavar="N", help="Back to stage N; 0 is --all.")
@click.option("--all", "all_back", is_flag=True, help="Roll back all.")
@wait_options
@no_journal_option
@verify_option
@ungated_options
def rollback(
    to: int | None, all_back: bool, wait_s: float | None, no_wait: bool, **given: Any
) -> int:
    """Go one stage back, to stage N, or roll back all.

    It is never refused for lack of metrics, and asks for none. While Cloud Run is away it waits and
    goes out the moment that it answers; Ctrl-C withdraws it. Begun when it is away already, that
    needs --yes: there is nothing yet to ask about.

    Without a usable journal it gives the command to type by hand; --no-journal with --reason sends
    it all the same, guarded and recorded in the cloud as ever.
    """
    if no_wait and wait_s is not None:
        raise UsageError("--wait and --no-wait exclude each other.", remedy="Choose one.")
    given["wait_s"] = 0.0 if no_wait else wait_s if wait_s is not None else WAITS_S
    if all_back and to is not None:
        raise UsageError("--all and --to exclude each other.", remedy="Choose one.")
    options = _ungated(given)
    if to:
        demand_stage(find_plan(options.config).plan, to)
    build: Build = moves.rollback_all if all_back or to == 0 else moves.step_back
    if to:
        build = partial(moves.step_back, to=to)
    return run_change(build, options, need_metrics=False)


@click.command()
@ungated_options
def adopt(**given: Any) -> int:
    """Take a split that was changed elsewhere into the record."""
    return run_change(moves.adopt, _ungated(given), need_metrics=False)


@click.command()
@verify_option
@ungated_options
def revert(**given: Any) -> int:
    """Set the split back to what the record says."""
    return run_change(moves.revert, _ungated(given), need_metrics=False)


def options_of(given: dict[str, Any]) -> ChangeOptions:
    """The shared options of a change, with what stood before the command."""
    return ChangeOptions(
        **{**given, "config": chosen_config(given["config"])}, read_only=chosen_read_only()
    )


def _ungated(given: dict[str, Any]) -> ChangeOptions:
    """The options of a change that asks for no gates, without a `--force` that was given."""
    if given["force"]:
        complain("--force has no effect here: this change asks for no gates.")
    return options_of({**given, "force": False})


# `canary scale`: the least and most instances of a side.


@click.command()
@click.argument("side", type=click.Choice(["legacy", "canary"]))
@click.option("--min", "least", type=WholeNumber(0), metavar="N", help="Least instances.")
@click.option("--max", "most", type=WholeNumber(1), metavar="N", help="Most instances.")
@click.option("--preset", type=click.Choice(["backup", "production"]), help="As the plan says.")
@change_options
def scale(side: Side, least: int | None, most: int | None, preset: str | None, **given: Any) -> int:
    """Set the least and most instances of SIDE: --min and --max, or a preset of the plan."""
    if preset is not None and (least is not None or most is not None):
        raise UsageError("--preset and --min/--max exclude each other.", remedy="Choose one.")
    if preset is None and least is None and most is None:
        raise UsageError("What to set is missing.", remedy="Give --min and --max, or --preset.")

    options = options_of(given)

    def build(plan: Plan, standing: Standing, request: Request) -> Change:
        wish = _wish(plan, standing, side, least, most, preset)
        if side == "legacy" and options.yes and not options.force:
            _demand_idle(plan, standing, wish)
        return moves.scale(plan, standing, request, side, wish)

    return run_change(build, options, need_metrics=False)


def _demand_idle(plan: Plan, standing: Standing, wish: ScalePreset) -> None:
    """Raise GateNotMet for a Legacy in backup size while it serves, where nobody is asked."""
    known = [share for share in (standing.percent, standing.served) if share is not None]
    if not needs_raising(plan, wish) or (standing.percent == 100 and min(known) == 100):
        return
    serves = f"serves {100 - min(known)} %" if known else "may serve all requests"
    raise GateNotMet(
        f"Nothing was changed: Legacy ({plan.target.legacy}) {serves}, and could not with"
        f" {wish.min} to {wish.max} instances.",
        remedy="Answer the question without --yes, or give --force --reason TEXT.",
    )


def _wish(
    plan: Plan,
    standing: Standing,
    side: Side,
    least: int | None,
    most: int | None,
    preset: str | None,
) -> ScalePreset:
    """The wish; where only one end was given, the other stays as it is."""
    if preset is not None:
        return plan.scale.backup if preset == "backup" else plan.scale.production
    now = standing.scale_legacy if side == "legacy" else standing.scale_canary
    if now is None and (least is None or most is None):
        raise UsageError(
            "What is set now is not known, so one end alone cannot be changed.",
            remedy="Give both --min and --max.",
        )
    kept = now if now is not None else ScalePreset(0, 1)
    return ScalePreset(kept.min if least is None else least, kept.max if most is None else most)
