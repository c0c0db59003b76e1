"""The evidence of a time that is over, judged again from Cloud Monitoring's periods."""

from __future__ import annotations

from collections.abc import Sequence

from canary.rollout.evidence.state import EvidenceState, advance, advance_scores, start_evidence
from canary.rollout.evidence.window import window_of_samples
from canary.rollout.measure.samples import Distribution, Sample, merge
from canary.rollout.plan.tables import EvidenceSettings

BASELINE_S = 3600.0


def latency_before(legacy: Sequence[Sample], at: float) -> Distribution | None:
    """Legacy's latencies of the hour before `at`, of the newest layout; None without any."""
    hour = (s for s in legacy if at - BASELINE_S <= s.start and s.end <= at)
    found = [s.latency for s in hour if s.latency is not None]
    return merge(d for d in found if d.bounds == found[-1].bounds)


def samples_since(samples: Sequence[Sample], first: float) -> Sequence[Sample]:
    """The samples that begin at `first` or later; `samples` oldest first."""
    index = len(samples)
    while index and samples[index - 1].start >= first:
        index -= 1
    return samples[index:]


def replay_samples(
    legacy: Sequence[Sample],
    canary: Sequence[Sample],
    began_at: float,
    until: float,
    share: float,
    settings: EvidenceSettings,
) -> EvidenceState:
    """The state after all periods of (began_at, until] that both sides have.

    Samples are oldest first; Legacy's of the hour before fix the bound of "slow". `share` is
    Canary's, 0…1.
    """
    state = start_evidence(
        began_at, share, baseline=latency_before(legacy, began_at), settings=settings
    )
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
