"""`canary guard`: automatic rollback without a screen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from canary.cli.change.text import EXITS
from canary.cli.opening import find_plan, say_place
from canary.cli.options import Duration, metrics_port_option, plan_options
from canary.cli.output import act, say
from canary.engine.person import this_person
from canary.rollout.errors import ReadOnly
from canary.rollout.permit.permit import find_cause
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import sanitize

if TYPE_CHECKING:
    from canary.engine.observe.event_log import Severity

EXIT_NO_DATA = 30


@click.command()
@click.option(
    "--countdown",
    "countdown_s",
    type=Duration(5, 3600),
    help="How long it can still be stopped, real time; guard.countdown_s of the plan.",
)
@click.option("--once", is_flag=True, help="Look once, act if need be, and end.")
@metrics_port_option
@plan_options
def guard(
    countdown_s: float | None,
    once: bool,
    metrics_port: int | None,
    as_json: bool,
    config: str | None,
) -> int:
    """Roll back when the decision tree calls for it: after a countdown, once for each cause.

    Critical limits roll back all; a watch that is overdue, and the stage's own
    automatic_rollback limits, go one stage back. Never on missing, stale or thin data, and no more
    than guard.max_per_day times. Ctrl-C or SIGTERM ends it; a rollback under way is finished first.
    Exits 0; with --once as the change that it made, 3 when a rollback is advised and was not made,
    or 30 when nothing could be judged.
    """
    from canary.engine.guard.command import GuardOrder
    from canary.engine.guard.command import guard as keep_guard

    source = find_plan(config, acts=True)
    say_place(source.plan)
    if source.is_read_only:
        raise ReadOnly("Automatic rollback cannot act here: read-only.")

    act()

    def print_line(severity: Severity, text: str) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if as_json:
            line = {"at": at, "severity": severity, "text": sanitize(text, 1000)}
            click.echo(json.dumps(line))
        else:
            say(f"{at}  {severity:<8}  {sanitize(text, 1000)}")

    author = this_person(source.plan)
    order = GuardOrder(countdown_s, once, metrics_port, source.subject)
    end = asyncio.run(keep_guard(source.plan, source.path, order, author, print_line))
    if end.outcome is not None and once:
        return EXITS[end.outcome.state]
    if once and end.snapshot is not None:
        return exit_without_act(source.plan, end.snapshot, print_line)
    if not once:
        print_line("info", "automatic rollback has ended: nobody guards from here any more")
        return 0
    return EXIT_NO_DATA


def exit_without_act(
    plan: Plan, snapshot: Snapshot, print_line: Callable[[Severity, str], None]
) -> int:
    """The exit code of a look that led to no change: 0 only where nothing was to be done."""
    seen, decision = find_cause(plan, snapshot), snapshot.decision
    if seen.cause is not None:
        print_line("critical", f"a rollback is advised and was not made: {seen.cause.said}")
        return EXITS["failed"]
    blind = decision.verdict == "no_data" or snapshot.canary.data != "ok"
    if blind or snapshot.standing is None or snapshot.standing.percent is None:
        said = seen.held or decision.reason
        print_line("warning", f"nothing could be judged: {said}")
        return EXIT_NO_DATA
    verdict = decision.verdict.replace("_", " ")
    print_line("info", f"nothing to act on: {verdict}: {seen.held or decision.reason}")
    return 0
