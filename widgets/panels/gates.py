"""The gates to the next stage: glyph, what is asked, what is there, and what it rests on."""

from __future__ import annotations

from canary.rollout.decision.gates import GATE_GLYPHS, GATE_WORDS, Gate
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import NO_DATA, format_limit, format_value, sanitize
from themes import Palette
from widgets.plots.canvas import CUT, Canvas
from widgets.plots.cells import CellWidget, drawn

_LABEL = 13
_WIDE_LABEL = 16
_VALUE = 10
_LIMIT = 9
_LEAST_EVIDENCE = 8
_IN_WORDS = ("verdict", "load_test")
"""Gates whose evidence says more than their number, which is only yes or no."""


class GatesPanel(CellWidget):
    """One row a gate. When rows are short, gates that are not met come first."""

    BORDER_TITLE = "gates"

    snapshot: drawn[Snapshot | None] = drawn(None)
    plan: drawn[Plan | None] = drawn(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The gates; words where nothing is asked."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        gates = snapshot.gates
        if not gates:
            canvas.text(0, 0, _nothing_asked(snapshot, self.plan), palette.dim)
            return
        rows = canvas.height
        if len(gates) > rows:
            gates = tuple(sorted(gates, key=lambda g: g.state == "met"))
        for y, gate in enumerate(gates[:rows]):
            if y == rows - 1 and len(gates) > rows and rows > 1:
                canvas.text(0, y, f"{CUT} {len(gates) - y} more gates", palette.dim)
                return
            _draw_gate(canvas, y, gate, palette)


def _nothing_asked(snapshot: Snapshot, plan: Plan | None) -> str:
    index = snapshot.stage.index
    if index is None:
        return "stage not known"
    if index == 0:
        return "entering stage 1 asks nothing"
    last = plan is not None and index >= len(plan.stages)
    return "last stage: nothing follows" if last else "no gates"


def _label_width(canvas: Canvas) -> int:
    return _WIDE_LABEL if canvas.width >= 44 else _LABEL


def _draw_gate(canvas: Canvas, y: int, gate: Gate, palette: Palette) -> None:
    style = palette.gate(gate.state)
    canvas.text(0, y, GATE_GLYPHS[gate.state], style)
    label = sanitize(gate.label, 40)
    evidence = sanitize(gate.evidence, 120)
    if gate.id in _IN_WORDS:
        x = canvas.text(2, y, label, palette.text) + 2
        text = evidence or GATE_WORDS[gate.state]
        canvas.text(
            max(x, 3 + _label_width(canvas)),
            y,
            text,
            palette.text if gate.state == "met" else style,
        )
        return
    value = format_value(gate.id, gate.observed)
    limit = f"{gate.comparison} {format_limit(gate.id, gate.limit)}"
    value_style = palette.text if gate.state == "met" else style
    if canvas.width < 2 + _LABEL + _VALUE + _LIMIT:
        canvas.runs(
            2, y, [(f"{label} ", palette.text), (value, value_style), (f" {limit}", palette.dim)]
        )
        return
    column = _label_width(canvas)
    canvas.text(2, y, label, palette.text, column)
    end = 2 + column + _VALUE
    canvas.right(y, value, value_style, end)
    x = canvas.text(end + 1, y, limit, palette.dim)
    start = max(x + 2, end + 1 + _LIMIT)
    if canvas.width - start >= _LEAST_EVIDENCE:
        canvas.text(start, y, evidence, palette.quiet)
