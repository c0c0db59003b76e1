"""The evidence panel as text frames: every verdict in words, and what is missing is said."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.evidence.state import Detection
from canary.rollout.evidence.view import EvidenceView, SplitView, TailView
from tests.widgets import evidence_scenes as scenes
from tests.widgets.evidence_scenes import (
    ADVICE,
    INCONCLUSIVE,
    PASSED,
    PROVEN,
    UNDECIDED,
    UNKNOWN,
    VIEW,
    with_evidence,
    with_metrics,
)
from tests.widgets.scenes import NOW
from tests.widgets.stage import frame, shown
from widgets.panels.confidence import ConfidencePanel
from widgets.panels.decision import DecisionTree
from widgets.panels.evidence import EvidencePanel, needed
from widgets.panels.latency import LatencyPanel
from widgets.panels.matrix import MatrixPanel
from widgets.plots.picture import PlotMaker
from widgets.plots.series import Metric

ROOMY = (76, 15)
TIGHT = (44, 5)


async def panel(view: EvidenceView, size: tuple[int, int] = ROOMY) -> str:
    return await frame(EvidencePanel(), size, snapshot=with_evidence(view))


async def one(metric: object, size: tuple[int, int] = ROOMY) -> str:
    return await frame(EvidencePanel(), size, snapshot=with_metrics(metric))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "long", "short"),
    [
        (PROVEN, "✗ errors proven worse 14:18:00Z", "proven worse 14:18:00Z"),
        (PASSED, "✓ score  no worse than 2×", "no worse than 2×"),
        (
            UNDECIDED,
            "◌ slow   undecided: about 2 400 more Canary requests, 9 m at today's rate",
            "undecided: 2 400 more, 9 m",
        ),
        (INCONCLUSIVE, "? slow   inconclusive: session affinity", "inconclusive: session a"),
        (UNKNOWN, "◌ score  undecided: no scores of both sides", "undecided: no scores of b"),
    ],
)
async def test_every_verdict_has_a_glyph_and_words(metric: object, long: str, short: str) -> None:
    assert long in await one(metric)
    assert short in await one(metric, TIGHT)


async def test_five_rows_hold_all_verdicts_the_split_and_the_source() -> None:
    rows = (await panel(VIEW, TIGHT)).splitlines()
    assert [row[:8].rstrip() for row in rows] == [
        "✗ errors",
        "◌ slow",
        "✓ score",
        "✓ split",
        "  source",
    ]


async def test_the_strength_is_a_bar_from_nothing_to_proven() -> None:
    rows = (await panel(VIEW, TIGHT)).splitlines()
    assert "██████ proven" in rows[0]
    assert "█▉░░░░ undecided" in rows[1]


async def test_both_proofs_stand_side_by_side_where_there_is_room() -> None:
    assert "0.31   no worse █████████▉░░░░░░ 0.62" in await panel(VIEW)


async def test_both_sides_are_shown_with_what_they_rest_on() -> None:
    assert "canary 5.20 % of 1 204  legacy 4.80 % of 22 800" in await panel(VIEW)


async def test_a_side_without_requests_is_no_data_and_no_zero() -> None:
    text = await one(UNKNOWN)
    assert "canary no data  legacy no data" in text
    assert "0.00 %" not in text


async def test_what_is_left_out_is_said_with_its_reason() -> None:
    assert "left out 30 s, 480 requests: just after the change" in await panel(VIEW)


async def test_suppressed_and_late_entries_are_counted() -> None:
    assert "12 suppressed, 3 too late" in await panel(VIEW)


@pytest.mark.parametrize(
    ("source", "tail", "said"),
    [
        ("tail", TailView(), "source request log, 6 s old"),
        ("tail", TailView(sampled=0.25), "a sample of 25.0 %"),
        ("tail", TailView(trouble="the stream was cut"), "request log: the stream was cut"),
        ("monitoring", TailView(off="no right to it"), "request log off: no right to it"),
        ("monitoring", TailView(off="x"), "Cloud Monitoring, 6 s late"),
        ("none", TailView(), "source none yet"),
    ],
)
async def test_the_source_says_how_old_it_is_and_why_there_is_no_better(
    source: str, tail: TailView, said: str
) -> None:
    assert said in await panel(msgspec.structs.replace(VIEW, source=source, tail=tail))


async def test_a_wrong_split_is_a_mismatch_in_words() -> None:
    view = msgspec.structs.replace(VIEW, split=SplitView(0.05, 0.05, 0.12, is_mismatch=True))
    assert "✗ split  MISMATCH 12.0 % measured, 5 % intended, 5 % reported" in await panel(view)


async def test_a_split_that_is_not_measured_is_not_called_well() -> None:
    text = await panel(msgspec.structs.replace(VIEW, split=SplitView(0.05, 0.05, None)))
    assert "? split  no data measured" in text


async def test_the_first_seconds_after_a_change_are_set_apart() -> None:
    view = msgspec.structs.replace(VIEW, set_apart_until=NOW + 20)
    assert "set apart until 14:23:20Z" in await panel(view)
    assert "set apart" not in await panel(VIEW)


@pytest.mark.parametrize(
    "view", [None, EvidenceView((), "none", TailView(off="x"), SplitView(None, None, None))]
)
async def test_without_evidence_nothing_is_green(view: EvidenceView | None) -> None:
    text = await frame(EvidencePanel(), TIGHT, snapshot=with_evidence(view))
    assert "no data: nothing is compared yet" in text
    assert "✓" not in text


async def test_while_the_past_is_judged_again_that_is_said_and_nothing_is_green() -> None:
    view = msgspec.structs.replace(VIEW, metrics=(), rebuilding=0.437)
    text = await frame(EvidencePanel(), TIGHT, snapshot=with_evidence(view))
    assert "no data: rebuilding, 43 % judged again" in text
    assert "✓" not in text


async def test_a_late_regression_is_shown_with_the_ratios_since_it_began() -> None:
    assert "from 14:13:00Z: canary 3.02 % of 398  legacy 0.49 % of 7 600" in await panel(VIEW)


async def test_it_says_how_long_a_proof_holds() -> None:
    assert "a proof holds until the split changes" in await panel(VIEW)
    assert "holds until" not in await one(PASSED)


async def test_reasons_from_outside_are_data() -> None:
    hostile = "[bold]x[/] \x1b[31mred \u202egnp"
    text = await panel(msgspec.structs.replace(VIEW, tail=TailView(off=hostile), source="none"))
    assert "[bold]x[/] red gnp" in text


async def test_the_same_evidence_repaints_nothing() -> None:
    widget = EvidencePanel()
    async with shown(widget, ROOMY, snapshot=with_evidence()) as pilot:
        before = widget.cells_repainted
        widget.snapshot = with_evidence()
        await pilot.pause()
        assert widget.cells_repainted == before


async def test_a_second_repaints_only_the_age() -> None:
    widget = EvidencePanel()
    async with shown(widget, ROOMY, snapshot=with_evidence(), now=NOW) as pilot:
        before = widget.cells_repainted
        widget.now = NOW + 1
        await pilot.pause()
        assert 0 < widget.cells_repainted - before <= 2


@pytest.mark.parametrize(
    ("requests", "said"), [(0.2, "1"), (99.0, "99"), (101.0, "110"), (2_345.2, "2 400")]
)
def test_a_forecast_is_rounded_up_to_two_figures(requests: float, said: str) -> None:
    metric = msgspec.structs.replace(UNDECIDED, requests_needed=requests, minutes_needed=None)
    assert needed(metric, is_long=False) == f"{said} more"


async def test_the_tree_shows_what_evidence_advises_apart_from_its_own_verdict() -> None:
    text = await frame(DecisionTree(), (46, 9), snapshot=with_evidence(VIEW, ADVICE))
    assert "✓ GO ON" in text
    assert "┄ evidence ✗ 5xx proven worse 14:18:00Z" in text
    assert "advises: roll back all" in text


async def test_the_advice_is_seen_in_six_rows() -> None:
    text = await frame(DecisionTree(), (44, 6), snapshot=with_evidence(VIEW, ADVICE))
    assert "✓ GO ON" in text
    assert "5xx proven worse" in text


async def test_an_advice_that_acts_says_so() -> None:
    acting = msgspec.structs.replace(ADVICE, action="rollback")
    text = await frame(DecisionTree(), (46, 9), snapshot=with_evidence(VIEW, acting))
    assert "automatic rollback may act on it" in text


async def test_without_advice_the_tree_is_as_it_was() -> None:
    with_it = await frame(DecisionTree(), (46, 9), snapshot=with_evidence(VIEW))
    assert with_it == await frame(DecisionTree(), (46, 9), snapshot=with_evidence(None))


async def test_the_moment_of_detection_is_marked_in_a_plot() -> None:
    marked = await frame(LatencyPanel(), (80, 12), snapshot=with_evidence(VIEW))
    assert marked.count("✗") == 1
    assert "✗" not in await frame(LatencyPanel(), (80, 12), snapshot=with_evidence(None))


async def test_the_seconds_after_a_change_are_set_apart_in_a_plot() -> None:
    view = msgspec.structs.replace(VIEW, began_at=NOW - 900, set_apart_until=NOW - 870)
    assert "∶" in await frame(LatencyPanel(), (80, 12), snapshot=with_evidence(view))
    assert "∶" not in await frame(LatencyPanel(), (80, 12), snapshot=with_evidence(scenes.VIEW))


async def test_a_mark_in_a_plot_names_what_got_worse() -> None:
    assert "✗5xx" in await frame(LatencyPanel(), (80, 12), snapshot=with_evidence(VIEW))


async def test_a_proof_of_an_earlier_split_stays_where_it_was_in_the_plots() -> None:
    earlier = (Detection("slow", NOW - 1800),)
    view = msgspec.structs.replace(VIEW, metrics=(PASSED,), earlier=earlier)
    assert "✗slow" in await frame(LatencyPanel(), (80, 12), snapshot=with_evidence(view))


@pytest.mark.parametrize(
    ("metric", "marked"),
    [("error_ratio", True), ("success_ratio", True), ("p95_ms", True), ("cpu", False)],
)
def test_a_proof_is_marked_in_the_plots_that_it_concerns(metric: Metric, marked: bool) -> None:
    found = PlotMaker().picture(
        metric, with_evidence(VIEW), None, now=NOW, window_s=3600.0, columns=40
    )
    assert found.detected == (((NOW - 300, "5xx"),) if marked else ())


async def test_the_matrix_marks_a_proof_in_the_sparks_that_it_concerns() -> None:
    rows = (await frame(MatrixPanel(), (100, 6), snapshot=with_evidence(VIEW))).splitlines()
    assert [row[2:9].strip() for row in rows if "✗" in row] == ["errors", "p95", "success"]
    assert "✗" not in await frame(MatrixPanel(), (100, 6), snapshot=with_evidence(None))


async def test_a_lower_score_that_is_proven_is_said_in_its_panel() -> None:
    worse = msgspec.structs.replace(PROVEN, metric="score", proven_on=None)
    text = await frame(ConfidencePanel(), (40, 9), snapshot=with_metrics(worse))
    assert "✗ proven worse 14:18:00Z" in text
