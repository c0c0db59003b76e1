"""`canary verify | compare`: what the router really serves; and the verification after a change."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from canary.cli.opening import PlanSource, find_plan, open_session
from canary.cli.options import Number, WholeNumber, plan_options
from canary.cli.output import (
    ProgressLine,
    complain,
    conclude,
    figure_rows,
    keep,
    print_json,
    print_table,
    say,
    say_written,
)
from canary.host.home import expand_home
from canary.rollout.change.change import Change
from canary.rollout.errors import RecordError
from canary.rollout.plan.tables import MOST_REQUESTS
from canary.rollout.text import format_count, format_iso_time, sanitize
from canary.rollout.trials.comparison import Comparison
from canary.rollout.trials.verification import (
    CHECK_GLYPHS,
    CHECK_WORDS,
    Verification,
    VerificationVerdict,
    VerifyProgress,
    comparison_document,
    verification_document,
    verification_line,
)

if TYPE_CHECKING:
    from canary.engine.jobs.verification import VerifyOrder
    from canary.engine.session import Session

EXIT_NO_DATA: Final = 30


def _probe_options(command: Any) -> Any:
    requests = click.option(
        "--requests", type=WholeNumber(1, MOST_REQUESTS), help="How many; the plan's number."
    )
    delay = click.option(
        "--delay-ms", type=Number(0, 60_000), help="From one to the next; the plan's."
    )
    return requests(delay(command))


@click.command()
@click.option(
    "--percent", type=WholeNumber(0, 100), help="The intended share; the record's if not given."
)
@_probe_options
@plan_options
def verify(
    percent: int | None,
    requests: int | None,
    delay_ms: float | None,
    as_json: bool,
    config: str | None,
) -> int:
    """Verify that what is served is what is intended: health, measured split, both sides.

    Writes outputs/compare_stageN.json. Exits 0 when passed, 1 when not, and 30 when it could not
    be verified, which is never a pass.
    """
    source = find_plan(config, acts=True)
    verification, path, error = asyncio.run(_verify(source, percent, requests, delay_ms))
    if as_json:
        print_json(verification_document(verification))
    else:
        print_verification(verification)
        if path is not None:
            say_written(path)
    return conclude(EXITS[verification.verdict], error)


@click.command()
@_probe_options
@click.option("--out", metavar="FILE", help="Write it there as JSON, too.")
@plan_options
def compare(
    requests: int | None, delay_ms: float | None, out: str | None, as_json: bool, config: str | None
) -> int:
    """Put Legacy and Canary side by side, by requests through the router. Judges nothing.

    Exits 0, or 30 when no answer told which side it is from.
    """
    source = find_plan(config, acts=True)
    comparison = asyncio.run(_compare(source, requests, delay_ms))
    document = {"timestamp": format_iso_time(comparison.at), **comparison_document(comparison)}
    if as_json:
        print_json(document)
    else:
        print_comparison(comparison)
    error = None
    if out is not None:
        from canary.store.outputs import write_output

        _, error = keep(lambda: write_output(expand_home(out, "--out"), document))
        if error is None and not as_json:
            say_written(out)
    return conclude(0 if comparison.attributed else EXIT_NO_DATA, error)


async def verify_change(
    source: PlanSource, session: Session, change: Change
) -> Verification | None:
    """Verify a change that this command has carried out; None for one that moved nobody.

    The file is written too; that it cannot be is said, and takes nothing from the result.
    """
    from canary.engine.jobs.verification import note_verification, order_of, write_verification

    order = order_of(change)
    if order is None:
        return None
    verification = await _verify_with(session, order)
    try:
        note_verification(session.journal, verification)
        write_verification(source.plan, source.path.parent, verification)
    except RecordError as error:
        complain(error)
    return verification


async def _verify(
    source: PlanSource, percent: int | None, requests: int | None, delay_ms: float | None
) -> tuple[Verification, Path | None, RecordError | None]:
    from canary.engine.jobs.verification import VerifyOrder, write_verification

    async with open_session(source, need_metrics=False) as session:
        order = VerifyOrder(requests=requests, delay_ms=delay_ms, intended_percent=percent)
        verification = await _verify_with(session, order)
    base = source.path.parent
    return verification, *keep(lambda: write_verification(source.plan, base, verification))


async def _verify_with(session: Session, order: VerifyOrder) -> Verification:
    from canary.engine.jobs.verification import verify as verify_now

    with ProgressLine(sys.stderr) as line:
        return await verify_now(session, order, progress_on(line))


async def _compare(source: PlanSource, requests: int | None, delay_ms: float | None) -> Comparison:
    from canary.engine.jobs.router_requests import compare_now

    async with open_session(source, need_metrics=False) as session:
        with ProgressLine(sys.stderr) as line:
            return await compare_now(
                session, progress_on(line), requests=requests, delay_ms=delay_ms
            )


EXITS: Final[dict[VerificationVerdict, int]] = {"passed": 0, "not_passed": 1, "unverified": 30}

_BAR: Final = 24

LEAST_PAUSE_S: Final = 0.1
"""The line is rewritten at most ten times a second: a slow terminal must not hold requests up."""


def progress_on(
    line: ProgressLine, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[VerifyProgress], None]:
    """What shows a verification's progress on the line."""
    shown_at = float("-inf")

    def show(progress: VerifyProgress) -> None:
        nonlocal shown_at
        now = monotonic()
        is_step = 0 < progress.done < progress.total
        if is_step and now - shown_at < LEAST_PAUSE_S:
            return
        shown_at = now
        line.show(progress_text(progress))

    return show


def progress_text(progress: VerifyProgress) -> str:
    """ "████░░░░ 40 of 100 requests   legacy 36   canary 4"."""
    if progress.step == "health":
        return "verifying: asking both sides for their health"
    filled = _BAR * progress.done // max(1, progress.total)
    bar = "█" * filled + "░" * (_BAR - filled)
    done, total = format_count(progress.done), format_count(progress.total)
    failed = f"   no answer {format_count(progress.failed)}" if progress.failed else ""
    sides = f"legacy {format_count(progress.legacy)}   canary {format_count(progress.canary)}"
    return f"{bar} {done} of {total} requests   {sides}{failed}"


def print_verification(verification: Verification) -> None:
    """The checks, both sides, and the verdict last; one that is not passed on standard error."""
    print_table(
        [
            (
                f"{CHECK_GLYPHS[c.state]} {CHECK_WORDS[c.state]}",
                sanitize(c.label),
                sanitize(c.said, 300),
            )
            for c in verification.checks
        ],
        indent="  ",
    )
    if verification.comparison is not None:
        print_comparison(verification.comparison)
    line = verification_line(verification)
    if verification.verdict == "passed":
        say(line)
        return
    remedy = {
        "not_passed": "Verify again with `canary verify`, or go back with `canary rollback`.",
        "unverified": "That is not a pass: see to what is named, then `canary verify`.",
    }[verification.verdict]
    complain(f"{line}. {remedy}")


def print_comparison(comparison: Comparison) -> None:
    """Both sides beside each other; latencies are as measured from here."""
    legacy, canary = comparison.legacy, comparison.canary
    rows = [("", sanitize(legacy.service, 60), sanitize(canary.service, 60))]
    print_table([*rows, *figure_rows(legacy, canary)], indent="  ")
    if comparison.unnamed:
        say(f"  {format_count(comparison.unnamed)} answers do not say which side they are from.")
    if comparison.unanswered:
        why = f": {sanitize(comparison.first_error)}" if comparison.first_error else ""
        say(f"  {format_count(comparison.unanswered)} requests were not answered{why}.")
