"""How the soak (`benchmarks.soak_table`) tells growth from noise."""

from random import Random

import pytest

from benchmarks.soak_table import MOST_GROWTH, growth_of

WEEK = [float(hour) for hour in range(4, 169, 6)]


def measured(by_hour: float, noise: float, seed: int) -> list[tuple[float, float]]:
    rng = Random(seed)
    return [(hour, 150 + by_hour * (hour - 4) + rng.uniform(-noise, noise)) for hour in WEEK]


@pytest.mark.parametrize("seed", range(20))
def test_what_goes_up_and_down_has_not_grown(seed: int) -> None:
    assert abs(growth_of(measured(0.0, 4.0, seed))) < MOST_GROWTH


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_under_the_same_noise_has(seed: int) -> None:
    """A tenth of a megabyte an hour: 16 MB in a week."""
    assert growth_of(measured(0.1, 4.0, seed)) > MOST_GROWTH


def test_one_look_at_a_bad_moment_is_no_growth() -> None:
    points = measured(0.0, 1.0, 1)
    points[-1] = (points[-1][0], 400.0)
    assert growth_of(points) < MOST_GROWTH


def test_what_was_filled_once_and_stays_has_grown() -> None:
    assert growth_of([(hour, 150.0 if hour < 60 else 190.0) for hour in WEEK]) > MOST_GROWTH
