"""Hand-built values of the procedure: verifications, load tests, an A/B test, loops, checklists."""

from __future__ import annotations

from typing import Any

import msgspec

from canary.rollout.plan.tables import LIGHT
from canary.rollout.trials.ab_test import AbSource, GroupFigures, Mean, analyse
from canary.rollout.trials.checklist import PROGRAM, ChecklistBook, Tick, Visit, compose
from canary.rollout.trials.comparison import Comparison, SideFigures, check_split
from canary.rollout.trials.jobs import (
    AbTestView,
    JobsView,
    LoadTestView,
    MonitoringView,
    VerificationView,
)
from canary.rollout.trials.load_test import (
    LoadFigures,
    LoadTestProgress,
    LoadTestSettings,
    LoadTestSummary,
    check_load,
    find_reasons,
)
from canary.rollout.trials.verification import (
    HealthAnswer,
    Reported,
    Verification,
    VerifyProgress,
    judge_verification,
)
from tests.tui import scenes
from tests.tui.scenes import NOW

URL = "https://ion.example.com"
PLAN = scenes.plan()
WELL = (
    HealthAnswer("legacy", "ion-api", True, "200 OK"),
    HealthAnswer("canary", "ion-api-canary", True, "200 OK"),
)


def comparison(canary: int = 10, legacy: int = 90, unanswered: int = 0) -> Comparison:
    """So many answers of each side."""
    return Comparison(
        NOW,
        URL + "/chat",
        legacy + canary + unanswered,
        SideFigures("ion-api", legacy, 0.0111, 0.9778, 210.0, 640.0, 910.0, 0.72, legacy),
        SideFigures("ion-api-canary", canary, 0.0, 1.0, 180.0, 310.0, 330.0, 0.85, canary),
        unanswered=unanswered,
        first_error="connection refused" if unanswered else "",
    )


def verified(
    canary: int = 10,
    legacy: int = 90,
    *,
    reported: int = 10,
    health: tuple[HealthAnswer, ...] = WELL,
    change: str = "",
    measured: bool = True,
) -> Verification:
    """A verification of stage 2; by default passed."""
    return judge_verification(
        PLAN,
        NOW,
        10,
        Reported(reported),
        health,
        comparison(canary, legacy) if measured else None,
        stage=2,
        change=change,
        trouble="" if measured else "It is not known where requests enter.",
    )


def verifying(done: int = 62) -> VerifyProgress:
    return VerifyProgress("requests", done, 100, done - done // 10, done // 10)


def of(**parts: Any) -> JobsView:
    return msgspec.structs.replace(JobsView(), **parts)


def with_verification(result: Verification | None, progress: Any = None) -> JobsView:
    return of(verification=VerificationView(progress, result))


SETTINGS = LoadTestSettings("light", LIGHT, 50, 5.0, 3600.0)


def load_progress(elapsed_s: float = 720.0, p95_ms: float = 900.0) -> LoadTestProgress:
    return LoadTestProgress(
        elapsed_s,
        3600.0,
        50,
        LoadFigures(9_800, 9_700, 60, 40, 0, 450.0, 400.0, 1_300.0, 2_100.0),
        LoadFigures(3_200, 3_190, 8, 2, 0, 220.0, 190.0, p95_ms, 1_400.0),
        requests_per_s=18.4,
    )


def loading(**changes: Any) -> LoadTestView:
    base = LoadTestView("running", SETTINGS, URL, "oncall@bastion-2", load_progress())
    return msgspec.structs.replace(base, **changes)


def load_ended(ended: Any = "time", p95_ms: float = 900.0) -> LoadTestView:
    seen = load_progress(3600.0 if ended == "time" else 720.0, p95_ms)
    checks = check_load(PLAN.load_test, seen, PLAN.metrics.min_requests)
    reasons = find_reasons(checks, ended, seen, "by oncall@bastion-2")
    summary = LoadTestSummary(
        "FAILED" if reasons else "PASSED",
        ended,
        reasons,
        tuple(checks),
        SETTINGS,
        seen,
        URL,
        NOW - 3600,
        NOW,
        3,
        25,
    )
    return loading(state="idle", progress=seen, summary=summary)


def ab_test(canary_ms: float = 220.0) -> AbTestView:
    def group(mean_ms: float, p95_ms: float, confidence: float, success: float) -> GroupFigures:
        return GroupFigures(
            150_000,
            Mean(mean_ms, mean_ms * 0.8, 150_000),
            p95_ms,
            Mean(confidence, 0.1, 150_000),
            Mean(success, None, 150_000),
        )

    analysis = analyse(group(450.0, 1_200.0, 0.72, 0.988), group(canary_ms, 600.0, 0.85, 0.997))
    source = AbSource("naeda-genesis.ab_test.results", NOW, NOW - 30 * 86_400, NOW)
    return AbTestView(False, analysis, source)


def monitoring(**changes: Any) -> MonitoringView:
    base = MonitoringView(
        running=True,
        pid=4711,
        since=NOW - 7_200,
        every_s=1800.0,
        until=NOW + 79_200,
        next_at=NOW + 1_200,
        files=5,
        last_file="/srv/rollout/outputs/monitor_20260301T135322Z.json",
        last_at=NOW - 600,
        verdict="continue",
        out_dir="/srv/rollout/outputs",
    )
    return msgspec.structs.replace(base, **changes)


def book() -> ChecklistBook:
    """Stage 1 is closed, stage 2 is present, stage 3 is next."""
    at = NOW - 17.2 * 3600
    first = Visit(1, "c0", at - 90_000, "oncall@bastion-2", "promote", at)
    second = Visit(2, "c1", at, "oncall@bastion-2", "promote")
    ticks = [
        Tick(1, "recorded", True, PROGRAM, at - 90_000, "on ion-api"),
        Tick(1, "first_hour", True, "lead@bastion-1", at - 80_000),
        Tick(2, "criteria", True, PROGRAM, at, "error 0.30 %, p95 640 ms, success 99.1 %"),
        Tick(2, "recorded", True, PROGRAM, at, "on ion-api, in one update with the split"),
        Tick(2, "split", True, PROGRAM, at + 60, "10.3 % (99 %: 4.6 to 21.2 %) of 97 answers"),
        Tick(2, "alerts", True, "oncall@bastion-2", at + 4000),
    ]
    hints = {"first_hour": "16 h 12 m ago", "pushed": "not pushed"}
    return ChecklistBook(
        2,
        (
            compose(PLAN, 1, first, ticks),
            compose(PLAN, 2, second, ticks, hints),
            compose(PLAN, 3, None, ticks, {"criteria": "not met: soak"}),
        ),
    )


assert check_split(comparison(), 10).state == "as_intended"
