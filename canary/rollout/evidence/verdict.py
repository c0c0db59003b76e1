"""What is said of the evidence, for each metric: proven worse, worse now, no worse than 2×,
undecided and how much more it takes, or inconclusive and why.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from canary.rollout.evidence import bursts, ratio, score
from canary.rollout.evidence.interval import RatioInterval, estimate_ratio
from canary.rollout.evidence.metric_evidence import Metric, RatioEvidence, ScoreEvidence
from canary.rollout.evidence.onset import Stretch, stretch_since
from canary.rollout.evidence.state import EvidenceState
from canary.rollout.plan.tables import EvidenceSettings
from canary.rollout.text import format_clock

Word = Literal["rollback", "worse_now", "pass", "undecided", "inconclusive"]
""""rollback": proven worse, also by bursts; "worse_now": the quick test alone, which advises."""

UNFIT_FOR_S: Final = 300.0
"""Nothing fit to be judged for so long, although there is something: inconclusive."""

AWAY_FOR_S: Final = 600.0
"""Nothing from any source for so long: "no worse" is of then, not of now. Cloud Monitoring alone
is up to six minutes behind.
"""

MISMATCH = "the measured split is not the intended one"
NOBODY = "only one side takes requests: there is nothing to compare"
AFFINITY = (
    "session affinity keeps each client on its side: a few clients are compared, not requests"
)


class MetricVerdict(msgspec.Struct, frozen=True):
    """What is known of one metric.

    `verdict` is the worst that holds; `why` says what is wrong with the comparison beside it.
    `strength` is how far the proof of a regression has come, 0…1 on a log scale; `now_strength`
    that of "worse now", `pass_strength` that of "no worse". `requests_needed` and `minutes_needed`:
    how many more Canary requests the nearer of both takes if things go on as they are, and how
    long that is at today's rate; None when nothing grows. `detected_at`: when a regression was
    first proven, `worse_at`: since when it is worse now, cloud time; None while it isn't.
    `holds_for_s`: the length of bursts up to which a proof holds. `passed_at`: since when "no
    worse" is said, `passed_on` the newest stretch that proves it.
    `legacy_ratio` and `canary_ratio` are bad ÷ all (of `score`: the means); None without requests.
    `proven_on`: what a proven regression rested on when it was proven, `worse_on` what "worse now"
    rests on; None for scores. `interval`: how many times as bad Canary is, since it looks worse or
    else since the change, at any look; None for scores and before the first bad request.
    """

    metric: Metric
    verdict: Word
    why: str = ""
    strength: float = 0.0
    pass_strength: float = 0.0
    requests_needed: float | None = None
    minutes_needed: float | None = None
    detected_at: float | None = None
    passed_at: float | None = None
    legacy_ratio: float | None = None
    canary_ratio: float | None = None
    legacy_count: int = 0
    canary_count: int = 0
    proven_on: Stretch | None = None
    worse_at: float | None = None
    worse_on: Stretch | None = None
    holds_for_s: float | None = None
    now_strength: float = 0.0
    passed_on: Stretch | None = None
    interval: RatioInterval | None = None


class Doubts(msgspec.Struct, frozen=True):
    """What speaks against the comparison. `invalid`: no test holds; `weak`: a proof stands."""

    invalid: str = ""
    weak: str = ""

    @property
    def why(self) -> str:
        """The graver of both; "" for none."""
        return self.invalid or self.weak


def judge(
    state: EvidenceState,
    settings: EvidenceSettings,
    invalid: str = "",
    now: float | None = None,
) -> tuple[MetricVerdict, ...]:
    """One verdict for each metric, in the order of METRICS.

    `invalid`: why no comparison holds, from what is known beside the numbers (`AFFINITY`). `now`
    (cloud time): then what is said holds; None: it is said of the end of the numbers.
    """
    doubts = find_doubts(state, invalid, now)
    return (
        _judge_ratio("errors", state.error, state, settings, doubts),
        _judge_ratio("slow", state.slow, state, settings, doubts),
        _judge_score(state.score, state, settings, doubts),
    )


def judge_words(state: EvidenceState, invalid: str = "") -> tuple[Word, ...]:
    """The verdicts of `judge` alone, for whoever only asks at each window whether one has turned:
    most of the time is spent on how much more a proof takes.
    """
    doubts = find_doubts(state, invalid)
    scores = state.score
    return (
        *(_word(doubts, e.proven_at, e.worse_at, e.passed_at) for e in (state.error, state.slow)),
        _word(doubts, scores.proven_at, None, scores.passed_at),
    )


def away_since(state: EvidenceState, now: float) -> float | None:
    """Up to when anything was judged, where that is too long ago; None while numbers come."""
    last = max(state.judged_end or 0.0, state.set_apart_until)
    return last if now - last >= AWAY_FOR_S else None


def say_away(since: float) -> str:
    """Where nothing was judged since then: whether there are numbers may not be known."""
    return f"not compared since {format_clock(since)}"


def find_doubts(state: EvidenceState, invalid: str = "", now: float | None = None) -> Doubts:
    """Why the comparison cannot be believed now, or only in part."""
    if not 0 < state.share < 1:
        return Doubts(invalid=NOBODY)
    if invalid:
        return Doubts(invalid=invalid)
    if state.is_mismatch:
        return Doubts(weak=MISMATCH)
    since = state.judged_end if state.judged_end is not None else state.set_apart_until
    if state.unfit and state.seen_end is not None and state.seen_end - since >= UNFIT_FOR_S:
        return Doubts(weak=state.unfit)
    last = None if now is None else away_since(state, now)
    return Doubts() if last is None else Doubts(weak=say_away(last))


def _judge_ratio(
    metric: Metric,
    evidence: RatioEvidence,
    state: EvidenceState,
    settings: EvidenceSettings,
    doubts: Doubts,
) -> MetricVerdict:
    test, seen, why = evidence.regression, evidence.seen, doubts.why
    word = _word(doubts, evidence.proven_at, evidence.worse_at, evidence.passed_at)
    needed = _needed_ratio(evidence, settings) if word == "undecided" else None
    if word == "undecided" and not (seen and seen.legacy and seen.canary):
        why = "no request of both sides has been judged yet"
    is_worse = evidence.worse_at is not None
    end = state.judged_end or state.began_at
    on = stretch_since(evidence.onset, test, end) if is_worse else None
    likelihood = evidence.since_onset if is_worse else evidence.likelihood
    return MetricVerdict(
        metric=metric,
        verdict=word,
        why=why,
        # What is proven stays so, also when what came later speaks for Canary.
        strength=(
            1.0
            if evidence.proven_at is not None
            else max(bursts.strength(t, settings.alpha) for t in evidence.bursts)
        ),
        pass_strength=(
            1.0
            if evidence.passed is not None
            else ratio.strength(evidence.no_worse, settings.pass_alpha)
        ),
        requests_needed=needed,
        minutes_needed=_minutes(needed, state),
        detected_at=evidence.proven_at,
        passed_at=evidence.passed_at,
        legacy_ratio=seen.legacy_ratio if seen else None,
        canary_ratio=seen.canary_ratio if seen else None,
        legacy_count=seen.legacy if seen else 0,
        canary_count=seen.canary if seen else 0,
        proven_on=evidence.proven_on,
        worse_at=evidence.worse_at,
        worse_on=on,
        holds_for_s=evidence.holds_for_s,
        now_strength=1.0 if is_worse else _share(test.log_value, -math.log(settings.alpha)),
        passed_on=evidence.passed,
        interval=estimate_ratio(likelihood, settings.pass_alpha),
    )


def _judge_score(
    evidence: ScoreEvidence, state: EvidenceState, settings: EvidenceSettings, doubts: Doubts
) -> MetricVerdict:
    test = evidence.regression
    word = _word(doubts, evidence.proven_at, None, evidence.passed_at)
    why = doubts.why
    if word == "undecided" and test.difference is None:
        why = "no scores of both sides are known yet"
    needed = _needed_score(evidence, settings) if word == "undecided" else None
    limit, pass_limit = -math.log(settings.alpha), -math.log(settings.pass_alpha)
    return MetricVerdict(
        metric="score",
        verdict=word,
        why=why,
        strength=1.0 if evidence.proven_at else _share(evidence.late.log_value, limit),
        pass_strength=(
            1.0 if evidence.passed_at else _share(evidence.no_worse_log_value, pass_limit)
        ),
        requests_needed=needed,
        minutes_needed=_minutes(needed, state),
        detected_at=evidence.proven_at,
        passed_at=evidence.passed_at,
        legacy_ratio=evidence.legacy.mean if evidence.legacy else None,
        canary_ratio=evidence.canary.mean if evidence.canary else None,
        legacy_count=test.legacy,
        canary_count=test.canary,
    )


def _word(
    doubts: Doubts, proven_at: float | None, worse_at: float | None, passed_at: float | None
) -> Word:
    """The worst that holds. A proof outranks a mismatched split, and what has ceased to come."""
    if doubts.invalid:
        return "inconclusive"
    if proven_at is not None:
        return "rollback"
    if worse_at is not None:
        return "worse_now"
    if doubts.weak:
        return "inconclusive"
    return "undecided" if passed_at is None else "pass"


def _needed_ratio(evidence: RatioEvidence, settings: EvidenceSettings) -> float | None:
    """The fewer of the Canary requests for either proof, if the ratios stay as they look."""
    test = evidence.regression
    if not test.canary or not test.legacy:
        return None
    # Half an event more on both sides: without any on one the ratio would be 0 or infinite.
    legacy = (test.bad_legacy + 0.5) / test.legacy
    worse = (test.bad_canary + 0.5) / test.canary / legacy
    both = (
        ratio.requests_needed(test, settings.alpha, worse, legacy),
        ratio.requests_needed(evidence.no_worse, settings.pass_alpha, worse, legacy),
    )
    return min((n for n in both if n is not None), default=None)


def _needed_score(evidence: ScoreEvidence, settings: EvidenceSettings) -> float | None:
    """Canary scores until one of both proofs, with both sides growing alike."""
    legacy, canary, test = evidence.legacy, evidence.canary, evidence.regression
    if test.difference is None or legacy is None or canary is None or not canary.count:
        return None
    v = (canary.variance or 0.0) / canary.count + (legacy.variance or 0.0) / max(1, legacy.count)
    effect = settings.smallest_score_effect
    targets = (
        (min(0.0, test.difference), -math.log(settings.alpha)),
        (max(0.0, test.difference + effect), -math.log(settings.pass_alpha)),
    )
    times = [_times_until(d, v, effect, limit) for d, limit in targets if d]
    least = min((t for t in times if t is not None), default=None)
    if least is None:
        return None
    return max(float(score.MIN_SCORES), canary.count * least) - canary.count


def _times_until(difference: float, variance: float, effect: float, limit: float) -> float | None:
    """How many times as many scores it takes until log Λ reaches `limit`; None within 2²⁰."""
    if variance <= 0:
        return None
    for step in range(81):
        times = math.pow(2.0, step / 4)
        if score.log_mixture(difference, variance / times, effect) >= limit:
            return times
    return None


def _minutes(needed: float | None, state: EvidenceState) -> float | None:
    if needed is None or not state.canary_per_s:
        return None
    return needed / state.canary_per_s / 60


def _share(value: float, limit: float) -> float:
    return min(1.0, max(0.0, value / limit))
