"""The rollout in a few lines, for a terminal of 40×10 or less."""

from __future__ import annotations

from canary.rollout.change.irreversible import format_irreversible
from canary.rollout.decision.gates import format_verdict
from canary.rollout.plan.plan import Plan
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
from widgets.bars.header import advice_runs, data_age_s
from widgets.plots.canvas import Canvas, Run, width_of
from widgets.plots.cells import CellWidget, bound


class CompactPanel(CellWidget):
    """Verdict, stage, share, freshness and Canary's numbers; the most important line first.

    What does not fit is cut with "…". `now` is the cloud's time.
    """

    snapshot: bound[Snapshot | None] = bound(None)
    now: bound[float] = bound(0.0)
    plan: bound[Plan | None] = bound(None)
    read_only: bound[bool] = bound(False)
    left_s: bound[float | None] = bound(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """One line of two ends a row."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, "? NO DATA  not looked yet", palette.no_data)
            return
        rows = self._rows(snapshot, palette)
        if canvas.height == 1 and (advice := advice_runs(snapshot, palette, is_short=True)):
            left, right = rows[0]
            rows = [([*left, (" ", palette.text), *advice], right)]
        for y, (left, right) in enumerate(rows[: canvas.height]):
            _two_ends(canvas, y, left, right)

    def _rows(self, snapshot: Snapshot, palette: Palette) -> list[tuple[list[Run], list[Run]]]:
        stage, window = snapshot.stage, snapshot.canary.window
        verdict = snapshot.decision.verdict
        share = format_percent(snapshot.traffic.canary_percent)
        where = "stage ?" if stage.index is None else f"stage {stage.index}"
        age_s = data_age_s(snapshot, self.now)
        old = (
            self.plan is not None and age_s is not None and age_s > self.plan.metrics.stale_after_s
        )
        age = "no data" if age_s is None else f"{format_age(age_s)} old{' stale' if old else ''}"
        judged = snapshot.canary.data in ("ok", "thin")
        number = palette.text if judged and not old else palette.stale
        soaked: list[Run] = [("soak ", palette.dim), (soak(snapshot, self.now), palette.text)]
        advice = advice_runs(snapshot, palette)
        success: list[Run] = [
            ("success ", palette.dim),
            (format_ratio(window.success_ratio), number),
        ]
        rows: list[tuple[list[Run], list[Run]]] = [
            (
                palette.marked(format_verdict(verdict), palette.verdict(verdict)),
                [(where, palette.dim), ("  ", palette.dim), (share, palette.strong)],
            ),
            (
                [
                    ("error ", palette.dim),
                    (format_ratio(window.error_ratio), number),
                    ("  p95 ", palette.dim),
                    (format_milliseconds(window.p95_ms), number),
                ],
                [(age, palette.no_data if age_s is None or old else palette.dim)],
            ),
            (self._mode(snapshot, palette), [(format_clock(self.now), palette.dim)]),
        ]
        # What is proven goes before the success ratio, and before Canary's other numbers.
        rows.insert(1 if advice else 2, (advice or success, soaked))
        return rows

    def _mode(self, snapshot: Snapshot, palette: Palette) -> list[Run]:
        readiness = snapshot.readiness
        if self.left_s is not None:
            return [(f" ✗ AUTO ROLLBACK in {self.left_s:.0f} s ", palette.roll_back)]
        if readiness is not None and readiness.state == "impossible":
            return [(" ✗ ROLLBACK NOT POSSIBLE ", palette.roll_back)]
        if snapshot.irreversible is not None:
            return [(f"! {format_irreversible(snapshot.irreversible)}", palette.watch)]
        runs: list[Run] = []
        if self.read_only or snapshot.missing_rights:
            runs.append(("READ-ONLY ", palette.strong))
        if snapshot.provider == "local":
            runs.append((f"LOCAL CLOUD ×{snapshot.speed:g}", palette.box))
        return runs or [(sanitize(snapshot.canary.service), palette.dim)]


def _two_ends(canvas: Canvas, y: int, left: list[Run], right: list[Run]) -> None:
    """`left` at the left edge and `right` at the right one; `left` wins where both do not fit."""
    room = canvas.width - width_of(left) - 1
    if room >= width_of(right):
        canvas.runs(canvas.width - width_of(right), y, right)
    elif room >= 4:
        canvas.runs(width_of(left) + 1, y, right, room)
    canvas.runs(0, y, left)
