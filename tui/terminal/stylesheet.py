"""What one application of this process has read of its styles, the next need not read again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from textual.cache import LRUCache
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

SOURCES = 256
"""More than the console and the list have together."""
THEMES = 8
"""For so many themes the rules are kept."""


@lru_cache(maxsize=THEMES)
def _rules_with(_: frozenset[tuple[str, str]]) -> LRUCache[tuple[Any, ...], list[RuleSet]]:
    """The rules that were read with these variables, by their source."""
    return LRUCache(SOURCES)


class KeptStylesheet(Stylesheet):
    """One whose rules stay with the process: from the list to a console and back is one process.

    Reading them was a tenth of the time until a console showed its first numbers. A rule holds
    nothing of the widgets that it was applied to.
    """

    def set_variables(self, variables: dict[str, str]) -> None:
        """Take other variables, and what was read with these before."""
        self._parse_cache = LRUCache(1)  # Textual empties it; others still read with the ones now
        super().set_variables(variables)
        self._parse_cache = _rules_with(frozenset(variables.items()))

    def reparse(self) -> None:
        """As Textual's, which leaves the rules as they are on an error, but reads all anew."""
        self.parse()
