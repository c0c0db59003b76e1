"""What the tree says: glyph, word and colour, and why."""

from __future__ import annotations

from canary.rollout.decision.gates import format_verdict
from canary.rollout.decision.tree import Verdict
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_value, sanitize
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from themes import Palette
from widgets.plots.canvas import Canvas, Run, width_of
from widgets.plots.cells import CellWidget, drawn


def verdict_run(verdict: Verdict, palette: Palette) -> Run:
    """Glyph and word of a verdict, as a badge in its style."""
    style = palette.verdict(verdict)
    text = format_verdict(verdict)
    return (f" {text} " if style.reverse else text), style


def gates_text(snapshot: Snapshot) -> str:
    """How many gates to the next stage are met; empty when nothing is asked."""
    if not snapshot.gates:
        return ""
    met = sum(1 for gate in snapshot.gates if gate.state == "met")
    return f"next: {met} of {len(snapshot.gates)} gates"


def _stage_limits(snapshot: Snapshot, palette: Palette) -> list[Run]:
    """The stage's own limits that are passed while the tree goes on: it does not ask for them."""
    if snapshot.decision.verdict != "continue":
        return []
    own = [alert for alert in snapshot.alerts if alert.scope == "stage"]
    return [
        (
            f"   ! stage limit {alert.id.removesuffix('_ratio').removesuffix('_ms')}"
            f" {format_value(alert.id, alert.observed)}",
            palette.watch,
        )
        for alert in own
    ]


class VerdictLine(CellWidget):
    """The verdict, what the evidence adds, the gates, then the reason, as far as there is room.

    At the right, where it fits, the monitoring loop that runs.
    """

    DEFAULT_CSS = """
    VerdictLine { height: 1; }
    """

    snapshot: drawn[Snapshot | None] = drawn(None)
    procedure: drawn[JobsView] = drawn(NOTHING_RUN)
    now: drawn[float] = drawn(0.0)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """One row; a second one, if there is one, holds the reason."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.runs(0, 0, [verdict_run("no_data", palette)])
            return
        runs = [verdict_run(snapshot.decision.verdict, palette)]
        if advice := advice_runs(snapshot, palette):
            runs += [("   ", palette.text), *advice]
        if gates := gates_text(snapshot):
            runs.append((f"   {gates}", palette.text))
        runs += _stage_limits(snapshot, palette)
        reason = sanitize(snapshot.decision.reason)
        if canvas.height >= 2:
            canvas.text(0, 1, reason, palette.dim)
        else:
            runs.append((f"   {reason}", palette.dim))
        end = canvas.runs(0, 0, runs)
        loop = self._loop(palette)
        if width_of(loop) and canvas.width - end >= width_of(loop) + 3:
            canvas.runs(canvas.width - width_of(loop), 0, loop)

    def _loop(self, palette: Palette) -> list[Run]:
        """The monitoring loop while it runs, in minutes: nothing here moves each second."""
        loop = self.procedure.monitoring
        if loop is None or not loop.running:
            return []
        left_s = None if loop.next_at is None else max(0.0, loop.next_at - self.now)
        due = "" if left_s is None else f", next in {max(1, round(left_s / 60))} m"
        style = palette.watch if loop.trouble else palette.ok
        glyph = "!" if loop.trouble else "●"
        return [(f"{glyph} ", style), (f"monitoring{due}", palette.dim)]


# What the evidence adds to the tree, in a few words beside the verdict: at every size.


def advice_runs(snapshot: Snapshot, palette: Palette, *, is_short: bool = False) -> list[Run]:
    """As "✗ 5xx proven worse", or short "✗ 5xx worse"; "◐ 5xx worse now" while only the quick test
    says so; empty while neither does, or the plan ignores it. It is said apart from the tree's
    own word, which stays as it is.
    """
    advice = snapshot.advice
    if advice is None:
        return []
    what = ", ".join(sanitize(name, 20) for name in advice.metrics)
    if advice.tier == "worse_now":
        return [("◐ ", palette.watch), (f"{what} worse now", palette.text)]
    return [
        ("✗ ", palette.critical_line),
        (f"{what} {'worse' if is_short else 'proven worse'}", palette.text),
    ]
