"""What to do now, drawn in the rows that a panel has left below its verdict."""

from __future__ import annotations

from collections.abc import Mapping

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.next_steps import find_next_steps, format_next_step
from canary.rollout.snapshot.snapshot import Snapshot
from themes import Palette
from widgets.plots.canvas import Canvas


def draw_next_steps(
    canvas: Canvas,
    y: int,
    snapshot: Snapshot,
    plan: Plan | None,
    keys: Mapping[str, str],
    palette: Palette,
) -> int:
    """As many lines as there are rows from `y` on; the next free row. None without a plan."""
    steps = find_next_steps(snapshot, plan) if plan is not None else ()
    for step in steps[: max(0, canvas.height - y)]:
        key = keys.get(step.action, "")
        line = format_next_step(step, keys)
        x = canvas.text(0, y, "→ ", palette.dim)
        if key:
            x = canvas.text(x, y, key, palette.key)
            line = line.removeprefix(key)
        canvas.text(x, y, line, palette.text)
        y += 1
    return y
