"""Styles that this process parses once, not once for each screen under test.

Each app has a stylesheet of its own, and parses the same few files with the same colours: a tenth
of the time of the screen's tests. What is parsed is read alone, and knows of no app.
"""

from __future__ import annotations

from typing import Any

from textual.css.stylesheet import Stylesheet

_PARSED: dict[Any, Any] = {}
_parse_rules = Stylesheet._parse_rules


def parse_rules_once(
    sheet: Stylesheet,
    css: str,
    read_from: Any,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> Any:
    """Stands in for `Stylesheet._parse_rules`; one that cannot be parsed raises each time."""
    of = (css, read_from, is_default_rules, tie_breaker, scope)
    if of in sheet._parse_cache:
        return sheet._parse_cache[of]
    key = (*of, frozenset(sheet._variables.items()))
    if key not in _PARSED:
        _PARSED[key] = _parse_rules(sheet, *of)
    sheet._parse_cache[of] = _PARSED[key]
    return _PARSED[key]


def install() -> None:
    """Let all stylesheets of this process share what they parsed."""
    Stylesheet._parse_rules = parse_rules_once  # type: ignore[method-assign]
