"""What a report says: verdict, gates, numbers, evidence, shift, distributions, changes, events."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from canary.rollout.decision.gates import gate_glyph, gate_word
from canary.rollout.evidence.view import EvidenceView
from canary.rollout.evidence.words import GLYPHS, percent_complete
from canary.rollout.export.evidence_document import NAMES, PROVEN, metric_line, proof
from canary.rollout.export.report import (
    Block,
    Paragraph,
    Report,
    ReportFacts,
    Section,
    StageSpan,
    Table,
)
from canary.rollout.export.report_statistics import ShiftRow, draw_distributions, shift_section
from canary.rollout.export.report_verdict import find_verdict
from canary.rollout.measure.samples import Sample, Window, reduce_window
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Event
from canary.rollout.text import (
    NO_DATA,
    format_count,
    format_duration,
    format_limit,
    format_percent,
    format_ratio,
    format_timestamp,
    format_value,
    sanitize,
)

MOST_EVENTS: Final = 200
MOST_GAPS: Final = 20
TOUCH_S: Final = 1.0
_SEVERITIES: Final = {
    "info": "info",
    "good": "✓ good",
    "warning": "◐ warning",
    "critical": "✗ critical",
}


def build_report(plan: Plan, facts: ReportFacts, shifts: Sequence[ShiftRow], note: str) -> Report:
    """The report. `shifts` and `note` are of `report_shift`; empty: nothing could be compared."""
    chosen = msgspec.structs.replace(
        facts, legacy=_inside(facts.legacy, facts), canary=_inside(facts.canary, facts)
    )
    legacy, canary = (
        reduce_window(samples, facts.span.began_at, facts.until)
        for samples in (chosen.legacy, chosen.canary)
    )
    return Report(
        f"{facts.canary_name}: stage {facts.span.stage}, {format_percent(facts.percent)} Canary",
        (
            Section("Verdict", (find_verdict(facts),)),
            _gates(facts),
            _numbers(legacy, canary),
            _head(plan, facts),
            _evidence(facts.evidence),
            shift_section(shifts, note),
            *draw_distributions(legacy, canary),
            _changes(facts),
            _timeline(facts),
            _missing(chosen),
        ),
    )


def _inside(samples: Sequence[Sample], facts: ReportFacts) -> tuple[Sample, ...]:
    begin, end = facts.span.began_at, facts.until
    return tuple(s for s in samples if s.start >= begin and s.end <= end)


def _head(plan: Plan, facts: ReportFacts) -> Section:
    span = facts.span
    asked = plan.stage(span.stage).soak_hours if 0 < span.stage <= len(plan.stages) else None
    rows = (
        ("services", f"{facts.legacy_name} → {facts.canary_name}"),
        ("where", facts.place),
        ("entered", _entered(span)),
        ("left", "not yet" if span.ended_at is None else format_timestamp(span.ended_at)),
        ("length", format_duration(facts.until - span.began_at)),
        ("soak required", "none" if asked is None else format_duration(asked * 3600)),
        ("written", format_timestamp(facts.written_at)),
    )
    return Section("Stage", (Table(("", ""), rows),))


def _entered(span: StageSpan) -> str:
    if span.begin_known:
        return format_timestamp(span.began_at)
    return f"not known; the data begins {format_timestamp(span.began_at)}"


def _numbers(legacy: Window, canary: Window) -> Section:
    def row(name: str, of: str) -> tuple[str, str, str]:
        shown = (format_value(of, getattr(side, of)) for side in (legacy, canary))
        return (name, *shown)  # type: ignore[return-value]

    counts = (format_count(legacy.requests), format_count(canary.requests))
    rows = (
        ("requests", *counts),
        row("error ratio", "error_ratio"),
        row("success ratio", "success_ratio"),
        row("p50", "p50_ms"),
        row("p95", "p95_ms"),
        row("p99", "p99_ms"),
        row("confidence", "confidence"),
    )
    return Section("Numbers of the whole stage", (Table(("", "Legacy", "Canary"), rows),))


def _gates(facts: ReportFacts) -> Section:
    if not facts.gates:
        return Section("Gates", (Paragraph("Not asked: the stage is over, or it has none."),))
    rows = tuple(
        (
            f"{gate_glyph(g)} {gate_word(g)}",
            sanitize(g.label, 60),
            format_value(g.id, g.observed),
            f"{g.comparison} {format_limit(g.id, g.limit)}",
            sanitize(g.evidence),
        )
        for g in facts.gates
    )
    return Section("Gates", (Table(("", "gate", "observed", "required", "sample"), rows),))


def _evidence(view: EvidenceView | None) -> Section:
    if view is None or not view.metrics:
        return Section("Evidence", (Paragraph(f"{NO_DATA}: nothing was compared."),))
    rows = tuple(
        (
            f"{GLYPHS[m.verdict]} {NAMES[m.metric]}",
            sanitize(metric_line(m).partition(": ")[2], 300),
            _complete(m.strength),
            _complete(m.pass_strength),
        )
        for m in view.metrics
    )
    blocks: list[Block] = [Table(("metric", "verdict", "worse", "no worse"), rows)]
    split = view.split
    mismatch = " MISMATCH: the comparison cannot be believed." if split.is_mismatch else ""
    blocks.append(
        Paragraph(
            f"Split: intended {format_ratio(split.intended)}, measured"
            f" {format_ratio(split.measured)}.{mismatch} Since {format_timestamp(view.began_at)},"
            f" {format_duration(view.judged_s)} judged, newest from: {view.source}."
        )
    )
    out = tuple(
        (sanitize(e.reason), format_duration(e.seconds), format_count(e.requests))
        for e in view.left_out
    )
    if out:
        blocks.append(Table(("left out because of", "time", "requests"), out))
    return Section("Evidence", tuple(blocks))


def _complete(strength: float) -> str:
    """How far a proof has come; "proven" of what is, and of nothing else."""
    return "proven" if strength >= 1.0 else f"{percent_complete(strength)} %"


def _changes(facts: ReportFacts) -> Section:
    """What the journal of this host tells, and moves of other hosts from the service's record."""
    begin, end = facts.span.began_at, facts.until
    ours = [c for c in facts.changes if begin <= (c.outcome.at if c.outcome else c.asked_at) <= end]
    rows = [
        (
            c.outcome.at if c.outcome else c.asked_at,
            sanitize(c.title),
            sanitize(c.author, 80),
            "open" if c.outcome is None else c.outcome.state.replace("_", " "),
            "" if c.outcome is None else sanitize(c.outcome.message),
        )
        for c in ours
    ]
    told = {c.id for c in facts.changes}
    for entry in (d for d in facts.history if begin <= d.at <= end and d.change not in told):
        title = f"{entry.move.replace('_', ' ')} to stage {entry.stage}, {entry.percent} %"
        by = sanitize(f"{entry.by}@{entry.host}", 80)
        rows.append((entry.at, sanitize(title), by, "recorded", sanitize(entry.why)))
    if not rows:
        return Section("Changes", (Paragraph("None is known in this stage."),))
    shown = tuple((format_timestamp(at), *rest) for at, *rest in sorted(rows))
    blocks: list[Block] = [Table(("when", "what", "by", "outcome", "said"), shown)]
    if hosts := _hosts_elsewhere(facts, told):
        blocks.append(
            Paragraph(
                f"Made from {hosts}, whose journal is not on this host. Missing here, of these"
                " moves: the gates and their samples, the dry run, each step with its time,"
                " notes and the verification. `canary report` there has them."
            )
        )
    return Section("Changes", tuple(blocks))


