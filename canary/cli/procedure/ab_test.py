"""`canary ab-test`: both groups side by side, the gains with their intervals, approved or not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from canary.cli.opening import PlanSource, find_plan, open_session
from canary.cli.options import WholeNumber, plan_options
from canary.cli.output import conclude, keep, print_json, say, say_written
from canary.host.home import expand_home
from canary.rollout.errors import RecordError, UsageError
from canary.rollout.text import (
    format_count,
    format_limit,
    format_milliseconds,
    format_ratio,
    format_score,
    format_timestamp,
    sanitize,
)
from canary.rollout.trials.ab_test import (
    AbAnalysis,
    AbMetric,
    AbStatus,
    GroupFigures,
    ab_document,
    show_interval,
    summarise,
)

if TYPE_CHECKING:
    from canary.engine.jobs.ab_test import AbTestRun

EXIT_CODES: Final[dict[AbStatus, int]] = {"APPROVED": 0, "NOT_APPROVED": 1, "NO_DATA": 30}

LABELS: Final[dict[AbMetric, str]] = {
    "response_time": "mean response time",
    "p95_response_time": "p95 response time",
    "confidence": "mean confidence",
    "success": "success ratio",
}


@click.command()
@click.option("--from", "file", metavar="FILE", help="Results from a file instead of BigQuery.")
@click.option("--days", type=WholeNumber(1, 3650), help="How far back; the plan's if not given.")
@plan_options
def ab_test(file: str | None, days: int | None, as_json: bool, config: str | None) -> int:
    """Compare both groups of the A/B test, and write outputs/ab_test_analysis.json for the gate.

    Exits 0 when Canary's mean response time is better by more than the plan asks, 1 when it is
    not, 30 when there is no data.
    """
    if file is not None and days is not None:
        raise UsageError("A file is taken as it stands: --days does not go with --from.")
    source = find_plan(config, acts=True)
    run, path, error = _analyse(source, file, days)
    if as_json:
        print_json(ab_document(run.analysis, run.source))
    else:
        _say(run)
        if path is not None:
            say_written(path)
    return conclude(EXIT_CODES[run.analysis.status], error)


def _analyse(
    source: PlanSource, file: str | None, days: int | None
) -> tuple[AbTestRun, Path | None, RecordError | None]:
    from canary.engine.jobs.ab_test import take_file, write_analysis

    if file is not None:
        run = take_file(source.plan, expand_home(file, "--from"))
    else:
        run = asyncio.run(_ask(source, days))
    return run, *keep(lambda: write_analysis(source.plan, source.path.parent, run))


async def _ask(source: PlanSource, days: int | None) -> AbTestRun:
    from canary.engine.jobs.ab_test import ask_bigquery

    async with open_session(source, need_metrics=False) as session:
        return await ask_bigquery(session, days)


def _say(run: AbTestRun) -> None:
    analysis, source = run.analysis, run.source
    time = ""
    if source.since is not None:
        time = f", {format_timestamp(source.since)} to {format_timestamp(source.until)}"
    say(f"A/B test: {sanitize(source.name)}{time}")
    for line in _table(analysis):
        say(line)
    for caution in analysis.cautions:
        say(f"Note: {caution}.")
    say(_verdict(analysis))


def _table(analysis: AbAnalysis) -> list[str]:
    """The rows with figures right-aligned below their headings."""
    rows = [("", "legacy", "canary", "improvement", "95 % interval")]
    requests = (_requests(analysis.legacy), _requests(analysis.canary))
    rows.append(("requests", *requests, "", ""))
    for one in analysis.improvements:
        legacy, canary = _value(one.metric, one.legacy), _value(one.metric, one.canary)
        rows.append(
            (LABELS[one.metric], legacy, canary, format_ratio(one.gain), show_interval(one))
        )
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return [
        "  ".join(
            (row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, 4)), row[4])
        ).rstrip()
        for row in rows
    ]


def _requests(group: GroupFigures | None) -> str:
    return format_count(group.requests if group is not None else None)


def _value(metric: AbMetric, value: float | None) -> str:
    if metric == "confidence":
        return format_score(value)
    return format_ratio(value) if metric == "success" else format_milliseconds(value)


def _verdict(analysis: AbAnalysis) -> str:
    needed = f"more than {format_limit('ab_test', analysis.least)} is needed"
    if analysis.status == "NO_DATA":
        return f"? No data: {'; '.join(analysis.reasons)}."
    glyph, word = ("✓", "Approved") if analysis.status == "APPROVED" else ("✗", "Not approved")
    return f"{glyph} {word}: Canary is {summarise(analysis)}; {needed}."
