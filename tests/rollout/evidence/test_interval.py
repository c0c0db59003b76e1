"""The estimated ratio and its interval: near the truth, in order, and right at any look."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence.interval import Likelihood, estimate_ratio
from canary.rollout.evidence.ratio import Counts


def test_before_any_bad_request_nothing_is_said() -> None:
    likelihood = Likelihood().add(Counts(0.0, 5.0, 100, 5, 0, 0))
    assert estimate_ratio(likelihood, 0.05) is None


@pytest.mark.parametrize(("bad_canary", "ratio"), [(10, 1.0), (60, 6.0), (5, 0.5)])
def test_the_estimate_is_the_ratio_of_the_ratios(bad_canary: int, ratio: float) -> None:
    likelihood = Likelihood().add(Counts(0.0, 60.0, 95_000, 5_000, 190, bad_canary))
    found = estimate_ratio(likelihood, 0.05)
    assert found is not None
    assert found.estimate == pytest.approx(ratio, rel=0.02)
    assert found.high is not None
    assert found.low < ratio < found.high


def test_without_a_bad_request_of_one_side_the_interval_is_open_there() -> None:
    found = estimate_ratio(Likelihood().add(Counts(0.0, 60.0, 1000, 1000, 0, 5)), 0.05)
    assert found is not None
    assert found.high is None
    found = estimate_ratio(Likelihood().add(Counts(0.0, 60.0, 1000, 1000, 5, 0)), 0.05)
    assert found is not None
    assert found.low == 0.0


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.integers(1, 50), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=40,
    )
)
def test_the_ends_are_in_order_around_the_estimate(
    windows: list[tuple[int, int, int, int]],
) -> None:
    likelihood = Likelihood()
    for i, (legacy, canary, bad_legacy, bad_canary) in enumerate(windows):
        counts = Counts(i, i + 1, legacy + bad_legacy, canary + bad_canary, bad_legacy, bad_canary)
        likelihood = likelihood.add(counts)
    found = estimate_ratio(likelihood, 0.05)
    if found is not None:
        assert found.low <= found.estimate * 1.2
        assert found.high is None or found.estimate <= found.high * 1.2


@pytest.mark.parametrize("truth", [1.0, 3.0])
def test_it_misses_the_true_ratio_in_few_runs_though_it_is_looked_at_all_the_time(
    truth: float, is_long: bool
) -> None:
    runs, missed = 200 if is_long else 100, 0
    for seed in range(runs):
        rng, likelihood = Random(f"interval/{truth}/{seed}"), Likelihood()
        for i in range(240):
            bad_legacy = sum(rng.random() < 0.05 for _ in range(20))
            bad_canary = sum(rng.random() < 0.05 * truth for _ in range(2))
            likelihood = likelihood.add(Counts(i, i + 1, 20, 2, bad_legacy, bad_canary))
            found = estimate_ratio(likelihood, 0.05)
            if found and not found.low <= truth <= (found.high or 1e9):
                missed += 1
                break
    assert missed <= runs // 20
