"""What the keys do on the page of failures: open a group, ask for log lines, copy its query."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from canary.rollout.failures.lines import LinesView
from tui.actions.context import Context

if TYPE_CHECKING:
    from widgets.pages.failures import FailuresPage

PAGE = "failures"


class FailuresActions:
    """The actions by their names in the table of keys, and the keys that the page takes itself."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._screen = context.screen
        self.actions: dict[str, Callable[[], None]] = {
            "failures": lambda: context.toggle_page(PAGE)
        }

    @property
    def page(self) -> FailuresPage | None:
        """The page while it is shown; None while it is not."""
        screen = self._screen
        if not screen.zoomed or screen.panel != PAGE:
            return None
        return cast("FailuresPage", screen.pages[PAGE])

    def takes(self, key: str) -> bool:
        """Give a key to the page; False when it means nothing there."""
        page = self.page
        if page is None or key != "enter" or page.chosen is None:
            return False
        page.open()
        self._context.attempt(self._ask)
        return True

    def leave(self) -> bool:
        """Esc: from an open group back to the list; False where there is none open."""
        page = self.page
        if page is None or not page.close():
            return False
        self._context.attempt(lambda: self._context.jobs.leave_lines())
        return True

    def copied(self) -> str | None:
        """What there is to copy here: the chosen group's query; None: nothing of the page's."""
        page = self.page
        return page.text() if page is not None and page.chosen is not None else None

    def _ask(self) -> None:
        page = self.page
        request = None if page is None else page.chosen_request
        if page is None or request is None:
            return
        if (past := self._context.host.why_past()) is not None:
            self._context.say(past)
            return
        self._context.jobs.read_lines(request, self._hand_over)

    def _hand_over(self, lines: LinesView) -> None:
        """From the engine's thread to the screen's."""
        self._screen.post_message(self._screen.LinesCame(lines))
