"""The plot draws what was measured and nothing else, at any size."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from canary.rollout.change.stage_record import StageRecord
from canary.rollout.measure.samples import Sample
from canary.rollout.snapshot.snapshot import Snapshot, TrafficView
from tests.widgets import scenes
from tests.widgets.scenes import NOW, PLAN, history, side, snapshot
from tests.widgets.stage import frame
from themes import PALETTES
from widgets.panels.plots import PlotsPanel
from widgets.plots.axes import Box, Scale
from widgets.plots.canvas import Canvas
from widgets.plots.picture import EndLabel, Limit, Picture
from widgets.plots.plot import draw_picture
from widgets.plots.series import ColumnGrid, PlotSeries

DARK = PALETTES["dark"]
MONO = PALETTES["mono"]
WIDTH, HEIGHT = 20, 8


def series(values: list[float | None], lone: set[int] | None = None) -> PlotSeries:
    return PlotSeries(tuple(values), frozenset(lone or ()), 0.0)


def plotted(
    legacy: list[float | None],
    canary: list[float | None],
    *,
    lone: set[int] | None = None,
    newest: float = 0.0,
    limits: tuple[Limit, ...] = (),
    height: int = HEIGHT,
    theme: str = "dark",
    **more: Any,
) -> Canvas:
    """A picture of 0…100 on a canvas narrow enough to have no axis labels."""
    columns = max(len(legacy), len(canary))
    picture = Picture(
        metric="p95_ms",
        grid=ColumnGrid(0.0, 60.0, columns),
        legacy=series(legacy, lone),
        canary=replace(series(canary, lone), newest_at=newest),
        scale=Scale(0.0, 100.0),
        now=60.0 * columns,
        limits=limits,
        stale_after_s=1e9,
    )
    canvas = Canvas(columns, height)
    box = Box(0, 0, columns, height)
    assert box.inner().x == 0
    draw_picture(canvas, box, replace(picture, **more), PALETTES[theme])
    return canvas


def data_rows(canvas: Canvas) -> list[str]:
    """The rows without the time axis."""
    return ["".join(row) for row in canvas.chars[: canvas.height - (canvas.height >= 4)]]


def test_a_gap_of_legacy_stays_blank() -> None:
    rows = data_rows(plotted([50.0, 50.0, None, None, 50.0, 50.0], []))
    assert all(row[2:4] == "  " for row in rows)
    assert any(row[0] != " " for row in rows)


def test_a_gap_of_canary_is_not_bridged() -> None:
    rows = data_rows(plotted([], [90.0, 90.0, None, 10.0, 10.0]))
    assert all(row[2] == " " for row in rows)


def test_one_point_of_canary_is_one_point() -> None:
    rows = data_rows(plotted([], [None, None, 50.0, None], lone={2}))
    assert "".join(rows).replace(" ", "") == "•"


def test_one_point_of_legacy_is_a_point_and_no_bar() -> None:
    rows = data_rows(plotted([None, 50.0, None, None], [], lone={1}))
    assert "".join(rows).replace(" ", "") == "◦"


def test_a_zero_is_seen_and_is_not_a_gap() -> None:
    rows = data_rows(plotted([0.0, 0.0, None, None], []))
    assert rows[-1] == "⡀⡀  "


def test_both_sides_share_one_scale() -> None:
    """Equal values are drawn at equal height, whatever the other side does."""
    other: list[float | None] = [90.0] * 4
    gap: list[float | None] = [None] * 4
    for value in (0.0, 37.0, 50.0, 100.0):
        own: list[float | None] = [value] * 4
        legacy = data_rows(plotted(own + gap, gap + other, height=7))
        canary = data_rows(plotted(other + gap, gap + own, height=7))
        assert _row_of(legacy, 0) == _row_of(canary, 4)


def _row_of(rows: list[str], column: int) -> int:
    return next(i for i, row in enumerate(rows) if "⠀" < row[column] <= "⣿")


def test_no_side_is_filled_and_neither_hides_the_other() -> None:
    rows = data_rows(plotted([70.0] * 8, [30.0] * 8))
    assert not set("".join(rows)) & set("▁▂▃▄▅▆▇█░▒▓")
    assert sum(bool(row.strip()) for row in rows) == 2


@pytest.mark.parametrize(("value", "row"), [(100.0, 0), (0.0, 6), (50.0, 3)])
def test_a_limit_is_drawn_at_its_value(value: float, row: int) -> None:
    rows = data_rows(plotted([None] * 8, [None] * 8, limits=(Limit(value, "critical"),)))
    assert "╍" in rows[row]
    assert sum("╍" in r for r in rows) == 1


def test_warning_and_critical_limits_differ_without_colour() -> None:
    limits = (Limit(20.0, "warning"), Limit(80.0, "critical"))
    text = "".join(data_rows(plotted([1.0] * 8, [], limits=limits)))
    assert "╌" in text
    assert "╍" in text


def test_the_sides_differ_without_colour() -> None:
    legacy = {c for row in data_rows(plotted([70.0] * 8, [], theme="mono")) for c in row}
    canary = {c for row in data_rows(plotted([], [70.0] * 8, theme="mono")) for c in row}
    assert legacy & canary == {" "}


def test_what_is_too_old_is_hatched() -> None:
    canvas = plotted(
        [None] * 8,
        [50.0, 50.0] + [None] * 6,
        newest=120.0,
        stale_after_s=300.0,
    )
    rows = data_rows(canvas)
    assert all(set(row[2:]) == {"╱"} for row in rows)
    assert not any("╱" in row[:2] for row in rows)


def test_what_is_recent_is_not_hatched() -> None:
    canvas = plotted(
        [],
        [50.0] * 6 + [None] * 2,
        newest=360.0,
        stale_after_s=120.0,
    )
    assert not any("╱" in row for row in data_rows(canvas))


def test_the_masked_period_is_dotted_and_the_change_marked() -> None:
    rows = data_rows(
        plotted([], [50.0, *[None] * 7], lone={0}, changes=(121.0,), masked=((121.0, 300.0),))
    )
    assert all(row[2] == "┊" for row in rows)
    assert any("·" in row[3:5] for row in rows)
    assert not any("·" in row[:2] + row[5:] for row in rows[:3])


def test_no_value_at_all_says_no_data() -> None:
    assert any("no data" in row for row in data_rows(plotted([None] * 12, [None] * 12)))


def test_the_axis_has_units_and_the_time() -> None:
    canvas = Canvas(60, 9)
    picture = Picture(
        "p95_ms",
        ColumnGrid(NOW - 3000, 60.0, 53),
        series([100.0] * 53),
        series([90.0] * 53),
        Scale(0.0, 800.0),
        NOW,
    )
    draw_picture(canvas, Box(0, 0, 60, 9), picture, DARK)
    lines = canvas.lines()
    assert lines[0].startswith(" 800 ms┤") or lines[0].startswith("800 ms┤")
    assert lines[7].lstrip().startswith("0┤")
    assert "╵14:00" in lines[8]


def test_a_limit_off_the_scale_is_named_at_the_edge() -> None:
    canvas = Canvas(60, 9)
    picture = Picture(
        "p95_ms",
        ColumnGrid(NOW - 3000, 60.0, 53),
        series([100.0] * 53),
        series([90.0] * 53),
        Scale(0.0, 800.0),
        NOW,
        (Limit(20_000.0, "warning"),),
    )
    draw_picture(canvas, Box(0, 0, 60, 9), picture, DARK)
    assert "↑ warning 20 s" in canvas.lines()[0]


def labelled(**more: Any) -> list[str]:
    """A picture of an hour up to NOW, with labels, whose sides are 100 throughout."""
    canvas = Canvas(60, 9)
    flat = PlotSeries((100.0,) * 53, frozenset(), NOW)
    picture = Picture(
        "p95_ms", ColumnGrid(NOW - 3180, 60.0, 53), flat, flat, Scale(0.0, 100.0), NOW
    )
    draw_picture(canvas, Box(0, 0, 60, 9), replace(picture, **more), DARK)
    return canvas.lines()


def test_changes_do_not_hide_the_name_of_a_limit_off_the_scale() -> None:
    every_minute = tuple(NOW - 60.0 * i for i in range(53))
    lines = labelled(changes=every_minute, limits=(Limit(20_000.0, "warning"),))
    assert "↑ warning 20 s" in lines[0]


def test_a_fresh_legacy_does_not_hide_that_canary_is_stale() -> None:
    lines = labelled(canary=PlotSeries((100.0,) * 18 + (None,) * 35, frozenset(), NOW - 2100))
    assert any(" canary stale 35 m " in line for line in lines)


SIZES = [(1, 1), (3, 2), (10, 4), (21, 5), (40, 10), (80, 24), (120, 12), (200, 60)]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_plot_is_drawn_at_any_size(size: tuple[int, int]) -> None:
    text = await frame(PlotsPanel(), size, snapshot=snapshot())
    assert text.strip()


async def test_without_a_snapshot_a_plot_says_no_data() -> None:
    assert (await frame(PlotsPanel(), (40, 5))).strip() == "no data"


async def test_a_side_without_samples_says_no_data_at_its_end() -> None:
    text = await frame(PlotsPanel(), (80, 5), snapshot=scenes.silent())
    assert "canary no data" in text


def _changed_at(at: float) -> Snapshot:
    record = StageRecord(2, 10, at, "oncall", "b", "c", "promote")
    return snapshot(traffic=TrafficView(10, record))


async def test_a_change_of_the_split_is_marked_in_the_plot() -> None:
    text = await frame(PlotsPanel(), (80, 10), snapshot=_changed_at(NOW - 1800))
    assert "┊" in text


async def test_samples_with_gaps_leave_their_columns_blank() -> None:
    whole: tuple[Sample, ...] = history(60, 600)
    holed = side("ion-api-canary", whole[:20] + whole[35:])
    only = snapshot(canary=holed, legacy=side("ion-api", ()))
    text = await frame(PlotsPanel(), (80, 9), snapshot=only, plan=PLAN)
    line_columns = {
        i for row in text.splitlines()[1:-1] for i, c in enumerate(row) if "⠀" < c <= "⣿"
    }
    span = range(min(line_columns), max(line_columns) + 1)
    assert len([i for i in span if i not in line_columns]) >= 10


@pytest.mark.parametrize("late_s", range(0, 600, 60))
def test_a_time_is_written_whole_or_not_at_all(late_s: int) -> None:
    grid = ColumnGrid(NOW - 3180 + late_s, 60.0, 53)
    assert "…" not in labelled(grid=grid, now=NOW + late_s)[8]


# Names: of the lines at their ends, of the limits on theirs.


def named(
    first: float | None,
    second: float | None,
    width: int = 80,
    height: int = 9,
    ends: tuple[EndLabel, EndLabel] = (EndLabel("1.22 s"), EndLabel("0.60 s")),
    **more: Any,
) -> Canvas:
    """Two level lines of one hour up to NOW with names at their ends."""
    box = Box(0, 0, width, height)
    columns = box.inner().width
    sides = [PlotSeries((v,) * columns, frozenset(), NOW) for v in (first, second)]
    grid = ColumnGrid(NOW - 60.0 * columns, 60.0, columns)
    picture = Picture("p95_ms", grid, sides[0], sides[1], Scale(0.0, 1500.0), NOW, ends=ends)
    canvas = Canvas(width, height)
    draw_picture(canvas, box, replace(picture, **more), DARK)
    return canvas


def test_each_line_is_named_where_it_ends() -> None:
    lines = named(1220.0, 600.0).lines()
    (legacy,) = (i for i, line in enumerate(lines) if line.endswith("legacy 1.22 s"))
    (canary,) = (i for i, line in enumerate(lines) if line.endswith("canary 0.60 s"))
    assert legacy < canary
    assert "⠀" < lines[legacy][60] <= "⣿"
    assert "⠀" < lines[canary][60] <= "⣿"


@pytest.mark.parametrize("value", [0.0, 750.0, 1500.0])
def test_lines_that_end_together_are_both_named_the_greater_above(value: float) -> None:
    lines = named(value, value * 0.999).lines()
    legacy = next(i for i, line in enumerate(lines) if line.endswith("legacy 1.22 s"))
    canary = next(i for i, line in enumerate(lines) if line.endswith("canary 0.60 s"))
    assert legacy == canary - 1


def test_a_line_is_named_by_a_letter_where_there_is_less_room_and_not_in_none() -> None:
    assert any(line.endswith("C 0.60 s") for line in named(1220.0, 600.0, 40).lines())
    assert not any("0.60" in line for line in named(1220.0, 600.0, 30).lines())


def test_a_value_that_may_not_be_judged_is_named_as_unknown() -> None:
    doubtful = (EndLabel("1.22 s"), EndLabel("no data", is_judged=False))
    canvas = named(1220.0, None, ends=doubtful)
    row = next(y for y, line in enumerate(canvas.lines()) if line.endswith("no data"))
    assert canvas.styles[row][len(canvas.lines()[row]) - 1] == DARK.no_data


def test_a_limit_on_the_scale_carries_its_name_on_its_line() -> None:
    canvas = named(100.0, 90.0, limits=(Limit(1000.0, "warning"), Limit(1400.0, "critical")))
    (warning,) = (line for line in canvas.lines() if "warning 1 s" in line)
    (critical,) = (line for line in canvas.lines() if "critical 1.4 s" in line)
    assert "╌" in warning
    assert "╍" in critical


def test_the_name_of_a_limit_goes_where_it_hides_no_data() -> None:
    """Both lines lie on the limit in the first half; the name stands at the right."""
    columns = Box(0, 0, 80, 9).inner().width
    half = columns // 2
    on = PlotSeries((1000.0,) * half + (100.0,) * (columns - half), frozenset(), NOW)
    canvas = named(100.0, 90.0, legacy=on, canary=on, limits=(Limit(1000.0, "warning"),))
    (line,) = (line for line in canvas.lines() if "warning 1 s" in line)
    assert line.index("warning") > half
    assert sum("⠀" < char <= "⣿" for char in line) >= half


def test_limits_are_neutral_and_dim_when_off_the_scale() -> None:
    on = named(100.0, 90.0, limits=(Limit(1000.0, "critical"),))
    off = named(100.0, 90.0, limits=(Limit(30_000.0, "critical"),))
    found = []
    for canvas in (on, off):
        y = next(i for i, line in enumerate(canvas.lines()) if "critical" in line)
        found.append(canvas.styles[y][canvas.lines()[y].index("critical")])
    assert found == [DARK.critical_line, DARK.quiet]


@pytest.mark.parametrize("width", [24, 40, 80, 120])
def test_now_is_marked_at_the_right_of_the_time_axis(width: int) -> None:
    axis = named(100.0, 90.0, width).lines()[8]
    inner = Box(0, 0, width, 9).inner()
    mark = axis.index("╵now") if "╵now" in axis else axis.index("now╵") + 3
    assert mark == inner.x + inner.width - 1


def test_plots_of_one_time_axis_leave_it_to_the_lowest() -> None:
    canvas = Canvas(80, 9)
    box = Box(0, 0, 80, 9, with_time=False)
    columns = box.inner().width
    flat = PlotSeries((100.0,) * columns, frozenset(), NOW)
    grid = ColumnGrid(NOW - 60.0 * columns, 60.0, columns)
    draw_picture(canvas, box, Picture("p95_ms", grid, flat, flat, Scale(0.0, 200.0), NOW), DARK)
    assert not any("╵" in line for line in canvas.lines())
    assert canvas.lines()[8].lstrip().startswith("0┤")
