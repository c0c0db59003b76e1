"""`canary evidence`: Canary compared with Legacy, in a way that survives being looked at often."""

from __future__ import annotations

import asyncio

import click

from canary.cli.opening import PlanSource, find_plan, look_back, open_session
from canary.cli.options import plan_options
from canary.cli.output import print_json, say
from canary.engine.person import this_person
from canary.rollout.errors import ReadOnly, RecordError, UsageError
from canary.rollout.evidence.dismissal import Dismissal
from canary.rollout.evidence.view import proven_metrics
from canary.rollout.export.evidence_document import (
    EXIT_CODES,
    NAMES,
    evidence_document,
    metric_line,
)
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.impact import find_impact, format_impact
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_count, format_duration, format_ratio, format_timestamp


@click.command()
@click.option("--dismiss", is_flag=True, help="Dismiss what is proven; it needs a reason.")
@click.option("--reason", metavar="TEXT", default="", help="Why it is dismissed.")
@plan_options
def evidence(dismiss: bool, reason: str, as_json: bool, config: str | None) -> int:
    """Say what the comparison of both sides since the last change of the split has come to.

    From what consoles on this host have read of the request log, and on Cloud Monitoring.
    "Proven worse" holds for errors in bursts too, closes the gate to the next stage, and stays
    until the split changes or somebody dismisses it. "Worse now" is the quick test: it advises.

    Exits 0 when Canary is no worse than 2×, 10 still open, 15 when it is worse now, 20 when it
    is proven worse, 30 when nothing can be concluded; with --dismiss 0.
    """
    if dismiss and not reason.strip():
        raise UsageError("A proof is dismissed only with a reason.", remedy="Give --reason TEXT.")
    if reason and not dismiss:
        raise UsageError("--reason goes with --dismiss.")
    source = find_plan(config, acts=dismiss)
    if dismiss:
        if source.is_read_only:
            raise ReadOnly("No proof is dismissed here: read-only.")
        return asyncio.run(_dismiss(source, reason.strip(), as_json=as_json))
    snapshot = asyncio.run(_look(source))
    if as_json:
        print_json(evidence_document(snapshot))
    else:
        _print_evidence(snapshot, source.plan)
    return EXIT_CODES["inconclusive" if snapshot.evidence is None else snapshot.evidence.verdict]


async def _dismiss(source: PlanSource, reason: str, *, as_json: bool) -> int:
    """Keep in the journal that what is proven is dismissed, and say what is left."""
    async with open_session(source) as session:
        metrics = proven_metrics((await look_back(session)).evidence)
        if not metrics:
            raise UsageError("No regression of Canary is proven: there is nothing to dismiss.")
        if session.journal is None or session.journal_error is not None:
            raise session.journal_error or RecordError("There is no journal to keep it in.")
        author = str(this_person())
        session.journal.dismiss(Dismissal(session.clock.now(), author, metrics, reason))
        session.observer.read_journal()
        snapshot = session.observer.judge()
    if as_json:
        print_json(evidence_document(snapshot))
    else:
        names = ", ".join(NAMES[metric] for metric in metrics)
        say(f"Dismissed: the proof that Canary is worse ({names}). Comparison restarted.")
    return 0


async def _look(source: PlanSource) -> Snapshot:
    async with open_session(source) as session:
        return await look_back(session)


def _print_evidence(snapshot: Snapshot, plan: Plan) -> None:
    view = snapshot.evidence
    if view is None:
        say("No evidence: where the split stands is not known.")
        return
    for metric in view.metrics:
        say(metric_line(metric))
    for impact in (find_impact(snapshot, plan), find_impact(snapshot, plan, "slow")):
        if impact is not None:
            say(f"{impact.kind}: {format_impact(impact)}")
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
        requests = format_count(entry.requests)
        say(f"left out: {format_duration(entry.seconds)}, {requests} requests: {entry.reason}")
