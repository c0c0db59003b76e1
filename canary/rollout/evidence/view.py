"""The evidence as it is shown: in the Snapshot, on the screen, in the shell's document."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from canary.rollout.evidence.left_out import LeftOut
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.evidence.state import Detection, EvidenceState
from canary.rollout.evidence.tally import Toll, toll_of
from canary.rollout.evidence.verdict import MetricVerdict, Word, away_since, judge, say_away
from canary.rollout.plan.tables import EvidenceSettings, OnRegression
from canary.rollout.text import format_clock

EvidenceSource = Literal["tail", "monitoring", "none"]
Tier = Literal["proven", "worse_now"]
NOT_OPENED: Final = "not opened yet"
"""Why a tail is off that nobody has begun to read."""

_NAMES = {"errors": "5xx", "slow": "slow requests", "score": "confidence"}


class TailView(msgspec.Struct, frozen=True):
    """The request log as a source.

    `off`: why it is not read; "" while it is. `incomplete`: what is missing in it, so that Cloud
    Monitoring is judged instead; "" while it is whole. `limit_per_s`: entries a real second that
    are read at most; above it, it is off (a clock that runs fast) or a sample is read. `sampled` is
    the share of requests that is read, 0…1. `trouble`: what is wrong while it is tried again.
    `waits_s`: so long a window waits for late entries; what comes later still is `late`.
    """

    off: str = ""
    incomplete: str = ""
    trouble: str = ""
    limit_per_s: float = 0.0
    rate_per_s: float | None = None
    sampled: float = 1.0
    suppressed: int = 0
    late: int = 0
    newest_at: float | None = None
    waits_s: float = 0.0


class SplitView(msgspec.Struct, frozen=True):
    """Canary's share, 0…1: intended, as Cloud Run reports it, as measured. None: not known."""

    intended: float | None
    reported: float | None
    measured: float | None
    is_mismatch: bool = False


class EvidenceView(msgspec.Struct, frozen=True):
    """What the comparison says now. `began_at`: since the last change of the split.

    `source` is where the newest judged window is from; "none" before the first. `left_out` is what
    was seen and not judged. Numbers up to `set_apart_until` may be from before the change.
    `rebuilding`: what this host has kept is being judged again, and how far that is, 0…1; until
    it is done there are no metrics. None: nothing is. `earlier` was proven at other splits, or
    dismissed. `away_since`: up to when there are numbers, where no source has had any for minutes.
    `failed` and `slow` are what the split has cost since it changed.
    """

    metrics: tuple[MetricVerdict, ...]
    source: EvidenceSource
    tail: TailView
    split: SplitView
    began_at: float | None = None
    set_apart_until: float | None = None
    judged_s: float = 0.0
    judged_until: float | None = None
    slow_bound_ms: float | None = None
    left_out: tuple[LeftOut, ...] = ()
    rebuilding: float | None = None
    earlier: tuple[Detection, ...] = ()
    away_since: float | None = None
    failed: Toll = Toll()
    slow: Toll = Toll()

    @property
    def verdict(self) -> Word:
        """The worst of all metrics: one proven regression is enough, a pass takes all of them.

        A metric of which nothing is known at all (no scores are reported) does not count.
        """
        words = [m.verdict for m in self.metrics if m.legacy_count or m.canary_count]
        if not words:
            return "inconclusive" if any(m.why for m in self.metrics) else "undecided"
        order: tuple[Word, ...] = ("rollback", "worse_now", "inconclusive", "undecided", "pass")
        return next(word for word in order if word in words)

    @property
    def detected_at(self) -> float | None:
        """When a regression was first proven; None while none is."""
        times = [m.detected_at for m in self.metrics if m.detected_at and m.verdict == "rollback"]
        return min(times, default=None)


def proven_metrics(view: EvidenceView | None) -> tuple[Metric, ...]:
    """The metrics that are proven to be worse now; a person may dismiss these proofs."""
    return tuple(m.metric for m in view.metrics if m.detected_at is not None) if view else ()


