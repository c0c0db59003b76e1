"""`canary load-test`: users on the router with Locust; PASSED or FAILED, for the gate."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from canary.cli.opening import PlanSource, find_plan, open_session
from canary.cli.options import Duration, Number, WholeNumber, plan_options
from canary.cli.output import (
    ProgressLine,
    conclude,
    keep,
    print_json,
    print_table,
    say,
    say_written,
)
from canary.rollout.errors import ReadOnly, RecordError
from canary.rollout.text import (
    format_count,
    format_duration,
    format_milliseconds,
    format_rate,
    format_ratio,
    sanitize,
)
from canary.rollout.trials.load_test import (
    LoadFigures,
    LoadTestProgress,
    LoadTestSettings,
    LoadTestSummary,
    load_document,
    summarise_load,
)

if TYPE_CHECKING:
    pass

EXIT_FAILED: Final = 1
EXIT_STOPPED: Final = 130


@click.command()
@click.option("--users", type=WholeNumber(1, 100_000), help="How many; the plan's.")
@click.option("--spawn-rate", type=Number(0.01, 10_000), help="Users more each second.")
@click.option("--duration", type=Duration(1.0, 604_800.0), metavar="60m", help="How long.")
@click.option("--profile", metavar="NAME", help="What they ask for; the plan's.")
@plan_options
def load_test(
    users: int | None,
    spawn_rate: float | None,
    duration: float | None,
    profile: str | None,
    as_json: bool,
    config: str | None,
) -> int:
    """Put users on the router, and write outputs/load_test_summary.json for the gate.

    Durations and latencies are of the cloud's clock. Exits 0 when it PASSED, 1 when it FAILED,
    3 when Locust does not start, 130 when Ctrl-C or SIGTERM stopped it: that is FAILED, too.
    """
    from canary.engine.jobs.load_test import choose_settings

    source = find_plan(config, acts=True)
    if source.is_read_only:
        raise ReadOnly("A load test is refused: this is read-only, and it would put load on both.")
    settings = choose_settings(
        source.plan, users=users, spawn_rate=spawn_rate, duration_s=duration, profile=profile
    )
    summary, path, error = asyncio.run(_run(source, settings))
    if as_json:
        print_json(load_document(summary))
    else:
        _say(summary, path, written=error is None)
    if summary.ended == "stopped":
        return conclude(EXIT_STOPPED, error)
    return conclude(0 if summary.status == "PASSED" else EXIT_FAILED, error)


async def _run(
    source: PlanSource, settings: LoadTestSettings
) -> tuple[LoadTestSummary, Path | None, RecordError | None]:
    from canary.engine.jobs.load_process import demand_locust
    from canary.engine.jobs.load_test import LoadTestRun, write_summary
    from canary.engine.jobs.router_requests import find_target
    from canary.engine.person import this_person
    from canary.engine.signals import ended_by_signal
    from canary.store.locks import hold_load_lock
    from canary.store.paths import state_dir

    demand_locust()
    with hold_load_lock(state_dir(source.plan)):
        async with open_session(source, need_metrics=False) as session:
            target = await find_target(session)
            run = LoadTestRun(source.plan, target, settings, session.clock)
            with ended_by_signal(partial(run.stop, f"by {this_person()}")), ProgressLine() as line:
                users = format_count(settings.users)
                line.show(f"load test: starting {users} users on {sanitize(target.url, 80)}")
                summary = await run.run(lambda progress: line.show(_progress(progress)))
            base = source.path.parent
            return summary, *keep(lambda: write_summary(source.plan, base, summary))


def _progress(seen: LoadTestProgress) -> str:
    """One line: "12 m of 60 m  50 users  18.4 requests/s  legacy p95 … errors …  canary …"."""
    parts = [
        f"{format_duration(seen.elapsed_s)} of {format_duration(seen.duration_s)}",
        f"{format_count(seen.users)} users",
        f"{_rate(seen.requests_per_s)} requests/s",
        _side("legacy", seen.legacy),
        _side("canary", seen.canary),
    ]
    if seen.unattributed.requests:
        parts.append(f"unattributed {format_count(seen.unattributed.requests)}")
    return "  ".join(parts)


def _side(name: str, side: LoadFigures) -> str:
    shown = f"{name} {format_count(side.requests)}"
    if not side.requests:
        return shown
    return f"{shown} p95 {format_milliseconds(side.p95_ms)} errors {format_ratio(side.error_ratio)}"


def _say(summary: LoadTestSummary, path: Path | None, *, written: bool) -> None:
    seen = summary.figures
    print_table(
        [
            ("", "requests", "requests/s", "p50", "p95", "p99", "error ratio", "success ratio"),
            _row("legacy", seen, seen.legacy),
            _row("canary", seen, seen.canary),
            _row("unattributed", seen, seen.unattributed),
        ]
    )
    if seen.busy:
        say("Note: this machine was near its limit: the latencies are overstated.")
    glyph = "✓" if summary.status == "PASSED" else "✗"
    say(f"{glyph} {summarise_load(summary.status, summary.reasons, seen)}.")
    for reason in summary.reasons[1:]:
        say(f"  also: {reason}")
    if path is not None:
        say_written(path)
    elif written:
        say("No request was made: nothing was written.")


def _row(name: str, seen: LoadTestProgress, side: LoadFigures) -> tuple[str, ...]:
    return (
        name,
        format_count(side.requests),
        _rate(seen.rate_of(side)),
        format_milliseconds(side.p50_ms),
        format_milliseconds(side.p95_ms),
        format_milliseconds(side.p99_ms),
        format_ratio(side.error_ratio),
        format_ratio(side.success_ratio),
    )


def _rate(value: float | None) -> str:
    """Small rates keep their figures: on the embedded cloud they are a sixtieth of what is made."""
    return f"{value:.2f}" if value is not None and value < 10 else format_rate(value)
