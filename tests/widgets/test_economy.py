"""An economical update puts the same cells on the terminal as Textual's own, in fewer bytes."""

from __future__ import annotations

import io
import re

import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from tests.widgets.scenes import NOW, snapshot, spiking
from tests.widgets.stage import give, screen_text, shown
from widgets.bars.confirm_strip import ConfirmStrip, Proposal
from widgets.bars.header import Header
from widgets.economy import EconomicalCompositor, EconomicalUpdate, _pen_of, _transition
from widgets.panels.decision_tree import DecisionTree
from widgets.panels.latency import LatencyPanel
from widgets.panels.overview import OverviewPanel
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget

TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|(.)", re.DOTALL)


def console() -> Console:
    return Console(color_system="256", file=io.StringIO(), force_terminal=True)


def write_on(rows: list[list[str]], text: str) -> None:
    """A terminal that knows cursor movement and text; styles are passed over."""
    x = y = 0
    for match in TOKEN.finditer(text):
        if match[1]:
            y, x = int(match[1]) - 1, int(match[2]) - 1
        elif match[4]:
            rows[y][x] = match[4]
            x += 1


class Recording(EconomicalCompositor):
    """Keeps every partial update as it is made."""

    updates: list[ChopsUpdate]

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        if update is not None:
            self.updates.append(update)
        return update


@pytest.mark.parametrize("widget_type", [Header, OverviewPanel, LatencyPanel, DecisionTree])
async def test_the_terminal_ends_up_with_the_frame(widget_type: type[CellWidget]) -> None:
    widget = widget_type()
    async with shown(widget, (100, 16), snapshot=snapshot()) as pilot:
        rows = [list(line.ljust(100)) for line in screen_text(pilot).split("\n")]
        compositor = pilot.app.screen._compositor
        compositor.__class__ = Recording
        assert isinstance(compositor, Recording)
        compositor.updates = []
        give(widget, snapshot=spiking(), now=NOW + 5)
        await pilot.pause()
        for update in compositor.updates:
            write_on(rows, update.render_segments(console()))
        assert "\n".join("".join(row).rstrip() for row in rows) == screen_text(pilot)


def update_of(kind: type[ChopsUpdate], strip: Strip, spans: list[tuple[int, int, int]]) -> str:
    width = strip.cell_length
    return kind([{0: strip}], spans, [[width]]).render_segments(console())


def test_a_change_at_the_right_does_not_write_the_row_from_the_left() -> None:
    canvas = Canvas(100, 1)
    canvas.text(0, 0, "x" * 100, Style(color="#d0d0d0"))
    strip = Strip(canvas.segments(0), 100)
    economical = update_of(EconomicalUpdate, strip, [(0, 95, 100)])
    assert economical.count("x") == 5
    assert update_of(ChopsUpdate, strip, [(0, 95, 100)]).count("x") == 100


@pytest.mark.parametrize(
    ("before", "after", "written"),
    [
        (Style(color="#5fd787"), Style(color="#5fd787", bgcolor="#121212"), "\x1b[48;5;233m"),
        (Style(color="#5fd787"), Style(color="#ffd75f"), "\x1b[38;5;221m"),
        (Style(bold=True), Style(), "\x1b[0m"),
        (Style(), Style(bold=True, color="#ffd75f"), "\x1b[0;1;38;5;221m"),
    ],
)
def test_only_what_differs_between_two_styles_is_written(
    before: Style, after: Style, written: str
) -> None:
    system = ColorSystem.EIGHT_BIT
    assert _transition(_pen_of(before, system), _pen_of(after, system)) == written


async def test_opening_the_confirm_strip_costs_at_most_500_bytes() -> None:
    strip = ConfirmStrip()
    async with shown(strip, (120, 4)) as pilot:
        compositor = pilot.app.screen._compositor
        compositor.__class__ = Recording
        assert isinstance(compositor, Recording)
        compositor.updates = []
        strip.open(
            Proposal(
                "c",
                "Promote to stage 3",
                ("canary 10 % → 25 %",),
                "ion-api-canary-00042-abc",
                "on data 74 s old",
                ("soak",),
                "gcloud run services update ion-api --region us-central1 "
                "--update-env-vars CANARY_TRAFFIC_PERCENTAGE=25",
            )
        )
        await pilot.pause()
        assert compositor.updates
        written = "".join(u.render_segments(console()) for u in compositor.updates)
        assert len(written.encode()) <= 500
