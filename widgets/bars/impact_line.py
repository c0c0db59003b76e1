"""One line that is there while Canary takes traffic: what it has cost, and what waiting costs."""

from __future__ import annotations

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.impact import Impact, find_impact, format_impact
from canary.rollout.snapshot.snapshot import Snapshot
from themes import Palette
from widgets.plots.canvas import Canvas, Run
from widgets.plots.cells import CellWidget, bound


class ImpactLine(CellWidget):
    """`since 13:58Z: 1 842 Canary requests, 55 failed, 46 more than Legacy would have · …`.

    In fewer words where there is less room; never cut amid a number.
    """

    DEFAULT_CSS = """
    ImpactLine { height: 1; }
    """

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Blank until there is a snapshot, and while all traffic is on Legacy."""
        if self.snapshot is None or self.plan is None:
            return
        impact = find_impact(self.snapshot, self.plan)
        if impact is not None:
            canvas.runs(0, 0, impact_runs(impact, palette, canvas.width))


def impact_runs(impact: Impact, palette: Palette, width: int) -> list[Run]:
    """The impact in at most `width` cells: what has happened, then, dimmer, what waiting costs."""
    said = format_impact(impact, width)
    if impact.unknown:
        return [(said, palette.no_data)]
    first, dot, rest = said.partition(" · ")
    return [
        (first, palette.text),
        (f"{dot}{rest}", palette.no_data if impact.is_old else palette.dim),
    ]
