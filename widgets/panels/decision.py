"""The decision tree with the walked path lit, and the gates to the next stage."""

from __future__ import annotations

from msgspec.structs import replace
from rich.style import Style

from canary.rollout.decision.gates import Gate, gate_glyph, gate_word
from canary.rollout.decision.tree import Alert, Decision, Node, NodeOutcome
from canary.rollout.measure.burn import format_burn
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.runbook import MOST_STEPS
from canary.rollout.snapshot.next_steps import find_next_steps
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import (
    NO_DATA,
    format_clock,
    format_duration,
    format_limit,
    format_value,
    sanitize,
)
from themes import Palette
from widgets.bars.header import verdict_runs
from widgets.panels.next_steps import draw_next_steps
from widgets.plots.canvas import CUT, Canvas, Run
from widgets.plots.cells import CellWidget, bound

_NAMES = {
    "error_ratio": "error",
    "p95_ms": "p95",
    "success_ratio": "success",
    "confidence": "confidence",
}
_BELOW = ("success_ratio", "confidence")
_ANSWERS: dict[NodeOutcome, str] = {"yes": "yes", "no": "no", "no_data": "?", "not_reached": "–"}
_OFF = "  all traffic is on Legacy"
_QUESTION = 17
_VALUE = 7
_ANSWER = 5
_MARGIN = 9


class DecisionTree(CellWidget):
    """Top to bottom, first "yes" wins: `✓ error > 5 %  0.30 %  no  +4.70 pt`, then the verdict."""

    BORDER_TITLE = "decision"

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    keys: bound[dict[str, str]] = bound({})

    _now = 0.0

    def validate_now(self, now: float) -> float:
        """Only a watch counts on; without one the second is kept, and nothing is drawn for it."""
        self._now = now
        watch = self.snapshot.decision.watch if self.snapshot is not None else None
        return self.now if watch is None else now

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Nodes, verdict, reason, watch, what to do, alerts: as far down as there are rows."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.runs(0, 0, verdict_runs("no_data", palette))
            return
        decision = snapshot.decision
        y = 0
        is_off = snapshot.traffic.is_all_on_legacy and decision.verdict == "no_data"
        for node in self._shown(snapshot, canvas.height):
            if y >= canvas.height - 1:
                break
            # Nothing is asked of a Canary that is meant to have no traffic, so nothing is missing.
            asked = replace(node, outcome="not_reached") if is_off else node
            _draw_node(canvas, y, asked, palette)
            y += 1
        if is_off:
            canvas.runs(0, y, [("╰▸ – OFF", palette.text), (_OFF, palette.dim)])
            draw_next_steps(canvas, y + 1, snapshot, self.plan, self.keys, palette)
            return
        advised = snapshot.advice is not None
        y = self._draw_verdict(canvas, y, decision, palette, below=int(advised))
        y = _draw_advice(canvas, y, snapshot, palette)
        y = self._draw_watch(canvas, y, decision, snapshot, palette)
        y = _draw_burn(canvas, y, snapshot, palette)
        below = y + len(snapshot.alerts)
        if below + MOST_STEPS <= canvas.height:
            _draw_alerts(canvas, y, snapshot.alerts, palette)
            draw_next_steps(canvas, below, snapshot, self.plan, self.keys, palette)
            return
        # What to press goes before what is passed: the first row of the screen says that, too.
        y = draw_next_steps(canvas, y, snapshot, self.plan, self.keys, palette)
        _draw_alerts(canvas, y, snapshot.alerts, palette)

    def _shown(self, snapshot: Snapshot, height: int) -> tuple[Node, ...]:
        """The path; without the nodes that were not reached where what to do needs their rows."""
        path = snapshot.decision.path
        steps = find_next_steps(snapshot, self.plan) if self.plan is not None else ()
        if len(path) + 2 + len(steps) <= height:
            return path
        return tuple(node for node in path if node.outcome != "not_reached")

    def _draw_verdict(
        self, canvas: Canvas, y: int, decision: Decision, palette: Palette, *, below: int
    ) -> int:
        """Verdict and reason, in one row where the second is needed for the `below` next rows."""
        style = palette.verdict(decision.verdict)
        arrow = palette.quiet if style is palette.ok else Style(color=style.color)
        runs: list[Run] = [("╰▸ ", arrow), *verdict_runs(decision.verdict, palette, decision.data)]
        reason = sanitize(decision.reason)
        if canvas.height - y >= 2 + below:
            canvas.runs(0, y, runs)
            canvas.text(3, y + 1, reason, palette.dim)
            return y + 2
        canvas.runs(0, y, [*runs, (f"  {reason}", palette.dim)])
        return y + 1

    def _draw_watch(
        self, canvas: Canvas, y: int, decision: Decision, snapshot: Snapshot, palette: Palette
    ) -> int:
        """How far the watch has come, while there is one."""
        watch = decision.watch
        if watch is None or watch.since is None or y >= canvas.height:
            return y
        length_s = (self.plan.alerts.watch_minutes if self.plan else 60.0) * 60
        elapsed_s = max(0.0, (self._now or snapshot.as_of) - watch.since)
        style = palette.alarm if watch.overdue else palette.watch
        text = f" {format_duration(elapsed_s)} / {format_duration(length_s)}"
        width = min(16, canvas.width - 6 - len(text))
        x = canvas.text(0, y, "watch ", palette.dim)
        if width >= 3:
            canvas.bar(x, y, width, elapsed_s / max(1.0, length_s), style, palette.masked)
            x += width
        canvas.text(x, y, text, palette.text)
        return y + 1


