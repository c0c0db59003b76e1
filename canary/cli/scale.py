"""`canary scale`: the least and most instances of a side."""

from __future__ import annotations

from typing import Any

import click

from canary.cli.moves import options_of
from canary.cli.options import change_options
from canary.cli.run_change import run_change
from canary.rollout import moves
from canary.rollout.change import Change, Request, Side, Standing
from canary.rollout.errors import UsageError
from canary.rollout.plan import Plan, ScalePreset


@click.command()
@click.argument("side", type=click.Choice(["legacy", "canary"]))
@click.option("--min", "least", type=click.IntRange(0), metavar="N", help="Least instances.")
@click.option("--max", "most", type=click.IntRange(1), metavar="N", help="Most instances.")
@click.option("--preset", type=click.Choice(["backup", "production"]), help="As the plan says.")
@change_options
def scale(side: Side, least: int | None, most: int | None, preset: str | None, **given: Any) -> int:
    """Set the least and most instances of SIDE: --min and --max, or a preset of the plan."""
    if preset is not None and (least is not None or most is not None):
        raise UsageError("--preset and --min/--max exclude each other.", remedy="Choose one.")
    if preset is None and least is None and most is None:
        raise UsageError("What to set is missing.", remedy="Give --min and --max, or --preset.")

    def build(plan: Plan, standing: Standing, request: Request) -> Change:
        wish = _wish(plan, standing, side, least, most, preset)
        return moves.scale(plan, standing, request, side, wish)

    return run_change(build, options_of(given), need_metrics=False)


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
