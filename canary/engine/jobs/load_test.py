"""The load test: Locust's process against the router, followed, judged, written for the gate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.engine.jobs.job import Host, Job, attempt
from canary.engine.jobs.load_process import LoadProcess
from canary.engine.jobs.router_requests import LoadTarget, find_target
from canary.host.listeners import find_stranger_at
from canary.rollout.errors import CanaryError, ToolFailed, UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_count, format_duration, sanitize
from canary.rollout.trials.jobs import LoadTestView
from canary.rollout.trials.load_test import (
    LoadEnd,
    LoadFigures,
    LoadTestProgress,
    LoadTestSettings,
    LoadTestSummary,
    check_load,
    find_reasons,
    load_document,
    summarise_load,
)
from canary.store.locks import hold_load_lock
from canary.store.outputs import output_path, write_result
from canary.store.results import LOAD_TEST_FILE

RAMP_SHARE = 0.1
"""How much of the time the users may take to come, where the cloud's clock runs faster."""
LEAST_TIMEOUT_S = 5.0
"""Of this machine's time: at sixty times the speed a busy moment here is a minute there."""

OnProgress = Callable[[LoadTestProgress], None]


class _Line(msgspec.Struct, frozen=True):
    """A line of the process, of the kinds "progress" and "finished"."""

    elapsed_s: float
    users: int
    sides: dict[str, LoadFigures]
    busy: bool = False
    ended: LoadEnd = "time"


def choose_settings(
    plan: Plan,
    *,
    users: int | None = None,
    spawn_rate: float | None = None,
    duration_s: float | None = None,
    profile: str | None = None,
) -> LoadTestSettings:
    """The plan's load test, with what was chosen otherwise. Raises UsageError: no such profile."""
    test = plan.load_test
    name = test.profile if profile is None else profile
    found = test.find_profile(name)
    if found is None:
        raise UsageError(
            f'There is no profile "{sanitize(name, 40)}".',
            remedy=f"Known: {', '.join(test.profile_names)}; more in [load_test.profiles].",
        )
    return LoadTestSettings(
        profile_name=name,
        profile=found,
        users=test.users if users is None else users,
        spawn_rate=test.spawn_rate if spawn_rate is None else spawn_rate,
        duration_s=test.duration_minutes * 60.0 if duration_s is None else duration_s,
        timeout_s=test.timeout_s,
    )


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

        Raises ToolFailed when Locust is missing or does not begin, or when another user of this
        host would answer; once it has made requests, however it ends there is a summary.
        """
        if self._target.url.startswith("http://") and (why := find_stranger_at(self._target.url)):
            raise ToolFailed(f"The load test was not started. {why}")
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
        """End it early; `why` is in the summary, as "by oncall@bastion-2"."""
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
        """What the process reads: durations of this machine's clock."""
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
    path = output_path(base, plan.record.outputs, LOAD_TEST_FILE)
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


class LoadTestJob(Job[LoadTestView]):
    """The console's load test: whatever ends the loop ends the load; nobody leaves users behind."""

    def __init__(self, host: Host) -> None:
        super().__init__(host, LoadTestView())
        self._run: LoadTestRun | None = None

    def target_url(self) -> str:
        """Where the requests would enter, as far as it is known; "" when it is not."""
        session, plan = self._host.opening.connected, self._host.opening.plan
        if session is not None and session.embedded is not None:
            return session.embedded.router_url
        if plan.target.router.url:
            return plan.target.router.url
        return session.observer.url_of(plan.router_service) if session is not None else ""

    def begin(self, settings: LoadTestSettings) -> None:
        """Begin one; nothing happens while one runs."""
        if self._host.opening.connected is None:
            self._host.report("The cloud is not connected yet: no load test can begin.")
        elif not self.view.is_running:
            by = str(self._host.author)
            self.view = LoadTestView("starting", settings, self.target_url(), by)
            self._begin("load test", lambda: self._work(settings))

    def stop(self) -> None:
        """End it early, with what it has seen; nothing happens while none runs."""
        if not self.view.is_running:
            return
        if self._run is None:
            # The target is still being looked for: nobody is at work yet.
            if self._task is not None:
                self._task.cancel()
            self._show(state="idle", trouble="The load test was stopped before it had begun.")
            return
        self._run.stop(f"by {self._host.author}")
        self._show(state="stopping")

    def acknowledge(self) -> None:
        """The result has been seen."""
        if self.view.waiting is not None:
            self._show(acknowledged=True)

    async def _do(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        error = await attempt(name, work())
        self._run = None
        if error:
            self._show(state="idle", trouble=error)
            self._host.say("warning", f"the load test did not take place: {error}")

    async def _work(self, settings: LoadTestSettings) -> None:
        with hold_load_lock(self._host.opening.directory):
            summary = await self._load(settings)
        self._keep(summary)

    async def _load(self, settings: LoadTestSettings) -> LoadTestSummary:
        session = self._host.opening.session
        target = await find_target(session)
        self._run = run = LoadTestRun(session.plan, target, settings, session.clock)
        size, where = format_settings(settings), sanitize(target.url, 80)
        self._host.say("info", f"load test: {size} on {where}")
        self._show(state="running", url=target.url)
        return await run.run(lambda progress: self._show(progress=progress))

    def _keep(self, summary: LoadTestSummary) -> None:
        error = ""
        try:
            written = write_summary(self._host.opening.plan, self._host.opening.base, summary)
            if written is None:
                error = "No request was made: nothing was written."
        except CanaryError as refused:
            error = str(refused)
        self._show(state="idle", summary=summary, progress=summary.figures, trouble=error)
        said = summarise_load(summary.status, summary.reasons, summary.figures)
        passed = summary.status == "PASSED"
        self._host.say("good" if passed else "critical", f"load test {said}")


def format_settings(settings: LoadTestSettings) -> str:
    """The size of a load test: "50 users, 5 more a second, 1 h"."""
    users = f"{format_count(settings.users)} users, {settings.spawn_rate:g} more a second"
    return f"{users}, {format_duration(settings.duration_s)}"