def _draw_advice(canvas: Canvas, y: int, snapshot: Snapshot, palette: Palette) -> int:
    """What the evidence adds, apart from the thresholds: it is beside the tree, not in it."""
    advice = snapshot.advice
    if advice is None or y >= canvas.height:
        return y
    is_proven = advice.tier == "proven"
    style, words_style = palette.alarm if is_proven else palette.watch, palette.text
    what = ", ".join(sanitize(name, 20) for name in advice.metrics)
    glyph, how = ("✗ ", "proven worse") if is_proven else ("◐ ", "worse now")
    said = f"{what} {how} {format_clock(advice.detected_at)}"
    runs: list[Run] = [("┄ evidence ", palette.dim), (glyph, style), (said, words_style)]
    if canvas.height - y < 2:
        canvas.runs(0, y, runs)
        return y + 1
    canvas.runs(0, y, runs)
    acts = advice.action == "rollback"
    led = "advises: watch closely" if not is_proven else "advises: roll back all"
    led = "automatic rollback may act on it" if acts else led
    canvas.text(2, y + 1, led, style)
    return y + 2


def _draw_burn(canvas: Canvas, y: int, snapshot: Snapshot, palette: Palette) -> int:
    """The pair of windows that burns the error budget; no row while none does."""
    burn = snapshot.burn
    worst = burn.worst if burn is not None else None
    if burn is None or worst is None or y >= canvas.height:
        return y
    style = palette.alarm if worst.urgency == "page" else palette.watch
    canvas.runs(0, y, [("◐ SLO ", style), (format_burn(burn, worst), palette.text)])
    return y + 1


def question_of(node: Node) -> str:
    """A node as a short question with its limit: "error > 5 %"; "warning?" for the watch."""
    name = _NAMES.get(node.id)
    if name is None or node.limit is None:
        return "warning?" if node.id == "watch" else sanitize(node.question, 30)
    sign = "<" if node.id in _BELOW else ">"
    return f"{name} {sign} {format_limit(node.id, node.limit)}"


def margin_of(node: Node) -> str:
    """How far from the limit, with its unit (`pt`: points of a hundred); plus is the safe side.

    Empty: there is none.
    """
    if node.margin is None or node.limit is None or node.outcome == "not_reached":
        return ""
    if node.id == "watch":
        return ""
    size, unit = abs(node.margin), ""
    if node.id.endswith("_ratio"):
        size, unit = size * 100, " pt"
    elif node.id.endswith("_ms"):
        size, unit = (size / 1000, " s") if node.limit >= 1000 else (size, " ms")
    shown = f"{size:.2f}" if size < 9.995 else f"{size:.1f}"
    return f"{'−' if node.margin < 0 else '+'}{shown}{unit}"


def observed_of(node: Node) -> str:
    """The node's value; for the watch what is being watched."""
    if node.outcome == "not_reached":
        return ""
    if node.id == "watch":
        if node.outcome == "no_data":
            return NO_DATA
        return "none" if node.observed is None else format_duration(node.observed)
    return format_value(node.id, node.observed)


