"""Snapshots built by hand, deterministic: the input of the screen."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import msgspec

from canary.rollout.change.change import Author, Guard, Outcome, Standing
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.decision.gates import NO_EVIDENCE, check_gates
from canary.rollout.decision.tree import IDLE, Watch, advance_watch, decide, find_alerts, judge_data
from canary.rollout.measure.samples import Distribution, Responses, Sample, reduce_window
from canary.rollout.plan.plan import Console, Criteria, Plan, ScalePreset, Stage, Target, Thresholds
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    Drift,
    Event,
    SideView,
    Snapshot,
    SourceView,
    StageView,
    TrafficView,
)

NOW = 1_772_373_802.0
"""2026-03-01 14:03:22Z."""
LATENCY_BOUNDS = tuple(10.0 * 1.35**i for i in range(32))
SCORE_BOUNDS = tuple(i / 20 for i in range(1, 20))
AUTHOR = Author("oncall", "bastion-2")


def plan(**changes: Any) -> Plan:
    """The plan of the procedure's numbers."""

    def criteria(error: float, p95: float, success: float, confidence: float) -> Criteria:
        return Criteria(error, p95, success, confidence)

    whole = Plan(
        target=Target("naeda-genesis", "us-central1", "ion-api", "ion-api-canary"),
        stages=(
            Stage(5, 24.0, criteria(0.010, 15_000, 0.95, 0.75)),
            Stage(
                10,
                24.0,
                criteria(0.015, 18_000, 0.93, 0.73),
                Thresholds(0.02, 20_000, 0.90, 0.70),
            ),
            Stage(25, 48.0, criteria(0.020, 20_000, 0.91, 0.71), load_test=True),
            Stage(50, 72.0, criteria(0.025, 22_000, 0.89, 0.69), min_ab_improvement=0.10),
            Stage(100),
        ),
        console=Console(),
    )
    return msgspec.structs.replace(whole, **changes)


def distribution(bounds: tuple[float, ...], mean: float, spread: float, count: int) -> Distribution:
    """Counts around `mean` with a bell of relative width `spread`."""
    weights = []
    for i in range(len(bounds) + 1):
        middle = bounds[min(i, len(bounds) - 1)]
        weights.append(math.exp(-((math.log(middle / mean) / spread) ** 2)))
    whole = sum(weights)
    return Distribution(
        bounds,
        tuple(round(count * w / whole) for w in weights),
        count,
        mean,
        count * (mean * 0.2) ** 2,
    )


@cache
def samples(
    hours: float,
    per_s: float,
    error_ratio: float,
    latency_ms: float,
    confidence: float,
    end: float,
) -> tuple[Sample, ...]:
    """One sample a minute up to `end`, with a daily curve and a little deterministic noise."""
    count = int(hours * 60)
    starts = (end - (count - i) * 60 for i in range(count))
    return tuple(
        _sample(round(s / 60), s, per_s, error_ratio, latency_ms, confidence) for s in starts
    )


@cache
def _sample(
    i: int, start: float, per_s: float, error_ratio: float, latency_ms: float, confidence: float
) -> Sample:
    wave = 1 + 0.18 * math.sin(i / 47) + 0.06 * math.sin(i * 1.7)
    total = round(per_s * 60 * wave)
    errors = round(total * error_ratio * (1 + 0.5 * math.sin(i * 0.9)))
    client = round(total * 0.006)
    return Sample(
        start=start,
        end=start + 60,
        responses=Responses(total - errors - client, 0, client, errors),
        latency=distribution(
            LATENCY_BOUNDS, latency_ms * (1 + 0.15 * math.sin(i / 13)), 0.55, total
        ),
        confidence=distribution(SCORE_BOUNDS, confidence, 0.16, total),
        cpu=0.35 + 0.1 * math.sin(i / 31),
        memory=0.52,
        instances=round(2 + per_s / 12 + math.sin(i / 40)),
        instances_active=round(1 + per_s / 14),
    )


