"""The console's load test: one at a time, in a process of its own, told as it goes.

Lives in the engine's loop. Whatever ends the loop ends the load: nobody leaves users behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from canary.engine.jobs.load_target import find_target
from canary.engine.jobs.load_test import LoadTestRun, write_summary
from canary.engine.observe.event_log import Severity
from canary.engine.session import SessionOpening
from canary.rollout.errors import CanaryError
from canary.rollout.text import format_count, format_duration, sanitize
from canary.rollout.trials.jobs import LoadTestView
from canary.rollout.trials.load_test import (
    LoadTestProgress,
    LoadTestSettings,
    LoadTestSummary,
    summarise_load,
)
from canary.store.locks import hold_load_lock

log = logging.getLogger(__name__)

Say = Callable[[Severity, str, str], None]
"""Severity, text and author of a line in the event log."""


class LoadTesting:
    """Runs load tests once `opening` is connected; `on_change` is told when `view` is another."""

    def __init__(self, opening: SessionOpening, say: Say, on_change: Callable[[], None]) -> None:
        self._opening = opening
        self._say = say
        self._on_change = on_change
        self._run: LoadTestRun | None = None
        self._task: asyncio.Task[None] | None = None
        self.view = LoadTestView()

    def target_url(self) -> str:
        """Where the requests would enter, as far as it is known; "" when it is not."""
        session, plan = self._opening.connected, self._opening.plan
        if session is not None and session.embedded is not None:
            return session.embedded.router_url
        if plan.target.router.url:
            return plan.target.router.url
        return session.observer.url_of(plan.router_service) if session is not None else ""

    def begin(self, settings: LoadTestSettings, by: str) -> None:
        """Begin one; nothing happens while one runs. In the loop."""
        if self.view.is_running:
            return
        self.view = LoadTestView("starting", settings, self.target_url(), by)
        self._task = asyncio.get_running_loop().create_task(
            self._work(settings, by), name="load test"
        )
        self._on_change()

    def stop(self, by: str) -> None:
        """End it early, with what it has seen; nothing happens while none runs. In the loop."""
        if not self.view.is_running:
            return
        if self._run is None:
            # The target is still being looked for: nobody is at work yet.
            if self._task is not None:
                self._task.cancel()
            self._end("The load test was stopped before it had begun.")
            return
        self._run.stop(f"by {by}")
        self._show(state="stopping")

    def acknowledge(self) -> None:
        """The result has been seen. In the loop."""
        if self.view.waiting is not None:
            self._show(acknowledged=True)

    async def _work(self, settings: LoadTestSettings, by: str) -> None:
        try:
            with hold_load_lock(self._opening.directory):
                summary = await self._load(settings, by)
        except CanaryError as error:
            self._end(str(error))
            self._say("warning", f"the load test did not take place: {error}", by)
        except Exception as error:
            # The boundary of this task: what nobody foresaw is logged and shown.
            log.exception("load test")
            self._end(f"The load test failed ({type(error).__name__}). See engine.log.")
        else:
            self._keep(summary, by)
        finally:
            self._run = None

    async def _load(self, settings: LoadTestSettings, by: str) -> LoadTestSummary:
        session = self._opening.session
        target = await find_target(session)
        self._run = run = LoadTestRun(session.plan, target, settings, session.clock)
        self._say(
            "info", f"load test: {format_settings(settings)} on {sanitize(target.url, 80)}", by
        )
        self._show(state="running", url=target.url)
        return await run.run(self._take)

    def _take(self, progress: LoadTestProgress) -> None:
        self._show(progress=progress)

    def _keep(self, summary: LoadTestSummary, by: str) -> None:
        trouble = ""
        try:
            written = write_summary(self._opening.plan, self._opening.base, summary)
            if written is None:
                trouble = "No request was made: nothing was written."
        except CanaryError as error:
            trouble = str(error)
        self._show(state="idle", summary=summary, progress=summary.figures, trouble=trouble)
        said = summarise_load(summary.status, summary.reasons, summary.figures)
        passed = summary.status == "PASSED"
        self._say("good" if passed else "critical", f"load test {said}", by)

    def _end(self, trouble: str) -> None:
        self._show(state="idle", trouble=trouble)

    def _show(self, **changes: object) -> None:
        self.view = msgspec.structs.replace(self.view, **changes)
        self._on_change()


def format_settings(settings: LoadTestSettings) -> str:
    """The size of a load test: "50 users, 5 more a second, 1 h"."""
    users = f"{format_count(settings.users)} users, {settings.spawn_rate:g} more a second"
    return f"{users}, {format_duration(settings.duration_s)}"
