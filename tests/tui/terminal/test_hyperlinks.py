"""OSC 8 goes to terminals that are known to take it, and to no other."""

from __future__ import annotations

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.terminal.hyperlinks import understands_hyperlinks
from tui.terminal.wire import Wire

RICH = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("environ", "known"),
    [
        ({}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "xterm"}, False),
        (RICH, False),  # over SSH nothing more is told: unknown is no
        ({**RICH, "COLORTERM": "truecolor"}, False),
        ({**RICH, "VTE_VERSION": "7603"}, True),
        ({**RICH, "VTE_VERSION": "5000"}, False),  # it crashed on them
        ({**RICH, "KONSOLE_VERSION": "220401"}, True),
        ({**RICH, "WT_SESSION": "x"}, True),
        ({**RICH, "TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5.0"}, True),
        ({**RICH, "TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.0.15"}, False),
        ({**RICH, "TERM_PROGRAM": "Apple_Terminal", "TERM_PROGRAM_VERSION": "453"}, False),
        ({**RICH, "TERM_PROGRAM": "WezTerm", "TERM_PROGRAM_VERSION": "20240203-110809"}, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "foot-extra"}, True),
        ({"TERM": "footloose"}, False),
        ({"TERM": "tmux-256color", "TMUX": "x", "TERM_PROGRAM": "tmux",
          "TERM_PROGRAM_VERSION": "3.4"}, True),
        ({"TERM": "tmux-256color", "TMUX": "x", "TERM_PROGRAM": "tmux",
          "TERM_PROGRAM_VERSION": "3.3a"}, False),
        ({"TERM": "xterm-kitty", "TMUX": "x"}, False),  # what is outside of tmux does not count
        ({"TERM": "screen.xterm-256color", "STY": "x", "VTE_VERSION": "7603"}, False),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm-kitty", "NO_HYPERLINKS": "1"}, False),
        ({**RICH, "FORCE_HYPERLINK": "1"}, True),
        ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, False),
    ],
)  # fmt: skip
def test_only_known_terminals_take_them(environ: dict[str, str], known: bool) -> None:
    assert understands_hyperlinks(environ) is known


def test_the_wire_opens_a_link_closes_it_and_writes_none_where_there_is_none() -> None:
    link = Style(link="https://example.com/x")
    strip = Strip([Segment("a", Style()), Segment("bc", link), Segment("d", Style())])
    sent = Wire().encode([(0, 0, strip)], ColorSystem.TRUECOLOR)
    assert sent.count("\x1b]8;;https://example.com/x\x1b\\") == 1
    assert "bc\x1b]8;;\x1b\\d" in sent
    last = Wire().encode([(0, 0, Strip([Segment("x", link)]))], ColorSystem.TRUECOLOR)
    assert last.endswith("\x1b]8;;\x1b\\")
    plain = Wire().encode([(0, 0, Strip([Segment("x", Style())]))], ColorSystem.TRUECOLOR)
    assert "\x1b]8" not in plain
