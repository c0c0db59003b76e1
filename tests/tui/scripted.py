"""An engine that plays a script: it hands snapshots to the screen and keeps what it was asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from textual.pilot import Pilot
from textual.strip import Strip

from canary.rollout.change.change import Author, Change
from canary.rollout.errors import CanaryError
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.failures.requests import FailedRequest
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import JobsView, ResultOf
from canary.rollout.trials.load_test import LoadTestSettings
from tests import quiescence
from tests.tui import scenes
from tui.app import CanaryApp
from tui.engine_port import How, OnError, OnJobs, OnLines, OnSnapshot, Past

quiescence.install()


class ScriptedProcedure:
    """Keeps what was asked of it, beside what was asked of the engine."""

    def __init__(self, asked: list[tuple[object, ...]]) -> None:
        self.asked = asked

    def verify(self) -> None:
        self.asked.append(("verify",))

    def stop(self) -> None:
        self.asked.append(("stop",))

    def acknowledge(self, what: ResultOf) -> None:
        self.asked.append(("acknowledge", what))

    def load_target(self) -> str:
        return "http://127.0.0.1:8080"

    def start_load_test(self, settings: LoadTestSettings) -> None:
        self.asked.append(("load test", settings.users, settings.duration_s))

    def run_ab_test(self) -> None:
        self.asked.append(("ab test",))

    def look_at_retirement(self) -> None:
        self.asked.append(("look at retirement",))

    def read_lines(self, request: FailedRequest, on_lines: OnLines) -> None:
        self.asked.append(("read lines", request))
        self.on_lines = on_lines

    def leave_lines(self) -> None:
        self.asked.append(("leave lines",))

    def look_at_alerts(self) -> None:
        self.asked.append(("look at alerts",))

    def apply_alerts(self) -> None:
        self.asked.append(("apply alerts",))

    def start_monitoring(self) -> int:
        self.asked.append(("start monitoring",))
        return 4711

    def stop_monitoring(self) -> int | None:
        self.asked.append(("stop monitoring",))
        return 4711

    def read_checklists(self) -> None:
        self.asked.append(("read checklists",))

    def tick(self, stage: int, item: str, *, done: bool) -> None:
        self.asked.append(("tick", stage, item, done))


class ScriptedEngine:
    """Emits what it is told to; what was asked of it is in `asked`, the changes in `sent`."""

    author = Author("oncall", "bastion-2")

    def __init__(self, *first: Snapshot, refusal: CanaryError | None = None) -> None:
        self._first = first
        self._refusal = refusal
        self._on_snapshot: OnSnapshot | None = None
        self._on_error: OnError | None = None
        self.sent: list[Change] = []
        self.asked: list[tuple[object, ...]] = []
        self._on_procedure: OnJobs | None = None
        self.running = False
        self.procedure = ScriptedProcedure(self.asked)

    def start(self, on_snapshot: OnSnapshot, on_error: OnError, on_procedure: OnJobs) -> None:
        self.running = True
        self._on_snapshot, self._on_error = on_snapshot, on_error
        self._on_procedure = on_procedure
        for snapshot in self._first:
            on_snapshot(snapshot)

    def stop(self) -> None:
        self.running = False

    def emit(self, snapshot: Snapshot) -> None:
        assert self._on_snapshot is not None
        self._on_snapshot(snapshot)

    def tell(self, procedure: JobsView) -> None:
        assert self._on_procedure is not None
        self._on_procedure(procedure)

    def fail(self, text: str) -> None:
        assert self._on_error is not None
        self._on_error(text)

    def submit(self, change: Change) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.sent.append(change)

    def acknowledge(self, change_id: str) -> None:
        self.asked.append(("acknowledge", change_id))

    def recover(self, change_id: str, how: How) -> None:
        self.asked.append((how, change_id))

    def dismiss_proof(self, metrics: tuple[Metric, ...], reason: str) -> None:
        self.asked.append(("dismiss_proof", *metrics, reason))

    def withdraw(self, change_id: str) -> None:
        self.asked.append(("withdraw", change_id))

    def arm_guard(self, countdown_s: float | None = None) -> None:
        self.asked.append(("arm", countdown_s))

    def disarm_guard(self) -> None:
        self.asked.append(("disarm",))

    def leave_guard(self) -> int:
        self.asked.append(("leave_guard",))
        return 4711

    def cancel_guard(self) -> bool:
        self.asked.append(("cancel",))
        return True

    def refresh_now(self) -> None:
        self.asked.append(("refresh",))

    def probe(self) -> None:
        self.asked.append(("probe",))

    def scenarios(self) -> dict[str, str]:
        return {
            "healthy": "nothing is wrong",
            "error-spike": "Canary answers 5xx to many requests",
            "final-approval": "the rollout stands at stage 4",
        }

    def set_scenario(self, name: str) -> None:
        self.asked.append(("scenario", name))


class Stage:
    """A running app with its pilot and its engine."""

    def __init__(self, app: CanaryApp, pilot: Pilot[Any], engine: ScriptedEngine) -> None:
        self.app = app
        self.pilot = pilot
        self.engine = engine

    async def emit(self, snapshot: Snapshot) -> None:
        self.engine.emit(snapshot)
        await self.settle()

    async def tell(self, procedure: JobsView) -> None:
        self.engine.tell(procedure)
        await self.settle()

    async def press(self, *keys: str) -> None:
        """Each key is typed when what the one before has brought about was painted."""
        for key in keys:
            await self.pilot.press(key)
            self.app.screen._on_timer_update()
            await quiescence.wait_for_rest()

    async def settle(self) -> None:
        """The first pause paints; what waits for the painting is done in the second."""
        for _ in range(2):
            await self.pilot.pause()

    def frame(self) -> str:
        return frame(self.app)


@asynccontextmanager
async def staged(
    size: tuple[int, int] = (120, 40),
    *first: Snapshot,
    plan: Plan | None = None,
    read_only: bool = False,
    refusal: CanaryError | None = None,
    past: Past | None = None,
    came_from_list: bool = False,
) -> Any:
    """The app at a size, with its first snapshots drawn (a healthy stage 2 unless given)."""
    rollout = plan or scenes.plan()
    engine = ScriptedEngine(*(first or (scenes.snapshot(rollout),)), refusal=refusal)
    app = CanaryApp(
        rollout,
        lambda: engine,
        read_only=read_only,
        monotonic=lambda: 1000.0,
        wall=lambda: scenes.NOW,
        past=past,
        came_from_list=came_from_list,
    )
    async with app.run_test(size=size) as pilot:
        for _ in range(2000):
            await pilot.pause()
            if app.main.snapshot is not None:
                break
            await asyncio.sleep(0.001)  # a thread starts the engine
        stage = Stage(app, pilot, engine)
        await stage.settle()
        yield stage


def frame(app: CanaryApp) -> str:
    """What is on the screen, as text; lines right-stripped."""
    strips: list[Strip] = app.screen._compositor.render_strips()
    lines = [strip.text for strip in strips[: app.size.height]]
    return "\n".join(line.rstrip() for line in lines)


def rows(text: str, pattern: str) -> Iterator[str]:
    return (line for line in text.splitlines() if re.search(pattern, line))


def greyed(app: CanaryApp) -> set[str]:
    """Labels of the keys in the key bar that can do nothing now."""
    return {h.label for h in app.main.key_bar.hints if not h.enabled}


def advanced(snapshot: Snapshot, seconds: float) -> Snapshot:
    """The same snapshot, later."""
    return msgspec.structs.replace(snapshot, as_of=snapshot.as_of + seconds)
