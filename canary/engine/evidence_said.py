"""What the event log says of the evidence: what is proven now, and what a change has withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from canary.engine.event_log import EventLog
from canary.rollout import words
from canary.rollout.evidence.document import NAMES, PROVEN, proof
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.evidence.state import EvidenceState
from canary.rollout.evidence.verdict import MetricVerdict, Word, judge, judge_words
from canary.rollout.plan_evidence import Evidence

_SCORE: Final[Metric] = "score"


def say_turns(
    events: EventLog, now: float, before: Sequence[Word], state: EvidenceState, settings: Evidence
) -> bool:
    """Say what `state` proves and had not been proven `before`, at the moment of the proof. True
    when any verdict is another.
    """
    after = judge_words(state)
    if after == tuple(before):
        return False
    for was, new in zip(before, judge(state, settings), strict=False):
        if was == new.verdict or new.verdict not in ("rollback", "pass"):
            continue
        name = NAMES[new.metric]
        if new.verdict == "rollback":
            text = f"evidence: {PROVEN}: {name} {proof(new)}"
            events.say(new.detected_at or now, "critical", text)
        else:
            text = f"evidence: Canary is proven to be no worse: {name} {_both(new)}"
            events.say(new.passed_at or now, "good", text)
    return True


def say_withdrawn(events: EventLog, before: EvidenceState, after: EvidenceState) -> None:
    """Say that a proof ends with the split that it is of. Says nothing when there was none."""
    if not before.proven:
        return
    what = ", ".join(f"{NAMES[d.metric]} at {words.clock(d.at)}" for d in before.proven)
    text = (
        f"evidence: the split is another ({_share(before)} → {_share(after)}) and the comparison"
        f" begins anew; the regression that was proven ({what}) is no longer advised on"
    )
    events.say(after.began_at, "info", text)


def _share(state: EvidenceState) -> str:
    return words.percent(round(state.share * 100, 2))


def _both(verdict: MetricVerdict) -> str:
    shown = words.score if verdict.metric == _SCORE else words.ratio
    return f"{shown(verdict.canary_ratio)} against Legacy's {shown(verdict.legacy_ratio)}"
