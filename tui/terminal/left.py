"""What keeps an application in memory that was left: a process opens many, one after another."""

from __future__ import annotations

import functools
import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App


class _Nowhere:
    """Stands where an application was that took what was printed."""

    def _print(self, text: str, stderr: bool = False) -> None:
        """Nothing."""

    def _flush(self, stderr: bool = False) -> None:
        """Nothing."""


def cut_off(app: App[Any]) -> None:
    """Let what was printed while an application ran lead to it no more.

    A thread or a log that begins meanwhile keeps for its life what it takes for standard error.
    """
    for capture in (app._capture_stdout, app._capture_stderr):
        capture.app = _Nowhere()  # type: ignore[assignment]


def forget_left() -> None:
    """Collect applications that have ended, which takes a tenth of a second or two.

    Textual remembers answers of methods by their objects, among them what a widget has drawn; and
    garbage is looked for seldom.
    """
    remembering = type(functools.lru_cache(len))
    for each in gc.get_objects():
        if isinstance(each, remembering) and each.__module__.startswith("textual."):
            each.cache_clear()
    gc.collect()
