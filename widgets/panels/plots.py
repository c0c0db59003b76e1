"""The plots: errors, p95, success, score of both sides; what decided comes first and largest."""

from __future__ import annotations

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import NO_DATA, format_duration
from themes import Palette
from widgets.panels.matrix_cells import RowMetric
from widgets.panels.plots_heading import find_decisive, heading_parts, in_order
from widgets.panels.plots_layout import Tile, lay_out_plots
from widgets.plots.canvas import CUT, Canvas, Run, width_of
from widgets.plots.cells import CellWidget, bound
from widgets.plots.picture import PlotMaker, plotted_now
from widgets.plots.plot import draw_picture
from widgets.plots.series import Metric
from widgets.plots.values import NAMES, show_value, value_in

_PERCENTILES: tuple[Metric, ...] = ("p50_ms", "p95_ms", "p99_ms")
_ROOM_FOR_LATENCY, _ROOM_FOR_TWO = 6, 9
"""From these heights on the percentiles have a row below the plots, or two."""


class PlotsPanel(CellWidget):
    """As many plots as have room, on one time of `window_s` seconds up to now; below them the
    percentiles of the judged window.

    The frame says what the first plot is about, where there is a frame.
    """

    BORDER_TITLE = "plots"

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    window_s: bound[float] = bound(3600.0)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._maker = PlotMaker()
        self._decisive: RowMetric | None = None

    def validate_now(self, now: float) -> float:
        """Only the plots hang on it."""
        return plotted_now(now)

    def watch_snapshot(self) -> None:
        """Which plot is first follows from a snapshot and the one before it, not from drawing."""
        if self.snapshot is not None:
            self._decisive = find_decisive(self.snapshot, self.plan, self._decisive)
        self.watch_now()

    def watch_now(self) -> None:
        """Say in the frame what the first plot is about; the same again would repaint it."""
        self.say_in_frame(self._title())

    def _title(self) -> str:
        if self.snapshot is None:
            return "plots"
        return " ── ".join(heading_parts(self._first(), self.snapshot, self.plan, self._now()))

    def _first(self) -> RowMetric:
        if self._decisive is None and self.snapshot is not None:
            return find_decisive(self.snapshot, self.plan, None)
        return self._decisive or "error_ratio"

    def _now(self) -> float:
        return self.now or (self.snapshot.as_of if self.snapshot is not None else 0.0)

    def forget_scales(self) -> None:
        """Choose the plots' scales anew, and which comes first."""
        self._maker.scales.clear()
        self._decisive = None

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The plots, then the row of percentiles."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        is_framed = bool(self.styles.border_top[0])
        spare = canvas.height - (0 if is_framed else 1)
        rows = _latency_rows(snapshot, canvas.width, spare, palette)
        height = canvas.height - len(rows)
        tiles = lay_out_plots(canvas.width, height, is_framed=is_framed)
        for metric, tile in zip(in_order(self._first()), tiles, strict=False):
            self._draw_tile(canvas, tile, metric, snapshot, palette)
        for y, row in enumerate(rows, height):
            canvas.runs(0, y, row)

    def _draw_tile(
        self, canvas: Canvas, tile: Tile, metric: RowMetric, snapshot: Snapshot, palette: Palette
    ) -> None:
        box, now = tile.box, self._now()
        if tile.heading is not None:
            parts = heading_parts(metric, snapshot, self.plan, now)
            window = format_duration(self.window_s) if box.x == 0 and tile.heading == 0 else ""
            runs = _fitting(parts, box.width, window, palette)
            canvas.runs(box.x, tile.heading, runs, box.width)
        inner = box.inner()
        if inner.width < 1 or inner.height < 1:
            return
        picture = self._maker.picture(
            metric, snapshot, self.plan, now=now, window_s=self.window_s, columns=inner.width
        )
        draw_picture(canvas, box, picture, palette)


def _fitting(parts: tuple[str, ...], width: int, window: str, palette: Palette) -> list[Run]:
    """The heading with as many of its parts as fit, marked where it is not all of them.

    Before Canary's ratio goes, its name goes: the ratio can be of nothing else.
    """
    last = [("  last " + window, palette.dim)] if window else []
    bare = tuple(part.removeprefix("canary ") for part in parts)
    for shown in (*(parts[:n] for n in range(len(parts), 1, -1)), bare[:2], parts[:1]):
        runs: list[Run] = [(parts[0], palette.strong)]
        runs += [(f"  {part}", palette.text) for part in shown[1:]]
        runs += [(f" {CUT}", palette.dim)] if len(shown) < len(parts) else []
        for more in (last, []):
            if width_of([*runs, *more]) <= width:
                return [*runs, *more]
    return [(parts[0], palette.strong)]


def _latency_rows(snapshot: Snapshot, width: int, height: int, palette: Palette) -> list[list[Run]]:
    """p50, p95 and p99 of both sides: in one row, shorter if it must be, or in two; none in few.

    Of Legacy alone while all traffic is on it.
    """
    if height < _ROOM_FOR_LATENCY:
        return []
    gap: Run = ("  ", palette.dim)
    sides = [("canary", snapshot.canary), ("legacy", snapshot.legacy)]
    if snapshot.traffic.is_all_on_legacy:
        del sides[0]
    halves = [
        [_side_name(side, view, palette), *_percentiles(view, palette)] for side, view in sides
    ]
    name: Run = ("latency  ", palette.dim)
    whole = [name, *halves[0], *(run for half in halves[1:] for run in (gap, *half))]
    if width_of(whole) <= width:
        return [whole]
    if height >= _ROOM_FOR_TWO and len(halves) > 1:
        return [[name, *halves[0]], [(" " * len(name[0]), palette.dim), *halves[1]]]
    short: list[Run] = [("latency p50·p95·p99", palette.dim)]
    for side, view in sides:
        short += [gap, _side_name(side, view, palette), _in_short(view, palette)]
    return [short] if width_of(short) <= width else []


def _side_name(side: str, view: SideView, palette: Palette) -> Run:
    accent = palette.canary if side == "canary" else palette.legacy
    return (side, accent) if view.data == "ok" else (f"{side}?", palette.no_data)


def _percentiles(view: SideView, palette: Palette) -> list[Run]:
    runs: list[Run] = []
    for metric in _PERCENTILES:
        value = value_in(view.window, metric)
        style = palette.text if value is not None and view.data == "ok" else palette.no_data
        runs += [(f"  {NAMES[metric]} ", palette.dim), (show_value(metric, value), style)]
    return runs


def _in_short(view: SideView, palette: Palette) -> Run:
    """The three values as " 174·340·454 ms", with its unit each where they differ."""
    texts = [show_value(metric, value_in(view.window, metric)) for metric in _PERCENTILES]
    units = {text.rpartition(" ")[2] for text in texts}
    if len(units) == 1 and view.window.latency_count:
        texts = [*(text.rpartition(" ")[0] for text in texts[:-1]), texts[-1]]
    return " " + "·".join(texts), palette.text if view.data == "ok" else palette.no_data