def brief(view: EvidenceView | None) -> str:
    """What is worse, in the fewest words: "✗ 5xx proven worse 14:02:00Z, not compared since
    14:10:00Z", "◐ 5xx worse now"; "" where nothing is.
    """
    if view is None or view.verdict not in ("rollback", "worse_now"):
        return ""
    is_proven = view.verdict == "rollback"
    found = [m for m in view.metrics if m.verdict == view.verdict]
    names = ", ".join(_NAMES[m.metric] for m in found)
    away = f", {say_away(view.away_since)}" if view.away_since else ""
    if is_proven:
        return f"✗ {names} proven worse {format_clock(view.detected_at)}{away}"
    return f"◐ {names} worse now{away}"


class Advice(msgspec.Struct, frozen=True):
    """What the evidence adds to the tree, apart from it. It never makes anything green.

    `action` is the plan's: "advise" only says it, "rollback" lets automatic rollback act on it.
    `tier`: "proven" (also by bursts), or "worse_now" (the quick test alone), which only advises.
    """

    action: OnRegression
    text: str
    metrics: tuple[str, ...]
    detected_at: float
    tier: Tier = "proven"


def view_evidence(
    state: EvidenceState | None,
    settings: EvidenceSettings,
    *,
    source: EvidenceSource,
    tail: TailView,
    reported: float | None,
    rebuilding: float | None = None,
    invalid: str = "",
    now: float | None = None,
) -> EvidenceView:
    """The view of a state; None: nothing has been compared yet.

    While it is rebuilt it says nothing of any metric: a part of the past proves nothing.
    `invalid`: why no comparison holds, from what is known beside the numbers. `now` (cloud time):
    what is said is of now; None: of the end of the numbers.
    """
    if state is None:
        return EvidenceView((), "none", tail, SplitView(None, reported, None))
    both = state.legacy_requests + state.canary_requests
    alpha, whole = settings.pass_alpha, rebuilding is None
    measured = state.canary_requests / both if both else None
    return EvidenceView(
        metrics=judge(state, settings, invalid, now) if rebuilding is None else (),
        source=source,
        tail=tail,
        split=SplitView(state.share, reported, measured, state.is_mismatch),
        began_at=state.began_at,
        set_apart_until=state.set_apart_until,
        judged_s=state.judged_s,
        judged_until=state.judged_end,
        slow_bound_ms=state.slow_bound_ms,
        left_out=state.left_out,
        rebuilding=rebuilding,
        earlier=state.earlier,
        away_since=None if now is None else away_since(state, now),
        failed=toll_of(state.failed_tally, state.error.likelihood, alpha) if whole else Toll(),
        slow=toll_of(state.slow_tally, state.slow.likelihood, alpha) if whole else Toll(),
    )


def proven_text(view: EvidenceView) -> str:
    """Which metrics are proven to be worse, and since when: "5xx at 14:02:00Z"; "" for none."""
    proven = [m for m in view.metrics if m.verdict == "rollback" and m.detected_at is not None]
    found = ", ".join(f"{_NAMES[m.metric]} at {format_clock(m.detected_at)}" for m in proven)
    return f"Canary is proven to be worse: {found}" if found else ""


def advise(view: EvidenceView, settings: EvidenceSettings) -> Advice | None:
    """What the evidence leads to; None when Canary isn't worse, or the plan says "ignore".

    A proof comes first. "Worse now" only advises, whatever the plan says: bursts can fool it.
    """
    if settings.on_regression == "ignore":
        return None
    proven = [m for m in view.metrics if m.verdict == "rollback" and m.detected_at is not None]
    if proven:
        names = tuple(_NAMES[m.metric] for m in proven)
        first = min(m.detected_at for m in proven if m.detected_at is not None)
        text = f"a regression of Canary is proven: {', '.join(names)}"
        return Advice(settings.on_regression, text, names, first)
    worse = [m for m in view.metrics if m.verdict == "worse_now" and m.worse_at is not None]
    if not worse:
        return None
    names = tuple(_NAMES[m.metric] for m in worse)
    first = min(m.worse_at for m in worse if m.worse_at is not None)
    return Advice("advise", f"Canary is worse now: {', '.join(names)}", names, first, "worse_now")
