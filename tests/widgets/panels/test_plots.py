"""The plots: which comes first, how large, what its heading says, and the percentiles below."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.tree import Alert, DataState
from canary.rollout.evidence.view import Advice
from canary.rollout.snapshot.snapshot import Snapshot, TrafficView
from tests.widgets.scenes import NOW, PLAN, history, side, snapshot
from tests.widgets.stage import frame
from widgets.panels.matrix_cells import ROWS, RowMetric
from widgets.panels.plots import PlotsPanel
from widgets.panels.plots_heading import find_decisive, heading_parts, in_order
from widgets.panels.plots_layout import lay_out_plots
from widgets.plots.axes import Box


def with_alerts(*alerts: tuple[str, str]) -> Snapshot:
    found = tuple(Alert(name, scope, 1.0, 0.5) for name, scope in alerts)  # type: ignore[arg-type]
    return msgspec.structs.replace(snapshot(), alerts=found)


def with_advice(*names: str) -> Snapshot:
    advice = Advice("advise", "…", names, NOW)
    return msgspec.structs.replace(snapshot(), advice=advice)


@pytest.mark.parametrize(
    ("shown", "first"),
    [
        (with_alerts(("p95_ms", "critical"), ("error_ratio", "warning")), "p95_ms"),
        (with_alerts(("success_ratio", "warning")), "success_ratio"),
        (with_alerts(("confidence", "stage")), "confidence"),
        (with_advice("slow"), "p95_ms"),
        (with_advice("score", "errors"), "confidence"),
        (snapshot(canary=side("ion-api-canary", history(60, 300, errors=0.04))), "error_ratio"),
        (snapshot(canary=side("ion-api-canary", history(60, 300, median_ms=9_000))), "p95_ms"),
    ],
    ids=["critical", "warning", "stage", "proven", "proven first", "near: errors", "near: p95"],
)
def test_what_decided_comes_first(shown: Snapshot, first: RowMetric) -> None:
    for last in (None, *ROWS):
        assert in_order(find_decisive(shown, PLAN, last))[0] == first


def test_the_first_place_stays_while_no_other_is_much_nearer_its_limit() -> None:
    for last in ROWS:
        has_limit = getattr(PLAN.alerts.critical, last) is not None
        assert find_decisive(snapshot(), PLAN, last) == (last if has_limit else "error_ratio")


def test_each_metric_has_one_place() -> None:
    for metric in ROWS:
        assert sorted(in_order(metric)) == sorted(ROWS)


@given(st.integers(1, 260), st.integers(1, 70), st.booleans())
def test_plots_do_not_overlap_and_stay_inside(width: int, height: int, framed: bool) -> None:
    taken: set[tuple[int, int]] = set()
    for tile in lay_out_plots(width, height, is_framed=framed):
        rows = [] if tile.heading is None else [Box(tile.box.x, tile.heading, tile.box.width, 1)]
        for box in (tile.box, *rows):
            cells = {
                (x, y)
                for x in range(box.x, box.x + box.width)
                for y in range(box.y, box.y + box.height)
            }
            assert not cells & taken
            assert all(0 <= x < width and 0 <= y < height for x, y in cells)
            taken |= cells


@pytest.mark.parametrize("width", [84, 100, 131, 132, 160, 200])
def test_the_first_is_twice_as_wide_where_others_stand_beside_it(width: int) -> None:
    first, *others = lay_out_plots(width, 14, is_framed=True)
    assert others
    assert all(1.85 <= first.box.width / other.box.width <= 2.3 for other in others)


@pytest.mark.parametrize(("width", "height"), [(70, 20), (70, 40), (110, 22)])
def test_those_below_each_other_share_one_time_axis(width: int, height: int) -> None:
    tiles = lay_out_plots(width, height, is_framed=True)
    below = [t for t in tiles if t.box.x == tiles[-1].box.x]
    assert len(below) > 1
    assert [t.box.with_time for t in below] == [False] * (len(below) - 1) + [True]


@given(st.integers(20, 260), st.integers(4, 70))
def test_a_larger_panel_never_shows_fewer_plots(width: int, height: int) -> None:
    count = len(lay_out_plots(width, height, is_framed=True))
    assert len(lay_out_plots(width, height + 1, is_framed=True)) >= count


def test_a_heading_says_canary_against_legacy_and_the_next_limits_share() -> None:
    assert heading_parts("error_ratio", snapshot(), PLAN, NOW) == (
        "errors",
        "canary ×1.3 of legacy",
        "18 % of warning 2 %",
    )
    assert heading_parts("success_ratio", snapshot(), PLAN, NOW)[1:] == (
        "canary +0.2 pt",
        "11 % of warning ≥ 90 %",
    )


def test_a_passed_warning_gives_the_place_to_the_critical_limit() -> None:
    bad = snapshot(canary=side("ion-api-canary", history(60, 300, errors=0.04)))
    assert heading_parts("error_ratio", bad, PLAN, NOW)[2].endswith("of critical 5 %")
    worse = snapshot(canary=side("ion-api-canary", history(60, 300, errors=0.09)))
    part = heading_parts("error_ratio", worse, PLAN, NOW)[2]
    assert part.endswith("of critical 5 %")
    assert int(part.split()[0]) > 100


@pytest.mark.parametrize(
    ("state", "word"),
    [("stale", "stale"), ("missing", "no data"), ("thin", "too few"), ("masked", "settles")],
)
def test_data_that_cannot_be_judged_has_no_ratio(state: DataState, word: str) -> None:
    shown = snapshot(canary=msgspec.structs.replace(snapshot().canary, data=state))
    assert heading_parts("p95_ms", shown, PLAN, NOW) == ("p95", f"canary {word}")


def test_without_canary_traffic_the_heading_says_so() -> None:
    off = snapshot(traffic=TrafficView(0))
    assert off.traffic.is_all_on_legacy
    assert heading_parts("p95_ms", off, PLAN, NOW) == ("p95", "all traffic is on Legacy")


async def test_the_frame_says_what_the_first_plot_is_about() -> None:
    panel = PlotsPanel()
    panel.styles.border = ("round", "white")
    rows = (await frame(panel, (90, 12), snapshot=snapshot())).splitlines()
    assert rows[0].startswith("╭─ errors ── canary ×1.3 of legacy ── 18 % of warning 2 % ─")
    assert not any(row[1:].startswith("errors") for row in rows[1:])


async def test_without_a_frame_the_heading_is_the_first_row_with_the_window() -> None:
    rows = (await frame(PlotsPanel(), (80, 7), snapshot=snapshot())).splitlines()
    assert rows[0] == "errors  canary ×1.3 of legacy  18 % of warning 2 %  last 1 h"
    assert sum("┤" in row for row in rows) >= 2


async def test_all_four_stand_beside_each_other_where_there_is_room() -> None:
    first = (await frame(PlotsPanel(), (200, 14), snapshot=snapshot())).splitlines()[0]
    at = [first.index(name) for name in ("errors", "p95", "success", "score")]
    assert at == sorted(at)


async def test_the_percentiles_of_both_sides_stand_below() -> None:
    wide = await frame(PlotsPanel(), (100, 12), snapshot=snapshot())
    assert (
        "latency  canary  p50 181 ms  p95 402 ms  p99 562 ms"
        "  legacy  p50 169 ms  p95 387 ms  p99 546 ms"
    ) in wide
    short = await frame(PlotsPanel(), (68, 7), snapshot=snapshot())
    assert "latency p50·p95·p99  canary 181·402·562 ms  legacy 169·387·546 ms" in short


async def test_a_heading_that_does_not_fit_is_marked() -> None:
    first = (await frame(PlotsPanel(), (40, 6), snapshot=snapshot())).splitlines()[0]
    assert first == "errors  canary ×1.3 of legacy …"


async def test_beside_the_first_the_ratio_stays_when_its_name_has_no_room() -> None:
    panel = PlotsPanel()
    panel.styles.border = ("round", "white")
    rows = (await frame(panel, (86, 20), snapshot=snapshot())).splitlines()
    for name in ("p95  ×1.0 of legacy …", "success  canary +0.2 pt …", "score  canary +0.03"):
        assert any(name in row for row in rows), name
