"""The histogram of the confidence: fixed bins, few rows, the means and the limit in their rows."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.measure.samples import Distribution
from canary.rollout.snapshot.snapshot import Snapshot, TrafficView
from tests.widgets import scenes
from tests.widgets.scenes import NOW, snapshot
from tests.widgets.stage import frame, shown
from widgets.panels.confidence import (
    BIN,
    MOST_ROWS,
    ConfidencePanel,
    bin_of,
    bin_shares,
    choose_rows,
)

EDGES = tuple(round(i * 0.05, 2) for i in range(1, 21))
counts = st.lists(st.integers(0, 1_000), min_size=21, max_size=21)


def distribution(values: list[int], mean: float = 0.85) -> Distribution:
    return Distribution(EDGES, tuple(values), sum(values), mean)


def scored(mean: float, legacy_mean: float = 0.72) -> Snapshot:
    base = snapshot()
    sides = {}
    for name, at in (("canary", mean), ("legacy", legacy_mean)):
        view = getattr(base, name)
        window = msgspec.structs.replace(
            view.window,
            confidence=at,
            confidence_count=500,
            confidence_distribution=scenes.scores(500, at),
        )
        sides[name] = msgspec.structs.replace(view, window=window)
    return msgspec.structs.replace(base, **sides)


async def histogram(drawn: Snapshot, size: tuple[int, int]) -> list[str]:
    """The rows below the gauge and its legend."""
    rows = (await frame(ConfidencePanel(), size, snapshot=drawn)).split("\n")
    return [row for row in rows[3:] if row.strip()]


@given(counts)
def test_bins_share_out_all_values(values: list[int]) -> None:
    found = bin_shares(distribution(values))
    if not sum(values):
        assert found is None
        return
    assert found is not None
    assert len(found) == 20
    assert sum(found) == pytest.approx(1.0)


@given(counts, counts, st.integers(0, 19), st.integers(1, 40))
def test_the_rows_are_few_and_hold_all_values(
    ours: list[int], theirs: list[int], needed: int, rows: int
) -> None:
    both = bin_shares(distribution(ours)), bin_shares(distribution(theirs))
    chosen = choose_rows(both, needed, rows)
    assert 0 <= chosen.first <= chosen.last <= 19
    assert chosen.last - chosen.first + 1 <= min(rows, MOST_ROWS)
    assert chosen.first <= chosen.of(needed) <= chosen.last
    for shares in both:
        if shares is not None:
            assert sum(chosen.fold(shares).values()) == pytest.approx(1.0)


def test_without_values_there_are_no_bins() -> None:
    assert bin_shares(None) is None
    assert bin_shares(Distribution((), (), 0)) is None


@pytest.mark.parametrize(
    ("value", "index"),
    [(0.0, 0), (0.049, 0), (0.05, 1), (0.7, 14), (0.73, 14), (1.0, 19), (1.2, 19)],
)
def test_an_edge_belongs_to_the_bin_above_it(value: float, index: int) -> None:
    assert bin_of(value) == index


@pytest.mark.parametrize("size", [(30, 11), (40, 20), (58, 40), (100, 14)])
async def test_bins_are_a_twentieth_wide_and_at_most_twelve(size: tuple[int, int]) -> None:
    rows = await histogram(scored(0.85), size)
    assert len(rows) <= MOST_ROWS
    labels = [
        next(w for w in row.replace("●", " ").replace("┃", " ").split() if "0." in w)
        for row in rows
    ]
    edges = [float(label) for label in labels if label[0] == "0"]
    assert len(edges) >= 5
    assert {round(a - b, 2) for a, b in pairwise(edges)} == {BIN}


async def test_both_means_and_the_limit_are_marked_in_their_rows() -> None:
    rows = await histogram(scored(0.85), (40, 20))
    marked = {mark: [row for row in rows if mark in row] for mark in "●┃"}
    assert [row.replace("●", " ").split("0.")[1][:2] for row in marked["●"]] == ["85", "70"]
    assert [row.split("0.")[1][:2] for row in marked["┃"]] == ["70"]
    legacy, canary = marked["●"][1], marked["●"][0]
    assert legacy.index("●") < legacy.index("0.70")
    assert canary.index("●") > canary.index("0.85")


async def test_the_legend_says_what_the_marks_are() -> None:
    text = await frame(ConfidencePanel(), (40, 12), snapshot=scored(0.85))
    assert "● mean  ┃ required ≥ 0.73" in text


async def test_what_has_no_row_of_its_own_is_counted_in_the_lowest() -> None:
    rows = await histogram(scored(0.95, 0.3), (40, 20))
    assert len(rows) == MOST_ROWS
    assert "<" in rows[-1]
    assert "█" in rows[-1]
    assert "●" in rows[-1]


async def test_low_scores_have_their_rows_too() -> None:
    rows = await histogram(scored(0.3, 0.25), (40, 20))
    assert any("0.30" in row and "●" in row for row in rows)
    assert any("┃" in row for row in rows)


async def test_a_side_that_may_not_be_judged_is_grey() -> None:
    base = scored(0.85)
    stale = msgspec.structs.replace(base, canary=msgspec.structs.replace(base.canary, data="stale"))
    widget = ConfidencePanel()
    async with shown(widget, (40, 14), snapshot=stale):
        canvas, palette = widget._paint(40, 14), widget.palette
    styles = {
        style
        for y in range(1, 14)
        for char, style in zip(canvas.chars[y], canvas.styles[y], strict=True)
        if char in "█▌"
    }
    assert palette.canary not in styles
    assert palette.stale in styles
    assert palette.legacy in styles


async def test_all_on_legacy_is_a_dash_and_not_missing() -> None:
    off = msgspec.structs.replace(
        scenes.silent(), traffic=TrafficView(0), canary=scenes.side("c", ())
    )
    text = await frame(ConfidencePanel(), (40, 14), snapshot=off)
    assert "no data" not in text
    assert "–" in text


async def test_a_new_minute_of_the_same_shape_repaints_nothing() -> None:
    widget = ConfidencePanel()
    async with shown(widget, (40, 14), snapshot=scored(0.85)) as pilot:
        before = widget.cells_repainted
        widget.snapshot = msgspec.structs.replace(scored(0.85), as_of=NOW + 60)
        await pilot.pause()
        assert widget.cells_repainted == before
