"""The load test: Locust's process against the router, followed, judged, written for the gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.engine.jobs.load_process import LoadProcess
from canary.rollout.errors import ToolFailed
from canary.rollout.plan.plan import Plan
from canary.rollout.trials.load_test import (
    LoadEnd,
    LoadFigures,
    LoadTestProgress,
    LoadTestSettings,
    LoadTestSummary,
    check_load,
    find_reasons,
    load_document,
)
from canary.store.outputs import write_result
from canary.store.results import LOAD_TEST_FILE

RAMP_SHARE = 0.1
"""How much of the time the users may take to come, where the cloud's clock runs faster."""
LEAST_TIMEOUT_S = 5.0
"""Of this machine's time: at sixty times the speed a busy moment here is a minute there."""

OnProgress = Callable[[LoadTestProgress], None]


class LoadTarget(msgspec.Struct, frozen=True):
    """Where the load goes, and how an answer is known to be a side's.

    `canary` and `legacy` are names in `header` of the response, or in `field` of its JSON body:
    services, or with one service its revisions; then every other name is Legacy's.
    """

    url: str
    canary: tuple[str, ...]
    legacy: tuple[str, ...] = ()
    header: str = "x-canary-service"
    field: str = "service"
    others_are_legacy: bool = False
    stage: int | None = None
    percent: int | None = None


class _Line(msgspec.Struct, frozen=True):
    """A line of the process, of the kinds "progress" and "finished"."""

    elapsed_s: float
    users: int
    sides: dict[str, LoadFigures]
    busy: bool = False
    ended: LoadEnd = "time"


class LoadTestRun:
    """One load test. `run` it once; `stop` ends it early, with what it has seen so far."""

    def __init__(
        self, plan: Plan, target: LoadTarget, settings: LoadTestSettings, clock: CloudClock
    ) -> None:
        self._plan = plan
        self._target = target
        self._settings = settings
        self._clock = clock
        self._speed = clock.speed
        self._process = LoadProcess()
        self._why = ""
        self._seen: LoadTestProgress | None = None
        self._ended: LoadEnd = "died"

    async def run(self, on_progress: OnProgress) -> LoadTestSummary:
        """Run to the end, telling each progress (about one a second, the last one included).

        Raises ToolFailed when Locust is missing or does not begin; once it has made requests,
        however it ends there is a summary.
        """
        started_at = self._clock.now()
        async for line in self._process.lines(self._process_settings()):
            if line.get("kind") in ("progress", "finished"):
                self._take(line)
                if self._seen is not None:
                    on_progress(self._seen)
        seen = self._seen
        if seen is None:
            if not self._why:
                raise ToolFailed(f"Locust did not start: {self._process.last_words}.")
            # Stopped before it had begun.
            seen = LoadTestProgress(0.0, self._settings.duration_s, 0)
            self._ended = "stopped"
        return self._judge(seen, started_at)

    def stop(self, why: str) -> None:
        """End it early; `why` is told in the summary, as "by oncall@bastion-2"."""
        self._why = self._why or why
        self._process.stop()

    @property
    def pid(self) -> int | None:
        """The id of the process that makes the load; None before it was started."""
        return self._process.pid

    def _judge(self, seen: LoadTestProgress, started_at: float) -> LoadTestSummary:
        limits = self._plan.load_test
        checks = check_load(limits, seen, self._plan.metrics.min_requests)
        why = self._process.last_words if self._ended == "died" else self._why
        reasons = find_reasons(checks, self._ended, seen, why)
        return LoadTestSummary(
            status="FAILED" if reasons else "PASSED",
            ended=self._ended,
            reasons=reasons,
            checks=tuple(checks),
            settings=self._settings,
            figures=seen,
            url=self._target.url,
            started_at=started_at,
            finished_at=self._clock.now(),
            stage=self._target.stage,
            percent=self._target.percent,
        )

    def _take(self, document: dict[str, Any]) -> None:
        try:
            line = msgspec.convert(document, _Line)
        except msgspec.ValidationError:
            return
        if document["kind"] == "finished":
            self._ended = line.ended
        before = self._seen
        now = in_cloud_time(line, self._settings.duration_s, self._speed)
        self._seen = msgspec.structs.replace(now, requests_per_s=_recent_rate(before, now))

    def _process_settings(self) -> dict[str, Any]:
        """What the process is told: durations of this machine's clock."""
        settings, target = self._settings, self._target
        profile = settings.profile
        duration_s = settings.duration_s / self._speed
        # All at once, as a faster clock would have it, is a burst that this machine would measure.
        smooth = max(settings.spawn_rate, settings.users / (RAMP_SHARE * duration_s))
        return {
            "url": target.url.rstrip("/"),
            "users": settings.users,
            "spawn_rate": min(settings.spawn_rate * self._speed, smooth),
            "duration_s": duration_s,
            "requests": [msgspec.to_builtins(request) for request in profile.requests],
            "sides": {
                "canary": target.canary,
                "legacy": target.legacy,
                "header": target.header,
                "field": target.field,
                "others_are_legacy": target.others_are_legacy,
            },
            # Not divided by the speed: fifty users sixty times as fast would overload this machine.
            "min_wait_s": profile.min_wait_s,
            "max_wait_s": profile.max_wait_s,
            "timeout_s": max(LEAST_TIMEOUT_S, settings.timeout_s / self._speed)
            if self._speed > 1
            else settings.timeout_s,
        }


def in_cloud_time(line: _Line, duration_s: float, speed: float) -> LoadTestProgress:
    """A line's figures, measured on this machine, in the cloud's time."""
    return LoadTestProgress(
        elapsed_s=min(duration_s, line.elapsed_s * speed),
        duration_s=duration_s,
        users=line.users,
        legacy=_scale(line.sides.get("legacy"), speed),
        canary=_scale(line.sides.get("canary"), speed),
        unattributed=_scale(line.sides.get("unattributed"), speed),
        busy=line.busy,
    )


def write_summary(plan: Plan, base: Path, summary: LoadTestSummary) -> Path | None:
    """Write the summary for the gate; returns the file. `base` is the directory of the plan.

    A test that was stopped before its first request tested nothing: None, and what an earlier
    test found stays. Every other replaces it, FAILED as well as PASSED. Raises RecordError.
    """
    if summary.ended != "time" and summary.figures.requests == 0:
        return None
    path = base / plan.record.outputs / LOAD_TEST_FILE
    write_result(path, load_document(summary))
    return path


def _recent_rate(before: LoadTestProgress | None, now: LoadTestProgress) -> float | None:
    if before is None or now.elapsed_s <= before.elapsed_s:
        return before.requests_per_s if before is not None else None
    return (now.requests - before.requests) / (now.elapsed_s - before.elapsed_s)


def _scale(figures: LoadFigures | None, speed: float) -> LoadFigures:
    if figures is None:
        return LoadFigures()
    names = ("mean_ms", "p50_ms", "p95_ms", "p99_ms")
    scaled = {name: _times(getattr(figures, name), speed) for name in names}
    return msgspec.structs.replace(figures, **scaled)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
