"""One scale for both sides; it holds all values, takes near limits in, and stands still."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.plots.axes import Scale, choose_scale, label, round_up


def test_the_scale_holds_the_values_of_both_sides() -> None:
    scale = choose_scale("p95_ms", [120.0, 640.0], [], None)
    assert scale.low == 0.0
    assert scale.high >= 640.0


@pytest.mark.parametrize(("top", "taken"), [(5_999.0, False), (6_000.0, True), (19_000.0, True)])
def test_a_limit_joins_once_the_data_is_near_it(top: float, taken: bool) -> None:
    assert choose_scale("p95_ms", [top], [20_000.0], None).contains(20_000.0) is taken


def test_without_values_the_scale_shows_the_lowest_limit() -> None:
    assert choose_scale("error_ratio", [], [0.02, 0.05], None).contains(0.02)


def test_the_scale_stands_still_while_it_fits() -> None:
    last = Scale(0.0, 800.0)
    assert choose_scale("p95_ms", [700.0], [], last) is last
    assert choose_scale("p95_ms", [330.0], [], last) is last


def test_the_scale_grows_at_once_and_shrinks_when_far_too_wide() -> None:
    last = Scale(0.0, 800.0)
    assert choose_scale("p95_ms", [900.0], [], last).high >= 900.0
    assert choose_scale("p95_ms", [100.0], [], last).high < 800.0


def test_a_success_ratio_hangs_from_one() -> None:
    scale = choose_scale("success_ratio", [0.993, 0.997], [0.9, 0.8], None)
    assert (scale.low, scale.high) == (0.99, 1.0)


@given(st.lists(st.floats(0, 1e7), max_size=20))
def test_every_value_is_on_the_scale(values: list[float]) -> None:
    scale = choose_scale("p95_ms", values, [20_000.0, 30_000.0], None)
    assert all(scale.contains(v) for v in values)


@given(st.floats(0, 1))
def test_a_ratio_is_on_its_scale(value: float) -> None:
    assert choose_scale("success_ratio", [value], [0.9, 0.8], None).contains(value)


@pytest.mark.parametrize(("value", "rounded"), [(0.9, 1.0), (1.0, 1.0), (640.0, 800.0), (0, 1.0)])
def test_round_up_gives_round_numbers(value: float, rounded: float) -> None:
    assert round_up(value) == pytest.approx(rounded)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("p95_ms", 20_000.0, "20 s"),
        ("p95_ms", 800.0, "800 ms"),
        ("p95_ms", 0.0, "0"),
        ("error_ratio", 0.015, "1.5 %"),
        ("confidence", 0.5, "0.5"),
    ],
)
def test_labels_are_short_and_have_units(metric: str, value: float, text: str) -> None:
    assert label(metric, value) == text  # type: ignore[arg-type]
