"""Snapshots for drawing: small worlds with known numbers, made from rollout types alone."""

from __future__ import annotations

import math

import msgspec

from canary.rollout.change.change import Outcome
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.decision.gates import Gate
from canary.rollout.decision.tree import Alert, DataState, Decision, Node, Verdict, Watch
from canary.rollout.measure.samples import Distribution, Responses, Sample, reduce_window
from canary.rollout.plan.plan import Criteria, Plan, ScalePreset, Stage, Target
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    Event,
    SideView,
    Snapshot,
    StageView,
    TrafficView,
)

NOW = 1_772_374_980.0  # 2026-03-01 14:23:00Z
LATENCY_BOUNDS = tuple(10.0 * 1.4**i for i in range(30))
SCORE_BOUNDS = tuple(i / 20 for i in range(1, 21))

PLAN = Plan(
    target=Target("naeda-genesis", "us-central1", "ion-api", "ion-api-canary"),
    stages=(
        Stage(5, 24, Criteria(0.010, 15_000, 0.95, 0.75)),
        Stage(10, 24, Criteria(0.015, 18_000, 0.93, 0.73)),
        Stage(25, 48, Criteria(0.020, 20_000, 0.91, 0.71), load_test=True),
        Stage(50, 72, Criteria(0.025, 22_000, 0.89, 0.69), min_ab_improvement=0.10),
        Stage(100),
    ),
)


def latency(count: int, median_ms: float) -> Distribution:
    """`count` values around a median, spread like a log-normal over the buckets."""
    weights = [math.exp(-((math.log(b / median_ms) - 0.15) ** 2) / 0.5) for b in LATENCY_BOUNDS]
    total = sum(weights)
    counts = tuple(round(count * w / total) for w in weights)
    return Distribution(LATENCY_BOUNDS, counts, sum(counts), median_ms * 1.1, 0.0)


def scores(count: int, mean: float) -> Distribution:
    """`count` scores around a mean."""
    weights = [math.exp(-((b - 0.025 - mean) ** 2) / 0.01) for b in SCORE_BOUNDS]
    total = sum(weights)
    counts = (0, *(round(count * w / total) for w in weights[1:]))
    return Distribution(SCORE_BOUNDS, counts, sum(counts), mean, 0.0)


