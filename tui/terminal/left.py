"""What keeps an application in memory that was left: a process opens many, one after another."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from textual.app import App

_CACHE: Final = type(functools.lru_cache(len))


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
    for cache in _caches():
        cache.cache_clear()
    gc.collect()


def _caches() -> Iterator[Any]:
    """What Textual remembers answers in: of its functions, and of the methods of its classes.

    Not by `gc.get_objects`: that holds tuples which other threads are just making, and they fail.
    """
    for module in [sys.modules[name] for name in list(sys.modules) if name.startswith("textual.")]:
        for found in list(vars(module).values()):
            inside = vars(found).values() if isinstance(found, type) else ()
            for each in map(_bare, (found, *inside)):
                if isinstance(each, _CACHE) and each.__module__.startswith("textual."):
                    yield each


def _bare(found: Any) -> Any:
    """What a class method, a static method or a property wraps; else itself."""
    if isinstance(found, property):
        return found.fget
    return found.__func__ if isinstance(found, classmethod | staticmethod) else found
