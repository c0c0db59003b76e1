"""Values built by hand for the tests of canary.rollout: plan, windows, snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from canary.rollout.change.change import Author, Guard, Request, Standing
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.decision.gates import NO_EVIDENCE, check_gates
from canary.rollout.decision.tree import IDLE, DataState, Decision, Watch, decide, find_alerts
from canary.rollout.measure.samples import Responses, Window
from canary.rollout.plan.file import load_plan
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.snapshot.snapshot import SideView, Snapshot, StageView, TrafficView

NOW = 1_772_373_802.0
"""2026-03-01 14:03:22Z."""
AUTHOR = Author("oncall", "bastion-2")
PLAN: Plan = load_plan(Path(__file__).parents[2] / "canary.toml")
BARE_PLAN = """
[target]
project = "naeda-genesis"
region = "us-central1"
legacy = "ion-api"
canary = "ion-api-canary"

[[stages]]
percent = 100
"""
"""The least that is a plan."""


def window(**changes: Any) -> Window:
    """A healthy window of five minutes with 1 000 Canary requests."""
    base = Window(
        start=NOW - 420,
        end=NOW - 120,
        requests=1000,
        error_ratio=0.003,
        success_ratio=0.991,
        p50_ms=180.0,
        p95_ms=610.0,
        p99_ms=900.0,
        latency_count=1000,
        confidence=0.85,
        confidence_count=1000,
        cpu=0.4,
        memory=0.5,
        instances=2.0,
        instances_active=1.5,
        responses=Responses(ok_2xx=991, client_4xx=6, server_5xx=3),
        newest_at=NOW - 120,
    )
    return msgspec.structs.replace(base, **changes)


EMPTY = Window(start=NOW - 300, end=NOW)


def decision(
    judged: Window | None = None, data: DataState = "ok", watch: Watch = IDLE, plan: Plan = PLAN
) -> Decision:
    """The tree's answer to a window; the healthy one when none is given."""
    return decide(plan, window() if judged is None else judged, data, watch, NOW)


def record(stage: int = 2, **changes: Any) -> StageRecord:
    """A record of a stage that was entered 17 h ago."""
    base = StageRecord(
        stage=stage,
        percent=PLAN.percent_of(stage),
        entered_at=NOW - 17 * 3600,
        by="oncall",
        host="bastion-2",
    )
    return msgspec.structs.replace(base, **changes)


def standing(stage: int = 2, **changes: Any) -> Standing:
    """Where a rollout at `stage` stands, both sides in production scale."""
    percent = PLAN.percent_of(stage)
    base = Standing(
        stage=stage,
        percent=percent,
        guard=Guard("ion-api", "etag-1", percent, "ion-api-00007-abc"),
        record=record(stage),
        scale_legacy=ScalePreset(1, 10),
        scale_canary=ScalePreset(1, 10),
    )
    return msgspec.structs.replace(base, **changes)


def request(**changes: Any) -> Request:
    """A wish of the person on call."""
    return msgspec.structs.replace(Request(id="c-1", author=AUTHOR, now=NOW), **changes)


def snapshot(
    judged: Window | None = None,
    data: DataState = "ok",
    watch: Watch = IDLE,
    stage: int = 2,
    **changes: Any,
) -> Snapshot:
    """One moment at `stage`; Canary shows `judged`, Legacy is healthy."""
    canary = window() if judged is None else judged
    verdict = decide(PLAN, canary, data, watch, NOW)
    soaked = 17.0
    base = Snapshot(
        rollout=PLAN.name,
        provider="local",
        project="naeda-genesis",
        region="us-central1",
        as_of=NOW,
        window_s=300.0,
        stage=StageView(stage, f"stage {stage}", 10, NOW - soaked * 3600, 24.0, soaked),
        traffic=TrafficView(canary_percent=10, record=record(stage)),
        legacy=SideView("ion-api", window(requests=9000), window(), "ok", 74.0),
        canary=SideView("ion-api-canary", canary, canary, data, canary.age_s(NOW)),
        decision=verdict,
        gates=check_gates(PLAN, stage, canary, data, soaked, NO_EVIDENCE, verdict.verdict),
        alerts=find_alerts(PLAN, stage, canary, data),
    )
    return msgspec.structs.replace(base, **changes)
