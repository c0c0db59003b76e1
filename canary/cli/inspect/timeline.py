"""`canary timeline | handover`: what happened, a row each; and a shift handed over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from canary.cli.opening import PlanSource, find_plan, look, open_session
from canary.cli.options import Duration, WholeNumber, config_option, json_option
from canary.cli.output import complain, print_json, say, say_written
from canary.cli.recordings import open_recording, read_at
from canary.host.home import expand_home
from canary.rollout.errors import CanaryError, RecordError, UsageError

if TYPE_CHECKING:
    from canary.rollout.plan.plan import Plan
    from canary.rollout.recording.timeline_changes import Row
    from canary.rollout.snapshot.snapshot import Snapshot


@click.command()
@click.option("--stage", type=WholeNumber(0), metavar="N", help="One stage alone.")
@click.option("--from", "since", metavar="TIME", help="From then on; the begin if not given.")
@click.option("--to", "until", metavar="TIME", help="Up to then; the end if not given.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "csv", "jsonl"]),
    default="md",
    help="md if not given.",
)
@click.option("--out", "-o", metavar="FILE", help="Where to; standard output if not given.")
@config_option
def timeline(
    stage: int | None,
    since: str | None,
    until: str | None,
    form: str,
    out: str | None,
    config: str | None,
) -> int:
    """Write what happened, from this host's recording.

    Changes with who and why and the numbers behind them, the states it was in, proofs, gates,
    tests, holds, drift, automatic rollback, sources that failed.
    """
    if stage is not None and (since or until):
        raise UsageError("--stage and --from, --to exclude each other.", remedy="Choose one.")
    from canary.rollout.recording.timeline import read_timeline
    from canary.rollout.recording.timeline_text import format_timeline

    recording = open_recording(find_plan(config).plan)
    begin = read_at(recording, since)
    end = read_at(recording, until)
    rows = read_timeline(
        recording,
        recording.begin if begin is None else begin,
        recording.end if end is None else end,
        stage,
    )
    _write(format_timeline(rows, form), out)  # type: ignore[arg-type]
    return 0


@click.command()
@click.option(
    "--since",
    type=Duration(60, 604_800),
    default="8h",
    metavar="8h",
    help="How long the shift was.",
)
@click.option("--out", "-o", metavar="FILE", help="Where to; standard output if not given.")
@click.option("--post", is_flag=True, help="To the plan's webhook, too.")
@json_option
@config_option
def handover(since: float, out: str | None, post: bool, as_json: bool, config: str | None) -> int:
    """Write a handover for the next shift: at most one screen of Markdown.

    Where it stands now (where the cloud does not answer: as it was shown last), and what this host
    has recorded of the shift.
    """
    from canary.rollout.recording.handover import make_handover

    source = find_plan(config)
    if post and not source.plan.notify.is_on:
        raise UsageError("There is no webhook in the plan.", remedy="See [notify] in canary.toml.")
    snapshot = _find_present(source)
    rows, unrecorded = _find_rows(source.plan, snapshot.as_of, since)
    text = make_handover(
        snapshot,
        source.plan,
        rows,
        now=snapshot.as_of,
        since=snapshot.as_of - since,
        unrecorded=unrecorded,
    )
    if as_json:
        print_json({"handover": text, "as_of": snapshot.as_of})
    else:
        _write(text, out)
    if post:
        asyncio.run(_post(source, text))
    return 0


def _find_present(source: PlanSource) -> Snapshot:
    """What the cloud says now; where it does not answer, what was shown last, which is said."""
    try:
        return asyncio.run(_look(source))
    except CanaryError as error:
        try:
            recording = open_recording(source.plan)
            snapshot = recording.read(recording.find(recording.end)).frame.snapshot
        except RecordError:
            raise error from None
        complain(f"{error} What follows is as it was shown last.")
        return snapshot


async def _look(source: PlanSource) -> Snapshot:
    async with open_session(source) as session:
        await asyncio.gather(look(session), session.observer.read_readiness())
        return session.observer.snapshot()


def _find_rows(plan: Plan, now: float, length_s: float) -> tuple[list[Row], str]:
    from canary.rollout.recording.timeline import read_timeline

    try:
        return read_timeline(open_recording(plan), now - length_s, now), ""
    except RecordError as error:
        return [], str(error)


async def _post(source: PlanSource, text: str) -> None:
    from canary.engine.notify import telling
    from canary.rollout.export.notification import handover_notice, place_of
    from canary.store.paths import state_dir

    plan = source.plan
    place = place_of(plan.name, plan.target.project, plan.provider)
    async with telling(plan, state_dir(plan), complain) as notifier:
        notifier.tell(handover_notice(text, place))


def _write(text: str, out: str | None) -> None:
    if out is None:
        for line in text.rstrip("\n").split("\n"):
            say(line)
        return
    from canary.store.outputs import write_text

    path = expand_home(out, "--out").absolute()
    write_text(path, text)
    say_written(path)
