"""The A/B test's judgement: gains, intervals, the limit, and no data."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.trials.ab_test import (
    CONFIDENCE_LEVEL,
    NORMAL_QUANTILE,
    AbSource,
    GroupFigures,
    Mean,
    ab_document,
    analyse,
    summarise,
)

LEGACY = GroupFigures(
    150_000,
    Mean(450.0, 430.0, 150_000),
    1200.0,
    Mean(0.72, 0.1, 150_000),
    Mean(0.988, math.sqrt(0.988 * 0.012), 150_000),
)
CANARY = GroupFigures(
    150_000,
    Mean(220.0, 210.0, 150_000),
    600.0,
    Mean(0.85, 0.1, 150_000),
    Mean(0.997, math.sqrt(0.997 * 0.003), 150_000),
)


def timed(mean: float, stddev: float | None = 100.0, count: int = 1000) -> GroupFigures:
    return GroupFigures(count, Mean(mean, stddev, count))


def test_the_gains_are_those_of_the_procedure() -> None:
    gains = {one.metric: one.gain for one in analyse(LEGACY, CANARY).improvements}
    assert gains == pytest.approx(
        {"response_time": 0.511, "p95_response_time": 0.50, "confidence": 0.18, "success": 0.009},
        abs=6e-3,
    )


def test_the_procedures_figures_are_approved_without_caution() -> None:
    analysis = analyse(LEGACY, CANARY)
    assert (analysis.status, analysis.reasons, analysis.cautions) == ("APPROVED", (), ())


@pytest.mark.parametrize(
    ("canary_ms", "status"),
    [
        (89.99, "APPROVED"),
        (90.0, "NOT_APPROVED"),
        (90.01, "NOT_APPROVED"),
        (100.0, "NOT_APPROVED"),
        (120.0, "NOT_APPROVED"),
    ],
)
def test_only_more_than_the_limit_is_approved(canary_ms: float, status: str) -> None:
    assert analyse(timed(100.0), timed(canary_ms), least=0.10).status == status


@pytest.mark.parametrize(
    ("legacy", "canary", "said"),
    [
        (None, CANARY, "Legacy has no requests"),
        (LEGACY, None, "Canary has no requests"),
        (None, None, "Legacy has no requests"),
        (LEGACY, GroupFigures(0), "Canary has no requests"),
        (LEGACY, GroupFigures(500), "Canary has no response times"),
        (timed(0.0), CANARY, "Legacy's mean response time is 0 ms"),
        (LEGACY, timed(0.0), "Canary's mean response time is 0 ms"),
        (timed(-5.0), CANARY, "Legacy's mean response time is -5 ms"),
        (LEGACY, timed(math.nan), "Canary's mean response time is nan ms"),
        (LEGACY, timed(200.0, count=99), "Canary has 99 response times, at least 100"),
    ],
)
def test_a_gap_is_no_data_and_never_approved(
    legacy: GroupFigures | None, canary: GroupFigures | None, said: str
) -> None:
    analysis = analyse(legacy, canary, min_requests=100)
    assert analysis.status == "NO_DATA"
    assert said in " ".join(analysis.reasons)


def test_exactly_the_least_requests_are_enough() -> None:
    few = timed(200.0, count=100)
    assert analyse(LEGACY, few, min_requests=100).status == "APPROVED"


def test_an_interval_below_the_limit_is_said_and_does_not_decide() -> None:
    analysis = analyse(timed(100.0, 90.0, 200), timed(85.0, 90.0, 200))
    assert analysis.status == "APPROVED"
    assert analysis.deciding.low is not None
    assert analysis.deciding.low < 0.10
    assert any("reaches below the limit" in caution for caution in analysis.cautions)


def test_without_deviations_there_is_no_interval_and_that_is_said() -> None:
    analysis = analyse(timed(100.0, None), timed(50.0, None))
    assert (analysis.deciding.low, analysis.deciding.high) == (None, None)
    assert any("cannot be said" in caution for caution in analysis.cautions)


def test_a_loss_elsewhere_is_said() -> None:
    worse = msgspec.structs.replace(CANARY, confidence=Mean(0.60, 0.1, 150_000))
    cautions = analyse(LEGACY, worse).cautions
    assert "confidence is worse by 16.67 %" in cautions


def test_a_percentile_has_no_interval() -> None:
    p95 = analyse(LEGACY, CANARY).improvements[1]
    assert (p95.metric, p95.low, p95.high) == ("p95_response_time", None, None)


def test_a_missing_score_leaves_its_gain_empty_and_the_rest_alone() -> None:
    analysis = analyse(msgspec.structs.replace(LEGACY, confidence=None), CANARY)
    assert analysis.status == "APPROVED"
    assert analysis.improvements[2].gain is None
    assert "no data on confidence" in analysis.cautions


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    # Two log-normal groups with a true gain of 20 %, 400 requests each, 1 000 times.
    random, truth, covered = Random(5), 0.20, 0
    for _ in range(1000):
        groups = []
        for centre in (1.0, 1.0 - truth):
            values = [centre * random.lognormvariate(-0.32, 0.8) for _ in range(400)]
            mean = sum(values) / 400
            stddev = math.sqrt(sum((v - mean) ** 2 for v in values) / 399)
            groups.append(timed(mean, stddev, 400))
        first = analyse(*groups).deciding
        covered += first.low <= truth <= first.high
    # Binomial: three standard deviations around 950.
    assert 929 <= covered <= 971


@given(st.floats(0.1, 1e6), st.floats(0.1, 1e6), st.floats(0, 1e6), st.integers(2, 10**9))
def test_the_gain_lies_within_its_interval(
    legacy_ms: float, canary_ms: float, stddev: float, count: int
) -> None:
    first = analyse(timed(legacy_ms, stddev, count), timed(canary_ms, stddev, count)).deciding
    if first.low is not None:
        slack = 1e-9 * max(1.0, abs(first.gain))
        assert first.low - slack <= first.gain <= first.high + slack
        assert first.high <= 1.0


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1e-3, 1e3))
def test_the_unit_of_time_does_not_matter(
    legacy_ms: float, canary_ms: float, factor: float
) -> None:
    one = analyse(timed(legacy_ms), timed(canary_ms)).deciding.gain
    other = analyse(timed(legacy_ms * factor), timed(canary_ms * factor)).deciding.gain
    assert one == pytest.approx(other, abs=1e-9)


def test_the_document_tells_the_gain_only_where_there_is_data() -> None:
    source = AbSource("t", 0.0)
    good, none = (
        ab_document(analyse(LEGACY, CANARY), source),
        ab_document(analyse(LEGACY, None), source),
    )
    assert (good["status"], good["approved"]) == ("APPROVED", True)
    assert good["improvement"] == pytest.approx(0.511, abs=1e-3)
    assert good["legacy"]["avg_response_time_ms"] == 450.0
    assert good["canary"]["p95_response_time_ms"] == 600.0
    assert (none["status"], none["approved"], none["improvement"]) == ("NO_DATA", False, None)
    assert none["canary"] is None


def test_the_summary_says_faster_slower_or_why_not() -> None:
    assert summarise(analyse(timed(100.0, None), timed(50.0, None))) == "50.0 % faster"
    assert summarise(analyse(timed(100.0, None), timed(150.0, None))) == "50.0 % slower"
    assert summarise(analyse(None, CANARY)).startswith("no data: Legacy has no requests")


def test_the_quantile_written_down_is_the_confidence_levels() -> None:
    assert NormalDist().inv_cdf((1 + CONFIDENCE_LEVEL) / 2) == pytest.approx(NORMAL_QUANTILE)
