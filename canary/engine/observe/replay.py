"""The watch and the turns of the verdict, replayed over samples: the same after a restart.

One observation a sample of Canary: what the tree would have seen when that sample was the newest.
A sample longer than the tree's window is judged by itself. The last minutes are judged anew at
every step, since points arrive late; what lies further back is settled and never touched again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from canary.rollout.decision.tree import (
    IDLE,
    Verdict,
    Watch,
    advance_watch,
    decide,
    passed_limits,
    undecided_limits,
)
from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL, Sample, Window, reduce_window
from canary.rollout.plan.plan import Plan, Thresholds
from canary.rollout.text import AtLeast

LATE_S = 600.0
"""Points may still arrive this long after their period ended; later ones are not judged anew."""

TRANSITIONS_KEPT = 200


class VerdictTransition(msgspec.Struct, frozen=True):
    """The verdict became another one at the end of a sample. Only judged verdicts count."""

    at: float
    verdict: Verdict
    reason: str


class Replayed(msgspec.Struct, frozen=True):
    """The watch after the observation at `at` (None: before the first), all transitions to it."""

    watch: Watch = IDLE
    at: float | None = None
    verdict: Verdict | None = None
    transitions: tuple[VerdictTransition, ...] = ()

    def watch_after(self, changes: Sequence[float]) -> Watch:
        """The watch now. After a change of the split it is idle until a sample of the new share
        comes: with nobody on Canary that is never.
        """
        is_past = bool(changes) and (self.at is None or self.at <= changes[-1])
        return IDLE if is_past else self.watch


class Replay:
    """Follows one side's samples. `changes` are the times at which the split changed, ascending.

    At each change the watch begins anew: it was over the numbers of another share.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._changes: tuple[float, ...] = ()
        self._begin: float | None = None
        self._settled = Replayed()

    def begin_again(self) -> None:
        """Forget what is settled: samples came between those already judged."""
        self._settled = Replayed()

    def note_change(self, end: float) -> None:
        """A sample that ended then has become another: what is settled from there on is not."""
        if self._settled.at is not None and end <= self._settled.at:
            self._settled = Replayed()

    def follow(self, samples: Sequence[Sample], changes: tuple[float, ...]) -> Replayed:
        """The state after the newest sample. Empty samples: nothing watched, no turns.

        Begins again when the past has changed: older samples came, or another split change.
        """
        begin = samples[0].end if samples else None
        earlier = begin is not None and self._begin is not None and begin < self._begin
        if earlier or self._settled_under(changes) != self._settled_under(self._changes):
            self._settled = Replayed()
        self._changes, self._begin = changes, begin
        if not samples:
            return self._settled
        settled_until = samples[-1].end - LATE_S
        first = 0 if self._settled.at is None else bisect_right(samples, self._settled.at, key=_end)
        split = max(first, bisect_right(samples, settled_until, key=_end))
        self._settled = replay(self._plan, samples, range(first, split), changes, self._settled)
        return replay(self._plan, samples, range(split, len(samples)), changes, self._settled)

    def _settled_under(self, changes: tuple[float, ...]) -> tuple[float, ...]:
        """The split changes that what is settled already reckons with."""
        at = self._settled.at
        return () if at is None else changes[: bisect_right(changes, at)]


def replay(
    plan: Plan,
    samples: Sequence[Sample],
    indices: Iterable[int],
    changes: Sequence[float],
    begun: Replayed,
) -> Replayed:
    """Continue from `begun` with one observation for each of `indices` into `samples`."""
    watch, at, verdict = begun.watch, begun.at, begun.verdict
    transitions = list(begun.transitions)
    watch_s = plan.alerts.watch_minutes * 60
    past = _Past(plan, samples)
    for index in indices:
        end = samples[index].end
        changed_at = _last_before(changes, end)
        if changed_at is not None and (at is None or at <= changed_at):
            watch = IDLE
        seen = past.observe(index, changed_at)
        watch = advance_watch(watch, warned=seen.warned, at=end, watch_s=watch_s)
        transition = _judge(plan, seen, watch, end)
        if transition is not None:
            if transition.verdict != (verdict or "continue"):
                transitions.append(transition)
            verdict = transition.verdict
        at = end
    return Replayed(watch, at, verdict, tuple(transitions[-TRANSITIONS_KEPT:]))


