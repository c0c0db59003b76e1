"""The replay's two rows: what says that the past is shown, and the whole recording in one line."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from typing import Final

from rich.style import Style

from canary.rollout.recording.playback import ReplayView, TimelineView
from canary.rollout.snapshot.state_words import TONES, Tone
from canary.rollout.text import format_age, format_clock, sanitize
from themes import Palette
from widgets.plots.canvas import Canvas, Run, cut_text
from widgets.plots.cells import CellWidget, bound

KEYS_HINT: Final = "space , . [ ] ← → - + J"
SEEN: Final = "as seen then"
SHORTEST: Final = 12
"""What this is a replay of says nothing in fewer cells."""
_SEVERITY: Final[dict[Tone, int]] = {"good": 0, "neutral": 1, "unknown": 2, "watch": 3, "act": 4}
GLYPHS: Final[dict[Tone, str]] = {
    "good": "─",
    "neutral": "·",
    "unknown": "░",
    "watch": "▒",
    "act": "█",
}
GAP: Final = "╱"
EVENT: Final = "┴"
MARK: Final = "▾"
HERE: Final = "┃"


class ReplayBar(CellWidget):
    """`▶ REPLAY 13:58:02Z ×60 · as seen then · nothing here changes anything`.

    What has become worse live comes first; at the right the age of the data and the keys, where
    there is room.
    """

    DEFAULT_CSS = """
    ReplayBar { height: 1; }
    """

    replay: bound[ReplayView | None] = bound(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """In a colour of its own; as many rows as the header has, whose place it takes."""
        view = self.replay
        if view is None:
            return
        for y in range(canvas.height):
            for x in range(canvas.width):
                canvas.put(x, y, " ", palette.replay)
        runs: list[Run] = []
        if view.live:
            runs += [(f" LIVE: {sanitize(view.live, 60)}: Esc ", palette.roll_back)]
            runs += [(" ", palette.replay)]
        glyph = "▶" if view.is_playing else "‖"
        stamp = datetime.fromtimestamp(view.at, UTC).strftime("%m-%d ")
        date = stamp if canvas.width >= 70 else ""
        runs.append((f"{glyph} REPLAY {date}{format_clock(view.at)} ×{view.speed}", palette.replay))
        end = canvas.runs(0, 0, runs)
        for said in self._words(view):
            if end + len(said) + 3 <= canvas.width:
                end = canvas.runs(end, 0, [(f" · {said}", palette.replay)])
        last = canvas.height - 1
        end = self._draw_what(canvas, palette, view, end)
        for text in self._right(view):
            if end + len(text) + 2 <= canvas.width:
                canvas.right(last, text, palette.replay)
                break

    def _words(self, view: ReplayView) -> list[str]:
        if view.gap_until is not None:
            nobody = f"nobody was recording until {format_clock(view.gap_until)}"
            return [nobody, "nothing here changes anything"]
        place = [view.place] if view.place else []
        return [*place, *([] if view.what else [SEEN]), "nothing here changes anything"]

    def _draw_what(self, canvas: Canvas, palette: Palette, view: ReplayView, end: int) -> int:
        """What this is a replay of, in the second row or behind the first, cut where it must be.

        `end` is the first row's; returned is that of the last row.
        """
        said = sanitize(view.what, 200) if view.gap_until is None else ""
        if not said:
            return 0 if canvas.height > 1 else end
        if canvas.height > 1:
            return canvas.runs(0, 1, [(cut_text(said, canvas.width), palette.replay)])
        room = canvas.width - end - 3
        if room < SHORTEST:
            return end
        return canvas.runs(end, 0, [(f" · {cut_text(said, room)}", palette.replay)])

    def _right(self, view: ReplayView) -> tuple[str, ...]:
        """What may stand at the right, the longest first."""
        age = "no data" if view.data_age_s is None else f"data {format_age(view.data_age_s)} old"
        out = "q leaves" if view.is_alone else "Esc live"
        return f"{age}   {KEYS_HINT}   {out}", f"{age}   {out}", out


class TimelineBar(CellWidget):
    """The whole recording: the worst state of each stretch, events and marks, and the place.

    Where nobody was recording it is hatched.
    """

    DEFAULT_CSS = """
    TimelineBar { height: 1; }
    """

    timeline: bound[TimelineView | None] = bound(None)
    replay: bound[ReplayView | None] = bound(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Begin to the left, end to the right, a cell for each stretch between."""
        line, view = self.timeline, self.replay
        if line is None or view is None:
            return
        begin, end = _label(line.begin), _label(line.end)
        first = canvas.text(0, 0, begin, palette.dim) + 1
        last = canvas.width - len(end) - 1
        if last - first < 8:
            first, last = 0, canvas.width
        else:
            canvas.right(0, end, palette.dim)
        width = last - first
        for index, (char, style) in enumerate(_cells(line, width, palette)):
            canvas.put(first + index, 0, char, style)
        place = _cell_of(line, view.at, width)
        canvas.put(first + place, 0, HERE, palette.replay)


def _label(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%m-%d %H:%MZ")


def _cell_of(line: TimelineView, at: float, width: int) -> int:
    length = max(line.end - line.begin, 1e-9)
    return min(width - 1, max(0, int((at - line.begin) / length * width)))


def _cells(line: TimelineView, width: int, palette: Palette) -> list[Run]:
    """Each stretch's worst state; a mark or an event is drawn over it in the state's colour."""
    length = max(line.end - line.begin, 1e-9) / width
    times = [m.at for m in line.moments]
    cells = []
    for index in range(width):
        since, until = line.begin + index * length, line.begin + (index + 1) * length
        first = max(0, bisect_right(times, since) - 1)
        states = [m.state for m in line.moments[first : max(first + 1, bisect_left(times, until))]]
        tone = _worst(states)
        style = _style(tone, palette)
        char = GLYPHS[tone]
        if any(g.since < until and since < g.until for g in line.gaps) and tone != "act":
            char, style = GAP, palette.quiet
        if tone in ("good", "neutral") and _any_within(line.events, since, until):
            char, style = EVENT, palette.text
        if _any_within(line.marks, since, until):
            char, style = MARK, palette.strong
        cells.append((char, style))
    return cells


def _any_within(times: tuple[float, ...], since: float, until: float) -> bool:
    return bisect_left(times, until) > bisect_left(times, since)


_TONES: Final = {str(state): tone for state, tone in TONES.items()}


def _worst(states: list[str]) -> Tone:
    tones = [_TONES.get(state, "unknown") for state in states]
    return max(tones, key=lambda tone: _SEVERITY[tone], default="unknown")


def _style(tone: Tone, palette: Palette) -> Style:
    return {
        "good": palette.dim,
        "neutral": palette.dim,
        "unknown": palette.no_data,
        "watch": palette.watch,
        "act": palette.alarm,
    }[tone]
