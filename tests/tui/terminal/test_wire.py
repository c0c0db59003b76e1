"""What goes over the line brings the terminal to the same picture, and is little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tests.tui.terminal.glass import SYSTEM, Glass, visible
from tui.terminal.wire import SHORT_TAIL, Pen, Wire, erases_in_colour, pen_of, transition

WIDTH, HEIGHT = 16, 3
STYLES = [
    None,
    Style(color="red"),
    Style(color="red", bold=True),
    Style(bgcolor="blue", reverse=True),
    Style(bgcolor="blue"),
    Style(bold=True, dim=True),
    Style(dim=True, underline=True),
    Style(color="#5fd787", bgcolor="#121212", italic=True),
]

styles = st.sampled_from(STYLES)
runs = st.lists(
    st.tuples(st.text("ab █─漢", min_size=1, max_size=4), styles), min_size=1, max_size=4
)


def strip_of(run: list[tuple[str, Style | None]]) -> Strip:
    strip = Strip([Segment(text, style) for text, style in run])
    return strip.crop_extend(0, WIDTH, None)


def wanted(frame: list[Strip]) -> dict[tuple[int, int], tuple[str, Pen]]:
    cells: dict[tuple[int, int], tuple[str, Pen]] = {}
    for y, strip in enumerate(frame):
        x = 0
        for text, style, _ in strip:
            for char in text:
                pen = pen_of(style or Style(), SYSTEM)
                cells[x, y] = (char, pen)
                if char == "漢":
                    cells[x + 1, y] = ("", pen)
                x += 2 if char == "漢" else 1
    return cells


@given(
    st.lists(st.lists(runs, min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from([0, WIDTH]),
)
def test_after_every_frame_the_terminal_shows_it(
    frames: list[list[list[tuple[str, Style | None]]]], erases: bool, width: int
) -> None:
    wire, glass = Wire(erases=erases), Glass(WIDTH, HEIGHT)
    for frame in frames:
        strips = [strip_of(run) for run in frame]
        pieces = [(0, y, s) for y, s in enumerate(strips)]
        glass.feed(wire.encode(pieces, SYSTEM, width))
        for place, cell in wanted(strips).items():
            assert visible(glass.cells[place]) == visible(cell)


BLUE = Style(bgcolor="blue")


def shortened(text: str, style: Style | None, *, erases: bool, width: int = 20) -> str:
    """What is sent where `text` takes the place of a row of stars."""
    wire = Wire(erases=erases)
    wire.encode([(0, 0, Strip([Segment("*" * 20)]))], SYSTEM, width)
    return wire.encode([(0, 0, Strip([Segment(f"{text:20}", style)]))], SYSTEM, width)


def test_the_blank_end_of_a_row_is_erased() -> None:
    assert shortened("ab", BLUE, erases=True) == "\x1b[1H\x1b[44mab\x1b[K\x1b[m"
    assert shortened("ab", None, erases=True) == "\x1b[1Hab\x1b[K"


def test_where_the_terminal_erases_in_its_own_ground_another_is_written() -> None:
    assert shortened("ab", BLUE, erases=False) == f"\x1b[1H\x1b[44mab{' ' * 18}\x1b[m"
    assert shortened("ab", None, erases=False) == "\x1b[1Hab\x1b[K"


def test_a_short_end_and_one_that_is_not_the_terminals_are_written() -> None:
    word = "x" * (21 - SHORT_TAIL)
    assert shortened(word, BLUE, erases=True).endswith(f"x{' ' * (SHORT_TAIL - 1)}\x1b[m")
    assert "\x1b[K" not in shortened("ab", BLUE, erases=True, width=40)
    assert "\x1b[K" not in shortened("ab", Style(underline=True), erases=True)


def test_what_is_unchanged_at_the_end_of_a_row_is_not_erased() -> None:
    wire = Wire(erases=True)
    wire.encode([(0, 0, Strip([Segment("a" + " " * 19)]))], SYSTEM, 20)
    assert wire.encode([(0, 0, Strip([Segment("b" + " " * 19)]))], SYSTEM, 20) == "\x1b[1Hb"


@pytest.mark.parametrize(
    ("environ", "erases"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "tmux-256color"}, True),
        ({"TERM": "screen-256color"}, False),
        ({"TERM": "xterm-256color", "STY": "4711.pts-0"}, False),
        ({"TERM": "vt100"}, False),
        ({}, False),
    ],
)
def test_gnu_screen_and_old_terminals_erase_in_their_own_ground(
    environ: dict[str, str], erases: bool
) -> None:
    assert erases_in_colour(environ) is erases


def test_blanks_take_no_pen_but_for_their_ground() -> None:
    wire = Wire()
    red, dim = Style(color="red"), Style(dim=True)
    sent = wire.encode([(0, 0, Strip([Segment("a", red), Segment("  ", dim)]))], SYSTEM)
    assert sent == "\x1b[1H\x1b[31ma  \x1b[m"
    sent = wire.encode([(0, 1, Strip([Segment("a"), Segment(" ", Style(reverse=True))]))], SYSTEM)
    assert sent == "\x1b[2Ha\x1b[7m \x1b[m"


@given(st.lists(runs, min_size=HEIGHT, max_size=HEIGHT))
def test_the_same_frame_again_costs_nothing(frame: list[list[tuple[str, Style | None]]]) -> None:
    wire = Wire()
    pieces = [(0, y, strip_of(run)) for y, run in enumerate(frame)]
    wire.encode(pieces, SYSTEM)
    assert wire.encode(pieces, SYSTEM) == ""


def test_one_changed_cell_costs_a_move_and_its_colours() -> None:
    wire = Wire()
    red = Style(color="red")
    wire.encode([(4, 2, Strip([Segment("14:03:22Z", red)]))], SYSTEM)
    sent = wire.encode([(4, 2, Strip([Segment("14:03:23Z", red)]))], SYSTEM)
    assert sent == "\x1b[3;12H\x1b[31m3\x1b[m"


def test_a_forgotten_screen_is_written_whole() -> None:
    wire = Wire()
    piece = (0, 0, Strip([Segment("abc")]))
    wire.encode([piece], SYSTEM)
    wire.forget()
    assert "abc" in wire.encode([piece], SYSTEM)


def test_a_colour_alone_leaves_the_ground_as_it_is() -> None:
    one = pen_of(Style(color="red", bgcolor="blue"), SYSTEM)
    other = pen_of(Style(color="green", bgcolor="blue"), SYSTEM)
    assert transition(one, other) == "\x1b[32m"


def test_an_attribute_ends_alone_or_sets_all_anew_whichever_is_shorter() -> None:
    one = pen_of(Style(color="#5fd787", bold=True), SYSTEM)
    other = pen_of(Style(color="#5fd787"), SYSTEM)
    assert transition(one, other) == "\x1b[22m"
    assert transition(one, pen_of(Style(), SYSTEM)) == "\x1b[m"
    both = pen_of(Style(bold=True, dim=True, bgcolor="#121212"), SYSTEM)
    dim = pen_of(Style(dim=True, bgcolor="#121212"), SYSTEM)
    assert transition(both, dim) == "\x1b[22;2m"
