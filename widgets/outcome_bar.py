"""The change in flight, or the result that nobody has put away yet."""

from __future__ import annotations

from rich.style import Style

from canary.rollout import words
from canary.rollout.change import OutcomeState
from canary.rollout.snapshot import ChangeView, Snapshot
from themes import Palette
from widgets.canvas import Canvas, Run
from widgets.cells import CellWidget, drawn

_WORDS: dict[OutcomeState, str] = {
    "done": "✓ DONE",
    "failed": "✗ FAILED",
    "refused": "✗ REFUSED",
    "unknown": "? OUTCOME UNKNOWN",
    "not_begun": "– NOT BEGUN",
    "abandoned": "– ABANDONED",
}


class OutcomeBar(CellWidget):
    """One or two rows: what is being done and by whom, or how it ended, what is true, what to do.

    A change in flight comes before results; of several results the newest, and how many more.
    """

    DEFAULT_CSS = """
    OutcomeBar { height: 1; }
    """

    snapshot: drawn[Snapshot | None] = drawn(None)
    now: drawn[float] = drawn(0.0)
    acknowledge_key: drawn[str] = drawn("Enter")

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Blank when there is nothing to say."""
        snapshot = self.snapshot
        if snapshot is None:
            return
        flying = [c for c in snapshot.changes if c.outcome is None]
        if flying:
            canvas.runs(0, 0, self._flight(flying[0], snapshot, palette))
            return
        ended = [c for c in snapshot.changes if c.outcome is not None and not c.acknowledged]
        if ended:
            self._draw_result(canvas, ended[0], len(ended) - 1, palette)

    def _flight(self, change: ChangeView, snapshot: Snapshot, palette: Palette) -> list[Run]:
        """No spinner: seconds that count up say the same at a tenth of the bytes."""
        running_s = max(0.0, (self.now or snapshot.as_of) - change.asked_at)
        return [
            ("▸ IN FLIGHT ", palette.watch),
            (words.plain(change.title, 80), palette.strong),
            (f"  {words.plain(change.step, 60)}" if change.step else "", palette.text),
            (f"  {words.age(running_s)}", palette.dim),
            (f"  by {words.plain(change.author, 40)}", palette.dim),
        ]

    def _draw_result(self, canvas: Canvas, change: ChangeView, more: int, palette: Palette) -> None:
        outcome = change.outcome
        if outcome is None:
            return
        hint = f"  {self.acknowledge_key} puts it away" + (f" ({more} more)" if more else "")
        room = canvas.width - len(hint)
        if room < 40:
            hint, room = "", canvas.width
        runs: list[Run] = [
            (f"{_WORDS[outcome.state]} ", outcome_style(outcome.state, palette)),
            (words.plain(change.title, 80), palette.strong),
            (f"  {words.plain(outcome.message, 300)}", palette.text),
        ]
        remedy = words.plain(outcome.remedy, 300)
        if remedy and canvas.height >= 2:
            canvas.text(2, 1, remedy, palette.text)
        elif remedy:
            runs.append((f" {remedy}", palette.text))
        canvas.runs(0, 0, runs, room)
        if hint:
            canvas.right(0, hint, palette.dim)


def outcome_style(state: OutcomeState, palette: Palette) -> Style:
    """The severity of an outcome: what is unknown is "no data", not a failure and not a success."""
    return {
        "done": palette.ok,
        "failed": palette.roll_back,
        "refused": palette.watch,
        "unknown": palette.no_data,
        "not_begun": palette.watch,
        "abandoned": palette.watch,
    }[state]
