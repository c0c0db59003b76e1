"""`canary report | export grafana`: a stage for the record, the dashboard as a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeGuard

import click
import msgspec

from canary.cli.opening import PlanSource, find_plan, look_back, open_session
from canary.cli.options import WholeNumber, config_option, plan_options
from canary.cli.output import print_json, say, say_written
from canary.cli.recordings import open_recording
from canary.host.home import expand_home
from canary.rollout.change.change import SetTraffic, Step
from canary.rollout.change.history_entries import HistoryEntry, history_entry_of
from canary.rollout.errors import RecordError, UsageError
from canary.rollout.evidence.replay import replay_samples
from canary.rollout.evidence.view import EvidenceView, TailView, view_evidence
from canary.rollout.export.report import ReportFacts, StageSpan, find_span, merge_history
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.text import format_iso_time

if TYPE_CHECKING:
    from canary.store.entries import Entry

_REPLAYED = "judged again from Cloud Monitoring's minutes, for this report"


@click.command()
@click.option("--stage", type=WholeNumber(0), metavar="N", help="The present one if not given.")
@click.option("--out", "-o", metavar="FILE", help="Where to; standard output if not given.")
@click.option("--html", "as_html", is_flag=True, help="As HTML; so is a FILE that ends in .html.")
@plan_options
def report(
    stage: int | None, out: str | None, as_html: bool, as_json: bool, config: str | None
) -> int:
    """Write the report of a stage: verdict, gates, evidence, changes, timeline, missing data.

    Of a stage that is over the last visit counts, as far as this host's journal, the service's own
    record and the metrics still tell of it. With --json and --out it says what was written.
    """
    if as_json and out is None:
        raise UsageError("--json says what was written: it needs --out FILE.")
    facts, plan = asyncio.run(_gather(find_plan(config), stage))
    facts = _remember(facts, plan)
    text = _block_lines(plan, facts, as_html or (out or "").endswith((".html", ".htm")))
    if out is None:
        for line in text.rstrip("\n").split("\n"):
            say(line)
        return 0
    from canary.store.outputs import write_text

    path = expand_home(out, "--out").absolute()
    write_text(path, text)
    if as_json:
        print_json(
            {
                "file": str(path),
                "stage": facts.span.stage,
                "from": format_iso_time(facts.span.began_at),
                "to": format_iso_time(facts.span.ended_at),
            }
        )
    else:
        say_written(path)
    return 0


def _remember(facts: ReportFacts, plan: Plan) -> ReportFacts:
    """With what this host has recorded of the visit; as it is where it has recorded nothing."""
    from canary.rollout.recording.timeline import read_timeline

    try:
        rows = read_timeline(open_recording(plan), facts.span.began_at, facts.until)
    except RecordError:
        return facts
    told = tuple((row.at, row.event, row.who, row.data) for row in rows)
    return msgspec.structs.replace(facts, recorded=told)


def _block_lines(plan: Plan, facts: ReportFacts, is_html: bool) -> str:
    from canary.cli.inspect.p_values import ask_p_values
    from canary.rollout.export.report import to_markdown
    from canary.rollout.export.report_content import build_report
    from canary.rollout.export.report_html import to_html
    from canary.rollout.export.report_statistics import compare_minutes, with_p_values

    begin, end = facts.span.began_at, facts.until
    inside = [
        [s for s in side if s.start >= begin and s.end <= end]
        for side in (facts.legacy, facts.canary)
    ]
    rows = compare_minutes(*inside)
    p_values, note = ask_p_values([(row.canary, row.legacy) for row in rows])
    built = build_report(plan, facts, with_p_values(rows, p_values), note)
    return to_html(built) if is_html else to_markdown(built)


async def _gather(source: PlanSource, stage: int | None) -> tuple[ReportFacts, Plan]:
    from canary.engine.observe.journal_view import view_change

    async with open_session(source) as session:
        snapshot = await look_back(session)
        entries = session.journal.recent(10_000) if session.journal is not None else ()
        changes = tuple(view_change(entry) for entry in entries)
        facts = _facts(source.plan, snapshot, entries, changes, stage)
        if session.history is not None:
            # What was seen of a stage that is over is no part of the snapshot.
            since = facts.span.began_at - 3600.0
            kept = [session.history.load(side, since) for side in ("legacy", "canary")]
            facts = msgspec.structs.replace(facts, legacy=kept[0], canary=kept[1])
        if not facts.span.begin_known:
            facts = msgspec.structs.replace(facts, span=_span_of_data(facts))
    return msgspec.structs.replace(
        facts, evidence=_judge(source.plan, snapshot, facts)
    ), source.plan


def _facts(
    plan: Plan,
    snapshot: Snapshot,
    entries: tuple[Entry, ...],
    changes: tuple[ChangeView, ...],
    stage: int | None,
) -> ReportFacts:
    record = snapshot.traffic.record
    present = (history_entry_of(record),) if record is not None else ()
    ours = tuple(d for d in map(_deed, entries) if d is not None)
    history = merge_history(ours, snapshot.traffic.history, present)
    wanted = snapshot.stage.index if stage is None else stage
    span = _span(wanted, history, snapshot)
    percent = next((d.percent for d in reversed(history) if d.stage == span.stage), None)
    if percent is None:
        percent = next((d.from_percent for d in history if d.from_stage == span.stage), None)
    return ReportFacts(
        span=span,
        percent=percent if percent is not None else snapshot.stage.percent,
        written_at=snapshot.as_of,
        place=f"{snapshot.project}/{snapshot.region}"
        + (" (LOCAL CLOUD)" if snapshot.provider == "local" else ""),
        legacy_name=plan.target.legacy,
        canary_name=plan.target.canary,
        history=history,
        changes=changes,
        events=snapshot.events,
        legacy=snapshot.legacy.samples,
        canary=snapshot.canary.samples,
        gates=snapshot.gates if span.ended_at is None else (),
        state=find_state(snapshot, plan) if span.ended_at is None else None,
    )


def _span(stage: int | None, history: tuple[HistoryEntry, ...], snapshot: Snapshot) -> StageSpan:
    present = snapshot.stage
    if stage is not None and stage == present.index and present.entered_at is not None:
        return StageSpan(stage, present.entered_at)
    span = None if stage is None else find_span(stage, history, snapshot.as_of)
    if span is None:
        which = "The present stage" if stage is None else f"A visit of stage {stage}"
        raise UsageError(
            f"{which} is not known: neither the record in the cloud nor this host's journal tells"
            " when it began.",
            remedy="`canary log` shows the changes that are known here.",
        )
    return span


def _span_of_data(facts: ReportFacts) -> StageSpan:
    """A visit whose begin nobody tells: from where both sides are known to have had requests."""
    firsts = [
        next((s.start for s in side if s.responses is not None and s.responses.total), facts.until)
        for side in (facts.legacy, facts.canary)
    ]
    began_at = min(max(firsts), facts.until)
    return msgspec.structs.replace(facts.span, began_at=began_at)


def _deed(entry: Entry) -> HistoryEntry | None:
    """A move that was made from this host; None for what moved nothing."""
    change, outcome = entry.change, entry.outcome
    if outcome is None or outcome.state != "done" or change.to_stage is None:
        return None
    set_percent = next((s.percent for s in change.steps if _moves(s)), None)
    percent = outcome.percent if outcome.percent is not None else set_percent
    if percent is None:
        return None
    author = change.author
    return HistoryEntry(
        at=outcome.at,
        move=change.kind,
        percent=percent,
        stage=change.to_stage,
        by=author.user,
        host=author.host,
        from_percent=next((s.before_percent for s in change.steps if _moves(s)), None),
        from_stage=change.from_stage,
        why=change.reason,
        change=change.id,
    )


def _moves(step: Step) -> TypeGuard[SetTraffic]:
    return isinstance(step, SetTraffic)


def _judge(plan: Plan, snapshot: Snapshot, facts: ReportFacts) -> EvidenceView | None:
    """The evidence of the visit: as it stands while it lasts, else judged again."""
    if facts.span.ended_at is None and snapshot.evidence is not None:
        return snapshot.evidence
    if facts.percent is None or not 0 < facts.percent < 100:
        return None
    share = facts.percent / 100
    state = replay_samples(
        facts.legacy, facts.canary, facts.span.began_at, facts.until, share, plan.evidence
    )
    off = TailView(off=_REPLAYED)
    return view_evidence(state, plan.evidence, source="monitoring", tail=off, reported=None)


@click.group()
def export() -> None:
    """Write a dashboard for Grafana, or the rollout as metrics."""


@export.command(short_help="Write the dashboard for Grafana 10 or newer.")
@click.option("--out", "-o", metavar="FILE", help="Where to; standard output if not given.")
@plan_options
def grafana(out: str | None, as_json: bool, config: str | None) -> int:
    """Write the dashboard for Grafana 10 or newer and its Google Cloud Monitoring data source.

    In Grafana: Dashboards, New, Import. Both sides, with the limits of the plan; nothing is asked
    of the cloud.
    """
    from canary.rollout.export.grafana import build_dashboard
    from canary.store.outputs import write_output

    dashboard = build_dashboard(find_plan(config).plan)
    if out is None:
        print_json(dashboard)
        return 0
    path = expand_home(out, "--out").absolute()
    write_output(path, dashboard)
    if as_json:
        print_json({"file": str(path), "title": dashboard["title"], "uid": dashboard["uid"]})
    else:
        say_written(path)
    return 0


@export.command(short_help="Write the rollout as OpenMetrics.")
@click.option("--out", "-o", metavar="FILE", help="A textfile of node_exporter's (NAME.prom).")
@config_option
def openmetrics(out: str | None, config: str | None) -> int:
    """Write the rollout as OpenMetrics, or with --out for node_exporter's textfile collector.

    Stage, share, verdict and state, data age, changes, waiting for a person. To be run every
    minute by a timer; `canary guard` and `canary monitor` answer scrapes with --metrics-port.
    The file is readable for all, as node_exporter needs it; no secret is in it.
    """
    from canary.cli.inspect.openmetrics import write_metrics

    return write_metrics(find_plan(config), out)
