"""The evidence panel as text frames: every verdict in words, and what is missing is said."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.gates import Gate
from canary.rollout.evidence.interval import RatioInterval, format_interval
from canary.rollout.evidence.state import Detection
from canary.rollout.evidence.verdict import MetricVerdict
from canary.rollout.evidence.view import EvidenceView, SplitView, TailView
from canary.rollout.evidence.words import format_needed
from canary.rollout.export.evidence_document import metric_line
from tests.widgets import evidence_scenes as scenes
from tests.widgets.evidence_scenes import (
    ADVICE,
    INCONCLUSIVE,
    OPEN,
    PASSED,
    PROVEN,
    UNDECIDED,
    UNKNOWN,
    VIEW,
    WORSE,
    with_evidence,
    with_metrics,
)
from tests.widgets.scenes import NOW
from tests.widgets.stage import frame, shown
from themes import PALETTES
from widgets.panels.confidence import ConfidencePanel
from widgets.panels.decision import DecisionTree, GatesPanel
from widgets.panels.evidence import EvidencePanel
from widgets.panels.evidence_axis import HIGH, LOW, column_of
from widgets.panels.matrix import MatrixPanel
from widgets.panels.plots import PlotsPanel
from widgets.plots.picture import PlotMaker
from widgets.plots.series import Metric

ROOMY = (76, 15)
TIGHT = (44, 5)


PROVEN_AXIS = msgspec.structs.replace(PROVEN, interval=RatioInterval(6.2, 3.0, 11.0))
PASSED_AXIS = msgspec.structs.replace(
    PASSED,
    metric="errors",
    interval=RatioInterval(0.8, 0.1, 1.6),
    canary_ratio=4 / 921,
    canary_count=921,
)


async def panel(view: EvidenceView, size: tuple[int, int] = ROOMY) -> str:
    return await frame(EvidencePanel(), size, snapshot=with_evidence(view))


async def one(metric: object, size: tuple[int, int] = ROOMY) -> str:
    return await frame(EvidencePanel(), size, snapshot=with_metrics(metric))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "long", "short"),
    [
        (PROVEN, "✗ errors proven worse 14:18:00Z", "proven worse 14:18:00Z"),
        (WORSE, "14:21:00Z", "worse now 14:21:00Z"),
        (PASSED, "✓ score  no worse, proven", "no worse, proven"),
        (
            UNDECIDED,
            "◌ slow   still open: about 2 400 more Canary requests, 9 m at today's rate",
            "still open: 2 400 more, 9 m",
        ),
        (INCONCLUSIVE, "? slow   inconclusive: session affinity", "inconclusive: session a"),
        (UNKNOWN, "◌ score  still open: no scores of both sides", "still open: no scores of"),
    ],
)
async def test_every_verdict_has_a_glyph_and_words(metric: object, long: str, short: str) -> None:
    assert long in await one(metric)
    assert short in await one(metric, TIGHT)


async def test_five_rows_hold_the_scale_all_verdicts_and_the_source() -> None:
    rows = (await panel(VIEW, TIGHT)).splitlines()
    assert [row[:8].rstrip() for row in rows] == [
        " better",
        "✗ errors",
        "◌ slow",
        "✓ score",
        "  source",
    ]


async def test_both_proofs_stand_side_by_side_where_there_is_room() -> None:
    text = await panel(VIEW)
    assert "worse █████░░░░░░░░░░░ 31 %   no worse █████████▉░░░░░░ 62 %" in text


@pytest.mark.parametrize(
    ("metric", "worse", "no_worse"),
    [(PROVEN, True, False), (UNDECIDED, False, False), (PASSED, False, True)],
)
@pytest.mark.parametrize("strength", [0.0, 0.5, 0.998, 0.999999])
async def test_a_bar_is_full_when_it_is_proven_and_only_then(
    metric: MetricVerdict, worse: bool, no_worse: bool, strength: float
) -> None:
    """However near the figure is, and however far what came later has taken it back."""
    weak = msgspec.structs.replace(metric, strength=strength, pass_strength=strength)
    bars = next(row for row in (await one(weak)).splitlines() if row[9:].startswith("worse "))
    first, second = bars.split("no worse ")
    full = "█" * 16
    assert (full in first, "proven" in first) == (worse, worse)
    assert (full in second, "proven" in second) == (no_worse, no_worse)
    assert "100 %" not in bars


async def test_the_interval_lies_on_one_axis_with_both_lines() -> None:
    rows = (await panel(msgspec.structs.replace(VIEW, metrics=(PROVEN_AXIS, OPEN, WORSE)))).split(
        "\n"
    )
    same, twice = rows[0].index("×1") + 1, rows[0].index("×2")
    assert rows[0].startswith(" better ◂")
    assert "▸ worse" in rows[0]
    assert rows[0].endswith("since 12:20:00Z")
    worse, still_open, now_worse = (row for row in rows if row[:1] in "✗◌◐" and row[:1])
    assert (worse[same], worse[twice]) == ("┆", "┃")
    assert worse.index("├") > twice
    assert worse.index("├") < worse.index("●") < worse.index("┤")
    assert still_open.index("├") < same < still_open.index("┤")
    assert now_worse.rstrip().endswith("17 of 300")
    assert "▸" in now_worse


@pytest.mark.parametrize("size", [(44, 6), (78, 6), (84, 12), (196, 20)])
@pytest.mark.parametrize("metric", [PROVEN, INCONCLUSIVE, UNDECIDED, UNKNOWN])
async def test_without_an_interval_words_stand_on_the_axis_and_no_line(
    metric: MetricVerdict, size: tuple[int, int]
) -> None:
    row = (await one(metric, size)).splitlines()[1]
    assert not set("├┤●┆┃") & set(row)
    assert row[9:].strip()


async def test_what_is_old_is_grey_and_nothing_is_green() -> None:
    widget = EvidencePanel()
    view = msgspec.structs.replace(VIEW, metrics=(PASSED_AXIS, OPEN, WORSE))
    async with shown(widget, (78, 6), snapshot=with_evidence(view)):
        palette = widget.palette
        fresh = widget._paint(78, 6)
        widget.now = NOW + 700
        old = widget._paint(78, 6)
    assert fresh.styles[1][0] == palette.ok
    for y in (1, 2, 3):
        assert old.styles[y][0] == palette.stale
        assert old.styles[y][old.chars[y].index("●")] == palette.stale


@pytest.mark.parametrize("theme", PALETTES)
async def test_a_theme_changes_no_character_of_the_axis(theme: str) -> None:
    drawn = with_metrics(PROVEN_AXIS, OPEN, WORSE)
    plain = await frame(EvidencePanel(), (78, 9), snapshot=drawn)
    assert await frame(EvidencePanel(), (78, 9), theme=theme, snapshot=drawn) == plain


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers(5, 60))
def test_the_axis_keeps_the_order_of_ratios(a: float, b: float, width: int) -> None:
    less, more = sorted((a, b))
    assert 0 <= column_of(less, width) <= column_of(more, width) < width
    assert (column_of(LOW, width), column_of(HIGH, width)) == (0, width - 1)


async def test_few_are_counted_and_the_page_agrees_with_the_shell() -> None:
    text = await one(PASSED_AXIS, (78, 6))
    assert "4 of 921" in text
    assert "about 2 400 more Canary requests, 9 m at today's rate" in metric_line(UNDECIDED)
    assert "about 2 400 more Canary requests, 9 m at today's rate" in await one(UNDECIDED)


@pytest.mark.parametrize("minutes", [0.0, 0.01, 0.4])
def test_no_time_at_all_is_never_left(minutes: float) -> None:
    soon = msgspec.structs.replace(UNDECIDED, requests_needed=0.0, minutes_needed=minutes)
    assert format_needed(soon, is_long=False) == "1 more, 1 m"


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
    assert format_needed(metric, is_long=False) == f"{said} more"


async def test_the_tree_shows_what_evidence_advises_apart_from_its_own_verdict() -> None:
    text = await frame(DecisionTree(), (46, 9), snapshot=with_evidence(VIEW, ADVICE))
    assert "✓ HEALTHY" in text
    assert "┄ evidence ✗ 5xx proven worse 14:18:00Z" in text
    assert "advises: roll back all" in text


async def test_the_advice_is_seen_in_six_rows() -> None:
    text = await frame(DecisionTree(), (44, 6), snapshot=with_evidence(VIEW, ADVICE))
    assert "✓ HEALTHY" in text
    assert "5xx proven worse" in text


async def test_an_advice_that_acts_says_so() -> None:
    acting = msgspec.structs.replace(ADVICE, action="rollback")
    text = await frame(DecisionTree(), (46, 9), snapshot=with_evidence(VIEW, acting))
    assert "automatic rollback may act on it" in text


async def test_without_advice_the_tree_is_as_it_was() -> None:
    with_it = await frame(DecisionTree(), (46, 9), snapshot=with_evidence(VIEW))
    assert with_it == await frame(DecisionTree(), (46, 9), snapshot=with_evidence(None))


async def test_the_moment_of_detection_is_marked_in_a_plot() -> None:
    marked = await frame(PlotsPanel(), (80, 12), snapshot=with_evidence(VIEW))
    assert marked.count("✗") == 1
    assert "✗" not in await frame(PlotsPanel(), (80, 12), snapshot=with_evidence(None))


async def test_the_seconds_after_a_change_are_set_apart_in_a_plot() -> None:
    view = msgspec.structs.replace(VIEW, began_at=NOW - 900, set_apart_until=NOW - 870)
    assert "∶" in await frame(PlotsPanel(), (80, 26), snapshot=with_evidence(view))
    assert "∶" not in await frame(PlotsPanel(), (80, 12), snapshot=with_evidence(scenes.VIEW))


async def test_a_mark_in_a_plot_names_what_got_worse() -> None:
    assert "✗5xx" in await frame(PlotsPanel(), (80, 12), snapshot=with_evidence(VIEW))


async def test_a_proof_of_an_earlier_split_stays_where_it_was_in_the_plots() -> None:
    earlier = (Detection("slow", NOW - 1800),)
    view = msgspec.structs.replace(VIEW, metrics=(PASSED,), earlier=earlier)
    assert "✗slow" in await frame(PlotsPanel(), (80, 26), snapshot=with_evidence(view))


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


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (RatioInterval(4.23, 2.1, 8.0), "×4.2 (2.1 to 8.0)"),
        (RatioInterval(0.09, 0.081, 0.11), "×0.09 (0.08 to 0.11)"),
        (RatioInterval(38.4, 12.3, None), "×38 (12 to ?)"),
        (RatioInterval(0.5, 0.0, 1.6), "×0.50 (0 to 1.6)"),
        (RatioInterval(0.001, 0.0, 0.004), "×<0.01 (0 to <0.01)"),
    ],
)
def test_an_interval_has_two_figures_and_no_false_nothing(
    interval: RatioInterval, said: str
) -> None:
    assert format_interval(interval) == said


async def test_an_estimate_beyond_the_axis_is_an_arrow() -> None:
    far = msgspec.structs.replace(PASSED_AXIS, interval=RatioInterval(0.09, 0.08, 0.11))
    row = (await one(far, (78, 6))).splitlines()[1]
    assert row[9] == "◂"
    assert "●" not in row


async def test_what_began_yesterday_says_so() -> None:
    old = msgspec.structs.replace(VIEW, began_at=NOW - 30 * 3600)
    text = await panel(old, (78, 6))
    assert "since 02-28 08:23Z" in text.splitlines()[0]


async def test_a_proven_regression_is_a_gate_in_words() -> None:
    said = "Canary is proven to be worse: 5xx at 14:18:00Z"
    gate = Gate("regression", "no proven regression", 0.0, "=", 1.0, "not_met", said, False)
    text = await frame(
        GatesPanel(), (84, 4), snapshot=msgspec.structs.replace(with_evidence(), gates=(gate,))
    )
    assert text.splitlines()[0] == f"✗ no proven regression  {said}"