class _Seen(msgspec.Struct, frozen=True):
    """One observation. `warned` None: nothing to judge. `window` None: no limit is passed."""

    warned: bool | None
    window: Window | None = None


class _Past:
    """The samples of one replay. What was found out about a sample is found out once."""

    def __init__(self, plan: Plan, samples: Sequence[Sample]) -> None:
        self._plan = plan
        self._samples = samples
        self._suspicions: dict[int, bool] = {}

    def observe(self, index: int, changed_at: float | None) -> _Seen:
        """What the tree would have seen when this sample was the newest."""
        plan, newest = self._plan, self._samples[index]
        start = min(newest.end - plan.metrics.window_minutes * 60, newest.start)
        if changed_at is not None:
            start = max(start, changed_at)
        first = index
        while first > 0 and self._samples[first - 1].start >= start:
            first -= 1
        part = [s for s in self._samples[first : index + 1] if s.start >= start]
        requests = sum(s.responses.total for s in part if s.responses is not None)
        if requests < plan.metrics.min_requests:
            return _Seen(None)
        # A window of samples none of which passes a limit passes none: its ratios are weighted
        # means, its bucket counts sums. That spares merging distributions for a healthy past.
        if not any(self._is_suspicious(i) for i in range(first, index + 1)):
            count = sum(s.latency.count for s in part if s.latency is not None)
            return _Seen(False if count >= MIN_COUNT_FOR_TAIL else None)
        window = reduce_window(part, start, newest.end)
        warned = bool(passed_limits(plan.alerts.warning, window))
        whole = window.latency_count >= MIN_COUNT_FOR_TAIL
        judged = warned or (whole and not undecided_limits(plan.alerts.warning, window))
        return _Seen(warned if judged else None, window)

    def _is_suspicious(self, index: int) -> bool:
        """Whether this sample alone is, or may be, beyond any limit of the tree."""
        known = self._suspicions.get(index)
        if known is None:
            limits = (self._plan.alerts.warning, self._plan.alerts.critical)
            known = any(_beyond(each, self._samples[index]) for each in limits)
            self._suspicions[index] = known
        return known


def _judge(plan: Plan, seen: _Seen, watch: Watch, end: float) -> VerdictTransition | None:
    """The verdict at that time; None where there was nothing to judge."""
    if seen.warned is None:
        return None
    if seen.window is not None:
        decision = decide(plan, seen.window, "ok", watch, end)
        known = decision.verdict != "no_data"
        return VerdictTransition(end, decision.verdict, decision.reason) if known else None
    if watch.since is None:
        return VerdictTransition(end, "continue", "All thresholds are OK.")
    verdict: Verdict = "rollback_stage" if watch.overdue else "watch"
    return VerdictTransition(end, verdict, "A warning is being watched.")


def _beyond(limits: Thresholds, sample: Sample) -> bool:
    responses, latency, score = sample.responses, sample.latency, sample.confidence
    pairs = (
        (responses.error_ratio if responses else None, limits.error_ratio, 1),
        (responses.success_ratio if responses else None, limits.success_ratio, -1),
        (latency.percentile(0.95) if latency else None, limits.p95_ms, 1),
        (score.mean if score and score.count else None, limits.confidence, -1),
    )
    return any(
        value is not None
        and limit is not None
        and ((value - limit) * sign > 0 or isinstance(value, AtLeast))
        for value, limit, sign in pairs
    )


def _last_before(changes: Sequence[float], at: float) -> float | None:
    index = bisect_right(changes, at)
    return changes[index - 1] if index else None


def _end(sample: Sample) -> float:
    return sample.end
