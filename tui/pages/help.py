"""All keys on one screen, from the same table that they are bound by."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from themes import Palette, palette_of
from tui.keys import ACTIONS, ASKING, STAGE_DOC, Group, Keymap

if TYPE_CHECKING:
    from textual.binding import BindingType

HEADINGS: tuple[tuple[Group, str], ...] = (
    ("change", "Change the rollout"),
    ("safety", "Rollback readiness, and what is not finished"),
    ("procedure", "The procedure"),
    ("look", "Look"),
    ("session", "The console"),
)
_ANSWERS = (
    ("y", "Do what the strip shows. Keys typed before it was drawn do not count."),
    ("n, Esc", "Leave the strip; nothing is done."),
    ("a name", "Giving Canary everything asks for the service's name, then Enter."),
)


class HelpScreen(Screen[None]):
    """The keys, what they do, and why some can do nothing now. Keys that do not scroll leave."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, keymap: Keymap, why_not: Callable[[str], str | None]) -> None:
        super().__init__(id="help")
        self.keymap = keymap
        self.why_not = why_not

    def compose(self) -> ComposeResult:
        """One scrolling column."""
        with VerticalScroll(id="help-body"):
            yield Static(self.text(palette_of(self.app.theme)), id="help-text")
        yield Static("↑ ↓ scroll   any other key leaves", id="help-foot")

    def text(self, palette: Palette) -> Text:
        """The whole page."""
        page = Text(no_wrap=False)
        for group, heading in HEADINGS:
            page.append(f"{heading}\n", palette.strong)
            for action in ACTIONS:
                if action.group == group:
                    asked = group in ASKING
                    reason = self.why_not(action.name) if asked else None
                    self._row(page, self._key(action.name), action.doc, reason, palette)
            if group == "change" and self.keymap.stage_keys:
                self._row(page, self.keymap.stage_keys, STAGE_DOC, None, palette)
            page.append("\n")
        page.append("Answer a question\n", palette.strong)
        for key, doc in _ANSWERS:
            self._row(page, key, doc, None, palette)
        return page

    def _key(self, name: str) -> str:
        """The keys of an action; where it is on none, how the palette finds it."""
        shown = self.keymap.shown(name)
        return shown or f"{self.keymap.key('palette')} {name.split('_')[0]}"

    def _row(self, page: Text, key: str, doc: str, reason: str | None, palette: Palette) -> None:
        off: Style | None = palette.key_off if reason else None
        page.append(f"  {key:<14}", off or palette.key)
        page.append(doc, off or palette.text)
        if reason:
            page.append(f"  Not now: {reason}", palette.dim)
        page.append("\n")

    def on_key(self, event: events.Key) -> None:
        """Scroll, or leave."""
        event.stop()
        event.prevent_default()
        body = self.query_one("#help-body", VerticalScroll)
        moves = {
            "up": body.scroll_up,
            "down": body.scroll_down,
            "pageup": body.scroll_page_up,
            "pagedown": body.scroll_page_down,
            "home": body.scroll_home,
            "end": body.scroll_end,
        }
        if event.key in moves:
            moves[event.key](animate=False)
        else:
            self.dismiss()
