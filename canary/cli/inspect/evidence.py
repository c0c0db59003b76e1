"""`canary evidence`: Canary compared with Legacy, in a way that survives being looked at often."""

from __future__ import annotations

import asyncio

import click

from canary.cli.opening import PlanSource, find_plan, look_back, open_session
from canary.cli.options import plan_options
from canary.cli.output import print_json, say
from canary.rollout.export.evidence_document import EXIT_CODES, evidence_document, metric_line
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_duration, format_ratio, format_timestamp


@click.command()
@plan_options
def evidence(as_json: bool, config: str | None) -> int:
    """Say what the comparison of both sides since the last change of the split has come to.

    Rests on what consoles on this host have read of the request log, and on Cloud Monitoring.
    Exits 0 when Canary is proven to be no worse, 10 undecided, 20 when a regression is proven, 30
    when nothing can be concluded.
    """
    source = find_plan(config)
    snapshot = asyncio.run(_look(source))
    if as_json:
        print_json(evidence_document(snapshot))
    else:
        _print_evidence(snapshot)
    return EXIT_CODES["inconclusive" if snapshot.evidence is None else snapshot.evidence.verdict]


async def _look(source: PlanSource) -> Snapshot:
    async with open_session(source) as session:
        return await look_back(session)


def _print_evidence(snapshot: Snapshot) -> None:
    view = snapshot.evidence
    if view is None:
        say("No evidence: where the split stands is not known.")
        return
    for metric in view.metrics:
        say(metric_line(metric))
    if snapshot.advice is not None:
        say(f"Beside the tree: {snapshot.advice.text}.")
    split = view.split
    say(
        f"split: intended {format_ratio(split.intended)}, reported {format_ratio(split.reported)},"
        f" measured {format_ratio(split.measured)}{' – MISMATCH' if split.is_mismatch else ''}"
    )
    since = format_timestamp(view.began_at)
    say(f"since {since}: {format_duration(view.judged_s)} judged, source: {view.source}")
    for entry in view.left_out:
        say(
            f"left out: {format_duration(entry.seconds)}, {entry.requests} requests: {entry.reason}"
        )
