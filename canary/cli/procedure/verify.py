"""`canary verify | compare`: what the router really serves; and the verification after a change."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from canary.cli.options import chosen_config, config_option, json_option
from canary.cli.output import ProgressLine, conclude, keep, print_json, say
from canary.cli.plan_source import PlanSource, find_plan
from canary.cli.procedure.verify_report import (
    EXITS,
    print_comparison,
    print_verification,
    progress_on,
)
from canary.rollout.change.change import Change
from canary.rollout.errors import RecordError
from canary.rollout.plan.table_rules import MOST_REQUESTS
from canary.rollout.text import format_iso_time, sanitize
from canary.rollout.trials.comparison import Comparison
from canary.rollout.trials.verification import (
    Verification,
    comparison_document,
    verification_document,
)

if TYPE_CHECKING:
    from canary.engine.jobs.verify import VerifyOrder
    from canary.engine.session import Session

EXIT_NO_DATA: Final = 30


def _probe_options(command: Any) -> Any:
    requests = click.option(
        "--requests", type=click.IntRange(1, MOST_REQUESTS), help="How many; the plan's number."
    )
    delay = click.option(
        "--delay-ms", type=click.FloatRange(0, 60_000), help="From one to the next; the plan's."
    )
    return requests(delay(command))


@click.command()
@click.option(
    "--percent", type=click.IntRange(0, 100), help="The intended share; the record's if not given."
)
@_probe_options
@json_option
@config_option
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
    source = find_plan(chosen_config(config))
    verification, path, trouble = asyncio.run(_verify(source, percent, requests, delay_ms))
    if as_json:
        print_json(verification_document(verification))
    else:
        print_verification(verification)
        if path is not None:
            say(f"Written to {sanitize(path)}.")
    return conclude(EXITS[verification.verdict], trouble)


@click.command()
@_probe_options
@click.option("--out", metavar="FILE", help="Write it there as JSON, too.")
@json_option
@config_option
def compare(
    requests: int | None,
    delay_ms: float | None,
    out: str | None,
    as_json: bool,
    config: str | None,
) -> int:
    """Put Legacy and Canary side by side, by requests through the router. Judges nothing.

    Exits 0, or 30 when no answer told which side it is from.
    """
    source = find_plan(chosen_config(config))
    comparison = asyncio.run(_compare(source, requests, delay_ms))
    document = {"timestamp": format_iso_time(comparison.at), **comparison_document(comparison)}
    if as_json:
        print_json(document)
    else:
        print_comparison(comparison)
    trouble = None
    if out is not None:
        from canary.store.outputs import write_output

        _, trouble = keep(lambda: write_output(Path(out).expanduser(), document))
        if trouble is None and not as_json:
            say(f"Written to {sanitize(out)}.")
    return conclude(0 if comparison.attributed else EXIT_NO_DATA, trouble)


async def verify_change(
    source: PlanSource, session: Session, change: Change
) -> Verification | None:
    """Verify a change that this command has carried out; None for one that moved nobody.

    The file is written too; that it cannot be is said, and takes nothing from the result.
    """
    from canary.engine.jobs.verify import note_verification, order_of, write_verification

    order = order_of(change)
    if order is None:
        return None
    verification = await _verify_with(session, order)
    try:
        note_verification(session.journal, verification)
        write_verification(source.plan, source.path.parent, verification)
    except RecordError as error:
        click.echo(f"canary: {sanitize(error, 500)}", err=True)
    return verification


async def _verify(
    source: PlanSource, percent: int | None, requests: int | None, delay_ms: float | None
) -> tuple[Verification, Path | None, RecordError | None]:
    from canary.engine.jobs.verify import VerifyOrder, write_verification
    from canary.engine.session import Session

    opening = Session.open(source.plan, source.path, read_only=True, need_metrics=False)
    async with await opening as session:
        order = VerifyOrder(requests=requests, delay_ms=delay_ms, intended_percent=percent)
        verification = await _verify_with(session, order)
    base = source.path.parent
    return verification, *keep(lambda: write_verification(source.plan, base, verification))


async def _verify_with(session: Session, order: VerifyOrder) -> Verification:
    from canary.engine.jobs.verify import verify as verify_now

    with ProgressLine(sys.stderr) as line:
        return await verify_now(session, order, progress_on(line))


async def _compare(source: PlanSource, requests: int | None, delay_ms: float | None) -> Comparison:
    from canary.engine.jobs.verify import VerifyOrder, compare_now
    from canary.engine.session import Session

    opening = Session.open(source.plan, source.path, read_only=True, need_metrics=False)
    async with await opening as session:
        order = VerifyOrder(requests=requests, delay_ms=delay_ms)
        with ProgressLine(sys.stderr) as line:
            return await compare_now(session, order, progress_on(line))
