"""Panels as text frames, at several sizes: what is known is said, what is not known is said too."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.decision.gates import Gate
from canary.rollout.decision.tree import Alert
from canary.rollout.snapshot.snapshot import ChangeView, Drift, Event, StageView, TrafficView
from tests.widgets import scenes
from tests.widgets.scenes import NOW, PLAN, decision, snapshot
from tests.widgets.stage import frame, shown
from themes import PALETTES
from widgets.bars.header import Header
from widgets.bars.outcome import OutcomeBar
from widgets.bars.stage_track import StageTrack
from widgets.bars.state_row import StateRow
from widgets.panels.confidence import ConfidencePanel
from widgets.panels.decision import DecisionTree, GatesPanel
from widgets.panels.event_log import EventLog
from widgets.panels.matrix import MatrixPanel
from widgets.panels.plots import PlotsPanel
from widgets.panels.resources import ResourcesPanel
from widgets.plots.cells import CellWidget

ALL: list[type[CellWidget]] = [
    ConfidencePanel,
    DecisionTree,
    EventLog,
    GatesPanel,
    Header,
    PlotsPanel,
    MatrixPanel,
    OutcomeBar,
    ResourcesPanel,
    StageTrack,
    StateRow,
]
SCENES = {"ok": scenes.snapshot, "spike": scenes.spiking, "silent": scenes.silent}
SIZES = [(1, 1), (2, 2), (5, 3), (13, 4), (40, 10), (80, 24), (200, 60)]


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("widget_type", ALL, ids=lambda t: t.__name__)
async def test_every_widget_draws_at_every_size(widget_type: type[CellWidget], scene: str) -> None:
    widget = widget_type()
    async with shown(widget, SIZES[0], snapshot=SCENES[scene]()):
        for width, height in SIZES:
            lines = widget._paint(width, height).lines()
            assert len(lines) == height
            assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("widget_type", ALL, ids=lambda t: t.__name__)
async def test_every_widget_draws_without_a_snapshot(widget_type: type[CellWidget]) -> None:
    text = await frame(widget_type(), (40, 6))
    assert "✓" not in text


@pytest.mark.parametrize("theme", PALETTES)
async def test_a_theme_changes_styles_and_never_a_character_of_the_tree(theme: str) -> None:
    plain = await frame(DecisionTree(), (50, 10), snapshot=snapshot())
    assert await frame(DecisionTree(), (50, 10), theme=theme, snapshot=snapshot()) == plain


HOSTILE = "[bold red]x[/] \x1b[31mred\x1b[0m \u202egnp\n\tend"


@pytest.mark.parametrize("widget_type", ALL, ids=lambda t: t.__name__)
async def test_outside_text_is_data(widget_type: type[CellWidget]) -> None:
    base = snapshot()
    hostile = msgspec.structs.replace(
        base,
        rollout=HOSTILE,
        project=HOSTILE,
        region=HOSTILE,
        scenario=HOSTILE,
        events=(Event(NOW, "critical", HOSTILE, HOSTILE),),
        gates=(Gate("x", HOSTILE, None, "=", None, "no_data", HOSTILE),),
        decision=msgspec.structs.replace(base.decision, reason=HOSTILE),
        traffic=TrafficView(10, drift=Drift(5, 10, HOSTILE, NOW)),
        changes=(ChangeView("c", "scale", HOSTILE, HOSTILE, NOW, HOSTILE),),
        canary=msgspec.structs.replace(base.canary, revision=HOSTILE, ready=False),
    )
    text = await frame(widget_type(), (120, 12), snapshot=hostile)
    assert "\x1b" not in text
    assert "\u202e" not in text


async def test_markup_in_an_event_is_shown_as_it_is() -> None:
    events = (Event(NOW, "info", "[bold]x[/bold] [link=y]"),)
    assert "[bold]x[/bold] [link=y]" in await frame(
        EventLog(), (80, 4), snapshot=snapshot(events=events)
    )


async def test_the_tree_shows_value_answer_and_margin_of_each_node() -> None:
    assert (await frame(DecisionTree(), (40, 8), snapshot=snapshot())).rstrip().split("\n") == [
        "✓ error > 5 %       0.30 %  no  +4.70 pt",
        "✓ p95 > 30 s        610 ms  no   +29.4 s",
        "✓ success < 80 %    99.1 %  no  +19.1 pt",
        "✓ warning?            none  no",
        "╰▸ ✓ HEALTHY",
        "   All thresholds are OK.",
    ]


async def test_the_tree_stops_at_the_first_yes() -> None:
    rows = (await frame(DecisionTree(), (40, 12), snapshot=scenes.spiking())).split("\n")
    assert rows[0].startswith("✗ error > 5 %")
    assert "yes" in rows[0]
    assert all(row.startswith("–") for row in rows[1:4])
    assert "✗ ROLL BACK ALL" in rows[4]
    assert "✗ critical error 8.20 % > 5 %" in rows


async def test_the_tree_shows_the_watch_and_its_clock() -> None:
    watching = snapshot(decision=decision("watch"))
    text = await frame(DecisionTree(), (40, 12), snapshot=watching)
    assert "◐ WATCH" in text
    assert "23 m / 60 m" in text or "23 m / 1 h" in text


async def test_blind_nodes_say_no_data_and_the_verdict_is_not_green() -> None:
    text = await frame(DecisionTree(), (40, 12), snapshot=scenes.silent())
    assert "no data" in text
    assert "? SILENT" in text
    assert "✓" not in text


async def test_alerts_that_do_not_fit_are_counted() -> None:
    text = await frame(DecisionTree(), (40, 8), snapshot=scenes.spiking())
    assert "… 2 more limits passed" in text


async def test_gates_show_value_limit_and_evidence() -> None:
    rows = (await frame(GatesPanel(), (64, 8), snapshot=snapshot())).split("\n")
    assert rows[0] == "✓ error ratio         0.28 % ≤ 1.5 %  16 320 requests"
    assert rows[4] == "◌ soak             17 h 12 m ≥ 24 h   6 h 48 m to go"


async def test_unmet_gates_come_first_when_rows_are_short() -> None:
    rows = (await frame(GatesPanel(), (40, 3), snapshot=snapshot())).split("\n")
    assert rows[0].startswith("◌ soak")
    assert rows[2] == "… 4 more gates"


async def test_missing_gates_are_never_ticked() -> None:
    assert "✓" not in await frame(GatesPanel(), (60, 8), snapshot=scenes.silent())


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (0, "no gates for stage 1"),
        (5, "last stage: nothing follows"),
        (None, "stage not known"),
    ],
)
async def test_no_gates_are_explained(index: int | None, said: str) -> None:
    bare = snapshot(gates=(), stage=StageView(index, "", None))
    assert said in await frame(GatesPanel(), (60, 4), snapshot=bare)


async def test_resources_show_instances_within_their_range() -> None:
    assert "4 of 1–10" in await frame(ResourcesPanel(), (40, 4), snapshot=snapshot())


async def test_resources_plot_their_metrics_with_rows_to_spare() -> None:
    text = await frame(ResourcesPanel(), (38, 15), snapshot=snapshot())
    lines = [line.strip() for line in text.split("\n")]
    assert [name for name in ("cpu", "memory", "instances") if name in lines] == [
        "cpu",
        "memory",
        "instances",
    ]
    assert text.count("┤") >= 3 * 2


async def test_a_stage_limit_that_the_tree_does_not_ask_for_is_watched_and_not_healthy() -> None:
    alert = Alert("confidence", "stage", 0.55, 0.7)
    shown_ = msgspec.structs.replace(snapshot(), alerts=(alert,))
    text = await frame(StateRow(), (120, 1), snapshot=shown_)
    assert "◐ WATCH   stage limit: confidence 0.55 < 0.7" in text
    assert "HEALTHY" not in text


async def test_the_gauge_marks_the_criterion_of_the_stage() -> None:
    rows = (await frame(ConfidencePanel(), (58, 2), snapshot=snapshot())).split("\n")
    assert "┃" not in rows[0]
    assert rows[1].index("┃") == 18 + int(0.73 * 40)


async def test_a_side_without_scores_says_no_data_in_the_histogram() -> None:
    rows = (await frame(ConfidencePanel(), (40, 9), snapshot=scenes.silent())).split("\n")
    assert any("no data" in row for row in rows[3:])


async def test_the_verdict_is_never_green_without_data() -> None:
    assert (await frame(StateRow(), (60, 1))).strip() == "? NO DATA   not looked yet"
    unknown = await frame(StateRow(), (60, 2), snapshot=scenes.silent())
    assert unknown.startswith("✗ UNKNOWN OUTCOME")
    silent = msgspec.structs.replace(scenes.silent(), changes=())
    assert (await frame(StateRow(), (60, 2), snapshot=silent)).startswith("? SILENT")


def test_the_scenes_have_a_plan_of_five_stages() -> None:
    assert len(PLAN.stages) == 5


@pytest.mark.parametrize("state", ["thin", "stale", "missing", "masked"])
@pytest.mark.parametrize("widget_type", [MatrixPanel, PlotsPanel, ResourcesPanel, ConfidencePanel])
async def test_a_side_that_may_not_be_judged_bears_a_question_mark(
    widget_type: type[CellWidget], state: str
) -> None:
    base = snapshot()
    side = msgspec.structs.replace(base.canary, data=state)
    doubtful = msgspec.structs.replace(base, canary=side)
    text = await frame(widget_type(), (80, 8), snapshot=doubtful)
    assert "canary?" in text
    assert "legacy?" not in text
