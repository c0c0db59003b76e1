"""The event log: newest first, filtered, scrolled. Draws only the rows that are seen."""

from __future__ import annotations

from rich.style import Style

from canary.rollout.decision.gates import VERDICT_GLYPHS
from canary.rollout.snapshot.snapshot import Event, Snapshot
from canary.rollout.text import (
    format_clock,
    format_count,
    format_timestamp,
    is_of_another_day,
    sanitize,
)
from themes import Palette
from widgets.plots.canvas import Canvas, Run
from widgets.plots.cells import CellWidget, bound

OWN_GLYPHS = frozenset({*VERDICT_GLYPHS.values()})
"""Those that a text may begin with: of a verdict, of a verification."""
GLYPHS = {"info": "·", "good": "✓", "warning": "◐", "critical": "✗"}


class EventLog(CellWidget):
    """Events of the snapshot that contain `filter_text` (any case) in text or author.

    `top` is the first event shown, 0 the newest; scrolled away from the newest, it stays with the
    event that was on top while new ones arrive. The last row counts what lies below.
    """

    BORDER_TITLE = "events"
    snapshot: bound[Snapshot | None] = bound(None)
    filter_text: bound[str] = bound("")
    top: bound[int] = bound(0)

    def watch_snapshot(self, before: Snapshot | None, after: Snapshot | None) -> None:
        """Stay with the event on top while newer ones arrive above it."""
        if self.top == 0 or before is None or after is None:
            return
        old = filter_events(before.events, self.filter_text)
        new = filter_events(after.events, self.filter_text)
        if self.top < len(old) and old[self.top] in new:
            self.top = new.index(old[self.top])

    def watch_filter_text(self) -> None:
        """Another filter starts at the newest."""
        self.top = 0

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """One row an event; words when there is none."""
        events = self.shown_events()
        if not events:
            nothing = f"no event contains “{sanitize(self.filter_text, 40)}”"
            canvas.text(0, 0, nothing if self.filter_text else "no events yet", palette.dim)
            return
        rows = canvas.height
        top = min(self.top, max(0, len(events) - rows))
        below = len(events) - top - rows
        marked = rows >= 3 and (below > 0 or top > 0 or bool(self.filter_text))
        as_of = self.snapshot.as_of if self.snapshot else 0.0
        for y, event in enumerate(events[top : top + rows - marked]):
            canvas.runs(0, y, event_runs(event, as_of, palette))
        if marked:
            canvas.text(0, rows - 1, self._position(top, below + 1, len(events)), palette.dim)

    def shown_events(self) -> tuple[Event, ...]:
        """All events that pass the filter, newest first."""
        return filter_events(self.snapshot.events, self.filter_text) if self.snapshot else ()

    def _position(self, top: int, below: int, count: int) -> str:
        parts = []
        if top > 0:
            parts.append(f"↑ {format_count(top)} newer")
        if below > 0:
            parts.append(f"↓ {format_count(below)} older")
        if self.filter_text:
            parts.append(f"{format_count(count)} with “{sanitize(self.filter_text, 40)}”")
        return "   ".join(parts)

    def move(self, rows: int) -> None:
        """Scroll by rows; down is towards the older."""
        last = max(0, len(self.shown_events()) - max(1, self.size.height - 1))
        self.top = min(last, max(0, self.top + rows))


def filter_events(events: tuple[Event, ...], text: str) -> tuple[Event, ...]:
    """The events whose text or author contains `text`, in any case."""
    wanted = text.strip().casefold()
    if not wanted:
        return events
    return tuple(e for e in events if wanted in f"{e.by} {e.text}".casefold())


def event_mark(event: Event) -> tuple[str, str]:
    """The glyph of an event and its text. A text that brings its own glyph ("✗ ROLL BACK: …") keeps
    it as that of the line, so that there are not two.
    """
    text = sanitize(event.text, 400)
    own, _, rest = text.partition(" ")
    if own in OWN_GLYPHS and rest:
        return own, rest
    return GLYPHS[event.severity], text


def mark_style(event: Event, palette: Palette) -> Style:
    """The style of an event's glyph; what is unknown looks the same here as everywhere."""
    return palette.no_data if event_mark(event)[0] == "?" else palette.event(event.severity)


def event_runs(event: Event, as_of: float, palette: Palette) -> list[Run]:
    """Glyph, time, author, text. The date instead of the seconds where it is of another day."""
    glyph, text = event_mark(event)
    old = is_of_another_day(event.at, as_of)
    at = format_timestamp(event.at)[5:16] if old else format_clock(event.at)
    runs: list[Run] = [
        (f"{glyph} ", mark_style(event, palette)),
        (f"{at:<11} ", palette.dim),
    ]
    if event.by:
        runs.append((f"{sanitize(event.by, 32)} ", palette.dim))
    is_plain = event.severity in ("info", "good") and glyph != "?"
    style = palette.text if is_plain else mark_style(event, palette)
    runs.append((text, palette.text if style.reverse else style))
    return runs
