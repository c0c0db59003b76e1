"""The one row that says it all: the state's word, its cause, what comes next, and who acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.style import Style
from textual.geometry import Size

from canary.paint.rows import NO_DATA, NOT_YET
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import (
    CHANGING,
    NEXT,
    RolloutState,
    format_actor,
    format_head,
)
from canary.rollout.text import sanitize
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from themes import Palette
from widgets.plots.canvas import CUT, Canvas, Run
from widgets.plots.cells import CellWidget, bound
from widgets.plots.wrapping import wrap_runs

_KEPT_BELOW: Final = 4
"""Rows that the longest state leaves to what stands below it."""
_ASKS: Final = frozenset({*CHANGING, "load_test", "verify"})


class StateRow(CellWidget):
    """`✗ ROLL BACK ALL   error ratio 8.30 % > 5 %, since 14:02:11Z   NEXT …   YOU: R y`.

    Full width, and as many rows as its words need: it wraps and is never cut. What must be acted on
    is reversed over the whole of it. `left_s` is the live countdown of automatic rollback.
    `last_seen` stands there until the first snapshot: parts of what an earlier console saw.
    """

    DEFAULT_CSS = """
    StateRow { height: auto; }
    """

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    procedure: bound[JobsView] = bound(NOTHING_RUN)
    left_s: bound[float | None] = bound(None)
    keys: bound[dict[str, str]] = bound({})
    read_only: bound[bool] = bound(False)
    last_seen: bound[tuple[str, ...]] = bound((NOT_YET,))

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._shown: tuple[object, ...] = ()
        self._state: RolloutState | None = None
        self._rows = 1
        """As many as were asked for at the last layout."""

    @property
    def state(self) -> RolloutState | None:
        """The state that is shown; None without a snapshot. Worked out once for each snapshot."""
        snapshot, plan = self.snapshot, self.plan
        if snapshot is None or plan is None:
            return None
        held = (snapshot, plan, self.procedure)
        if len(self._shown) != len(held) or any(
            a is not b for a, b in zip(held, self._shown, strict=True)
        ):
            self._shown = held
            self._state = find_state(snapshot, plan, find_failed(self.procedure))
        return self._state

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """As many rows as the words need at that width."""
        self._rows = self._needed(width)
        return self._rows

    def redraw(self) -> None:
        """Draw anew; where the words need more or fewer rows, lay the screen out anew too."""
        width = self.size.width
        if self.is_mounted and width and self._needed(width) != self._rows:
            self.refresh(layout=True)
        super().redraw()

    def _needed(self, width: int) -> int:
        rows = len(wrap_runs(self._parts(self.palette), width)) if width else 1
        return max(1, min(rows, max(3, self.app.size.height - _KEPT_BELOW)))

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Word, cause, next and actor, wrapped; reversed from edge to edge where one must act."""
        state = self.state
        if state is not None and state.tone == "act":
            for y in range(canvas.height):
                canvas.text(0, y, " " * canvas.width, palette.roll_back)
        rows = wrap_runs(self._parts(palette), canvas.width)
        for y, row in enumerate(rows[: canvas.height]):
            canvas.runs(0, y, row)
        if len(rows) > canvas.height:
            canvas.right(canvas.height - 1, f" {CUT}", rows[-1][-1][1])

    def _parts(self, palette: Palette) -> list[list[Run]]:
        state = self.state
        if state is None:
            return [[(part, palette.no_data)] for part in (NO_DATA, *self.last_seen)]
        return state_parts(state, palette, format_who(state, self, self.left_s))


def format_who(state: RolloutState, bound_to: StateRow, left_s: float | None) -> str:
    """Who acts, with the keys of the console."""
    snapshot = bound_to.snapshot
    barred = ""
    if bound_to.read_only:
        barred = "read-only"
    elif snapshot is not None and snapshot.missing_rights:
        barred = "no right to change"
    return format_actor(state.actor, key_hints(bound_to.keys), left_s, barred=barred)


def key_hints(keys: Mapping[str, str]) -> dict[str, str]:
    """Action → what to press: the key, and `y` where a question follows it; of an action without a
    key how it is found by its name.
    """
    hints = {a: f"{key} y" if a in _ASKS else _as_said(key) for a, key in keys.items()}
    return {"ab_test": f"{keys.get('palette', ':')} ab test", **hints}


def _as_said(key: str) -> str:
    """A key that has a name, with its capital: "Enter"."""
    return key.capitalize() if len(key) > 1 and key.isalpha() else key


def find_failed(jobs: JobsView) -> str:
    """What failed beside the changes and nobody has dismissed; "" for nothing."""
    verified, loaded = jobs.verification.waiting, jobs.load_test.waiting
    if verified is not None and verified.verdict == "not_passed":
        return f"verification not passed: {sanitize(verified.reason, 200).rstrip('.')}"
    if loaded is not None and loaded.status != "PASSED":
        return f"load test: {sanitize('; '.join(loaded.reasons), 200).rstrip('.')}"
    return ""


def state_parts(state: RolloutState, palette: Palette, who: str) -> list[list[Run]]:
    """Glyph and word, cause, next, actor: each part as runs in the style of its severity."""
    glyph, word, rest = _styles(state, palette)
    head: list[Run] = [(f"{state.glyph} ", glyph), (state.word, word)]
    parts = [head]
    if state.cause:
        parts.append([(state.cause, rest)])
    if state.next:
        parts.append([(f"{NEXT} ", palette.dim if rest is palette.text else rest)])
        parts[-1].append((state.next, rest))
    idle = palette.dim if state.actor.kind == "nobody" else palette.strong
    parts.append([(who, word if rest is not palette.text else idle)])
    return parts


def _styles(state: RolloutState, palette: Palette) -> tuple[Style, Style, Style]:
    """The styles of the glyph, of the word, and of the rest."""
    match state.tone:
        case "act":
            return palette.roll_back, palette.roll_back, palette.roll_back
        case "watch":
            return palette.watch, palette.watch, palette.text
        case "unknown":
            return palette.no_data, palette.no_data, palette.no_data
        case "good":
            return palette.ok, palette.strong, palette.text
        case _:
            return palette.strong, palette.strong, palette.text


def head_run(state: RolloutState, palette: Palette) -> Run:
    """Glyph and word in one run, as a badge where one must act."""
    style = _styles(state, palette)[0]
    text = format_head(state)
    return (f" {text} " if style.reverse else text), style
