"""What the keys do that only look: panels, how far back the plots reach, colours, help, copying."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.pages.help import HelpScreen
from tui.pages.layout import ALWAYS_THERE, PANELS, WINDOWS
from tui.pages.summary import summarize
from tui.terminal import clipboard

if TYPE_CHECKING:
    from tui.commands import Commands


class LookActions:
    """The actions that change nothing but what is shown, by their names in the table of keys."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._screen = commands.screen

    @property
    def actions(self) -> dict[str, Callable[[], None]]:
        """Name → what it does."""
        return {
            "gates": lambda: self.show_panel("gates"),
            "evidence": lambda: self.show_panel("evidence"),
            "events": lambda: self.show_panel("events"),
            "window": self.next_window,
            "zoom": self.zoom,
            "next_panel": lambda: self.step_panel(1),
            "previous_panel": lambda: self.step_panel(-1),
            "filter": self.filter_events,
            "refresh": self.refresh,
            "theme": self.next_theme,
            "copy": self.copy,
            "help": self.show_help,
        }

    def show_panel(self, name: str) -> None:
        """Let a panel fill the screen; again gives the others back."""
        again = self._screen.zoomed and self._screen.panel == name
        self._screen.panel = name
        self._screen.zoomed = not again

    def step_panel(self, step: int) -> None:
        """Go to the next panel of those that can be shown now; among the pages, to the next one."""
        if self._commands.procedure.step_page(step):
            return
        narrow = self._screen.layout_name == "narrow" and not self._screen.zoomed
        names = [n for n in PANELS if not (narrow and n == ALWAYS_THERE)]
        at = names.index(self._screen.panel) if self._screen.panel in names else 0
        self._screen.panel = names[(at + step) % len(names)]

    def zoom(self) -> None:
        """Let the present panel fill the screen, or give the others back."""
        self._screen.zoomed = not self._screen.zoomed

    def next_window(self) -> None:
        """Change how far back the plots reach."""
        names = [name for name, _ in WINDOWS]
        self.set_window(names[(names.index(self._screen.window) + 1) % len(names)])

    def set_window(self, name: str) -> None:
        """Let the plots reach back as far as the window of that name."""
        self._screen.window = name
        self._commands.say(
            f"Plots reach back {name}." if name != "soak" else "Plots show the whole soak."
        )

    def filter_events(self) -> None:
        """Type a word that events must contain."""
        self._screen.panel = "events"
        self._screen.zoomed = True
        self._screen.open_prompt(
            "filter", "events that contain …", self._screen.event_log.filter_text
        )

    def refresh(self) -> None:
        """Look now, and draw everything anew."""
        self._commands.app.engine_of().refresh_now()
        self._commands.app.redraw()

    def next_theme(self) -> None:
        """Change the colours to the next theme."""
        names = self._commands.app.theme_names
        at = names.index(self._commands.app.theme) if self._commands.app.theme in names else -1
        self.set_theme(names[(at + 1) % len(names)])

    def set_theme(self, name: str) -> None:
        """Change the colours to the theme of that name."""
        self._commands.app.theme = name
        self._commands.say(f"Theme {name}. console.theme in canary.toml keeps it.")

    def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else."""
        self._commands.attempt(lambda: self._commands.app.engine_of().set_scenario(name))
        self._commands.say(f"The local cloud: scenario {name}.")

    def copy(self) -> None:
        """Copy a summary, and say which way it went."""
        snapshot = self._screen.snapshot
        if snapshot is None:
            self._commands.say("There is nothing to copy yet.")
            return
        text = summarize(snapshot, self._screen.now)

        async def copied() -> None:
            self._commands.say(await clipboard.copy(text, self._commands.app.write_raw, os.environ))

        self._commands.app.run_worker(copied(), name="copy", exit_on_error=True)

    def show_help(self) -> None:
        """Show all keys."""
        self._commands.app.push_screen(HelpScreen(self._screen.keymap, self._commands.why_not))
