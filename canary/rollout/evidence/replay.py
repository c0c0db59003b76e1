"""The evidence of a time that is over, judged again from Cloud Monitoring's periods."""

from __future__ import annotations

from collections.abc import Sequence

from canary.rollout.evidence.state import EvidenceState, advance, advance_scores, start_evidence
from canary.rollout.evidence.window import window_of_samples
from canary.rollout.measure import Sample, merge
from canary.rollout.plan_evidence import Evidence

BASELINE_S = 3600.0


def replay_samples(
    legacy: Sequence[Sample],
    canary: Sequence[Sample],
    began_at: float,
    until: float,
    share: float,
    settings: Evidence,
) -> EvidenceState:
    """The state after all periods of (began_at, until] that both sides have.

    Samples are oldest first; Legacy's of the hour before fix the bound of "slow". `share` is
    Canary's, 0…1.
    """
    before = [s.latency for s in legacy if began_at - BASELINE_S <= s.start and s.end <= began_at]
    known = [d for d in before if d is not None]
    baseline = merge(d for d in known if d.bounds == known[-1].bounds)
    state = start_evidence(began_at, share, baseline=baseline)
    canary_of = {(s.start, s.end): s for s in canary}
    for sample in legacy:
        other = canary_of.get((sample.start, sample.end))
        if other is None or sample.start < began_at or sample.end > until:
            continue
        window = window_of_samples(sample, other)
        if window is not None:
            state = advance(state, window, settings)
        state = advance_scores(state, sample.end, sample.confidence, other.confidence, settings)
    return state
