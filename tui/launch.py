"""Opening the console and staying until it is left; what the process itself needs for it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

from canary.rollout.plan.plan import Plan
from tui.app import CanaryApp
from tui.engine_port import EnginePort

GARBAGE_AFTER = 20_000
"""So many new objects until garbage is looked for. Python's own 700 took a fourth of the processor
at ×60: each snapshot's thousands of samples were walked through again and again for the few cycles
that Textual leaves, which are a matter of kilobytes."""


def _collect_garbage_again() -> None:
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, 10, 10)
    gc.enable()


def run(
    plan: Plan,
    plan_path: Path | None = None,
    read_only: bool = False,
    build_engine: Callable[[], EnginePort] | None = None,
) -> int:
    """Open the console and stay until it is left. Returns the process's exit code.

    0 left by the person; 1 crashed (the traceback is on stderr, without locals); 128 + n ended by
    signal n. `build_engine` makes another engine than the plan asks for; it is called on a thread,
    after the first frame. Raises PlanError before anything is drawn when the plan's keys cannot be.
    """

    def build() -> EnginePort:
        from canary.engine.console.console import ConsoleEngine

        return ConsoleEngine(plan, plan_path, read_only=read_only)

    # What is read at the start stays; looking through it for garbage would delay the first frame.
    gc.disable()
    app = CanaryApp(
        plan, build_engine or build, read_only=read_only, after_start=_collect_garbage_again
    )
    app.run(mouse=plan.console.mouse)
    return app.return_code or 0