def sample(
    end: float,
    requests: int,
    *,
    errors: float = 0.003,
    median_ms: float = 200.0,
    mean: float = 0.85,
) -> Sample:
    """One minute of one side."""
    failed = round(requests * errors)
    return Sample(
        end - 60.0,
        end,
        Responses(requests - failed - requests // 100, 0, requests // 100, failed),
        latency(requests, median_ms),
        scores(requests, mean),
        0.4 + 0.05 * math.sin(end / 900),
        0.52,
        4.0,
        3.0,
    )


def history(
    minutes: int, requests: int, *, until: float = NOW - 60, **shape: float
) -> tuple[Sample, ...]:
    """`minutes` minutes of a side, gently waving, oldest first, the newest ending at `until`."""
    last = until - until % 60
    return tuple(
        sample(
            last - 60.0 * age,
            round(requests * (1 + 0.25 * math.sin((last - 60 * age) / 1200))),
            **{
                **shape,
                "median_ms": shape.get("median_ms", 200.0)
                * (1 + 0.3 * math.sin((last - 60 * age) / 700)),
            },
        )
        for age in reversed(range(minutes))
    )


def side(
    service: str, samples: tuple[Sample, ...], now: float = NOW, data: DataState = "ok"
) -> SideView:
    """A side as the engine would show it: a tree's window of 5 min, a criteria window of 1 h."""
    newest = samples[-1].end if samples else now
    window = reduce_window(samples, newest - 300, newest)
    return SideView(
        service,
        window,
        reduce_window(samples, newest - 3600, newest),
        data if samples else "missing",
        now - newest if samples else None,
        f"{service}-00042-abc",
        ScalePreset(1, 10),
        True,
        samples,
    )


def decision(verdict: Verdict = "continue", error_ratio: float | None = 0.003) -> Decision:
    """A path that fits the verdict."""
    watching = verdict in ("watch", "rollback_stage")
    bad = verdict == "rollback_all"
    blind = verdict == "no_data"
    watch = Watch(NOW - 1380, True, verdict == "rollback_stage") if watching else None
    first = Node(
        "error_ratio",
        "error ratio beyond critical",
        None if blind else error_ratio,
        0.05,
        "no_data" if blind else "yes" if bad else "no",
        None if blind or error_ratio is None else 0.05 - error_ratio,
    )
    later = "not_reached" if bad else "no_data" if blind else "no"
    return Decision(
        verdict,
        (
            first,
            Node(
                "p95_ms",
                "p95 beyond critical",
                None if later != "no" else 610.0,
                30_000.0,
                later,
                29_390.0 if later == "no" else None,
            ),
            Node(
                "success_ratio",
                "success ratio below critical",
                None if later != "no" else 0.991,
                0.8,
                later,
                0.191 if later == "no" else None,
            ),
            Node(
                "watch",
                "a warning is being watched",
                1380.0 if watching else None,
                3600.0,
                "yes" if watching else later,
                2220.0 if watching else None,
                "Watching for 23 of 60 min; warning persists.",
            ),
        ),
        {
            "continue": "All thresholds are OK.",
            "watch": "Watching for 23 of 60 min; warning persists.",
            "rollback_stage": "The warning has not cleared within 60 min.",
            "rollback_all": "error ratio beyond critical: yes",
            "no_data": "No data of Canary in the window.",
        }[verdict],
        "missing" if blind else "ok",
        watch,
    )


GATES = (
    Gate("error_ratio", "error ratio", 0.0028, "≤", 0.015, "met", "16 320 requests"),
    Gate("p95_ms", "p95", 640.0, "≤", 18_000.0, "met", "16 320 requests"),
    Gate("success_ratio", "success ratio", 0.991, "≥", 0.93, "met", "16 320 requests"),
    Gate("confidence", "confidence", 0.85, "≥", 0.73, "met", "16 320 scores"),
    Gate("soak_hours", "soak", 17.2, "≥", 24.0, "not_met", "6 h 48 m to go", waits=True),
    Gate("verdict", "thresholds OK", 1.0, "=", 1.0, "met", "none passed", False),
)
EVENTS = (
    Event(NOW - 60, "good", "health ok: ion-api-canary answers in 41 ms"),
    Event(
        NOW - 1502, "info", "promoted 5 % → 10 %  verified: split 10.3 % (100)", "oncall@bastion-2"
    ),
    Event(NOW - 4200, "warning", "error ratio 2.4 % > 2 %: watching for 60 min"),
    Event(NOW - 90_000, "critical", "error ratio 5.2 % > 5 %: roll back everything"),
)


def snapshot(**changes: object) -> Snapshot:
    """Stage 2 of a healthy rollout at NOW; `changes` replace fields."""
    legacy = side("ion-api", history(180, 2460))
    canary = side("ion-api-canary", history(180, 276, median_ms=215.0, mean=0.88))
    record = StageRecord(2, 10, NOW - 17.2 * 3600, "oncall", "bastion-2", "c1", "promote")
    base = Snapshot(
        rollout=PLAN.name,
        provider="local",
        project="naeda-genesis",
        region="us-central1",
        as_of=NOW,
        window_s=300.0,
        stage=StageView(2, "stage 2", 10, record.entered_at, 24.0, 17.2),
        traffic=TrafficView(10, record),
        legacy=legacy,
        canary=canary,
        decision=decision(),
        gates=GATES,
        events=EVENTS,
        speed=60.0,
        ingest_delay_s=120.0,
        scenario="healthy",
        backfilled=True,
    )
    return msgspec.structs.replace(base, **changes)


def spiking() -> Snapshot:
    """Canary fails: roll back everything."""
    calm = history(170, 276, until=NOW - 660, median_ms=215.0)
    bad = history(10, 276, errors=0.082, median_ms=900.0, mean=0.7)
    return snapshot(
        canary=side("ion-api-canary", calm + bad),
        decision=decision("rollback_all", 0.082),
        alerts=(
            Alert("error_ratio", "critical", 0.082, 0.05),
            Alert("error_ratio", "stage", 0.082, 0.02),
            Alert("error_ratio", "warning", 0.082, 0.02),
        ),
        changes=(
            ChangeView(
                "c2",
                "rollback_all",
                "Roll back all",
                "oncall@bastion-2",
                NOW - 9,
                "waiting for Cloud Run",
            ),
        ),
    )


def silent() -> Snapshot:
    """Canary sends nothing: no data."""
    return snapshot(
        canary=side("ion-api-canary", ()),
        decision=decision("no_data"),
        gates=tuple(
            msgspec.structs.replace(
                g, observed=None, state="no_data", evidence="missing: no requests seen"
            )
            for g in GATES
        ),
        changes=(
            ChangeView(
                "c3",
                "promote",
                "Promote to stage 3",
                "oncall@bastion-2",
                NOW - 90,
                "",
                Outcome(
                    "unknown",
                    "No answer within 30 s.",
                    NOW - 60,
                    None,
                    "Look the split up before anything else.",
                ),
            ),
        ),
    )
