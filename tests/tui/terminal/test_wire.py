"""What goes over the line brings the terminal to the same picture, and is little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tests.tui.terminal.glass import SYSTEM, Glass
from tui.terminal.wire import Wire, pen_of, transition

WIDTH, HEIGHT = 12, 3
STYLES = [
    None,
    Style(color="red"),
    Style(color="red", bold=True),
    Style(bgcolor="blue", reverse=True),
    Style(color="#5fd787", bgcolor="#121212", italic=True),
]

styles = st.sampled_from(STYLES)
runs = st.lists(
    st.tuples(st.text("ab █─漢", min_size=1, max_size=4), styles), min_size=1, max_size=4
)


def strip_of(run: list[tuple[str, Style | None]]) -> Strip:
    strip = Strip([Segment(text, style) for text, style in run])
    return strip.crop_extend(0, WIDTH, None)


def wanted(frame: list[Strip]) -> dict[tuple[int, int], object]:
    cells: dict[tuple[int, int], object] = {}
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


@given(st.lists(st.lists(runs, min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=4))
def test_after_every_frame_the_terminal_shows_it(
    frames: list[list[list[tuple[str, Style | None]]]],
) -> None:
    wire, glass = Wire(), Glass(WIDTH, HEIGHT)
    for frame in frames:
        strips = [strip_of(run) for run in frame]
        glass.feed(wire.encode([(0, y, s) for y, s in enumerate(strips)], SYSTEM))
        for place, cell in wanted(strips).items():
            assert glass.cells[place] == cell


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


def test_an_attribute_that_ends_sets_all_anew() -> None:
    one = pen_of(Style(color="red", bold=True), SYSTEM)
    other = pen_of(Style(color="red"), SYSTEM)
    assert transition(one, other) == "\x1b[;31m"