def _hosts_elsewhere(facts: ReportFacts, told: set[str]) -> str:
    """The hosts that made moves of this visit which this host's journal does not have; "" none."""
    begin, end = facts.span.began_at, facts.until
    moves = [d for d in facts.history if begin <= d.at <= end and d.change not in told]
    return ", ".join(sorted({sanitize(d.host, 60) or "another host" for d in moves}))


def _timeline(facts: ReportFacts) -> Section:
    begin, end = facts.span.began_at, facts.until
    if facts.recorded:
        return Section("Timeline", (_recorded(facts),))
    known = (*facts.events, *_proofs(facts))
    events = sorted((e for e in known if begin <= e.at <= end), key=lambda e: e.at)
    if not events:
        return Section("Timeline", (Paragraph("No event of this stage is kept."),))
    left_out = len(events) - MOST_EVENTS
    rows = tuple(
        (format_timestamp(e.at), _SEVERITIES[e.severity], sanitize(e.text), sanitize(e.by, 80))
        for e in events[-MOST_EVENTS:]
    )
    blocks: list[Block] = [Table(("when", "severity", "what", "by"), rows)]
    if left_out > 0:
        blocks.append(Paragraph(f"{format_count(left_out)} older events are left out."))
    return Section("Timeline", tuple(blocks))


