"""The rollout in a few lines, for a terminal of 40×10 or less."""

from __future__ import annotations

from rich.cells import cell_len

from canary.rollout.change.irreversible import format_irreversible
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.impact import find_impact
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import (
    format_age,
    format_clock,
    format_milliseconds,
    format_percent,
    format_ratio,
    sanitize,
)
from themes import Palette
from tui.pages.summary import soak
from widgets.bars.header import data_age_s
from widgets.bars.impact_line import impact_runs
from widgets.plots.canvas import Canvas, Run, cut_middle, width_of
from widgets.plots.cells import CellWidget, bound


class CompactPanel(CellWidget):
    """Stage, share, freshness and Canary's numbers, below the state; the most important first.

    What does not fit is cut with "…". `now` is the cloud's time.
    """

    snapshot: bound[Snapshot | None] = bound(None)
    now: bound[float] = bound(0.0)
    plan: bound[Plan | None] = bound(None)
    read_only: bound[bool] = bound(False)
    left_s: bound[float | None] = bound(None)
    last_place: bound[str] = bound("stage ?  no data")

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """One line of two ends a row."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, self.last_place, palette.no_data)
            return
        rows = self._rows(snapshot, palette, canvas.width)
        for y, (left, right) in enumerate(rows[: canvas.height]):
            _two_ends(canvas, y, left, right)

    def _rows(
        self, snapshot: Snapshot, palette: Palette, width: int
    ) -> list[tuple[list[Run], list[Run]]]:
        stage, window = snapshot.stage, snapshot.canary.window
        where = "stage ?" if stage.index is None else f"stage {stage.index}"
        age_s = data_age_s(snapshot, self.now)
        old = (
            self.plan is not None and age_s is not None and age_s > self.plan.metrics.stale_after_s
        )
        age = "no data" if age_s is None else f"{format_age(age_s)} old{' stale' if old else ''}"
        judged = snapshot.canary.data in ("ok", "thin")
        number = palette.text if judged and not old else palette.stale
        return [
            (
                [
                    (f"{where}  ", palette.dim),
                    (format_percent(snapshot.traffic.canary_percent), palette.strong),
                ],
                [(age, palette.no_data if age_s is None or old else palette.dim)],
            ),
            (
                [
                    ("error ", palette.dim),
                    (format_ratio(window.error_ratio), number),
                    ("  p95 ", palette.dim),
                    (format_milliseconds(window.p95_ms), number),
                ],
                self._mode(snapshot, palette),
            ),
            *self._mark(snapshot, palette),
            self._where(snapshot, palette, width),
            *self._impact(snapshot, palette, width),
            (
                [("soak ", palette.dim), (soak(snapshot, self.now), palette.text)],
                [(format_clock(self.now), palette.dim)],
            ),
            (
                [("success ", palette.dim), (format_ratio(window.success_ratio), number)],
                [],
            ),
        ]

    @staticmethod
    def _where(snapshot: Snapshot, palette: Palette, width: int) -> tuple[list[Run], list[Run]]:
        """Which service, in which project and region: of long names the middle goes."""
        service = sanitize(snapshot.canary.service, 63)
        place = f"{sanitize(snapshot.project, 40)}/{sanitize(snapshot.region, 40)}"
        least = (width - 1) // 2
        room = max(least, width - 1 - cell_len(place))
        service = cut_middle(service, room)
        place = cut_middle(place, width - 1 - cell_len(service))
        return [(service, palette.dim)], [(place, palette.dim)]

    def _impact(
        self, snapshot: Snapshot, palette: Palette, width: int
    ) -> list[tuple[list[Run], list[Run]]]:
        """What Canary's traffic costs, in few words; nothing while it takes none."""
        impact = None if self.plan is None else find_impact(snapshot, self.plan)
        return [] if impact is None else [(impact_runs(impact, palette, width), [])]

    @staticmethod
    def _mark(snapshot: Snapshot, palette: Palette) -> list[tuple[list[Run], list[Run]]]:
        """A step that no rollback undoes, where one is marked."""
        if snapshot.irreversible is None:
            return []
        return [([(f"! {format_irreversible(snapshot.irreversible)}", palette.watch)], [])]

    def _mode(self, snapshot: Snapshot, palette: Palette) -> list[Run]:
        runs: list[Run] = []
        if self.read_only or snapshot.missing_rights:
            runs.append(("READ-ONLY ", palette.strong))
        if snapshot.provider == "local":
            is_drill = self.plan is not None and self.plan.local.drill
            words = "DRILL LOCAL" if is_drill else "LOCAL CLOUD"
            runs.append((f"{words} ×{snapshot.speed:g}", palette.box))
        return runs


def _two_ends(canvas: Canvas, y: int, left: list[Run], right: list[Run]) -> None:
    """`left` at the left edge and `right` at the right one; `left` wins where both do not fit."""
    room = canvas.width - width_of(left) - 1
    if room >= width_of(right):
        canvas.runs(canvas.width - width_of(right), y, right)
    elif room >= 4:
        canvas.runs(width_of(left) + 1, y, right, room)
    canvas.runs(0, y, left)
