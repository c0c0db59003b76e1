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
from tui.keys import ACTIONS, ASKING, STAGE_DOC, Group, Keymap, as_written, not_now

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
_REPLAY = (
    ("space", "Play, or pause."),
    (", .", "One frame back, or on."),
    ("[ ]", "The event, mark or change of state before, or after."),
    ("← →", "One minute back, or on; with ctrl one hour."),
    ("- +", "Slower, or faster."),
    ("J", "Go to a time, or to a promotion or rollback."),
    ("m", "Mark this moment."),
    ("Home, End", "The begin; live again, or the last frame where nothing is live."),
    ("Esc", "Live again."),
)

_FOOT = "type to search   ↑ ↓ scroll   Esc leaves"


class HelpScreen(Screen[None]):
    """The keys, what they do, and why some can do nothing now. What is typed is searched for."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, keymap: Keymap, why_not: Callable[[str], str | None]) -> None:
        super().__init__(id="help")
        self.keymap = keymap
        self.why_not = why_not
        self.searched = ""
        """What was typed."""

    def compose(self) -> ComposeResult:
        """One scrolling column."""
        with VerticalScroll(id="help-body"):
            yield Static(self.text(palette_of(self.app.theme)), id="help-text")
        yield Static(_FOOT, id="help-foot", markup=False)

    def text(self, palette: Palette) -> Text:
        """The whole page, or what of it has all the words that were typed."""
        page = Text(no_wrap=False)
        for group, heading in HEADINGS:
            rows = Text()
            for action in ACTIONS:
                if action.group == group and self._is_wanted(action.doc, action.command):
                    asked = group in ASKING
                    reason = self.why_not(action.name) if asked else None
                    self._row(rows, self._key(action.name), action.doc, reason, palette)
            stages = self.keymap.stage_keys
            if group == "change" and stages and self._is_wanted(STAGE_DOC, "stage"):
                self._row(rows, stages, STAGE_DOC, None, palette)
            _append(page, heading, rows, palette)
        past = f"In the past ({self.keymap.key('replay')})"
        for heading, keys in (("Answer a question", _ANSWERS), (past, _REPLAY)):
            rows = Text()
            for key, doc in keys:
                if self._is_wanted(doc, key):
                    self._row(rows, key, doc, None, palette)
            _append(page, heading, rows, palette)
        return page if page.plain else Text(f"nothing has {self.searched!r} in it", palette.no_data)

    def _is_wanted(self, *texts: str) -> bool:
        said = " ".join(texts).casefold()
        return all(word in said for word in self.searched.casefold().split())

    def _key(self, name: str) -> str:
        """The keys of an action; where it is on none, how the palette finds it."""
        shown = self.keymap.shown(name)
        return shown or f"{self.keymap.key('palette')} {name.split('_')[0]}"

    def _row(self, page: Text, key: str, doc: str, reason: str | None, palette: Palette) -> None:
        off: Style | None = palette.key_off if reason else None
        page.append(f"  {key:<14}", off or palette.key)
        page.append(doc, off or palette.text)
        if reason:
            page.append(f"  {not_now(reason)}", palette.dim)
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
        elif event.key == "backspace":
            self._search(self.searched[:-1])
        elif self._is_typed(event):
            self._search(self.searched + (event.character or ""))
        elif event.key == "escape" and self.searched:
            self._search("")
        else:
            self.dismiss()

    def _is_typed(self, event: events.Key) -> bool:
        """Whether a key searches: all that are printed, but the one that opened this, and a blank
        before anything was typed.
        """
        opened_it = self.keymap.action(as_written(event)) == "help"
        is_first = not self.searched
        return event.is_printable and not (is_first and (opened_it or event.key == "space"))

    def _search(self, query: str) -> None:
        self.searched = query
        self.query_one("#help-text", Static).update(self.text(palette_of(self.app.theme)))
        found = f"search: {query}▏  Esc shows all" if query else _FOOT
        self.query_one("#help-foot", Static).update(Text(found))
        self.query_one("#help-body", VerticalScroll).scroll_home(animate=False)


def _append(page: Text, heading: str, rows: Text, palette: Palette) -> None:
    if rows.plain:
        page.append(f"{heading}\n", palette.strong)
        page.append_text(rows)
        page.append("\n")
