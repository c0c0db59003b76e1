"""`canary failures`: what fails in Canary and not in Legacy, from the request log."""

from __future__ import annotations

import asyncio

import click

from canary.cli.opening import PlanSource, find_plan, look, open_session
from canary.cli.options import Duration, plan_options
from canary.cli.output import print_json, print_table, say
from canary.rollout.errors import CanaryError
from canary.rollout.export.failures_document import failures_document
from canary.rollout.export.log_links import group_query, read_command
from canary.rollout.failures.minutes import gather_failures
from canary.rollout.failures.statuses import view_classes, view_statuses
from canary.rollout.failures.view import FailuresView, view_failures
from canary.rollout.failures.words import (
    MARKS,
    format_about,
    format_beyond,
    format_common,
    format_counts,
    format_excess,
    format_key,
    format_request,
    format_spread,
)
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import sanitize

LONGEST_S = 3_600.0
USUAL_S = 900.0
SHOWN = 10
EXIT_BEYOND_CHANCE = 10
EXIT_NO_DATA = 30


@click.command()
@click.option(
    "--since",
    "since_s",
    type=Duration(60, LONGEST_S),
    default="15m",
    show_default=True,
    help="How far back.",
)
@plan_options
def failures(since_s: float, as_json: bool, config: str | None) -> int:
    """Say which requests fail in Canary and not in Legacy, by route, beyond chance.

    From the request log (it takes logging.logEntries.list) and, for how many requests there were,
    Cloud Monitoring; without the log by status alone. Of a request nothing is read but method,
    route, status, latency, revision, instance and trace.

    Exits 0 when nothing is beyond chance, 10 when something is, and 30 without data.
    """
    source = find_plan(config)
    view, snapshot = asyncio.run(_look(source, since_s))
    if as_json:
        print_json(failures_document(view, source.plan, snapshot.as_of))
    else:
        _print(view, source.plan, snapshot)
    if not view.canary and not view.groups:
        return EXIT_NO_DATA
    return EXIT_BEYOND_CHANCE if view.beyond_chance else 0


async def _look(source: PlanSource, since_s: float) -> tuple[FailuresView, Snapshot]:
    async with open_session(source) as session:
        snapshot = await look(session)
        now, since = snapshot.as_of, snapshot.as_of - since_s
        legacy, canary = snapshot.legacy.samples, snapshot.canary.samples
        why = "" if session.plan.evidence.tail else "the plan has it off"
        try:
            found, is_whole = ((), True) if why else await session.read_failing(since, now)
        except CanaryError as error:
            why = sanitize(error.message, 300)
        if why:
            try:
                minutes = await session.read_statuses(since, now)
            except CanaryError:
                return view_classes(legacy, canary, since, why), snapshot
            return view_statuses(minutes, since, why), snapshot
        missing = "" if is_whole else "Only the newest failing requests were read."
        since = since if is_whole or not found else found[-1].at
        state = gather_failures(found, legacy, canary, since, now)
        return view_failures(state, now, missing), snapshot


def _print(view: FailuresView, plan: Plan, snapshot: Snapshot) -> None:
    now, instances = snapshot.as_of, snapshot.canary.window.instances
    for sentence in format_about(view):
        say(sentence)
    if not view.groups:
        say("No request has failed.")
        return
    say()
    rows = [("", "what failed", "canary", "legacy", "", "")]
    rows += [
        (
            "✗" if group.is_beyond_chance else "·",
            " ".join(filter(None, (MARKS[group.mark], format_key(group.key)))),
            format_counts(group.canary, view.canary),
            format_counts(group.legacy, view.legacy),
            format_excess(group),
            format_beyond(group),
        )
        for group in view.groups[:SHOWN]
    ]
    print_table(rows)
    if common := format_common(view, instances):
        say(common)
    first = view.groups[0]
    if not (first.is_beyond_chance or first.mark):
        return
    say()
    say(f"{format_key(first.key)}: {format_spread(first, instances) or 'the newest requests'}")
    for request in first.requests[:5]:
        say(f"  {format_request(request)}")
    since = view.since if view.since is not None else now - USUAL_S
    query = group_query(plan, first.key)
    say(f"  $ {read_command(plan.target.project, query, since, now)}")
