"""Answers sorted by side, and the measured split against the wanted one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.plan.plan import Plan
from canary.rollout.trials.comparison import (
    MIN_ATTRIBUTED,
    Comparison,
    ProbeAnswer,
    SideFigures,
    SideNames,
    add_up,
    check_split,
    compare,
    percentile,
    side_names,
)
from tests.embedded import with_router
from tests.rollout.build import NOW, PLAN

URL = "https://api.example/x"
NAMES = side_names(PLAN, "")


def answer(name: str, status: int = 200, latency_ms: float = 100.0) -> ProbeAnswer:
    return ProbeAnswer(name, status, latency_ms)


def measured(legacy: int, canary: int) -> Comparison:
    """So many answers of each side."""
    sides = SideFigures("ion-api", legacy), SideFigures("ion-api-canary", canary)
    return Comparison(NOW, URL, legacy + canary, *sides)


def test_each_side_is_judged_by_its_own_answers() -> None:
    answers = [answer("ion-api", 500), answer("ion-api"), answer("ion-api-canary", 204)]
    found = compare(PLAN, NAMES, URL, answers, NOW)
    assert (found.legacy.requests, found.legacy.error_ratio) == (2, 0.5)
    assert (found.canary.requests, found.canary.error_ratio) == (1, 0.0)
    assert (found.attributed, found.unnamed, found.unanswered) == (3, 0, 0)


def test_what_nobody_answered_counts_for_neither_side() -> None:
    lost = ProbeAnswer(error="refused")
    found = compare(PLAN, NAMES, URL, [lost, answer("a stranger", 502), answer("")], NOW)
    assert (found.attributed, found.unnamed, found.unanswered) == (0, 2, 1)
    assert found.first_error == "refused"
    assert found.canary.error_ratio is None
    assert found.canary.p95_ms is None


def test_a_4xx_is_neither_success_nor_error() -> None:
    figures = add_up("x", [answer("x", 404), answer("x", 302), answer("x", 200), answer("x", 599)])
    assert (figures.error_ratio, figures.success_ratio) == (0.25, 0.5)


def test_a_confidence_is_the_mean_of_those_that_say_one() -> None:
    scores = [ProbeAnswer("x", 200, 1.0, 0.8), ProbeAnswer("x", 200, 1.0, 0.6), answer("x", 500)]
    figures = add_up("x", scores)
    assert figures.confidence == pytest.approx(0.7)
    assert figures.confidence_count == 2


def revisions_plan() -> Plan:
    return with_router(PLAN, kind="revisions", candidate="canary")


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("ion-api-00002-can", "canary"),
        ("canary", "canary"),
        ("ion-api-00001-leg", "legacy"),
        ("", None),
    ],
)
def test_between_revisions_canary_is_the_candidate(name: str, side: str | None) -> None:
    assert side_names(revisions_plan(), "ion-api-00002-can").side_of(name) == side


@pytest.mark.parametrize(
    ("fraction", "value"), [(0.0, 10.0), (0.5, 25.0), (0.95, 38.5), (1.0, 40.0)]
)
def test_a_percentile_is_interpolated(fraction: float, value: float) -> None:
    assert percentile([10.0, 20.0, 30.0, 40.0], fraction) == pytest.approx(value)


def test_of_no_values_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("legacy", "canary", "wanted", "state"),
    [
        (90, 10, 10, "as_intended"),
        (97, 3, 10, "as_intended"),
        # The ends of the 99 % interval for 10 of 100: 2 is out, 3 is in; 18 is out, 17 is in.
        (98, 2, 10, "not_as_intended"),
        (83, 17, 10, "as_intended"),
        (82, 18, 10, "not_as_intended"),
        (75, 25, 10, "not_as_intended"),
        (100, 0, 5, "as_intended"),
        (100, 0, 0, "as_intended"),
        (99, 1, 0, "not_as_intended"),
        (0, 100, 100, "as_intended"),
        (1, 99, 100, "not_as_intended"),
        # One stray answer refutes 0 and 100 % however few there are.
        (1, 1, 0, "not_as_intended"),
        (19, 0, 0, "too_few"),
        (MIN_ATTRIBUTED, 0, 0, "as_intended"),
        (0, 19, 50, "too_few"),
        (0, 20, 50, "not_as_intended"),
        (0, 0, 50, "too_few"),
    ],
)
def test_the_measured_share_goes_with_the_wanted_one_or_not(
    legacy: int, canary: int, wanted: int, state: str
) -> None:
    assert check_split(measured(legacy, canary), wanted).state == state


def test_without_answers_there_is_no_share() -> None:
    split = check_split(measured(0, 0), 10)
    assert (split.share, split.low, split.high) == (None, None, None)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 99))
def test_only_a_share_within_its_interval_is_as_intended(
    legacy: int, canary: int, wanted: int
) -> None:
    split = check_split(measured(legacy, canary), wanted)
    if split.state == "as_intended":
        assert split.low is not None
        assert split.high is not None
        assert split.attributed >= MIN_ATTRIBUTED
        assert split.low <= wanted / 100 <= split.high


@given(st.lists(st.sampled_from(["ion-api", "ion-api-canary", "", "other"])))
def test_every_request_is_counted_once(names: list[str]) -> None:
    sides = SideNames(frozenset({"ion-api"}), frozenset({"ion-api-canary"}))
    found = compare(PLAN, sides, URL, [answer(name) for name in names], NOW)
    assert found.attributed + found.unnamed + found.unanswered == found.requests == len(names)
