"""What the keys do that only look: panels, how far back the plots reach, colours, help, copying."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from canary.rollout.snapshot.snapshot import Snapshot
from tui.actions.context import Context
from tui.pages.help import HelpScreen
from tui.pages.layout import ALWAYS_THERE, PAGES, PANELS, WINDOWS
from tui.pages.summary import summarize
from tui.pages.tips import DemoState
from tui.terminal import clipboard


class LookActions:
    """The actions that change nothing but what is shown, by their names in the table of keys."""

    def __init__(self, context: Context, why_not: Callable[[str], str | None]) -> None:
        self._context = context
        self._screen = context.screen
        self._why_not = why_not

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
            "handover": self.copy_handover,
            "help": self.show_help,
        }

    def show_panel(self, name: str) -> None:
        """Let a panel fill the screen; again gives the others back."""
        again = self._screen.zoomed and self._screen.panel == name
        self._screen.panel = name
        self._screen.zoomed = not again

    def step_panel(self, step: int) -> None:
        """Go to the next panel of those that can be shown now; among the pages, to the next one."""
        if self._screen.zoomed and self._screen.panel in PAGES:
            self._step_page(step)
            return
        narrow = self._screen.layout_name == "narrow" and not self._screen.zoomed
        names = [n for n in PANELS if not (narrow and n == ALWAYS_THERE)]
        at = names.index(self._screen.panel) if self._screen.panel in names else 0
        self._screen.panel = names[(at + step) % len(names)]

    def _step_page(self, step: int) -> None:
        screen = self._screen
        names = [n for n in PAGES if n != "approval" or screen.approval.approval is not None]
        at = names.index(screen.panel) if screen.panel in names else 0
        screen.panel = names[(at + step) % len(names)]
        if screen.panel == "checklist":
            self._context.attempt(lambda: self._context.jobs.read_checklists())

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
        self._context.say(
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
        self._context.engine.refresh_now()
        self._context.host.redraw()

    def next_theme(self) -> None:
        """Change the colours to the next theme."""
        names, present = self._context.host.theme_names, self._context.host.theme_name
        at = names.index(present) if present in names else -1
        self.set_theme(names[(at + 1) % len(names)])

    def set_theme(self, name: str) -> None:
        """Change the colours to the theme of that name."""
        self._context.host.set_theme(name)
        self._context.say(f"Theme {name}. console.theme in canary.toml keeps it.")

    def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else."""
        self._context.attempt(lambda: self._context.engine.set_scenario(name))
        self._context.say(f"The local cloud: scenario {name}.")

    def show_state(self, state: DemoState) -> None:
        """Let the embedded cloud lead to a state, and say what to do then."""
        self._context.attempt(lambda: self._context.engine.set_scenario(state.scenario))
        self._context.say(f"To see {state.name}: {state.then}.")

    def copy(self, text: str | None = None) -> None:
        """Copy a summary, or `text`, and say which way it went."""
        snapshot = self._screen.snapshot
        if snapshot is None:
            self._context.say("There is nothing to copy yet.")
            return
        if text is None:
            text = summarize(snapshot, self._screen.plan, self._screen.now)
            text += self._links(snapshot)
        copied_text = text

        async def copied() -> None:
            self._context.say(
                await clipboard.copy(copied_text, self._context.host.write_raw, os.environ)
            )

        self._context.host.begin(copied(), "copy")

    def _links(self, snapshot: Snapshot) -> str:
        """Where what is shown is looked up in Google Cloud; "" on the local one."""
        from canary.rollout.export.links import find_links, format_links  # not for a first frame

        screen = self._screen
        page = screen.panel if screen.zoomed and screen.panel in PAGES else ""
        return format_links(find_links(screen.plan, snapshot, page))

    def copy_handover(self) -> None:
        """Copy a handover of the shift, from what is shown and what was recorded."""
        screen, context = self._screen, self._context
        snapshot, plan, now, jobs = screen.snapshot, screen.plan, screen.now, screen.procedure
        if snapshot is None:
            context.say("There is nothing to hand over yet.")
            return
        context.say("The shift's recording is read …")

        async def copied() -> None:
            from tui.actions.handover import write_handover

            open_past = context.host.open_past
            text = await asyncio.to_thread(write_handover, snapshot, plan, now, jobs, open_past)
            said = await clipboard.copy(text, context.host.write_raw, os.environ)
            context.say(f"Handover: {said[0].lower()}{said[1:]} `canary handover` writes it.")

        context.host.begin(copied(), "handover")

    def show_help(self) -> None:
        """Show all keys."""
        self._context.host.show_screen(HelpScreen(self._screen.keymap, self._why_not))
