"""Evidence for drawing: one verdict of each kind, with known numbers."""

from __future__ import annotations

import msgspec

from canary.rollout.evidence.interval import RatioInterval
from canary.rollout.evidence.left_out import LeftOut
from canary.rollout.evidence.onset import Stretch
from canary.rollout.evidence.verdict import AFFINITY, MetricVerdict
from canary.rollout.evidence.view import Advice, EvidenceView, SplitView, TailView
from canary.rollout.snapshot.snapshot import Snapshot
from tests.widgets.scenes import NOW, snapshot

PROVEN = MetricVerdict(
    "errors",
    "rollback",
    strength=1.0,
    detected_at=NOW - 300,
    legacy_ratio=0.0049,
    canary_ratio=0.0102,
    legacy_count=22_800,
    canary_count=1_204,
    proven_on=Stretch(NOW - 600, NOW - 300, 7_600, 398, 37, 12),
)
UNDECIDED = MetricVerdict(
    "slow",
    "undecided",
    strength=0.31,
    pass_strength=0.62,
    requests_needed=2_345.2,
    minutes_needed=8.3,
    legacy_ratio=0.048,
    canary_ratio=0.052,
    legacy_count=22_800,
    canary_count=1_204,
)
OPEN = msgspec.structs.replace(UNDECIDED, interval=RatioInterval(1.1, 0.4, 3.1))
WORSE = MetricVerdict(
    "slow",
    "worse_now",
    strength=0.31,
    worse_at=NOW - 120,
    worse_on=Stretch(NOW - 120, NOW, 5_000, 300, 20, 17),
    interval=RatioInterval(8.1, 2.2, None),
    legacy_count=22_800,
    canary_count=1_204,
)
PASSED = MetricVerdict(
    "score",
    "pass",
    strength=0.0,
    pass_strength=1.0,
    passed_at=NOW - 900,
    legacy_ratio=0.85,
    canary_ratio=0.86,
    legacy_count=22_800,
    canary_count=1_204,
)
INCONCLUSIVE = MetricVerdict("slow", "inconclusive", why=AFFINITY)
UNKNOWN = MetricVerdict("score", "undecided", why="no scores of both sides are known yet")

VIEW = EvidenceView(
    metrics=(PROVEN, UNDECIDED, PASSED),
    source="tail",
    tail=TailView(suppressed=12, late=3),
    split=SplitView(0.05, 0.05, 0.0496),
    began_at=NOW - 7_380,
    set_apart_until=NOW - 7_350,
    judged_s=7_320.0,
    judged_until=NOW - 6,
    left_out=(LeftOut("just after the change", 6, 30.0, 480),),
)
ADVICE = Advice("advise", "a regression of Canary is proven: 5xx", ("5xx",), NOW - 300)


def with_evidence(view: EvidenceView | None = VIEW, advice: Advice | None = None) -> Snapshot:
    """A healthy stage 2 with this evidence beside the tree."""
    return msgspec.structs.replace(snapshot(), evidence=view, advice=advice)


def with_metrics(*metrics: MetricVerdict) -> Snapshot:
    """The same with these verdicts."""
    return with_evidence(msgspec.structs.replace(VIEW, metrics=metrics))