def _draw_node(canvas: Canvas, y: int, node: Node, palette: Palette) -> None:
    """One row. What does not fit goes from the right: margin, then answer, then the question."""
    reached = node.outcome != "not_reached"
    lit = palette.text if reached else palette.quiet
    glyph, style = _glyph_of(node, palette)
    canvas.text(0, y, glyph, style)
    end = canvas.width
    if end >= _QUESTION + _VALUE + _ANSWER + _MARGIN:
        canvas.right(y, margin_of(node), palette.dim)
        end -= _MARGIN
    if end >= _QUESTION + _VALUE + _ANSWER:
        # Green is for the glyph alone.
        said = palette.text if style is palette.ok else style
        canvas.text(end - _ANSWER + 2, y, _ANSWERS[node.outcome], said, _ANSWER - 2)
        end -= _ANSWER
    observed = observed_of(node)
    value_style = palette.no_data if node.outcome == "no_data" else lit
    x = canvas.right(y, observed, value_style, end) if observed else end
    canvas.text(2, y, question_of(node), lit, x - 3)


def _glyph_of(node: Node, palette: Palette) -> tuple[str, Style]:
    """The light of the path: ✓ passed by, ✗ or ◐ where it turned off, ? blind, – not asked."""
    if node.outcome == "yes":
        return ("◐", palette.watch) if node.id == "watch" else ("✗", palette.alarm)
    if node.outcome == "no_data":
        return "?", palette.no_data
    if node.outcome == "no":
        return "✓", palette.ok
    return "–", palette.quiet


def _draw_alerts(canvas: Canvas, y: int, alerts: tuple[Alert, ...], palette: Palette) -> None:
    """One row an alert; the rest is counted when the rows end."""
    room = canvas.height - y
    for index, alert in enumerate(alerts[:room] if room > 0 else ()):
        if index == room - 1 and len(alerts) > room:
            canvas.text(0, y, f"{CUT} {len(alerts) - index} more limits passed", palette.watch)
            return
        style = palette.alarm if alert.scope == "critical" else palette.watch
        sign = "<" if alert.id in _BELOW else ">"
        name = _NAMES.get(alert.id, sanitize(alert.id, 20))
        value, limit = (
            format_value(alert.id, alert.observed),
            format_limit(alert.id, alert.limit),
        )
        scope = {"critical": "critical", "stage": "stage limit", "warning": "warning"}[alert.scope]
        glyph = "✗" if alert.scope == "critical" else "◐"
        canvas.runs(
            0, y, [(f"{glyph} {scope} ", style), (f"{name} {value} {sign} {limit}", palette.text)]
        )
        y += 1


_LABEL = 13
_WIDE_LABEL = 16
_GATE_VALUE = 10
_LIMIT = 9
_LEAST_EVIDENCE = 8
_IN_WORDS = ("verdict", "load_test", "regression")
"""Gates whose evidence says more than their number, which is only yes or no."""


class GatesPanel(CellWidget):
    """One row a gate. When rows are short, gates that are not met come first."""

    BORDER_TITLE = "gates"

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)

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
        return "no gates for stage 1"
    last = plan is not None and index >= len(plan.stages)
    return "last stage: nothing follows" if last else "no gates"


def _label_width(canvas: Canvas) -> int:
    return _WIDE_LABEL if canvas.width >= 44 else _LABEL


def _draw_gate(canvas: Canvas, y: int, gate: Gate, palette: Palette) -> None:
    style = palette.gate(gate.state, waits=gate.waits)
    canvas.text(0, y, gate_glyph(gate), style)
    label = sanitize(gate.label, 40)
    evidence = sanitize(gate.evidence, 120)
    if gate.id in _IN_WORDS:
        x = canvas.text(2, y, label, palette.text) + 2
        text = evidence or gate_word(gate)
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
    if canvas.width < 2 + _LABEL + _GATE_VALUE + _LIMIT:
        canvas.runs(
            2, y, [(f"{label} ", palette.text), (value, value_style), (f" {limit}", palette.dim)]
        )
        return
    column = _label_width(canvas)
    canvas.text(2, y, label, palette.text, column)
    end = 2 + column + _GATE_VALUE
    canvas.right(y, value, value_style, end)
    x = canvas.text(end + 1, y, limit, palette.dim)
    start = max(x + 2, end + 1 + _LIMIT)
    if canvas.width - start >= _LEAST_EVIDENCE:
        canvas.text(start, y, evidence, palette.quiet)
