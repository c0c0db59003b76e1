"""What is repainted: the cells that changed, and nothing more. Counted in cells, never in time."""

from __future__ import annotations

import msgspec
import pytest
from rich.style import Style
from textual.geometry import Region

from canary.rollout.measure.samples import Window
from tests.widgets.scenes import NOW, history, side, snapshot, spiking
from tests.widgets.stage import give, screen_text, shown
from themes import Palette
from widgets.bars.header import Header
from widgets.panels.decision import DecisionTree
from widgets.panels.matrix import MatrixPanel
from widgets.panels.plots import PlotsPanel
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, bound, changed_regions


class Number(CellWidget):
    """One number in the middle of two rows."""

    value: bound[int] = bound(0)
    drawings = 0

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        self.drawings += 1
        canvas.text(3, 1, f"value {self.value}", palette.text)


async def test_only_the_changed_cells_are_repainted() -> None:
    number = Number()
    async with shown(number, (40, 3)) as pilot:
        number.value = 7
        await pilot.pause()
        assert (number.regions_repainted, number.cells_repainted) == (1, 1)


async def test_an_equal_value_repaints_nothing() -> None:
    number = Number()
    async with shown(number, (40, 3)) as pilot:
        before = number.drawings
        number.value = 0
        await pilot.pause()
        assert number.regions_repainted == 0
        assert number.drawings == before


async def test_a_plot_is_not_drawn_anew_for_each_second_of_age() -> None:
    class Counted(PlotsPanel):
        drawings = 0

        def draw(self, canvas: Canvas, palette: Palette) -> None:
            self.drawings += 1
            super().draw(canvas, palette)

    panel = Counted()
    ten = NOW // 10 * 10
    async with shown(panel, (100, 12), snapshot=snapshot(), now=ten + 1) as pilot:
        before = panel.drawings
        for second in range(2, 10):
            panel.now = ten + second
            await pilot.pause()
        assert panel.drawings == before
        panel.now = ten + 11
        await pilot.pause()
        assert panel.drawings == before + 1


async def test_many_changes_at_once_are_one_drawing() -> None:
    number = Number()
    async with shown(number, (40, 3)) as pilot:
        before = number.drawings
        for value in range(1, 9):
            number.value = value
        await pilot.pause()
        assert number.drawings == before + 1


async def test_a_second_of_age_repaints_a_few_cells_of_the_header() -> None:
    header = Header()
    async with shown(header, (120, 1), snapshot=snapshot()) as pilot:
        before = header.cells_repainted
        header.now = NOW + 1
        await pilot.pause()
        assert 0 < header.cells_repainted - before <= 12


async def test_one_changed_ratio_repaints_its_row_of_the_matrix_and_no_other() -> None:
    panel = MatrixPanel()
    first = snapshot()
    async with shown(panel, (78, 6), snapshot=first) as pilot:
        window: Window = msgspec.structs.replace(first.canary.window, error_ratio=0.0123)
        canary = msgspec.structs.replace(first.canary, window=window)
        regions, cells = panel.regions_repainted, panel.cells_repainted
        panel.snapshot = msgspec.structs.replace(first, canary=canary)
        before = panel._canvas
        await pilot.pause()
        assert panel._canvas is not None
        assert before is not None
        changed = [y for y in range(6) if panel._canvas.chars[y] != before.chars[y]]
        assert changed == [1]
        # The value, how it compares, and how much of the limit that is.
        assert 0 < panel.regions_repainted - regions <= 3
        assert panel.cells_repainted - cells <= len("0.37 %") + len("×1.3 ██░░░░░░░┃ 25 %")


async def test_a_second_repaints_nothing_of_the_matrix() -> None:
    panel = MatrixPanel()
    async with shown(panel, (78, 6), snapshot=snapshot(), now=NOW) as pilot:
        before = panel.cells_repainted
        panel.now = NOW + 1
        await pilot.pause()
        assert panel.cells_repainted == before


async def test_a_new_minute_repaints_a_small_part_of_a_plot() -> None:
    """Between two jumps of the grid a minute adds a column and moves nothing."""
    panel = PlotsPanel()
    samples = history(180, 2460)
    first = snapshot(legacy=side("l", samples), canary=side("c", samples))
    moved = 0
    async with shown(panel, (100, 20), snapshot=first) as pilot:
        for minutes in range(1, 4):
            now = NOW + 60 * minutes
            more = samples + history(minutes, 2460, until=now - 60)
            give(
                panel,
                now=now,
                snapshot=snapshot(
                    as_of=now, legacy=side("l", more, now), canary=side("c", more, now)
                ),
            )
            before = panel.cells_repainted
            await pilot.pause()
            moved = max(moved, panel.cells_repainted - before)
    assert moved < 100 * 20 / 4


async def test_a_widget_that_is_not_shown_is_not_drawn() -> None:
    number = Number()
    async with shown(number, (40, 3)) as pilot:
        number.display = False
        await pilot.pause()
        before = number.drawings
        number.value = 9
        await pilot.pause()
        assert number.drawings == before


async def test_a_widget_shown_again_is_up_to_date() -> None:
    number = Number()
    async with shown(number, (40, 3)) as pilot:
        number.display = False
        await pilot.pause()
        number.value = 9
        number.display = True
        await pilot.pause()
        assert "value 9" in screen_text(pilot)


def canvas_of(*rows: str) -> Canvas:
    canvas = Canvas(len(rows[0]), len(rows))
    for y, row in enumerate(rows):
        canvas.text(0, y, row, Style.null())
    return canvas


def test_changes_near_each_other_are_one_span_and_far_ones_two() -> None:
    before = canvas_of("a" * 40)
    near = canvas_of("b" + "a" * 5 + "b" + "a" * 33)
    far = canvas_of("b" + "a" * 38 + "b")
    assert changed_regions(before, near) == [Region(0, 0, 7, 1)]
    assert changed_regions(before, far) == [Region(0, 0, 1, 1), Region(39, 0, 1, 1)]


def test_a_changed_style_is_a_change() -> None:
    before, after = canvas_of("abc"), canvas_of("abc")
    after.put(1, 0, "b", Style(bold=True))
    assert changed_regions(before, after) == [Region(1, 0, 1, 1)]


@pytest.mark.parametrize("widget_type", [Header, MatrixPanel, PlotsPanel, DecisionTree])
async def test_the_terminal_ends_up_with_the_frame(widget_type: type[CellWidget]) -> None:
    """What was written cell by cell is what a widget drawn from nothing shows."""
    widget = widget_type()
    async with shown(widget, (100, 16), snapshot=snapshot()) as pilot:
        give(widget, snapshot=spiking(), now=NOW + 5)
        await pilot.pause()
        assert screen_text(pilot) == "\n".join(widget._paint(100, 16).lines())
