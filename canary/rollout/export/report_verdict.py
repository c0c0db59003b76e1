"""What a report comes to, in one word: how the visit of the stage ended, or the state it is in."""

from __future__ import annotations

from canary.rollout.change.history_entries import HistoryEntry
from canary.rollout.export.evidence_document import NAMES
from canary.rollout.export.report import ReportFacts, Verdict
from canary.rollout.text import format_clock, format_percent, format_timestamp, sanitize


def find_verdict(facts: ReportFacts) -> Verdict:
    """While the stage lasts the state that the console shows; afterwards where it led to.

    What the evidence has proven is said beside it either way.
    """
    proofs = tuple(_proofs(facts))
    if facts.span.ended_at is not None:
        return _ended(facts, proofs)
    state = facts.state
    if state is None:
        return Verdict("unknown", "?", "NOT KNOWN", ("The state is not known.", *proofs))
    after = f"Next: {state.next}." if state.next else ""
    lines = tuple(_sentence(line) for line in (state.cause, after) if line)
    return Verdict(state.tone, state.glyph, state.word, (*lines, *proofs))


def _ended(facts: ReportFacts, proofs: tuple[str, ...]) -> Verdict:
    move = next((d for d in facts.history if d.at == facts.span.ended_at), None)
    at = format_timestamp(facts.span.ended_at)
    if move is None:
        return Verdict("unknown", "?", "LEFT", (f"Left at {at}; where to is not known.", *proofs))
    lines = (_told(move, at), *proofs)
    if move.stage > facts.span.stage:
        return Verdict("good", "✓", "PROMOTED", lines)
    return Verdict("act", "✗", "ROLLED BACK", lines)


def _told(move: HistoryEntry, at: str) -> str:
    by = sanitize(f"{move.by}@{move.host}" if move.host else move.by, 80)
    to = "all on Legacy" if not move.percent else f"stage {move.stage}"
    why = f": {sanitize(move.why)}" if move.why else ""
    return f"To {to}, {format_percent(move.percent)} Canary, at {at} by {by or 'somebody'}{why}"


def _proofs(facts: ReportFacts) -> list[str]:
    metrics = facts.evidence.metrics if facts.evidence is not None else ()
    return [
        f"Proven worse: {NAMES[m.metric]}, at {format_clock(m.detected_at)}."
        for m in metrics
        if m.verdict == "rollback"
    ]


def _sentence(text: str) -> str:
    """With a capital and a full stop; only the first letter is touched: names stay as they are."""
    whole = sanitize(text, 400)
    first = whole[:1].upper() + whole[1:] if whole[:2].islower() else whole
    return first if first.endswith(".") else f"{first}."
