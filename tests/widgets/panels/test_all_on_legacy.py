"""All traffic is on Legacy: no panel calls that an outage, and no want of data is green."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.evidence.verdict import NOBODY, MetricVerdict
from canary.rollout.snapshot.snapshot import Snapshot, StageView, TrafficView
from tests.widgets import scenes
from tests.widgets.evidence_scenes import VIEW
from tests.widgets.scenes import NOW
from tests.widgets.stage import frame, shown
from widgets.panels.confidence import ConfidencePanel
from widgets.panels.decision import DecisionTree
from widgets.panels.evidence import EvidencePanel
from widgets.panels.matrix import MatrixPanel
from widgets.panels.plots import PlotsPanel
from widgets.panels.resources import ResourcesPanel
from widgets.plots.cells import CellWidget

PANELS: list[type[CellWidget]] = [
    ConfidencePanel,
    DecisionTree,
    EvidencePanel,
    MatrixPanel,
    PlotsPanel,
    ResourcesPanel,
]


def off(**changes: object) -> Snapshot:
    """At 0 %: Canary has no request, and so no number."""
    names = ("errors", "slow", "score")
    unsaid = tuple(MetricVerdict(n, "inconclusive", why=NOBODY) for n in names)  # type: ignore[arg-type]
    base = msgspec.structs.replace(
        scenes.silent(),
        changes=(),
        gates=(),
        stage=StageView(0, "off", 0),
        traffic=TrafficView(0),
        evidence=msgspec.structs.replace(VIEW, metrics=unsaid),
    )
    return msgspec.structs.replace(base, **changes)


@pytest.mark.parametrize("size", [(36, 8), (44, 12), (80, 12), (106, 20)])
@pytest.mark.parametrize("widget_type", PANELS, ids=lambda t: t.__name__)
async def test_nothing_is_missing_hatched_or_unknown(
    widget_type: type[CellWidget], size: tuple[int, int]
) -> None:
    text = await frame(widget_type(), size, snapshot=off())
    for word in ("no data", "NO DATA", "?", "╱", "inconclusive", "✗", "◐"):
        assert word not in text.replace("warning?", "")
    assert "✓" not in text
    assert "–" in text


@pytest.mark.parametrize("widget_type", PANELS, ids=lambda t: t.__name__)
async def test_nothing_is_drawn_as_unknown(widget_type: type[CellWidget]) -> None:
    widget = widget_type()
    async with shown(widget, (80, 12), snapshot=off()):
        canvas, palette = widget._paint(80, 12), widget.palette
    used = {
        style
        for chars, styles in zip(canvas.chars, canvas.styles, strict=True)
        for char, style in zip(chars, styles, strict=True)
        if char != " "
    }
    assert not used & {palette.no_data, palette.stale, palette.alarm, palette.watch}


async def test_what_canary_had_before_is_not_stale_in_the_plots() -> None:
    """It was taken off half an hour ago: its line ends there."""
    old = scenes.side("c", scenes.history(180, 276, until=NOW - 1_800), data="stale")
    plots = await frame(PlotsPanel(), (80, 14), snapshot=off(canary=old))
    assert "╱" not in plots
    assert "stale" not in plots
    at_ten = off(canary=old, traffic=TrafficView(10))
    assert "╱" in await frame(PlotsPanel(), (80, 14), snapshot=at_ten)


async def test_an_idle_canary_has_its_resources_and_no_doubt() -> None:
    """It runs, and takes nothing: Cloud Monitoring still tells of its instances."""
    window = msgspec.structs.replace(off().canary.window, cpu=0.008, memory=0.41, instances=1.0)
    idle = off(canary=msgspec.structs.replace(off().canary, window=window))
    text = await frame(ResourcesPanel(), (44, 12), snapshot=idle)
    assert "0.80 %" in text
    assert "?" not in text


@pytest.mark.parametrize("widget_type", PANELS, ids=lambda t: t.__name__)
async def test_at_ten_percent_the_same_silence_is_no_data(widget_type: type[CellWidget]) -> None:
    text = await frame(widget_type(), (80, 12), snapshot=off(traffic=TrafficView(10)))
    assert "?" in text.replace("warning?", "")