def snapshot(
    rollout: Plan | None = None,
    *,
    now: float = NOW,
    stage: int = 2,
    percent: int | None = None,
    soaked_hours: float = 17.2,
    error_ratio: float = 0.003,
    latency_ms: float = 220.0,
    confidence: float = 0.85,
    lag_s: float = 74.0,
    hours: float = 3.0,
    canary_samples: bool = True,
    etag: str = "etag-1",
    drift: Drift | None = None,
    changes: tuple[ChangeView, ...] = (),
    events: tuple[Event, ...] | None = None,
    sources: tuple[SourceView, ...] = (),
    provider: str = "local",
    speed: float = 60.0,
    scenario: str = "healthy",
) -> Snapshot:
    """A whole snapshot; by default a healthy stage 2, 17.2 h into its soak."""
    rollout = rollout or plan()
    share = rollout.percent_of(stage) if percent is None else percent
    end = now - lag_s
    legacy = samples(hours, 41.2, 0.0031, 450, 0.72, end)
    canary = samples(hours, 4.6, error_ratio, latency_ms, confidence, end) if canary_samples else ()
    entered = now - soaked_hours * 3600
    sides = {}
    for name, own in (("ion-api", legacy), ("ion-api-canary", canary)):
        window = reduce_window(own, end - 300, end)
        criteria = reduce_window(own, end - 3600, end)
        sides[name] = SideView(
            service=name,
            window=window,
            criteria_window=criteria,
            data=judge_data(window, rollout, now, None),
            data_age_s=window.age_s(now),
            revision=f"{name}-00007-abc",
            scale=ScalePreset(1, 10),
            ready=True,
            samples=own,
        )
    own_side = sides["ion-api-canary"]
    alerts = find_alerts(rollout, stage, own_side.window, own_side.data)
    watch: Watch = IDLE
    if any(a.scope == "warning" for a in alerts):
        watch = advance_watch(IDLE, warned=True, at=now - 1380, watch_s=3600)
    decision = decide(rollout, own_side.window, own_side.data, watch, now)
    record = StageRecord(stage, rollout.percent_of(stage), entered, "oncall", "bastion-2")
    guard = Guard("ion-api", etag, share, "ion-api-00007-abc")
    return Snapshot(
        rollout=rollout.name,
        provider=provider,
        project=rollout.target.project,
        region=rollout.target.region,
        as_of=now,
        window_s=300,
        stage=StageView(
            stage,
            f"stage {stage}" if stage else "all traffic is on Legacy",
            rollout.percent_of(stage),
            entered,
            rollout.stage(stage).soak_hours if stage else None,
            soaked_hours,
        ),
        traffic=TrafficView(share, record, drift=drift, guard=guard, last_modifier="oncall"),
        legacy=sides["ion-api"],
        canary=own_side,
        decision=decision,
        gates=check_gates(
            rollout,
            stage,
            own_side.criteria_window,
            own_side.data,
            soaked_hours,
            NO_EVIDENCE,
            decision.verdict,
        ),
        alerts=alerts,
        sources=sources
        or (
            SourceView("Cloud Run", "ok", answered_at=now),
            SourceView("Cloud Monitoring", "ok", answered_at=now),
        ),
        changes=changes,
        events=EVENTS if events is None else events,
        standing=Standing(stage, share, guard, record, ScalePreset(1, 10), ScalePreset(1, 10)),
        speed=speed,
        scenario=scenario,
        backfilled=True,
    )


EVENTS = (
    Event(
        NOW - 314,
        "good",
        "promoted 5 % → 10 %; verified: health ok, split 10.3 % (100)",
        "oncall@bastion-2",
    ),
    Event(NOW - 3_914, "info", "scaled ion-api-canary 0–4 → 1–10", "oncall@bastion-2"),
    Event(NOW - 9_000, "warning", "error ratio 2.3 % beyond 2 %", ""),
    Event(NOW - 90_000, "info", "roll back all → stage 1, 5 %", "lead@bastion-1"),
)


def in_flight(now: float = NOW) -> ChangeView:
    """A promotion under way."""
    return ChangeView(
        "c1",
        "promote",
        "promote stage 2 → 3, 10 % → 25 %",
        "oncall@bastion-2",
        now - 4,
        "accepted: waiting for the revision",
    )


def failed(now: float = NOW) -> ChangeView:
    """A promotion that failed and was not yet acknowledged."""
    outcome = Outcome(
        "failed",
        "Cloud Run refused: revision is not ready.",
        now - 2,
        10,
        "Look at the revision's log.",
    )
    return ChangeView(
        "c1",
        "promote",
        "promote stage 2 → 3, 10 % → 25 %",
        "oncall@bastion-2",
        now - 9,
        "",
        outcome,
    )
