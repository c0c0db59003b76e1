"""The rows of the matrix below the metrics: traffic with the split, requests, what was refused."""

from __future__ import annotations

from canary.rollout.snapshot.snapshot import SideView
from canary.rollout.text import (
    NO_DATA,
    format_age,
    format_count,
    format_percent,
    format_ratio,
)
from widgets.panels.matrix_cells import per_second
from widgets.panels.matrix_layout import LABEL, VALUE, Scene
from widgets.panels.matrix_rows import NOT_ASKED, draw_label, draw_value
from widgets.plots.canvas import Canvas, Run, width_of


def draw_traffic(canvas: Canvas, y: int, scene: Scene, *, is_alone: bool) -> None:
    """Requests a second, and the share that is measured beside the one that is set.

    `is_alone`: there is no row for the requests below, so their number stands here.
    """
    snapshot, columns = scene.snapshot, scene.columns
    draw_label(canvas, y, "traffic", None, scene)
    windows = snapshot.canary.window, snapshot.legacy.window
    ours = NOT_ASKED if scene.is_off else per_second(windows[0])
    draw_value(canvas, y, ours, scene.canary, LABEL + VALUE, scene, is_off=scene.is_off)
    if columns.legacy[1]:
        draw_value(canvas, y, per_second(windows[1]), scene.legacy, sum(columns.legacy), scene)
    if not columns.gate[1]:
        return
    x = columns.bar[0] if columns.bar[1] else columns.percent[0]
    room = canvas.width - x if is_alone else sum(columns.gate) - x
    wordings = [_split_runs(scene, with_count=is_alone, with_word=word) for word in (True, False)]
    fitting = (runs for runs in wordings if width_of(runs) <= room)
    canvas.runs(x, y, next(fitting, wordings[-1]), room)


def _split_runs(scene: Scene, *, with_count: bool, with_word: bool) -> list[Run]:
    """ "10.3 % measured, 10 % set"; what was not measured is not said to fit."""
    snapshot, palette = scene.snapshot, scene.palette
    if scene.is_off:
        return [("all traffic is on Legacy", palette.text)]
    traffic = snapshot.traffic
    share = f", {format_percent(traffic.canary_percent)} set"
    if traffic.is_unserved:
        share += f", {format_percent(traffic.served_percent)} served"
    ours, theirs = snapshot.canary.window.requests, snapshot.legacy.window.requests
    is_judged = scene.canary in ("ok", "thin") and scene.legacy in ("ok", "thin")
    if not is_judged or ours is None or theirs is None or not ours + theirs:
        return [("? not measured", palette.no_data), (share, palette.dim)]
    of = f" of {format_count(ours + theirs)}" if with_count else ""
    measured = f"{format_ratio(ours / (ours + theirs))}{of}{' measured' if with_word else ''}"
    evidence = snapshot.evidence
    if evidence is not None and evidence.split.is_mismatch:
        return [(f"✗ mismatch: {measured}", palette.alarm), (share, palette.text)]
    return [(measured, palette.text), (share, palette.dim)]


def draw_requests(canvas: Canvas, y: int, scene: Scene) -> None:
    """How many requests are behind the values, and how old the newest of each side is."""
    snapshot, palette, columns = scene.snapshot, scene.palette, scene.columns
    canvas.text(2, y, "requests", palette.text, LABEL - 2)
    sides = ((snapshot.canary, scene.canary), (snapshot.legacy, scene.legacy))
    counts = [
        NO_DATA if v.window.requests is None else format_count(v.window.requests) for v, _ in sides
    ]
    ours = NOT_ASKED if scene.is_off else counts[0]
    draw_value(canvas, y, ours, scene.canary, LABEL + VALUE, scene, is_off=scene.is_off)
    if not columns.legacy[1]:
        return
    draw_value(canvas, y, counts[1], scene.legacy, sum(columns.legacy), scene)
    x = columns.bar[0] if columns.bar[1] else columns.percent[0]
    runs: list[Run] = []
    for name, (view, state) in zip(("canary", "legacy"), sides, strict=True):
        if name == "canary" and scene.is_off:
            continue
        style = palette.no_data if state in ("stale", "missing") else palette.dim
        runs.append((f"{', ' if runs else 'data '}{name} {_age(view, scene.now)}", style))
    if columns.gate[1]:
        canvas.runs(x, y, [*runs, (" old", palette.dim)])


def _age(view: SideView, now: float) -> str:
    newest = view.window.newest_at
    if newest is None:
        return format_age(view.data_age_s)
    return format_age(max(0.0, now - newest))


def find_notes(scene: Scene) -> list[list[Run]]:
    """What each side refused for want of an instance."""
    rows: list[list[Run]] = []
    for name, view in (("canary", scene.snapshot.canary), ("legacy", scene.snapshot.legacy)):
        if view.window.refused:
            count = format_count(view.window.refused)
            rows.append(
                [
                    ("◐ ", scene.palette.watch),
                    (f"{name}: {count} refused, no instance free", scene.palette.text),
                ]
            )
    return rows
