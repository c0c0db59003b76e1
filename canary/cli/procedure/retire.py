"""`canary retire`: the calendar of Legacy's end, and its deletion with its container images."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from canary.cli.change.moves import options_of
from canary.cli.change.run_change import Build, run_change
from canary.cli.opening import PlanSource, demand_cloud_run, find_plan, look, open_session
from canary.cli.options import change_options, plan_options
from canary.cli.output import print_json, say
from canary.rollout.change.change import Change, Request, Standing
from canary.rollout.errors import NotFound, UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_iso_time, format_timestamp, sanitize
from canary.rollout.trials import retirement
from canary.rollout.trials.retirement import Calendar, Candidate, Reason

if TYPE_CHECKING:
    from canary.engine.session import Session


NOT_LOOKED_AT: Final = (
    "Not looked at: whether what runs in another project, or a job in a region without a service,"
    " uses an image, too. `gcloud run jobs list` tells, before it is gone."
)


@click.group()
def retire() -> None:
    """Retire Legacy: 30 days after Canary became production, delete it and its images."""


@retire.command("plan", short_help="Show the calendar, and what would be deleted.")
@plan_options
def plan_retirement(as_json: bool, config: str | None) -> int:
    """Show the calendar with today marked, what would be deleted, and what is against it.

    Exits 0 when Legacy may be deleted now, 1 when something is against it.
    """
    source = find_plan(config)
    retirement.check_retirable(source.plan)
    snapshot, candidate = asyncio.run(_look(source))
    at = retirement.calendar(source.plan, snapshot)
    reasons = retirement.find_reasons(source.plan, snapshot)
    if as_json:
        print_json(_document(source.plan, at, candidate, reasons))
    else:
        _say(source.plan, at, candidate, reasons)
    return 1 if reasons else 0


@retire.command("apply")
@click.option("--confirm", metavar="NAME", help="With --yes: the name of the service to delete.")
@change_options
def apply_retirement(confirm: str | None, **given: Any) -> int:
    """Delete Legacy and its container images. Asks for the service's name to be typed.

    Refused before day 31, while Legacy has a share, and unless it was measured to take no
    requests; --force with --reason overrides that. From a script: --yes --confirm NAME.
    """
    options = options_of(given)
    plan = find_plan(options.config).plan
    retirement.check_retirable(plan)
    if options.yes and not options.dry_run and confirm != plan.target.legacy:
        raise UsageError(
            "Deleting unasked takes the service's name.",
            remedy=f"Give --confirm {sanitize(plan.target.legacy)}.",
        )
    return run_change(None, options, need_metrics=True, prepare=_prepare)


async def _prepare(session: Session, snapshot: Snapshot) -> Build:
    """What builds the deletion, from what is there now. On the way it is said what stays."""
    from canary.engine.jobs.retirement import find_candidate

    try:
        candidate = await find_candidate(session)
    except NotFound as exc:
        legacy = sanitize(session.plan.target.legacy)
        raise UsageError(f"{legacy} is gone already: there is nothing to delete.") from exc
    for line in _stays(candidate):
        click.echo(line, err=True)
    for reason in retirement.find_reasons(session.plan, snapshot):
        click.echo(f"against it: {reason.text}", err=True)
    return partial(_build, candidate=candidate, snapshot=snapshot)


def _build(
    plan: Plan, standing: Standing, request: Request, *, candidate: Candidate, snapshot: Snapshot
) -> Change:
    del standing  # the snapshot says more
    return retirement.retire(plan, candidate, snapshot, request)


async def _look(source: PlanSource) -> tuple[Snapshot, Candidate | None]:
    from canary.engine.jobs.retirement import find_candidate

    async with open_session(source) as session:
        snapshot = await look(session)
        demand_cloud_run(snapshot)
        try:
            return snapshot, await find_candidate(session)
        except NotFound:
            return snapshot, None


def _say(
    plan: Plan, at: Calendar, candidate: Candidate | None, reasons: tuple[Reason, ...]
) -> None:
    legacy = sanitize(plan.target.legacy)
    if at.began_at is None:
        say(f"The calendar begins when Canary becomes production (stage {len(plan.stages)}).")
    else:
        say(f"Canary became production at {format_timestamp(at.began_at)}; today is day {at.day}.")
    for phase in retirement.PHASES:
        say(_phase_line(at, phase))
    if candidate is None:
        say(f"{legacy} is gone already.")
        return
    say(f"Would be deleted: the service {legacy}, and what only it runs:")
    for image in candidate.images:
        say(f"  {sanitize(image, 300)}")
    for line in _stays(candidate):
        say(line)
    for reason in reasons:
        say(f"✗ {sanitize(reason.text, 300)} {sanitize(reason.remedy, 300)}")
    if not reasons:
        say(f"✓ Nothing is against it: `canary retire apply` deletes {legacy}.")


def _phase_line(at: Calendar, phase: retirement.Phase) -> str:
    today = at.day is not None and phase.holds(at.day)
    last = "on" if phase.last_day is None else f"to {phase.last_day}"
    days = f"day {phase.first_day} {last}".ljust(12)
    when = (
        "" if at.began_at is None else f" (from {format_timestamp(at.day_start(phase.first_day))})"
    )
    return f"{'→' if today else ' '} {days} {phase.meaning}{when}{'  ← today' if today else ''}"


def _stays(candidate: Candidate) -> list[str]:
    kept = [f"Kept, others run it too: {sanitize(image, 300)}" for image in candidate.kept]
    unasked = [
        f"Left, not in Artifact Registry: {sanitize(one, 300)}" for one in candidate.elsewhere
    ]
    return kept + unasked + ([NOT_LOOKED_AT] if candidate.images else [])


def _document(
    plan: Plan, at: Calendar, candidate: Candidate | None, reasons: tuple[Reason, ...]
) -> dict[str, Any]:
    phase = next((p for p in retirement.PHASES if at.day is not None and p.holds(at.day)), None)
    return {
        "rollout": plan.name,
        "service": plan.target.legacy,
        "exists": candidate is not None,
        "began_at": format_iso_time(at.began_at),
        "day": at.day,
        "phase": None if phase is None else phase.meaning,
        "delete_at": format_iso_time(at.delete_at),
        "images": [] if candidate is None else list(candidate.images),
        "kept_images": [] if candidate is None else list(candidate.kept),
        "images_elsewhere": [] if candidate is None else list(candidate.elsewhere),
        "allowed": candidate is not None and not reasons,
        "reasons": [msgspec.to_builtins(reason) for reason in reasons],
    }