def _recorded(facts: ReportFacts) -> Table:
    """What the recording tells: more than events, with the numbers that each thing rested on."""
    rows = tuple(
        (format_timestamp(at), sanitize(what, 300), sanitize(who, 80), sanitize(data, 200))
        for at, what, who, data in facts.recorded[-MOST_EVENTS:]
    )
    return Table(("when", "what", "by", "on"), rows)


def _proofs(facts: ReportFacts) -> tuple[Event, ...]:
    """The moments at which a regression was proven, as far as no event tells of them already: what
    is judged again for a visit that is over was said to nobody.
    """
    told = {event.at for event in facts.events if PROVEN in event.text}
    metrics = facts.evidence.metrics if facts.evidence is not None else ()
    return tuple(
        Event(m.detected_at, "critical", f"evidence: {PROVEN}: {NAMES[m.metric]} {proof(m)}")
        for m in metrics
        if m.verdict == "rollback" and m.detected_at is not None and m.detected_at not in told
    )


def _missing(facts: ReportFacts) -> Section:
    """Where a side reported nothing. Said as such: no value was put in its place."""
    blocks: list[Block] = []
    for name, samples in (("Legacy", facts.legacy), ("Canary", facts.canary)):
        gaps = find_gaps(samples, facts.span.began_at, facts.until)
        whole = sum(end - start for start, end in gaps)
        if not gaps:
            blocks.append(Paragraph(f"{name}: nothing is missing."))
            continue
        length = facts.until - facts.span.began_at
        share = format_ratio(whole / length) if length > 0 else NO_DATA
        blocks.append(
            Paragraph(f"{name}: {format_duration(whole)} without data, {share} of the stage.")
        )
        longest = sorted(sorted(gaps, key=lambda g: g[0] - g[1])[:MOST_GAPS])
        rows = tuple(
            (format_timestamp(a), format_timestamp(b), format_duration(b - a)) for a, b in longest
        )
        blocks.append(Table(("from", "to", "length"), rows))
        if len(gaps) > MOST_GAPS:
            blocks.append(Paragraph(f"{len(gaps) - MOST_GAPS} shorter gaps are not listed."))
    return Section("Missing data", tuple(blocks))


def find_gaps(samples: Sequence[Sample], begin: float, end: float) -> list[tuple[float, float]]:
    """The stretches of (begin, end] in which no requests were reported, oldest first.

    Periods do not begin with the stage: what is shorter than a period at both ends is no gap.
    """
    seen = [s for s in samples if s.responses is not None]
    if not seen:
        return [(begin, end)] if end > begin else []
    period = min(s.end - s.start for s in seen)
    edges = [(begin, seen[0].start, period), (seen[-1].end, end, period)]
    between = [(a.end, b.start, TOUCH_S) for a, b in pairwise(seen)]
    return sorted((a, b) for a, b, least in (*edges, *between) if b - a > least)
