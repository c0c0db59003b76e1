"""The rows of the matrix that have a limit or a gate, and the heading above them."""

from __future__ import annotations

from typing import Final

from rich.style import Style

from canary.rollout.decision.gates import GATE_GLYPHS, gate_glyph
from canary.rollout.decision.tree import DataState
from canary.rollout.text import NO_DATA, format_duration, format_limit, format_value
from themes import Palette
from themes.palette import Side
from widgets.panels.matrix_cells import (
    DATA_MARKS,
    LimitShare,
    RowMetric,
    compared,
    pair,
    percent_of_limit,
)
from widgets.panels.matrix_layout import LABEL, VALUE, WIDE_GATE, Scene
from widgets.plots.canvas import CUT, Canvas, Run, cut_text

NOT_ASKED: Final = "–"
HATCH: Final = "╱"
TICK: Final = "┃"


def draw_heading(canvas: Canvas, scene: Scene, window_s: float) -> None:
    """The columns' names, each window once; `window_s` is the sparks'."""
    palette, columns, plan = scene.palette, scene.columns, scene.plan
    canvas.text(0, 0, f"in {format_duration(scene.snapshot.window_s)}", palette.dim, LABEL - 1)
    names: tuple[tuple[Side, DataState, int], ...] = (
        ("canary", scene.canary, LABEL + VALUE),
        ("legacy", scene.legacy, sum(columns.legacy) if columns.legacy[1] else 0),
    )
    for side, state, end in names:
        doubtful = state != "ok" and not (side == "canary" and scene.is_off)
        canvas.right(0, f"{side}{'?' if doubtful else ''}", palette.side(side), end)
    if columns.ratio[1]:
        canvas.right(0, "ratio", palette.dim, sum(columns.ratio))
    if columns.bar[1]:
        canvas.text(columns.bar[0], 0, "of alarm limit", palette.dim)
    elif columns.percent[1]:
        canvas.right(0, "of limit", palette.dim, sum(columns.percent))
    if columns.gate[1]:
        over = "" if plan is None else format_duration(plan.metrics.criteria_window_minutes * 60)
        canvas.text(columns.gate[0], 0, f"gate {over}", palette.dim, columns.gate[1])
    length = format_duration(window_s)
    wanted = (f"last {length}", length)
    heading = next((h for h in wanted if len(h) <= columns.spark[1]), "")
    canvas.text(columns.spark[0], 0, heading, palette.dim)
    if columns.is_cut:
        canvas.put(canvas.width - 1, 0, CUT, palette.dim)


def draw_label(canvas: Canvas, y: int, name: str, found: LimitShare | None, scene: Scene) -> None:
    """The name, before it a glyph where a limit is passed or Canary's data is not to be judged."""
    glyph, style = " ", scene.palette.text
    if scene.is_off:
        pass
    elif scene.canary != "ok":
        glyph, style = DATA_MARKS[scene.canary][0], scene.palette.no_data
    elif found is not None and found.passed:
        glyph, style = ("✗", "◐")[found.passed == "warning"], _passed_style(found, scene.palette)
    canvas.put(0, y, glyph, style)
    canvas.text(2, y, name, scene.palette.text, LABEL - 3)


def _passed_style(found: LimitShare, palette: Palette) -> Style:
    if found.passed == "critical":
        return palette.alarm
    return palette.watch if found.passed else palette.text


def draw_values(canvas: Canvas, y: int, metric: RowMetric, scene: Scene) -> None:
    """Both values and how they compare; Canary's is a dash while it is meant to have no traffic."""
    snapshot, palette, columns = scene.snapshot, scene.palette, scene.columns
    ours, theirs = pair(metric, snapshot.canary.window, snapshot.legacy.window)
    if scene.is_off:
        ours = NOT_ASKED
    draw_value(canvas, y, ours, scene.canary, LABEL + VALUE, scene, is_off=scene.is_off)
    if columns.legacy[1]:
        draw_value(canvas, y, theirs, scene.legacy, sum(columns.legacy), scene)
    if columns.ratio[1] and not scene.is_off:
        both_ok = scene.canary == scene.legacy == "ok"
        said = compared(metric, snapshot.canary.window, snapshot.legacy.window) if both_ok else "?"
        canvas.right(y, said, palette.text if both_ok else palette.no_data, sum(columns.ratio))


def draw_value(
    canvas: Canvas,
    y: int,
    text: str,
    state: DataState,
    end: int,
    scene: Scene,
    *,
    is_off: bool = False,
) -> None:
    """One side's value up to column `end`, in "no data" style where it may not be judged."""
    palette = scene.palette
    style = palette.text if state == "ok" and text != NO_DATA else palette.no_data
    canvas.right(y, cut_text(text, VALUE), palette.dim if is_off else style, end)


def draw_share(
    canvas: Canvas, y: int, metric: RowMetric, found: LimitShare | None, scene: Scene
) -> None:
    """The bar up to the limit's tick, and the percent or the word beside it."""
    palette, (x, width), (start, room) = scene.palette, scene.columns.bar, scene.columns.percent
    plan, end = scene.plan, sum(scene.columns.percent)
    if not room or plan is None:
        return
    if getattr(plan.alerts.critical, metric) is None:
        return
    if scene.is_off:
        canvas.right(y, NOT_ASKED, palette.dim, end)
        return
    if found is None:
        glyph, word = DATA_MARKS.get(scene.canary, ("?", "too few"))
        if scene.canary == "ok" and getattr(scene.snapshot.canary.window, metric) is None:
            word = NO_DATA
        if width:
            canvas.text(x, y, HATCH * (width - 1) + TICK, palette.stale)
        canvas.right(y, cut_text(f"{glyph} {word}", room), palette.no_data, end)
        return
    style = _passed_style(found, palette)
    if width:
        canvas.bar(x, y, width - 1, found.share, style, palette.masked)
        canvas.put(x + width - 1, y, TICK, style if found.passed == "critical" else palette.marker)
    canvas.text(start, y, f"{percent_of_limit(found):>6}", style, room)


def draw_gate(canvas: Canvas, y: int, metric: RowMetric, scene: Scene) -> None:
    """Glyph and limit; what the gate sees over its own window where there is room."""
    palette, (x, width) = scene.palette, scene.columns.gate
    if not width:
        return
    gate = scene.gate(metric)
    if gate is None:
        canvas.text(x, y, NOT_ASKED, palette.dim)
        return
    limit = f"{gate.comparison}{format_limit(metric, gate.limit)}"
    # A snapshot's gates do not age; what they rest on does.
    is_old = gate.state == "met" and scene.canary in ("stale", "missing")
    state_style = palette.gate("no_data" if is_old else gate.state, waits=gate.waits)
    runs: list[Run] = [(f"{GATE_GLYPHS['no_data'] if is_old else gate_glyph(gate)} ", state_style)]
    if width >= WIDE_GATE:
        seen = format_value(metric, gate.observed)
        style = palette.text if gate.state == "met" and not is_old else state_style
        runs.append((f"{cut_text(seen, 7):>7} ", style))
    runs.append((limit, palette.dim))
    canvas.runs(x, y, runs, width)
