"""Whether the terminal takes hyperlinks (OSC 8): only where it is known to.

A terminal without them should ignore the sequence, and some print it: so none is sent to 16 colours
or to what is not known. Who takes them, and since when, is as the terminals' own pages and the npm
package `supports-hyperlinks` have it; NO_HYPERLINKS and FORCE_HYPERLINK decide over all of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_BY_TERM: Final = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour")
_BY_PROGRAM: Final[Mapping[str, tuple[int, ...]]] = {
    "iTerm.app": (3, 1),
    "WezTerm": (20200620,),
    "vscode": (1, 72),
    "ghostty": (1,),
    "tmux": (3, 4),
    "WarpTerminal": (0,),
    "Hyper": (3,),
}
"""TERM_PROGRAM → the first version; tmux hands them on since 3.4."""
_LEAST_VTE: Final = 5002
"""0.50.2: 0.50.0 and 0.50.1 crashed on them."""
_LEAST_KONSOLE: Final = 201200
_PLAIN_TERMS: Final = ("", "dumb", "linux", "vt100", "vt220", "ansi", "screen", "cons25", "xterm")


def understands_hyperlinks(environ: Mapping[str, str]) -> bool:
    """Whether OSC 8 may be sent. Unknown is no: the key that copies works everywhere."""
    if environ.get("NO_HYPERLINKS"):
        return False
    forced = environ.get("FORCE_HYPERLINK", "")
    if forced:
        return forced not in ("0", "false")
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR") or term in _PLAIN_TERMS or environ.get("STY"):
        return False
    program = environ.get("TERM_PROGRAM", "")
    if environ.get("TMUX") or program == "tmux":
        return program == "tmux" and _is_since(environ, _BY_PROGRAM["tmux"])
    if program in _BY_PROGRAM:
        return _is_since(environ, _BY_PROGRAM[program])
    if any(term == known or term.startswith(f"{known}-") for known in _BY_TERM):
        return True
    vte, konsole = environ.get("VTE_VERSION", ""), environ.get("KONSOLE_VERSION", "")
    since_vte = vte.isdecimal() and int(vte) >= _LEAST_VTE
    since_konsole = konsole.isdecimal() and int(konsole) >= _LEAST_KONSOLE
    return since_vte or since_konsole or bool(environ.get("WT_SESSION"))


def _is_since(environ: Mapping[str, str], first: tuple[int, ...]) -> bool:
    found = re.findall(r"\d+", environ.get("TERM_PROGRAM_VERSION", ""))[:3]
    return tuple(map(int, found)) >= first
